use super::layout::Rewriting;
use super::pieces::Piece;
use meg_core::{Column, Result, Table};

/// For each column that is low in an order, the greatest value that the high cells of each row leave
/// it, in the column's own resolution; infinite where none of them is there. Whatever lies within
/// leaves room for the high cells.
pub(super) type Ceilings = Vec<Option<Vec<f64>>>;

impl Rewriting {
    /// What the high cells leave. Only their presence has to be known for that, and their declared
    /// bounds; both are, before any cell is restored.
    pub(super) fn ceilings(&self, table: &Table) -> Result<Ceilings> {
        let schema = &self.schema;
        let mut ceilings: Ceilings = vec![None; schema.columns.len()];
        if (0..schema.columns.len()).all(|at| schema.lows(at).is_empty()) {
            return Ok(ceilings);
        }
        let present = self.presence(table)?;
        for &high in self.order.iter().rev() {
            for low in schema.lows(high) {
                let spec = &schema.columns[low];
                let most = self.declared[high].1;
                let free = || vec![f64::INFINITY; table.rows()];
                let mut ceiling = ceilings[low].take().unwrap_or_else(free);
                let above = ceilings[high].as_ref();
                for (row, cell) in
                    ceiling.iter_mut().enumerate().filter(|&(row, _)| present[high][row])
                {
                    let most = above.map_or(most, |above| most.min(above[row]));
                    *cell = cell.min(spec.snap_down(most));
                }
                ceilings[low] = Some(ceiling);
            }
        }
        Ok(ceilings)
    }

    /// Which cells of numeric columns will be there once restored; empty for other columns.
    fn presence(&self, table: &Table) -> Result<Vec<Vec<bool>>> {
        let mut present: Vec<Vec<bool>> = vec![Vec::new(); self.schema.columns.len()];
        for &at in self.order.iter().filter(|&&at| self.schema.columns[at].is_numeric()) {
            present[at] = self.presence_of(at, table, &present)?;
        }
        Ok(present)
    }

    /// Mirrors how a column is restored. `present` tells of the columns it is built on.
    fn presence_of(&self, at: usize, table: &Table, present: &[Vec<bool>]) -> Result<Vec<bool>> {
        let drawn = |piece| self.find(piece).map(|place| &table.columns()[place]);
        let there = |column: Option<&Column>, row: usize| {
            column.is_some_and(|column| !column.is_missing(row))
        };
        let rows = 0..table.rows();
        let apart = drawn(Piece::Apart(at));
        if let Some(parts) = self.schema.parts(at) {
            let silent = self.find(Piece::Silent(at)).map(|place| table.codes(place));
            let cell = |row: usize| match parts.iter().all(|&part| present[part][row]) {
                true => silent.is_none_or(|flags| flags[row] != 1),
                false => there(apart, row),
            };
            return Ok(rows.map(cell).collect());
        }
        if let Some(difference) = drawn(Piece::Difference(at)) {
            let lows = self.schema.lows(at);
            let nullable = self.schema.columns[at].nullable;
            let cell = |row: usize| {
                let known = lows.iter().any(|&low| present[low][row]);
                let derived = known && !difference.is_missing(row);
                derived || (!(known && nullable) && there(apart, row))
            };
            return Ok(rows.map(cell).collect());
        }
        let place =
            self.find(Piece::Logarithm(at)).map_or_else(|| self.place(Piece::Plain(at)), Ok)?;
        Ok(rows.map(|row| !table.columns()[place].is_missing(row)).collect())
    }
}
