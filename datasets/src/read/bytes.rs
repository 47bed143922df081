//! Whole files as bytes, with errors that say what stands in the way.

use meg_core::{DataError, Error, Result};
use std::{io::ErrorKind, path::Path};

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(directory(path));
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

/// The error for a folder where a file is needed.
pub(super) fn directory(path: &Path) -> Error {
    DataError::new("this is a folder, a file is needed").file(path.display().to_string()).into()
}

/// The error for a file that the system does not give us.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let data = match error.kind() {
        ErrorKind::NotFound => DataError::new("no such file")
            .advice("check the spelling; a relative path starts at the current folder"),
        ErrorKind::PermissionDenied => {
            DataError::new("the file may not be read").advice("check its permissions")
        }
        _ => DataError::new(format!("the file cannot be read: {error}")),
    };
    data.file(path.display().to_string()).into()
}

/// Checks that the bytes are UTF-8, and drops a byte-order mark.
pub(super) fn to_text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(DataError::new("the file is encoded as UTF-16, UTF-8 is needed")
            .file(file)
            .advice("convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW")
            .into());
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
        DataError::new(format!("byte {at} (counted from 0) is not UTF-8: 0x{:02X}", bytes[at]))
            .file(file)
            .line(line)
            .advice("convert the file, for example from Latin-1: iconv -f ISO-8859-1 -t UTF-8 OLD > NEW")
            .into()
    })
}
