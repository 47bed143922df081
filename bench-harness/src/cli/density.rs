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
    after_help = "A density is the logarithm, in nats: of the probability for categories and numbers with decimals, per unit for other numbers; identifiers do not count. A row with a cell unlike all training cells has the density 0, and an empty cell in the file of --out."
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
            files::check_writable(out, self.force)?;
        }
        let artifact = saved::read(&self.model)?;
        let fitted = registry::load(&artifact)?;
        let rows = self.table.read(&self.data, Some(&artifact.schema))?;
        let densities = fitted.log_density(&rows, self.work.threads())?.ok_or_else(|| {
            Error::Request(format!(
                "{} has no density{}; `meg` without constraints has one",
                artifact.model,
                if artifact.schema.constraints.is_empty() { "" } else { " with constraints" }
            ))
        })?;
        if let Some(out) = &self.out {
            datasets::write_table(out, &one_column(&densities)?)?;
        }
        self.tell(common, &densities)
    }

    fn tell(&self, common: &Common, densities: &[f64]) -> Result<()> {
        let possible: Vec<f64> = densities.iter().copied().filter(|x| x.is_finite()).collect();
        let mean =
            (!possible.is_empty()).then(|| possible.iter().sum::<f64>() / possible.len() as f64);
        let lowest = lowest(densities, self.lowest);
        if common.json {
            let rows: Vec<_> = lowest
                .iter()
                .map(|&(row, density)| json!({"row": row, "log_density": finite(density)}))
                .collect();
            return output::print_json(&json!({
                "schema_version": 1,
                "rows": densities.len(),
                "mean_log_density": mean,
                "impossible_rows": densities.len() - possible.len(),
                "lowest": rows,
            }));
        }
        let mean = mean.map_or("undefined".into(), |mean| format!("{mean:.4} nats per row"));
        let impossible = densities.len() - possible.len();
        output::print_line(&format!(
            "{} rows, mean log-density {mean}; {impossible} have a cell unlike all training cells",
            densities.len()
        ))?;
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
