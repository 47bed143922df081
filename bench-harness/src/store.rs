//! The folder of results: `plan.toml`, `run.json`, `cells.jsonl`.
//!
//! Files are written whole and renamed, with one exception: `cells.jsonl` grows in place, a line at
//! a time, synced after each. Writing it anew for every cell would cost the square of the cells; the
//! price is that a killed run may leave its last line cut. Reading forgives exactly that, and the
//! file is written whole when a run begins and, in plan order, when it ends.

use crate::machine::Machine;
use crate::plan::Plan;
use crate::record::Record;
use crate::resolve::Skipped;
use crate::{VERSION, files};
use meg_core::{DataError, Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the file of cells.
pub const CELLS: &str = "cells.jsonl";

/// Name of the file that says what the run was.
pub const MANIFEST: &str = "run.json";

/// Name of the resolved plan.
pub const PLAN: &str = "plan.toml";

/// What the run was: everything of a report that is not in its cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's form.
    pub schema_version: u32,
    /// Version of the program.
    pub version: String,
    /// What reports are headed, where they are not of a benchmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The machine of the last run into this folder.
    pub machine: Machine,
    /// Cells at the same time.
    pub jobs: usize,
    /// Threads per cell.
    pub threads: usize,
    /// Tables that could not be had.
    pub skipped: Vec<Skipped>,
    /// What the reader must know.
    pub warnings: Vec<String>,
    /// The words of `--metrics` that chose the scores; none for the default set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// The cells of the plan, in report order.
    pub cells: Vec<Planned>,
}

/// One cell of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Key of its record.
    pub key: String,
    /// Name of the table.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// The seed.
    pub seed: u64,
}

/// An open folder of results. One program at a time holds it.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    records: Vec<Record>,
    file: File,
    // Held for its lock, which ends with it.
    _lock: File,
}

impl Manifest {
    /// Of a run on this machine.
    pub fn here(jobs: usize, threads: usize, cells: Vec<Planned>) -> Self {
        Self {
            schema_version: 1,
            version: VERSION.into(),
            title: None,
            machine: Machine::here(),
            jobs,
            threads,
            skipped: Vec::new(),
            warnings: Vec::new(),
            metrics: Vec::new(),
            cells,
        }
    }
}

impl Store {
    /// Opens or makes the folder, before anything runs.
    ///
    /// # Errors
    /// When it cannot be written, is in use, or holds cells of another form.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| files::cannot_write(folder, &error))?;
        let lock = lock(folder)?;
        let records = read_cells(&folder.join(CELLS))?;
        let file = begin(folder, &records)?;
        Ok(Self { folder: folder.to_owned(), records, file, _lock: lock })
    }

    /// Forgets the cells of a plan, so that they are computed again; those of others stay.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget(&mut self, plan: &[Planned]) -> Result<()> {
        self.records.retain(|record| plan.iter().all(|cell| cell.key != record.key));
        self.file = begin(&self.folder, &self.records)?;
        Ok(())
    }

    /// Writes what the run is.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn describe(&self, plan: &Plan, manifest: &Manifest) -> Result<()> {
        let plan = toml::to_string(plan).map_err(|error| Error::Request(error.to_string()))?;
        datasets::write_file(&self.folder.join(PLAN), plan.as_bytes())?;
        let manifest = serde_json::to_vec_pretty(manifest)
            .map_err(|error| Error::Request(error.to_string()))?;
        datasets::write_file(&self.folder.join(MANIFEST), &manifest)
    }

    /// The record of a cell that ended well.
    pub fn finished(&self, key: &str) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.key == key && record.is_ok())
    }

    /// Adds a record, synced before this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, record: Record) -> Result<()> {
        let line = record.line() + "\n";
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|error| files::cannot_write(&self.folder.join(CELLS), &error))?;
        self.records.push(record);
        Ok(())
    }

    /// Writes the cells in plan order, one line per key, those of earlier plans last.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn close(self, plan: &[Planned]) -> Result<Vec<Record>> {
        let records = in_plan_order(plan, self.records);
        datasets::write_file(&self.folder.join(CELLS), &lines(&records))?;
        Ok(records)
    }
}

/// Reads a folder of results.
///
/// # Errors
/// When it is none.
pub fn read(folder: &Path) -> Result<(Manifest, Vec<Record>)> {
    let path = folder.join(MANIFEST);
    if !path.is_file() {
        return Err(DataError::new(format!("there is no {MANIFEST} in it"))
            .file(folder.display().to_string())
            .advice("name the folder that `meg bench --out DIR` wrote")
            .into());
    }
    let manifest: Manifest = serde_json::from_slice(&files::read(&path)?)
        .map_err(|error| Error::Artifact(format!("{}: {error}", path.display())))?;
    let records = read_cells(&folder.join(CELLS))?;
    let records = in_plan_order(&manifest.cells, records);
    Ok((manifest, records))
}

/// Writes the file anew: a line that a killed run left unfinished must not meet the next one.
fn begin(folder: &Path, records: &[Record]) -> Result<File> {
    let path = folder.join(CELLS);
    datasets::write_file(&path, &lines(records))?;
    let opened = OpenOptions::new().append(true).open(&path);
    opened.map_err(|error| files::cannot_write(&path, &error))
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|error| files::cannot_write(&path, &error))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Request(format!(
            "another program is writing to {}\n  help: wait for it, or choose another --out",
            folder.display()
        ))),
        // File systems without locks exist; there the user has to take care.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn read_cells(path: &Path) -> Result<Vec<Record>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = files::read(path)?;
    let whole = bytes.ends_with(b"\n");
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter(|l| !l.is_empty()).collect();
    let mut records = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            // The last line of a killed run may be cut; its cell is simply computed again.
            Err(_) if at + 1 == lines.len() && !whole => {}
            Err(error) => {
                return Err(Error::Artifact(format!(
                    "{}: line {}: {error}\n  help: it was written by another version or edited; choose another folder",
                    path.display(),
                    at + 1
                )));
            }
        }
    }
    Ok(records)
}

fn in_plan_order(plan: &[Planned], records: Vec<Record>) -> Vec<Record> {
    let mut latest: Vec<Record> = Vec::with_capacity(records.len());
    for record in records {
        match latest.iter_mut().find(|known| known.key == record.key) {
            Some(known) => *known = record,
            None => latest.push(record),
        }
    }
    let place =
        |record: &Record| plan.iter().position(|cell| cell.key == record.key).unwrap_or(plan.len());
    // A stable sort: cells of earlier plans keep their order.
    latest.sort_by_cached_key(place);
    for record in &mut latest {
        // A label is no part of the key; the plan's word for it is the one that counts.
        if let Some(cell) = plan.iter().find(|cell| cell.key == record.key) {
            record.model.clone_from(&cell.model);
        }
    }
    latest
}

fn lines(records: &[Record]) -> Vec<u8> {
    records.iter().map(|record| record.line() + "\n").collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Status;
    use crate::report::samples::record;

    fn planned(key: &str) -> Planned {
        Planned { key: key.into(), dataset: "d".into(), model: "m".into(), seed: 1 }
    }

    fn keyed(key: &str, status: Status) -> Record {
        Record { key: key.into(), status, ..record("d", "m", 1) }
    }

    fn keys(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.key.as_str()).collect()
    }

    #[test]
    fn cells_end_in_plan_order_and_failures_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        for (key, status) in [("x", Status::Ok), ("b", Status::Failed), ("a", Status::Ok)] {
            store.append(keyed(key, status)).unwrap();
        }
        assert!(store.finished("a").is_some() && store.finished("b").is_none());
        store.append(keyed("b", Status::Ok)).unwrap();
        store.forget(&[planned("y")]).unwrap();
        let records = store.close(&[planned("a"), planned("b")]).unwrap();
        assert_eq!(keys(&records), ["a", "b", "x"]);
        assert!(records.iter().all(Record::is_ok));
        assert_eq!(read_cells(&folder.path().join(CELLS)).unwrap(), records);
    }

    #[test]
    fn forgotten_cells_are_gone_and_new_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.append(keyed("a", Status::Ok)).unwrap();
        store.append(keyed("b", Status::Ok)).unwrap();
        store.forget(&[planned("a")]).unwrap();
        assert!(store.finished("a").is_none() && store.finished("b").is_some());
        store.append(keyed("c", Status::Ok)).unwrap();
        assert_eq!(keys(&read_cells(&folder.path().join(CELLS)).unwrap()), ["b", "c"]);
    }

    #[test]
    fn a_cut_last_line_is_forgotten_and_other_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CELLS);
        let line = keyed("a", Status::Ok).line();
        fs::write(&path, format!("{line}\n{}", &line[..40])).unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.append(keyed("b", Status::Ok)).unwrap();
        assert_eq!(keys(&read_cells(&path).unwrap()), ["a", "b"]);
        fs::write(&path, format!("{}\n{line}\n", &line[..40])).unwrap();
        assert!(read_cells(&path).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn one_program_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _store = Store::open(folder.path()).unwrap();
        let message = Store::open(folder.path()).unwrap_err().to_string();
        assert!(message.contains("another program"), "{message}");
    }
}
