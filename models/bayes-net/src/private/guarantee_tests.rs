//! The promise itself, on tables small enough to try: no result of a fit is more than `exp(epsilon)`
//! times as probable on a table as on its neighbour.

use super::{Limits, coders, greedy, noisy};
use crate::coding::encode;
use meg_core::{Column, ColumnSpec, Schema, Seed, Silent, Table};
use std::collections::{BTreeMap, HashMap};

/// How often each result occurs.
fn results<R: std::hash::Hash + Eq>(runs: u64, run: impl Fn(Seed) -> R) -> HashMap<R, f64> {
    let mut counts = HashMap::new();
    for seed in 0..runs {
        *counts.entry(run(Seed(seed))).or_insert(0.0) += 1.0;
    }
    counts
}

/// The largest logarithm of a ratio over all results that are frequent enough to tell, less four of
/// its standard errors; and the largest without.
fn worst<R: std::hash::Hash + Eq>(a: &HashMap<R, f64>, b: &HashMap<R, f64>) -> (f64, f64) {
    let mut worst = (0.0f64, 0.0f64);
    for (result, &count) in a {
        let other = b.get(result).copied().unwrap_or(0.0);
        if count < 300.0 {
            continue;
        }
        let ratio = (count / other.max(0.5)).ln();
        let error = (1.0 / count + 1.0 / other.max(0.5)).sqrt();
        worst = (worst.0.max(ratio - 4.0 * error), worst.1.max(ratio));
    }
    worst
}

fn pair(a: [u32; 6], b: [u32; 6]) -> Table {
    let schema = Schema::new(vec![
        ColumnSpec::category("a", ["no", "yes"]),
        ColumnSpec::category("b", ["no", "yes"]),
    ]);
    Table::new(schema.unwrap(), vec![Column::Codes(a.into()), Column::Codes(b.into())]).unwrap()
}

#[test]
fn structure_and_counts_keep_their_promise() {
    let (epsilon, structure) = (1.5, 0.5);
    let run = |table: &Table, seed: Seed| {
        let none = BTreeMap::new();
        let coders = coders(table, &none, 2, 0.0, &mut seed.stream("ranges"));
        let coded = encode(&coders, table, 1);
        let limits = Limits { cells: 4, parents: 1, candidates: 10 };
        let mut rng = seed.stream("structure");
        let parents = greedy(&coded, limits, structure, &mut rng, 1, &mut Silent).unwrap();
        let network = noisy(&coded, &parents, epsilon - structure, &mut seed.stream("counts"));
        // The first cell of every table, coarsely, so that results repeat.
        let cell = |node: usize| {
            let table = network.nodes[node].tables.last().unwrap();
            table.row(0).map_or(0, |row| row.count(0).min(5))
        };
        (parents, cell(0), cell(1))
    };
    let one = pair([0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1]);
    let two = pair([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1]);
    let (one, two) =
        (results(40_000, |seed| run(&one, seed)), results(40_000, |seed| run(&two, seed)));
    let (sure, seen) = worst(&one, &two);
    let (sure_back, seen_back) = worst(&two, &one);
    assert!(sure <= epsilon && sure_back <= epsilon, "{sure} and {sure_back} of {epsilon}");
    // The counts differ by one in one of two cells of each table, which spends a half of their
    // budget: a test that sees far less would see no broken promise either.
    assert!(seen.max(seen_back) > 0.25 * epsilon, "{seen} and {seen_back} of {epsilon}");
}

#[test]
fn learned_ranges_keep_their_promise() {
    let epsilon = 1.0;
    let table = |cells: Vec<f64>| {
        let schema = Schema::new(vec![ColumnSpec::number("x", 0)]).unwrap();
        Table::new(schema, vec![Column::Numbers(cells)]).unwrap()
    };
    let run = |table: &Table, seed: Seed| {
        let coders = coders(table, &BTreeMap::new(), 1, epsilon, &mut seed.stream("ranges"));
        format!("{coders:?}").contains('-')
    };
    // All values at or above zero, or one far below.
    let one = table(vec![3.0; 40]);
    let mut moved = vec![3.0; 40];
    moved[0] = -3e6;
    let two = table(moved);
    let (one, two) =
        (results(2_000, |seed| run(&one, seed)), results(2_000, |seed| run(&two, seed)));
    assert!(worst(&one, &two).0 <= epsilon && worst(&two, &one).0 <= epsilon);
}
