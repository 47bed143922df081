use meg_core::{Result, Table};
use serde::Serialize;
use std::collections::HashMap;

/// How many rows share all their quasi-identifiers (Sweeney 2002). A missing cell counts as a value
/// of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Groups {
    /// The quasi-identifiers.
    pub columns: Vec<String>,
    /// Groups of fewer rows than this count as too small.
    pub k: u64,
    /// Number of groups.
    pub groups: usize,
    /// Rows of the smallest group.
    pub smallest: usize,
    /// Rows in groups below `k`.
    pub rows_below: usize,
    /// These as a share of all rows, 0 to 1.
    pub share_below: f64,
}

impl Groups {
    /// Counts the groups of a table; `None` without a column or a row.
    ///
    /// # Errors
    /// A request error when a column is not in the table.
    pub fn count(table: &Table, columns: &[String], k: u64) -> Result<Option<Self>> {
        let at =
            columns.iter().map(|name| table.schema().find(name)).collect::<Result<Vec<_>>>()?;
        let mut sizes: HashMap<Vec<Option<String>>, usize> = HashMap::new();
        for row in 0..table.rows() {
            let key = at.iter().map(|&column| table.text(row, column)).collect();
            *sizes.entry(key).or_default() += 1;
        }
        let (Some(&smallest), false) = (sizes.values().min(), at.is_empty()) else {
            return Ok(None);
        };
        let rows_below = sizes.values().filter(|size| (**size as u64) < k).sum();
        Ok(Some(Self {
            columns: columns.to_vec(),
            k,
            groups: sizes.len(),
            smallest,
            rows_below,
            share_below: rows_below as f64 / table.rows() as f64,
        }))
    }
}
