//! How probable synthetic rows are where the law of the real rows is known.

mod fitness;
mod gaussian;
mod kmeans;
mod oracle;

use crate::{Comparison, Modes, Truth, score::Gap};
pub(crate) use fitness::Fitness;
use meg_core::Table;
pub(crate) use oracle::Oracle;

/// Numbers of a table, one point per row.
#[derive(Debug)]
struct Points {
    width: usize,
    values: Vec<f64>,
}

impl Points {
    /// The columns of a mixture.
    fn of(table: &Table, modes: &Modes) -> Result<Self, Gap> {
        let schema = table.schema();
        let column = |name: &String| match schema.position(name) {
            Some(at) if schema.columns[at].is_numeric() => Ok(table.numbers(at)),
            _ => Err(Gap::failed(format!("the law needs the number column {name:?}"))),
        };
        let columns: Vec<&[f64]> = modes.columns.iter().map(column).collect::<Result<_, _>>()?;
        let row = |row: usize| columns.iter().map(move |column| column[row]);
        let values: Vec<f64> = (0..table.rows()).flat_map(row).collect();
        if values.iter().any(|value| value.is_nan()) {
            return Err(Gap::undefined("a cell is missing, and the law has no missing cells"));
        }
        Ok(Self { width: columns.len(), values })
    }

    fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width.max(1))
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..][..self.width]
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// The law, or why there is no score.
fn truth<'a>(comparison: &Comparison<'a>) -> Result<&'a dyn Truth, Gap> {
    comparison.truth.ok_or_else(|| Gap::skipped("the law of the real rows is not known"))
}

fn mean(values: &[f64]) -> Result<f64, Gap> {
    let rows = values.len();
    match values.iter().filter(|value| !value.is_finite()).count() {
        _ if rows == 0 => Err(Gap::undefined("there is no row to score")),
        0 => Ok(values.iter().sum::<f64>() / rows as f64),
        far => Err(Gap::undefined(format!(
            "{far} of {rows} rows are so far out that their likelihood is no number"
        ))),
    }
}
