use super::groups::Groups;
use super::rules::{Generalise, Method, Rules};
use meg_core::{Column, ColumnKind, Result, Role, Table};
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
    pub(super) fn new(rules: &Rules, before: &Table, after: &Table, keyed: bool) -> Result<Self> {
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
            notes: notes(rules, before, after, keyed),
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

fn notes(rules: &Rules, before: &Table, after: &Table, keyed: bool) -> Vec<String> {
    let used = |is: fn(&Method) -> bool| rules.rules.iter().any(|rule| is(&rule.method));
    let mut notes = Vec::new();
    let mut say = |when: bool, text: &str| notes.extend(when.then(|| text.to_owned()));
    say(
        used(|method| matches!(method, Method::Hash { .. })),
        "Keyed hashing is pseudonymisation, not anonymity: whoever holds the key can hash a known value and find its rows, and equal values stay linked. Keep the key secret, or destroy it.",
    );
    say(
        used(|method| matches!(method, Method::Fake { .. })),
        "A fake stands for the same real value throughout and keeps its length and shape: rows of one person stay linked, and a rare shape can be recognised.",
    );
    say(
        used(|method| {
            matches!(method, Method::KeepLast { .. } | Method::Generalise(Generalise::Prefix(_)))
        }),
        "The characters that are kept are real.",
    );
    let noise = used(|method| matches!(method, Method::Noise { .. }));
    say(noise, "Noise hides single values, not averages, and extreme values stay extreme.");
    say(
        noise && !keyed,
        "Whoever knows seed and rules can draw the same noise again and take it off: keep the seed secret, or pass a key.",
    );
    let gone = |name: &&String| after.schema().position(name).is_none();
    let gone: Vec<&str> = rules.quasi_identifiers.iter().filter(gone).map(String::as_str).collect();
    if !gone.is_empty() {
        notes
            .push(format!("Quasi-identifiers that are dropped do not count: {}.", gone.join(", ")));
    }
    notes.push(if rules.quasi_identifiers.is_empty() {
        "No quasi-identifiers are named, so that nothing is known of how rare the remaining rows are.".into()
    } else {
        "Group sizes say how rare rows are in the quasi-identifiers alone: other columns, and what somebody knows from elsewhere, can still tell people apart.".into()
    });
    notes.extend(left_as_they_were(rules, before));
    let lost = before.schema().constraints.len() - after.schema().constraints.len();
    if lost > 0 {
        notes.push(format!(
            "{lost} constraints of the schema speak of masked columns and are left out."
        ));
    }
    notes
}

/// Columns that look sensitive and are in no rule.
fn left_as_they_were(rules: &Rules, before: &Table) -> Vec<String> {
    let kept = before.iter().filter(|(spec, _)| rules.method(&spec.name).is_none());
    let why = kept.filter_map(|(spec, column)| match (&spec.kind, spec.role, column) {
        (_, Role::Sensitive, _) => Some((spec, "is declared as sensitive")),
        (ColumnKind::Identifier, ..) => Some((spec, "is an identifier")),
        (_, _, Column::Texts(_)) => Some((spec, "is free text")),
        _ => None,
    });
    why.map(|(spec, why)| {
        format!("Column {:?} {why} and is kept as it is: no rule names it.", spec.name)
    })
    .collect()
}
