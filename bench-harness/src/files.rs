//! Folders without halves, checks before the work, and reading. Single files are written by
//! `datasets::write_file`: a reader sees the old file, or the whole new one. The one file that grows
//! in place is `cells.jsonl`; see [`store`](crate::store).

use meg_core::{Artifact, DataError, Error, Result};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Writes a folder of files under a temporary name, and renames it.
///
/// # Errors
/// A data error that names the folder; a usage error as [`check_writable_model`].
pub fn write_folder(path: &Path, files: &[(&str, Vec<u8>)], replace: bool) -> Result<()> {
    check_replaceable(path, replace)?;
    let temporary = beside(path);
    let filled =
        fs::create_dir(&temporary).map_err(|error| cannot_write(path, &error)).and_then(|()| {
            fill(&temporary, path, files)?;
            put_in_place(&temporary, path, replace)
        });
    if filled.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    filled
}

/// Makes a folder of files and folders under a temporary name, and renames it. `fill` is given the
/// temporary name, which its errors tell.
///
/// # Errors
/// A data error that names the folder; those of `fill`; a usage error when the folder exists.
pub fn make_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let temporary = beside(path);
    let filled = fs::create_dir(&temporary)
        .map_err(|error| cannot_write(path, &error))
        .and_then(|()| fill(&temporary))
        .and_then(|()| put_in_place(&temporary, path, false));
    if filled.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    filled
}

/// Checks, before hours of work, that a file or folder of this name could be written.
///
/// # Errors
/// A data error that names the path, or a usage error when it exists and `replace` is false.
pub fn check_writable(path: &Path, replace: bool) -> Result<()> {
    if path.exists() && !replace {
        return Err(Error::Request(format!(
            "{} exists already\n  help: choose another name, or replace it with --force",
            path.display()
        )));
    }
    touch(&beside(path)).map_err(|error| cannot_write(path, &error))
}

/// As [`check_writable`] for a command that reads these files: none of them may be replaced.
///
/// # Errors
/// A usage error when it is one of them; those of [`check_writable`].
pub fn check_output(path: &Path, inputs: &[&Path], replace: bool) -> Result<()> {
    if inputs.iter().any(|input| is_same(input, path)) {
        return Err(Error::Request(format!(
            "{} would be written and is read too\n  help: choose another name",
            path.display()
        )));
    }
    check_writable(path, replace)
}

/// The error with the name of this file, where it is one of data and names none: who finds it knows
/// columns and rows alone.
pub fn in_file(error: Error, path: &Path) -> Error {
    match error {
        Error::Data(error) if error.file.is_none() => {
            DataError::file(*error, path.display().to_string()).into()
        }
        other => other,
    }
}

/// Whether two paths lead to one file that is there.
pub fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// As [`check_writable`] for a model folder. What is replaced must be a model folder and nothing
/// else: a slip of the keyboard must not delete somebody's data.
///
/// # Errors
/// A data error that names the path, or a usage error when it may not be replaced.
pub fn check_writable_model(path: &Path, replace: bool) -> Result<()> {
    check_writable(path, replace)?;
    check_replaceable(path, replace)
}

/// The same for a folder that is made with all its parents, or is there and gets new files.
///
/// # Errors
/// A data error that names the path.
pub fn check_writable_folder(path: &Path) -> Result<()> {
    let Some(known) = path.ancestors().find(|folder| folder.exists()) else {
        // A relative path without any known part begins in the current folder.
        return probe(path, Path::new("."));
    };
    probe(path, known)
}

/// Reads a file of the harness's own.
///
/// # Errors
/// A data error that names the file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        DataError::new(format!("cannot be read: {error}")).file(path.display().to_string()).into()
    })
}

/// Reads a text file.
///
/// # Errors
/// A data error that names the file.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| DataError::new("is not UTF-8 text").file(path.display().to_string()).into())
}

/// The error of a path that cannot be written.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    DataError::new(format!("cannot be written: {error}"))
        .file(path.display().to_string())
        .advice(
            "choose a path in an existing folder that you may write to, on a disk with free space",
        )
        .into()
}

fn check_replaceable(path: &Path, replace: bool) -> Result<()> {
    if !replace || !path.exists() || is_model_folder(path) {
        return Ok(());
    }
    Err(Error::Request(format!(
        "{} is not a model folder, or holds other files too; --force replaces only what `meg fit` wrote\n  help: choose another name",
        path.display()
    )))
}

fn is_model_folder(path: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(path) else { return false };
    let known = [Artifact::JSON_FILE, Artifact::TENSOR_FILE];
    let is_known = |name: &OsStr| known.iter().any(|known| name == *known);
    entries.all(|entry| entry.is_ok_and(|entry| is_known(&entry.file_name())))
        && path.join(Artifact::JSON_FILE).is_file()
}

/// A name in the same folder, so that renaming never crosses a file system. The process number
/// keeps two programs apart.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn probe(path: &Path, folder: &Path) -> Result<()> {
    touch(&folder.join(format!(".meg-probe.{}.tmp", std::process::id())))
        .map_err(|error| cannot_write(path, &error))
}

fn touch(probe: &Path) -> std::io::Result<()> {
    File::create(probe).and_then(|_| fs::remove_file(probe))
}

fn fill(temporary: &Path, path: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    for (name, bytes) in files {
        // The user knows the folder by its final name.
        datasets::write_file(&temporary.join(name), bytes)
            .map_err(|error| under_name(error, &path.join(name)))?;
    }
    Ok(())
}

fn under_name(error: Error, path: &Path) -> Error {
    match error {
        Error::Data(error) => error.file(path.display().to_string()).into(),
        other => other,
    }
}

fn put_in_place(temporary: &Path, path: &Path, replace: bool) -> Result<()> {
    let failed = |error: std::io::Error| cannot_write(path, &error);
    if !path.exists() {
        return fs::rename(temporary, path).map_err(failed);
    }
    if !replace {
        return check_writable(path, false);
    }
    // A folder cannot be exchanged in one step; the old one is moved aside and only then removed.
    let old = path.with_file_name(format!(".{}.old", std::process::id()));
    fs::rename(path, &old).map_err(failed)?;
    if let Err(error) = fs::rename(temporary, path) {
        let _ = fs::rename(&old, path);
        return Err(failed(error));
    }
    let removed = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
    removed.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_replaces_a_model_folder_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let parts = |text: &str| {
            let bytes = text.as_bytes().to_vec();
            [(Artifact::JSON_FILE, bytes.clone()), (Artifact::TENSOR_FILE, bytes)]
        };
        let model = folder.path().join("model");
        write_folder(&model, &parts("old"), false).unwrap();
        write_folder(&model, &parts("new"), true).unwrap();
        assert_eq!(fs::read(model.join(Artifact::JSON_FILE)).unwrap(), b"new");
        let precious = folder.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("people.csv"), "a\n1\n").unwrap();
        fs::write(precious.join(Artifact::JSON_FILE), "{}").unwrap();
        let file = folder.path().join("people.csv");
        fs::write(&file, "a\n1\n").unwrap();
        for path in [&precious, &file] {
            let error = write_folder(path, &parts("new"), true).unwrap_err();
            assert!(error.to_string().contains("not a model folder"), "{error}");
            assert!(check_writable_model(path, true).is_err());
        }
        assert!(precious.join("people.csv").is_file() && file.is_file());
        assert_eq!(names(folder.path()).len(), 3);
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn folders_appear_whole_and_are_not_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let file = path.join(Artifact::JSON_FILE);
        let files = |text: &str| vec![(Artifact::JSON_FILE, text.as_bytes().to_vec())];
        write_folder(&path, &files("1"), false).unwrap();
        assert!(write_folder(&path, &files("2"), false).is_err());
        assert_eq!(read_text(&file).unwrap(), "1");
        write_folder(&path, &files("2"), true).unwrap();
        assert_eq!(read_text(&file).unwrap(), "2");
        assert_eq!(names(folder.path()), ["model"], "nothing is left beside it");
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named_early() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no").join("such").join("file.csv");
        let message = check_writable(&path, true).unwrap_err().to_string();
        assert!(message.contains("file.csv") && message.contains("help:"), "{message}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_is_probed_where_it_would_begin() {
        let folder = tempfile::tempdir().unwrap();
        check_writable_folder(&folder.path().join("new/run")).unwrap();
        check_writable_folder(folder.path()).unwrap();
        assert!(names(folder.path()).is_empty());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let message = check_writable_folder(&file.join("run")).unwrap_err().to_string();
        assert!(message.contains("run") && message.contains("help:"), "{message}");
    }

    #[test]
    fn a_file_of_a_folder_is_named_as_it_would_be_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let error = write_folder(&path, &[("no/such", Vec::new())], false).unwrap_err();
        assert!(error.to_string().starts_with(&path.join("no/such").display().to_string()));
        assert!(names(folder.path()).is_empty());
    }
}
