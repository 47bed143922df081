use super::{bayes, neighbours, task::Task};
use crate::learners::{
    Binning, Boosting, Goal, Perceptron, Vote, adaboost,
    classify::{Predictions, Present},
    decision, forest, logistic,
};
use meg_core::{Seed, Table};

/// A classifier with its settings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Learner {
    /// A decision tree with so many splits to the deepest leaf.
    Tree(usize),
    Forest,
    AdaBoost(Vote),
    Logistic(logistic::Fit),
    Boost,
    Neighbours,
    Bayes,
    Perceptron(Perceptron),
}

/// Rows to learn from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lesson<'a> {
    pub(super) source: &'a Table,
    pub(super) rows: &'a [usize],
    /// The class of each row; there are two at least.
    pub(super) labels: &'a [usize],
    pub(super) seed: Seed,
    pub(super) threads: usize,
}

impl Learner {
    /// Classes of the rows to test on.
    pub(super) fn predict(
        self,
        task: &Task<'_>,
        lesson: Lesson<'_>,
    ) -> Result<Predictions, String> {
        let Lesson { source, rows, labels, seed, .. } = lesson;
        let (test, classes) = (&task.test, task.classes);
        let design = || task.features.design(source, rows);
        match self {
            Self::Tree(depth) => {
                Ok(decision::predict(&design(), labels, test, classes, depth, seed))
            }
            Self::Forest => {
                let present = Present::of(labels, classes);
                let goal = Goal::Classes(&present.labels, present.classes.len());
                let shares = forest::predict(&design(), goal, test, seed, lesson.threads);
                Ok(present.spread(&shares))
            }
            Self::AdaBoost(vote) => Ok(adaboost(&design(), labels, test, classes, vote, seed)),
            Self::Logistic(fit) => logistic::predict(&design(), labels, test, classes, fit),
            Self::Boost => Ok(boost(task, lesson)),
            Self::Neighbours => Ok(neighbours::predict(task, lesson)),
            Self::Bayes => Ok(bayes::predict(task, lesson)),
            Self::Perceptron(network) => network.predict(&design(), labels, test, classes, seed),
        }
    }
}

fn boost(task: &Task<'_>, lesson: Lesson<'_>) -> Predictions {
    let present = Present::of(lesson.labels, task.classes);
    let source = [(lesson.source, lesson.rows)];
    let binning = Binning::fit(&source, &task.columns);
    let model = Boosting::usual(lesson.threads).fit_classes(
        &binning.apply(&source),
        &present.labels,
        present.classes.len(),
    );
    present.spread(&model.probabilities(&binning.apply(&[(task.holdout, &task.rows)])))
}
