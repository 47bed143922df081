use meg_core::{DataError, Result, Table};
use std::collections::HashMap;

/// Groups of values, from fine to coarse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    levels: usize,
    groups: HashMap<String, Vec<String>>,
}

impl Hierarchy {
    /// A hierarchy from a table of texts: the first column holds the values, each further one a
    /// coarser level.
    ///
    /// # Errors
    /// A data error when there is no level, a cell is missing or a value occurs twice.
    pub fn from_table(table: &Table) -> Result<Self> {
        let levels = table.columns().len() - 1;
        if levels == 0 {
            return Err(
                DataError::new("a hierarchy needs a column of values and one of groups").into()
            );
        }
        let mut groups = HashMap::new();
        for row in 0..table.rows() {
            let value = cell(table, row, 0)?;
            let above = (1..=levels).map(|at| cell(table, row, at)).collect::<Result<_>>()?;
            if groups.insert(value.clone(), above).is_some() {
                return Err(DataError::new("the value occurs twice in the hierarchy")
                    .row(row as u64 + 1)
                    .column(&table.schema().columns[0].name)
                    .value(value)
                    .into());
            }
        }
        Ok(Self { levels, groups })
    }

    /// Number of levels above the values.
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// The group of a value at a one-based level.
    pub fn group(&self, value: &str, level: usize) -> Option<&str> {
        self.groups.get(value)?.get(level.checked_sub(1)?).map(String::as_str)
    }
}

fn cell(table: &Table, row: usize, at: usize) -> Result<String> {
    table.text(row, at).ok_or_else(|| {
        DataError::new("a cell of a hierarchy is missing")
            .row(row as u64 + 1)
            .column(&table.schema().columns[at].name)
            .into()
    })
}
