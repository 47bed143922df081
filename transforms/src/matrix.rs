use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What stands in the cells of a square matrix that the record leaves over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Zeros (the table-GAN paper, and SDGym).
    Zero,
    /// The record again, as often as it fits whole, then zeros (the authors' code of table-GAN).
    Repeat,
}

/// A record as a square matrix, row by row, for convolutions (table-GAN, Park et al. 2018).
///
/// Law: comes back exactly, from its first copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct SquareMatrix {
    cells: usize,
    side: usize,
    padding: Padding,
}

#[derive(Deserialize)]
struct Written {
    cells: usize,
    side: usize,
    padding: Padding,
}

impl TryFrom<Written> for SquareMatrix {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self> {
        Self::with_side(written.cells, written.side, written.padding)
    }
}

/// Sides that table-GAN's convolutions halve without a remainder, as in SDGym; 32 holds 1024 cells.
const SIDES: [usize; 5] = [4, 8, 16, 24, 32];

impl SquareMatrix {
    /// The smallest square that holds a record of so many cells.
    pub fn smallest(cells: usize, padding: Padding) -> Self {
        let mut side = (cells as f64).sqrt() as usize;
        while side * side < cells {
            side += 1;
        }
        Self { cells, side, padding }
    }

    /// The smallest of the sides 4, 8, 16, 24 and 32 that holds a record of so many cells.
    ///
    /// # Errors
    /// A data error for more than 1024 cells.
    pub fn of_known_side(cells: usize, padding: Padding) -> Result<Self> {
        match SIDES.iter().find(|&&side| side * side >= cells) {
            Some(&side) => Self::with_side(cells, side, padding),
            None => {
                let problem = format!("a record of {cells} cells does not fit into 32 x 32");
                Err(Error::data(problem))
            }
        }
    }

    /// A square of this side.
    ///
    /// # Errors
    /// A data error when it cannot hold the record.
    pub fn with_side(cells: usize, side: usize, padding: Padding) -> Result<Self> {
        if side.checked_mul(side).is_some_and(|area| area >= cells && area <= 1 << 24) {
            return Ok(Self { cells, side, padding });
        }
        let problem = format!("a record of {cells} cells does not fit into {side} x {side}");
        Err(Error::data(problem))
    }

    /// Cells of a record.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Rows of the matrix, and columns.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Writes a record of [`SquareMatrix::cells`] numbers into a matrix of `side * side`, row by
    /// row.
    ///
    /// # Errors
    /// A data error for a record or a matrix of another size.
    pub fn write(&self, record: &[f32], matrix: &mut [f32]) -> Result<()> {
        self.check_sizes(record.len(), matrix.len())?;
        matrix.fill(0.0);
        let copies = match self.padding {
            _ if self.cells == 0 => 0,
            Padding::Zero => 1,
            Padding::Repeat => matrix.len() / self.cells,
        };
        for copy in matrix.chunks_exact_mut(self.cells.max(1)).take(copies) {
            copy.copy_from_slice(record);
        }
        Ok(())
    }

    /// Reads the record back.
    ///
    /// # Errors
    /// A data error for a record or a matrix of another size.
    pub fn read(&self, matrix: &[f32], record: &mut [f32]) -> Result<()> {
        self.check_sizes(record.len(), matrix.len())?;
        record.copy_from_slice(&matrix[..self.cells]);
        Ok(())
    }

    fn check_sizes(&self, record: usize, matrix: usize) -> Result<()> {
        if record == self.cells && matrix == self.side * self.side {
            return Ok(());
        }
        let (cells, side) = (self.cells, self.side);
        let problem = format!(
            "{record} cells and a matrix of {matrix} where {cells} and {side} x {side} are needed"
        );
        Err(Error::data(problem))
    }
}
