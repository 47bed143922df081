//! Finding the files of an entry: data folders, then the cache, then the network.

use crate::{Entry, SourceFile, fetch};
use meg_core::{DataError, Error, Observer, Result};
use sha2::{Digest, Sha256};
use std::{
    env,
    path::{Path, PathBuf},
};

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

impl Places {
    /// `data_dir`, then `MEG_DATA` (a path list), then the user's cache; downloads allowed.
    pub fn from_environment(data_dir: Option<&Path>) -> Self {
        let listed = env::var_os("MEG_DATA").unwrap_or_default();
        let listed = env::split_paths(&listed).filter(|folder| folder != Path::new(""));
        let folders = data_dir.map(Path::to_owned).into_iter().chain(listed).collect();
        Self {
            folders,
            cache: cache_folder(|name| env::var_os(name).map(PathBuf::from)),
            download: true,
        }
    }

    /// The places that were looked in or written to for a file, best first.
    fn candidates(&self, file: &SourceFile) -> impl Iterator<Item = PathBuf> {
        let in_folder =
            |folder: &PathBuf| [folder.join(file.folder).join(file.name), folder.join(file.name)];
        let cached = self.cached(file);
        self.folders.iter().flat_map(in_folder).chain([cached]).collect::<Vec<_>>().into_iter()
    }

    fn cached(&self, file: &SourceFile) -> PathBuf {
        self.cache.join(file.folder).join(file.name)
    }

    fn find(&self, file: &SourceFile) -> Option<PathBuf> {
        self.candidates(file).find(|path| path.is_file())
    }

    /// The path of a file, which is fetched when it is not there and may be.
    fn provide(&self, file: &SourceFile, observer: &mut dyn Observer) -> Result<PathBuf> {
        match self.find(file) {
            Some(path) => Ok(path),
            None if self.download => {
                let path = self.cached(file);
                fetch::download(file, &path, observer)?;
                Ok(path)
            }
            None => Err(self.absent(file)),
        }
    }

    fn absent(&self, file: &SourceFile) -> Error {
        let folder = self.folders.first().unwrap_or(&self.cache).join(file.folder);
        DataError::new("the file is not in any data folder, and downloads are switched off")
            .file(file.name)
            .advice(by_hand(file, &folder))
            .into()
    }
}

impl Entry {
    /// Files that are in no place, without asking the network.
    pub fn missing(&self, places: &Places) -> Vec<&'static SourceFile> {
        self.files.iter().filter(|file| places.find(file).is_none()).collect()
    }

    /// Finds or downloads every file; returns their paths. A file that was there already may still
    /// turn out to be a wrong one when it is read: an error here means that a file cannot be had.
    ///
    /// # Errors
    /// A data error that names the file, its address, its checksum and the folder to put it in.
    pub fn provide(&self, places: &Places, observer: &mut dyn Observer) -> Result<Vec<PathBuf>> {
        self.files.iter().map(|file| places.provide(file, observer)).collect()
    }

    /// Finds or downloads every file and checks it; returns their paths.
    ///
    /// # Errors
    /// Those of [`Entry::provide`]; a data error when a file is not that of the catalogue.
    pub fn fetch(&self, places: &Places, observer: &mut dyn Observer) -> Result<Vec<PathBuf>> {
        let paths = self.provide(places, observer)?;
        for (file, path) in self.files.iter().zip(&paths) {
            read_checked(file, path)?;
        }
        Ok(paths)
    }

    /// The bytes of every file, checked.
    pub(crate) fn read_files(
        &self,
        places: &Places,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        self.files
            .iter()
            .map(|file| {
                let path = places.provide(file, observer)?;
                let bytes = read_checked(file, &path)?;
                Ok((path, bytes))
            })
            .collect()
    }
}

/// How to get a file without this program.
pub(crate) fn by_hand(file: &SourceFile, folder: &Path) -> String {
    let addresses: Vec<&str> = file.addresses.iter().map(|address| address.url).collect();
    let (verb, from) = match addresses.is_empty() {
        true => ("find", String::new()),
        false => ("fetch", format!(" from {}", addresses.join(" or "))),
    };
    format!(
        "{verb} {} ({} bytes, SHA-256 {}){from} and put it into {}; or name the folder that has it with --data-dir or MEG_DATA",
        file.name,
        file.bytes,
        file.sha256,
        folder.display()
    )
}

fn read_checked(file: &SourceFile, path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|error| -> Error {
        DataError::new(format!("the file cannot be read: {error}"))
            .file(path.display().to_string())
            .into()
    })?;
    let found = sha256(&bytes);
    if found == file.sha256 {
        return Ok(bytes);
    }
    Err(DataError::new(format!(
        "the file is not the one of the catalogue: {} bytes with SHA-256 {found}, not {} bytes with SHA-256 {}",
        bytes.len(),
        file.bytes,
        file.sha256
    ))
    .file(path.display().to_string())
    .advice("remove or rename it, so that the right one is found or fetched; or read your file as your own table")
    .into())
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The user's cache folder for this program, by the custom of the system.
fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    let set = |name: &str| variable(name).filter(|path| path.is_absolute());
    let home = || set(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    let base = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        set("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    };
    base.unwrap_or_else(env::temp_dir).join("meg")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_the_custom_of_the_system() {
        let with = |known: &'static [(&str, &str)]| {
            cache_folder(|name| {
                known.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            })
        };
        assert_eq!(with(&[("HOME", "/home/a")]), Path::new("/home/a/.cache/meg"));
        let both = with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/cache")]);
        assert_eq!(both, Path::new("/cache/meg"));
        // A relative path is to be ignored, says the standard.
        let relative = with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "cache")]);
        assert_eq!(relative, Path::new("/home/a/.cache/meg"));
    }
}
