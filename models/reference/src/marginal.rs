use meg_core::{Column, DataError, Result, Table};
use serde::{Deserialize, Serialize};

/// What is known of one column alone: its distinct values with their counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Marginal {
    Numbers { values: Vec<f64>, counts: Vec<usize>, missing: usize },
    Codes { codes: Vec<u32>, counts: Vec<usize> },
    Identifier,
}

/// The marginals of a table with at least one row and no free text.
pub(crate) fn marginals(train: &Table) -> Result<Vec<Marginal>> {
    train.schema().check_modelable()?;
    if train.rows() == 0 {
        return Err(DataError::new("there are no training rows").into());
    }
    Ok(train.columns().iter().map(Marginal::of).collect())
}

impl Marginal {
    fn of(column: &Column) -> Self {
        match column {
            Column::Numbers(cells) => {
                let mut seen: Vec<f64> =
                    cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
                let missing = cells.len() - seen.len();
                seen.sort_unstable_by(f64::total_cmp);
                let (values, counts) = count(&seen);
                Marginal::Numbers { values, counts, missing }
            }
            Column::Codes(cells) => {
                let mut seen = cells.clone();
                seen.sort_unstable();
                let (codes, counts) = count(&seen);
                Marginal::Codes { codes, counts }
            }
            Column::Texts(_) => Marginal::Identifier,
        }
    }
}

fn count<T: PartialEq + std::marker::Copy>(sorted: &[T]) -> (Vec<T>, Vec<usize>) {
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).unzip()
}
