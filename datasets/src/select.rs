use crate::{CATALOGUE, Chosen, Entry, Folder, folder, names};
use meg_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::{self, Path};

/// Tables chosen by names, globs and paths, in catalogue order per pattern, each once.
#[derive(Debug)]
pub struct Selection {
    /// The tables.
    pub tables: Vec<Chosen>,
    /// What the reader must know (tables that share rows, folders without a target).
    pub warnings: Vec<String>,
}

/// Chooses tables by names and globs of the catalogue (`*` any text, `?` one character), and by
/// paths of the user's own [folders](Folder). A path has a separator in it, or is a folder that is
/// there and has no name of the catalogue.
///
/// # Errors
/// A request error with the nearest known name when a pattern matches nothing, or when two tables
/// have one name; those of [`Folder::open`].
pub fn select(patterns: &[String]) -> Result<Selection> {
    let mut tables = Vec::new();
    for pattern in patterns {
        for table in matching(pattern)? {
            add(&mut tables, table)?;
        }
    }
    let warnings = warnings(patterns, &tables);
    Ok(Selection { tables, warnings })
}

impl Chosen {
    /// The table of this name or path.
    ///
    /// # Errors
    /// As [`select`].
    pub fn find(address: &str) -> Result<Self> {
        match Entry::find(address) {
            Some(entry) => Ok(Chosen::Named(entry)),
            None if is_path(address) => Folder::open(address).map(Chosen::Folder),
            None => Err(unknown(address)),
        }
    }
}

fn matching(pattern: &str) -> Result<Vec<Chosen>> {
    let entries = CATALOGUE.iter().filter(|entry| names::matches(pattern, entry.name));
    let named: Vec<Chosen> = entries.map(Chosen::Named).collect();
    if named.is_empty() { Ok(vec![Chosen::find(pattern)?]) } else { Ok(named) }
}

/// Whether something that is no name is meant as a path. A table's file is none that can be chosen,
/// and its error tells more than that of a name.
fn is_path(text: &str) -> bool {
    let is_table = [".csv", ".parquet"].iter().any(|ending| text.ends_with(ending));
    text.contains(path::is_separator) || is_table || Path::new(text).is_dir()
}

fn add(tables: &mut Vec<Chosen>, table: Chosen) -> Result<()> {
    match tables.iter().find(|known| known.name() == table.name()) {
        None => tables.push(table),
        Some(known) if known.is_same(&table) => {}
        Some(known) => {
            return Err(Error::Request(format!(
                "two tables would be called {:?} in the report: {} and {}\n  help: rename a folder, or take one of them",
                table.name(),
                known.described(),
                table.described()
            )));
        }
    }
    Ok(())
}

fn unknown(pattern: &str) -> Error {
    let known = CATALOGUE.iter().map(|entry| entry.name);
    let hint = match names::nearest(pattern, known.clone()) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Error::Request(format!("no dataset {pattern:?}; {hint}"))
}

fn warnings(patterns: &[String], tables: &[Chosen]) -> Vec<String> {
    // A name means the same everywhere, whatever lies in the current folder.
    let shadowing = |pattern: &&String| Entry::find(pattern).is_some() && folder::is_there(pattern);
    let shadowed = patterns.iter().filter(shadowing).map(|name| {
        format!("{name} is the named table; for the folder of this name write {name}/")
    });
    let (mut entries, mut own) = (Vec::new(), Vec::new());
    for table in tables {
        match table {
            Chosen::Named(entry) => entries.push(*entry),
            Chosen::Folder(folder) => own.extend(folder.warning()),
        }
    }
    shared_rows(&entries).into_iter().chain(shadowed).chain(own).collect()
}

fn shared_rows(entries: &[&'static Entry]) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        if let Some(group) = entry.group {
            groups.entry(group).or_default().push(entry.name);
        }
    }
    let warn = |names: Vec<&str>| {
        format!("{} share rows: do not count them as independent tables", names.join(", "))
    };
    groups.into_values().filter(|names| names.len() > 1).map(warn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(patterns: &[&str]) -> Result<Selection> {
        select(&patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn globs_choose_each_entry_once_and_shared_rows_are_told() {
        let selection = chosen(&["car", "thyroid*", "thyroid-sick"]).unwrap();
        assert_eq!(selection.tables[0].name(), "car");
        assert_eq!(selection.tables.len(), 12);
        assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
        assert!(chosen(&["car", "adult"]).unwrap().warnings.is_empty());
    }

    #[test]
    fn an_unknown_name_comes_with_the_nearest_one() {
        let message = chosen(&["tyroid"]).unwrap_err().to_string();
        assert!(message.contains("did you mean \"thyroid\""), "{message}");
        assert!(chosen(&["#"]).unwrap_err().to_string().contains("patients"));
    }
}
