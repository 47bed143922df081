//! What a cell has to show beside its scores: curves of its training, masks and sheets of its model,
//! rows as points. One small JSON file per cell in `details/`, named after the cell's key;
//! `cells.jsonl` stays the source of every number, and a report without these files lacks pictures
//! alone.

use crate::beside::Beside;
use crate::curves::{Curve, rounded};
use crate::files;
use eval::{Comparison, Projection};
use meg_core::{Error, Fitted, Masks, Result, Sheet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the folder in a folder of results.
pub const FOLDER: &str = "details";

/// Version of the form of the files.
const SCHEMA_VERSION: u32 = 1;

/// Rows of each kind that are shown as points.
const POINTS: usize = 400;

/// The pictures of a cell, as data. Everything is the same in every run with the same key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Version of this form.
    pub schema_version: u32,
    /// Key of the cell.
    pub key: String,
    /// Values over the updates of the training.
    pub curves: Vec<Curve>,
    /// Output and context masks, of a model that has some.
    pub masks: Option<Masks>,
    /// What the model tells about itself.
    pub sheets: Vec<Sheet>,
    /// Real and synthetic rows along the first two principal components, where there are two.
    pub components: Option<Projection>,
    /// Single columns of real and synthetic rows, where they are all that a report is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Beside>,
}

impl Details {
    /// Of a cell without a model yet.
    pub fn new(key: String) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            key,
            curves: Vec::new(),
            masks: None,
            sheets: Vec::new(),
            components: None,
            columns: Vec::new(),
        }
    }

    /// Takes over what the model tells.
    pub fn describe(&mut self, fitted: &dyn Fitted) {
        self.masks = fitted.masks().filter(Masks::is_sound);
        self.sheets = fitted.describe();
    }

    /// Puts rows along the principal components.
    pub fn project(&mut self, comparison: &Comparison<'_>) {
        self.components = eval::projection(comparison, POINTS).map(|mut projection| {
            for points in [&mut projection.real, &mut projection.synthetic] {
                points.iter_mut().flatten().for_each(|place| *place = rounded(*place));
            }
            projection.shares = projection.shares.map(rounded);
            projection
        });
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = serde_json::to_vec(self).map_err(|e| Error::Request(e.to_string()))?;
        bytes.push(b'\n');
        datasets::write_file(path, &bytes)
    }
}

/// The file of a cell in a folder of results.
pub fn file(folder: &Path, key: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{key}.json"))
}

/// The details of these cells, by key, as far as there are any.
///
/// # Errors
/// When a file is there and is none of ours.
pub fn read<'a>(
    folder: &Path,
    keys: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, Details>> {
    let mut all = BTreeMap::new();
    for key in keys {
        let path = file(folder, key);
        if path.is_file() {
            all.insert(key.to_owned(), read_one(&path, key)?);
        }
    }
    Ok(all)
}

fn read_one(path: &Path, key: &str) -> Result<Details> {
    let wrong = |problem: String| {
        Error::Artifact(format!(
            "{}: {problem}\n  help: remove it; the report lacks the pictures of this cell then",
            path.display()
        ))
    };
    let details: Details =
        serde_json::from_slice(&files::read(path)?).map_err(|error| wrong(error.to_string()))?;
    if details.schema_version != SCHEMA_VERSION {
        return Err(wrong(format!("it is of the form {}", details.schema_version)));
    }
    if details.key != key || !details.masks.as_ref().is_none_or(Masks::is_sound) {
        return Err(wrong("it is of another cell, or damaged".into()));
    }
    Ok(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_written_and_strangers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let mut details = Details::new("a".into());
        details.curves = vec![Curve { name: "loss".into(), points: vec![[1.0, 0.5]] }];
        details.write(&file(folder.path(), "a")).unwrap();
        let keys = || ["a", "b"].into_iter();
        let read_back = read(folder.path(), keys()).unwrap();
        assert_eq!((read_back.len(), &read_back["a"]), (1, &details));
        details.write(&file(folder.path(), "b")).unwrap();
        let message = read(folder.path(), keys()).unwrap_err().to_string();
        assert!(message.contains("another cell") && message.contains("b.json"), "{message}");
        std::fs::write(file(folder.path(), "b"), "{").unwrap();
        assert!(read(folder.path(), keys()).is_err());
    }
}
