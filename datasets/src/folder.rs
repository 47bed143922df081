//! Tables of the user's own: a folder with rows to train on, rows held out, and their schema.

use crate::{Dataset, ReadOptions, SchemaOf, read_table_with};
use meg_core::{DataError, Error, Result, Schema, Table};
use std::path::{Path, PathBuf};

/// The word for the split of a [`Dataset`] that came from a folder.
pub const FOLDER_SPLIT: &str = "folder";

/// The file with the columns.
const SCHEMA: &str = "schema.toml";
/// The endings that a part may have.
const ENDINGS: [&str; 2] = ["csv", "parquet"];
/// How any table becomes such a folder.
const WAY: &str = "divide a table with `meg datasets split FILE --out DIR`, then give the folder: `--datasets DIR/`";

/// A folder as `meg datasets split` and `meg datasets export` write it: `train` and `holdout`, each
/// as CSV or Parquet, and `schema.toml`.
#[derive(Debug, Clone)]
pub struct Folder {
    given: String,
    path: PathBuf,
    name: String,
    train: PathBuf,
    holdout: PathBuf,
    schema: Schema,
}

impl Folder {
    /// Finds the files and reads the schema, so that what is missing is told before anything runs.
    ///
    /// # Errors
    /// A data error that names folder or file and the way out.
    pub fn open(given: &str) -> Result<Self> {
        let folder = Path::new(given);
        if !folder.is_dir() {
            return Err(no_folder(folder));
        }
        let path = folder
            .canonicalize()
            .map_err(|error| wrong(folder, format!("cannot be opened: {error}"), WAY))?;
        let name = name(folder, &path)?;
        let train = part(folder, "train", WAY)?;
        let divide = format!(
            "models are judged by rows that they have not seen: `meg datasets split {} --out DIR` holds some out, then `--datasets DIR/`",
            train.display()
        );
        let holdout = part(folder, "holdout", &divide)?;
        let schema = schema(folder, &train)?;
        Ok(Self { given: given.to_owned(), path, name, train, holdout, schema })
    }

    /// Its last component, by which reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path as it was given.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The path from the root, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files of its rows: those to train on, those held out.
    pub fn files(&self) -> [&Path; 2] {
        [&self.train, &self.holdout]
    }

    /// Name of the column that a predictive model would predict.
    pub fn target(&self) -> Option<&str> {
        self.schema.target().map(|at| self.schema.columns[at].name.as_str())
    }

    /// Reads the rows. They are divided already, so that no seed is needed.
    ///
    /// # Errors
    /// A data error that names file, row, column, value and the way out.
    pub fn load(&self) -> Result<Dataset> {
        let options = ReadOptions { schema_of: SchemaOf::Folder, ..ReadOptions::default() };
        let read = |file| -> Result<Table> { read_table_with(file, Some(&self.schema), &options) };
        let (train, holdout) = (read(&self.train)?, read(&self.holdout)?);
        Ok(Dataset::new(self.name.clone(), train, holdout, FOLDER_SPLIT.into()))
    }

    /// What a reader of scores has to know of it.
    pub(crate) fn warning(&self) -> Option<String> {
        self.target().is_none().then(|| {
            format!(
                "{} names no target, so that there is no TSTR: write role = \"target\" under a column of {}, or divide the table with `meg datasets split FILE --target COLUMN`",
                self.name,
                Path::new(&self.given).join(SCHEMA).display()
            )
        })
    }
}

/// Whether there is a folder of this name with a schema in it.
pub(crate) fn is_there(folder: &str) -> bool {
    Path::new(folder).join(SCHEMA).is_file()
}

/// The last component. Reports are tables with this name in them, which some signs would break.
fn name(folder: &Path, path: &Path) -> Result<String> {
    let last = folder.file_name().or_else(|| path.file_name()).unwrap_or_default();
    let name = last.to_string_lossy().into_owned();
    if name.is_empty() || name.chars().any(|c| c.is_control() || "|`*\\".contains(c)) {
        let problem = "its name cannot stand in a report";
        return Err(wrong(folder, problem, "rename it, without any of | ` * \\"));
    }
    Ok(name)
}

fn part(folder: &Path, part: &str, advice: &str) -> Result<PathBuf> {
    let files = ENDINGS.map(|ending| folder.join(format!("{part}.{ending}")));
    let mut there = files.into_iter().filter(|file| file.is_file());
    match (there.next(), there.next()) {
        (Some(file), None) => Ok(file),
        (None, _) => {
            Err(wrong(folder, format!("there is no {part}.csv or {part}.parquet in it"), advice))
        }
        (Some(_), Some(_)) => {
            let problem = format!("there are both {part}.csv and {part}.parquet in it");
            Err(wrong(folder, problem, "move the one that is not meant away"))
        }
    }
}

fn schema(folder: &Path, train: &Path) -> Result<Schema> {
    let file = folder.join(SCHEMA);
    if !file.is_file() {
        let advice = format!(
            "`meg schema infer {} --out {}` proposes one to read and correct",
            train.display(),
            file.display()
        );
        return Err(wrong(folder, format!("there is no {SCHEMA} in it"), advice));
    }
    let text = std::fs::read_to_string(&file).map_err(|error| -> Error {
        DataError::new(format!("cannot be read: {error}")).file(file.display().to_string()).into()
    })?;
    Schema::from_toml(&text).map_err(|error| Error::data(format!("{}: {error}", file.display())))
}

fn no_folder(path: &Path) -> Error {
    if !path.is_file() {
        return wrong(path, "there is no such file or folder", WAY);
    }
    let parent = path.parent().filter(|parent| parent.join(SCHEMA).is_file());
    let advice = match parent {
        Some(parent) => format!("give the folder: `--datasets {}`", parent.join("").display()),
        None => format!(
            "divide it with `meg datasets split {} --out DIR`, then give the folder: `--datasets DIR/`",
            path.display()
        ),
    };
    wrong(path, "this is a file, not a folder with rows to train on and rows held out", advice)
}

fn wrong(path: &Path, problem: impl Into<String>, advice: impl Into<String>) -> Error {
    DataError::new(problem).file(path.display().to_string()).advice(advice).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chosen;
    use std::fs;

    #[test]
    fn a_folder_is_found_again_from_anywhere_and_called_by_its_last_component() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("people");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("train.csv"), "x\n1\n2\n").unwrap();
        fs::write(folder.join("holdout.csv"), "x\n3\n").unwrap();
        fs::write(
            folder.join(SCHEMA),
            "[[columns]]\nname = \"x\"\nkind = \"number\"\ndecimals = 0\n",
        )
        .unwrap();
        let real = folder.canonicalize().unwrap();
        for way in ["", ".", "../people"].map(|way| folder.join(way)) {
            let given = way.to_str().unwrap();
            let found = Chosen::find(given).unwrap();
            assert_eq!((found.name(), found.given()), ("people", given));
            assert_eq!(Path::new(found.address()), real);
            assert!(Chosen::find(found.address()).unwrap().is_same(&found));
        }
        let data = Folder::open(folder.to_str().unwrap()).unwrap().load().unwrap();
        assert_eq!((data.train.rows(), data.holdout.rows()), (2, 1));
        assert_eq!((data.name.as_str(), data.split.as_str()), ("people", FOLDER_SPLIT));
    }
}
