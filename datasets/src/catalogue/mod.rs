//! The named tables: what each is, where its files are, how they read, how it is split.

mod columns;
mod entries;
mod format;

pub use entries::CATALOGUE;
pub(crate) use format::gunzip;
pub use format::{Ending, Format, Label};

/// One named table.
#[derive(Debug)]
pub struct Entry {
    /// Name, as after `--datasets`.
    pub name: &'static str,
    /// What it is, in one or a few sentences.
    pub about: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// How to cite it.
    pub citation: &'static str,
    /// Tables with the same group share rows and must not be counted as independent.
    pub group: Option<&'static str>,
    /// Its files; none for a table that is made here. Of two, the second is the holdout part.
    pub files: &'static [SourceFile],
    /// Where its rows come from.
    pub source: Source,
    /// Name of the column that a predictive model would predict.
    pub target: Option<&'static str>,
    /// How its rows are divided.
    pub split: Split,
}

/// Where the rows of an [`Entry`] come from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// From its files.
    Table {
        /// How the files read.
        format: Format,
        /// The columns that are kept, as the text of a `schema.toml`.
        schema: &'static str,
    },
    /// Drawn from the [`Mixture`](crate::Mixture) of this name.
    Mixture,
    /// Drawn from the [`Network`](crate::Network) of this name: that of its file, or the built-in
    /// one.
    Network,
    /// Drawn by [`clinic`](crate::clinic).
    Clinic,
}

/// A file that an [`Entry`] reads.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile {
    /// File name, the original one.
    pub name: &'static str,
    /// Folder it may lie in, inside a data folder.
    pub folder: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: &'static str,
    /// Lines at the top that are no part of the table.
    pub skip_lines: usize,
    /// Where it can be fetched, best first.
    pub addresses: &'static [Address],
}

/// Where a file can be fetched.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    /// The canonical address.
    pub url: &'static str,
    /// How the file lies there.
    pub packing: Packing,
}

/// How a file lies at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Plain,
    /// Inside a gzip stream.
    Gzip,
    /// A member of a ZIP archive: the first whose path ends with the file's name.
    Zip,
}

/// How the rows of a table are divided into training and holdout rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// As published: the first file trains, the second is held out.
    Published,
    /// A share of each class is held out, drawn from the seed; equal rows stay on one side.
    Stratified {
        /// Share of the rows that is held out.
        holdout: f64,
    },
    /// The first half trains, the second is held out.
    Halves,
}

impl Entry {
    /// The entry of this name.
    pub fn find(name: &str) -> Option<&'static Entry> {
        CATALOGUE.iter().find(|entry| entry.name == name)
    }
}
