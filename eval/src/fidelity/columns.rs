//! Scores of single columns, and their means.

use crate::{
    Comparison, Score, parallel,
    score::{Kind, Reading, mean_for},
    tables::{is_modelled, reference_rows},
};
use meg_core::{ColumnSpec, Table};

/// Scores of the given kinds for every column that they apply to: for each kind the mean over
/// columns first, then each column. `measure` gives one reading per kind for one column of the
/// training table and of another.
pub(crate) fn by_column(
    comparison: &Comparison<'_>,
    kinds: &[Kind],
    applies: impl Fn(&ColumnSpec) -> bool,
    measure: impl Fn(usize, &Table, &Table) -> Vec<Reading> + Sync,
) -> Vec<Score> {
    let train = comparison.train;
    let columns: Vec<usize> = (0..train.columns().len())
        .filter(|&at| is_modelled(train, at) && applies(&train.schema().columns[at]))
        .collect();
    let of = |table: &Table| {
        parallel::map(comparison.threads, columns.len(), |at| measure(columns[at], train, table))
    };
    let ours = of(comparison.synthetic);
    let theirs = reference_rows(comparison).map(|holdout| of(&holdout));
    let name = |at: usize| train.schema().columns[columns[at]].name.as_str();
    let rows = (train.rows(), comparison.synthetic.rows());
    let table_wide = |kind: usize, readings: &[Vec<Reading>]| {
        let labelled =
            readings.iter().enumerate().map(|(at, own)| (name(at).to_owned(), &own[kind]));
        mean_for(kinds[kind].goal, "columns", labelled, rows)
    };
    let mut scores = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let reference = theirs.as_ref().and_then(|theirs| table_wide(at, theirs).ok());
        scores.push(Score::new(kind, &[], table_wide(at, &ours)).with_reference(reference));
    }
    for (column, readings) in ours.into_iter().enumerate() {
        for (at, reading) in readings.into_iter().enumerate() {
            let reference = theirs.as_ref().and_then(|theirs| theirs[column][at].ok());
            let score = Score::new(&kinds[at], &[name(column)], reading);
            scores.push(score.with_reference(reference));
        }
    }
    scores
}
