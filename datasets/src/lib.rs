//! Named datasets: catalogue, finding and fetching, reading, schemas, splits, simulators.

use meg_core::{Observer, Result, Schema, Seed, Table};
use std::path::{Path, PathBuf};

/// One named table.
#[derive(Debug)]
pub struct Entry {
    /// Name, as after `--datasets`.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// How to cite it.
    pub citation: &'static str,
    /// Tables with the same group share rows and must not be counted as independent.
    pub group: Option<&'static str>,
}

/// Where to look for files, in this order, and whether the network may be used.
#[derive(Debug, Clone)]
pub struct Places {
    /// `--data-dir`, then the folders of `MEG_DATA`.
    pub folders: Vec<PathBuf>,
    /// The user's cache, where downloads go.
    pub cache: PathBuf,
    /// Whether missing files may be downloaded.
    pub download: bool,
}

/// A table, split.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Catalogue name.
    pub name: String,
    /// Rows for the generator.
    pub train: Table,
    /// Rows that the generator never sees.
    pub holdout: Table,
    /// SHA-256 (hex) over schema and cells of both parts.
    pub hash: String,
    /// SHA-256 (hex) over the row numbers of the two parts, or the word `published`.
    pub split: String,
}

/// All named tables.
pub const CATALOGUE: &[Entry] = &[];

/// Entries chosen by names and globs, in catalogue order per pattern, each once.
#[derive(Debug)]
pub struct Selection {
    /// The entries.
    pub entries: Vec<&'static Entry>,
    /// What the reader must know (tables that share rows).
    pub warnings: Vec<String>,
}

/// Chooses entries by names and globs.
///
/// # Errors
/// A request error with the nearest known name when a pattern matches nothing.
pub fn select(patterns: &[String]) -> Result<Selection> {
    let _ = patterns;
    Ok(Selection { entries: Vec::new(), warnings: Vec::new() })
}

impl Places {
    /// `data_dir`, then `MEG_DATA` (a path list), then the user's cache; downloads allowed.
    pub fn from_environment(data_dir: Option<&Path>) -> Self {
        let folders = data_dir.map(Path::to_owned).into_iter().collect();
        Self { folders, cache: PathBuf::new(), download: true }
    }
}

impl Entry {
    /// Finds or fetches the files, reads and splits them. `rows` caps the training rows.
    ///
    /// # Errors
    /// When a file cannot be found, fetched or read.
    pub fn load(
        &self,
        places: &Places,
        seed: Seed,
        observer: &mut dyn Observer,
    ) -> Result<Dataset> {
        let _ = (places, seed, observer);
        Err(meg_core::Error::data("not yet"))
    }
}

/// Reads a CSV or Parquet file (by its extension); without a schema one is inferred.
///
/// # Errors
/// A data error that names file, row, column, value and the way out.
pub fn read_table(path: &Path, schema: Option<&Schema>) -> Result<Table> {
    let _ = (path, schema);
    Err(meg_core::Error::data("not yet"))
}

/// Proposes a schema for a file, for a person to review.
///
/// # Errors
/// As [`read_table`].
pub fn infer_schema(path: &Path) -> Result<Schema> {
    read_table(path, None).map(|table| table.schema().as_ref().clone())
}

/// Writes CSV or Parquet (by the extension): to a temporary name first, synced, then renamed.
///
/// # Errors
/// A data error that names the file.
pub fn write_table(path: &Path, table: &Table) -> Result<()> {
    let _ = (path, table);
    Err(meg_core::Error::data("not yet"))
}
