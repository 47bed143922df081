//! The column that a predictive model would predict, named on the command line.

use meg_core::{Result, Role, Schema, Table};

/// Makes this column the target; one that was the target before becomes an ordinary one.
pub(super) fn set(schema: &mut Schema, column: &str) -> Result<()> {
    let at = schema.find(column)?;
    for column in &mut schema.columns {
        if column.role == Role::Target {
            column.role = Role::Feature;
        }
    }
    schema.columns[at].role = Role::Target;
    Ok(())
}

/// The same table with this column as its target.
pub(super) fn set_in(table: &Table, column: &str) -> Result<Table> {
    let mut schema = table.schema().as_ref().clone();
    set(&mut schema, column)?;
    Table::new(schema, table.columns().to_vec())
}
