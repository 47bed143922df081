use super::datasets_command::{Form, check_new_folder, write_new_folder};
use super::options::{Common, TableOptions};
use super::{output, target};
use clap::Args;
use datasets::{Dataset, EqualRows};
use meg_core::{DataError, Error, Result, Seed, Table};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Divide a table of your own into train, holdout and schema.toml.
///
/// Utility and privacy of synthetic rows can only be judged against rows that the generator never
/// saw. A share of each class of the target column is held out (of all rows without one), so that
/// both parts are samples of one law. `meg bench --datasets DIR/` takes the folder as a table.
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
    /// Keep equal rows on one side, for copies that are no rows of their own. Where many rows are
    /// equal by chance the two parts then follow different laws, and their scores are no yardstick.
    #[arg(long)]
    equal_rows_together: bool,
    /// Form of the tables.
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    format: Form,
    #[command(flatten)]
    table: TableOptions,
}

impl Split {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        check_share(self.share)?;
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
        let equal = match self.equal_rows_together {
            true => EqualRows::Together,
            false => EqualRows::Apart,
        };
        let seed = Seed(self.seed);
        let parts = divide((&self.file, &table), self.share, equal, seed)?;
        let (train, holdout) = (parts.train.rows(), parts.holdout.rows());
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

/// Refuses a share of nothing or of everything.
pub(super) fn check_share(share: f64) -> Result<()> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    Err(Error::Request(format!("--share {share}: should be above 0 and below 1")))
}

/// A table of the user's in two parts with rows in both, the same wherever its file lies.
pub(super) fn divide(
    (file, table): (&Path, &Table),
    share: f64,
    equal: EqualRows,
    seed: Seed,
) -> Result<Dataset> {
    // The name is the purpose of the random stream.
    let parts = Dataset::split("table".into(), table, share, equal, seed);
    let (train, holdout) = (parts.train.rows(), parts.holdout.rows());
    if train > 0 && holdout > 0 {
        return Ok(parts);
    }
    let rows = table.rows();
    let problem = format!("{rows} rows divide into {train} for training and {holdout} to hold out");
    let advice = match equal {
        EqualRows::Apart => "take another --share, or a table with more rows",
        EqualRows::Together => "take another --share, or leave out --equal-rows-together",
    };
    Err(DataError::new(problem).file(file.display().to_string()).advice(advice).into())
}
