use super::options::{Common, TableOptions, WorkOptions};
use super::progress::Progress;
use super::{output, scores, target};
use bench_harness::common_schema::common_schema;
use bench_harness::judged::{self, Named};
use bench_harness::record::Record;
use bench_harness::{files, leaks};
use clap::Args;
use datasets::ReadOptions;
use eval::{Comparison, Score};
use meg_core::{Result, Schema, Seed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Measure how good, useful and private a synthetic table is.
///
/// Every score stands beside its reference: the same score with real holdout rows in place of the
/// synthetic ones. Without --holdout there is no such reference, and scores that need one say so.
/// Scores of privacy and attacks say whether they look like a leak, and what leak would not show.
#[derive(Debug, Args)]
#[command(
    after_help = "All tables are read under one schema: the given one, or one inferred from the values of all files together. --drop leaves a column out of every file that has it. Name the column to predict with --target for the scores of utility."
)]
pub(crate) struct Evaluate {
    /// Rows that the generator learned from.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Rows that the generator made.
    #[arg(long, value_name = "FILE")]
    synthetic: PathBuf,
    /// Real rows that the generator never saw.
    #[arg(long, value_name = "FILE")]
    holdout: Option<PathBuf>,
    /// What the columns are, as `meg schema infer` writes it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Column that a predictive model would predict.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Scores to compute, as `default,attacks`: sets (default, all), groups (fidelity, joint,
    /// detection, utility, likelihood, privacy, attacks, validity), the learners of a paper's table
    /// (ctgan-adult, ctgan-intrusion, ...), the scores of a MEG document's table (meg-documentation,
    /// meg-report), or names of scores, which bring those of their paragraph along; `meg metrics
    /// list` shows them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "default")]
    metrics: Vec<String>,
    /// Show the scores of single columns and pairs too.
    #[arg(long)]
    all: bool,
    /// Write a page with all scores, columns, pairs and pictures to this file too. Its dots show up
    /// to 400 training rows along two principal components: share it as you would share those.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

/// The reason of scores that need a target where the schema names none.
const NO_TARGET: &str = "no column is the target";

impl Evaluate {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let metrics = eval::select(&self.metrics)?;
        let files = [Some(&self.train), Some(&self.synthetic), self.holdout.as_ref()];
        let files: Vec<&Path> = files.into_iter().flatten().map(PathBuf::as_path).collect();
        self.check_page(&files)?;
        let options = self.table.read_options_of(&files, self.schema.as_deref())?;
        let mut schema = self.schema(&files, &options)?;
        // A synthetic table that breaks a constraint is to be judged, not refused.
        let constraints = std::mem::take(&mut schema.constraints);
        let read = |path: &Path| datasets::read_table_with(path, Some(&schema), &options);
        let train = read(&self.train)?;
        let synthetic = read(&self.synthetic)?;
        let holdout = self.holdout.as_deref().map(read).transpose()?;
        let broken: Vec<(String, usize)> = constraints
            .iter()
            .map(|one| Ok((one.to_string(), eval::broken_rows(one, &train, &synthetic)?.len())))
            .collect::<Result<_>>()?;
        let mut task = Progress::new(common.quiet).task("evaluate");
        let comparison = Comparison {
            train: &train,
            holdout: holdout.as_ref(),
            synthetic: &synthetic,
            truth: None,
            seed: Seed(self.work.seed),
            threads: self.work.threads(),
        };
        let mut scores = eval::evaluate_with(&metrics, &comparison, &mut task)?;
        drop(task);
        judge(&mut scores, eval::constraint_scores(&comparison, &constraints));
        let [train, synthetic] = [&self.train, &self.synthetic].map(|path| name(path));
        let named = Named { train: &train, synthetic: &synthetic, metrics: &self.metrics };
        let record = judged::record(named, &comparison, scores);
        let all = comparison.synthetic.rows();
        let told = |(constraint, rows): &(String, usize)| {
            format!("constraint {constraint}: broken in {rows} of {all} rows")
        };
        if let Some(path) = &self.html {
            let remarks = broken.iter().map(told).collect();
            datasets::write_file(path, &judged::page(named, &record, &comparison, remarks)?)?;
        }
        if common.json {
            return output::print_json(&self.machine_readable(&record, &broken));
        }
        output::print(self.show(&record).as_bytes())?;
        broken.iter().try_for_each(|one| output::print_line(&told(one)))?;
        match &self.html {
            Some(path) => common.done(&format!("\nthe page is {}", path.display())),
            None => Ok(()),
        }
    }

    /// Refuses a page that cannot be written, or would take the place of a table, before any work.
    fn check_page(&self, files: &[&Path]) -> Result<()> {
        let Some(path) = &self.html else { return Ok(()) };
        let inputs: Vec<&Path> = files.iter().copied().chain(self.schema.as_deref()).collect();
        // A page is made anew by the same command, as `meg report --html` does.
        files::check_output(path, &inputs, true)
    }

    fn machine_readable(&self, record: &Record, broken: &[(String, usize)]) -> Value {
        let constraints = broken.iter();
        let constraints = constraints
            .map(|(constraint, rows)| json!({"constraint": constraint, "broken_rows": rows}));
        json!({
            "schema_version": 1,
            "rows": {
                "train": record.rows.train,
                "holdout": self.holdout.as_ref().map(|_| record.rows.holdout),
                "synthetic": record.rows.synthetic,
            },
            "metrics": record.metrics,
            "leaks": leaks::Leaks::of(&[record]),
            "constraints": constraints.collect::<Vec<_>>(),
        })
    }

    fn schema(&self, files: &[&Path], options: &ReadOptions) -> Result<Schema> {
        let mut schema = match &self.schema {
            Some(path) => self.table.read_schema(path)?,
            None => common_schema(files, options)?,
        };
        if let Some(column) = &self.target {
            target::set(&mut schema, column)?;
        }
        Ok(schema)
    }

    fn show(&self, record: &Record) -> String {
        let shown = record.metrics.iter().filter(|score| self.all || score.columns.is_empty());
        let empty: Vec<&Score> = shown.filter(|score| scores::is_empty(score)).collect();
        scores::show(record, self.all) + &self.not_computed(&empty)
    }

    /// A paragraph per reason for which scores could not be computed.
    fn not_computed(&self, empty: &[&Score]) -> String {
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for score in empty {
            let reason = score.reason.as_deref().unwrap_or("no reason is known");
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(scores::named(score)),
                None => reasons.push((reason, vec![scores::named(score)])),
            }
        }
        let paragraph = |(reason, names): &(&str, Vec<String>)| {
            format!(
                "\n{}",
                output::wrapped("not computed: ", &format!("{} ({reason})", names.join(", ")))
            )
        };
        let mut text: String = reasons.iter().map(paragraph).collect();
        if reasons.iter().any(|(reason, _)| *reason == NO_TARGET) {
            text.push_str("\nNo target: utility is how well classifiers learn to predict one column from the others.\n  help: name it with --target COLUMN, or by role = \"target\" in the schema\n");
        }
        if self.holdout.is_none() {
            text.push_str("\nNo --holdout: utility and privacy are judged against real rows that the model has not seen, and other scores by\ntheirs.\n  help: keep rows aside before training, `meg datasets split FILE --out DIR` does\n");
        }
        text
    }
}

/// The file's name, without its folder.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Puts the scores of the constraints in the place of those of a schema that has none, where they
/// were asked for.
fn judge(scores: &mut Vec<Score>, judged: Vec<Score>) {
    let Some(name) = judged.first().map(|score| score.name.clone()) else { return };
    if let Some(at) = scores.iter().position(|score| score.name == name) {
        scores.retain(|score| score.name != name);
        scores.splice(at..at, judged);
    }
}
