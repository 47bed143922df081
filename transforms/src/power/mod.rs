//! The power transform of Yeo and Johnson.

mod brent;
mod likelihood;

use crate::column::{NumberMap, Range, observed};
use likelihood::Likelihood;
use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which powers [`YeoJohnson::fit`] may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Powers {
    /// Those from which every number can be recovered. Where the likeliest power would press the
    /// largest numbers together beyond recovery, the nearest one that does not is taken.
    Reversible,
    /// All whose images are finite, as scipy's: large numbers of a column of mostly zeros may share
    /// an image, from which none of them comes back.
    All,
}

/// The power transform of Yeo and Johnson (Biometrika 2000), with the power of highest likelihood
/// under a normal, as scipy's `yeojohnson` and scikit-learn's `PowerTransformer` find it (those
/// also standardise: follow with [`crate::Standard`]).
///
/// Law: comes back within 1e-6 times one plus the number's size, for [`Powers::Reversible`].
/// Constant columns pass through unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct YeoJohnson {
    lambda: f64,
    range: Range,
}

impl YeoJohnson {
    /// Fits to cells; NaN is missing and left out.
    ///
    /// # Errors
    /// A data error for an infinite cell, and when numbers of both signs are so large that no
    /// power has finite images for all.
    pub fn fit(cells: &[f64], among: Powers) -> Result<Self> {
        let values = observed(cells)?;
        let range = Range::of(&values);
        if range.is_point() {
            return Ok(Self { lambda: 1.0, range });
        }
        let Some((low, high)) = powers(&range, among) else {
            return Err(Error::data(format!(
                "no power of Yeo and Johnson is finite for both {} and {}",
                range.least, range.most
            )));
        };
        let mut likelihood = Likelihood::new(&values);
        let lambda = brent::minimum(|lambda| likelihood.negative(lambda), low, high);
        Ok(Self { lambda, range })
    }

    /// The power; 1 leaves everything as it is.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }
}

/// Logarithms of an image stay below this: far from the largest double.
const LARGEST: f64 = 300.0;
/// `exp` of this, times the precision of a double, is what the inverse may lose: 1e-6.
const PRESSED: f64 = 22.0;
/// A power beyond this says nothing that a smaller one does not.
const EXTREME: f64 = 1e4;

/// The powers for which every number of the range has an image, and can be recovered from it.
fn powers(range: &Range, among: Powers) -> Option<(f64, f64)> {
    let pressed = match among {
        Powers::Reversible => PRESSED,
        Powers::All => f64::INFINITY,
    };
    let (mut low, mut high) = (-EXTREME, EXTREME);
    if range.most > 0.0 {
        let log = range.most.ln_1p();
        low = low.max(-pressed / log);
        high = high.min(LARGEST / log);
    }
    if range.least < 0.0 {
        let log = (-range.least).ln_1p();
        low = low.max(2.0 - LARGEST / log);
        high = high.min(2.0 + pressed / log);
    }
    (low <= high).then_some((low, high))
}

/// `((1 + x)^power - 1) / power` for a positive `x`, and the logarithm for power 0.
fn raise(x: f64, power: f64) -> f64 {
    if power == 0.0 { x.ln_1p() } else { (power * x.ln_1p()).exp_m1() / power }
}

/// The inverse of [`raise`]; not a number where there is none.
fn lower(y: f64, power: f64) -> f64 {
    if power == 0.0 { y.exp_m1() } else { ((power * y).ln_1p() / power).exp_m1() }
}

impl NumberMap for YeoJohnson {
    const NAME: &'static str = "the power transform of Yeo and Johnson";

    fn forward(&self, x: f64) -> f64 {
        match x {
            // Power 1 leaves every number as it is, to the last digit.
            _ if self.lambda == 1.0 => x,
            x if x >= 0.0 => raise(x, self.lambda),
            x => -raise(-x, 2.0 - self.lambda),
        }
    }

    fn backward(&self, y: f64) -> f64 {
        match y {
            _ if self.lambda == 1.0 => y,
            y if y >= 0.0 => lower(y, self.lambda),
            y => -lower(-y, 2.0 - self.lambda),
        }
    }

    fn range(&self) -> Range {
        self.range
    }

    fn is_sound(&self) -> bool {
        self.lambda.is_finite()
    }
}
