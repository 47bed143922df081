//! Quantiles as numpy computes them, and a sketch of a distribution made of them.

use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

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
/// Values are needed by the handful before a point is kept: so that a small group of rows cannot be
/// read off a saved sketch, there are at most a fifth as many points as values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sketch {
    points: Vec<f64>,
}

impl Sketch {
    /// Evenly spaced quantiles of sorted values, at most `most` of them. Fewer than ten values
    /// leave the sketch empty.
    pub(crate) fn of(sorted: &[f64], most: usize) -> Self {
        let count = most.min(sorted.len() / 5);
        if count < 2 {
            return Self { points: Vec::new() };
        }
        let step = 1.0 / (count - 1) as f64;
        Self {
            points: (0..count).map(|at| quantile(sorted, (at as f64 * step).min(1.0))).collect(),
        }
    }

    /// A draw, or nothing from an empty sketch.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<f64> {
        (!self.points.is_empty()).then(|| quantile(&self.points, rng.random()))
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.points.is_sorted() && self.points.iter().all(|point| point.is_finite())
    }
}
