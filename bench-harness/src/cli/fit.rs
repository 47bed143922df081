use super::options::{Common, TableOptions, WorkOptions, check_table_path};
use super::progress::Progress;
use super::stopwatch::{Stopwatch, TimedPhase};
use super::{candle_threads, guessed, output, saved};
use bench_harness::registry::{self, Choice};
use bench_harness::{VERSION, cell, checkpoint, files, memory, plan, twin, units};
use clap::Args;
use meg_core::{
    Artifact, Checkpoint, CheckpointSink, Device, Error, FitContext, Fitted, Identity, Kernels,
    Observer, Result, Schema, Seed, Table, TrainingState,
};
use serde_json::json;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

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
    #[arg(long, value_name = "NAME", required_unless_present = "further")]
    model: Option<String>,
    /// Train the model of this folder further (`meg`, `meg-classic`), with its settings and those of
    /// --set over them, and write it to --out. The rows need the columns and levels that it knows;
    /// the optimiser begins anew, and its settings of epochs or updates count from here. An interrupted
    /// training goes on by --resume instead.
    #[arg(long = "continue", value_name = "DIR", conflicts_with_all = ["model", "schema"])]
    further: Option<PathBuf>,
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
    /// the model folder it was to become [default: that of --out]. Interrupted again, its state is
    /// kept beside the folder of --out.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
    /// Folder to write; refused when it exists.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// CSV or Parquet file for the log of the training: update, name and value of losses and, where
    /// a discriminator plays, its accuracy. Of a resumed training its last part.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Replace an existing model folder and log; anything else is left alone.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

impl Fit {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let base = self.further.as_deref().map(saved::read).transpose()?;
        let choice = &self.choice(base.as_ref())?;
        let device = cell::parse_device(&self.device)?;
        let work = Work { choice, base: base.as_ref(), device };
        if self.plain && device == Device::Cpu {
            candle_threads::obey(self.work.threads())?;
        }
        let schema = match &base {
            Some(base) => Some(base.schema.clone()),
            None => self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?,
        };
        files::check_writable_model(&self.out, self.force)?;
        if let Some(log) = &self.log {
            check_table_path(log)?;
            let inputs: Vec<&Path> = [Some(&self.data), self.schema.as_ref()]
                .into_iter()
                .flatten()
                .map(PathBuf::as_path)
                .collect();
            files::check_output(log, &inputs, self.force)?;
        }
        let kept = self.prepare_checkpoints(common, choice)?;
        let train = self.read(common, schema.as_ref())?;
        let identity = self.identity(work, &train)?;
        let resume =
            kept.map(|(path, kept)| checkpoint::state_for(&path, kept, &identity)).transpose()?;
        let mut keeper = Keeper { path: checkpoint::beside(&self.out), identity, latest: None };
        let mut task = Progress::new(common.quiet).task(&choice.name);
        let mut watch = Stopwatch::new(&mut task);
        let fitted = self
            .train(&mut watch, work, &train, &mut keeper, resume)
            .inspect_err(|error| self.tell_interrupted(common, error, &keeper))?;
        let seconds = watch.seconds();
        let (phases, curves) = watch.finish();
        drop(task);
        let (header, tensors) = fitted.save()?.to_bytes()?;
        let parts = [(Artifact::JSON_FILE, header), (Artifact::TENSOR_FILE, tensors)];
        files::write_folder(&self.out, &parts, self.force)?;
        if let Some(log) = &self.log {
            datasets::write_table(log, &twin::training_log(&curves)?)?;
        }
        self.remove_checkpoint()?;
        self.tell(common, choice, &train, seconds, &phases)
    }

    fn train(
        &self,
        observer: &mut dyn Observer,
        Work { choice, base, device }: Work<'_>,
        train: &Table,
        keeper: &mut Keeper,
        resume: Option<TrainingState>,
    ) -> Result<Box<dyn Fitted>> {
        // What was kept once is not lost by a second interruption.
        let every = self.checkpoint_every.or(self.resume.as_ref().map(|_| NonZeroU64::MAX));
        let mut keep = |state| keeper.keep(state);
        let checkpoints = every.map(|every| CheckpointSink { every, keep: &mut keep });
        let context = FitContext::new(Seed(self.work.seed), observer);
        let (kernels, threads) = (self.kernels(), self.work.threads());
        let mut ctx = FitContext { device, kernels, threads, checkpoints, resume, ..context };
        let recipe = &choice.recipe.synthesizer;
        let fitted = match base {
            None => recipe.fit(train, &mut ctx),
            Some(base) => recipe.fit_further(base, train, &mut ctx),
        };
        fitted.map_err(|error| self.named(error))
    }

    fn kernels(&self) -> Kernels {
        if self.plain { Kernels::Plain } else { Kernels::Fused }
    }

    /// Checks, before the table is read, what can be checked about checkpoints, and reads the one
    /// to go on from.
    fn prepare_checkpoints(
        &self,
        common: &Common,
        choice: &Choice,
    ) -> Result<Option<(PathBuf, Checkpoint)>> {
        if self.checkpoint_every.is_some() || self.resume.is_some() {
            checkpoint::check_model(choice.entry)?;
        }
        let ours = checkpoint::beside(&self.out);
        let Some(named) = &self.resume else {
            if self.checkpoint_every.is_some() && ours.exists() && !self.force {
                return Err(Error::Request(format!(
                    "{} is there already, from an interrupted training\n  help: go on with --resume, or begin anew with --force",
                    ours.display()
                )));
            }
            if self.checkpoint_every.is_none() && ours.exists() {
                common.remark(&left_over(&ours));
            }
            return Ok(None);
        };
        let path = checkpoint::find(named.as_ref().unwrap_or(&self.out))?;
        if ours.exists() && !files::is_same(&path, &ours) && !self.force {
            return Err(Error::Request(format!(
                "{} is there already, from another interrupted training, and --resume names {}\n  help: give another --out, or replace it with --force",
                ours.display(),
                path.display()
            )));
        }
        let kept = checkpoint::read(&path)?;
        Ok(Some((path, kept)))
    }

    fn identity(&self, work: Work<'_>, train: &Table) -> Result<Identity> {
        let Work { choice, base, device } = work;
        Ok(Identity {
            version: VERSION.into(),
            model: choice.entry.name.into(),
            recipe: choice.recipe.settings.clone(),
            table: datasets::table_hash(train),
            seed: self.work.seed,
            device: device.to_string(),
            kernels: Identity::kernels(device, self.kernels()),
            base: base.map(checkpoint::model_hash).transpose()?,
        })
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

    /// Says what there is to go on from: only a state that this very training has written.
    fn tell_interrupted(&self, common: &Common, error: &Error, keeper: &Keeper) {
        if !matches!(error, Error::Interrupted) {
            return;
        }
        match (keeper.latest, &self.resume) {
            (Some(update), named) => common.remark(&format!(
                "the state of the training after update {update} is kept in {}\n  help: give the same command with --resume{} to go on",
                keeper.path.display(),
                if matches!(named, Some(Some(_))) { " (and no file behind it)" } else { "" },
            )),
            (None, Some(_)) => common.remark(
                "no update was made, the checkpoint that was named is as it was\n  help: give the same command again to go on",
            ),
            (None, None) if self.checkpoint_every.is_some() => {
                common.remark("no update was made, no state of the training is kept");
            }
            (None, None) => {}
        }
    }

    fn choice(&self, base: Option<&Artifact>) -> Result<Choice> {
        let bad = |text: &str| Error::Request(format!("{text:?} is not `key=value`, as epochs=50"));
        let settings = self
            .set
            .iter()
            .map(|text| plan::parse_pair(text).ok_or_else(|| bad(text)))
            .collect::<Result<toml::Table>>()?;
        match base {
            Some(base) => registry::choose_saved(base, &settings),
            // The parser asks for a name where no folder is given.
            None => registry::choose(self.model.as_deref().unwrap_or_default(), &settings),
        }
    }

    fn read(&self, common: &Common, schema: Option<&Schema>) -> Result<Table> {
        let read = match schema {
            Some(schema) if self.further.is_some() => self.table.read_for_model(&self.data, schema),
            _ => self.table.read(&self.data, schema),
        };
        let table = read.map_err(|error| self.named(error))?;
        if schema.is_none() {
            guessed::check(common, &self.data, &table, (&[], ""))?;
        }
        Ok(table)
    }

    /// A model speaks of columns and rows and knows no files; the user has to be told which.
    fn named(&self, error: Error) -> Error {
        files::in_file(error, &self.data)
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
                "continues": self.further.as_ref().map(|folder| folder.display().to_string()),
                "rows": train.rows(),
                "columns": train.columns().len(),
                "seconds": {"fit": seconds},
                "phases": phases,
                "peak_memory_bytes": memory::peak(),
                "out": self.out.display().to_string(),
            }));
        }
        common.done(&format!(
            "{} {} {} rows of {} columns in {}; the model is in {}",
            choice.name,
            if self.further.is_some() { "learned further from" } else { "learned" },
            train.rows(),
            train.columns().len(),
            units::show_seconds(seconds),
            self.out.display()
        ))
    }
}

/// What is trained, from which saved model on, and where.
#[derive(Clone, Copy)]
struct Work<'a> {
    choice: &'a Choice,
    base: Option<&'a Artifact>,
    device: Device,
}

/// Writes the states of one training, and knows which it wrote.
struct Keeper {
    path: PathBuf,
    identity: Identity,
    /// The update whose state is in the file; `None` while the file is not this training's.
    latest: Option<u64>,
}

impl Keeper {
    fn keep(&mut self, state: TrainingState) -> Result<()> {
        let update = state.step;
        checkpoint::write(&self.path, &self.identity, state)?;
        self.latest = Some(update);
        Ok(())
    }
}

/// A remark on a file beside the model folder that nobody asked to go on from.
fn left_over(path: &Path) -> String {
    let shown = path.display();
    match checkpoint::read(path) {
        Ok(_) => format!(
            "{shown} is there from an interrupted training; this one begins anew and leaves it there\n  help: go on from it with --resume, or remove it"
        ),
        Err(_) => format!("{shown} is there and is no checkpoint; it is left as it is"),
    }
}
