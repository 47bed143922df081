use serde::{Deserialize, Serialize};

/// A table of text for readers: what a fitted model tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// What it shows.
    pub title: String,
    /// Names of its columns.
    pub header: Vec<String>,
    /// Cells, as many in each row as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// A sheet of these cells.
    ///
    /// # Panics
    /// When a row has another number of cells than the header.
    pub fn new(title: &str, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        let rows: Vec<Vec<String>> = rows.into_iter().collect();
        assert!(rows.iter().all(|row| row.len() == header.len()), "{title}: a row of other length");
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Self { title: title.to_owned(), header, rows }
    }
}
