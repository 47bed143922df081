use super::options::{Common, TableOptions, WorkOptions};
use super::output;
use super::progress::Progress;
use bench_harness::common_schema::common_schema;
use clap::Args;
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
    after_help = "All tables are read under one schema: the given one, or one inferred from the values of all files together. Name the column to predict with --target for the scores of utility."
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
    /// (ctgan-adult, ctgan-intrusion, ...), or names of scores.
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

impl Evaluate {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let metrics = eval::select(&self.metrics)?;
        let mut schema = self.schema()?;
        // A synthetic table that breaks a constraint is to be judged, not refused.
        let constraints = std::mem::take(&mut schema.constraints);
        let read = |path: &Path| self.table.read(path, Some(&schema));
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

    fn schema(&self) -> Result<Schema> {
        let mut schema = match &self.schema {
            Some(path) => self.table.read_schema(path)?,
            None => {
                let files = [Some(&self.train), Some(&self.synthetic), self.holdout.as_ref()];
                let files: Vec<&Path> = files.into_iter().flatten().map(PathBuf::as_path).collect();
                common_schema(&files, &self.table.read_options())?
            }
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
        rows.extend(shown.map(row));
        output::columns(&rows)
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

fn row(score: &Score) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    let columns = match score.columns.as_slice() {
        [] => String::new(),
        columns => format!(" ({})", columns.join(", ")),
    };
    let better = match score.goal {
        Goal::Maximize => "higher",
        Goal::Minimize => "lower",
        Goal::Reference => "as the reference",
    };
    vec![
        score.name.clone() + &columns,
        number(score.value),
        number(score.reference),
        better.into(),
        score.reason.clone().unwrap_or_default(),
    ]
}
