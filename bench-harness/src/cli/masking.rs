//! Rules of masking with all that they need, read from files.

use super::options::Common;
use super::output;
use bench_harness::files;
use meg_core::{DataError, Error, Result, Seed, Table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use transforms::masking::{Groups, Hierarchy, Key, Masked, Means, Report, Rules};

/// Rules, their key and the hierarchies that they name.
pub(crate) struct Masking {
    path: PathBuf,
    rules: Rules,
    key: Option<Key>,
    hierarchies: BTreeMap<String, Hierarchy>,
}

impl Masking {
    /// Reads the rules and what they need; `check` sees every file that is read first.
    pub(crate) fn read(
        path: &Path,
        key: Option<&Path>,
        common: &Common,
        check: impl FnOnce(&[PathBuf]) -> Result<()>,
    ) -> Result<Self> {
        let rules =
            Rules::from_toml(&files::read_text(path)?).map_err(|error| in_file(error, path))?;
        let hierarchies = rules.hierarchy_files().map(|name| path.with_file_name(name));
        let mut inputs: Vec<PathBuf> = hierarchies.collect();
        inputs.push(path.to_owned());
        inputs.extend(key.map(Path::to_owned));
        check(&inputs)?;
        let key = read_key(&rules, key, common)?;
        let hierarchies = read_hierarchies(&rules, path)?;
        Ok(Self { path: path.to_owned(), rules, key, hierarchies })
    }

    /// The masked table and what was changed; `file` is where the table comes from.
    pub(crate) fn apply(&self, table: &Table, seed: Seed, file: &Path) -> Result<Masked> {
        let means = Means { key: self.key.as_ref(), hierarchies: &self.hierarchies, seed };
        self.rules.apply(table, &means).map_err(|error| match error {
            Error::Recipe { .. } => in_file(error, &self.path),
            other => in_file(other, file),
        })
    }
}

/// The method that a report names where no rule does.
pub(crate) const KEPT: &str = "kept";

/// The columns that a rule names.
pub(crate) fn masked(report: &Report) -> impl Iterator<Item = &str> {
    let masked = report.columns.iter().filter(|column| column.method != KEPT);
    masked.map(|column| column.column.as_str())
}

/// The report in words and a table.
pub(crate) fn show(report: &Report) -> String {
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

fn read_key(rules: &Rules, path: Option<&Path>, common: &Common) -> Result<Option<Key>> {
    match path {
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
        None => {
            if rules.uses_key() {
                common.remark(
                    "fakes are drawn without a key: whoever knows the seed, the rules and the order of the real values can draw them again and tell which value each stands for\n  help: pass --key FILE; `openssl rand -hex 32 > key` makes one",
                );
            }
            Ok(None)
        }
    }
}

fn read_hierarchies(rules: &Rules, path: &Path) -> Result<BTreeMap<String, Hierarchy>> {
    let read = |name: &str| {
        let file = path.with_file_name(name);
        if !file.exists() {
            return Err(DataError::new(format!(
                "it names {name:?}, and there is no {}",
                file.display()
            ))
            .file(path.display().to_string())
            .advice("a relative path in the rules starts at the folder of the rules")
            .into());
        }
        let hierarchy = datasets::read_texts(&file).and_then(|table| {
            Hierarchy::from_table(&table).map_err(|error| in_file(error, &file))
        })?;
        Ok((name.to_owned(), hierarchy))
    };
    rules.hierarchy_files().map(read).collect()
}

fn in_file(error: Error, path: &Path) -> Error {
    let file = path.display().to_string();
    match error {
        Error::Recipe { key, problem } => {
            Error::Request(format!("{file}: {}", Error::Recipe { key, problem }))
        }
        Error::Request(problem) => Error::Request(format!("{file}: {problem}")),
        other => files::in_file(other, path),
    }
}
