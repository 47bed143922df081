//! How often scores of privacy call fresh rows a leak: other training, unseen and synthetic rows each
//! time, all of one law.

use crate::{common::chosen, people::people};
use std::collections::BTreeMap;

const TABLES: usize = 60;

/// Training, unseen and synthetic rows.
const SIZES: [usize; 3] = [500, 300, 400];

/// p-values of table-wide scores of each table, by name.
fn p_values() -> Vec<BTreeMap<String, f64>> {
    let of = |table: usize| {
        let rows = ["train", "holdout", "fresh"].map(|side| format!("{side} by chance {table}"));
        let [train, holdout, fresh] = [0, 1, 2].map(|side: usize| people(SIZES[side], &rows[side]));
        let scores = chosen(&["privacy", "attacks"], [&train, &holdout, &fresh]);
        let wide = scores.into_iter().filter(|score| score.columns.is_empty());
        wide.filter_map(|score| Some((score.name, score.p_value?))).collect()
    };
    (0..TABLES).map(of).collect()
}

#[test]
fn fresh_rows_look_like_a_leak_once_in_forty() {
    let tables = p_values();
    let mut names: Vec<&String> = tables.iter().flat_map(BTreeMap::keys).collect();
    names.sort_unstable();
    names.dedup();
    let (mut surprising, mut all) = (0, 0);
    for name in &names {
        let values: Vec<f64> = tables.iter().filter_map(|own| own.get(*name).copied()).collect();
        let low = values.iter().filter(|p| **p <= 0.025).count();
        // 1.5 of 60 are expected; six or more are chance once in 200 times.
        assert!(low < 6, "{name}: {low} of {}", values.len());
        (surprising, all) = (surprising + low, all + values.len());
    }
    assert!(names.len() >= 30, "{names:?}");
    let share = surprising as f64 / all as f64;
    assert!((0.005..0.035).contains(&share), "{surprising} of {all}");
    // A table whose best of all scores has a p-value as small is rarer still.
    let clear = |own: &&BTreeMap<String, f64>| own.values().any(|p| p * own.len() as f64 <= 0.01);
    assert!(tables.iter().filter(clear).count() <= 2);
    let faint = tables.iter().filter(|own| own.values().any(|p| *p <= 0.025)).count();
    assert!((10..35).contains(&faint), "{faint} of {TABLES}");
}
