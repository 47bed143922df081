use super::options::{Common, TableOptions, WorkOptions};
use super::output;
use super::progress::Progress;
use bench_harness::registry::{self, Choice};
use bench_harness::{cell, files, plan, units};
use clap::Args;
use meg_core::{Artifact, ColumnKind, DataError, Error, FitContext, Result, Schema, Seed, Table};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Train a model on a table and keep it as a folder.
///
/// The folder holds settings and weights, no training rows (the yardsticks `copy` and `smote`
/// excepted, which are made of them) and nothing that could be executed.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --schema the kinds of the columns are guessed, and columns that look like identifiers or free text are refused: drop them with --drop, or write a schema with `meg schema infer` and review it."
)]
pub(crate) struct Fit {
    /// CSV or Parquet file of training rows.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Model or variant; `meg models list` shows them.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// What the columns are, as `meg schema infer` writes it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// One setting of the model, as `epochs=50`; `meg models show NAME` lists them.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where tensors live: `cpu` or `cuda:0`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder to write; refused when it exists.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace an existing model folder; anything else is left alone.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

impl Fit {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let choice = self.choice()?;
        let device = cell::parse_device(&self.device)?;
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        files::check_writable_model(&self.out, self.force)?;
        let train = self.read(schema.as_ref())?;
        let start = Instant::now();
        let mut task = Progress::new(common.quiet).task(&self.model);
        let mut ctx = FitContext {
            seed: Seed(self.work.seed),
            device,
            threads: self.work.threads(),
            observer: &mut task,
        };
        let fitted =
            choice.recipe.synthesizer.fit(&train, &mut ctx).map_err(|error| self.named(error))?;
        let seconds = start.elapsed().as_secs_f64();
        drop(task);
        let (header, tensors) = fitted.save()?.to_bytes()?;
        let parts = [(Artifact::JSON_FILE, header), (Artifact::TENSOR_FILE, tensors)];
        files::write_folder(&self.out, &parts, self.force)?;
        self.tell(common, &choice, &train, seconds)
    }

    fn choice(&self) -> Result<Choice> {
        let bad = |text: &str| Error::Request(format!("{text:?} is not `key=value`, as epochs=50"));
        let settings = self
            .set
            .iter()
            .map(|text| plan::parse_pair(text).ok_or_else(|| bad(text)))
            .collect::<Result<toml::Table>>()?;
        registry::choose(&self.model, &settings)
    }

    fn read(&self, schema: Option<&Schema>) -> Result<Table> {
        let table = self.table.read(&self.data, schema).map_err(|error| self.named(error))?;
        if schema.is_none() {
            refuse_guessed_keys(&self.data.display().to_string(), table.schema())?;
        }
        Ok(table)
    }

    /// A model speaks of columns and rows and knows no files; the user has to be told which.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Data(error) if error.file.is_none() => {
                error.file(self.data.display().to_string()).into()
            }
            other => other,
        }
    }

    fn tell(&self, common: &Common, choice: &Choice, train: &Table, seconds: f64) -> Result<()> {
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "model": choice.entry.name,
                "recipe": choice.recipe.settings,
                "rows": train.rows(),
                "columns": train.columns().len(),
                "seconds": {"fit": seconds},
                "out": self.out.display().to_string(),
            }));
        }
        output::print_line(&format!(
            "{} learned {} rows of {} columns in {}; the model is in {}",
            self.model,
            train.rows(),
            train.columns().len(),
            units::show_seconds(seconds),
            self.out.display()
        ))
    }
}

// A person who wrote `identifier` into a schema means it. A guess may be wrong both ways, and a
// key or a note that is silently replaced or learned by heart is the worst surprise here.
fn refuse_guessed_keys(file: &str, schema: &Schema) -> Result<()> {
    let guessed: Vec<&str> = schema
        .columns
        .iter()
        .filter(|column| matches!(column.kind, ColumnKind::Identifier | ColumnKind::Text))
        .map(|column| column.name.as_str())
        .collect();
    let Some(first) = guessed.first() else { return Ok(()) };
    let drops: Vec<String> = guessed.iter().map(|name| format!("--drop {name:?}")).collect();
    Err(DataError::new("looks like identifiers or free text, which no model of tables can learn")
        .file(file)
        .column(if guessed.len() == 1 { (*first).to_owned() } else { guessed.join("\", \"") })
        .advice(format!(
            "leave out with {}, or write a schema with `meg schema infer`, review it and pass it with --schema",
            drops.join(" ")
        ))
        .into())
}
