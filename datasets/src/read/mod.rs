//! Reading tables: bytes to text cells, text cells to typed columns.

mod advice;
mod bytes;
mod delimited;
mod infer;
mod parquet;
mod raw;
mod remarks;
mod typed;

pub use advice::SchemaOf;
pub use delimited::Separator;
pub(crate) use delimited::{Dialect, parse};
pub(crate) use raw::Raw;
pub use remarks::remarks;
pub(crate) use typed::to_table;

use meg_core::{ColumnKind, ColumnSpec, DataError, Error, Result, Schema, Table};
use std::path::Path;

/// What to leave out while reading, and whose schema it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Texts that mean a missing cell, besides the empty cell. `NA` is missing only when listed.
    pub missing: Vec<String>,
    /// Columns of the file to leave out.
    pub drop: Vec<String>,
    /// Whether a column to leave out may be absent, as in one of several files.
    pub drop_absent: bool,
    /// Whose the schema is, for the advice of errors.
    pub schema_of: SchemaOf,
}

/// Reads a CSV or Parquet file (by its extension); without a schema one is inferred.
///
/// CSV is UTF-8 with a header line, commas, and quotes as in RFC 4180. An empty cell is missing.
/// Under a schema the columns are matched by name and come in the schema's order. See
/// [`infer_schema`] for the rules without one.
///
/// # Errors
/// A data error that names file, row (the line of a CSV file, the data row of a Parquet file),
/// column, value and the way out.
pub fn read_table(path: &Path, schema: Option<&Schema>) -> Result<Table> {
    read_table_with(path, schema, &ReadOptions::default())
}

/// [`read_table`] with missing markers and columns to leave out.
///
/// # Errors
/// As [`read_table`]; a request error when a column to leave out is not in the file.
pub fn read_table_with(
    path: &Path,
    schema: Option<&Schema>,
    options: &ReadOptions,
) -> Result<Table> {
    let mut raw = read_raw(path)?;
    raw.missing.clone_from(&options.missing);
    raw.schema_of = options.schema_of;
    raw.drop_columns(&options.drop, options.drop_absent)?;
    let schema = match schema {
        Some(schema) => schema.clone(),
        None => infer::schema(&raw)?,
    };
    to_table(&raw, &schema)
}

/// Reads a CSV or Parquet file with every cell as the text that it is; an empty cell is missing.
///
/// # Errors
/// As [`read_table`].
pub fn read_texts(path: &Path) -> Result<Table> {
    let raw = read_raw(path)?;
    let text = |name: &String| ColumnSpec::new(name, ColumnKind::Text).nullable();
    to_table(&raw, &Schema::new(raw.columns.iter().map(|column| text(&column.name)).collect())?)
}

/// The names of a file's columns.
///
/// # Errors
/// As [`read_table`].
pub fn column_names(path: &Path) -> Result<Vec<String>> {
    Ok(read_raw(path)?.columns.into_iter().map(|column| column.name).collect())
}

/// Proposes a schema for a file, for a person to review.
///
/// A column is, by the first rule that fits its cells that are not missing:
/// - all missing: a nullable number without decimals;
/// - all numbers: a number, with the fewest decimals (at most nine) that lose nothing beyond the
///   noise of printing a double, or with open precision. A column with leading zeros (`01013`) or
///   with whole numbers too long for a double is no number, whatever its other cells are; one of all different whole numbers
///   that is named like a key (`id`, `patient_id`, `ssn`) is an identifier;
/// - all of one date format, unambiguously: a datetime;
/// - all different, more than 50: an identifier;
/// - more than 1 000 different, and more than half of them: free text;
/// - otherwise a category, its levels in the order of their bytes, so that the order of the rows
///   does not matter.
///
/// A column is nullable when a cell is missing.
///
/// # Errors
/// As [`read_table`].
pub fn infer_schema(path: &Path) -> Result<Schema> {
    infer_schema_with(path, &ReadOptions::default())
}

/// [`infer_schema`] with missing markers and columns to leave out.
///
/// # Errors
/// As [`read_table_with`].
pub fn infer_schema_with(path: &Path, options: &ReadOptions) -> Result<Schema> {
    let mut raw = read_raw(path)?;
    raw.missing.clone_from(&options.missing);
    raw.drop_columns(&options.drop, options.drop_absent)?;
    infer::schema(&raw)
}

fn read_raw(path: &Path) -> Result<Raw> {
    match extension(path).as_deref() {
        Some("csv") => {
            let bytes = bytes::read(path)?;
            parse(&path.display().to_string(), &bytes, &Dialect::default())
        }
        Some("parquet") => parquet::read(path),
        _ => Err(unknown_format(path)),
    }
}

/// The lower-case extension of a file name.
pub(crate) fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// The error for a file name that tells no format.
pub(crate) fn unknown_format(path: &Path) -> Error {
    DataError::new("the file name does not say whether it is CSV or Parquet")
        .file(path.display().to_string())
        .advice("name the file with the ending .csv or .parquet")
        .into()
}
