//! Columns as units: numbers shifted and scaled, categories as whole numbers treated the same.

use meg_core::{Column, ColumnSpec, DataError, MISSING, Result, Rng, Schema, Table};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a column becomes a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// Mean 0 and standard deviation 1.
    Standard,
    /// Smallest value -1, largest 1.
    Range,
}

/// How the columns of a table become units, and units columns.
#[derive(Debug, Clone)]
pub(super) struct Scaler {
    pub schema: Arc<Schema>,
    pub columns: Vec<Scale>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Scale {
    /// Fresh values, no unit.
    Identifier,
    /// A column without any value.
    Empty,
    /// `(value - centre) / width`; missing cells count as the centre and are never drawn.
    Number { centre: f64, width: f64 },
    /// The levels that training rows have (missing included), whose place among them is the number.
    Category { levels: Vec<u32>, centre: f64, width: f64 },
}

impl Scaler {
    pub(super) fn fit(train: &Table, scaling: Scaling) -> Result<Self> {
        train.schema().check_modelable()?;
        if train.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let columns = train.columns().iter().map(|column| match column {
            Column::Texts(_) => Scale::Identifier,
            Column::Numbers(cells) => {
                let values: Vec<f64> = cells.iter().copied().filter(|x| !x.is_nan()).collect();
                match place(&values, scaling) {
                    Some((centre, width)) => Scale::Number { centre, width },
                    None => Scale::Empty,
                }
            }
            Column::Codes(cells) => {
                let mut levels = cells.clone();
                levels.sort_unstable();
                levels.dedup();
                let number = |code: &u32| levels.partition_point(|level| level < code) as f64;
                let numbers: Vec<f64> = cells.iter().map(number).collect();
                let (centre, width) = place(&numbers, scaling).expect("there are rows");
                Scale::Category { levels, centre, width }
            }
        });
        let columns = columns.collect();
        Ok(Self { schema: train.schema().clone(), columns })
    }

    /// A scaler read from a file, or `None` when its parts do not fit the schema.
    pub(super) fn from_parts(schema: Schema, columns: Vec<Scale>) -> Option<Self> {
        let fits = columns.len() == schema.columns.len()
            && columns.iter().zip(&schema.columns).all(|(scale, spec)| scale.fits(spec));
        fits.then(|| Self { schema: Arc::new(schema), columns })
    }

    /// Whether these rows have units too: those of a further training.
    ///
    /// # Errors
    /// A data error that names row, column and value: for a level (or a missing category) that the
    /// first training did not hold, and for a number in a column that held none. Numbers beyond
    /// those of the first training have units like others.
    pub(super) fn check_further(&self, rows: &Table) -> Result<()> {
        if rows.schema() != &self.schema {
            return Err(DataError::new("the rows have another schema than the saved model")
                .advice("give a table with the columns, kinds and levels of the first training")
                .into());
        }
        if rows.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        for (at, (scale, cells)) in self.columns.iter().zip(rows.columns()).enumerate() {
            let unknown = match (scale, cells) {
                (Scale::Empty, Column::Numbers(cells)) => {
                    cells.iter().position(|cell| !cell.is_nan())
                }
                (Scale::Category { levels, .. }, Column::Codes(cells)) => {
                    cells.iter().position(|cell| levels.binary_search(cell).is_err())
                }
                _ => None,
            };
            if let Some(row) = unknown {
                return Err(self.no_unit(at, rows, row).into());
            }
        }
        Ok(())
    }

    fn no_unit(&self, at: usize, rows: &Table, row: usize) -> DataError {
        let error = DataError::new(
            "the saved model has no unit for this cell: its first training held none like it",
        );
        error
            .row(row as u64 + 1)
            .column(&self.schema.columns[at].name)
            .value(rows.text(row, at).unwrap_or_else(|| "missing".into()))
            .advice("leave such rows out, or train a new model on all rows")
    }

    /// Number of units of a row.
    pub(super) fn width(&self) -> usize {
        self.units().count()
    }

    /// Positions of the columns that have a unit.
    fn units(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len())
            .filter(|&at| matches!(self.columns[at], Scale::Number { .. } | Scale::Category { .. }))
    }

    /// Rows of units, row-major.
    pub(super) fn encode(&self, table: &Table) -> Vec<f32> {
        let (rows, width) = (table.rows(), self.width());
        let mut units = vec![0.0; rows * width];
        for (unit, at) in self.units().enumerate() {
            for row in 0..rows {
                units[row * width + unit] = match (&self.columns[at], &table.columns()[at]) {
                    (Scale::Number { centre, width }, Column::Numbers(cells)) => {
                        if cells[row].is_nan() { 0.0 } else { (cells[row] - centre) / width }
                    }
                    (Scale::Category { levels, centre, width }, Column::Codes(cells)) => {
                        let number = levels.partition_point(|&level| level < cells[row]);
                        (number as f64 - centre) / width
                    }
                    _ => unreachable!("the table has the training schema"),
                } as f32;
            }
        }
        units
    }

    /// Columns from rows of units. Numbers obey the decimals of their column; a category takes the
    /// nearest level.
    pub(super) fn decode(&self, units: &[f32], rows: usize, rng: &mut Rng) -> Result<Table> {
        let width = self.width();
        let mut next = 0;
        let columns = self.columns.iter().zip(&self.schema.columns).map(|(scale, spec)| {
            let unit = next;
            next += usize::from(!matches!(scale, Scale::Identifier | Scale::Empty));
            let cell = |row: usize| f64::from(units[row * width + unit]);
            match scale {
                Scale::Identifier => transforms::fresh_identifiers(&spec.name, rows, rng),
                Scale::Empty => Column::Numbers(vec![f64::NAN; rows]),
                Scale::Number { centre, width } => {
                    let value = |row| spec.snap(centre + width * cell(row));
                    Column::Numbers((0..rows).map(value).collect())
                }
                Scale::Category { levels, centre, width } => {
                    let nearest = |row| {
                        let number = (centre + width * cell(row)).round();
                        levels[(number.max(0.0) as usize).min(levels.len() - 1)]
                    };
                    Column::Codes((0..rows).map(nearest).collect())
                }
            }
        });
        let columns = columns.collect();
        Table::new(self.schema.clone(), columns)
    }
}

impl Scale {
    fn fits(&self, spec: &ColumnSpec) -> bool {
        let sound =
            |centre: &f64, width: &f64| centre.is_finite() && width.is_finite() && *width > 0.0;
        match self {
            Scale::Identifier => spec.kind == meg_core::ColumnKind::Identifier,
            Scale::Empty => spec.is_numeric() && spec.nullable,
            Scale::Number { centre, width } => spec.is_numeric() && sound(centre, width),
            Scale::Category { levels, centre, width } => {
                let known = |&level: &u32| match level {
                    MISSING => spec.nullable,
                    _ => (level as usize) < spec.levels().len(),
                };
                spec.is_category()
                    && !levels.is_empty()
                    && levels.windows(2).all(|pair| pair[0] < pair[1])
                    && levels.iter().all(known)
                    && sound(centre, width)
            }
        }
    }
}

/// Centre and width of a column; a constant one has width 1.
fn place(values: &[f64], scaling: Scaling) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    let (centre, width) = match scaling {
        _ if values.is_empty() => return None,
        Scaling::Standard => {
            let mean = values.iter().map(|x| x / count).sum::<f64>();
            let square = values.iter().map(|x| (x - mean).powi(2) / count).sum::<f64>();
            (mean, square.sqrt())
        }
        Scaling::Range => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low)
        }
    };
    Some((centre, if width > 0.0 && width.is_finite() { width } else { 1.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Seed, conformance};

    #[test]
    fn what_the_generators_can_reach_depends_on_the_scaling() {
        let table = conformance::mixed_table(300, 1);
        for (scaling, reachable) in [(Scaling::Standard, 0.9), (Scaling::Range, 1.0)] {
            let scaler = Scaler::fit(&table, scaling).unwrap();
            let units = scaler.encode(&table);
            let inside = units.iter().filter(|unit| unit.abs() <= 1.0 + 1e-6).count();
            let share = inside as f64 / units.len() as f64;
            assert!(share <= reachable && share > 0.5, "{scaling:?}: {share}");
            let mut rng = Seed(1).stream("test");
            let back = scaler.decode(&units, 300, &mut rng).unwrap();
            for (at, (cells, other)) in table.columns().iter().zip(back.columns()).enumerate() {
                let same = |row: usize| match (cells, other) {
                    (Column::Numbers(a), Column::Numbers(b)) => {
                        a[row].is_nan() || (a[row] - b[row]).abs() <= 1e-5 * a[row].abs().max(2.0)
                    }
                    (Column::Codes(a), Column::Codes(b)) => a[row] == b[row],
                    _ => true,
                };
                // Days lie far from 0 in seconds, beyond what a unit of 32 bits can tell.
                assert!(at == 6 || (0..300).all(same), "{scaling:?}, column {at}");
            }
        }
    }
}
