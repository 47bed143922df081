use super::{shrink, unit};
use crate::column::{NumberMap, Range, observed};
use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The training range onto `[low, high]`, as scikit-learn's `MinMaxScaler`.
///
/// Law: training cells land in `[low, high]`, both ends hit, and come back within a few units in
/// the last place of the column's largest number. A constant column becomes `low`, and so does one
/// whose range is below the smallest normal double.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MinMax {
    low: f64,
    high: f64,
    range: Range,
}

impl MinMax {
    /// Fits to cells; NaN is missing and left out.
    ///
    /// # Errors
    /// A recipe error when `low` is not below `high`; a data error for an infinite cell.
    pub fn fit(cells: &[f64], low: f64, high: f64) -> Result<Self> {
        if !(low < high && (high - low).is_finite()) {
            let problem = format!("should be below `high`, but is {low} beside {high}");
            return Err(Error::Recipe { key: "low".into(), problem });
        }
        Ok(Self { low, high, range: Range::of(&observed(cells)?) })
    }

    /// Half the width of the training range: the whole may be too large for a double.
    fn half(&self) -> f64 {
        0.5 * self.range.most - 0.5 * self.range.least
    }
}

impl NumberMap for MinMax {
    const NAME: &'static str = "min-max scaling";

    fn forward(&self, x: f64) -> f64 {
        let Range { least, most } = self.range;
        let width = unit(2.0 * self.half());
        let share = if width.is_finite() {
            shrink(x, least, width)
        } else {
            (0.5 * x - 0.5 * least) / self.half()
        };
        let image = self.low + share * (self.high - self.low);
        if least <= x && x <= most { image.clamp(self.low, self.high) } else { image }
    }

    fn backward(&self, y: f64) -> f64 {
        let share = (y - self.low) / (self.high - self.low);
        let width = 2.0 * self.half();
        if width >= f64::MIN_POSITIVE && width.is_finite() {
            self.range.least + share * width
        } else if width.is_finite() {
            self.range.least + share
        } else {
            (self.range.least + share * self.half()) + share * self.half()
        }
    }

    fn range(&self) -> Range {
        self.range
    }

    fn is_sound(&self) -> bool {
        self.low < self.high && (self.high - self.low).is_finite()
    }
}
