use super::options::{Common, TableOptions, WorkOptions, check_table_path};
use super::output;
use bench_harness::files;
use clap::Args;
use meg_core::{Error, Result, Seed};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use transforms::{TablePlan, TablePreset, TableTransform};

/// Encode a table into numbers by a plan of column transforms, for tools that want numbers.
///
/// What was fitted is kept beside the table, so that `meg decode` brings rows of the same columns
/// back. Models need no such step: each encodes what it is given.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("steps").required(true).args(["preset", "plan"])))]
#[command(after_help = "Presets:\n  \
    patients-gan              Synthea's patients table for a GAN: 14 columns dropped, levels\n                            as codes, numbers in 20 bins, all by Yeo and Johnson\n  \
    patients-gan-as-printed   the same as in print: the smallest numbers become missing\n\n\
    A plan in TOML (transforms/README.md lists the steps and their settings):\n  \
    drop = [\"id\"]\n  \
    numbers = [{ step = \"yeo_johnson\", powers = \"reversible\" }, { step = \"standard\" }]\n  \
    dates = [{ step = \"date\", unit = \"days\" }]\n  \
    categories = [{ step = \"ordinal\", order = \"frequency\", missing = -1.0 }]\n  \
    columns.age = [{ step = \"rank_normal\", landmarks = 1000 }]")]
pub(crate) struct Encode {
    /// CSV or Parquet file.
    file: PathBuf,
    /// A named plan.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A plan in TOML.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// What the columns are, as `meg schema infer` writes it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// CSV or Parquet file to write, by its ending; refused when it exists. What was fitted is written
    /// beside it, with the ending .transform.json: it holds quantiles and ends of number columns.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    table: TableOptions,
    #[command(flatten)]
    work: WorkOptions,
}

/// Bring encoded rows back into the columns of the table that `meg encode` was fitted on.
#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// CSV or Parquet file of encoded rows.
    file: PathBuf,
    /// What `meg encode` fitted [default: the file's name with the ending .transform.json].
    #[arg(long, value_name = "FILE")]
    transform: Option<PathBuf>,
    /// CSV or Parquet file to write, by its ending; refused when it exists.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    work: WorkOptions,
}

/// The file of a fitted transform.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: String,
    version: u32,
    transform: TableTransform,
}

const FORMAT: &str = "meg-transform";
const VERSION: u32 = 1;

impl Encode {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let beside = beside(&self.out);
        check_output(&self.out, &[&self.file], self.force)?;
        check_output(&beside, &[&self.file], self.force)?;
        let plan = self.plan()?;
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        let table = self.table.read(&self.file, schema.as_ref())?;
        let (seed, threads) = (Seed(self.work.seed), self.work.threads());
        let made = plan
            .fit(&table, seed, threads)
            .and_then(|transform| Ok((transform.encode_table(&table, seed, threads)?, transform)));
        let (encoded, transform) = made.map_err(|error| files::in_file(error, &self.file))?;
        let saved = Saved { format: FORMAT.into(), version: VERSION, transform };
        let text = serde_json::to_vec(&saved).map_err(|error| Error::data(error.to_string()))?;
        datasets::write_table(&self.out, &encoded)?;
        datasets::write_file(&beside, &text)?;
        tell(common, encoded.rows(), encoded.columns().len(), &self.out)
    }

    fn plan(&self) -> Result<TablePlan> {
        if let Some(path) = &self.plan {
            let text = files::read_text(path)?;
            return toml::from_str(&text)
                .map_err(|error| Error::Request(format!("{}: {error}", path.display())));
        }
        let name = self.preset.as_deref().unwrap_or_default();
        match TablePreset::find(name) {
            Some(preset) => Ok((preset.plan)()),
            None => {
                let names: Vec<_> = TablePreset::ALL.iter().map(|preset| preset.name).collect();
                let known = names.join(", ");
                Err(Error::Request(format!("no preset {name:?}; there are: {known}")))
            }
        }
    }
}

impl Decode {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let beside = self.transform.clone().unwrap_or_else(|| beside(&self.file));
        check_output(&self.out, &[&self.file, &beside], self.force)?;
        let transform = read(&beside)?;
        let encoded = datasets::read_table(&self.file, Some(&transform.encoded_schema()?))?;
        let (seed, threads) = (Seed(self.work.seed), self.work.threads());
        let table = transform
            .decode_table(&encoded, seed, threads)
            .map_err(|error| files::in_file(error, &self.file))?;
        datasets::write_table(&self.out, &table)?;
        tell(common, table.rows(), table.columns().len(), &self.out)
    }
}

fn beside(table: &Path) -> PathBuf {
    table.with_extension("transform.json")
}

fn check_output(out: &Path, inputs: &[&Path], force: bool) -> Result<()> {
    if out.extension().is_none_or(|extension| extension != "json") {
        check_table_path(out)?;
    }
    files::check_output(out, inputs, force)
}

fn read(path: &Path) -> Result<TableTransform> {
    if !path.is_file() {
        return Err(Error::Request(format!(
            "{}: no such file\n  help: pass --transform FILE, which `meg encode` wrote beside the encoded table",
            path.display()
        )));
    }
    let damaged = |problem: String| Error::Artifact(format!("{}: {problem}", path.display()));
    let saved: Saved = serde_json::from_slice(&files::read(path)?)
        .map_err(|error| damaged(format!("this is no transform: {error}")))?;
    if (saved.format.as_str(), saved.version) != (FORMAT, VERSION) {
        let problem = format!("it is a {:?} of version {}", saved.format, saved.version);
        return Err(damaged(format!("{problem}, not a {FORMAT:?} of version {VERSION}")));
    }
    saved.transform.check().map_err(|error| damaged(error.to_string()))?;
    Ok(saved.transform)
}

fn tell(common: &Common, rows: usize, columns: usize, out: &Path) -> Result<()> {
    let out = out.display().to_string();
    if common.json {
        return output::print_json(&json!({
            "schema_version": 1, "rows": rows, "columns": columns, "out": out,
        }));
    }
    output::print_line(&format!("{rows} rows of {columns} columns are in {out}"))
}
