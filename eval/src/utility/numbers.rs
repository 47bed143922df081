//! Predicting a number.

use super::task::{Rules, most_rows};
use crate::{
    Comparison,
    learners::{
        Binning, Boosting, Goal, Perceptron, decision,
        features::{Design, Features},
        forest, linear,
    },
    numbers::mean_and_sd,
    score::{Gap, Reading},
    tables::{is_modelled, subsample},
};
use meg_core::{Seed, Table};

/// Scaled targets are cut here: one absurd synthetic number must not overflow a learner.
const LIMIT: f64 = 1e6;

/// A learner of numbers with its settings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Regressor {
    Boost,
    Linear,
    /// A decision tree with so many splits to the deepest leaf.
    Tree(usize),
    Forest,
    Perceptron(Perceptron),
}

/// What is predicted of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// Standard deviations of the training targets from their mean.
    Standard { mean: f64, sd: f64 },
    /// `ln(x)` with x cut to 1 and 20 000, as the CTGAN paper has it.
    Logarithm,
}

impl Scale {
    fn apply(self, cell: f64) -> f64 {
        match self {
            Self::Standard { mean, sd } => ((cell - mean) / sd).clamp(-LIMIT, LIMIT),
            Self::Logarithm => cell.clamp(1.0, 20_000.0).ln(),
        }
    }
}

/// Everything but the rows to learn from.
#[derive(Debug)]
pub(super) struct NumberTask<'a> {
    target: usize,
    columns: Vec<usize>,
    features: Features,
    holdout: &'a Table,
    rows: Vec<usize>,
    test: Design,
    truth: Vec<f64>,
    scale: Scale,
    rules: Rules,
    seed: Seed,
    threads: usize,
}

/// How well targets were predicted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Error {
    /// One minus the mean squared error over the variance of the targets.
    pub(super) r2: f64,
    /// The root of the mean squared error, in units of the scale.
    pub(super) rmse: f64,
}

/// The error of a learner, or why there is none, and the rows it learned from.
#[derive(Debug, Clone)]
pub(super) struct NumberRun {
    pub(super) error: Result<Error, Gap>,
    rows: usize,
    note: Option<String>,
}

impl NumberRun {
    pub(super) fn value(&self, pick: fn(&Error) -> f64) -> Reading {
        let value = self.error.as_ref().map(pick).map_err(Clone::clone);
        Reading::new(value, self.rows, 0).note(self.note.clone())
    }
}

impl<'a> NumberTask<'a> {
    /// Predicts this column, a number, in `tested` rows.
    pub(super) fn with(
        comparison: &Comparison<'_>,
        tested: Option<&'a Table>,
        target: usize,
        rules: Rules,
    ) -> Result<Self, Gap> {
        let Comparison { train, seed, threads, .. } = *comparison;
        let spec = &train.schema().columns[target];
        if !spec.is_numeric() {
            return Err(Gap::skipped(format!("the target {:?} is not a number", spec.name)));
        }
        let holdout = tested.ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let scale = match rules.as_in_ctgan {
            true => Scale::Logarithm,
            false => standard(train, target)?,
        };
        let mut rows = labelled(holdout, target);
        if let Some(most) = rules.most_rows {
            let chosen = subsample(rows.len(), most, seed, "test rows");
            rows = chosen.into_iter().map(|at| rows[at]).collect();
        }
        if rows.is_empty() {
            return Err(Gap::undefined("no holdout row has a target"));
        }
        let cells = holdout.numbers(target);
        let truth: Vec<f64> = rows.iter().map(|&row| scale.apply(cells[row])).collect();
        if truth.iter().all(|target| *target == truth[0]) {
            return Err(Gap::undefined("the target of the holdout rows does not vary"));
        }
        let features = rules.features(train, target);
        let test = features.design(holdout, &rows);
        if test.width == 0 {
            return Err(Gap::undefined("no feature varies in the training rows"));
        }
        let columns = (0..train.columns().len())
            .filter(|&at| at != target && is_modelled(train, at))
            .collect();
        Ok(Self {
            target,
            columns,
            features,
            holdout,
            rows,
            test,
            truth,
            scale,
            rules,
            seed,
            threads,
        })
    }

    /// Learns from the rows of this table.
    pub(super) fn run(&self, regressor: Regressor, source: &Table) -> NumberRun {
        let labelled = labelled(source, self.target);
        let most = self.rules.most_rows.unwrap_or_else(|| most_rows(self.test.width, 1));
        let chosen = subsample(labelled.len(), most, self.seed, "learner rows");
        let rows: Vec<usize> = chosen.into_iter().map(|at| labelled[at]).collect();
        let mut notes = Vec::new();
        let dropped = source.rows() - labelled.len();
        if dropped > 0 {
            notes.push(format!("left out without a target: {dropped} rows to learn from"));
        }
        if rows.len() < labelled.len() {
            notes.push(format!(
                "learned from a sample of {} of {} rows",
                rows.len(),
                labelled.len()
            ));
        }
        let error = match rows.is_empty() {
            true => Err(Gap::undefined("no row to learn from has a target")),
            false => self.guesses(regressor, source, &rows).map(|guesses| self.error(&guesses)),
        };
        let note = Some(notes.join("; ")).filter(|note| !note.is_empty());
        NumberRun { error, rows: rows.len(), note }
    }

    /// The error of the mean target of this table, which is what can be said without features.
    pub(super) fn floor(&self, source: &Table) -> Result<Error, Gap> {
        let targets = self.targets(source, &labelled(source, self.target));
        if targets.is_empty() {
            return Err(Gap::undefined("no row to learn from has a target"));
        }
        let (mean, _) = mean_and_sd(&targets);
        Ok(self.error(&vec![mean; self.truth.len()]))
    }

    /// Rows that are tested on.
    pub(super) fn tested(&self) -> usize {
        self.truth.len()
    }

    fn targets(&self, table: &Table, rows: &[usize]) -> Vec<f64> {
        let cells = table.numbers(self.target);
        rows.iter().map(|&row| self.scale.apply(cells[row])).collect()
    }

    fn guesses(
        &self,
        regressor: Regressor,
        source: &Table,
        rows: &[usize],
    ) -> Result<Vec<f64>, Gap> {
        let (test, seed) = (&self.test, self.seed);
        let targets = self.targets(source, rows);
        let design = || self.features.design(source, rows);
        let guesses = match regressor {
            Regressor::Boost => {
                let lesson = [(source, rows)];
                let binning = Binning::fit(&lesson, &self.columns);
                let model =
                    Boosting::usual(self.threads).fit_numbers(&binning.apply(&lesson), &targets);
                Ok(model.scores(&binning.apply(&[(self.holdout, &self.rows)])))
            }
            Regressor::Linear => linear::predict(&design(), &targets, test),
            Regressor::Tree(depth) => {
                Ok(decision::predict_numbers(&design(), &targets, test, depth, seed))
            }
            Regressor::Forest => {
                let goal = Goal::Numbers(&targets);
                Ok(forest::predict(&design(), goal, test, seed, self.threads))
            }
            Regressor::Perceptron(network) => {
                network.predict_numbers(&design(), &targets, test, seed)
            }
        };
        guesses.map_err(Gap::failed)
    }

    fn error(&self, guesses: &[f64]) -> Error {
        let squares: f64 = guesses.iter().zip(&self.truth).map(|(a, b)| (a - b).powi(2)).sum();
        let error = squares / self.truth.len() as f64;
        let variance = mean_and_sd(&self.truth).1.powi(2);
        Error { r2: 1.0 - error / variance, rmse: error.sqrt() }
    }
}

/// The scale of the training targets.
fn standard(train: &Table, target: usize) -> Result<Scale, Gap> {
    let cells = train.numbers(target);
    let observed: Vec<f64> = labelled(train, target).iter().map(|&row| cells[row]).collect();
    if observed.is_empty() {
        return Err(Gap::undefined("no training row has a target"));
    }
    let (mean, sd) = mean_and_sd(&observed);
    let varies = observed.iter().any(|cell| *cell != observed[0]);
    if !varies || !mean.is_finite() || !sd.is_finite() || sd == 0.0 {
        return Err(Gap::undefined("the target of the training rows does not vary, or overflows"));
    }
    Ok(Scale::Standard { mean, sd })
}

/// The rows that have a target.
fn labelled(table: &Table, target: usize) -> Vec<usize> {
    let cells = table.numbers(target);
    (0..table.rows()).filter(|&row| !cells[row].is_nan()).collect()
}
