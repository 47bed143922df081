//! Metrics of synthetic tables: fidelity, utility, likelihood, privacy.
//!
//! Every score has a value or a reason, says what is better, and stands beside its reference: the
//! same metric with real holdout rows in place of the synthetic ones. Bins, ranges and encoders are
//! fitted on training rows, never on synthetic ones. Identifiers and free text are left out. The
//! crate does no input or output.

mod fidelity;
mod learners;
mod likelihood;
mod parallel;
mod privacy;
mod score;
mod tables;
mod truth;
mod utility;

use meg_core::{Error, Event, Observer, Phase, Result, Seed, Table};
pub use score::{Goal, Score, Status};
use std::fmt::Debug;
pub use truth::{Family, Modes, Refit, Truth};

/// The only place where training rows and holdout rows meet.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// Rows that the generator was fitted on.
    pub train: &'a Table,
    /// Real rows that the generator never saw.
    pub holdout: Option<&'a Table>,
    /// Rows that the generator made.
    pub synthetic: &'a Table,
    /// The law that the real rows were drawn from, if they were simulated.
    pub truth: Option<&'a dyn Truth>,
    /// Seed of every random step.
    pub seed: Seed,
    /// Threads to use; results do not depend on it.
    pub threads: usize,
}

/// A metric. A metric may give several scores: the table-wide one first, then columns or pairs.
///
/// Metrics that share their work (all distances to the nearest row, say) are one `Metric` that
/// gives scores of several names.
pub trait Metric: Debug + Send + Sync {
    /// Name of the table-wide score.
    fn name(&self) -> &'static str;

    /// Names of all scores it gives, [`Metric::name`] first.
    fn names(&self) -> Vec<&'static str> {
        vec![self.name()]
    }

    /// What it measures, in one sentence.
    fn about(&self) -> &'static str;

    /// Computes the scores; a failure is a score with a reason. The schemas of the tables are
    /// equal: [`evaluate`] has checked them.
    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score>;
}

/// All metrics, in report order.
pub const METRICS: &[&dyn Metric] = &[
    &fidelity::Shape,
    &fidelity::MissingSimilarity,
    &fidelity::Trend,
    &utility::TREE,
    &utility::LOGISTIC,
    &likelihood::Fitness,
    &likelihood::Oracle,
    &privacy::NearestRows,
];

/// Runs all metrics, with one observer step after each. An observer that asks to finish gets the
/// scores so far.
///
/// # Errors
/// When the schemas differ or the observer interrupts.
pub fn evaluate(comparison: &Comparison<'_>, observer: &mut dyn Observer) -> Result<Vec<Score>> {
    check_schemas(comparison)?;
    let phase = Phase::Evaluate;
    observer.event(&Event::Start { phase, total: Some(METRICS.len() as u64) });
    let mut scores = Vec::new();
    for (done, metric) in METRICS.iter().enumerate() {
        scores.extend(metric.score(comparison));
        if !observer.step(phase, done as u64 + 1, &[])? {
            break;
        }
    }
    observer.event(&Event::End { phase });
    Ok(scores)
}

/// Equal schemas are what allows every metric to compare categories by their codes.
fn check_schemas(comparison: &Comparison<'_>) -> Result<()> {
    let train = comparison.train.schema();
    let others = [("synthetic", Some(comparison.synthetic)), ("holdout", comparison.holdout)];
    for (rows, table) in others {
        let Some(schema) = table.map(Table::schema).filter(|schema| *schema != train) else {
            continue;
        };
        let differing = train
            .columns
            .iter()
            .zip(&schema.columns)
            .find(|(a, b)| a != b)
            .map_or("the number of columns".to_owned(), |(a, _)| format!("column {:?}", a.name));
        return Err(Error::data(format!(
            "the {rows} rows have another schema than the training rows ({differing} differs)"
        )));
    }
    Ok(())
}
