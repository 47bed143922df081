use crate::{
    Comparison, Group, Metric, Score,
    learners::{Binning, Boosting, features::Features},
    numbers::mean_and_sd,
    score::{Gap, Goal, Kind, Reading},
    tables::{is_modelled, subsample},
};
use meg_core::Table;

const R2: [Kind; 2] = [explained("tstr_boost_r2"), explained("trtr_boost_r2")];
const RMSE: [Kind; 2] = [Kind::unbounded("tstr_boost_rmse"), Kind::unbounded("trtr_boost_rmse")];

/// Rows to learn from at most.
const MOST_ROWS: usize = 100_000;

const fn explained(name: &'static str) -> Kind {
    Kind { name, goal: Goal::Maximize, range: [None, Some(1.0)] }
}

/// Train boosted trees to predict a number target on synthetic rows, test them on holdout rows, beside
/// the same trained on the real training rows, which is the reference.
///
/// `r2`: one minus the mean squared error over the variance of the holdout targets; at most 1, higher
/// is better, 0 for the mean, below 0 for worse. `rmse`: the root of the mean squared error in standard
/// deviations of the training targets; from 0 up, lower is better. Rows whose target is missing are
/// left out. Skipped without a number target or without holdout rows; undefined where the target of
/// the training or holdout rows does not vary or no row has one.
#[derive(Debug)]
pub(crate) struct Regression;

impl Metric for Regression {
    fn name(&self) -> &'static str {
        R2[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        R2.iter().chain(&RMSE).map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How well boosted trees trained on synthetic rows predict the number target of holdout rows, beside ones trained on real rows."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let task = Task::new(comparison);
        let run = |source: &Table| -> Result<[f64; 2], Gap> {
            task.as_ref().map_err(Clone::clone)?.run(source, comparison)
        };
        let ours = match comparison.synthetic.rows() {
            0 => Err(Gap::undefined("there is no synthetic row")),
            _ => run(comparison.synthetic),
        };
        let theirs = run(comparison.train);
        let rows = comparison.train.rows();
        let mut scores = Vec::new();
        for (at, kinds) in [R2, RMSE].iter().enumerate() {
            let value = |run: &Result<[f64; 2], Gap>| run.clone().map(|values| values[at]);
            let reading = Reading::new(value(&ours), rows, comparison.synthetic.rows());
            let reference = value(&theirs).ok();
            scores.push(Score::new(&kinds[0], &[], reading).with_reference(reference));
            scores.push(Score::new(&kinds[1], &[], Reading::new(value(&theirs), rows, 0)));
        }
        scores
    }
}

/// Everything but the rows to learn from.
struct Task<'a> {
    target: usize,
    columns: Vec<usize>,
    holdout: &'a Table,
    rows: Vec<usize>,
    /// Of the training targets, by which targets are scaled.
    mean: f64,
    sd: f64,
}

impl<'a> Task<'a> {
    fn new(comparison: &Comparison<'a>) -> Result<Self, Gap> {
        let train = comparison.train;
        let schema = train.schema();
        let target = schema.target().ok_or_else(|| Gap::skipped("no column is the target"))?;
        let spec = &schema.columns[target];
        if !spec.is_numeric() {
            return Err(Gap::skipped(format!("the target {:?} is not a number", spec.name)));
        }
        let holdout =
            comparison.holdout.ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let rows = labelled(holdout, target);
        let observed: Vec<f64> =
            labelled(train, target).iter().map(|&row| train.numbers(target)[row]).collect();
        if rows.is_empty() || observed.is_empty() {
            return Err(Gap::undefined("no holdout row or no training row has a target"));
        }
        let (mean, sd) = mean_and_sd(&observed);
        let varies = observed.iter().any(|cell| *cell != observed[0]);
        if !varies || !mean.is_finite() || !sd.is_finite() || sd == 0.0 {
            return Err(Gap::undefined(
                "the target of the training rows does not vary, or overflows",
            ));
        }
        let columns: Vec<usize> = (0..schema.columns.len())
            .filter(|&at| at != target && is_modelled(train, at))
            .collect();
        if Features::fit(train, Some(target)).columns().is_empty() {
            return Err(Gap::undefined("no feature varies in the training rows"));
        }
        Ok(Self { target, columns, holdout, rows, mean, sd })
    }

    fn run(&self, source: &Table, comparison: &Comparison<'_>) -> Result<[f64; 2], Gap> {
        let all = labelled(source, self.target);
        if all.is_empty() {
            return Err(Gap::undefined("no row to learn from has a target"));
        }
        let chosen = subsample(all.len(), MOST_ROWS, comparison.seed, "learner rows");
        let rows: Vec<usize> = chosen.into_iter().map(|at| all[at]).collect();
        let scaled = |table: &Table, rows: &[usize]| -> Vec<f64> {
            let cells = table.numbers(self.target);
            // One absurd synthetic number must not overflow the learner.
            rows.iter().map(|&row| ((cells[row] - self.mean) / self.sd).clamp(-1e6, 1e6)).collect()
        };
        let lesson = [(source, &rows[..])];
        let binning = Binning::fit(&lesson, &self.columns);
        let model = Boosting::usual(comparison.threads)
            .fit_numbers(&binning.apply(&lesson), &scaled(source, &rows));
        let guesses = model.scores(&binning.apply(&[(self.holdout, &self.rows)]));
        let truth = scaled(self.holdout, &self.rows);
        let squares: f64 = guesses.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum();
        let error = squares / truth.len() as f64;
        let variance = mean_and_sd(&truth).1.powi(2);
        if variance == 0.0 {
            return Err(Gap::undefined("the target of the holdout rows does not vary"));
        }
        Ok([1.0 - error / variance, error.sqrt()])
    }
}

/// The rows that have a target.
fn labelled(table: &Table, target: usize) -> Vec<usize> {
    let cells = table.numbers(target);
    (0..table.rows()).filter(|&row| !cells[row].is_nan()).collect()
}
