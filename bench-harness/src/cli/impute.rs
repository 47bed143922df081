use super::options::{Common, TableOptions, WorkOptions, check_table_path};
use super::progress::Progress;
use super::{output, saved};
use bench_harness::{files, registry};
use clap::Args;
use meg_core::{Error, Result, SampleContext, Seed, Table};
use serde_json::json;
use std::path::PathBuf;

/// Fill the missing cells of a table by draws from a trained model, given the cells that are there.
///
/// A column that says whether another one is missing (`TSH measured`) keeps what it said of the cell
/// before it was filled; `meg density` calls such a row impossible, as the model does.
#[derive(Debug, Args)]
#[command(
    after_help = "Cells that are there stay as they are. Where one is like no training cell, the nearest number stands for it, or nothing for an unseen level, and that is told. Filled rows obey the constraints of the schema; a row for which no such cells are found stays as it is, and is told of with the constraint. Only columns that may hold missing cells by the schema of the model can be filled. Another seed draws other cells: several filled tables show how sure the model is."
)]
pub(crate) struct Impute {
    /// Folder that `meg fit` wrote.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// CSV or Parquet file of rows, with the columns that the model was trained on.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// CSV or Parquet file to write, by its ending; refused when it exists.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

impl Impute {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        check_table_path(&self.out)?;
        files::check_output(&self.out, &[&self.data], self.force)?;
        let artifact = saved::read(&self.model)?;
        let fitted = registry::load(&artifact)?;
        let rows = self.table.read_for_model(&self.data, &artifact.schema)?;
        let mut task = Progress::new(common.quiet).task("impute");
        let mut ctx = SampleContext {
            rng: Seed(self.work.seed).stream("impute"),
            threads: self.work.threads(),
            observer: &mut task,
        };
        let filled = fitted.impute(&rows, &mut ctx);
        let filled = filled.map_err(|error| files::in_file(error, &self.data))?;
        let filled = filled.ok_or_else(|| {
            Error::Request(format!("{} cannot fill missing cells; `meg` can", artifact.model))
        })?;
        drop(task);
        datasets::write_table(&self.out, &filled)?;
        let (before, after) = (missing(&rows), missing(&filled));
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "rows": rows.rows(),
                "filled_cells": before - after,
                "missing_cells": after,
                "out": self.out.display().to_string(),
            }));
        }
        let left = if after == 0 { String::new() } else { format!(", {after} are left") };
        output::print_line(&format!(
            "{} missing cells of {} rows are filled{left}; the table is in {}",
            before - after,
            rows.rows(),
            self.out.display()
        ))
    }
}

fn missing(table: &Table) -> usize {
    let of = |column: &meg_core::Column| -> usize {
        (0..table.rows()).filter(|&row| column.is_missing(row)).count()
    };
    table.columns().iter().map(of).sum()
}
