//! The compact form of a table: a `u16` code for each cell of each modelled column.

mod category;
mod further;
mod number;
mod smoothing;

use category::CategoryCodec;
use meg_core::{Column, ColumnSpec, DataError, Result, Rng, Schema, Table, parallel};
pub(crate) use number::{NumberCodec, NumberOptions};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
pub(crate) use smoothing::Targets;
use std::sync::Arc;

/// How a table becomes codes, and codes a table. Fitted on training rows alone.
#[derive(Debug, Clone)]
pub(crate) struct TableCodec {
    schema: Arc<Schema>,
    columns: Vec<ColumnCodec>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ColumnCodec {
    /// Fresh values, never modelled.
    Identifier,
    /// Atoms and bins.
    Number(NumberCodec),
    /// Levels.
    Category(CategoryCodec),
}

/// How finely columns are divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodecOptions {
    /// Numbers.
    pub number: NumberOptions,
    /// Codes of a category column, at most.
    pub levels: usize,
}

/// The codes of a table, column by column; nothing for columns without codes.
#[derive(Debug, Clone)]
pub(crate) struct Codes {
    /// Number of rows.
    pub rows: usize,
    /// By schema position.
    pub columns: Vec<Vec<u16>>,
}

impl TableCodec {
    /// Learns the codes of a table with at least one row and no free text.
    pub(crate) fn fit(train: &Table, options: CodecOptions, threads: usize) -> Result<Self> {
        train.schema().check_modelable()?;
        if train.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let schema = train.schema().clone();
        let columns = parallel::map(threads, schema.columns.len(), |at| {
            let spec = &schema.columns[at];
            match &train.columns()[at] {
                Column::Numbers(cells) => {
                    ColumnCodec::Number(NumberCodec::fit(spec, cells, options.number))
                }
                Column::Codes(cells) => ColumnCodec::Category(CategoryCodec::fit(
                    spec,
                    cells,
                    options.levels,
                    options.number.least_rows,
                )),
                Column::Texts(_) => ColumnCodec::Identifier,
            }
        });
        Ok(Self { schema, columns })
    }

    /// A codec read from a file, or `None` when its parts do not fit together.
    pub(crate) fn from_parts(schema: Schema, columns: Vec<ColumnCodec>) -> Option<Self> {
        let fits = columns.len() == schema.columns.len()
            && columns.iter().zip(&schema.columns).all(|(codec, spec)| codec.is_sound(spec));
        fits.then(|| Self { schema: Arc::new(schema), columns })
    }

    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    pub(crate) fn columns(&self) -> &[ColumnCodec] {
        &self.columns
    }

    /// Number of codes of a column; 1 or less needs no model.
    pub(crate) fn size(&self, column: usize) -> usize {
        match &self.columns[column] {
            ColumnCodec::Identifier => 0,
            ColumnCodec::Number(codec) => codec.size(),
            ColumnCodec::Category(codec) => codec.size(),
        }
    }

    /// The code of missing cells, where training cells are missing.
    pub(crate) fn missing_code(&self, column: usize) -> Option<usize> {
        match &self.columns[column] {
            ColumnCodec::Identifier => None,
            ColumnCodec::Number(codec) => codec.encode(f64::NAN),
            ColumnCodec::Category(codec) => codec.missing_code(),
        }
    }

    /// The code of one cell; `None` when the training rows hold nothing like it.
    pub(crate) fn code(&self, column: usize, cells: &Column, row: usize) -> Option<usize> {
        match (&self.columns[column], cells) {
            (ColumnCodec::Number(codec), Column::Numbers(cells)) => codec.encode(cells[row]),
            (ColumnCodec::Category(codec), Column::Codes(cells)) => codec.encode(cells[row]),
            _ => None,
        }
    }

    /// The code that stands for a cell in a condition: its own, or for a number that the training
    /// rows hold nothing like, the nearest. `None` for a level that no training row has.
    pub(crate) fn nearest_code(&self, column: usize, cells: &Column, row: usize) -> Option<usize> {
        let nearest = || match (&self.columns[column], cells) {
            (ColumnCodec::Number(codec), Column::Numbers(cells)) => codec.nearest(cells[row]),
            _ => None,
        };
        self.code(column, cells, row).or_else(nearest)
    }

    /// The codes of the training table.
    pub(crate) fn encode(&self, train: &Table, threads: usize) -> Codes {
        let columns = parallel::map(threads, self.columns.len(), |at| {
            let cells = &train.columns()[at];
            let code = |row| self.code(at, cells, row).expect("training cells have codes") as u16;
            if self.size(at) < 2 { Vec::new() } else { (0..train.rows()).map(code).collect() }
        });
        Codes { rows: train.rows(), columns }
    }

    /// Draws the cells of one column from its codes: those that lie `within` their codes at these
    /// places in [0, 1), or where chance will have it.
    pub(crate) fn draw(
        &self,
        column: usize,
        codes: &[u16],
        within: Option<&[f64]>,
        rng: &mut Rng,
    ) -> Column {
        let spec = &self.schema.columns[column];
        let mut place = |row: usize| within.map_or_else(|| rng.random(), |within| within[row]);
        match &self.columns[column] {
            ColumnCodec::Identifier => transforms::fresh_identifiers(&spec.name, codes.len(), rng),
            ColumnCodec::Number(codec) => {
                let cell =
                    |(row, &code): (usize, &u16)| codec.cell(spec, code.into(), || place(row));
                Column::Numbers(codes.iter().enumerate().map(cell).collect())
            }
            ColumnCodec::Category(codec) => {
                let cell = |(row, &code): (usize, &u16)| codec.cell(code.into(), || place(row));
                Column::Codes(codes.iter().enumerate().map(cell).collect())
            }
        }
    }

    /// Logarithm of the density of a cell given its code.
    pub(crate) fn log_density(
        &self,
        column: usize,
        cells: &Column,
        row: usize,
        code: usize,
    ) -> f64 {
        let spec = &self.schema.columns[column];
        match (&self.columns[column], cells) {
            (ColumnCodec::Number(codec), Column::Numbers(cells)) => {
                codec.log_density(spec, code, cells[row])
            }
            (ColumnCodec::Category(codec), Column::Codes(cells)) => codec.log_share(cells[row]),
            _ => 0.0,
        }
    }

    /// The place of each code in the order of its column, where there is one.
    pub(crate) fn ranks(&self, column: usize) -> Vec<Option<f32>> {
        match &self.columns[column] {
            ColumnCodec::Identifier => Vec::new(),
            ColumnCodec::Number(codec) => codec.ranks(),
            ColumnCodec::Category(codec) => codec.ranks(&self.schema.columns[column]),
        }
    }

    /// What the network of a column is asked for.
    pub(crate) fn targets(&self, column: usize, sigma: f64) -> Targets {
        match &self.columns[column] {
            ColumnCodec::Number(codec) => Targets::smoothed(codec, sigma),
            _ => Targets::hard(self.size(column)),
        }
    }
}

impl ColumnCodec {
    fn is_sound(&self, spec: &ColumnSpec) -> bool {
        match self {
            ColumnCodec::Identifier => spec.kind == meg_core::ColumnKind::Identifier,
            ColumnCodec::Number(codec) => codec.is_sound(spec),
            ColumnCodec::Category(codec) => codec.is_sound(spec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::conformance;

    /// Bins that look at the label leak it into the folds (specification 3.4): here the codes of a
    /// column are learned from that column alone.
    #[test]
    fn the_codes_of_a_column_depend_on_no_other_column() {
        let table = conformance::mixed_table(600, 4);
        let number = NumberOptions { bins: 256, atoms: 128, least_rows: 1 };
        let options = CodecOptions { number, levels: 64 };
        let whole = TableCodec::fit(&table, options, 1).unwrap();
        let mut columns = table.columns().to_vec();
        let turned: Vec<usize> = (0..600).map(|row| (row + 77) % 600).collect();
        let label = table.schema().target().unwrap();
        columns[label] = columns[label].select(&turned);
        let other = Table::new(table.schema().clone(), columns).unwrap();
        assert!(other != table);
        assert_eq!(TableCodec::fit(&other, options, 1).unwrap().columns, whole.columns);
        for at in 0..table.columns().len() {
            let alone = TableCodec::fit(&table.select_columns(&[at]).unwrap(), options, 1).unwrap();
            assert_eq!(alone.columns[0], whole.columns[at]);
        }
    }
}
