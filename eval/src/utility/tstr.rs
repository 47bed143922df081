use super::{
    learner::Learner,
    task::{ACCURACY, AUC, BALANCED, F1, LOG_LOSS, MACRO_F1, Task, Value},
};
use crate::{
    Comparison, Group, Metric, Score,
    learners::{Perceptron, Vote, logistic::Fit},
    parallel,
    score::{Gap, Kind, Reading},
};

/// A metric of one learner: its word in names, its name in sentences, itself.
macro_rules! tstr {
    ($word:literal, $name:literal, $learner:expr, $is_default:literal) => {
        Tstr {
            learner: $learner,
            about: concat!(
                "How well ",
                $name,
                " trained on synthetic rows predicts the target of holdout rows, beside one trained on real rows."
            ),
            is_default: $is_default,
            kinds: [
                both!(similarity, $word, "_auc"),
                both!(similarity, $word, "_f1"),
                both!(similarity, $word, "_macro_f1"),
                both!(similarity, $word, "_accuracy"),
                both!(similarity, $word, "_balanced"),
                both!(unbounded, $word, "_log_loss"),
            ],
        }
    };
}

/// Trained on synthetic rows, trained on real rows.
macro_rules! both {
    ($kind:ident, $word:literal, $score:literal) => {
        [Kind::$kind(concat!("tstr_", $word, $score)), Kind::$kind(concat!("trtr_", $word, $score))]
    };
}

/// The decision tree.
pub(crate) static TREE: Tstr = tstr!("tree", "a decision tree", Learner::Tree(15), true);

/// Logistic regression.
pub(crate) static LOGISTIC: Tstr =
    tstr!("logistic", "logistic regression", Learner::Logistic(Fit::USUAL), true);

/// Boosted trees.
pub(crate) static BOOST: Tstr = tstr!("boost", "boosted trees", Learner::Boost, true);

/// The random forest.
pub(crate) static FOREST: Tstr = tstr!("forest", "a random forest", Learner::Forest, false);

/// AdaBoost.
pub(crate) static ADABOOST: Tstr =
    tstr!("adaboost", "AdaBoost over stumps", Learner::AdaBoost(Vote::Class), false);

/// The network with one hidden layer.
pub(crate) static MLP: Tstr =
    tstr!("mlp", "a perceptron", Learner::Perceptron(Perceptron::USUAL), false);

/// Nearest neighbours.
pub(crate) static NEIGHBOURS: Tstr =
    tstr!("neighbours", "the nearest neighbours", Learner::Neighbours, false);

/// Naive Bayes.
pub(crate) static BAYES: Tstr = tstr!("bayes", "naive Bayes", Learner::Bayes, false);

const VALUES: [Value; 6] = [AUC, F1, MACRO_F1, ACCURACY, BALANCED, LOG_LOSS];

/// Train a classifier of the target on synthetic rows, test it on holdout rows (TSTR), beside the
/// same classifier trained on the real training rows (TRTR), which is TSTR's reference.
///
/// Scores: AUC (one against the rest), F1 of the rarer of two classes, macro F1, accuracy and
/// balanced accuracy (`balanced`), in 0..=1, higher is better; log loss in nats, from 0 up, lower is
/// better. Skipped without a category target, without holdout rows, or with more than 50 classes. Rows whose target
/// is missing are left out and counted. If the training source has one class only, the predictor is
/// that class, AUC is 0.5, and the reason says so: a collapsed target is a result. A source without
/// a usable row makes it undefined. Large sources are cut to a seeded sample that keeps the class
/// shares (see `most_rows`), and the reason says so.
///
/// Source: Esteban, Hyland and Raetsch (2017) for the name; the machine-learning efficacy of the
/// CTGAN paper (Xu et al. 2019) for the use on tables, with the depth of its tree.
#[derive(Debug)]
pub(crate) struct Tstr {
    learner: Learner,
    about: &'static str,
    is_default: bool,
    /// Per score: trained on synthetic rows, trained on real rows.
    kinds: [[Kind; 2]; 6],
}

impl Metric for Tstr {
    fn name(&self) -> &'static str {
        self.kinds[0][0].name
    }

    fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().flatten().map(|kind| kind.name).collect()
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn is_default(&self) -> bool {
        self.is_default
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let task = match Task::new(comparison, comparison.holdout) {
            Ok(task) => task,
            Err(gap) => return self.without_task(&gap, comparison),
        };
        let sources = [comparison.synthetic, comparison.train];
        let runs =
            parallel::map(comparison.threads, 2, |source| task.run(self.learner, sources[source]));
        let mut scores = Vec::new();
        for (kinds, value) in self.kinds.iter().zip(VALUES) {
            let [ours, theirs] = [0, 1].map(|source: usize| runs[source].value(&task, value));
            let tested = task.truth.len();
            let reference = theirs.value.as_ref().ok().copied();
            let synthetic = Reading { rows_synthetic: ours.rows_real, rows_real: tested, ..ours };
            scores.push(Score::new(&kinds[0], &[], synthetic).with_reference(reference));
            scores.push(Score::new(&kinds[1], &[], theirs));
        }
        scores
    }
}

impl Tstr {
    fn without_task(&self, gap: &Gap, comparison: &Comparison<'_>) -> Vec<Score> {
        let rows = [comparison.synthetic.rows(), 0];
        let score = |(kind, rows)| {
            Score::new(kind, &[], Reading::new(Err(gap.clone()), comparison.train.rows(), rows))
        };
        self.kinds.iter().flat_map(|kinds| kinds.iter().zip(rows).map(score)).collect()
    }
}
