use super::options::Common;
use super::output;
use bench_harness::report::DocumentTable;
use bench_harness::{details, report, store};
use clap::{Args, ValueEnum};
use meg_core::Result;
use std::path::PathBuf;

/// Write the tables of a finished benchmark again.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Folder that `meg bench --out DIR` or `meg twin --out DIR` wrote.
    dir: PathBuf,
    /// Form of the report [default: md, or json with --json].
    #[arg(long, value_enum, conflicts_with = "html")]
    format: Option<Format>,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "html")]
    out: Option<PathBuf>,
    /// Write one page with tables and pictures to this file: the same as --format html --out FILE.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the table of one MEG document alone (md or html); `meg bench --metrics` with the same
    /// word computes its scores.
    #[arg(long, value_enum)]
    table: Option<Table>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables to read.
    Md,
    /// One line per cell and score.
    Csv,
    /// The summary, for programs.
    Json,
    /// Tables and pictures, one page without scripts.
    Html,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Table {
    /// Wasserstein, KS, F1, time, memory, chi-square, PCA.
    MegDocumentation,
    /// Similarity, KL, losses, discriminator accuracy, utility, obfuscation, leakage.
    MegReport,
}

impl Report {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let format = match (&self.html, self.format, common.json) {
            (Some(_), ..) => Format::Html,
            (None, Some(format), _) => format,
            (None, None, true) => Format::Json,
            (None, None, false) => Format::Md,
        };
        let bytes = self.render(format)?;
        match self.html.as_ref().or(self.out.as_ref()) {
            Some(path) => datasets::write_file(path, &bytes),
            None => output::print(&bytes),
        }
    }

    fn render(&self, format: Format) -> Result<Vec<u8>> {
        if self.table.is_some() && matches!(format, Format::Csv | Format::Json) {
            return Err(meg_core::Error::Request(
                "--table is written as md or html; --format csv has every score".into(),
            ));
        }
        let (manifest, records) = store::read(&self.dir)?;
        let details = details::read(&self.dir, records.iter().map(|record| record.key.as_str()))?;
        if let Some(table) = self.table {
            let table = match table {
                Table::MegDocumentation => DocumentTable::Documentation,
                Table::MegReport => DocumentTable::Report,
            };
            let page = format == Format::Html;
            return Ok(report::render_table(table, page, &manifest, &records, &details));
        }
        let format = match format {
            Format::Md => report::Format::Markdown,
            Format::Csv => report::Format::Csv,
            Format::Json => report::Format::Json,
            Format::Html => report::Format::Html,
        };
        report::render(format, &manifest, &records, &details)
    }
}
