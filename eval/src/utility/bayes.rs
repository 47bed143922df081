use super::{learner::Lesson, task::Task};
use crate::{
    learners::classify::{Predictions, counts},
    numbers::mean_and_sd,
};
use meg_core::{Column, MISSING, Table};

/// Added to each count of a level.
const SMOOTHING: f64 = 1.0;

/// A class's standard deviation is not below this share of that of all rows.
const LEAST_SD: f64 = 1e-3;

/// Naive Bayes: columns are independent within a class; a number is normal, a category has its
/// shares with 1 added to each count, and missing is a level. A missing number says how often it is
/// missing and nothing else.
pub(super) fn predict(task: &Task<'_>, lesson: Lesson<'_>) -> Predictions {
    let present = counts(lesson.labels, task.classes);
    let laws: Vec<Vec<Law>> = task
        .columns
        .iter()
        .map(|&column| {
            let all = Law::of(lesson.source, column, lesson.rows, None);
            (0..task.classes)
                .map(|class| {
                    let own: Vec<usize> = lesson
                        .rows
                        .iter()
                        .zip(lesson.labels)
                        .filter(|(_, label)| **label == class)
                        .map(|(row, _)| *row)
                        .collect();
                    Law::of(lesson.source, column, &own, Some(&all))
                })
                .collect()
        })
        .collect();
    let total = lesson.labels.len() as f64;
    let mut scores = Vec::with_capacity(task.rows.len() * task.classes);
    for &row in &task.rows {
        let logarithms: Vec<f64> = (0..task.classes)
            .map(|class| {
                let prior = (present[class] as f64 / total).ln();
                let columns = laws.iter().zip(&task.columns);
                columns.fold(prior, |sum, (laws, &column)| {
                    sum + laws[class].logarithm(task.holdout, column, row)
                })
            })
            .collect();
        let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shares: Vec<f64> = logarithms.iter().map(|own| (own - most).exp()).collect();
        let sum: f64 = shares.iter().sum();
        scores.extend(shares.iter().map(|share| share / sum));
    }
    Predictions::new(task.classes, scores)
}

/// What a column does within a class.
#[derive(Debug)]
enum Law {
    Normal {
        mean: f64,
        sd: f64,
        /// Logarithms of the shares of observed and of missing cells.
        observed: f64,
        missing: f64,
    },
    /// Logarithms of the shares of levels, missing last.
    Levels(Vec<f64>),
}

impl Law {
    /// The law of these rows; `all` is that of all rows, for what a few rows do not say.
    fn of(table: &Table, column: usize, rows: &[usize], all: Option<&Self>) -> Self {
        let count = rows.len() as f64;
        let Column::Numbers(cells) = &table.columns()[column] else {
            let levels = table.schema().columns[column].levels().len();
            let mut counts = vec![SMOOTHING; levels + 1];
            let codes = table.codes(column);
            rows.iter().for_each(|&row| counts[(codes[row] as usize).min(levels)] += 1.0);
            let total = count + SMOOTHING * (levels + 1) as f64;
            return Self::Levels(counts.into_iter().map(|count| (count / total).ln()).collect());
        };
        let seen: Vec<f64> =
            rows.iter().map(|&row| cells[row]).filter(|cell| !cell.is_nan()).collect();
        let share = |count: f64| ((count + SMOOTHING) / (rows.len() as f64 + 2.0 * SMOOTHING)).ln();
        let (mean, sd) = match (seen.is_empty(), all) {
            (false, _) => mean_and_sd(&seen),
            (true, Some(Self::Normal { mean, sd, .. })) => (*mean, *sd),
            (true, _) => (0.0, 0.0),
        };
        let least = match all {
            Some(Self::Normal { sd, .. }) => LEAST_SD * sd,
            _ => 0.0,
        };
        Self::Normal {
            mean,
            sd: sd.max(least),
            observed: share(seen.len() as f64),
            missing: share(count - seen.len() as f64),
        }
    }

    fn logarithm(&self, table: &Table, column: usize, row: usize) -> f64 {
        match self {
            Self::Levels(shares) => {
                let code = table.codes(column)[row];
                shares[if code == MISSING { shares.len() - 1 } else { code as usize }]
            }
            Self::Normal { mean, sd, observed, missing } => {
                let cell = table.numbers(column)[row];
                let apart = (cell - mean) / sd;
                if cell.is_nan() {
                    *missing
                } else if apart.is_finite() && *sd > 0.0 {
                    // A cell so far away has no say: it would decide alone, and overflow.
                    observed - apart.powi(2).min(1e4) / 2.0 - sd.ln()
                } else {
                    *observed
                }
            }
        }
    }
}
