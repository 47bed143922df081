use super::{
    numbers::{Error, NumberTask, Regressor},
    task::{Rules, target},
};
use crate::{
    Comparison, Group, Metric, Score,
    learners::Perceptron,
    parallel,
    score::{Gap, Kind, Reading},
};

/// A metric of one learner: its word in names, its name in sentences, itself.
macro_rules! regression {
    ($word:literal, $name:literal, $regressor:expr, $is_default:literal) => {
        Regression {
            regressor: $regressor,
            about: concat!(
                "How well ",
                $name,
                " trained on synthetic rows predicts the number target of holdout rows, beside the same trained on real rows."
            ),
            is_default: $is_default,
            kinds: [
                [
                    Kind::explained(concat!("tstr_", $word, "_r2")),
                    Kind::explained(concat!("trtr_", $word, "_r2")),
                ],
                [
                    Kind::unbounded(concat!("tstr_", $word, "_rmse")),
                    Kind::unbounded(concat!("trtr_", $word, "_rmse")),
                ],
            ],
        }
    };
}

/// Boosted trees.
pub(crate) static BOOST_NUMBERS: Regression =
    regression!("boost", "boosting", Regressor::Boost, true);

/// Linear regression.
pub(crate) static LINEAR: Regression =
    regression!("linear", "linear regression", Regressor::Linear, true);

/// The decision tree.
pub(crate) static TREE_NUMBERS: Regression =
    regression!("tree", "a decision tree", Regressor::Tree(15), false);

/// The random forest.
pub(crate) static FOREST_NUMBERS: Regression =
    regression!("forest", "a random forest", Regressor::Forest, false);

/// The network with one hidden layer.
pub(crate) static MLP_NUMBERS: Regression =
    regression!("mlp", "a perceptron", Regressor::Perceptron(Perceptron::USUAL), false);

const VALUES: [fn(&Error) -> f64; 2] = [|error| error.r2, |error| error.rmse];

/// Train a learner of a number target on synthetic rows, test it on holdout rows, beside the same
/// trained on the real training rows, which is the reference.
///
/// `r2`: one minus the mean squared error over the variance of the holdout targets; at most 1, higher
/// is better, 0 for the mean, below 0 for worse. `rmse`: the root of the mean squared error in standard
/// deviations of the training targets; from 0 up, lower is better. Rows whose target is missing are
/// left out. Skipped without a number target or without holdout rows; undefined where the target of
/// the training or holdout rows does not vary or no row has one.
#[derive(Debug)]
pub(crate) struct Regression {
    regressor: Regressor,
    about: &'static str,
    is_default: bool,
    /// Per score: trained on synthetic rows, trained on real rows.
    kinds: [[Kind; 2]; 2],
}

impl Metric for Regression {
    fn name(&self) -> &'static str {
        self.kinds[0][0].name
    }

    fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().flatten().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn is_default(&self) -> bool {
        self.is_default
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, holdout, threads, .. } = *comparison;
        let task = target(comparison)
            .and_then(|target| NumberTask::with(comparison, holdout, target, Rules::USUAL));
        let task = match task {
            Ok(task) => task,
            Err(gap) => return self.without_task(&gap, comparison),
        };
        let sources = [synthetic, train];
        let runs = parallel::map(threads, 2, |source| task.run(self.regressor, sources[source]));
        let mut scores = Vec::new();
        for (kinds, value) in self.kinds.iter().zip(VALUES) {
            let [ours, theirs] = [0, 1].map(|source: usize| runs[source].value(value));
            let reference = theirs.ok();
            let rows = (task.tested(), ours.rows_real);
            let synthetic = Reading { rows_real: rows.0, rows_synthetic: rows.1, ..ours };
            scores.push(Score::new(&kinds[0], &[], synthetic).with_reference(reference));
            scores.push(Score::new(&kinds[1], &[], theirs));
        }
        scores
    }
}

impl Regression {
    fn without_task(&self, gap: &Gap, comparison: &Comparison<'_>) -> Vec<Score> {
        let rows = comparison.synthetic.rows();
        let ours = match rows {
            0 => Gap::undefined("there is no synthetic row"),
            _ => gap.clone(),
        };
        let reading =
            |gap: &Gap, rows| Reading::new(Err(gap.clone()), comparison.train.rows(), rows);
        let score = |kinds: &[Kind; 2]| {
            [
                Score::new(&kinds[0], &[], reading(&ours, rows)),
                Score::new(&kinds[1], &[], reading(gap, 0)),
            ]
        };
        self.kinds.iter().flat_map(score).collect()
    }
}
