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

/// Cells that are encoded together: many, because densities are computed in blocks of their own,
/// and few beside a column.
const ROWS: usize = 1 << 14;

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

    /// Encodes cells in place, and their modes. `values` is room for those that are not missing.
    fn encode_block(
        &self,
        cells: &mut [f64],
        side: &mut [u32],
        values: &mut Vec<f64>,
        rng: &mut Rng,
    ) {
        values.clear();
        values.extend(cells.iter().copied().filter(|cell| !cell.is_nan()));
        let mut places = cells.iter_mut().zip(side).filter(|(cell, _)| !cell.is_nan());
        let mut keep = |mode: usize, place: f32| {
            if let Some((cell, code)) = places.next() {
                (*cell, *code) = (f64::from(place), mode as u32);
            }
        };
        match &self.modes {
            Some(modes) => modes.encode_all(values, rng, keep),
            None => values.iter().for_each(|_| keep(0, 0.0)),
        }
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
        if let Some(row) = cells.iter().position(|cell| cell.is_infinite()) {
            return Err(number_error(row, cells[row], "the number is not finite"));
        }
        let mut side = vec![MISSING; cells.len()];
        let mut block = Vec::with_capacity(ROWS);
        for (cells, side) in cells.chunks_mut(ROWS).zip(side.chunks_mut(ROWS)) {
            self.encode_block(cells, side, &mut block, rng);
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
