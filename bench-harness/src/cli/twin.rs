use super::datasets_command::check_new_folder;
use super::masking::{self, KEPT, Masking};
use super::options::{Common, TableOptions, WorkOptions};
use super::progress::Progress;
use super::{guessed, output, split, target};
use bench_harness::cell::Job;
use bench_harness::plan::{self, Plan, PlanModel};
use bench_harness::registry::{self, Choice};
use bench_harness::report::{self, DocumentTable, Format};
use bench_harness::store::{Manifest, Planned, Store};
use bench_harness::twin::{self, Twin as Made};
use bench_harness::{details, files};
use clap::Args;
use datasets::{Dataset, EqualRows};
use meg_core::{Artifact, Error, Instructions, Result, Role, Schema, Seed, Table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use transforms::masking::Report;

/// Mask, train, draw and evaluate in one go: a folder with data, model and report.
///
/// Sensitive columns are masked by the rules, a part of the rows is held out, the model is trained
/// on the others, the outputs of its generators are merged into synthetic rows, and these are scored
/// against both parts. Model and report see masked rows only.
#[derive(Debug, Args)]
#[command(after_help = "The folder holds:\n  \
    synthetic.csv                  the synthetic rows\n  \
    data/                          what the model saw and did not see, masked: train, holdout, schema.toml\n  \
    model/                         for `meg sample`, `meg density`, `meg model inspect`\n  \
    masking.json                   what masking changed in each column\n  \
    training.csv                   losses and, where a discriminator plays, its accuracy, by update\n  \
    report.md, report.html         scores, and pictures in the page\n  \
    cells.jsonl, run.json, details the same for programs and for `meg report DIR`\n\n\
    data/ holds real people's rows unless the rules have masked all of what tells them; share synthetic.csv and not the folder. report.html shows up to 400 of them as dots along two principal components. `meg mask --help` shows how rules are written.")]
pub(crate) struct Twin {
    /// CSV or Parquet file.
    file: PathBuf,
    /// Folder to write; refused when it exists.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the columns are, as `meg schema infer` writes it; guessed when left out.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Rules of masking; nothing is masked without them.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// File with the secret key of rules that hash or blur; fakes are drawn under it too, and
    /// without it by the seed alone.
    #[arg(long, value_name = "FILE", requires = "rules")]
    key: Option<PathBuf>,
    /// Column that a predictive model would predict.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Model or variant; `meg models list` shows them. `meg-classic` has the discriminator of the
    /// MEG documents, `meg` one with `--set adversarial_steps=500`.
    #[arg(long, default_value = "meg", value_name = "NAME")]
    model: String,
    /// One setting of the model, as `members=3`; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Share of the rows to hold out, above 0 and below 1.
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    share: f64,
    /// Synthetic rows to draw [default: as many as there are training rows].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rows: Option<u64>,
    /// Scores to compute, as for `meg evaluate`.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_values = ["default", "meg-report"])]
    metrics: Vec<String>,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

/// A way out of a guessed identifier or free text that only this command has.
const OR_MASK: &str = ", mask by a rule";

impl Twin {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        split::check_share(self.share)?;
        eval::select(&self.metrics)?;
        let choice = self.choice()?;
        check_new_folder(&self.out)?;
        let (table, masked) = self.masked(common)?;
        let parts = self.divided(&table)?;
        let job = self.job(&choice, &parts);
        let rows = self.rows.map_or(parts.train.rows(), |rows| rows as usize);
        let mut task = Progress::new(common.quiet).task(&self.model);
        let made = twin::make(&job, (&parts.train, &parts.holdout), rows, &mut task)
            .map_err(|error| self.named(error))?;
        drop(task);
        let manifest = self.manifest(&job, &made, masked.as_ref());
        files::make_folder(&self.out, |folder| {
            self.write(folder, (&choice, &parts), &made, masked.as_ref(), &manifest)
        })?;
        self.tell(common, &manifest, &made, masked.as_ref())
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

    /// The table that everything after this sees, and what masking changed.
    fn masked(&self, common: &Common) -> Result<(Table, Option<Report>)> {
        let masking = match &self.rules {
            Some(rules) => Some(Masking::read(rules, self.key.as_deref(), common, |_| Ok(()))?),
            None => None,
        };
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        let table = self.table.read(&self.file, schema.as_ref())?;
        let (mut table, report) = match masking {
            Some(masking) => {
                let masked = masking.apply(&table, Seed(self.work.seed), &self.file)?;
                (masked.table, Some(masked.report))
            }
            None => (table, None),
        };
        if schema.is_none() {
            let masked: Vec<&str> = report.iter().flat_map(masking::masked).collect();
            table = guessed::pseudonyms(common, table, &masked)?;
            guessed::check(common, &self.file, &table, (&masked, OR_MASK))?;
        }
        if let Some(target) = &self.target {
            table = target::set_in(&table, target)?;
        }
        if table.schema().target().is_none() {
            common.remark("no column is the target, so that utility is not scored\n  help: name it with --target COLUMN, or by role = \"target\" in the schema");
        }
        self.remark_sensitive(common, table.schema(), report.as_ref());
        Ok((table, report))
    }

    /// Columns that the schema calls sensitive and that stayed as they were.
    fn remark_sensitive(&self, common: &Common, schema: &Schema, report: Option<&Report>) {
        let kept = |name: &str| {
            let columns = report.map(|report| &report.columns);
            columns.is_none_or(|columns| {
                columns.iter().any(|column| column.column == name && column.changed == 0)
            })
        };
        for column in &schema.columns {
            if column.role == Role::Sensitive && kept(&column.name) {
                common.remark(&format!(
                    "column {:?} is sensitive in the schema and no rule masks it: the model learns it as it is",
                    column.name
                ));
            }
        }
    }

    fn divided(&self, table: &Table) -> Result<Dataset> {
        let name = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let seed = Seed(self.work.seed);
        let parts = split::divide((&self.file, table), self.share, EqualRows::Apart, seed)?;
        Ok(Dataset { name: name.into_owned(), ..parts })
    }

    fn job(&self, choice: &Choice, parts: &Dataset) -> Job {
        Job {
            dataset: parts.name.clone(),
            // Its rows are at hand, so that nobody has to find it.
            table: String::new(),
            data_hash: parts.hash.clone(),
            split_hash: parts.split.clone(),
            label: choice.name.clone(),
            model: choice.name.clone(),
            settings: choice.settings.to_string(),
            entry: choice.entry.name.to_owned(),
            recipe: choice.recipe.settings.clone(),
            seed: self.work.seed,
            rows: None,
            threads: self.work.threads(),
            device: "cpu".into(),
            plain: false,
            instructions: Instructions::detected().name().into(),
            metrics: self.metrics.clone(),
            memory_limit: None,
            folders: Vec::new(),
            cache: PathBuf::new(),
            sample_file: None,
            details_file: None,
        }
    }

    fn manifest(&self, job: &Job, made: &Made, masked: Option<&Report>) -> Manifest {
        let cell = Planned {
            key: made.record.key.clone(),
            dataset: job.dataset.clone(),
            model: job.label.clone(),
            seed: job.seed,
        };
        let mut manifest = Manifest::here(1, job.threads, vec![cell]);
        manifest.title = Some(format!("Twin of {}", job.dataset));
        manifest.metrics.clone_from(&self.metrics);
        manifest.warnings.push(match masked {
            None => "nothing was masked before training.".into(),
            Some(report) => in_words(report),
        });
        manifest
    }

    fn write(
        &self,
        folder: &Path,
        (choice, parts): (&Choice, &Dataset),
        made: &Made,
        masked: Option<&Report>,
        manifest: &Manifest,
    ) -> Result<()> {
        let inside = |name: &str| folder.join(name);
        for name in ["data", "model", details::FOLDER] {
            std::fs::create_dir(inside(name))
                .map_err(|error| files::cannot_write(&self.out, &error))?;
        }
        datasets::write_table(&inside("data/train.csv"), &parts.train)?;
        datasets::write_table(&inside("data/holdout.csv"), &parts.holdout)?;
        let schema = parts.train.schema().to_toml();
        datasets::write_file(&inside("data/schema.toml"), schema.as_bytes())?;
        datasets::write_table(&inside("synthetic.csv"), &made.synthetic)?;
        let (header, tensors) = made.fitted.save()?.to_bytes()?;
        datasets::write_file(&inside("model").join(Artifact::JSON_FILE), &header)?;
        datasets::write_file(&inside("model").join(Artifact::TENSOR_FILE), &tensors)?;
        let log = twin::training_log(&made.details.curves)?;
        datasets::write_table(&inside("training.csv"), &log)?;
        if let Some(report) = masked {
            let text = serde_json::to_vec_pretty(report)
                .map_err(|error| Error::Request(error.to_string()))?;
            datasets::write_file(&inside("masking.json"), &text)?;
        }
        made.details.write(&details::file(folder, &made.record.key))?;
        let mut store = Store::open(folder)?;
        store.append(made.record.clone())?;
        store.describe(&self.plan(choice, parts), manifest)?;
        store.close(&manifest.cells)?;
        let render = |format| self.render(format, manifest, made);
        datasets::write_file(&inside("report.md"), &render(Format::Markdown)?)?;
        datasets::write_file(&inside("report.html"), &render(Format::Html)?)
    }

    /// What would make the same cell, were the table in the catalogue.
    fn plan(&self, choice: &Choice, parts: &Dataset) -> Plan {
        let settings = choice.settings.clone();
        Plan {
            datasets: Some(vec![parts.name.clone()]),
            seeds: Some(vec![self.work.seed]),
            metrics: Some(self.metrics.clone()),
            models: Some(vec![PlanModel { settings, ..PlanModel::named(&choice.name) }]),
            ..Plan::default()
        }
    }

    fn render(&self, format: Format, manifest: &Manifest, made: &Made) -> Result<Vec<u8>> {
        let details = BTreeMap::from([(made.record.key.clone(), made.details.clone())]);
        report::render(format, manifest, std::slice::from_ref(&made.record), &details)
    }

    /// A model speaks of columns and rows and knows no files; the user has to be told which.
    fn named(&self, error: Error) -> Error {
        files::in_file(error, &self.file)
    }

    fn tell(
        &self,
        common: &Common,
        manifest: &Manifest,
        made: &Made,
        masked: Option<&Report>,
    ) -> Result<()> {
        if common.json {
            return output::print(&self.render(Format::Json, manifest, made)?);
        }
        if let Some(report) = masked.filter(|_| !common.quiet) {
            output::print(masking::show(report).as_bytes())?;
        }
        let details = BTreeMap::from([(made.record.key.clone(), made.details.clone())]);
        let records = std::slice::from_ref(&made.record);
        let table = report::render_table(DocumentTable::Report, false, manifest, records, &details);
        output::print(&table)?;
        common.done(&format!(
            "\n{} synthetic rows are in {}, the report in {}",
            made.synthetic.rows(),
            self.out.join("synthetic.csv").display(),
            self.out.join("report.html").display()
        ))
    }
}

/// What was masked, in a line of the report.
fn in_words(report: &Report) -> String {
    let masked = report.columns.iter().filter(|column| column.method != KEPT);
    let masked: Vec<String> = masked
        .map(|column| {
            let share = 100.0 * column.share;
            format!("`{}` ({}, {share:.1} % of its cells)", column.column, column.method)
        })
        .collect();
    format!(
        "masked before training, {:.1} % of all cells changed: {}.",
        100.0 * report.share_changed,
        if masked.is_empty() { "no column".into() } else { masked.join(", ") }
    )
}
