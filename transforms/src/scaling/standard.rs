use super::{moments, shrink, unit};
use crate::column::{NumberMap, Range, observed};
use meg_core::Result;
use serde::{Deserialize, Serialize};

/// Mean 0 and population standard deviation 1, as scikit-learn's `StandardScaler`.
///
/// Law: comes back within a few units in the last place of the column's largest number. A constant
/// column becomes 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standard {
    mean: f64,
    deviation: f64,
    range: Range,
}

impl Standard {
    /// Fits to cells; NaN is missing and left out.
    ///
    /// # Errors
    /// A data error for an infinite cell.
    pub fn fit(cells: &[f64]) -> Result<Self> {
        let values = observed(cells)?;
        let (mean, deviation) = moments(&values);
        Ok(Self { mean, deviation: unit(deviation), range: Range::of(&values) })
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation, or 1 for a constant column.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }
}

impl NumberMap for Standard {
    const NAME: &'static str = "standardising";

    fn forward(&self, x: f64) -> f64 {
        shrink(x, self.mean, self.deviation)
    }

    fn backward(&self, y: f64) -> f64 {
        self.mean + y * self.deviation
    }

    fn range(&self) -> Range {
        self.range
    }

    fn is_sound(&self) -> bool {
        self.mean.is_finite() && self.deviation.is_finite() && self.deviation > 0.0
    }
}
