//! Results for people and programs. Every formatter is a pure function that returns bytes.

mod comparison;
mod csv;
mod figures;
mod html;
mod json;
mod markdown;
#[cfg(test)]
pub(crate) mod samples;
mod standing;
mod summary;
mod svg;

use crate::details::Details;
use crate::record::Record;
use crate::store::Manifest;
pub use comparison::{Comparison, LeftOut, Pair};
use meg_core::Result;
pub use standing::{Place, Standing};
use std::collections::BTreeMap;
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
    /// Tables and pictures, one page.
    Html,
}

/// The table of one of the two MEG documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentTable {
    /// That of the MEG documentation: Wasserstein, KS, F1, time, memory, chi-square, PCA.
    Documentation,
    /// That of the report on the masked generator: similarity, KL, losses, discriminator accuracy,
    /// obfuscation, utility, leakage.
    Report,
}

impl DocumentTable {
    /// The word of `--metrics` that computes its scores.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Documentation => "meg-documentation",
            Self::Report => "meg-report",
        }
    }
}

/// Writes a report; `details` are those of the cells, by key, as far as there are any.
///
/// # Errors
/// When the table library refuses; never for results that failed.
pub fn render(
    format: Format,
    manifest: &Manifest,
    records: &[Record],
    details: &BTreeMap<String, Details>,
) -> Result<Vec<u8>> {
    let report = Report::new(manifest, records).with_details(details);
    match format {
        Format::Markdown => Ok(markdown::render(&report)),
        Format::Csv => csv::render(&report),
        Format::Json => json::render(&report),
        Format::Html => Ok(html::render(&report)),
    }
}

/// Writes the table of a document alone, as Markdown or as a page with the pictures.
pub fn render_table(
    table: DocumentTable,
    as_page: bool,
    manifest: &Manifest,
    records: &[Record],
    details: &BTreeMap<String, Details>,
) -> Vec<u8> {
    let report = Report::new(manifest, records).with_details(details);
    let mut text = markdown::document(&report, table);
    if !as_page {
        return text.into_bytes();
    }
    // Pictures stand in the sections of their tables.
    report.tables.iter().for_each(|table| text += &format!("\n## {}\n", table.dataset));
    html::page(&report, &text)
}
