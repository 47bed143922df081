use super::fake::Real;
use super::groups::Groups;
use super::notes::Notes;
use super::rules::{Method, Rules};
use meg_core::{Result, Table};
use serde::Serialize;
use std::collections::HashSet;

/// What masking changed, and what is left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Number of rows.
    pub rows: usize,
    /// Share of all cells that were there before and are changed or gone, 0 to 1.
    pub share_changed: f64,
    /// Every column of the input.
    pub columns: Vec<ColumnReport>,
    /// Groups over the quasi-identifiers before masking; `None` where none is named.
    pub groups_before: Option<Groups>,
    /// Groups over the quasi-identifiers that are left; `None` where none is.
    pub groups_after: Option<Groups>,
    /// What a reader has to know, a sentence each.
    pub notes: Vec<String>,
}

/// What became of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnReport {
    /// Name.
    pub column: String,
    /// The method, or `kept`.
    pub method: String,
    /// Cells that were not missing.
    pub cells: usize,
    /// Those of them that are changed or gone.
    pub changed: usize,
    /// The same as a share, 0 to 1; 0 for a column without cells.
    pub share: f64,
    /// Different values before.
    pub distinct_before: usize,
    /// Different values after.
    pub distinct_after: usize,
}

impl Report {
    /// `telling` are the values that no kept cell should contain.
    pub(super) fn new(
        rules: &Rules,
        before: &Table,
        after: &Table,
        telling: &Real,
    ) -> Result<Self> {
        let schema = before.schema();
        let columns: Vec<ColumnReport> = (0..schema.columns.len())
            .map(|at| {
                let name = &schema.columns[at].name;
                let method = rules.method(name).map_or("kept", Method::name);
                let after = after.schema().position(name).map(|at| (after, at));
                ColumnReport::new(name, method, (before, at), after)
            })
            .collect();
        let sum = |count: fn(&ColumnReport) -> usize| columns.iter().map(count).sum::<usize>();
        let (changed, cells) = (sum(|column| column.changed), sum(|column| column.cells));
        let left: Vec<String> = rules
            .quasi_identifiers
            .iter()
            .filter(|name| after.schema().position(name).is_some())
            .cloned()
            .collect();
        Ok(Self {
            rows: before.rows(),
            share_changed: share(changed, cells),
            groups_before: Groups::count(before, &rules.quasi_identifiers, rules.k)?,
            groups_after: Groups::count(after, &left, rules.k)?,
            notes: Notes { rules, before, after, columns: &columns, telling }.all(),
            columns,
        })
    }
}

impl ColumnReport {
    fn new(
        name: &str,
        method: &str,
        (before, at): (&Table, usize),
        after: Option<(&Table, usize)>,
    ) -> Self {
        let (mut old, mut new) = (HashSet::new(), HashSet::new());
        let (mut cells, mut changed) = (0, 0);
        for row in 0..before.rows() {
            let Some(text) = before.text(row, at) else { continue };
            let now = after.and_then(|(after, at)| after.text(row, at));
            cells += 1;
            changed += usize::from(now.as_ref() != Some(&text));
            old.insert(text);
            new.extend(now);
        }
        Self {
            column: name.into(),
            method: method.into(),
            cells,
            changed,
            share: share(changed, cells),
            distinct_before: old.len(),
            distinct_after: new.len(),
        }
    }
}

fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}
