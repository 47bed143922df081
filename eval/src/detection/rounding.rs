use meg_core::{Column, ColumnKind, ColumnSpec, Result, Table, round_to};

/// Decimals that are looked for in a column whose schema leaves them open.
const MOST_DECIMALS: u8 = 6;

/// The table with numbers rounded to the decimals of the training rows; `None` when that changes no
/// cell. Rounded rows need not keep the constraints of the schema.
pub(super) fn rounded(train: &Table, table: &Table) -> Result<Option<Table>> {
    let mut changed = false;
    let columns = (0..table.columns().len())
        .map(|at| match &table.columns()[at] {
            Column::Numbers(cells) => {
                let spec = &train.schema().columns[at];
                let decimals = decimals(spec, train.numbers(at));
                let round = |&cell: &f64| match decimals {
                    Some(decimals) if !cell.is_nan() => round_to(cell, decimals),
                    _ => cell,
                };
                let cells_rounded: Vec<f64> = cells.iter().map(round).collect();
                changed |= cells.iter().zip(&cells_rounded).any(|(a, b)| a != b && !a.is_nan());
                Column::Numbers(cells_rounded)
            }
            other => other.clone(),
        })
        .collect();
    if !changed {
        return Ok(None);
    }
    Table::new(table.schema().without_constraints(), columns).map(Some)
}

/// What the schema says, or the fewest decimals that hold all training cells.
fn decimals(spec: &ColumnSpec, cells: &[f64]) -> Option<u8> {
    match spec.kind {
        ColumnKind::Number { decimals: Some(decimals) } => Some(decimals),
        ColumnKind::Number { decimals: None } => (0..=MOST_DECIMALS).find(|&decimals| {
            let mut observed = cells.iter().filter(|cell| !cell.is_nan()).peekable();
            observed.peek().is_some() && observed.all(|&cell| round_to(cell, decimals) == cell)
        }),
        _ => None,
    }
}
