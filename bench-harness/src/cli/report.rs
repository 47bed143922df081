use super::options::Common;
use super::output;
use bench_harness::{report, store};
use clap::{Args, ValueEnum};
use meg_core::Result;
use std::path::PathBuf;

/// Write the tables of a finished benchmark again.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Folder that `meg bench --out DIR` wrote.
    dir: PathBuf,
    /// Form of the report [default: md, or json with --json].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Tables to read.
    Md,
    /// One line per cell and score.
    Csv,
    /// The summary, for programs.
    Json,
}

impl Report {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let (manifest, records) = store::read(&self.dir)?;
        let format = match (self.format, common.json) {
            (Some(Format::Md), _) | (None, false) => report::Format::Markdown,
            (Some(Format::Csv), _) => report::Format::Csv,
            (Some(Format::Json), _) | (None, true) => report::Format::Json,
        };
        let bytes = report::render(format, &manifest, &records)?;
        match &self.out {
            Some(path) => datasets::write_file(path, &bytes),
            None => output::print(&bytes),
        }
    }
}
