use super::{
    learner::Learner,
    numbers::{NumberTask, Regressor},
    task::{AUC, Rules, Task, target},
};
use crate::{
    Comparison, Group, Metric, Score,
    learners::{Perceptron, Vote, logistic::Fit},
    parallel,
    score::{Gap, Goal, Kind, Reading},
    statistics::kendall,
    tables::{at_most, shuffle_front},
};
use meg_core::Table;

const KIND: Kind =
    Kind { name: "learner_agreement", goal: Goal::Maximize, range: [Some(-1.0), Some(1.0)] };

/// Rows to learn from at most.
const MOST_ROWS: usize = 5_000;

/// Rows to learn from at least.
const LEAST_ROWS: usize = 20;

const LEARNERS: [(&str, Learner); 8] = [
    ("tree", Learner::Tree(15)),
    ("logistic", Learner::Logistic(Fit::USUAL)),
    ("boost", Learner::Boost),
    ("forest", Learner::Forest),
    ("adaboost", Learner::AdaBoost(Vote::Class)),
    ("mlp", Learner::Perceptron(Perceptron::USUAL)),
    ("neighbours", Learner::Neighbours),
    ("bayes", Learner::Bayes),
];

const REGRESSORS: [(&str, Regressor); 5] = [
    ("boost", Regressor::Boost),
    ("linear", Regressor::Linear),
    ("tree", Regressor::Tree(15)),
    ("forest", Regressor::Forest),
    ("mlp", Regressor::Perceptron(Perceptron::USUAL)),
];

/// Whoever chooses a learner by synthetic rows, does he choose the one that real rows would?
///
/// Kendall's tau-b (1945) between how well the learners predict holdout rows when they learn from
/// synthetic rows and when they learn from real ones: by AUC of a category (eight learners), by R² of a
/// number (five). In -1..=1, higher is better; 1 is the same order. Learners that are nearly equal
/// change places by chance, so that fresh rows do not reach 1 either: the real rows are one random
/// half of the training rows, the reference is the tau of the other half with it, and each of the
/// three learns from as many rows, 5 000 at most. Undefined with fewer than 20 rows, where a learner
/// has no value and where all are equally good; skipped as the `tstr` scores.
///
/// Source: rank agreement of models, asked of synthetic tables by Jordon et al. (2018, "measuring the
/// quality of synthetic data for use in competitions").
#[derive(Debug)]
pub(crate) struct Agreement;

impl Metric for Agreement {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn about(&self) -> &'static str {
        "Whether learners that learn from synthetic rows come in the order that they have when they learn from real rows."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let rows = (comparison.train.rows(), comparison.synthetic.rows());
        vec![match compare(comparison) {
            Ok(found) => {
                let reading = Reading::new(found.synthetic, found.rows, found.rows);
                Score::new(&KIND, &[], reading.note(Some(found.note)))
                    .with_reference(found.real.ok())
            }
            Err(gap) => Score::new(&KIND, &[], Reading::new(Err(gap), rows.0, rows.1)),
        }]
    }
}

/// How the orders agree with that of one half of the training rows.
struct Found {
    synthetic: Result<f64, Gap>,
    /// Of the other half.
    real: Result<f64, Gap>,
    /// Rows that each learned from.
    rows: usize,
    note: String,
}

fn compare(comparison: &Comparison<'_>) -> Result<Found, Gap> {
    let Comparison { train, synthetic, seed, .. } = *comparison;
    if synthetic.rows() == 0 {
        return Err(Gap::undefined("there is no synthetic row"));
    }
    let learners = Learners::new(comparison)?;
    let rows = (train.rows() / 2).min(synthetic.rows()).min(MOST_ROWS);
    if rows < LEAST_ROWS {
        return Err(Gap::undefined(format!(
            "{rows} rows to learn from are too few; {LEAST_ROWS} are needed"
        )));
    }
    let mut order: Vec<usize> = (0..train.rows()).collect();
    shuffle_front(&mut order, 2 * rows, &mut seed.stream("agreement training rows"));
    let halves = [&order[..rows], &order[rows..2 * rows]].map(|rows| train.select_rows(rows));
    let sample = at_most(synthetic, rows, seed, "agreement synthetic rows");
    let [real, other, ours] =
        learners.values([&halves[0], &halves[1], &sample], comparison.threads);
    let real = real?;
    let names = learners.names();
    let agree = |own: Result<Vec<f64>, Gap>| {
        kendall(&real, &own?).ok_or_else(|| Gap::undefined("all learners are equally good"))
    };
    let note = match &ours {
        Ok(ours) => format!(
            "learning from {rows} real rows: {}; from as many synthetic ones: {}",
            in_order(&names, &real),
            in_order(&names, ours)
        ),
        Err(_) => String::new(),
    };
    Ok(Found { synthetic: agree(ours), real: agree(other), rows, note })
}

/// The names, the best first.
fn in_order(names: &[&str], values: &[f64]) -> String {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let named = order.iter().map(|&at| format!("{} {:.3}", names[at], values[at]));
    named.collect::<Vec<_>>().join(", ")
}

enum Learners<'a> {
    OfClasses(Box<Task<'a>>),
    OfNumbers(Box<NumberTask<'a>>),
}

impl<'a> Learners<'a> {
    fn new(comparison: &Comparison<'a>) -> Result<Self, Gap> {
        let target = target(comparison)?;
        match comparison.train.schema().columns[target].is_numeric() {
            true => NumberTask::with(comparison, comparison.holdout, target, Rules::USUAL)
                .map(|task| Self::OfNumbers(Box::new(task))),
            false => Task::with(comparison, comparison.holdout, target, Rules::USUAL)
                .map(|task| Self::OfClasses(Box::new(task))),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        match self {
            Self::OfClasses(_) => LEARNERS.iter().map(|(name, _)| *name).collect(),
            Self::OfNumbers(_) => REGRESSORS.iter().map(|(name, _)| *name).collect(),
        }
    }

    /// How good each learner is that learned from each of these tables.
    fn values(&self, sources: [&Table; 3], threads: usize) -> [Result<Vec<f64>, Gap>; 3] {
        let names = self.names();
        let one = |job: usize| {
            let (source, learner) = (sources[job / names.len()], job % names.len());
            let reading = match self {
                Self::OfClasses(task) => task.run(LEARNERS[learner].1, source).value(task, AUC),
                Self::OfNumbers(task) => {
                    task.run(REGRESSORS[learner].1, source).value(|error| error.r2)
                }
            };
            reading
                .value
                .map_err(|gap| Gap { reason: format!("{}: {}", names[learner], gap.reason), ..gap })
        };
        let mut all = parallel::map(threads, sources.len() * names.len(), one).into_iter();
        [0; 3].map(|_| all.by_ref().take(names.len()).collect())
    }
}
