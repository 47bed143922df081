//! Codes as units of a network's input or output: written row by row into a batch, so that a dense
//! matrix of the whole table never exists.

mod binary;
mod hashed;
mod one_hot;

pub use binary::BinaryCode;
pub use hashed::HashedCode;
pub use one_hot::{OneHot, SmoothedOneHot};

use meg_core::{DataError, MISSING, Result, Rng};

/// Codes `0..levels` as a few units between 0 and 1. Missing cells need a level of their own first
/// ([`crate::MissingLevel`]).
///
/// Law: `read(write(code)) = code`; `read` answers a known code for any finite units, the likeliest
/// one when units are taken for probabilities, and `MISSING` when there is no code.
pub trait UnitCode: std::fmt::Debug + Send + Sync {
    /// Number of codes.
    fn levels(&self) -> usize;

    /// Number of units.
    fn width(&self) -> usize;

    /// Writes the units of a code into `out`, which has [`UnitCode::width`] places.
    ///
    /// # Errors
    /// A data error for a code that is not below [`UnitCode::levels`].
    fn write(&self, code: u32, out: &mut [f32], rng: &mut Rng) -> Result<()>;

    /// The code that the units stand for.
    fn read(&self, units: &[f32]) -> u32;
}

fn known(code: u32, levels: usize) -> Result<()> {
    if (code as usize) < levels {
        return Ok(());
    }
    let error = DataError::new(format!("there are only {levels} levels"));
    Err(error.value(code.to_string()).advice("give missing cells a level of their own").into())
}

/// The code of the largest unit, or `MISSING` of none.
fn likeliest(units: &[f32]) -> u32 {
    if units.is_empty() { MISSING } else { argmax(units) as u32 }
}

/// Position of the largest unit; the first of equal ones.
fn argmax(units: &[f32]) -> usize {
    let mut best = 0;
    for (at, unit) in units.iter().enumerate().skip(1) {
        if *unit > units[best] {
            best = at;
        }
    }
    best
}
