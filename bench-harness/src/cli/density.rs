use super::options::{Common, TableOptions, WorkOptions, check_table_path};
use super::{output, saved};
use bench_harness::{files, registry};
use clap::Args;
use meg_core::{Column, ColumnSpec, Error, Result, Schema, Table};
use serde_json::json;
use std::path::PathBuf;

/// Tell how likely given rows are under a trained model.
#[derive(Debug, Args)]
#[command(
    after_help = "A density is the logarithm, in nats: of the probability for categories and numbers with decimals, per unit for other numbers; identifiers do not count. It is that of the rows that the model draws: a row with a cell that it never draws (a level that no training row has, a number between two values or two heaps of values) has the density 0, and an empty cell in the file of --out. Such rows have no place in the mean; in the median they are the lowest. Under constraints the density is that of the columns that the model learns in place of the constrained ones: logarithms of positive columns, differences, combinations as one category, no totals."
)]
pub(crate) struct Density {
    /// Folder that `meg fit` wrote.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// CSV or Parquet file of rows, with the columns that the model was trained on.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// CSV or Parquet file to write: one column `log_density`, in the order of the rows.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// How many of the least likely rows to name.
    #[arg(long, value_name = "N", default_value_t = 5)]
    lowest: usize,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

impl Density {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        if let Some(out) = &self.out {
            check_table_path(out)?;
            files::check_output(out, &[&self.data], self.force)?;
        }
        let artifact = saved::read(&self.model)?;
        let fitted = registry::load(&artifact)?;
        let rows = self.table.read_for_model(&self.data, &artifact.schema)?;
        let densities = fitted
            .log_density(&rows, self.work.threads())
            .map_err(|error| files::in_file(error, &self.data))?;
        let densities = densities.ok_or_else(|| {
            Error::Request(format!("{} has no density; `meg` has one", artifact.model))
        })?;
        if let Some(out) = &self.out {
            datasets::write_table(out, &one_column(&densities)?)?;
        }
        if !artifact.schema.constraints.is_empty() {
            common.remark(
                "the schema has constraints: densities are those of the columns that the model learns in place of the constrained ones (logarithms, differences, combinations), and compare only with others of this model",
            );
        }
        self.tell(common, &densities)
    }

    fn tell(&self, common: &Common, densities: &[f64]) -> Result<()> {
        let possible: Vec<f64> = densities.iter().copied().filter(|x| x.is_finite()).collect();
        let mean =
            (!possible.is_empty()).then(|| possible.iter().sum::<f64>() / possible.len() as f64);
        let lowest = lowest(densities, self.lowest);
        let median = median(densities);
        if common.json {
            let rows: Vec<_> = lowest
                .iter()
                .map(|&(row, density)| json!({"row": row, "log_density": finite(density)}))
                .collect();
            return output::print_json(&json!({
                "schema_version": 1,
                "rows": densities.len(),
                "mean_log_density": mean,
                "median_log_density": median.and_then(finite),
                "impossible_rows": densities.len() - possible.len(),
                "lowest": rows,
            }));
        }
        let rows = densities.len();
        let shown =
            |density: f64| finite(density).map_or("impossible".into(), |x| format!("{x:.4} nats"));
        let median = median.map_or("undefined".into(), shown);
        let mean = mean.map_or("undefined".into(), |mean| format!("{mean:.4} nats"));
        output::print_line(&match rows - possible.len() {
            0 => format!("{rows} rows: mean log-density {mean}, median {median}"),
            impossible => format!(
                "{rows} rows: median log-density {median}; {impossible} rows ({:.1} %) have a cell that the model never draws, the mean of the other {} is {mean}",
                100.0 * impossible as f64 / rows as f64,
                possible.len()
            ),
        })?;
        let mut table = vec![vec!["row".to_owned(), "log-density".to_owned()]];
        table.extend(lowest.into_iter().map(|(row, density)| {
            let shown = finite(density).map_or("impossible".into(), |x| format!("{x:.3}"));
            vec![row.to_string(), shown]
        }));
        output::print(output::columns(&table).as_bytes())
    }
}

fn finite(density: f64) -> Option<f64> {
    density.is_finite().then_some(density)
}

/// The middle one, impossible rows the lowest; of two, the lower.
fn median(densities: &[f64]) -> Option<f64> {
    let mut sorted = densities.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

/// The rows of the lowest densities, counted from 1.
fn lowest(densities: &[f64], count: usize) -> Vec<(usize, f64)> {
    let mut all: Vec<(usize, f64)> =
        densities.iter().enumerate().map(|(row, &density)| (row + 1, density)).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    all.truncate(count);
    all
}

fn one_column(densities: &[f64]) -> Result<Table> {
    let schema = Schema::new(vec![ColumnSpec::number("log_density", None).nullable()])?;
    // A table holds no infinities: the cell of an impossible row is empty.
    let cells = densities.iter().map(|&density| finite(density).unwrap_or(f64::NAN)).collect();
    Table::new(schema, vec![Column::Numbers(cells)])
}
