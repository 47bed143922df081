//! Metrics of synthetic tables: fidelity, utility, likelihood, privacy.
//!
//! Every score has a value or a reason, says what is better, and stands beside its reference: the
//! same metric with real holdout rows in place of the synthetic ones. Bins, ranges and encoders are
//! fitted on training rows, never on synthetic ones. Identifiers and free text are left out. The
//! crate does no input or output.

mod attacks;
mod calibration;
mod detection;
mod fidelity;
mod gower;
mod joint;
mod learners;
mod likelihood;
mod numbers;
mod parallel;
mod power;
mod privacy;
mod score;
mod sets;
mod significance;
mod spectrum;
pub mod statistics;
mod tables;
mod truth;
mod utility;
mod validity;

pub use fidelity::chi_square_p;
pub use joint::{Projection, projection};
use meg_core::{Error, Event, Observer, Phase, Result, Seed, Table};
pub use score::{Goal, Score, Status};
use std::fmt::Debug;
pub use truth::{Family, Modes, Refit, Truth};
pub use validity::{broken_rows, constraint_scores};

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

    /// Further words that choose it.
    fn words(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it measures, in one sentence.
    fn about(&self) -> &'static str;

    /// Which group of scores it belongs to.
    fn group(&self) -> Group;

    /// Whether it is computed when nobody chooses: it is cheap and tells something new.
    fn is_default(&self) -> bool {
        true
    }

    /// Computes the scores; a failure is a score with a reason. The schemas of the tables are
    /// equal: [`evaluate`] has checked them.
    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score>;
}

/// All metrics, in report order.
pub const METRICS: &[&dyn Metric] = &[
    &fidelity::Shape,
    &fidelity::Wasserstein,
    &fidelity::Divergences,
    &fidelity::Coverage,
    &fidelity::Statistics,
    &fidelity::MissingSimilarity,
    &fidelity::Trend,
    &fidelity::Dependence,
    &joint::Manifold,
    &joint::SlicedWasserstein,
    &joint::Components,
    &calibration::Positions,
    &detection::TREES,
    &detection::LOGISTIC,
    &utility::TREE,
    &utility::LOGISTIC,
    &utility::BOOST,
    &utility::FOREST,
    &utility::ADABOOST,
    &utility::MLP,
    &utility::NEIGHBOURS,
    &utility::BAYES,
    &utility::BOOST_NUMBERS,
    &utility::LINEAR,
    &utility::TREE_NUMBERS,
    &utility::FOREST_NUMBERS,
    &utility::MLP_NUMBERS,
    &utility::Floor,
    &utility::Exchange,
    &utility::Agreement,
    &utility::Global,
    &utility::CTGAN_ADULT,
    &utility::CTGAN_CENSUS,
    &utility::CTGAN_COVERTYPE,
    &utility::CTGAN_MNIST,
    &utility::CTGAN_NEWS,
    &likelihood::Fitness,
    &likelihood::Oracle,
    &privacy::NearestRows,
    &privacy::NewRows,
    &privacy::KMap,
    &privacy::Euclid,
    &privacy::Obfuscation,
    &attacks::Membership,
    &attacks::SinglingOut,
    &attacks::Linkability,
    &attacks::Inference,
    &validity::Validity,
];

/// What a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Columns and pairs of columns.
    Fidelity,
    /// All columns together.
    Joint,
    /// Whether a classifier can tell synthetic rows from real ones.
    Detection,
    /// Use in place of real rows.
    Utility,
    /// Probability under the law of simulated rows.
    Likelihood,
    /// Indicators of copying.
    Privacy,
    /// Attacks on the rows that the generator learned from.
    Attacks,
    /// Rules that hold in real rows.
    Validity,
}

impl Group {
    /// All groups, in report order.
    pub const ALL: [Self; 8] = [
        Self::Fidelity,
        Self::Joint,
        Self::Detection,
        Self::Utility,
        Self::Likelihood,
        Self::Privacy,
        Self::Attacks,
        Self::Validity,
    ];

    /// Its name in a selection of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fidelity => "fidelity",
            Self::Joint => "joint",
            Self::Detection => "detection",
            Self::Utility => "utility",
            Self::Likelihood => "likelihood",
            Self::Privacy => "privacy",
            Self::Attacks => "attacks",
            Self::Validity => "validity",
        }
    }
}

/// The metrics that these words name, in report order: `default`, `all`, a group, a set of
/// learners (`ctgan-adult`), the scores of a document's table (`meg-documentation`,
/// `meg-report`), or a score (which brings the other scores of its metric with it).
///
/// # Errors
/// A request error that names an unknown word, the known ones that are like it, and the sets.
pub fn select<S: AsRef<str>>(words: &[S]) -> Result<Vec<&'static dyn Metric>> {
    for word in words.iter().map(AsRef::as_ref) {
        if !METRICS.iter().any(|metric| is_named(*metric, word)) {
            return Err(unknown(word));
        }
    }
    let chosen = |metric: &&&dyn Metric| words.iter().any(|word| is_named(**metric, word.as_ref()));
    Ok(METRICS.iter().filter(chosen).copied().collect())
}

/// The words of [`select`] that stand for several metrics: `default`, `all`, groups and sets.
pub fn words() -> Vec<&'static str> {
    let learners = METRICS.iter().flat_map(|metric| metric.words()).copied();
    let sets = sets::SETS.iter().map(|(name, _)| *name);
    let groups = Group::ALL.into_iter().map(Group::name);
    ["default", "all"].into_iter().chain(groups).chain(sets).chain(learners).collect()
}

/// The scores are too many to list.
fn unknown(word: &str) -> Error {
    const SHOWN: usize = 5;
    let sets = words();
    let names = METRICS.iter().flat_map(|metric| metric.names());
    let all: Vec<&str> = sets.iter().copied().chain(names).collect();
    let mut alike = meg_core::nearest_few(word, all.iter().copied(), SHOWN);
    if alike.is_empty() && word.len() > 2 {
        let parts = all.iter().copied().filter(|name| name.contains(&word.to_lowercase()));
        alike = parts.take(SHOWN).collect();
    }
    let alike: Vec<String> = alike.iter().map(|name| format!("{name:?}")).collect();
    let meant = match alike.split_last() {
        None => String::new(),
        Some((only, [])) => format!("; did you mean {only}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    };
    Error::Request(format!(
        "there is no metric {word:?}{meant}\n  sets: {}\n  help: `meg metrics list` lists all scores, docs/metrics.md defines them",
        sets.join(", ")
    ))
}

fn is_named(metric: &dyn Metric, word: &str) -> bool {
    match word {
        "all" => true,
        "default" => metric.is_default(),
        _ => {
            let names = metric.names();
            metric.group().name() == word
                || metric.words().contains(&word)
                || names.contains(&word)
                || sets::members(word).iter().any(|name| names.contains(name))
        }
    }
}

/// Runs the metrics that are computed when nobody chooses. See [`evaluate_with`].
///
/// # Errors
/// When the schemas differ or the observer interrupts.
pub fn evaluate(comparison: &Comparison<'_>, observer: &mut dyn Observer) -> Result<Vec<Score>> {
    evaluate_with(&select(&["default"])?, comparison, observer)
}

/// Runs these metrics, with one observer step after each. An observer that asks to finish gets the
/// scores so far.
///
/// # Errors
/// When the schemas differ or the observer interrupts.
pub fn evaluate_with(
    metrics: &[&dyn Metric],
    comparison: &Comparison<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Score>> {
    check_schemas(comparison)?;
    let phase = Phase::Evaluate;
    observer.event(&Event::Start { phase, total: Some(metrics.len() as u64) });
    let mut scores = Vec::new();
    for (done, metric) in metrics.iter().enumerate() {
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
