//! What a guessed schema may not decide alone.

use super::options::Common;
use meg_core::{ColumnKind, DataError, Result, Table};
use std::path::Path;

/// Tells what is remarkable about a table that was read under a guessed schema, and refuses columns
/// that look like keys or notes, with the ways out; `more` is one that the command has beside
/// `--drop` and a schema (" or by ...").
///
/// A person who wrote `identifier` into a schema means it. A guess may be wrong both ways, and a key
/// or a note that is silently replaced or learned by heart is the worst surprise here.
pub(super) fn check(common: &Common, file: &Path, table: &Table, more: &str) -> Result<()> {
    datasets::remarks(table).iter().for_each(|told| common.remark(told));
    let guessed: Vec<&str> = table
        .schema()
        .columns
        .iter()
        .filter(|column| matches!(column.kind, ColumnKind::Identifier | ColumnKind::Text))
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
