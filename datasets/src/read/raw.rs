use super::advice::SchemaOf;
use meg_core::{DataError, Error, Result};
use polars::prelude::StringChunked;
use std::borrow::Cow;

/// A table of cells whose types are not yet decided.
#[derive(Debug)]
pub(crate) struct Raw {
    /// The file as the user named it.
    pub(crate) file: String,
    /// The columns, in file order.
    pub(crate) columns: Vec<RawColumn>,
    /// The line of each row, where the file has lines.
    pub(crate) lines: Option<Vec<u64>>,
    /// Texts that mean a missing cell, besides the empty text.
    pub(crate) missing: Vec<String>,
    /// Whose schema the table will have.
    pub(crate) schema_of: SchemaOf,
}

/// A named column of a [`Raw`].
#[derive(Debug)]
pub(crate) struct RawColumn {
    pub(crate) name: String,
    pub(crate) cells: Cells,
}

/// Cells as the file holds them.
#[derive(Debug)]
pub(crate) enum Cells {
    /// As written.
    Text(StringChunked),
    /// From a binary file; NaN is missing.
    Numbers(Vec<f64>),
}

impl Raw {
    /// Names the row as the user finds it: by its line, or by its number where there are no lines.
    pub(crate) fn at_row(&self, error: DataError, row: usize) -> DataError {
        match &self.lines {
            Some(lines) => error.line(lines[row]),
            None => error.row(row as u64 + 1),
        }
    }

    /// The column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<&RawColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The cells of a column as text; `None` is missing.
    pub(crate) fn texts<'a>(
        &'a self,
        column: &'a RawColumn,
    ) -> Box<dyn Iterator<Item = Option<Cow<'a, str>>> + 'a> {
        match &column.cells {
            Cells::Text(cells) => Box::new(self.present(cells).map(|cell| cell.map(Cow::Borrowed))),
            Cells::Numbers(cells) => Box::new(
                cells.iter().map(|cell| (!cell.is_nan()).then(|| Cow::Owned(cell.to_string()))),
            ),
        }
    }

    /// Text cells with the missing ones taken out.
    pub(crate) fn present<'a>(
        &'a self,
        cells: &'a StringChunked,
    ) -> impl Iterator<Item = Option<&'a str>> + 'a {
        cells.iter().map(|cell| {
            cell.filter(|text| !text.is_empty() && !self.missing.iter().any(|m| m == text))
        })
    }

    /// Leaves columns out.
    ///
    /// # Errors
    /// A request error when one is not there, where it has to be.
    pub(crate) fn drop_columns(&mut self, names: &[String], may_be_absent: bool) -> Result<()> {
        for name in names {
            let at = self.columns.iter().position(|column| &column.name == name);
            let Some(at) = at else {
                if may_be_absent {
                    continue;
                }
                return Err(Error::Request(format!(
                    "the column {name:?} to leave out is not in {}; there are: {}",
                    self.file,
                    self.names()
                )));
            };
            self.columns.remove(at);
        }
        Ok(())
    }

    /// Replaces the text cells of a column.
    pub(crate) fn map_texts(&mut self, name: &str, map: impl Fn(&StringChunked) -> StringChunked) {
        for column in self.columns.iter_mut().filter(|column| column.name == name) {
            if let Cells::Text(cells) = &mut column.cells {
                *cells = map(cells);
            }
        }
    }

    /// The names of all columns, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }

    /// An error at a cell.
    pub(crate) fn error(&self, row: usize, column: &str, problem: impl Into<String>) -> DataError {
        self.at_row(DataError::new(problem).file(&self.file).column(column), row)
    }
}
