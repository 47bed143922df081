//! Writing files so that nobody ever sees half of one. The harness writes its files through here
//! too; the one exception is its `cells.jsonl`, which grows line by line.

use meg_core::{DataError, Error, Result};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};
use tempfile::{Builder, NamedTempFile};

/// Writes a file whole: under a temporary name in the same folder, synced, then renamed. On failure
/// nothing is left and an older file of that name stays as it is.
///
/// # Errors
/// A data error that names the file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |writer| writer.write_all(bytes))
}

/// [`write_file`] for bytes that are made while they are written.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> Result<()> {
    let mut temporary = temporary(path)?;
    let fail = |error: io::Error| unwritable(path, &error);
    let mut buffer = BufWriter::new(temporary.as_file_mut());
    write(&mut buffer).and_then(|()| buffer.flush()).map_err(fail)?;
    drop(buffer);
    persist(temporary, path)
}

/// An empty file with a temporary name in the folder of `path`.
pub(crate) fn temporary(path: &Path) -> Result<NamedTempFile> {
    let fail = |error: io::Error| unwritable(path, &error);
    if path.is_dir() {
        return Err(fail(io::Error::other("there is a folder of this name")));
    }
    let mut builder = Builder::new();
    builder.prefix(".meg-").suffix(".part");
    // The file should get the permissions that any new file gets, not those of a private one.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder(path)).map_err(fail)
}

/// Syncs a temporary file and gives it its name.
pub(crate) fn persist(temporary: NamedTempFile, path: &Path) -> Result<()> {
    let fail = |error: io::Error| unwritable(path, &error);
    temporary.as_file().sync_all().map_err(fail)?;
    temporary.persist(path).map_err(|error| fail(error.error))?;
    // The new name lives in the folder, which only some systems can sync; the data are safe.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder(path)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The error for a file that cannot be written.
pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Error {
    DataError::new(format!("the file cannot be written: {error}"))
        .file(path.display().to_string())
        .advice("check that the folder exists, may be written to and has room")
        .into()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
