use super::{bayes, neighbours, task::Task};
use crate::learners::{
    Binning, Boosting,
    classify::{Predictions, counts},
    decision, logistic,
};
use meg_core::{Seed, Table};

/// A classifier with its fixed settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learner {
    Tree,
    Logistic,
    Boost,
    Neighbours,
    Bayes,
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
        let design = || task.features.design(lesson.source, lesson.rows);
        match self {
            Self::Tree => {
                decision::predict(&design(), lesson.labels, &task.test, task.classes, lesson.seed)
            }
            Self::Logistic => logistic::predict(&design(), lesson.labels, &task.test, task.classes),
            Self::Boost => Ok(boost(task, lesson)),
            Self::Neighbours => Ok(neighbours::predict(task, lesson)),
            Self::Bayes => Ok(bayes::predict(task, lesson)),
        }
    }
}

fn boost(task: &Task<'_>, lesson: Lesson<'_>) -> Predictions {
    let present = counts(lesson.labels, task.classes);
    let fitted: Vec<usize> = (0..task.classes).filter(|&class| present[class] > 0).collect();
    let places: Vec<usize> =
        lesson.labels.iter().map(|label| fitted.binary_search(label).unwrap_or_default()).collect();
    let source = [(lesson.source, lesson.rows)];
    let binning = Binning::fit(&source, &task.columns);
    let model =
        Boosting::usual(lesson.threads).fit_classes(&binning.apply(&source), &places, fitted.len());
    let shares = model.probabilities(&binning.apply(&[(task.holdout, &task.rows)]));
    let mut scores = vec![0.0; task.rows.len() * task.classes];
    for (own, scores) in
        shares.chunks_exact(fitted.len()).zip(scores.chunks_exact_mut(task.classes))
    {
        fitted.iter().zip(own).for_each(|(&class, &share)| scores[class] = share);
    }
    Predictions::new(task.classes, scores)
}
