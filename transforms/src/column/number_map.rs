use super::{ColumnTransform, Parts, into_numbers, number_error};
use meg_core::{Column, Error, Result, Rng};
use serde::{Deserialize, Serialize};

/// An increasing map of numbers. Every such map is a [`ColumnTransform`]: missing cells stay
/// missing, and the cells are changed in place.
pub trait NumberMap: std::fmt::Debug + Send + Sync {
    /// Name for error messages.
    const NAME: &'static str;

    /// The image of a finite number; not finite when there is none.
    fn forward(&self, x: f64) -> f64;

    /// The number with this image; not finite when there is none.
    fn backward(&self, y: f64) -> f64;

    /// Range of the training cells. A number without a preimage decodes to the nearer end.
    fn range(&self) -> Range;

    /// Whether parameters read from a file can be used.
    fn is_sound(&self) -> bool;
}

/// Smallest and largest training cell; both 0 when all cells are missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Range {
    /// The range of finite values.
    pub fn of(values: &[f64]) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.is_empty() { Self { least: 0.0, most: 0.0 } } else { Self { least, most } }
    }

    /// Whether there is but one value.
    pub fn is_point(&self) -> bool {
        self.least == self.most
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.least.is_finite() && self.most.is_finite() && self.least <= self.most
    }
}

impl<T: NumberMap> ColumnTransform for T {
    fn encode(&self, cells: Column, _rng: &mut Rng) -> Result<Parts> {
        let mut cells = into_numbers(cells)?;
        for (row, cell) in cells.iter_mut().enumerate() {
            if cell.is_nan() {
                continue;
            }
            let image = self.forward(*cell);
            if !image.is_finite() {
                let problem = format!("the number has no finite image under {}", T::NAME);
                return Err(number_error(row, *cell, &problem));
            }
            *cell = image;
        }
        Ok(Column::Numbers(cells).into())
    }

    fn decode(&self, parts: Parts, _rng: &mut Rng) -> Result<Column> {
        let mut cells = into_numbers(parts.alone()?)?;
        let range = self.range();
        let top = self.forward(range.most);
        for (row, cell) in cells.iter_mut().enumerate() {
            if cell.is_nan() {
                continue;
            }
            if cell.is_infinite() {
                return Err(number_error(row, *cell, "the encoded number is not finite"));
            }
            let number = self.backward(*cell);
            *cell = match number.is_finite() {
                true => number,
                false if *cell >= top => range.most,
                false => range.least,
            };
        }
        Ok(Column::Numbers(cells))
    }

    fn check(&self) -> Result<()> {
        if self.is_sound() && self.range().is_sound() {
            return Ok(());
        }
        Err(Error::Artifact(format!("the parameters of {} are damaged", T::NAME)))
    }
}
