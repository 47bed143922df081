//! Options that several commands share.

use super::output;
use bench_harness::{files, machine};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use datasets::{Places, ReadOptions, SchemaOf};
use meg_core::{Error, Result, Schema, Table};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Write results as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show no progress, no remarks and no word of success; results (tables, JSON) are shown.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// Where named tables are looked for.
#[derive(Debug, Args)]
pub(crate) struct DataOptions {
    /// Folder to look for tables in, before those of MEG_DATA and the cache.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Never use the network.
    #[arg(long)]
    offline: bool,
}

/// How to read the user's own tables.
#[derive(Debug, Args)]
pub(crate) struct TableOptions {
    /// Column to leave out; may be given more than once.
    #[arg(long, value_name = "COLUMN")]
    drop: Vec<String>,
    /// Text that means a missing cell, as `NA`; an empty cell always does. May be given more than
    /// once.
    #[arg(long, value_name = "TEXT")]
    missing: Vec<String>,
}

/// Chance and computing power.
#[derive(Debug, Args)]
pub(crate) struct WorkOptions {
    /// Seed of every random decision; the same seed gives the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Threads to use, at most 1024 [default: all cores]; the results do not depend on it.
    #[arg(long, value_name = "N", value_parser = thread_count())]
    threads: Option<u64>,
}

impl Common {
    /// A remark for the user.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet {
            output::complain(text);
        }
    }

    /// The last word of a command that has written what it was asked for.
    pub(crate) fn done(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { output::print_line(text) }
    }
}

impl DataOptions {
    /// The places in their order.
    pub(crate) fn places(&self) -> Places {
        let mut places = Places::from_environment(self.data_dir.as_deref());
        places.download = places.download && !self.offline;
        places
    }
}

impl TableOptions {
    /// The same, as the reader wants it.
    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            missing: self.missing.clone(),
            drop: self.drop.clone(),
            ..ReadOptions::default()
        }
    }

    /// The same for several files of one table: a column to leave out has to be in one of them or
    /// in the schema, since a model may have been trained without it.
    pub(crate) fn read_options_of(
        &self,
        files: &[&Path],
        schema: Option<&Path>,
    ) -> Result<ReadOptions> {
        if !self.drop.is_empty() {
            let mut known = Vec::new();
            for file in files {
                known.extend(datasets::column_names(file)?);
            }
            if let Some(path) = schema {
                known.extend(whole_schema(path)?.columns.into_iter().map(|column| column.name));
            }
            if let Some(name) = self.drop.iter().find(|name| !known.contains(name)) {
                let mut seen = HashSet::new();
                known.retain(|name| seen.insert(name.clone()));
                return Err(Error::Request(format!(
                    "the column {name:?} to leave out is in none of the files; there are: {}",
                    known.join(", ")
                )));
            }
        }
        Ok(ReadOptions { drop_absent: true, ..self.read_options() })
    }

    /// Reads a table.
    pub(crate) fn read(&self, path: &Path, schema: Option<&Schema>) -> Result<Table> {
        datasets::read_table_with(path, schema, &self.read_options())
    }

    /// Reads rows for a saved model, whose schema is that of its training rows.
    pub(crate) fn read_for_model(&self, path: &Path, schema: &Schema) -> Result<Table> {
        let options = ReadOptions { schema_of: SchemaOf::Model, ..self.read_options() };
        datasets::read_table_with(path, Some(schema), &options)
    }

    /// Reads a schema file; columns that are left out of the tables are left out of it too, and with
    /// them the constraints that speak of them.
    pub(crate) fn read_schema(&self, path: &Path) -> Result<Schema> {
        whole_schema(path)?.select(|column| !self.drop.contains(&column.name))
    }
}

fn whole_schema(path: &Path) -> Result<Schema> {
    let text = files::read_text(path)?;
    Schema::from_toml(&text).map_err(|error| Error::data(format!("{}: {error}", path.display())))
}

impl WorkOptions {
    /// Threads to use; also sizes the pool that the libraries share.
    pub(crate) fn threads(&self) -> usize {
        let threads = self.threads.map_or_else(machine::cores, |threads| threads as usize);
        // Refused only when the pool exists already, and then it is of this size.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        threads
    }
}

/// Reads a number of threads. More than any machine has is a slip, and would exhaust this one.
pub(crate) fn thread_count() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1024)
}

/// Refuses table files of a form that cannot be written, before any work.
pub(crate) fn check_table_path(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "parquet") => Ok(()),
        _ => Err(Error::Request(format!(
            "{}: the name should end in .csv or .parquet",
            path.display()
        ))),
    }
}
