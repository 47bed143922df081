use crate::column::{NumberMap, Range, number_error, observed};
use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The natural logarithm of the number plus a shift.
///
/// Law: comes back within 1e-12 times the sum of the sizes of number and shift: near `-shift` the
/// two cancel, and what is left has no more digits than they had. The range of the encoded column is
/// open on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Log {
    shift: f64,
    range: Range,
}

impl Log {
    /// Fits to cells, all of which must be above `-shift`; NaN is missing and left out.
    ///
    /// # Errors
    /// A data error that names the first cell without a logarithm; a recipe error for a shift that
    /// is not finite.
    pub fn fit(cells: &[f64], shift: f64) -> Result<Self> {
        if !shift.is_finite() {
            let problem = format!("should be finite, but is {shift}");
            return Err(Error::Recipe { key: "shift".into(), problem });
        }
        let values = observed(cells)?;
        if let Some(row) = cells.iter().position(|&cell| cell + shift <= 0.0) {
            let problem = format!("with a shift of {shift} the number has no logarithm");
            return Err(number_error(row, cells[row], &problem));
        }
        Ok(Self { shift, range: Range::of(&values) })
    }
}

impl NumberMap for Log {
    const NAME: &'static str = "the logarithm";

    fn forward(&self, x: f64) -> f64 {
        // `ln_1p` keeps the digits of small counts.
        if self.shift == 1.0 { x.ln_1p() } else { (x + self.shift).ln() }
    }

    fn backward(&self, y: f64) -> f64 {
        if self.shift == 1.0 { y.exp_m1() } else { y.exp() - self.shift }
    }

    fn range(&self) -> Range {
        self.range
    }

    fn is_sound(&self) -> bool {
        self.shift.is_finite()
    }
}
