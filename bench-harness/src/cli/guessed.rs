//! What a guessed schema may not decide alone.

use super::options::Common;
use meg_core::{ColumnKind, ColumnSpec, DataError, Result, Table};
use std::path::Path;

/// Tells what is remarkable about a table that was read under a guessed schema, and refuses columns
/// that look like keys or notes, with the ways out; `more` is one that the command has beside
/// `--drop` and a schema (" or by ..."). Columns that a rule has masked are what somebody decided,
/// and are passed over.
///
/// A person who wrote `identifier` into a schema means it. A guess may be wrong both ways, and a key
/// or a note that is silently replaced or learned by heart is the worst surprise here.
pub(super) fn check(
    common: &Common,
    file: &Path,
    table: &Table,
    (masked, more): (&[&str], &str),
) -> Result<()> {
    let columns = table.schema().columns.iter().enumerate();
    let (places, left): (Vec<usize>, Vec<&ColumnSpec>) =
        columns.filter(|(_, spec)| !masked.contains(&spec.name.as_str())).unzip();
    if !places.is_empty() {
        let told = datasets::remarks(&table.select_columns(&places)?);
        told.iter().for_each(|told| common.remark(told));
    }
    let guessed: Vec<&str> = left
        .into_iter()
        .filter(|column| is_text(column))
        .map(|column| column.name.as_str())
        .collect();
    if guessed.is_empty() {
        return Ok(());
    }
    let drops: Vec<String> = guessed.iter().map(|name| format!("--drop {name:?}")).collect();
    Err(DataError::new("looks like identifiers or free text, which no model of tables can learn")
        .file(file.display().to_string())
        .column(guessed.join("\", \""))
        .advice(format!(
            "leave out with {}{more}, or write a schema with `meg schema infer`, review it and pass it with --schema",
            drops.join(" ")
        ))
        .into())
}

/// The table with masked texts as identifiers, which models replace by fresh values: whoever hashed
/// or faked a column without a schema has said that nothing is to be learned from its letters.
pub(super) fn pseudonyms(common: &Common, table: Table, masked: &[&str]) -> Result<Table> {
    let is_masked = |spec: &ColumnSpec| is_text(spec) && masked.contains(&spec.name.as_str());
    let mut schema = table.schema().as_ref().clone();
    let mut names = Vec::new();
    for spec in schema.columns.iter_mut().filter(|spec| is_masked(spec)) {
        spec.kind = ColumnKind::Identifier;
        names.push(format!("{:?}", spec.name));
    }
    if names.is_empty() {
        return Ok(table);
    }
    common.remark(&format!(
        "masked and taken for identifiers: {}; no model learns from them, and fresh values take their place in synthetic rows",
        names.join(", ")
    ));
    Table::new(schema, table.columns().to_vec())
}

fn is_text(spec: &ColumnSpec) -> bool {
    matches!(spec.kind, ColumnKind::Identifier | ColumnKind::Text)
}
