use super::{
    ks::{KS_COMPLEMENT, ks_complement},
    tv::{TV_COMPLEMENT, tv_complement},
};
use crate::{
    Comparison, Group, Metric, Score,
    score::{Kind, Reading, mean},
    tables::{is_modelled, reference_rows},
};
use meg_core::{Column, Table};

const SHAPE: Kind = Kind::similarity("shape");

/// The mean over columns of `ks_complement` (numbers, datetimes) and `tv_complement` (categories).
///
/// In 0..=1, higher is better. A column for which it is undefined is left out of the mean, counted
/// and listed. It looks at one column at a time: shuffled columns score 1. Source: "column shapes"
/// of SDMetrics' quality report.
///
/// Gives `shape`, then the means of either kind of column, then each column.
#[derive(Debug)]
pub(crate) struct Shape;

impl Metric for Shape {
    fn name(&self) -> &'static str {
        SHAPE.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![SHAPE.name, KS_COMPLEMENT.name, TV_COMPLEMENT.name]
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn about(&self) -> &'static str {
        "How near the distribution of each column comes to the real one."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let (train, synthetic) = (comparison.train, comparison.synthetic);
        let ours = readings(train, synthetic);
        let theirs = reference_rows(comparison).map(|holdout| readings(train, &holdout));
        let rows = (train.rows(), synthetic.rows());
        let mut scores = Vec::new();
        for (kind, only) in
            [(&SHAPE, None), (&KS_COMPLEMENT, Some(true)), (&TV_COMPLEMENT, Some(false))]
        {
            let reference =
                theirs.as_ref().and_then(|readings| table_wide(train, readings, only, rows).ok());
            let reading = table_wide(train, &ours, only, rows);
            scores.push(Score::new(kind, &[], reading).with_reference(reference));
        }
        for (part, (at, reading)) in ours.into_iter().enumerate() {
            let spec = &train.schema().columns[at];
            let kind = if spec.is_numeric() { &KS_COMPLEMENT } else { &TV_COMPLEMENT };
            let reference = theirs.as_ref().and_then(|readings| readings[part].1.ok());
            scores.push(Score::new(kind, &[&spec.name], reading).with_reference(reference));
        }
        scores
    }
}

/// Position and reading of each column that is compared.
fn readings(train: &Table, other: &Table) -> Vec<(usize, Reading)> {
    (0..train.columns().len())
        .filter(|&at| is_modelled(train, at))
        .map(|at| {
            let reading = match (&train.columns()[at], &other.columns()[at]) {
                (Column::Numbers(real), Column::Numbers(other)) => ks_complement(real, other),
                _ => {
                    let levels = train.schema().columns[at].levels().len();
                    tv_complement(levels, train.codes(at), other.codes(at))
                }
            };
            (at, reading)
        })
        .collect()
}

/// The mean over all columns, or over those that are numeric or not.
fn table_wide(
    train: &Table,
    readings: &[(usize, Reading)],
    numeric: Option<bool>,
    rows: (usize, usize),
) -> Reading {
    let spec = |at: usize| &train.schema().columns[at];
    let chosen = readings
        .iter()
        .filter(|(at, _)| numeric.is_none_or(|numeric| spec(*at).is_numeric() == numeric))
        .map(|(at, reading)| (spec(*at).name.clone(), reading));
    mean("columns", chosen, rows)
}
