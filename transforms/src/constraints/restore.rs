use super::layout::{Rewriting, difference_unit, highest};
use super::pieces::Piece;
use meg_core::{Column, DataError, Error, MISSING, Result, Schema, Table};

/// A restored table.
#[derive(Debug)]
pub struct Restored {
    /// The rows, under the schema with its constraints.
    pub table: Table,
    /// For each column, in how many cells the model's value lay beyond what the constraints leave
    /// and the nearest value that they do leave was taken.
    pub moved: Vec<u64>,
}

impl Rewriting {
    /// Restores a rewritten table, such as one that a model drew. Decimals and formats are those
    /// of the schema, whatever precision the model drew.
    ///
    /// # Errors
    /// A data error when the columns are not those of [`Rewriting::inner_schema`], or when a sum
    /// is too large for a number.
    pub fn restore(&self, table: &Table) -> Result<Restored> {
        self.check_columns(table.schema())?;
        let mut columns: Vec<Option<Column>> = vec![None; self.schema.columns.len()];
        let mut moved = vec![0; columns.len()];
        let mut ceilings = self.ceilings(table)?;
        for (group, members) in self.groups.iter().enumerate() {
            for (member, &at) in members.iter().enumerate() {
                columns[at] = Some(self.restore_member(table, group, member)?);
            }
        }
        for &at in &self.order {
            if columns[at].is_some() {
                continue;
            }
            let column = if self.schema.columns[at].is_numeric() {
                let ceiling = ceilings[at].take();
                let known = Known { rewriting: self, table, columns: &columns, ceiling };
                Column::Numbers(known.numbers(at, &mut moved[at])?)
            } else {
                table.columns()[self.place(Piece::Plain(at))?].clone()
            };
            columns[at] = Some(column);
        }
        let columns = columns.into_iter().flatten().collect();
        Ok(Restored { table: Table::new(self.schema.clone(), columns)?, moved })
    }

    /// Where a piece lies in rewritten tables.
    pub(super) fn find(&self, piece: Piece) -> Option<usize> {
        self.pieces.iter().position(|&other| other == piece)
    }

    pub(super) fn place(&self, piece: Piece) -> Result<usize> {
        self.find(piece)
            .ok_or_else(|| Error::data(format!("{piece:?} is not in the rewritten table")))
    }

    // A model may leave the decimals of its numbers open; names and storage must be right.
    pub(super) fn check_columns(&self, schema: &Schema) -> Result<()> {
        let (found, needed) = (&schema.columns, &self.inner.columns);
        let alike = found.len() == needed.len()
            && found.iter().zip(needed).all(|(found, needed)| {
                found.name == needed.name
                    && found.kind.name() == needed.kind.name()
                    && found.levels() == needed.levels()
            });
        if alike { Ok(()) } else { Err(Error::data("the rewritten table has other columns")) }
    }

    fn restore_member(&self, table: &Table, group: usize, member: usize) -> Result<Column> {
        let codes = table.codes(self.place(Piece::Combination(group))?);
        let seen = &self.facts.combinations[group];
        let cell = |(row, &code): (usize, &u32)| match seen.get(code as usize) {
            Some(combination) => Ok(combination[member].unwrap_or(MISSING)),
            None => {
                let error = DataError::new("the model drew a missing combination");
                Err(Error::from(error.row(row as u64 + 1)))
            }
        };
        let cells = codes.iter().enumerate().map(cell).collect::<Result<_>>()?;
        Ok(Column::Codes(cells))
    }
}

/// A rewritten table, and the columns that are restored already.
struct Known<'a> {
    rewriting: &'a Rewriting,
    table: &'a Table,
    columns: &'a [Option<Column>],
    /// The greatest values that the high cells of orders leave the column being restored.
    ceiling: Option<Vec<f64>>,
}

impl Known<'_> {
    fn numbers(&self, at: usize, moved: &mut u64) -> Result<Vec<f64>> {
        let rewriting = self.rewriting;
        let apart = rewriting.find(Piece::Apart(at)).map(|place| self.table.numbers(place));
        let apart = |row: usize| apart.map_or(f64::NAN, |cells| cells[row]);
        let rows = 0..self.table.rows();
        let mut keep = |row: usize, value: f64, low: f64| self.keep((at, row), value, low, moved);
        if let Some(parts) = rewriting.schema.parts(at) {
            let silent = rewriting.find(Piece::Silent(at)).map(|place| self.table.codes(place));
            let spec = &rewriting.schema.columns[at];
            return Ok(rows
                .map(|row| {
                    // Adding a missing part gives NaN.
                    let sum: f64 = parts.iter().map(|&part| self.cell(part, row)).sum();
                    match silent.is_some_and(|flags| flags[row] == 1) {
                        _ if sum.is_nan() => keep(row, apart(row), f64::NAN),
                        true => f64::NAN,
                        false => spec.snap(sum),
                    }
                })
                .collect());
        }
        if let Some(place) = rewriting.find(Piece::Logarithm(at)) {
            let cells = self.table.numbers(place);
            return Ok(rows.map(|row| keep(row, cells[row].exp(), f64::NAN)).collect());
        }
        let Some(place) = rewriting.find(Piece::Difference(at)) else {
            let cells = self.table.numbers(rewriting.place(Piece::Plain(at))?);
            return Ok(rows.map(|row| keep(row, cells[row], f64::NAN)).collect());
        };
        let (cells, lows) = (self.table.numbers(place), rewriting.schema.lows(at));
        let unit = difference_unit(&rewriting.schema, at);
        let nullable = rewriting.schema.columns[at].nullable;
        Ok(rows
            .map(|row| {
                let low = highest(&lows, row, |low, row| self.cell(low, row));
                let value = low + cells[row] * unit;
                let lacking = low.is_nan() || (value.is_nan() && !nullable);
                keep(row, if lacking { apart(row) } else { value }, low)
            })
            .collect())
    }

    fn cell(&self, at: usize, row: usize) -> f64 {
        match &self.columns[at] {
            Some(Column::Numbers(cells)) => cells[row],
            _ => f64::NAN,
        }
    }

    /// The value that the column can hold, nearest to the one drawn, that is neither outside the
    /// column's declared bounds nor below `low` nor without room for the high cells of its row. NaN
    /// stands for no value and no low cell.
    fn keep(&self, (at, row): (usize, usize), value: f64, low: f64, moved: &mut u64) -> f64 {
        if value.is_nan() {
            return value;
        }
        let spec = &self.rewriting.schema.columns[at];
        let (least, mut most) = self.rewriting.declared[at];
        if let Some(ceiling) = &self.ceiling {
            most = most.min(ceiling[row]);
        }
        // `f64::max` passes over NaN.
        let floor = least.max(low);
        let snapped = spec.snap(value);
        let kept = snapped.max(spec.snap_up(floor)).min(most);
        // Rounding in the other direction is no move: the value itself was within.
        *moved += u64::from(kept != snapped && (value < floor || value > most));
        kept
    }
}
