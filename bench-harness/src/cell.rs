//! One cell: load, fit, sample, evaluate.

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
mod watch;

use crate::details::Details;
use crate::record::{PeakMemory, Record, Rows, Seconds, Status};
use crate::truth::truth;
use crate::{VERSION, memory, registry};
use datasets::{Chosen, Dataset, Places};
use eval::{Comparison, Truth};
use meg_core::{
    Device, Error, Event, FitContext, Fitted, Kernels, Observer, Phase, Recipe, Result,
    SampleContext, SampleRequest, Seed, Table,
};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;
pub(crate) use watch::Watch;

/// The seed of every split. The seeds of a plan vary the models, not the rows they see, so that a
/// spread over seeds is the spread of training and sampling alone.
pub const SPLIT_SEED: Seed = Seed(0);

/// Everything a child process needs to compute one cell; it travels as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Name of the table.
    pub dataset: String,
    /// What finds the table from any folder: its name in the catalogue, or a path.
    pub table: String,
    /// Hash of the table.
    pub data_hash: String,
    /// Hash of its split.
    pub split_hash: String,
    /// Label of the model in this run.
    pub label: String,
    /// Name of the model or variant.
    pub model: String,
    /// Settings over the paper's, as TOML.
    pub settings: String,
    /// Name of the model's entry.
    pub entry: String,
    /// Every setting, resolved.
    pub recipe: Value,
    /// The seed.
    pub seed: u64,
    /// Largest number of training rows.
    pub rows: Option<u64>,
    /// Threads to use.
    pub threads: usize,
    /// Device of the tensors: `cpu` or `cuda:N`.
    pub device: String,
    /// Whether to train by plain tensor expressions instead of kernels.
    pub plain: bool,
    /// Instructions of the processor, as [`meg_core::Instructions`] are named.
    pub instructions: String,
    /// Words that name the scores to compute; none for the default set.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// Largest size of the process's data in bytes.
    pub memory_limit: Option<u64>,
    /// Folders to look for the table in.
    pub folders: Vec<PathBuf>,
    /// The cache of downloaded tables.
    pub cache: PathBuf,
    /// Where to keep the synthetic table, if anywhere.
    pub sample_file: Option<PathBuf>,
    /// Where to keep what the report draws, if anywhere.
    #[serde(default)]
    pub details_file: Option<PathBuf>,
}

impl Job {
    /// SHA-256 over everything that decides the values: not over labels, threads, limits or times.
    pub fn key(&self) -> String {
        let mut decisive = serde_json::json!({
            "data": self.data_hash,
            "dataset": self.dataset,
            "device": self.device,
            "model": self.entry,
            "recipe": self.recipe,
            "rows": self.rows,
            "seed": self.seed,
            "split": self.split_hash,
            "version": VERSION,
        });
        // Processors with other instructions round otherwise.
        if self.device == Device::Cpu.to_string() {
            decisive["instructions"] = self.instructions.clone().into();
        }
        if self.plain {
            decisive["kernels"] = Kernels::Plain.name().into();
        }
        if !self.metrics.is_empty() {
            decisive["metrics"] = self.metrics.clone().into();
        }
        let digest = Sha256::digest(registry::canonical(&decisive));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The record to begin with; its status is that of a cell that nobody has computed.
    pub fn record(&self) -> Record {
        Record {
            key: self.key(),
            dataset: self.dataset.clone(),
            model: self.label.clone(),
            seed: self.seed,
            status: Status::Failed,
            phase: None,
            reason: Some("not computed".into()),
            recipe: self.recipe.clone(),
            seconds: Seconds::default(),
            peak_memory_bytes: None,
            metrics: Vec::new(),
            entry: self.entry.clone(),
            data_hash: self.data_hash.clone(),
            split_hash: self.split_hash.clone(),
            rows: Rows { limit: self.rows, ..Rows::default() },
            acceptance: None,
            notes: Vec::new(),
            device: self.device.clone(),
            version: VERSION.into(),
            peak_memory: PeakMemory::default(),
        }
    }

    /// `dataset/label/seed`, for messages and file names.
    pub fn title(&self) -> String {
        format!("{} · {} · seed {}", self.dataset, self.label, self.seed)
    }
}

/// Computes one cell. Whatever goes wrong is in the record.
pub fn run(job: &Job, observer: &mut dyn Observer) -> Record {
    let mut watch = Watch::new(observer);
    let mut record = job.record();
    let mut details = Details::new(record.key.clone());
    let outcome = load(job, &mut watch).and_then(|real| {
        let choice = registry::choose(&job.model, &parse_settings(&job.settings)?)?;
        measure(job, &choice.recipe, &real, (&mut record, &mut details), &mut watch)?;
        details.curves = watch.curves();
        job.details_file.as_ref().map_or(Ok(()), |file| details.write(file))
    });
    close(record, outcome, &watch)
}

/// Reads `cpu` or `cuda:N`.
///
/// # Errors
/// A request error that shows what there is.
pub fn parse_device(text: &str) -> Result<Device> {
    let ordinal = |text: &str| text.strip_prefix("cuda:").and_then(|number| number.parse().ok());
    match text {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda(0)),
        _ => ordinal(text)
            .map(Device::Cuda)
            .ok_or_else(|| Error::Request(format!("no device {text:?}; write `cpu` or `cuda:0`"))),
    }
}

/// Settings as a TOML table.
///
/// # Errors
/// When the text is not TOML.
pub fn parse_settings(text: &str) -> Result<toml::Table> {
    text.parse().map_err(|error: toml::de::Error| {
        Error::Request(format!("not TOML settings: {}", error.message()))
    })
}

/// Real rows, and the law they were drawn from, if it is known.
struct Real {
    data: Dataset,
    truth: Option<Box<dyn Truth>>,
}

fn load(job: &Job, watch: &mut Watch<'_>) -> Result<Real> {
    watch.enter(Phase::Load);
    // The parent has fetched everything; a cell never uses the network.
    let places = Places { folders: job.folders.clone(), cache: job.cache.clone(), download: false };
    let table = Chosen::find(&job.table)?;
    let data = table.load(&places, SPLIT_SEED, watch)?;
    if data.hash != job.data_hash || data.split != job.split_hash {
        return Err(Error::data(format!(
            "the files of {} changed while the benchmark was running",
            job.dataset
        )));
    }
    let limit = job.rows.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
    let truth = truth(&table, &places, watch)?;
    Ok(Real { data: data.with_train_rows(limit, SPLIT_SEED), truth })
}

fn measure(
    job: &Job,
    recipe: &Recipe,
    real: &Real,
    (record, details): (&mut Record, &mut Details),
    watch: &mut Watch<'_>,
) -> Result<()> {
    let data = &real.data;
    let train = &data.train;
    record.rows.train = train.rows() as u64;
    record.rows.holdout = data.holdout.rows() as u64;
    let second = match job.entry == reference::HOLDOUT.name {
        true => Some(second_sample(&data.holdout, train.rows(), Seed(job.seed), watch)?),
        false => None,
    };
    let (synthetic, holdout) = match second {
        Some((played, rest)) => {
            record.rows.synthetic = played.rows() as u64;
            (played, Cow::Owned(rest))
        }
        None => {
            let synthetic = synthesise(job, recipe, train, (record, details), watch)?;
            (synthetic, Cow::Borrowed(&data.holdout))
        }
    };
    if let Some(file) = &job.sample_file {
        datasets::write_table(file, &synthetic)?;
    }
    let tables = Comparison {
        train,
        holdout: Some(&holdout),
        synthetic: &synthetic,
        truth: real.truth.as_deref(),
        seed: Seed(job.seed),
        threads: job.threads,
    };
    evaluate(job, &tables, (record, details), watch)
}

/// Computes the scores, and what the report draws of the rows where it is kept.
pub(crate) fn evaluate(
    job: &Job,
    comparison: &Comparison<'_>,
    (record, details): (&mut Record, &mut Details),
    watch: &mut Watch<'_>,
) -> Result<()> {
    watch.enter(Phase::Evaluate);
    let metrics = eval::select(default_if_empty(&job.metrics))?;
    let (scores, peak) = memory::measured(|| eval::evaluate_with(&metrics, comparison, watch));
    record.peak_memory.evaluate = peak;
    record.metrics = scores?;
    if job.details_file.is_some() {
        details.project(comparison);
    }
    Ok(())
}

/// The yardstick `holdout`: a part of the holdout rows plays the synthetic rows and the rest plays
/// the holdout, so that no row is on both sides. No model is involved. At most half of them play,
/// and no more than a model would draw.
fn second_sample(
    holdout: &Table,
    wanted: usize,
    seed: Seed,
    watch: &mut Watch<'_>,
) -> Result<(Table, Table)> {
    let played = wanted.min(holdout.rows() / 2);
    if played == 0 {
        return Err(Error::data(
            "the yardstick `holdout` needs a holdout part of two rows at least; leave it out for this table",
        ));
    }
    let mut rows: Vec<usize> = (0..holdout.rows()).collect();
    rows.shuffle(&mut seed.stream("second sample"));
    let (mut played, mut rest) = (rows[..played].to_vec(), rows[played..].to_vec());
    played.sort_unstable();
    rest.sort_unstable();
    (watch as &mut dyn Observer).note(&format!(
        "{} holdout rows stand for synthetic ones (a model draws {wanted}), the other {} for the holdout",
        played.len(),
        rest.len()
    ));
    Ok((holdout.select_rows(&played), holdout.select_rows(&rest)))
}

fn synthesise(
    job: &Job,
    recipe: &Recipe,
    train: &Table,
    (record, details): (&mut Record, &mut Details),
    watch: &mut Watch<'_>,
) -> Result<Table> {
    let fitted = fit(job, recipe, train, record, watch)?;
    details.describe(fitted.as_ref());
    sample(job, fitted.as_ref(), (train, train.rows()), record, watch)
}

/// The words of a selection of metrics.
fn default_if_empty(words: &[String]) -> &[String] {
    static DEFAULT: LazyLock<[String; 1]> = LazyLock::new(|| ["default".into()]);
    if words.is_empty() { DEFAULT.as_slice() } else { words }
}

/// Trains, timed.
pub(crate) fn fit(
    job: &Job,
    recipe: &Recipe,
    train: &Table,
    record: &mut Record,
    watch: &mut Watch<'_>,
) -> Result<Box<dyn Fitted>> {
    watch.enter(Phase::Train);
    let device = parse_device(&job.device)?;
    let kernels = if job.plain { Kernels::Plain } else { Kernels::Fused };
    if job.plain {
        let text = "trained by plain tensor expressions instead of kernels (--plain)";
        watch.event(&Event::Note { text });
    }
    let context = FitContext::new(Seed(job.seed), watch);
    let mut ctx = FitContext { device, kernels, threads: job.threads, ..context };
    let ((fitted, seconds), peak) = memory::measured(|| {
        let start = Instant::now();
        let fitted = recipe.synthesizer.fit(train, &mut ctx);
        (fitted, start.elapsed().as_secs_f64())
    });
    record.seconds.fit = Some(seconds);
    record.peak_memory.fit = peak;
    fitted
}

/// Draws so many rows, timed.
pub(crate) fn sample(
    job: &Job,
    fitted: &dyn Fitted,
    (train, rows): (&Table, usize),
    record: &mut Record,
    watch: &mut Watch<'_>,
) -> Result<Table> {
    watch.enter(Phase::Sample);
    let request = SampleRequest::rows(rows);
    let mut ctx = SampleContext {
        rng: Seed(job.seed).stream("sample"),
        threads: job.threads,
        observer: watch,
    };
    let ((table, seconds), peak) = memory::measured(|| {
        let start = Instant::now();
        let table = fitted.sample(&request, &mut ctx);
        (table, start.elapsed().as_secs_f64())
    });
    record.seconds.sample = Some(seconds);
    record.peak_memory.sample = peak;
    record.peak_memory_bytes = record.peak_memory.fit.max(record.peak_memory.sample);
    let table = table?;
    record.rows.synthetic = table.rows() as u64;
    if table.rows() != request.rows || table.schema() != train.schema() {
        return Err(Error::data(format!(
            "the model drew {} rows where {} were asked for, or rows of another schema",
            table.rows(),
            request.rows
        )));
    }
    Ok(table)
}

/// Ends the record with what was heard.
pub(crate) fn close(mut record: Record, outcome: Result<()>, watch: &Watch<'_>) -> Record {
    record.notes.clone_from(&watch.notes);
    record.acceptance = watch.acceptance();
    match outcome {
        Ok(()) => {
            record.status = Status::Ok;
            record.reason = None;
            record
        }
        Err(error) => {
            record.ended(Status::Failed, Some(watch.phase.name().into()), error.to_string())
        }
    }
}
