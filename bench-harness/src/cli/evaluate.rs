use super::options::{Common, TableOptions, WorkOptions};
use super::output;
use super::progress::Progress;
use bench_harness::common_schema::common_schema;
use clap::Args;
use datasets::ReadOptions;
use eval::{Comparison, Goal, Score};
use meg_core::{Result, Role, Schema, Seed, Table};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Measure how good, useful and private a synthetic table is.
///
/// Every score stands beside its reference: the same score with real holdout rows in place of the
/// synthetic ones. Without --holdout there is no such reference, and scores that need one say so.
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
    /// meg-report), or names of scores.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "default")]
    metrics: Vec<String>,
    /// Show the scores of single columns and pairs too.
    #[arg(long)]
    all: bool,
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
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "rows": {
                    "train": train.rows(),
                    "holdout": holdout.as_ref().map(Table::rows),
                    "synthetic": synthetic.rows(),
                },
                "metrics": scores,
                "constraints": broken
                    .iter()
                    .map(|(constraint, rows)| json!({"constraint": constraint, "broken_rows": rows}))
                    .collect::<Vec<_>>(),
            }));
        }
        output::print(self.show(&scores).as_bytes())?;
        broken.iter().try_for_each(|(constraint, rows)| {
            let all = synthetic.rows();
            output::print_line(&format!("constraint {constraint}: broken in {rows} of {all} rows"))
        })
    }

    fn schema(&self, files: &[&Path], options: &ReadOptions) -> Result<Schema> {
        let mut schema = match &self.schema {
            Some(path) => self.table.read_schema(path)?,
            None => common_schema(files, options)?,
        };
        if let Some(target) = &self.target {
            let at = schema.find(target)?;
            for column in &mut schema.columns {
                if column.role == Role::Target {
                    column.role = Role::Feature;
                }
            }
            schema.columns[at].role = Role::Target;
        }
        Ok(schema)
    }

    fn show(&self, scores: &[Score]) -> String {
        let heading = ["metric", "value", "reference", "better", ""];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        let shown = scores.iter().filter(|score| self.all || score.columns.is_empty());
        let (empty, told): (Vec<&Score>, Vec<&Score>) =
            shown.partition(|score| score.value.is_none() && score.reference.is_none());
        rows.extend(told.into_iter().map(row));
        output::columns(&rows) + &self.not_computed(&empty)
    }

    /// A line per reason for which scores could not be computed.
    fn not_computed(&self, scores: &[&Score]) -> String {
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for score in scores {
            let reason = score.reason.as_deref().unwrap_or("no reason is known");
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(named(score)),
                None => reasons.push((reason, vec![named(score)])),
            }
        }
        let line = |(reason, names): &(&str, Vec<String>)| {
            format!("\nnot computed: {} ({reason})\n", names.join(", "))
        };
        let mut text: String = reasons.iter().map(line).collect();
        if reasons.iter().any(|(reason, _)| *reason == NO_TARGET) {
            text.push_str("\nNo target: utility is how well classifiers learn to predict one column from the others.\n  help: name it with --target COLUMN, or by role = \"target\" in the schema\n");
        }
        if self.holdout.is_none() {
            text.push_str("\nNo --holdout: utility and privacy are judged against real rows that the model has not seen, and other scores by theirs.\n  help: keep rows aside before training, `meg datasets split FILE --out DIR` does\n");
        }
        text
    }
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

fn named(score: &Score) -> String {
    match score.columns.as_slice() {
        [] => score.name.clone(),
        columns => format!("{} ({})", score.name, columns.join(", ")),
    }
}

fn row(score: &Score) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    let better = match score.goal {
        Goal::Maximize => "higher",
        Goal::Minimize => "lower",
        Goal::Reference => "as the reference",
    };
    vec![
        named(score),
        number(score.value),
        number(score.reference),
        better.into(),
        score.reason.clone().unwrap_or_default(),
    ]
}
