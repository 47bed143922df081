//! What all metrics need of tables.

use crate::{Comparison, score::Gap};
use meg_core::{Column, Rng, Seed, Table};
use rand::Rng as _;
use std::borrow::Cow;

/// Whether the metrics look at the column. Keys and free text are never modelled, so there is
/// nothing to compare.
pub(crate) fn is_modelled(table: &Table, column: usize) -> bool {
    let spec = &table.schema().columns[column];
    spec.is_numeric() || spec.is_category()
}

/// Holdout rows in place of the synthetic ones: no more of them than there are synthetic rows,
/// because most metrics depend on the number of rows.
pub(crate) fn reference_rows<'a>(comparison: &Comparison<'a>) -> Option<Cow<'a, Table>> {
    let holdout = comparison.holdout.filter(|table| table.rows() > 0)?;
    Some(at_most(holdout, comparison.synthetic.rows(), comparison.seed, "reference rows"))
}

/// The holdout rows, where there are some, and training and synthetic rows to compare with them.
pub(crate) fn unseen_rows<'a>(comparison: &Comparison<'a>) -> Result<&'a Table, Gap> {
    if comparison.synthetic.rows() == 0 {
        return Err(Gap::undefined("there is no synthetic row"));
    }
    if comparison.train.rows() == 0 {
        return Err(Gap::undefined("there is no training row"));
    }
    let holdout = comparison.holdout.filter(|table| table.rows() > 0);
    holdout.ok_or_else(|| Gap::skipped("there are no holdout rows"))
}

/// A seeded sample of so many rows of a table; all of them when there are no more or none is
/// wanted.
pub(crate) fn at_most<'a>(
    table: &'a Table,
    wanted: usize,
    seed: Seed,
    purpose: &str,
) -> Cow<'a, Table> {
    if wanted == 0 || table.rows() <= wanted {
        return Cow::Borrowed(table);
    }
    let rows = subsample(table.rows(), wanted, seed, purpose);
    Cow::Owned(table.select_rows(&rows))
}

/// `wanted` of the positions `0..rows`, drawn without replacement, in ascending order; all of them
/// when there are no more.
pub(crate) fn subsample(rows: usize, wanted: usize, seed: Seed, purpose: &str) -> Vec<usize> {
    if wanted >= rows {
        return (0..rows).collect();
    }
    let mut positions: Vec<usize> = (0..rows).collect();
    shuffle_front(&mut positions, wanted, &mut seed.stream(purpose));
    positions.truncate(wanted);
    positions.sort_unstable();
    positions
}

/// What is equal for rows that are equal in every modelled column.
pub(crate) fn row_keys(
    table: &Table,
    rows: impl Iterator<Item = usize>,
) -> impl Iterator<Item = Vec<u64>> {
    let columns: Vec<usize> =
        (0..table.columns().len()).filter(|&at| is_modelled(table, at)).collect();
    rows.map(move |row| {
        let cell = |&at: &usize| match &table.columns()[at] {
            Column::Numbers(cells) if cells[row].is_nan() => u64::MAX,
            // A sum with 0 makes one of the two zeros.
            Column::Numbers(cells) => (cells[row] + 0.0).to_bits(),
            _ => u64::from(table.codes(at)[row]),
        };
        columns.iter().map(cell).collect()
    })
}

/// Puts a random selection of `wanted` items in random order first.
pub(crate) fn shuffle_front<T>(items: &mut [T], wanted: usize, rng: &mut Rng) {
    for front in 0..wanted.min(items.len().saturating_sub(1)) {
        let chosen = rng.random_range(front..items.len());
        items.swap(front, chosen);
    }
}
