//! Results for people and programs. Every formatter is a pure function that returns bytes.

mod comparison;
mod csv;
mod json;
mod markdown;
#[cfg(test)]
pub(crate) mod samples;
mod summary;

use crate::record::Record;
use crate::store::Manifest;
pub use comparison::{Comparison, LeftOut, Pair};
use meg_core::Result;
pub use summary::{ModelSummary, Remark, Report, Spread, TableReport};

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables to read.
    Markdown,
    /// One line per cell and table-wide score.
    Csv,
    /// The summary, for programs.
    Json,
}

/// Writes a report.
///
/// # Errors
/// When the table library refuses; never for results that failed.
pub fn render(format: Format, manifest: &Manifest, records: &[Record]) -> Result<Vec<u8>> {
    let report = Report::new(manifest, records);
    match format {
        Format::Markdown => Ok(markdown::render(&report)),
        Format::Csv => csv::render(&report),
        Format::Json => json::render(&report),
    }
}
