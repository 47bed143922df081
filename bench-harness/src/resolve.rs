//! What a plan means: everything checked, nothing run.

use crate::cell::{self, Job, SPLIT_SEED};
use crate::details;
use crate::plan::{Plan, PlanModel, Setting};
use crate::registry::{self, Choice};
use crate::{machine, units};
use datasets::{Chosen, Places};
use meg_core::{Error, Instructions, Kernels, Observer, Result};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

/// A plan whose every name, setting and limit is known to be good.
#[derive(Debug)]
pub struct Resolved {
    /// Tables, in report order.
    pub datasets: Vec<Chosen>,
    /// Models, in report order.
    pub models: Vec<Row>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Largest number of training rows.
    pub rows: Option<u64>,
    /// Cells at the same time.
    pub jobs: usize,
    /// Threads per cell.
    pub threads: usize,
    /// Time limit per cell.
    pub timeout: Option<Duration>,
    /// Memory limit per cell.
    pub memory_limit: Option<u64>,
    /// Device of the tensors.
    pub device: String,
    /// How updates are computed on the processor.
    pub kernels: Kernels,
    /// Whether synthetic tables are kept.
    pub keep_samples: bool,
    /// Words that name the scores to compute; none for the default set.
    pub metrics: Vec<String>,
    /// What the reader must know (tables that share rows).
    pub warnings: Vec<String>,
    /// The plan as it is kept beside the results; reading it gives this again.
    pub written: Plan,
}

/// One model of the run.
#[derive(Debug)]
pub struct Row {
    /// Name in the report.
    pub label: String,
    /// The model and its recipe.
    pub choice: Choice,
}

/// The tables of a run that are there, and those that are not.
#[derive(Debug, Default)]
pub struct Survey {
    /// Tables whose files are there.
    pub found: Vec<Found>,
    /// Tables that could not be had.
    pub skipped: Vec<Skipped>,
}

/// A table whose files are there.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Name of the table.
    pub dataset: String,
    /// What finds it from any folder.
    pub table: String,
    /// Hash of the table; empty when it could not be read.
    pub data_hash: String,
    /// Hash of the split; empty when it could not be read.
    pub split_hash: String,
    /// Why it could not be read (a wrong checksum, a cell that is no number). Its cells are run all
    /// the same: each meets the error again while it loads and ends as failed, with the reason.
    pub problem: Option<String>,
}

/// A table that could not be had, with the way to get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Name of the table.
    pub dataset: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Checks a plan with the settings of the command line laid over it.
///
/// # Errors
/// At the first name, setting or limit that is wrong.
pub fn resolve(plan: Plan, settings: &[Setting]) -> Result<Resolved> {
    let chosen = datasets::select(&filled(plan.datasets, "datasets")?)?;
    let models = resolve_models(filled(plan.models, "models")?, settings)?;
    let seeds = filled(plan.seeds, "seeds")?;
    refuse_twice("the seed", seeds.iter())?;
    positive("rows", plan.rows)?;
    positive("jobs", plan.jobs.map(|jobs| jobs as u64))?;
    positive("threads", plan.threads.map(|threads| threads as u64))?;
    let cells = chosen.tables.len() * models.len() * seeds.len();
    let cores = machine::cores();
    let jobs = plan.jobs.unwrap_or(cores).clamp(1, cells.max(1));
    let device = plan.device.unwrap_or_else(|| "cpu".into());
    cell::parse_device(&device)?;
    let mut resolved = Resolved {
        datasets: chosen.tables,
        models,
        seeds,
        rows: plan.rows,
        jobs,
        threads: plan.threads.unwrap_or((cores / jobs).max(1)),
        timeout: plan.timeout.as_deref().map(units::parse_duration).transpose()?,
        memory_limit: plan.memory_limit.as_deref().map(units::parse_bytes).transpose()?,
        device,
        kernels: if plan.plain == Some(true) { Kernels::Plain } else { Kernels::Fused },
        keep_samples: plan.keep_samples.unwrap_or(false),
        metrics: resolve_metrics(plan.metrics)?,
        warnings: chosen.warnings,
        written: Plan::default(),
    };
    resolved.written = resolved.as_plan(plan.timeout, plan.memory_limit);
    Ok(resolved)
}

/// Reads every table once, so that what is missing is known before anything runs and every cell
/// has its key. Only a table whose files cannot be found or fetched is skipped: one that is there and
/// wrong is a failure that must be seen.
///
/// # Errors
/// When the observer interrupts.
pub fn survey(plan: &Resolved, places: &Places, observer: &mut dyn Observer) -> Result<Survey> {
    let mut survey = Survey::default();
    for table in &plan.datasets {
        match table.provide(places, observer) {
            Ok(()) => survey.found.push(read(table, places, observer)?),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                let dataset = table.name().to_owned();
                survey.skipped.push(Skipped { dataset, reason: error.to_string() });
            }
        }
    }
    Ok(survey)
}

fn read(table: &Chosen, places: &Places, observer: &mut dyn Observer) -> Result<Found> {
    let (dataset, address) = (table.name().to_owned(), table.address().to_owned());
    let found = Found { dataset, table: address, ..Found::default() };
    match table.load(places, SPLIT_SEED, observer) {
        Ok(data) => Ok(Found { data_hash: data.hash, split_hash: data.split, ..found }),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => Ok(Found { problem: Some(error.to_string()), ..found }),
    }
}

impl Resolved {
    /// The cells, in report order: by table, then model, then seed.
    pub fn jobs(&self, found: &[Found], places: &Places, out: &Path) -> Vec<Job> {
        let mut jobs = Vec::new();
        for table in found {
            for row in &self.models {
                jobs.extend(self.seeds.iter().map(|&seed| self.job(table, row, seed, places, out)));
            }
        }
        jobs
    }

    fn job(&self, table: &Found, row: &Row, seed: u64, places: &Places, out: &Path) -> Job {
        let sample = format!("{}-{}-{seed}.parquet", table.dataset, row.label);
        let job = Job {
            dataset: table.dataset.clone(),
            table: table.table.clone(),
            data_hash: table.data_hash.clone(),
            split_hash: table.split_hash.clone(),
            label: row.label.clone(),
            model: row.choice.name.clone(),
            settings: row.choice.settings.to_string(),
            entry: row.choice.entry.name.to_owned(),
            recipe: row.choice.recipe.settings.clone(),
            seed,
            rows: self.rows,
            threads: self.threads,
            device: self.device.clone(),
            plain: self.kernels == Kernels::Plain,
            instructions: Instructions::detected().name().into(),
            metrics: self.metrics.clone(),
            memory_limit: self.memory_limit,
            folders: places.folders.clone(),
            cache: places.cache.clone(),
            sample_file: self.keep_samples.then(|| out.join("samples").join(sample)),
            details_file: None,
        };
        // Named after the key, which the other fields decide.
        let details_file = Some(details::file(out, &job.key()));
        Job { details_file, ..job }
    }

    fn as_plan(&self, timeout: Option<String>, memory_limit: Option<String>) -> Plan {
        let models = self.models.iter().map(|row| PlanModel {
            name: row.choice.name.clone(),
            label: (row.label != row.choice.name).then(|| row.label.clone()),
            settings: without_nulls(&row.choice.recipe.settings),
        });
        Plan {
            datasets: Some(self.datasets.iter().map(|table| table.given().to_owned()).collect()),
            seeds: Some(self.seeds.clone()),
            rows: self.rows,
            jobs: Some(self.jobs),
            threads: Some(self.threads),
            timeout,
            memory_limit,
            device: Some(self.device.clone()),
            plain: (self.kernels == Kernels::Plain).then_some(true),
            keep_samples: Some(self.keep_samples),
            metrics: (!self.metrics.is_empty()).then(|| self.metrics.clone()),
            models: Some(models.collect()),
        }
    }
}

/// The default set has no words, so that asking for it by name gives the same cells.
fn resolve_metrics(words: Option<Vec<String>>) -> Result<Vec<String>> {
    let words = words.unwrap_or_default();
    eval::select(&words)?;
    let default = words.iter().all(|word| word == "default");
    Ok(if default { Vec::new() } else { words })
}

fn resolve_models(models: Vec<PlanModel>, settings: &[Setting]) -> Result<Vec<Row>> {
    refuse_twice("the model label", models.iter().map(PlanModel::label))?;
    let labels: Vec<&str> = models.iter().map(PlanModel::label).collect();
    if let Some(label) = labels.iter().find(|label| !is_plain(label)) {
        return Err(Error::Request(format!(
            "the model label {label:?} should be of letters, digits, `-`, `_` and `.` only, because files are named after it"
        )));
    }
    if let Some(lost) = settings.iter().find(|set| !labels.contains(&set.label.as_str())) {
        return Err(Error::Request(format!(
            "--set {}.{}: no such model in this run; there are: {}",
            lost.label,
            lost.key,
            labels.join(", ")
        )));
    }
    let rows = models
        .iter()
        .map(|model| {
            let mut own = model.settings.clone();
            let set = settings.iter().filter(|set| set.label == model.label());
            own.extend(set.map(|set| (set.key.clone(), set.value.clone())));
            let label = model.label().to_owned();
            match registry::choose(&model.name, &own) {
                Ok(choice) => Ok(Row { label, choice }),
                // A recipe does not know which of several models of one plan it is.
                Err(error @ Error::Recipe { .. }) => {
                    Err(Error::Request(format!("model {label:?}: {error}")))
                }
                Err(error) => Err(error),
            }
        })
        .collect::<Result<Vec<Row>>>()?;
    refuse_equal(&rows)?;
    Ok(rows)
}

/// Two rows of one recipe would be one cell with two names.
fn refuse_equal(rows: &[Row]) -> Result<()> {
    let recipe =
        |row: &Row| (row.choice.entry.name, registry::canonical(&row.choice.recipe.settings));
    let mut known: HashMap<_, &str> = HashMap::new();
    for row in rows {
        if let Some(first) = known.insert(recipe(row), &row.label) {
            return Err(Error::Request(format!(
                "the models {first:?} and {:?} of the plan are the same, with the same settings: leave one of them out, or change a setting",
                row.label
            )));
        }
    }
    Ok(())
}

fn without_nulls(settings: &serde_json::Value) -> toml::Table {
    let fields = settings.as_object().into_iter().flatten();
    fields
        .filter_map(|(key, value)| Some((key.clone(), toml::Value::try_from(value).ok()?)))
        .collect()
}

fn filled<T>(list: Option<Vec<T>>, name: &str) -> Result<Vec<T>> {
    list.filter(|list| !list.is_empty())
        .ok_or_else(|| Error::Request(format!("the plan names no {name}")))
}

fn refuse_twice<T: std::hash::Hash + Eq + std::fmt::Display>(
    what: &str,
    items: impl Iterator<Item = T>,
) -> Result<()> {
    let mut seen = HashSet::new();
    for item in items {
        if seen.contains(&item) {
            return Err(Error::Request(format!("{what} {item} occurs twice in the plan")));
        }
        seen.insert(item);
    }
    Ok(())
}

fn positive(name: &str, value: Option<u64>) -> Result<()> {
    match value {
        Some(0) => Err(Error::Request(format!("{name} should be at least 1, but is 0"))),
        _ => Ok(()),
    }
}

fn is_plain(label: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !label.is_empty() && !label.starts_with('.') && label.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_empty_lists_are_refused() {
        let message = refuse_twice("the seed", [1, 2, 1].iter()).unwrap_err().to_string();
        assert!(message.contains("seed 1 occurs twice"), "{message}");
        assert!(filled(Some(Vec::<u64>::new()), "seeds").is_err());
        assert!(positive("rows", Some(0)).is_err());
        assert!(is_plain("ctgan-50") && !is_plain("../x") && !is_plain(""));
    }

    #[test]
    fn mistakes_in_models_name_their_labels() {
        let check = |models: &str, parts: &[&str]| {
            let plan = format!("datasets = [\"clinic\"]\nseeds = [1]\nmodels = [{models}]");
            let message = resolve(Plan::from_toml(&plan).unwrap(), &[]).unwrap_err().to_string();
            for part in parts {
                assert!(message.contains(part), "{message} should contain {part}");
            }
            message
        };
        let wrong = r#"{ name = "ctgan", label = "x", settings = { epoch = 1 } }"#;
        check(wrong, &["model \"x\": setting `epoch`", "did you mean `epochs`?"]);
        let kind = r#"{ name = "ctgan", label = "y", settings = { epochs = "many" } }"#;
        check(kind, &["model \"y\": setting `epochs`"]);
        let twice = r#""copy", { name = "copy", label = "again" }"#;
        let message = check(twice, &["\"copy\"", "\"again\"", "leave one of them out"]);
        assert!(!message.contains('{'), "{message}");
    }
}
