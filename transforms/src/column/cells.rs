use super::Parts;
use meg_core::{Column, ColumnSpec, DataError, Error, Result};

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

/// Checks that the cells of a column mean what they meant in training: codes are positions among the
/// levels, and the same number is another thing as a moment.
pub(crate) fn check_alike(trained: &ColumnSpec, given: &ColumnSpec) -> Result<()> {
    let refuse = |problem: String| {
        let advice = "read the table with the schema of the training rows";
        Err(DataError::new(problem).column(&given.name).advice(advice).into())
    };
    if trained.name != given.name {
        return refuse(format!("the training rows have the column {:?} here", trained.name));
    }
    if trained.kind.name() != given.kind.name() {
        let (was, is) = (trained.kind.name(), given.kind.name());
        return refuse(format!(
            "the column is of kind {is:?}, but was of kind {was:?} in training"
        ));
    }
    let (was, is) = (trained.levels(), given.levels());
    if was.len() != is.len() {
        return refuse(format!("{} levels where training had {}", is.len(), was.len()));
    }
    match was.iter().zip(is).position(|(was, is)| was != is) {
        None => Ok(()),
        Some(at) => {
            refuse(format!("level {} is {:?}, but was {:?} in training", at + 1, is[at], was[at]))
        }
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
