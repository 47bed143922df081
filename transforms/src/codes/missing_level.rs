use super::{code_error, counts};
use crate::column::{ColumnTransform, Parts, into_codes};
use meg_core::{Column, Error, MISSING, Result, Rng};
use serde::{Deserialize, Serialize};

/// Missing becomes one more level, after all others.
///
/// Law: comes back exactly; no encoded cell is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingLevel {
    level: u32,
}

impl MissingLevel {
    /// Fits to codes of a column with so many levels; codes beyond them count as well.
    pub fn fit(codes: &[u32], levels: usize) -> Self {
        Self { level: counts(codes).len().max(levels) as u32 }
    }

    /// The code of a missing cell; all other codes are below it.
    pub fn level(&self) -> u32 {
        self.level
    }
}

impl ColumnTransform for MissingLevel {
    fn encode(&self, cells: Column, _rng: &mut Rng) -> Result<Parts> {
        let mut cells = into_codes(cells)?;
        for (row, cell) in cells.iter_mut().enumerate() {
            if *cell == MISSING {
                *cell = self.level;
            } else if *cell >= self.level {
                return Err(code_error(row, *cell, "there are fewer levels"));
            }
        }
        Ok(Column::Codes(cells).into())
    }

    fn decode(&self, parts: Parts, _rng: &mut Rng) -> Result<Column> {
        let mut cells = into_codes(parts.alone()?)?;
        for (row, cell) in cells.iter_mut().enumerate() {
            if *cell == self.level {
                *cell = MISSING;
            } else if *cell > self.level {
                return Err(code_error(row, *cell, "there are fewer levels"));
            }
        }
        Ok(Column::Codes(cells))
    }

    fn check(&self) -> Result<()> {
        if self.level < MISSING {
            return Ok(());
        }
        Err(Error::Artifact("the level of missing cells is damaged".into()))
    }
}
