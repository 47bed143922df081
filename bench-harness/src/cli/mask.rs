use super::options::{Common, TableOptions, check_table_path};
use super::output;
use bench_harness::files;
use clap::Args;
use meg_core::{DataError, Error, Result, Schema, Seed};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use transforms::masking::{Groups, Hierarchy, Key, Means, Report, Rules};

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
    /// File with the secret key of `hash` and `noise`, at least 16 bytes; fakes depend on it too.
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
        files::check_writable(&self.out, self.force)?;
        let schema_out = self.schema.as_ref().map(|_| self.out.with_extension("schema.toml"));
        if let Some(path) = &schema_out {
            files::check_writable(path, self.force)?;
        }
        let rules = Rules::from_toml(&files::read_text(&self.rules)?)
            .map_err(|error| in_file(error, &self.rules))?;
        self.check_outputs(&rules, schema_out.as_deref())?;
        let key = self.key(&rules, common)?;
        let hierarchies = self.hierarchies(&rules)?;
        let schema = self.schema.as_deref().map(|path| self.table.read_schema(path)).transpose()?;
        let table = self.table.read(&self.file, schema.as_ref())?;
        let means = Means { key: key.as_ref(), hierarchies: &hierarchies, seed: Seed(self.seed) };
        let masked = rules.apply(&table, &means).map_err(|error| match error {
            Error::Recipe { .. } => in_file(error, &self.rules),
            other => in_file(other, &self.file),
        })?;
        datasets::write_table(&self.out, &masked.table)?;
        if let Some(path) = &schema_out {
            write_schema(path, masked.table.schema())?;
        }
        self.tell(common, &masked.report, schema_out.as_deref())
    }

    /// Refuses to replace a file that is read, which --force does not ask for.
    fn check_outputs(&self, rules: &Rules, schema_out: Option<&Path>) -> Result<()> {
        let hierarchies = rules.hierarchy_files().map(|name| self.rules.with_file_name(name));
        let mut inputs: Vec<PathBuf> = hierarchies.collect();
        inputs.extend([self.file.clone(), self.rules.clone()]);
        inputs.extend(self.schema.iter().chain(&self.key).cloned());
        for out in [Some(self.out.as_path()), schema_out].into_iter().flatten() {
            if inputs.iter().any(|input| files::is_same(input, out)) {
                return Err(Error::Request(format!(
                    "{} would be written and is read too\n  help: choose another --out",
                    out.display()
                )));
            }
        }
        Ok(())
    }

    fn key(&self, rules: &Rules, common: &Common) -> Result<Option<Key>> {
        match &self.key {
            Some(path) => {
                if !rules.uses_key() {
                    common.remark("no rule hashes, blurs or fakes, so that the key is not used");
                }
                let key = Key::new(&files::read(path)?);
                key.map(Some).map_err(|error| in_file(error, path))
            }
            None if rules.needs_key() => Err(Error::Request(
                "a rule with `hash` or `noise` needs a secret key\n  help: pass --key FILE; `openssl rand -hex 32 > key` makes one".into(),
            )),
            None => Ok(None),
        }
    }

    fn hierarchies(&self, rules: &Rules) -> Result<BTreeMap<String, Hierarchy>> {
        let read = |name: &str| {
            let path = self.rules.with_file_name(name);
            if !path.exists() {
                let rules = self.rules.display().to_string();
                return Err(DataError::new(format!(
                    "it names {name:?}, and there is no {}",
                    path.display()
                ))
                .file(rules)
                .advice("a relative path in the rules starts at the folder of the rules")
                .into());
            }
            let hierarchy = datasets::read_texts(&path).and_then(|table| {
                Hierarchy::from_table(&table).map_err(|error| in_file(error, &path))
            })?;
            Ok((name.to_owned(), hierarchy))
        };
        rules.hierarchy_files().map(read).collect()
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
            output::print(show(report).as_bytes())?;
        }
        let schema =
            schema.map_or(String::new(), |path| format!(", its schema in {}", path.display()));
        common.done(&format!("\n{} rows are in {}{schema}", report.rows, self.out.display()))
    }
}

fn write_schema(path: &Path, schema: &Schema) -> Result<()> {
    datasets::write_file(path, schema.to_toml().as_bytes())
}

fn in_file(error: Error, path: &Path) -> Error {
    let file = path.display().to_string();
    match error {
        Error::Data(error) if error.file.is_none() => DataError::file(*error, file).into(),
        Error::Recipe { key, problem } => {
            Error::Request(format!("{file}: {}", Error::Recipe { key, problem }))
        }
        Error::Request(problem) => Error::Request(format!("{file}: {problem}")),
        other => other,
    }
}

fn show(report: &Report) -> String {
    let heading = ["column", "method", "cells", "changed", "share", "values before", "after"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(report.columns.iter().map(|column| {
        vec![
            column.column.clone(),
            column.method.clone(),
            column.cells.to_string(),
            column.changed.to_string(),
            format!("{:.1} %", 100.0 * column.share),
            column.distinct_before.to_string(),
            column.distinct_after.to_string(),
        ]
    }));
    let mut text = output::columns(&rows);
    text.push_str(&format!("\n{:.1} % of all cells changed\n", 100.0 * report.share_changed));
    for (when, groups) in [("before", &report.groups_before), ("after", &report.groups_after)] {
        if let Some(groups) = groups {
            text.push_str(&format!("{when}: {}\n", describe(groups)));
        }
    }
    if report.groups_before.is_some() && report.groups_after.is_none() {
        text.push_str("after: no quasi-identifier is left, and no groups to count\n");
    }
    text.push('\n');
    report.notes.iter().for_each(|note| text.push_str(&format!("{note}\n")));
    text
}

fn describe(groups: &Groups) -> String {
    format!(
        "the smallest of {} groups by {} has {} rows; {} rows ({:.1} %) are in groups below {}",
        groups.groups,
        groups.columns.join(", "),
        groups.smallest,
        groups.rows_below,
        100.0 * groups.share_below,
        groups.k
    )
}
