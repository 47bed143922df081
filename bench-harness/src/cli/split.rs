use super::datasets_command::{Form, check_new_folder, write_new_folder};
use super::options::{Common, TableOptions};
use super::{output, target};
use clap::Args;
use datasets::Dataset;
use meg_core::{DataError, Error, Result, Seed};
use serde_json::json;
use std::path::PathBuf;

/// Divide a table of your own into train, holdout and schema.toml.
///
/// Utility and privacy of synthetic rows can only be judged against rows that the generator never
/// saw. A share of each class of the target column is held out (of all rows without one); equal
/// rows stay on one side. `meg bench --datasets DIR/` takes the folder as a table.
#[derive(Debug, Args)]
pub(crate) struct Split {
    /// CSV or Parquet file.
    file: PathBuf,
    /// Folder to write; refused when it exists.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Share of the rows to hold out, above 0 and below 1.
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    share: f64,
    /// What the columns are, as `meg schema infer` writes it; guessed when left out.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Column that a predictive model would predict: a share of each of its classes is held out,
    /// and schema.toml names it.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Seed of the division; the same seed gives the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Form of the tables.
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    format: Form,
    #[command(flatten)]
    table: TableOptions,
}

impl Split {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        if !(self.share > 0.0 && self.share < 1.0) {
            let problem = format!("--share {}: should be above 0 and below 1", self.share);
            return Err(Error::Request(problem));
        }
        check_new_folder(&self.out)?;
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        let table = self.table.read(&self.file, schema.as_ref())?;
        let table = match &self.target {
            Some(target) => target::set_in(&table, target)?,
            None => table,
        };
        if schema.is_none() {
            datasets::remarks(&table).iter().for_each(|told| common.remark(told));
        }
        // The name is the purpose of the random stream: that of the file would make the division
        // depend on where the file lies.
        let parts = Dataset::split("table".into(), &table, self.share, Seed(self.seed));
        let (train, holdout) = (parts.train.rows(), parts.holdout.rows());
        if train == 0 || holdout == 0 {
            let rows = table.rows();
            return Err(DataError::new(format!(
                "{rows} rows divide into {train} for training and {holdout} to hold out"
            ))
            .file(self.file.display().to_string())
            .advice("take another --share, or a table with more different rows")
            .into());
        }
        write_new_folder(&parts, &self.out, self.format)?;
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "rows": {"train": train, "holdout": holdout},
                "out": self.out.display().to_string(),
            }));
        }
        common.done(&format!(
            "{train} training rows, {holdout} holdout rows and schema.toml are in {}",
            self.out.display()
        ))
    }
}
