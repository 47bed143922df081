use meg_core::{Column, ColumnKind, ColumnSpec, DataError, Result, Table};
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
    /// Whether a marginal read from a file can be drawn from.
    pub(crate) fn is_sound(&self, spec: &ColumnSpec) -> bool {
        // More cells than any table here could have had: the counts are not those of a fit.
        let counted = |counts: &[usize], extra: usize| {
            let sum = counts.iter().try_fold(extra, |sum, &count| sum.checked_add(count));
            sum.is_some_and(|sum| (1..=100_000_000).contains(&sum))
        };
        match self {
            Marginal::Identifier => spec.kind == ColumnKind::Identifier,
            Marginal::Numbers { values, counts, missing } => {
                spec.is_numeric()
                    && values.len() == counts.len()
                    && values.iter().all(|value| value.is_finite())
                    && counted(counts, *missing)
            }
            Marginal::Codes { codes, counts } => {
                spec.is_category() && codes.len() == counts.len() && counted(counts, 0)
            }
        }
    }

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
