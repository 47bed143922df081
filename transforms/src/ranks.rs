use crate::column::{NumberMap, Range, observed};
use crate::quantiles::{a_fifth, between, quantile, sorted};
use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::function::erf::{erfc, erfc_inv};

/// To a standard normal by ranks: the distribution function between landmarks, then the normal's
/// quantile function, as scikit-learn's `QuantileTransformer`.
///
/// Law: comes back within 1e-7 times the number of landmarks of the distance between its
/// neighbouring landmarks, because shares below 1e-7 and above 1 - 1e-7 are cut: in the outermost
/// gaps that much of a gap is lost, elsewhere only last digits. Encoded numbers lie in `[-5.2, 5.2]`;
/// numbers beyond the training range become its ends. Tied values share the middle of their ranks.
/// A constant column becomes 0.
///
/// There are at most a fifth as many landmarks as cells, so that a saved transform does not hold
/// the column. Its first and last landmark are the column's smallest and largest cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankNormal {
    /// Values at the landmarks, strictly increasing.
    values: Vec<f64>,
    /// Share of the cells below each, strictly increasing.
    shares: Vec<f64>,
}

/// Shares are kept this far from 0 and 1, as in scikit-learn.
const EDGE: f64 = 1e-7;

impl RankNormal {
    /// Fits to cells with at most `landmarks` quantiles, and at most one for every five cells beyond
    /// the two ends; NaN is missing and left out.
    ///
    /// # Errors
    /// A recipe error for fewer than 2 landmarks; a data error for an infinite cell.
    pub fn fit(cells: &[f64], landmarks: usize) -> Result<Self> {
        if landmarks < 2 {
            let problem = format!("should be at least 2, but is {landmarks}");
            return Err(Error::Recipe { key: "landmarks".into(), problem });
        }
        let cells = sorted(observed(cells)?);
        if cells.is_empty() || cells[0] == cells[cells.len() - 1] {
            let only = cells.first().copied().unwrap_or(0.0);
            return Ok(Self { values: vec![only], shares: vec![0.5] });
        }
        let last = landmarks.min(a_fifth(cells.len()).max(2)) - 1;
        let (mut values, mut shares): (Vec<f64>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
        for at in 0..=last {
            let share = at as f64 / last as f64;
            let value = quantile(&cells, share);
            match (values.last(), shares.last_mut()) {
                (Some(&known), Some(tied)) if value <= known => tied.1 = share,
                _ => {
                    values.push(value);
                    shares.push((share, share));
                }
            }
        }
        Ok(Self { values, shares: shares.into_iter().map(|(a, b)| 0.5 * (a + b)).collect() })
    }
}

/// The ordinate at `x` of the line through the points; beyond them, that of the end.
fn interpolate(x: f64, xs: &[f64], ys: &[f64]) -> f64 {
    let above = xs.partition_point(|&known| known <= x);
    if above == 0 {
        return ys[0];
    }
    if above == xs.len() {
        return ys[above - 1];
    }
    let (left, right) = (xs[above - 1], xs[above]);
    // Halves: the distance between two legal numbers may be too large for a double.
    let share = (0.5 * x - 0.5 * left) / (0.5 * right - 0.5 * left);
    between(ys[above - 1], ys[above], if share.is_finite() { share } else { 0.0 })
}

impl NumberMap for RankNormal {
    const NAME: &'static str = "the transform to normal by ranks";

    fn forward(&self, x: f64) -> f64 {
        let share = interpolate(x, &self.values, &self.shares).clamp(EDGE, 1.0 - EDGE);
        -std::f64::consts::SQRT_2 * erfc_inv(2.0 * share)
    }

    fn backward(&self, y: f64) -> f64 {
        let share = 0.5 * erfc(-y / std::f64::consts::SQRT_2);
        // What was cut at the edge came from the end, not from a little inside it. The edge itself
        // is met again only up to rounding.
        let slack = 1.0 + 1e-6;
        if share <= EDGE * slack {
            self.values[0]
        } else if share >= 1.0 - EDGE * slack {
            self.values[self.values.len() - 1]
        } else {
            interpolate(share, &self.shares, &self.values)
        }
    }

    fn range(&self) -> Range {
        Range { least: self.values[0], most: self.values[self.values.len() - 1] }
    }

    fn is_sound(&self) -> bool {
        let increasing = |xs: &[f64]| xs.windows(2).all(|pair| pair[0] < pair[1]);
        !self.values.is_empty()
            && self.values.len() == self.shares.len()
            && increasing(&self.values)
            && increasing(&self.shares)
            && self.shares.iter().all(|share| (0.0..=1.0).contains(share))
    }
}
