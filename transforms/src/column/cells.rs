use super::Parts;
use meg_core::{Column, DataError, Error, Result};

/// The numbers of a column that must hold numbers.
pub(crate) fn into_numbers(cells: Column) -> Result<Vec<f64>> {
    match cells {
        Column::Numbers(cells) => Ok(cells),
        _ => Err(Error::data("this transform takes numbers")),
    }
}

/// The codes of a column that must hold codes.
pub(crate) fn into_codes(cells: Column) -> Result<Vec<u32>> {
    match cells {
        Column::Codes(cells) => Ok(cells),
        _ => Err(Error::data("this transform takes codes of levels")),
    }
}

/// The cells that are not missing. Infinite ones are refused: no law holds for them.
pub(crate) fn observed(cells: &[f64]) -> Result<Vec<f64>> {
    if let Some(row) = cells.iter().position(|cell| cell.is_infinite()) {
        return Err(number_error(row, cells[row], "the number is not finite"));
    }
    Ok(cells.iter().copied().filter(|cell| !cell.is_nan()).collect())
}

/// A data error about one number; the row is zero-based here and one-based in the message.
pub(crate) fn number_error(row: usize, value: f64, problem: &str) -> Error {
    let advice = match value.is_infinite() {
        true => "mark the cell as missing, or drop the row",
        false => "scale the column first, or use the transform to normal by ranks",
    };
    DataError::new(problem).row(row as u64 + 1).value(value.to_string()).advice(advice).into()
}

impl Parts {
    /// The main column of a transform that has no companion.
    pub(crate) fn alone(self) -> Result<Column> {
        match self.side {
            None => Ok(self.main),
            Some(_) => Err(Error::data("a companion column that this transform never makes")),
        }
    }

    /// Main column and companion, of one length.
    pub(crate) fn pair(self) -> Result<(Column, Column)> {
        let Some(side) = self.side else {
            return Err(Error::data("the companion column of this transform is not there"));
        };
        if side.len() != self.main.len() {
            let problem = format!("{} cells beside {}", side.len(), self.main.len());
            return Err(Error::data(problem));
        }
        Ok((self.main, side))
    }
}
