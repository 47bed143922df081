use super::options::{Common, DataOptions, thread_count};
use super::progress::{Cells, Progress};
use super::{Outcome, interrupt, output};
use bench_harness::plan::{self, Plan, PlanModel, Setting};
use bench_harness::record::Record;
use bench_harness::report::{self, Format};
use bench_harness::resolve::{Resolved, Survey, resolve, survey};
use bench_harness::run::{self, Settings};
use bench_harness::store::{Manifest, Store};
use bench_harness::{details, files, registry, units};
use clap::Args;
use meg_core::{DataError, Error, Result};
use std::path::{Path, PathBuf};

/// Compare models on named tables and on your own.
///
/// Every cell (dataset x model x seed) is computed in a process of its own and kept as one line of
/// cells.jsonl. Cells that are there already are not computed again, so an interrupted run goes on
/// where it stopped: give the same command.
#[derive(Debug, Args)]
#[command(
    after_help = "Without arguments the starter plan runs: datasets clinic, thyroid, patients; models copy, independent, meg, ctgan; seed 1. Options win over the plan file, the plan file over the starter plan.\n\n\
    A plan file:\n  \
    datasets = [\"clinic\", \"thyroid*\", \"people/\"]\n  \
    models = [\"independent\", { name = \"ctgan\", label = \"ctgan-50\", settings = { epochs = 50 } }]\n  \
    seeds = [1, 2, 3]\n  \
    rows = 5000            # at most so many training rows\n  \
    jobs = 2               # cells at the same time\n  \
    threads = 1            # per cell\n  \
    timeout = \"30m\"        # per cell\n  \
    memory_limit = \"4G\"    # per cell\n  \
    metrics = [\"default\", \"attacks\"]\n\n\
    A relative path of a folder in datasets begins in the current folder, as on the command line, wherever the plan lies.\n\n\
    Plans that come along: simulated and real (Table 6 of the CTGAN paper, beside its values), models (every model on two tables), like-for-like (all models, nine tables, one mean rank), meg-documentation and meg-report (the tables of the MEG documents), meg-ablation, meg-privacy, ctgan-terms, tgan-terms, table-gan-deltas, simulated-networks, thyroid-updates."
)]
pub(crate) struct Bench {
    /// Plan file, or name of a plan that comes along; see below.
    plan: Option<PathBuf>,
    /// Names or globs of tables, as `clinic,thyroid*` (`meg datasets list` shows them), and folders
    /// of your own, as `people/`: train.csv, holdout.csv (or .parquet) and schema.toml, as
    /// `meg datasets split` and `meg datasets export` write them. A path has a `/` in it or is a
    /// folder that is there; a named table of that name wins. Its last component is its name in the
    /// report. A path with a comma goes into a plan.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    datasets: Option<Vec<String>>,
    /// Models or variants, as `copy,ctgan` (`meg models list` shows them), or labels of the plan.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    models: Option<Vec<String>>,
    /// Seeds; the report shows mean and standard deviation over them.
    #[arg(long, alias = "seed", value_delimiter = ',', value_name = "LIST")]
    seeds: Option<Vec<u64>>,
    /// One setting of one model, as `ctgan.epochs=50`; may be given more than once.
    #[arg(long, value_name = "MODEL.KEY=VALUE")]
    set: Vec<String>,
    /// Largest number of training rows per table.
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// Cells at the same time [default: number of cores].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Threads per cell, at most 1024 [default: cores divided by jobs]; results do not depend on it.
    #[arg(long, value_name = "N", value_parser = thread_count())]
    threads: Option<u64>,
    /// Time limit per cell, as `90s`, `30m` or `2h`.
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Memory limit per cell, as `512M` or `4G`: of the memory that its process asks for to write
    /// to (heap and stacks, touched or not), not of files that it maps, nor of a device's memory.
    /// An allocation beyond it fails and ends the cell as out_of_memory; the others go on. Linux
    /// only: elsewhere every cell is refused or the limit may not hold.
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,
    /// Where tensors live: `cpu` or `cuda:0` [default: cpu].
    #[arg(long)]
    device: Option<String>,
    /// Train by plain tensor expressions instead of hand-written kernels: slow, for comparison.
    #[arg(long)]
    plain: bool,
    /// Scores to compute, as `default,attacks`: sets (default, all), groups, the learners of a
    /// paper's table (ctgan-adult, ...), the scores of a MEG document's table (meg-documentation,
    /// meg-report), or names of scores; `meg metrics list` shows them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    metrics: Option<Vec<String>>,
    /// Keep the synthetic tables in DIR/samples.
    #[arg(long)]
    keep_samples: bool,
    /// Compute every cell again. Cells know the version of the program but not its source: use this
    /// after changing code.
    #[arg(long)]
    fresh: bool,
    /// Folder of the results.
    #[arg(long, default_value = "bench-results", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    data: DataOptions,
}

impl Bench {
    pub(crate) fn run(&self, common: &Common) -> Result<Outcome> {
        let settings =
            self.set.iter().map(|text| Setting::parse(text)).collect::<Result<Vec<_>>>()?;
        let plan = resolve(self.written()?, &settings)?;
        for warning in &plan.warnings {
            common.remark(&format!("warning: {warning}"));
        }
        files::check_writable_folder(&self.out)?;
        let places = self.data.places();
        let progress = Progress::new(common.quiet);
        let survey = survey(&plan, &places, &mut progress.task("reading tables"))?;
        show_absent(&progress, &survey)?;
        // Only now: a run without any table leaves no folder behind.
        let mut store = Store::open(&self.out)?;
        let jobs = plan.jobs(&survey.found, &places, &self.out);
        let samples = plan.keep_samples.then(|| self.out.join("samples"));
        for folder in samples.into_iter().chain([self.out.join(details::FOLDER)]) {
            std::fs::create_dir_all(&folder)
                .map_err(|error| files::cannot_write(&folder, &error))?;
        }
        let planned = run::planned(&jobs);
        if self.fresh {
            store.forget(&planned)?;
        }
        let manifest = manifest(&plan, survey, planned);
        store.describe(&plan.written, &manifest)?;
        let cells = Cells::new(progress, jobs.len());
        let program = std::env::current_exe()
            .map_err(|error| Error::data(format!("this program cannot be found: {error}")))?;
        let settings = Settings {
            program: &program,
            parallel: plan.jobs,
            timeout: plan.timeout,
            stop: &interrupt::STOP,
        };
        let records = run::run(&jobs, store, settings, &cells)?;
        self.finish(common, &manifest, &records, cells.reused())
    }

    fn written(&self) -> Result<Plan> {
        let named = |names: &Vec<String>| names.iter().map(|name| PlanModel::named(name)).collect();
        let options = Plan {
            datasets: self.datasets.clone(),
            seeds: self.seeds.clone(),
            rows: self.rows,
            jobs: self.jobs,
            threads: self.threads.map(|threads| threads as usize),
            timeout: self.timeout.clone(),
            memory_limit: self.memory_limit.clone(),
            device: self.device.clone(),
            plain: self.plain.then_some(true),
            keep_samples: self.keep_samples.then_some(true),
            metrics: self.metrics.clone(),
            models: self.models.as_ref().map(named),
        };
        let file = match &self.plan {
            None => Plan::default(),
            Some(path) => plan_of(path)?,
        };
        check_labels(&options, &file)?;
        Ok(options.or(file).or(Plan::starter()))
    }

    fn finish(
        &self,
        common: &Common,
        manifest: &Manifest,
        records: &[Record],
        reused: usize,
    ) -> Result<Outcome> {
        let details = details::read(&self.out, records.iter().map(|record| record.key.as_str()))?;
        let render = |format| report::render(format, manifest, records, &details);
        let markdown = render(Format::Markdown)?;
        datasets::write_file(&self.out.join("report.md"), &markdown)?;
        datasets::write_file(&self.out.join("report.html"), &render(Format::Html)?)?;
        if interrupt::requested() {
            common.remark(&format!(
                "interrupted; finished cells are kept in {}\n  help: give the same command again to go on",
                self.out.display()
            ));
            return Ok(Outcome::Interrupted);
        }
        if common.json {
            output::print(&render(Format::Json)?)?;
        } else {
            output::print(&markdown)?;
        }
        if reused > 0 {
            common.remark(&format!("{reused} cells were there already and not computed again"));
        }
        common.remark(&format!("results are in {}", self.out.display()));
        let failed = |record: &Record| {
            !record.is_ok() && manifest.cells.iter().any(|cell| cell.key == record.key)
        };
        let any = records.iter().any(failed);
        Ok(if any { Outcome::SomeCellsFailed } else { Outcome::Done })
    }
}

/// Refuses a model that is neither a label of the plan nor a name, with the labels that there are.
fn check_labels(options: &Plan, file: &Plan) -> Result<()> {
    let Some(models) = &file.models else { return Ok(()) };
    let known = |name: &str| {
        models.iter().any(|model| model.label() == name)
            || registry::choose(name, &toml::Table::new()).is_ok()
    };
    let unknown = options.models.iter().flatten().find(|model| !known(&model.name));
    let Some(model) = unknown else { return Ok(()) };
    let labels: Vec<&str> = models.iter().map(PlanModel::label).collect();
    Err(Error::Request(format!(
        "the plan has no model {:?}, and no model has this name; the plan has {}; `meg models list` shows all models",
        model.name,
        labels.join(", ")
    )))
}

/// The plan in a file, or else the one of that name that comes along: `models` is a folder in some
/// places, and no plan there.
fn plan_of(path: &Path) -> Result<Plan> {
    if !path.is_file()
        && let Some(plan) = path.to_str().and_then(Plan::built_in)
    {
        return Ok(plan);
    }
    let text = files::read_text(path).map_err(|error| match error {
        Error::Data(error) if !path.is_file() => {
            let names: Vec<&str> = plan::built_in_names().collect();
            let way_out =
                format!("name a plan file, or a plan that comes along: {}", names.join(", "));
            error.advice(way_out).into()
        }
        other => other,
    })?;
    Plan::from_toml(&text).map_err(|error| Error::Request(format!("{}: {error}", path.display())))
}

fn manifest(
    plan: &Resolved,
    survey: Survey,
    cells: Vec<bench_harness::store::Planned>,
) -> Manifest {
    let mut manifest = Manifest::here(plan.jobs, plan.threads, cells);
    manifest.skipped = survey.skipped;
    manifest.warnings.clone_from(&plan.warnings);
    manifest.metrics.clone_from(&plan.metrics);
    if let Some(rows) = plan.rows {
        manifest.warnings.push(format!("at most {rows} training rows per table were used."));
    }
    if let Some(limit) = plan.timeout {
        let limit = units::show_seconds(limit.as_secs_f64());
        manifest.warnings.push(format!("the time limit per cell was {limit}."));
    }
    manifest
}

fn show_absent(progress: &Progress, survey: &Survey) -> Result<()> {
    for skipped in &survey.skipped {
        progress.line(&format!("skipped {}: {}", skipped.dataset, skipped.reason));
    }
    let mut reasons: Vec<&str> =
        survey.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    for table in &survey.found {
        let Some(problem) = &table.problem else { continue };
        progress.line(&format!("{} cannot be read: {problem}", table.dataset));
        reasons.push(problem);
    }
    if survey.found.iter().any(|table| table.problem.is_none()) {
        return Ok(());
    }
    Err(DataError::new(format!("none of the tables could be had\n{}", reasons.join("\n"))).into())
}
