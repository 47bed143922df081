//! Text files with one row per line: checked with the `csv` crate, parsed by polars.

use super::{
    SchemaOf,
    bytes::to_text,
    raw::{Cells, Raw, RawColumn},
};
use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use meg_core::{DataError, Error, Result};
use polars::prelude::{
    CsvReadOptions, DataFrame, DataType, PlSmallStr, SerReader, StringChunked, StringChunkedBuilder,
};
use std::{borrow::Cow, collections::HashMap, io::Cursor, sync::Arc};

/// What stands between two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Separator {
    /// A comma.
    #[default]
    Comma,
    /// A comma, and blanks around the cells that do not belong to them.
    CommaBlank,
    /// Any number of blanks.
    Blanks,
}

/// How a text file is laid out. The default is a CSV file with a header line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dialect<'a> {
    /// What stands between two cells.
    pub(crate) separator: Separator,
    /// Lines at the top that are no part of the table.
    pub(crate) skip: usize,
    /// The column names, for a file without a header line.
    pub(crate) names: Option<&'a [&'a str]>,
}

/// Parses text into cells; every line must have as many as there are columns.
pub(crate) fn parse(file: &str, bytes: &[u8], dialect: &Dialect<'_>) -> Result<Raw> {
    let text = to_text(file, bytes)?;
    let (text, skipped) = skip_lines(text, dialect.skip);
    let text = match dialect.separator {
        Separator::Blanks => Cow::Owned(with_commas(text)),
        _ => Cow::Borrowed(text),
    };
    if text.trim().is_empty() {
        return Err(empty(file, "the file is empty"));
    }
    let survey = survey(file, &text, skipped, dialect)?;
    if dialect.separator == Separator::Comma
        && let Some(at) = after_quote(text.as_bytes())
    {
        let line = skipped + 1 + text[..at].matches('\n').count() as u64;
        return Err(closed_quote(file, line));
    }
    if survey.lines.is_empty() {
        return Err(empty(file, "the file has a header line but no row"));
    }
    let cells = cells(file, &text, dialect, &survey)?;
    let columns = survey.names.into_iter().zip(cells);
    let columns =
        columns.map(|(name, cells)| RawColumn { name, cells: Cells::Text(cells) }).collect();
    Ok(Raw {
        file: file.to_owned(),
        columns,
        lines: Some(survey.lines),
        missing: Vec::new(),
        schema_of: SchemaOf::User,
    })
}

fn empty(file: &str, problem: &str) -> Error {
    DataError::new(problem).file(file).advice("a table needs a header line and rows").into()
}

fn skip_lines(text: &str, lines: usize) -> (&str, u64) {
    let mut rest = text;
    for skipped in 0..lines {
        match rest.split_once('\n') {
            Some((_, after)) => rest = after,
            None => return ("", skipped as u64),
        }
    }
    (rest, lines as u64)
}

/// The same lines, with commas for blanks, so that one reader serves all separators.
fn with_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        for (at, cell) in line.split_ascii_whitespace().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(cell);
        }
        out.push('\n');
    }
    out
}

/// What the first pass over a file finds.
struct Survey {
    names: Vec<String>,
    /// Line of each row.
    lines: Vec<u64>,
}

/// Checks header and row widths, and notes the line of each row.
fn survey(file: &str, text: &str, skipped: u64, dialect: &Dialect<'_>) -> Result<Survey> {
    let mut reader = reader(text, dialect);
    let mut lines = Lines::new(text, skipped);
    let mut record = ByteRecord::new();
    let names = match dialect.names {
        Some(names) => names.iter().map(|&name| name.to_owned()).collect(),
        None => {
            let header = reader.headers().map_err(|error| unreadable(file, &error))?.clone();
            check_header(file, &header)?;
            header.iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    let mut rows = Vec::new();
    let mut ends_in_break = false;
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(file, &error))? {
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.at(start as usize);
        if record.len() != names.len() {
            return Err(ragged(file, line, record.len(), names.len()));
        }
        rows.push(line);
        ends_in_break = record.iter().next_back().is_some_and(|cell| cell.contains(&b'\n'));
    }
    // An open quote swallows the rest of the file; a closed one would be its last character.
    if ends_in_break && !text.trim_end().ends_with('"') {
        return Err(open_quote(file, rows.last().copied().unwrap_or(1)));
    }
    Ok(Survey { names, lines: rows })
}

fn reader<'a>(text: &'a str, dialect: &Dialect<'_>) -> csv::Reader<&'a [u8]> {
    let trim = if dialect.separator == Separator::CommaBlank { Trim::All } else { Trim::None };
    ReaderBuilder::new()
        .has_headers(dialect.names.is_none())
        .flexible(true)
        .trim(trim)
        .from_reader(text.as_bytes())
}

fn check_header(file: &str, header: &StringRecord) -> Result<()> {
    let fail = |error: DataError| Err(error.file(file).into());
    if header.len() == 1
        && let Some(other) = [';', '\t', '|'].into_iter().find(|&c| header[0].contains(c))
    {
        return fail(
            DataError::new(format!(
                "the header line has one cell only, with {other:?} in it; a CSV file separates by commas"
            ))
            .line(1)
            .advice("write the file again with commas between the cells"),
        );
    }
    let mut seen = HashMap::new();
    for (at, name) in header.iter().enumerate() {
        if name.is_empty() {
            return fail(
                DataError::new(format!("cell {} of the header line is empty", at + 1))
                    .line(1)
                    .advice("give the column a name; pandas writes such a column of row numbers unless told index=False"),
            );
        }
        if let Some(first) = seen.insert(name, at) {
            return fail(
                DataError::new(format!(
                    "cells {} and {} of the header line have the same name",
                    first + 1,
                    at + 1
                ))
                .line(1)
                .column(name)
                .advice("rename one of the columns"),
            );
        }
    }
    Ok(())
}

fn ragged(file: &str, line: u64, found: usize, needed: usize) -> Error {
    DataError::new(format!("the row has {found} cells, the table has {needed} columns"))
        .file(file)
        .line(line)
        .advice("complete the row, put quotes around a cell that contains a comma, or close an open quote")
        .into()
}

fn open_quote(file: &str, line: u64) -> Error {
    DataError::new("a quote is opened in this row and never closed")
        .file(file)
        .line(line)
        .advice("close it; inside a quoted cell a quote is written twice")
        .into()
}

/// The place of text that follows a closed quote within a cell. The parsers take it for a part of
/// the cell, and what was meant is anybody's guess.
fn after_quote(text: &[u8]) -> Option<usize> {
    let (mut quoted, mut begins) = (false, true);
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if quoted {
            let next = text.get(at + 1);
            match (byte, next) {
                (b'"', Some(b'"')) => at += 1,
                (b'"', None | Some(b',' | b'\n' | b'\r')) => quoted = false,
                (b'"', Some(_)) => return Some(at + 1),
                _ => {}
            }
        } else if begins && byte == b'"' {
            quoted = true;
        }
        begins = !quoted && matches!(byte, b',' | b'\n' | b'\r');
        at += 1;
    }
    None
}

fn closed_quote(file: &str, line: u64) -> Error {
    DataError::new("there is text after a closed quote, before the next comma")
        .file(file)
        .line(line)
        .advice("inside a quoted cell a quote is written twice, as \"Ba\"\"sel\"; else leave the quotes out")
        .into()
}

fn unreadable(file: &str, error: &csv::Error) -> Error {
    DataError::new(format!("the text cannot be read as CSV: {error}")).file(file).into()
}

/// Finds the line of a byte position; positions must not go back.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, skipped: u64) -> Self {
        Self { bytes: text.as_bytes(), at: 0, line: skipped + 1 }
    }

    /// The line of the first cell at or after `position`; the reader's own count would name the
    /// blank line before it.
    fn at(&mut self, position: usize) -> u64 {
        let blank = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let start = position + self.bytes[position..].iter().take_while(blank).count();
        self.line +=
            self.bytes[self.at..start].iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.at = start;
        self.line
    }
}

/// The cells by column. polars parses plain text; where it and RFC 4180 might differ (quotes,
/// carriage returns, blanks to trim, blank lines in a table of one column) the `csv` crate does.
fn cells(
    file: &str,
    text: &str,
    dialect: &Dialect<'_>,
    survey: &Survey,
) -> Result<Vec<StringChunked>> {
    let plain = dialect.separator != Separator::CommaBlank
        && survey.names.len() > 1
        && !text.bytes().any(|byte| byte == b'"' || byte == b'\r');
    if plain
        && let Ok(frame) = by_polars(text, dialect, &survey.names)
        && frame.height() == survey.lines.len()
        && frame.width() == survey.names.len()
    {
        let columns = frame.columns().iter();
        return columns
            .map(|column| column.str().cloned())
            .collect::<Result<_, _>>()
            .map_err(|error| DataError::new(error.to_string()).file(file).into());
    }
    by_records(file, text, dialect, survey)
}

fn by_polars(
    text: &str,
    dialect: &Dialect<'_>,
    names: &[String],
) -> polars::prelude::PolarsResult<DataFrame> {
    let schema = names.iter().map(|name| (PlSmallStr::from_str(name), DataType::String));
    CsvReadOptions::default()
        .with_has_header(dialect.names.is_none())
        .with_schema(Some(Arc::new(polars::prelude::Schema::from_iter(schema))))
        .map_parse_options(|options| options.with_quote_char(None))
        .into_reader_with_file_handle(Cursor::new(text.as_bytes()))
        .finish()
}

fn by_records(
    file: &str,
    text: &str,
    dialect: &Dialect<'_>,
    survey: &Survey,
) -> Result<Vec<StringChunked>> {
    let rows = survey.lines.len();
    let mut builders: Vec<StringChunkedBuilder> = survey
        .names
        .iter()
        .map(|name| StringChunkedBuilder::new(PlSmallStr::from_str(name), rows))
        .collect();
    let mut reader = reader(text, dialect);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| unreadable(file, &error))? {
        for (builder, cell) in builders.iter_mut().zip(&record) {
            builder.append_value(cell);
        }
    }
    Ok(builders.into_iter().map(StringChunkedBuilder::finish).collect())
}
