//! Parquet files through polars.

use super::{
    SchemaOf,
    bytes::{directory, unreadable},
    raw::{Cells, Raw, RawColumn},
};
use meg_core::{DataError, Error, Result};
use polars::prelude::{
    ArrowDataType, Column, DataType, ParquetReader, PolarsError, PolarsResult, SerReader,
};
use std::{fs::File, path::Path};

/// The largest whole number up to which a double holds every one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a Parquet file; a NaN in it counts as missing.
pub(super) fn read(path: &Path) -> Result<Raw> {
    let file = path.display().to_string();
    if path.is_dir() {
        return Err(directory(path));
    }
    let handle = File::open(path).map_err(|error| unreadable(path, &error))?;
    if handle.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Err(DataError::new("the file is empty").file(file).into());
    }
    let damaged = |error: PolarsError| -> Error {
        DataError::new(format!("the file cannot be read as Parquet: {error}")).file(&file).into()
    };
    let mut reader = ParquetReader::new(handle);
    let schema = reader.schema().map_err(damaged)?;
    for field in schema.iter_values() {
        check_type(&file, &field.name, &field.dtype)?;
    }
    let frame = reader.finish().map_err(damaged)?;
    if frame.height() == 0 {
        return Err(DataError::new("the table has no row").file(file).into());
    }
    let columns = frame
        .columns()
        .iter()
        .map(|column| Ok(RawColumn { name: column.name().to_string(), cells: cells(column)? }))
        .collect::<PolarsResult<_>>()
        .map_err(damaged)?;
    Ok(Raw { file, columns, lines: None, missing: Vec::new(), schema_of: SchemaOf::User })
}

/// Refuses the types that this build of polars has no code for; it would panic on them.
fn check_type(file: &str, column: &str, kind: &ArrowDataType) -> Result<()> {
    use ArrowDataType::{
        Boolean, Float32, Float64, Int32, Int64, LargeUtf8, Null, UInt32, UInt64, Utf8, Utf8View,
    };
    match kind {
        Boolean | Float32 | Float64 | Int32 | Int64 | LargeUtf8 | Null | UInt32 | UInt64
        | Utf8 | Utf8View => Ok(()),
        other => Err(DataError::new(format!("cells of the Parquet type {other:?} cannot be read"))
            .file(file)
            .column(column)
            .advice("write the column as 32- or 64-bit numbers or as text (dates as YYYY-MM-DD), or write the table as CSV")
            .into()),
    }
}

fn cells(column: &Column) -> PolarsResult<Cells> {
    match column.dtype() {
        DataType::String => Ok(Cells::Text(column.str()?.clone())),
        DataType::Boolean => text(column),
        // As it would be printed: the double nearest to a float has digits that nobody wrote.
        DataType::Float32 => Ok(Cells::Numbers(
            column.f32()?.iter().map(|cell| cell.map_or(f64::NAN, as_printed)).collect(),
        )),
        _ => {
            let numbers = column.cast(&DataType::Float64)?;
            let numbers: Vec<f64> =
                numbers.f64()?.iter().map(|cell| cell.unwrap_or(f64::NAN)).collect();
            let whole = column.dtype().is_integer();
            // Longer whole numbers are keys: as doubles they would run into each other.
            if whole && numbers.iter().any(|number| number.abs() >= EXACT) {
                return text(column);
            }
            Ok(Cells::Numbers(numbers))
        }
    }
}

/// The double with the fewest digits that tells this float from all others.
fn as_printed(float: f32) -> f64 {
    float.to_string().parse().expect("what prints as a number reads as one")
}

fn text(column: &Column) -> PolarsResult<Cells> {
    Ok(Cells::Text(column.cast(&DataType::String)?.str()?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_as_they_print() {
        let column = Column::new("x".into(), [Some(8.1f32), Some(-1e-7), Some(1e30), None]);
        let Cells::Numbers(cells) = cells(&column).unwrap() else { panic!("floats are numbers") };
        assert_eq!(cells[..3], [8.1, -1e-7, 1e30]);
        assert!(cells[3].is_nan());
    }
}
