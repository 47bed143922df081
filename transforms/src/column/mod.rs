//! What every transform of one column is, and how transforms are put one after another.

mod cells;
mod chain;
mod number_map;
mod step;

pub use chain::Chain;
pub use number_map::{NumberMap, Range};
pub use step::{FitColumn, FittedStep, Step};

pub(crate) use cells::{check_alike, into_codes, into_numbers, number_error, observed};

use meg_core::{Column, Result, Rng};

/// A fitted, reversible transform of one column.
///
/// Law: `decode(encode(cells)) = cells` within the tolerance that each type states; a missing cell
/// (NaN, or the code `MISSING`) comes back missing. Cells are finite or missing on both sides:
/// anything else is an error that names row and value, never a NaN that nobody put in.
pub trait ColumnTransform: std::fmt::Debug + Send + Sync {
    /// Encodes cells, in place where the storage allows it.
    ///
    /// # Errors
    /// A data error when a cell cannot be encoded.
    fn encode(&self, cells: Column, rng: &mut Rng) -> Result<Parts>;

    /// Decodes what [`ColumnTransform::encode`] or a generator made.
    ///
    /// # Errors
    /// A data error when a part is not what `encode` makes.
    fn decode(&self, parts: Parts, rng: &mut Rng) -> Result<Column>;

    /// Checks a transform that was read from a file, so that no later call can panic.
    ///
    /// # Errors
    /// [`meg_core::Error::Artifact`] that names the transform.
    fn check(&self) -> Result<()>;
}

/// What a column becomes: a column, and with some transforms a companion of the same length (the
/// mode of a number, the indicator of a missing cell).
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// What the next transform takes.
    pub main: Column,
    /// The companion.
    pub side: Option<Column>,
}

impl From<Column> for Parts {
    fn from(main: Column) -> Self {
        Self { main, side: None }
    }
}
