use crate::{CATALOGUE, Entry, names};
use meg_core::{Error, Result};
use std::collections::BTreeMap;

/// Entries chosen by names and globs, in catalogue order per pattern, each once.
#[derive(Debug)]
pub struct Selection {
    /// The entries.
    pub entries: Vec<&'static Entry>,
    /// What the reader must know (tables that share rows).
    pub warnings: Vec<String>,
}

/// Chooses entries by names and globs (`*` any text, `?` one character).
///
/// # Errors
/// A request error with the nearest known name when a pattern matches nothing.
pub fn select(patterns: &[String]) -> Result<Selection> {
    let mut entries: Vec<&'static Entry> = Vec::new();
    for pattern in patterns {
        let mut found = CATALOGUE.iter().filter(|e| names::matches(pattern, e.name)).peekable();
        if found.peek().is_none() {
            return Err(unknown(pattern));
        }
        for entry in found {
            if !entries.iter().any(|chosen| chosen.name == entry.name) {
                entries.push(entry);
            }
        }
    }
    let warnings = shared_rows(&entries);
    Ok(Selection { entries, warnings })
}

fn unknown(pattern: &str) -> Error {
    let known = CATALOGUE.iter().map(|entry| entry.name);
    let hint = match names::nearest(pattern, known.clone()) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Error::Request(format!("no dataset {pattern:?}; {hint}"))
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
        assert_eq!(selection.entries[0].name, "car");
        assert_eq!(selection.entries.len(), 12);
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
