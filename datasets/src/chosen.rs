use crate::{Dataset, Entry, Folder, Places};
use meg_core::{Observer, Result, Seed};

/// A table that somebody asked for. Whoever works with tables holds this, so that only what is said
/// about a table has to know which of the two it is.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// One of the catalogue.
    Named(&'static Entry),
    /// A folder of the user's own.
    Folder(Folder),
}

impl Chosen {
    /// Its name in reports.
    pub fn name(&self) -> &str {
        match self {
            Chosen::Named(entry) => entry.name,
            Chosen::Folder(folder) => folder.name(),
        }
    }

    /// What finds it again from the same folder, in the words that it was asked for.
    pub fn given(&self) -> &str {
        match self {
            Chosen::Named(entry) => entry.name,
            Chosen::Folder(folder) => folder.given(),
        }
    }

    /// What finds it again from anywhere on this machine.
    pub fn address(&self) -> &str {
        match self {
            Chosen::Named(entry) => entry.name,
            // A path that is no text cannot be told; the given one is right in the same folder.
            Chosen::Folder(folder) => folder.path().to_str().unwrap_or(folder.given()),
        }
    }

    /// Finds its files, or downloads them.
    ///
    /// # Errors
    /// A data error when a file cannot be had.
    pub fn provide(&self, places: &Places, observer: &mut dyn Observer) -> Result<()> {
        match self {
            Chosen::Named(entry) => entry.provide(places, observer).map(|_| ()),
            Chosen::Folder(_) => Ok(()),
        }
    }

    /// Reads it, with its rows divided: by the seed where nothing else divides them.
    ///
    /// # Errors
    /// When a file cannot be found, fetched or read.
    pub fn load(
        &self,
        places: &Places,
        seed: Seed,
        observer: &mut dyn Observer,
    ) -> Result<Dataset> {
        match self {
            Chosen::Named(entry) => entry.load(places, seed, observer),
            Chosen::Folder(folder) => folder.load(),
        }
    }

    /// Whether two names or paths lead to one table.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Chosen::Named(one), Chosen::Named(other)) => one.name == other.name,
            (Chosen::Folder(one), Chosen::Folder(other)) => one.path() == other.path(),
            _ => false,
        }
    }

    /// Itself in a message.
    pub(crate) fn described(&self) -> String {
        match self {
            Chosen::Named(entry) => format!("the named table {}", entry.name),
            Chosen::Folder(folder) => folder.given().to_owned(),
        }
    }
}
