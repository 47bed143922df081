//! How well each column is learned after how many steps.

use serde::{Deserialize, Serialize};

/// Nats per row by which another state must make held-out rows likelier to be kept.
const WORTH: f64 = 0.01;

/// Held-out scores by column over the steps of a training, in nats per row: lower is better.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curves {
    steps: Vec<u64>,
    /// By step and place.
    scores: Vec<Vec<f64>>,
    /// Each column is judged by its own best step, or all by their sum.
    apart: bool,
}

/// The states to keep.
#[derive(Debug, PartialEq)]
pub(crate) struct Chosen {
    /// Steps after which a state is to be kept, the one that is best for all columns first.
    pub steps: Vec<u64>,
    /// By place, the position of its state in `steps`.
    pub choice: Vec<usize>,
    /// Nats per row when each column is made by its state.
    pub score: f64,
}

impl Curves {
    /// Begins with the scores before the first step.
    pub(crate) fn new(scores: Vec<f64>, apart: bool) -> Self {
        Self { steps: vec![0], scores: vec![scores], apart }
    }

    /// The sum over all columns at the last step heard of.
    pub(crate) fn latest(&self) -> f64 {
        self.scores[self.scores.len() - 1].iter().sum()
    }

    /// Takes the scores after a step; returns by how much the best has become better.
    pub(crate) fn hear(&mut self, step: u64, scores: Vec<f64>) -> f64 {
        let before = self.best();
        self.steps.push(step);
        self.scores.push(scores);
        before - self.best()
    }

    /// Whether these curves, from a checkpoint of so many steps, can go on from where `new` begins.
    pub(crate) fn fits(&self, new: &Curves, done: u64) -> bool {
        let places = new.scores[0].len();
        self.apart == new.apart
            && self.steps.first() == Some(&0)
            && self.steps.is_sorted()
            && self.steps.iter().all(|&step| step <= done)
            && self.steps.len() == self.scores.len()
            && self.scores.iter().all(|scores| scores.len() == places)
    }

    fn best(&self) -> f64 {
        if self.apart {
            self.with(&(0..self.steps.len()).collect::<Vec<_>>())
        } else {
            self.scores.iter().map(|scores| scores.iter().sum()).fold(f64::INFINITY, f64::min)
        }
    }

    /// Nats per row when each column takes the best of these steps.
    fn with(&self, kept: &[usize]) -> f64 {
        let best = |place: usize| {
            kept.iter().map(|&at| self.scores[at][place]).fold(f64::INFINITY, f64::min)
        };
        (0..self.scores[0].len()).map(best).sum()
    }

    /// At most `most` states: first the best for all columns together, then the one that gains
    /// most, as long as it gains enough.
    pub(crate) fn choose(&self, most: usize) -> Chosen {
        let all = 0..self.steps.len();
        let mut kept: Vec<usize> = Vec::new();
        while kept.len() < most.max(1) {
            let gained = |at: usize| self.with(&[&*kept, &[at]].concat());
            let next = all.clone().min_by(|&a, &b| gained(a).total_cmp(&gained(b)));
            match next {
                Some(next) if kept.is_empty() || self.with(&kept) - gained(next) >= WORTH => {
                    kept.push(next);
                }
                _ => break,
            }
        }
        let choice = (0..self.scores[0].len()).map(|place| {
            let score = |at: usize| self.scores[kept[at]][place];
            (0..kept.len()).min_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap_or(0)
        });
        Chosen {
            choice: choice.collect(),
            score: self.with(&kept),
            steps: kept.iter().map(|&at| self.steps[at]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first column is best at once, the second one late; the third never matters.
    fn curves(apart: bool) -> (Curves, Vec<f64>) {
        let mut curves = Curves::new(vec![1.0, 3.0, 0.5], apart);
        let later = [[1.2, 1.5, 0.5], [1.6, 1.3, 0.5], [2.5, 1.0, 0.5]];
        let gains = later.iter().zip([10, 20, 30]);
        let gains = gains.map(|(scores, step)| curves.hear(step, scores.to_vec())).collect();
        (curves, gains)
    }

    #[test]
    fn each_column_takes_the_state_that_suits_it() {
        let (curves, gains) = curves(true);
        assert!(gains.iter().zip([1.5, 0.2, 0.3]).all(|(a, b)| (a - b).abs() < 1e-12), "{gains:?}");
        assert!((curves.latest() - 4.0).abs() < 1e-12);
        let one = curves.choose(1);
        assert_eq!((one.steps, one.choice), (vec![10], vec![0, 0, 0]));
        let two = curves.choose(2);
        assert_eq!((&*two.steps, &*two.choice), (&[10, 30][..], &[0, 1, 0][..]));
        assert!((two.score - 2.7).abs() < 1e-12, "{}", two.score);
        // The state before the first step is worth a fifth of a nat to the first column.
        let many = curves.choose(9);
        assert_eq!((many.steps, many.choice), (vec![10, 30, 0], vec![2, 1, 0]));
    }

    #[test]
    fn together_columns_gain_by_their_sum_alone() {
        let (_, gains) = curves(false);
        assert!(gains[0] > 1.0 && gains[1] == 0.0 && gains[2] == 0.0, "{gains:?}");
    }
}
