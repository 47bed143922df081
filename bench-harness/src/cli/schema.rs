use super::options::{Common, TableOptions};
use super::output;
use bench_harness::files;
use clap::Subcommand;
use meg_core::Result;
use serde_json::json;
use std::path::PathBuf;

/// Head of a proposed schema: what can be written there.
const KEYS: &str = r#"# A proposal from the values seen; read it and correct it. The keys of a column:
#   name      as in the table's header
#   kind      "number", "category", "datetime", "identifier" (fresh unique values take its place) or "text" (refused by models)
#   decimals  digits after the point of a number; leave out for any, 0 for whole numbers
#   levels    all values of a category; ordered = true if their order means something
#   format    strftime format of a datetime, as "%Y-%m-%d"
#   nullable  true if cells may be missing (an empty cell)
#   role      "feature" (also when left out), "target" (what a predictive model would predict) or "sensitive"
# What must hold in every row can be added at the end; generators keep it:
#   [[constraints]]
#   rule = "positive"        with column = "x"
#   rule = "range"           with column = "x", least = 0, most = 120 (either may be left out; dates as text)
#   rule = "order"           with low = "born", high = "died"
#   rule = "combinations"    with columns = ["city", "county"]: only those of the training rows
#   rule = "sum"             with total = "cost", parts = ["drugs", "care"]

"#;

/// Propose and check what the columns of a table are.
#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Guess the kinds of the columns, for you to review.
    ///
    /// The proposal is a TOML file: correct kinds, levels, decimals and roles by hand, and pass it
    /// to the other commands with --schema.
    Infer {
        /// CSV or Parquet file.
        file: PathBuf,
        /// File to write instead of standard output; refused when it exists.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Replace an existing file.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        table: TableOptions,
    },
    /// Check every cell of a table against a schema.
    Check {
        /// CSV or Parquet file.
        file: PathBuf,
        /// The schema.
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        #[command(flatten)]
        table: TableOptions,
    },
}

impl Schema {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        match self {
            Schema::Infer { file, out, force, table } => {
                if let Some(out) = out {
                    files::check_output(out, &[file], *force)?;
                }
                let table = table.read(file, None)?;
                let schema = table.schema();
                datasets::remarks(&table).iter().for_each(|told| common.remark(told));
                let written = KEYS.to_owned() + &schema.to_toml();
                match out {
                    Some(out) => datasets::write_file(out, written.as_bytes()),
                    None if common.json => output::print_json(&json!(schema.as_ref())),
                    None => output::print(written.as_bytes()),
                }
            }
            Schema::Check { file, schema, table } => {
                let schema = table.read_schema(schema)?;
                let table = table.read(file, Some(&schema))?;
                let (rows, columns) = (table.rows(), table.columns().len());
                let constraints: Vec<String> =
                    schema.constraints.iter().map(ToString::to_string).collect();
                if common.json {
                    let value = json!({"schema_version": 1, "rows": rows, "columns": columns, "constraints": constraints});
                    return output::print_json(&value);
                }
                output::print_line(&format!("{rows} rows of {columns} columns obey the schema"))?;
                constraints
                    .iter()
                    .try_for_each(|one| output::print_line(&format!("  holds: {one}")))
            }
        }
    }
}
