use super::options::{Common, TableOptions, WorkOptions};
use super::progress::Progress;
use super::stopwatch::{Stopwatch, TimedPhase};
use super::{candle_threads, output};
use bench_harness::registry::{self, Choice};
use bench_harness::{VERSION, cell, checkpoint, files, memory, plan, units};
use clap::Args;
use meg_core::{
    Artifact, Checkpoint, CheckpointSink, ColumnKind, DataError, Device, Error, FitContext, Fitted,
    Identity, Kernels, Observer, Result, Schema, Seed, Table, TrainingState,
};
use serde_json::json;
use std::num::NonZeroU64;
use std::path::PathBuf;

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
    /// Train by plain tensor expressions instead of hand-written kernels: slow, for comparison.
    #[arg(long)]
    plain: bool,
    /// Keep the state of the training every N updates, and when interrupted, in a file beside the
    /// model folder (its name and `.checkpoint`); removed when the model is written.
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<NonZeroU64>,
    /// Go on with an interrupted training, to the same model to the last bit. Give a checkpoint or
    /// the model folder it was to become [default: that of --out].
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
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
        if self.plain && device == Device::Cpu {
            candle_threads::obey(self.work.threads())?;
        }
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        files::check_writable_model(&self.out, self.force)?;
        let kept = self.prepare_checkpoints(&choice)?;
        let train = self.read(schema.as_ref())?;
        let identity = self.identity(&choice, &train);
        let resume =
            kept.map(|(path, kept)| checkpoint::state_for(&path, kept, &identity)).transpose()?;
        let mut task = Progress::new(common.quiet).task(&self.model);
        let mut watch = Stopwatch::new(&mut task);
        let fitted = self
            .train(&mut watch, &choice, device, &train, &identity, resume)
            .inspect_err(|error| self.tell_interrupted(common, error))?;
        let (seconds, phases) = (watch.seconds(), watch.phases());
        drop(task);
        let (header, tensors) = fitted.save()?.to_bytes()?;
        let parts = [(Artifact::JSON_FILE, header), (Artifact::TENSOR_FILE, tensors)];
        files::write_folder(&self.out, &parts, self.force)?;
        self.remove_checkpoint()?;
        self.tell(common, &choice, &train, seconds, &phases)
    }

    fn train(
        &self,
        observer: &mut dyn Observer,
        choice: &Choice,
        device: Device,
        train: &Table,
        identity: &Identity,
        resume: Option<TrainingState>,
    ) -> Result<Box<dyn Fitted>> {
        let path = checkpoint::beside(&self.out);
        let mut keep = |state| checkpoint::write(&path, identity, state);
        let checkpoints =
            self.checkpoint_every.map(|every| CheckpointSink { every, keep: &mut keep });
        let context = FitContext::new(Seed(self.work.seed), observer);
        let (kernels, threads) = (self.kernels(), self.work.threads());
        let mut ctx = FitContext { device, kernels, threads, checkpoints, resume, ..context };
        choice.recipe.synthesizer.fit(train, &mut ctx).map_err(|error| self.named(error))
    }

    fn kernels(&self) -> Kernels {
        if self.plain { Kernels::Plain } else { Kernels::Fused }
    }

    /// Checks, before the table is read, what can be checked about checkpoints, and reads the one
    /// to go on from.
    fn prepare_checkpoints(&self, choice: &Choice) -> Result<Option<(PathBuf, Checkpoint)>> {
        if self.checkpoint_every.is_some() || self.resume.is_some() {
            checkpoint::check_model(choice.entry)?;
        }
        if let Some(named) = &self.resume {
            let path = checkpoint::find(named.as_ref().unwrap_or(&self.out))?;
            let kept = checkpoint::read(&path)?;
            return Ok(Some((path, kept)));
        }
        let path = checkpoint::beside(&self.out);
        if self.checkpoint_every.is_some() && path.exists() && !self.force {
            return Err(Error::Request(format!(
                "{} is there already, from an interrupted training\n  help: go on with --resume, or begin anew with --force",
                path.display()
            )));
        }
        Ok(None)
    }

    fn identity(&self, choice: &Choice, train: &Table) -> Identity {
        Identity {
            version: VERSION.into(),
            model: choice.entry.name.into(),
            recipe: choice.recipe.settings.clone(),
            table: datasets::table_hash(train),
            seed: self.work.seed,
            device: self.device.clone(),
            kernels: self.kernels().name().into(),
        }
    }

    /// The model is there: nothing is left to go on with. A checkpoint that the user named is the
    /// user's.
    fn remove_checkpoint(&self) -> Result<()> {
        let path = checkpoint::beside(&self.out);
        let ours = self.checkpoint_every.is_some() || self.resume == Some(None);
        if !ours || !path.exists() {
            return Ok(());
        }
        std::fs::remove_file(&path).map_err(|error| files::cannot_write(&path, &error))
    }

    fn tell_interrupted(&self, common: &Common, error: &Error) {
        let path = checkpoint::beside(&self.out);
        if matches!(error, Error::Interrupted) && path.is_file() {
            common.remark(&format!(
                "the state of the training is kept in {}\n  help: give the same command with --resume to go on",
                path.display()
            ));
        }
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

    fn tell(
        &self,
        common: &Common,
        choice: &Choice,
        train: &Table,
        seconds: f64,
        phases: &[TimedPhase],
    ) -> Result<()> {
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "model": choice.entry.name,
                "recipe": choice.recipe.settings,
                "rows": train.rows(),
                "columns": train.columns().len(),
                "seconds": {"fit": seconds},
                "phases": phases,
                "peak_memory_bytes": memory::peak(),
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
