use super::soft_modes::join_modes;
use crate::ModeNormalizer;
use crate::column::{ColumnTransform, Parts, Range, into_numbers, number_error, observed};
use meg_core::{Column, Error, MISSING, Result, Rng};
use serde::{Deserialize, Serialize};

/// Mode-specific normalisation of CTGAN and TVAE ([`ModeNormalizer`]) as a column transform: the
/// place within a drawn mode, and the mode as the companion.
///
/// Law: that of [`ModeNormalizer`]. A missing number is missing in both parts. A constant column has
/// one mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModePlaces {
    /// None for a constant column.
    modes: Option<ModeNormalizer>,
    range: Range,
}

impl ModePlaces {
    /// Fits to cells with at most `components` modes (published: 10), without those whose weight
    /// is at most `threshold` (published: 0.005); NaN is missing and left out.
    ///
    /// # Errors
    /// A recipe error for settings out of range, a data error for an infinite cell.
    pub fn fit(cells: &[f64], components: usize, threshold: f64, rng: &mut Rng) -> Result<Self> {
        if components == 0 || !(0.0..1.0).contains(&threshold) {
            let problem = format!(
                "should be at least 1 with a threshold in [0, 1), but are {components} with {threshold}"
            );
            return Err(Error::Recipe { key: "components".into(), problem });
        }
        let values = observed(cells)?;
        let range = Range::of(&values);
        let fit = || ModeNormalizer::fit(&values, components, threshold, rng);
        let modes = (!range.is_point()).then(fit);
        Ok(Self { modes, range })
    }

    /// Number of modes.
    pub fn modes(&self) -> usize {
        self.modes.as_ref().map_or(1, ModeNormalizer::modes)
    }

    fn number(&self, place: f64, mode: usize) -> f64 {
        let Some(modes) = &self.modes else { return self.range.least };
        let number = modes.decode(mode, place as f32);
        if number.is_finite() { number } else { number.clamp(self.range.least, self.range.most) }
    }
}

impl ColumnTransform for ModePlaces {
    fn encode(&self, cells: Column, rng: &mut Rng) -> Result<Parts> {
        let mut cells = into_numbers(cells)?;
        let mut side = Vec::with_capacity(cells.len());
        for (row, cell) in cells.iter_mut().enumerate() {
            if cell.is_infinite() {
                return Err(number_error(row, *cell, "the number is not finite"));
            }
            if cell.is_nan() {
                side.push(MISSING);
                continue;
            }
            let (mode, place) = match &self.modes {
                Some(modes) => modes.encode(*cell, rng),
                None => (0, 0.0),
            };
            *cell = f64::from(place);
            side.push(mode as u32);
        }
        Ok(Parts { main: Column::Numbers(cells), side: Some(Column::Codes(side)) })
    }

    fn decode(&self, parts: Parts, _rng: &mut Rng) -> Result<Column> {
        let (main, side) = parts.pair()?;
        join_modes(main, side, self.modes(), |place, mode| self.number(place, mode))
    }

    fn check(&self) -> Result<()> {
        let sound =
            self.range.is_sound() && self.modes.as_ref().is_none_or(ModeNormalizer::is_sound);
        if sound { Ok(()) } else { Err(Error::Artifact("the modes are damaged".into())) }
    }
}
