use crate::{ColumnKind, ColumnSpec, DataError, Error, Result, Schema, datetime};
use std::sync::Arc;

/// The code of a missing category cell.
pub const MISSING: u32 = u32::MAX;

/// The cells of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers, and datetimes as seconds since 1970-01-01T00:00:00. NaN is missing; never infinite.
    Numbers(Vec<f64>),
    /// Positions in the column's list of levels. [`MISSING`] is missing.
    Codes(Vec<u32>),
    /// Identifiers and free text.
    Texts(Vec<Option<String>>),
}

impl Column {
    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            Column::Numbers(cells) => cells.len(),
            Column::Codes(cells) => cells.len(),
            Column::Texts(cells) => cells.len(),
        }
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the cell of this row is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Column::Numbers(cells) => cells[row].is_nan(),
            Column::Codes(cells) => cells[row] == MISSING,
            Column::Texts(cells) => cells[row].is_none(),
        }
    }

    /// The cells of these rows, in this order; a row may be named more than once.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Column {
        match self {
            Column::Numbers(cells) => Column::Numbers(rows.iter().map(|&row| cells[row]).collect()),
            Column::Codes(cells) => Column::Codes(rows.iter().map(|&row| cells[row]).collect()),
            Column::Texts(cells) => {
                Column::Texts(rows.iter().map(|&row| cells[row].clone()).collect())
            }
        }
    }

    fn append(&mut self, other: Column) {
        match (self, other) {
            (Column::Numbers(cells), Column::Numbers(more)) => cells.extend(more),
            (Column::Codes(cells), Column::Codes(more)) => cells.extend(more),
            (Column::Texts(cells), Column::Texts(more)) => cells.extend(more),
            _ => unreachable!("columns of one schema have one storage"),
        }
    }
}

/// Rows that obey a [`Schema`]. There is no way to hold one that does not.
#[derive(Debug, Clone)]
pub struct Table {
    schema: Arc<Schema>,
    columns: Vec<Column>,
    rows: usize,
}

impl PartialEq for Table {
    /// Equal schemas and equal cells; missing equals missing.
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Column, b: &Column| match (a, b) {
            (Column::Numbers(a), Column::Numbers(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()))
            }
            _ => a == b,
        };
        self.schema == other.schema
            && self.columns.iter().zip(&other.columns).all(|(a, b)| same(a, b))
    }
}

impl Table {
    /// Checks every cell against the schema, and every row against its constraints.
    ///
    /// # Errors
    /// A data error that names the first offending row (one-based), column and value.
    pub fn new(schema: impl Into<Arc<Schema>>, columns: Vec<Column>) -> Result<Self> {
        let schema = schema.into();
        schema.check()?;
        if columns.len() != schema.columns.len() {
            return Err(Error::data(format!(
                "{} columns of cells for a schema of {}",
                columns.len(),
                schema.columns.len()
            )));
        }
        let rows = columns[0].len();
        for (spec, column) in schema.columns.iter().zip(&columns) {
            if column.len() != rows {
                let problem = format!("{} cells where the first column has {rows}", column.len());
                return Err(DataError::new(problem).column(&spec.name).into());
            }
            check_column(spec, column)?;
        }
        match schema.violation(&columns) {
            Some(violation) => Err(violation.into()),
            None => Ok(Self { schema, columns, rows }),
        }
    }

    /// A table without rows.
    pub fn empty(schema: impl Into<Arc<Schema>>) -> Result<Self> {
        let schema = schema.into();
        let columns = schema.columns.iter().map(empty_column).collect();
        Self::new(schema, columns)
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All columns, in schema order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The specification and cells of each column.
    pub fn iter(&self) -> impl Iterator<Item = (&ColumnSpec, &Column)> {
        self.schema.columns.iter().zip(&self.columns)
    }

    /// The cells of a number or datetime column.
    ///
    /// # Panics
    /// When the column is of another kind: ask the schema first.
    pub fn numbers(&self, column: usize) -> &[f64] {
        match &self.columns[column] {
            Column::Numbers(cells) => cells,
            _ => panic!("column {column} holds no numbers"),
        }
    }

    /// The codes of a category column.
    ///
    /// # Panics
    /// When the column is of another kind: ask the schema first.
    pub fn codes(&self, column: usize) -> &[u32] {
        match &self.columns[column] {
            Column::Codes(cells) => cells,
            _ => panic!("column {column} holds no codes"),
        }
    }

    /// These rows, in this order; a row may be named more than once.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Table {
        let columns = self.columns.iter().map(|column| column.select(rows)).collect();
        Table { schema: self.schema.clone(), columns, rows: rows.len() }
    }

    /// These columns, in this order, under the constraints that speak of them alone.
    ///
    /// # Errors
    /// When no column is left or one is named twice.
    pub fn select_columns(&self, columns: &[usize]) -> Result<Table> {
        let specs = columns.iter().map(|&at| self.schema.columns[at].clone()).collect();
        let kept =
            |spec: &ColumnSpec| columns.iter().any(|&at| self.schema.columns[at].name == spec.name);
        let constraints = self.schema.select(kept)?.constraints;
        let schema = Schema::new(specs)?.with_constraints(constraints)?;
        let columns = columns.iter().map(|&at| self.columns[at].clone()).collect();
        Ok(Table { schema: Arc::new(schema), columns, rows: self.rows })
    }

    /// The rows of both tables.
    ///
    /// # Errors
    /// When the schemas differ.
    pub fn concat(mut self, other: Table) -> Result<Table> {
        if self.schema != other.schema {
            return Err(Error::data("two tables of different schemas cannot be joined"));
        }
        self.rows += other.rows;
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            column.append(more);
        }
        Ok(self)
    }

    /// The cell as it is written to a file; `None` is missing.
    pub fn text(&self, row: usize, column: usize) -> Option<String> {
        cell_text(&self.schema.columns[column], &self.columns[column], row)
    }
}

/// A cell as it is written to a file; `None` is missing.
pub(crate) fn cell_text(spec: &ColumnSpec, column: &Column, row: usize) -> Option<String> {
    match column {
        Column::Texts(cells) => cells[row].clone(),
        Column::Codes(cells) => spec.levels().get(cells[row] as usize).cloned(),
        Column::Numbers(cells) => spec.text(cells[row]),
    }
}

fn empty_column(spec: &ColumnSpec) -> Column {
    match spec.kind {
        ColumnKind::Number { .. } | ColumnKind::Datetime { .. } => Column::Numbers(Vec::new()),
        ColumnKind::Category { .. } => Column::Codes(Vec::new()),
        ColumnKind::Identifier | ColumnKind::Text => Column::Texts(Vec::new()),
    }
}

fn check_column(spec: &ColumnSpec, column: &Column) -> Result<()> {
    let error = |row: usize, value: String, problem: &str| -> Result<()> {
        Err(DataError::new(problem).row(row as u64 + 1).column(&spec.name).value(value).into())
    };
    match (&spec.kind, column) {
        (ColumnKind::Number { .. } | ColumnKind::Datetime { .. }, Column::Numbers(cells)) => {
            // A moment that cannot be printed would be written as a missing cell.
            let (least, most) = match &spec.kind {
                ColumnKind::Datetime { format } => datetime::printable(format),
                _ => (f64::MIN, f64::MAX),
            };
            // The step of dates is found by printing, so that it is asked for once.
            let step = spec.step().filter(|_| matches!(spec.kind, ColumnKind::Datetime { .. }));
            let holds =
                |cell: f64| step.map_or_else(|| spec.holds(cell), |step| cell % step == 0.0);
            for (row, &cell) in cells.iter().enumerate() {
                if cell.is_infinite() {
                    return error(row, cell.to_string(), "the number is not finite");
                }
                if cell < least || cell > most {
                    return Err(beyond_the_years(spec, cell).row(row as u64 + 1).into());
                }
                if !cell.is_nan() && !holds(cell) {
                    return error(
                        row,
                        cell.to_string(),
                        "the number has more digits than its column allows",
                    );
                }
            }
        }
        (ColumnKind::Category { levels, .. }, Column::Codes(cells)) => {
            let bad =
                cells.iter().position(|&code| code != MISSING && code as usize >= levels.len());
            if let Some(row) = bad {
                let problem = format!("the code is outside the {} levels", levels.len());
                return error(row, cells[row].to_string(), &problem);
            }
        }
        (ColumnKind::Identifier | ColumnKind::Text, Column::Texts(_)) => {}
        (kind, _) => {
            let problem = format!("the cells are not stored as kind \"{}\" needs", kind.name());
            return Err(DataError::new(problem).column(&spec.name).into());
        }
    }
    if !spec.nullable
        && let Some(row) = (0..column.len()).find(|&row| column.is_missing(row))
    {
        return Err(DataError::new("the cell is missing, but the column is not nullable")
            .row(row as u64 + 1)
            .column(&spec.name)
            .advice("add `nullable = true` to the column in schema.toml")
            .into());
    }
    Ok(())
}

/// The error of a moment that the format of its column cannot hold, without its row.
fn beyond_the_years(spec: &ColumnSpec, moment: f64) -> DataError {
    let short =
        matches!(&spec.kind, ColumnKind::Datetime { format } if datetime::has_short_years(format));
    let shown = datetime::print(moment, "%Y-%m-%d").unwrap_or_else(|| moment.to_string());
    let error = match short {
        false => DataError::new("the moment lies beyond the years that a date can hold"),
        true => DataError::new("a year of two digits is one of 1970 to 2069")
            .advice("give the column a format with %Y in schema.toml, and its cells four digits"),
    };
    error.column(&spec.name).value(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            ColumnSpec::number("age", 0).nullable(),
            ColumnSpec::category("sex", ["F", "M"]),
        ])
        .unwrap()
    }

    fn check(columns: Vec<Column>, part: &str) {
        let message = Table::new(schema(), columns).unwrap_err().to_string();
        assert!(message.contains(part), "{message:?} should contain {part:?}");
    }

    #[test]
    fn every_cell_is_checked() {
        check(vec![Column::Numbers(vec![1.0])], "1 columns of cells");
        check(vec![Column::Numbers(vec![1.0]), Column::Codes(vec![])], "0 cells");
        check(vec![Column::Codes(vec![0]), Column::Codes(vec![0])], "kind \"number\"");
        check(vec![Column::Numbers(vec![f64::INFINITY]), Column::Codes(vec![0])], "not finite");
        check(
            vec![Column::Numbers(vec![1.5]), Column::Codes(vec![0])],
            "row 1: column \"age\": value \"1.5\"",
        );
        check(vec![Column::Numbers(vec![1.0]), Column::Codes(vec![2])], "outside the 2 levels");
        check(vec![Column::Numbers(vec![1.0]), Column::Codes(vec![MISSING])], "not nullable");
        Table::new(schema(), vec![Column::Numbers(vec![f64::NAN]), Column::Codes(vec![1])])
            .unwrap();
    }

    #[test]
    fn a_moment_that_cannot_be_printed_is_refused() {
        let kind = ColumnKind::Datetime { format: "%Y-%m-%d".into() };
        let spec = ColumnSpec::new("day", kind);
        let schema = Schema::new(vec![spec.clone()]).unwrap();
        let table = |cell: f64| Table::new(schema.clone(), vec![Column::Numbers(vec![cell])]);
        for cell in [1e300, -1e300, 1e13] {
            let error = table(cell).unwrap_err().to_string();
            assert!(error.contains("row 1: column \"day\"") && error.contains("years"), "{error}");
            // What the column can hold is printed.
            assert!(table(spec.snap(cell)).unwrap().text(0, 0).is_some(), "{cell}");
        }
        assert_eq!(table(0.0).unwrap().text(0, 0).as_deref(), Some("1970-01-01"));
        let kind = ColumnKind::Datetime { format: "%d/%m/%y".into() };
        let spec = ColumnSpec::new("day", kind);
        let schema = Schema::new(vec![spec.clone()]).unwrap();
        let cells = |cell| vec![Column::Numbers(vec![cell])];
        for (days, snapped) in [(-14_621.0, "01/01/70"), (40_000.0, "31/12/69")] {
            let error = Table::new(schema.clone(), cells(days * 86_400.0)).unwrap_err().to_string();
            assert!(error.contains("1970 to 2069") && error.contains("%Y"), "{error}");
            let table = Table::new(schema.clone(), cells(spec.snap(days * 86_400.0))).unwrap();
            assert_eq!(table.text(0, 0).as_deref(), Some(snapped));
        }
    }

    #[test]
    fn cells_print_as_they_were_written() {
        let table = Table::new(
            schema(),
            vec![Column::Numbers(vec![7.0, f64::NAN]), Column::Codes(vec![1, 0])],
        )
        .unwrap();
        assert_eq!(table.text(0, 0).as_deref(), Some("7"));
        assert_eq!(table.text(1, 0), None);
        assert_eq!(table.text(0, 1).as_deref(), Some("M"));
        assert_eq!(table.select_rows(&[1, 1]).rows(), 2);
        assert_eq!(table.clone().concat(table.clone()).unwrap().rows(), 4);
        assert_eq!(table, table.clone());
    }
}
