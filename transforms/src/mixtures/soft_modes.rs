use super::EmMixture;
use crate::column::{
    ColumnTransform, Parts, Range, into_codes, into_numbers, number_error, observed,
};
use meg_core::{Column, DataError, Error, MISSING, Result, Rng};
use serde::{Deserialize, Serialize};

/// The normalisation of TGAN (Xu and Veeramachaneni 2018, section 3.3): a number becomes its place
/// in the likeliest component of an [`EmMixture`], `(c - mean) / (2 sd)` cut to `[-0.99, 0.99]`,
/// beside the posterior probabilities of all components.
///
/// Law: comes back within a few units in the last place of the column's largest number, for
/// numbers within 1.98 standard deviations of their component; farther ones are cut there, as
/// published. A missing number is missing in both parts. A constant column has one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoftModes {
    /// None for a constant column.
    mixture: Option<EmMixture>,
    range: Range,
}

/// A component spans this many of its standard deviations on each side.
const WIDTH: f64 = 2.0;
/// The largest place.
const EDGE: f64 = 0.99;

impl SoftModes {
    /// Fits to cells with at most `components` components (published: 5); NaN is missing and left
    /// out.
    ///
    /// # Errors
    /// A recipe error for no components, a data error for an infinite cell.
    pub fn fit(cells: &[f64], components: usize, rng: &mut Rng) -> Result<Self> {
        if components == 0 {
            let problem = "should be at least 1, but is 0".to_owned();
            return Err(Error::Recipe { key: "components".into(), problem });
        }
        let values = observed(cells)?;
        let range = Range::of(&values);
        let mixture = (!range.is_point()).then(|| EmMixture::fit(&values, components, rng));
        Ok(Self { mixture, range })
    }

    /// Number of components.
    pub fn modes(&self) -> usize {
        self.mixture.as_ref().map_or(1, EmMixture::len)
    }

    /// The place of a number, and the probability of each component into `shares`.
    pub fn split(&self, number: f64, shares: &mut [f64]) -> f64 {
        let Some(mixture) = &self.mixture else {
            shares.fill(1.0);
            return 0.0;
        };
        mixture.responsibilities(number, shares);
        let k = likeliest(shares);
        let (away, width) = (number - mixture.means[k], WIDTH * mixture.deviations[k]);
        // The distance between two legal numbers may be too large for a double; a quarter never is.
        let place = match away.is_finite() && width.is_finite() {
            true => away / width,
            false => {
                (0.25 * number - 0.25 * mixture.means[k]) / (0.25 * WIDTH * mixture.deviations[k])
            }
        };
        place.clamp(-EDGE, EDGE)
    }

    /// The number at a place, cut to `[-1, 1]`, of the likeliest component.
    pub fn join(&self, place: f64, shares: &[f64]) -> f64 {
        self.number(place, likeliest(shares))
    }

    fn number(&self, place: f64, mode: usize) -> f64 {
        let Some(mixture) = &self.mixture else { return self.range.least };
        let (mean, deviation) = (mixture.means[mode], mixture.deviations[mode]);
        let away = place.clamp(-1.0, 1.0) * WIDTH;
        let number = mean + away * deviation;
        if number.is_finite() {
            return number;
        }
        // On the way it may be too large for a double although the number is not.
        let number = 4.0 * (0.25 * mean + away * (0.25 * deviation));
        number.clamp(self.range.least, self.range.most)
    }
}

/// Position of the largest share; the first of equal ones.
fn likeliest(shares: &[f64]) -> usize {
    let mut best = 0;
    for (at, share) in shares.iter().enumerate().skip(1) {
        if *share > shares[best] {
            best = at;
        }
    }
    best
}

/// As a column transform the probabilities are kept as the likeliest component alone; `split` gives
/// all of them.
impl ColumnTransform for SoftModes {
    fn encode(&self, cells: Column, _rng: &mut Rng) -> Result<Parts> {
        let mut cells = into_numbers(cells)?;
        let mut side = Vec::with_capacity(cells.len());
        let mut shares = vec![0.0; self.modes()];
        for (row, cell) in cells.iter_mut().enumerate() {
            if cell.is_infinite() {
                return Err(number_error(row, *cell, "the number is not finite"));
            }
            if cell.is_nan() {
                side.push(MISSING);
                continue;
            }
            *cell = self.split(*cell, &mut shares);
            side.push(likeliest(&shares) as u32);
        }
        Ok(Parts { main: Column::Numbers(cells), side: Some(Column::Codes(side)) })
    }

    fn decode(&self, parts: Parts, _rng: &mut Rng) -> Result<Column> {
        let (main, side) = parts.pair()?;
        let number = |place: f64, mode: usize| self.number(place, mode);
        join_modes(main, side, self.modes(), number)
    }

    fn check(&self) -> Result<()> {
        let sound = self.range.is_sound() && self.mixture.as_ref().is_none_or(EmMixture::is_sound);
        if sound { Ok(()) } else { Err(Error::Artifact("the mixture is damaged".into())) }
    }
}

/// Numbers from places and modes; missing where either is.
pub(super) fn join_modes(
    places: Column,
    modes: Column,
    known: usize,
    number: impl Fn(f64, usize) -> f64,
) -> Result<Column> {
    let (mut places, modes) = (into_numbers(places)?, into_codes(modes)?);
    for (row, (place, mode)) in places.iter_mut().zip(modes).enumerate() {
        if place.is_infinite() {
            return Err(number_error(row, *place, "the place within a mode is not finite"));
        }
        if mode != MISSING && mode as usize >= known {
            let error = DataError::new(format!("there are only {known} modes"));
            return Err(error.row(row as u64 + 1).value(mode.to_string()).into());
        }
        let missing = mode == MISSING || place.is_nan();
        *place = if missing { f64::NAN } else { number(*place, mode as usize) };
    }
    Ok(Column::Numbers(places))
}
