use super::{
    learner::Learner,
    task::{Task, Value},
};
use crate::{
    Comparison, Group, Metric, Score,
    learners::classify::Predictions,
    parallel,
    score::{Gap, Kind, Reading},
};

/// The scores of one learner, trained on synthetic and on real rows.
macro_rules! kinds {
    ($learner:literal) => {
        [
            [
                Kind::similarity(concat!("tstr_", $learner, "_auc")),
                Kind::similarity(concat!("trtr_", $learner, "_auc")),
            ],
            [
                Kind::similarity(concat!("tstr_", $learner, "_macro_f1")),
                Kind::similarity(concat!("trtr_", $learner, "_macro_f1")),
            ],
            [
                Kind::similarity(concat!("tstr_", $learner, "_accuracy")),
                Kind::similarity(concat!("trtr_", $learner, "_accuracy")),
            ],
            [
                Kind::similarity(concat!("tstr_", $learner, "_balanced")),
                Kind::similarity(concat!("trtr_", $learner, "_balanced")),
            ],
            [
                Kind::unbounded(concat!("tstr_", $learner, "_log_loss")),
                Kind::unbounded(concat!("trtr_", $learner, "_log_loss")),
            ],
        ]
    };
}

macro_rules! about {
    ($learner:literal) => {
        concat!(
            "How well ",
            $learner,
            " trained on synthetic rows predicts the target of holdout rows, beside one trained on real rows."
        )
    };
}

/// The decision tree.
pub(crate) static TREE: Tstr = Tstr { learner: Learner::Tree, kinds: kinds!("tree") };

/// Logistic regression.
pub(crate) static LOGISTIC: Tstr = Tstr { learner: Learner::Logistic, kinds: kinds!("logistic") };

/// Boosted trees.
pub(crate) static BOOST: Tstr = Tstr { learner: Learner::Boost, kinds: kinds!("boost") };

/// Nearest neighbours.
pub(crate) static NEIGHBOURS: Tstr =
    Tstr { learner: Learner::Neighbours, kinds: kinds!("neighbours") };

/// Naive Bayes.
pub(crate) static BAYES: Tstr = Tstr { learner: Learner::Bayes, kinds: kinds!("bayes") };

const VALUES: [Value; 5] = [
    Predictions::auc,
    Predictions::macro_f1,
    Predictions::accuracy,
    Predictions::balanced_accuracy,
    Predictions::log_loss,
];

/// Train a classifier of the target on synthetic rows, test it on holdout rows (TSTR), beside the
/// same classifier trained on the real training rows (TRTR), which is TSTR's reference.
///
/// Scores: AUC (one against the rest), macro F1, accuracy and balanced accuracy (`balanced`), in
/// 0..=1, higher is better; log loss in nats, from 0 up, lower is better. Skipped
/// without a category target, without holdout rows, or with more than 50 classes. Rows whose target
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
    /// Per score: trained on synthetic rows, trained on real rows.
    kinds: [[Kind; 2]; 5],
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
        match self.learner {
            Learner::Tree => about!("a decision tree"),
            Learner::Logistic => about!("logistic regression"),
            Learner::Boost => about!("boosted trees"),
            Learner::Neighbours => about!("the nearest neighbours"),
            Learner::Bayes => about!("naive Bayes"),
        }
    }

    fn is_default(&self) -> bool {
        matches!(self.learner, Learner::Tree | Learner::Logistic | Learner::Boost)
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let task = match Task::new(comparison, comparison.holdout) {
            Ok(task) => task,
            Err(gap) => return self.without_task(&gap, comparison),
        };
        let sources = [comparison.synthetic, comparison.train];
        let [ours, theirs] =
            &parallel::map(comparison.threads, 2, |source| task.run(self.learner, sources[source]))
                [..]
        else {
            return Vec::new();
        };
        let mut scores = Vec::new();
        for (kinds, value) in self.kinds.iter().zip(VALUES) {
            let [ours, theirs] = [ours, theirs].map(|run| run.value(&task, value));
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
