//! Ranges of number columns: declared, or learned at a charge.

use super::mechanism::choose;
use crate::bins::{Bins, step};
use crate::coding::Coder;
use meg_core::{Column, ColumnSpec, MISSING, Rng, Table};
use std::collections::BTreeMap;

/// Numbers beyond this count as this.
const FARTHEST: f64 = 1e15;
/// How much wider each cell is than the one before it, seen from zero.
const GROWTH: f64 = 1.02;

/// The states of all columns, without a look at the rows other than by the mechanism: all levels
/// that the schema names, equal bins of declared or learned ranges, and missing where the schema
/// allows it. Spends `epsilon` on the ranges that are not declared.
pub(crate) fn coders(
    train: &Table,
    declared: &BTreeMap<String, [f64; 2]>,
    bins: usize,
    epsilon: f64,
    rng: &mut Rng,
) -> Vec<Coder> {
    let to_learn = undeclared(train, declared).count();
    // Two quantiles for each.
    let each = epsilon / (2 * to_learn).max(1) as f64;
    let coder = |(spec, column): (&ColumnSpec, &Column)| match column {
        Column::Texts(_) => Coder::Identifier,
        Column::Codes(_) => {
            let levels = 0..spec.levels().len() as u32;
            Coder::Levels { codes: levels.chain(spec.nullable.then_some(MISSING)).collect() }
        }
        Column::Numbers(cells) => {
            let [least, most] =
                declared.get(&spec.name).copied().unwrap_or_else(|| learn(spec, cells, each, rng));
            let (least, most) = (spec.snap(least), spec.snap(most));
            Coder::Bins { bins: Bins::uniform(spec, least, most, bins), missing: spec.nullable }
        }
    };
    train.iter().map(coder).collect()
}

/// The number columns of which nobody declared the range.
pub(crate) fn undeclared<'a>(
    train: &'a Table,
    declared: &'a BTreeMap<String, [f64; 2]>,
) -> impl Iterator<Item = &'a ColumnSpec> {
    train
        .schema()
        .columns
        .iter()
        .filter(|spec| spec.is_numeric() && !declared.contains_key(&spec.name))
}

/// A low and a high quantile, each by the exponential mechanism over cells that are fixed
/// beforehand: equally wide in the logarithm, on both sides of zero.
///
/// The score of a cell is minus the number of values between it and the wanted rank, which one
/// replaced row changes by 1 at most.
fn learn(spec: &ColumnSpec, cells: &[f64], epsilon: f64, rng: &mut Rng) -> [f64; 2] {
    let unit = step(spec).unwrap_or(0.0).max(1e-6);
    let half = ((FARTHEST / unit).ln_1p() / GROWTH.ln()).ceil() as usize;
    let edge = |at: usize| {
        let distance = unit * (GROWTH.powf(at.abs_diff(half) as f64) - 1.0);
        (if at < half { -distance } else { distance }).clamp(-FARTHEST, FARTHEST)
    };
    let edges: Vec<f64> = (0..=2 * half).map(edge).collect();
    let last = edges.len() - 2;
    let mut counts = vec![0u64; last + 1];
    for &cell in cells.iter().filter(|cell| !cell.is_nan()) {
        let at = edges.partition_point(|&edge| edge <= cell).saturating_sub(1).min(last);
        counts[at] += 1;
    }
    // So far from the end that a cell without values has a chance of one in a hundred, all such
    // cells together; but a quarter of the rows at most.
    let rank = 2.0 / epsilon * (100.0 * counts.len() as f64).ln();
    let rank = (rank.ceil() as u64).clamp(1, (cells.len() as u64 / 4).max(1));
    let low = choose(&distances(counts.iter().copied(), rank), 1.0, epsilon, rng);
    let high = choose(&distances(counts.iter().rev().copied(), rank), 1.0, epsilon, rng);
    let (low, high) = (low.min(last - high), low.max(last - high));
    [edges[low], edges[high + 1]]
}

/// For each cell minus the number of values between it and the value of this rank.
fn distances(counts: impl Iterator<Item = u64>, rank: u64) -> Vec<f64> {
    let mut below = 0;
    let distance = |count: u64| {
        let before = below;
        below += count;
        -(rank.saturating_sub(below).max((before + 1).saturating_sub(rank)) as f64)
    };
    counts.map(distance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn learned_ranges_hold_nearly_all_values_and_little_more() {
        let mut rng = Seed(1).stream("ranges");
        for (spec, scale, shift) in [
            (ColumnSpec::number("age", 0), 1.0, 0.0),
            (ColumnSpec::number("x", None), 0.001, -3.0),
            (ColumnSpec::number("y", 2), 1_000.0, 4e6),
        ] {
            let cells: Vec<f64> =
                (0..10_000).map(|at| spec.snap(f64::from(at % 80) * scale + shift)).collect();
            for _ in 0..20 {
                let [least, most] = learn(&spec, &cells, 0.5, &mut rng);
                let inside = cells.iter().filter(|cell| (least..=most).contains(*cell)).count();
                assert!(inside >= 9_700, "{inside} values within {least}..{most}");
                let (low, high) = (shift, shift + 80.0 * scale);
                let slack = 0.03 * (low.abs().max(high.abs())) + 1.0;
                assert!(least > low - slack && most < high + slack, "{least}..{most}");
            }
        }
    }

    #[test]
    fn one_replaced_value_changes_no_score_by_more_than_one() {
        let before = [3u64, 0, 4, 1, 0, 2];
        for (from, to) in [(0, 1), (0, 5), (2, 0), (5, 3), (3, 4)] {
            let mut after = before;
            after[from] -= 1;
            after[to] += 1;
            for rank in 1..=10 {
                let a = distances(before.into_iter(), rank);
                let b = distances(after.into_iter(), rank);
                assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1.0), "{a:?} {b:?}");
            }
        }
    }
}
