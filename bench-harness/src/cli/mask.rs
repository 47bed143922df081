use super::options::{Common, TableOptions, check_table_path};
use super::{masking, output};
use bench_harness::files;
use clap::Args;
use masking::Masking;
use meg_core::{Result, Seed};
use serde_json::json;
use std::path::{Path, PathBuf};
use transforms::masking::Report;

/// Mask the sensitive columns of a table before it is shared or learned from.
///
/// What is done to each column stands in a TOML file of rules. What was changed is told, and how
/// small the groups are that still share all quasi-identifiers.
#[derive(Debug, Args)]
#[command(after_help = "The rules, one [[rules]] for each method:\n  \
    quasi_identifiers = [\"age\", \"sex\", \"zip\"]     columns by which people could be recognised together\n  \
    k = 5                                         groups of fewer rows are counted as too small\n\n  \
    [[rules]]\n  \
    columns = [\"name\", \"maiden\"]\n  \
    method = \"fake\"        shared = true: the same fake in all columns of the rule\n\n  \
    drop         the column goes\n  \
    suppress     every cell becomes missing\n  \
    hash         HMAC-SHA-256 under --key; digits = 32 of 8 to 64; linked in the column, or with\n               shared = true in the columns of the rule, or with domain = \"patient\" wherever that is named\n  \
    keep_last    characters = 4 stay, the others become fill = \"*\"\n  \
    generalise   width = 10 | bins = [18, 65] | to = \"decade\", \"year\" or \"month\" | prefix = 3 | hierarchy = \"file.csv\", level = 1\n  \
    noise        sd = 2.5 (days for dates) or share = 0.1 of the column's own; least, most\n  \
    fake         random characters of the same shape (no list of names), never a real value; shared = false\n\n\
    Columns that no rule names are kept as they are. Keyed hashing is pseudonymisation, not anonymity.")]
pub(crate) struct Mask {
    /// CSV or Parquet file.
    file: PathBuf,
    /// The rules; files that they name are looked for beside it.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// CSV or Parquet file to write, by its ending; refused when it exists. With --schema, the
    /// schema of the masked table is written beside it, with the ending .schema.toml.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the columns are, as `meg schema infer` writes it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// File with the secret key of `hash` and `noise`, at least 16 bytes. Fakes are drawn under it
    /// too; without it by the seed alone, so that whoever knows seed, rules and order of the real
    /// values can draw them again.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Seed of noise and fakes; the same seed gives the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    table: TableOptions,
}

impl Mask {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        check_table_path(&self.out)?;
        let schema_out = self.schema.as_ref().map(|_| self.out.with_extension("schema.toml"));
        let masking = Masking::read(&self.rules, self.key.as_deref(), common, |inputs| {
            self.check_outputs(inputs, schema_out.as_deref())
        })?;
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        let table = self.table.read(&self.file, schema.as_ref())?;
        let masked = masking.apply(&table, Seed(self.seed), &self.file)?;
        datasets::write_table(&self.out, &masked.table)?;
        if let Some(path) = &schema_out {
            datasets::write_file(path, masked.table.schema().to_toml().as_bytes())?;
        }
        self.tell(common, &masked.report, schema_out.as_deref())
    }

    /// Refuses what cannot be written, and to replace a file that is read, which --force does not ask
    /// for.
    fn check_outputs(&self, inputs: &[PathBuf], schema_out: Option<&Path>) -> Result<()> {
        let mut inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        inputs.push(&self.file);
        inputs.extend(self.schema.as_deref());
        let mut outputs = [Some(self.out.as_path()), schema_out].into_iter().flatten();
        outputs.try_for_each(|out| files::check_output(out, &inputs, self.force))
    }

    fn tell(&self, common: &Common, report: &Report, schema: Option<&Path>) -> Result<()> {
        if common.json {
            return output::print_json(&json!({
                "schema_version": 1,
                "report": report,
                "out": self.out.display().to_string(),
                "schema": schema.map(|path| path.display().to_string()),
            }));
        }
        if !common.quiet {
            output::print(masking::show(report).as_bytes())?;
        }
        let schema =
            schema.map_or(String::new(), |path| format!(", its schema in {}", path.display()));
        common.done(&format!("\n{} rows are in {}{schema}", report.rows, self.out.display()))
    }
}
