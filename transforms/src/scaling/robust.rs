use super::{shrink, unit};
use crate::column::{NumberMap, Range, observed};
use crate::quantiles::{quantile, sorted};
use meg_core::Result;
use serde::{Deserialize, Serialize};

/// Median 0 and interquartile range 1, as scikit-learn's `RobustScaler`: outliers do not move it.
///
/// Law: comes back within a few units in the last place of the column's largest number. A column
/// whose quartiles are equal is only moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Robust {
    median: f64,
    spread: f64,
    range: Range,
}

impl Robust {
    /// Fits to cells; NaN is missing and left out.
    ///
    /// # Errors
    /// A data error for an infinite cell.
    pub fn fit(cells: &[f64]) -> Result<Self> {
        let values = sorted(observed(cells)?);
        let range = Range::of(&values);
        if values.is_empty() {
            return Ok(Self { median: 0.0, spread: 1.0, range });
        }
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&values, share));
        // Half the range of doubles on each side is still a spread; more is cut to the largest.
        let spread = (high - low).min(f64::MAX);
        Ok(Self { median, spread: unit(spread), range })
    }
}

impl NumberMap for Robust {
    const NAME: &'static str = "robust scaling";

    fn forward(&self, x: f64) -> f64 {
        shrink(x, self.median, self.spread)
    }

    fn backward(&self, y: f64) -> f64 {
        self.median + y * self.spread
    }

    fn range(&self) -> Range {
        self.range
    }

    fn is_sound(&self) -> bool {
        self.median.is_finite() && self.spread.is_finite() && self.spread > 0.0
    }
}
