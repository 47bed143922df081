//! How often scores of privacy call fresh rows a leak: other training, unseen and synthetic rows each
//! time, all of one law.

use crate::{common::chosen, people::people};
use meg_core::{Column, ColumnSpec, Rng, Schema, Seed, Table};
use rand::Rng as _;
use std::collections::BTreeMap;

const TABLES: usize = 60;

/// p-values of table-wide scores, by name.
type PValues = BTreeMap<String, f64>;

/// Those of tables of so many training, unseen and synthetic rows.
fn p_values(rows: [usize; 3], draw: impl Fn(usize, &str) -> Table) -> Vec<PValues> {
    let of = |table: usize| {
        let sides = ["train", "holdout", "fresh"].map(|side| format!("{side} by chance {table}"));
        let [train, holdout, fresh] = [0, 1, 2].map(|side: usize| draw(rows[side], &sides[side]));
        let scores = chosen(&["privacy", "attacks"], [&train, &holdout, &fresh]);
        let wide = scores.into_iter().filter(|score| score.columns.is_empty());
        wide.filter_map(|score| Some((score.name, score.p_value?))).collect()
    };
    (0..TABLES).map(of).collect()
}

/// So many scores at least, none of which finds too many leaks, nor all of them together.
fn check(tables: &[PValues], scores: usize) {
    let mut names: Vec<&String> = tables.iter().flat_map(BTreeMap::keys).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= scores, "{names:?}");
    let (mut surprising, mut all) = (0, 0);
    for name in &names {
        let values: Vec<f64> = tables.iter().filter_map(|own| own.get(*name).copied()).collect();
        let low = values.iter().filter(|p| **p <= 0.025).count();
        // 1.5 of 60 are expected; six or more are chance once in 200 times.
        assert!(low < 6, "{name}: {low} of {}", values.len());
        (surprising, all) = (surprising + low, all + values.len());
    }
    let share = surprising as f64 / all as f64;
    assert!(share < 0.035, "{surprising} of {all}");
    // A table whose best of all scores has a p-value as small is rarer still.
    let clear = |own: &&PValues| own.values().any(|p| p * own.len() as f64 <= 0.01);
    let clear = tables.iter().filter(clear).count();
    assert!(clear <= 2, "{clear} of {TABLES}");
}

#[test]
fn fresh_people_look_like_a_leak_once_in_forty() {
    let tables = p_values([500, 300, 400], people);
    check(&tables, 30);
    let faint = tables.iter().filter(|own| own.values().any(|p| *p <= 0.025)).count();
    assert!((10..35).contains(&faint), "{faint} of {TABLES}");
}

/// Many training rows in few columns beside few unseen ones: which of these are searched decides.
#[test]
fn few_unseen_rows_in_two_columns() {
    let draw = |rows: usize, purpose: &str| {
        let mut rng = Seed(12).stream(purpose);
        let specs = ["x", "y"].map(|name| ColumnSpec::number(name, None));
        let schema = Schema::new(specs.to_vec()).expect("the schema is sound");
        let mut cells = || (0..rows).map(|_| rng.random::<f64>().ln().abs()).collect();
        let columns = vec![Column::Numbers(cells()), Column::Numbers(cells())];
        Table::new(schema, columns).expect("the cells obey the schema")
    };
    check(&p_values([1_500, 80, 500], draw), 15);
}

/// Rows that recur: equal ones stand together on either side.
#[test]
fn rows_of_few_categories() {
    let draw = |rows: usize, purpose: &str| {
        let mut rng: Rng = Seed(13).stream(purpose);
        let levels = || (0..4).map(|level| format!("l{level}"));
        let specs = ["a", "b", "c", "d", "e"].map(|name| ColumnSpec::category(name, levels()));
        let schema = Schema::new(specs.to_vec()).expect("the schema is sound");
        let mut cells = || (0..rows).map(|_| rng.random_range(0..4)).collect();
        let columns = specs.iter().map(|_| Column::Codes(cells())).collect();
        Table::new(schema, columns).expect("the cells obey the schema")
    };
    check(&p_values([600, 1_200, 600], draw), 10);
}
