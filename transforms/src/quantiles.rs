//! Quantiles as numpy computes them, and a sketch of a distribution made of them.

use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Summaries of a column that are saved have at most this many points for so many cells: every point
/// then stands for five cells at least, and neither a cell nor a small group of them can be read off.
pub(crate) fn a_fifth(cells: usize) -> usize {
    cells / 5
}

/// The values in ascending order.
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The quantile of sorted values, linear between neighbours: numpy's default, to the last digit.
///
/// # Panics
/// When there is no value.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor();
    let low = sorted[below as usize];
    let high = sorted[(below as usize + 1).min(sorted.len() - 1)];
    between(low, high, place - below)
}

/// The value at a share of the way from `low` to `high`, from the nearer end as numpy has it.
pub(crate) fn between(low: f64, high: f64, share: f64) -> f64 {
    let gap = high - low;
    if !gap.is_finite() {
        return low * (1.0 - share) + high * share;
    }
    if share >= 0.5 { high - gap * (1.0 - share) } else { low + gap * share }
}

/// A distribution as a few quantiles, enough to draw from it.
///
/// There are at most [`a_fifth`] as many points as values. The outermost points are inner quantiles:
/// the smallest and the largest value belong to a row each, and are not kept. Draws therefore stay
/// between them; half a point's share on each side is drawn a little nearer to the middle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sketch {
    points: Vec<f64>,
}

impl Sketch {
    /// Quantiles of sorted values, at most `most` of them, at the middles of as many equal shares.
    /// Fewer than ten values leave the sketch empty.
    pub(crate) fn of(sorted: &[f64], most: usize) -> Self {
        let count = most.min(a_fifth(sorted.len()));
        if count < 2 {
            return Self { points: Vec::new() };
        }
        let middle = |at: usize| (at as f64 + 0.5) / count as f64;
        Self { points: (0..count).map(|at| quantile(sorted, middle(at))).collect() }
    }

    /// A draw, or nothing from an empty sketch.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<f64> {
        (!self.points.is_empty()).then(|| quantile(&self.points, rng.random()))
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.points.is_sorted() && self.points.iter().all(|point| point.is_finite())
    }
}
