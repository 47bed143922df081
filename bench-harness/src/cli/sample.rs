use super::options::{Common, WorkOptions, check_table_path};
use super::progress::Progress;
use super::{output, saved};
use bench_harness::{files, memory, registry, units};
use clap::Args;
use meg_core::{Artifact, Error, Result, SampleContext, SampleRequest, Seed};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Most rows of one call: a table is held in memory whole, and a slip of the finger must not take
/// the machine down.
const MOST_ROWS: usize = 1_000_000_000;

/// Draw rows from a trained model.
#[derive(Debug, Args)]
#[command(
    after_help = "Conditions hold for every row: `--where sex=F --where town=Aa`. A condition is that a cell equals a value; there are no ranges. An empty value asks for missing cells. Where a model can only wait for rows that fit, the share of rows that did is told; conditions that hardly ever hold end with an error."
)]
pub(crate) struct Sample {
    /// Folder that `meg fit` wrote.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Number of rows, at most 1 000 000 000.
    #[arg(long, value_name = "N")]
    rows: usize,
    /// Condition on every row; may be given more than once.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    conditions: Vec<String>,
    /// CSV or Parquet file to write, by its ending; refused when it exists.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    work: WorkOptions,
}

impl Sample {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        check_table_path(&self.out)?;
        check_rows(self.rows)?;
        files::check_writable(&self.out, self.force)?;
        let began = Instant::now();
        let artifact = saved::read(&self.model)?;
        let fitted = registry::load(&artifact)?;
        let request = self.request(&artifact)?;
        let load = began.elapsed().as_secs_f64();
        let mut task = Progress::new(common.quiet).task("sample");
        let start = Instant::now();
        let mut ctx = SampleContext {
            rng: Seed(self.work.seed).stream("sample"),
            threads: self.work.threads(),
            observer: &mut task,
        };
        let table = fitted.sample(&request, &mut ctx)?;
        let seconds = start.elapsed().as_secs_f64();
        let acceptance = task.acceptance();
        drop(task);
        let began = Instant::now();
        datasets::write_table(&self.out, &table)?;
        let write = began.elapsed().as_secs_f64();
        self.tell(common, acceptance, [load, seconds, write])
    }

    fn request(&self, artifact: &Artifact) -> Result<SampleRequest> {
        let mut request = SampleRequest::rows(self.rows);
        for text in &self.conditions {
            let (column, value) = text.split_once('=').ok_or_else(|| {
                Error::Request(format!("{text:?} is not `column=value`, as sex=F"))
            })?;
            request = request.with(&artifact.schema, column, value)?;
        }
        Ok(request)
    }

    fn tell(
        &self,
        common: &Common,
        acceptance: Option<(u64, u64)>,
        seconds: [f64; 3],
    ) -> Result<()> {
        let [load, sample, write] = seconds;
        let rate = acceptance.map(|(drawn, kept)| kept as f64 / drawn as f64);
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "rows": self.rows,
                "acceptance": rate,
                "seconds": {"load": load, "sample": sample, "write": write},
                "peak_memory_bytes": memory::peak(),
                "out": self.out.display().to_string(),
            }));
        }
        let accepted = acceptance.map_or(String::new(), |(drawn, kept)| {
            let share = rate.unwrap_or_default() * 100.0;
            format!(
                "; {kept} of {drawn} drawn rows met the conditions (acceptance rate {share:.2} %)"
            )
        });
        common.done(&format!(
            "{} rows in {} are in {}{accepted}",
            self.rows,
            units::show_seconds(sample),
            self.out.display()
        ))
    }
}

fn check_rows(rows: usize) -> Result<()> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    Err(Error::Request(format!(
        "--rows {rows}: one call draws at most 1 000 000 000 rows\n  help: draw several files with different seeds"
    )))
}
