use super::{learner::Lesson, task::Task};
use crate::{
    gower::{Best, Space},
    learners::classify::Predictions,
    parallel,
};

/// Neighbours that vote.
const K: usize = 15;

/// Rows that one thread looks up at a time.
const BLOCK: usize = 64;

/// The shares of the classes among the 15 nearest rows to learn from, by Gower's distance over the
/// columns but the target with the ranges of those rows; of equally near rows the first vote.
pub(super) fn predict(task: &Task<'_>, lesson: Lesson<'_>) -> Predictions {
    let space = Space::of(lesson.source, &task.columns);
    let points = space.points(lesson.source, lesson.rows);
    let queries = space.points(task.holdout, &task.rows);
    let block = |block: usize| -> Vec<f64> {
        let from = block * BLOCK;
        let mut best = vec![Best::of(K); BLOCK.min(queries.rows() - from)];
        space.search((&queries, from), &points, 0..points.rows(), &mut best);
        let mut scores = vec![0.0; best.len() * task.classes];
        for (best, scores) in best.iter().zip(scores.chunks_exact_mut(task.classes)) {
            let voters = best.rows().count() as f64;
            best.rows().for_each(|row| scores[lesson.labels[row]] += 1.0 / voters);
        }
        scores
    };
    let blocks = queries.rows().div_ceil(BLOCK);
    let scores = parallel::map(lesson.threads, blocks, block).into_iter().flatten().collect();
    Predictions::new(task.classes, scores)
}
