//! Text cells to the columns that a schema asks for.

use super::infer::leading_zeros;
use super::raw::{Cells, Raw, RawColumn};
use meg_core::{
    Column, ColumnKind, ColumnSpec, DataError, MISSING, Result, Schema, Table, datetime, round_to,
};
use std::collections::HashMap;

/// How far, as a share of the value, a number may lie from its rounding to the column's decimals:
/// floats of 32 bits print as 8.099999.
const NOISE: f64 = 1e-6;

/// The number with so many digits after the point, where it has no others but for noise of printing:
/// so small a share of the value, and of the last digit in any case, as real digits would be lost
/// where the value is large.
pub(super) fn without_noise(number: f64, decimals: u8, noise: f64) -> Option<f64> {
    let rounded = round_to(number, decimals);
    let step = 1.0 / 10f64.powi(i32::from(decimals));
    let apart = (rounded - number).abs();
    // Rounding itself misses by the last bit of numbers of 15 or 16 digits.
    let least = 4.0 * f64::EPSILON * number.abs();
    (apart <= (noise * number.abs()).min(0.01 * step).max(least)).then_some(rounded)
}

/// The table under a schema; columns are matched by name.
pub(crate) fn to_table(raw: &Raw, schema: &Schema) -> Result<Table> {
    schema.check()?;
    check_names(raw, schema)?;
    let typed = |spec: &ColumnSpec| {
        let column = raw.column(&spec.name).expect("check_names found every column");
        to_column(raw, spec, column)
    };
    let columns: Vec<Column> = schema.columns.iter().map(typed).collect::<Result<_>>()?;
    if let Some(violation) = schema.violation(&columns) {
        let row = violation.row.map_or(0, |row| row as usize - 1);
        let advice = raw.schema_of.cell(violation.advice.clone().unwrap_or_default());
        return Err(raw.at_row(violation.file(&raw.file).advice(advice), row).into());
    }
    Table::new(schema.clone(), columns)
}

fn check_names(raw: &Raw, schema: &Schema) -> Result<()> {
    for spec in &schema.columns {
        if raw.column(&spec.name).is_none() {
            return Err(DataError::new(format!(
                "the column is in the schema but not in the file, which has: {}",
                raw.names()
            ))
            .file(&raw.file)
            .column(&spec.name)
            .advice(raw.schema_of.lacking_column(&spec.name))
            .into());
        }
    }
    match raw.columns.iter().find(|column| schema.position(&column.name).is_none()) {
        None => Ok(()),
        Some(column) => Err(DataError::new("the column is in the file but not in the schema")
            .file(&raw.file)
            .column(&column.name)
            .advice(raw.schema_of.unknown_column(&column.name))
            .into()),
    }
}

fn to_column(raw: &Raw, spec: &ColumnSpec, column: &RawColumn) -> Result<Column> {
    let typed = match &spec.kind {
        ColumnKind::Number { decimals } => Column::Numbers(numbers(raw, column, *decimals)?),
        ColumnKind::Datetime { format } => Column::Numbers(moments(raw, column, format)?),
        ColumnKind::Category { levels, .. } => Column::Codes(codes(raw, column, levels)?),
        ColumnKind::Identifier | ColumnKind::Text => {
            Column::Texts(raw.texts(column).map(|cell| cell.map(Into::into)).collect())
        }
    };
    if !spec.nullable
        && let Some(row) = (0..typed.len()).find(|&row| typed.is_missing(row))
    {
        let problem = "the cell is missing, but the schema does not allow it";
        return Err(raw
            .error(row, &spec.name, problem)
            .advice(raw.schema_of.missing_cell())
            .into());
    }
    Ok(typed)
}

fn numbers(raw: &Raw, column: &RawColumn, decimals: Option<u8>) -> Result<Vec<f64>> {
    let fail = |row: usize, text: &str, problem: Problem| problem.error(raw, row, column, text);
    match &column.cells {
        Cells::Numbers(cells) => cells
            .iter()
            .enumerate()
            .map(|(row, &cell)| {
                if cell.is_nan() {
                    return Ok(cell);
                }
                finish_number(cell, decimals)
                    .map_err(|problem| fail(row, &cell.to_string(), problem).into())
            })
            .collect(),
        Cells::Text(cells) => raw
            .present(cells)
            .enumerate()
            .map(|(row, cell)| match cell {
                None => Ok(f64::NAN),
                Some(text) => read_number(text.trim(), decimals)
                    .map_err(|problem| fail(row, text, problem).into()),
            })
            .collect(),
    }
}

/// A whole number of more digits is a code where zeros stand before it; up to so many are days,
/// months and hours, which are often written with one.
const PADDED: usize = 2;

fn read_number(text: &str, decimals: Option<u8>) -> std::result::Result<f64, Problem> {
    if leading_zeros(text) > 0 && text.trim_start_matches(['-', '+']).len() > PADDED {
        return Err(Problem::LeadingZeros);
    }
    let number = text.parse::<f64>().map_err(|_| Problem::NotANumber)?;
    finish_number(number, decimals)
}

enum Problem {
    NotANumber,
    LeadingZeros,
    NotFinite,
    Digits(u8),
}

impl Problem {
    fn error(&self, raw: &Raw, row: usize, column: &RawColumn, text: &str) -> DataError {
        let of = raw.schema_of;
        let (problem, advice) = match self {
            Problem::NotANumber => ("a number is needed".to_owned(), of.not_a_number(text)),
            Problem::LeadingZeros => (
                "the column is declared as a number, which would lose the leading zeros".to_owned(),
                of.cell("if these are codes (zip codes, keys), declare the column as kind = \"category\" or \"identifier\" in schema.toml; if they are quantities, write them without the zeros"),
            ),
            Problem::NotFinite => (
                "the number is not finite".to_owned(),
                format!("leave the cell empty, or declare the text as a missing marker (`--missing {text:?}`)"),
            ),
            Problem::Digits(decimals) => (
                format!("the number has more than {decimals} digits after the point"),
                of.cell("raise `decimals` of the column in schema.toml, or remove the line to leave the precision open"),
            ),
        };
        raw.error(row, &column.name, problem).value(text).advice(advice)
    }
}

fn finish_number(number: f64, decimals: Option<u8>) -> std::result::Result<f64, Problem> {
    if !number.is_finite() {
        return Err(Problem::NotFinite);
    }
    let Some(decimals) = decimals else { return Ok(number) };
    without_noise(number, decimals, NOISE).ok_or(Problem::Digits(decimals))
}

fn moments(raw: &Raw, column: &RawColumn, format: &str) -> Result<Vec<f64>> {
    let parse = |(row, cell): (usize, Option<std::borrow::Cow<'_, str>>)| match cell {
        None => Ok(f64::NAN),
        Some(text) => datetime::parse(&text, format).ok_or_else(|| {
            raw.error(row, &column.name, format!("the text does not match the format {format:?}"))
                .value(text)
                .advice(
                    raw.schema_of.cell("correct the cell, or the column's `format` in schema.toml"),
                )
                .into()
        }),
    };
    raw.texts(column).enumerate().map(parse).collect()
}

fn codes(raw: &Raw, column: &RawColumn, levels: &[String]) -> Result<Vec<u32>> {
    let known: HashMap<&str, u32> =
        levels.iter().zip(0u32..).map(|(level, code)| (level.as_str(), code)).collect();
    let code = |row: usize, text: &str| match known.get(text) {
        Some(&code) => Ok(code),
        None => Err(unknown_level(raw, row, column, text, levels).into()),
    };
    raw.texts(column)
        .enumerate()
        .map(|(row, cell)| cell.map_or(Ok(MISSING), |text| code(row, &text)))
        .collect()
}

fn unknown_level(
    raw: &Raw,
    row: usize,
    column: &RawColumn,
    text: &str,
    levels: &[String],
) -> DataError {
    let near = crate::names::nearest(text, levels.iter().map(String::as_str));
    let problem = match near {
        Some(near) => format!("the value is not among the levels; the nearest is {near:?}"),
        None => "the value is not among the levels".to_owned(),
    };
    let advice = "correct the cell, or add the value to the column's `levels` in schema.toml";
    raw.error(row, &column.name, problem).value(text).advice(raw.schema_of.cell(advice))
}
