//! Columns as states: the levels of a category, the bins of a number, and one state for missing.

use crate::bins::Bins;
use meg_core::{Column, ColumnKind, ColumnSpec, Error, FitContext, MISSING, Result, Rng, Table};
use meg_core::{DataError, parallel};
use serde::{Deserialize, Serialize};
use transforms::fresh_identifiers;

/// How a number column is cut into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// Bins of equal width between the smallest and the largest value.
    Uniform,
    /// Bins of about equally many rows; a value that fills one alone is a bin of its own.
    Quantile,
}

/// Which number a bin stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Within {
    /// Its centre.
    Centre,
    /// One drawn uniformly from the numbers that the column can hold there.
    Uniform,
}

/// The states of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Coder {
    /// Level codes in ascending order; missing, where it is a state, comes last.
    Levels { codes: Vec<u32> },
    /// Bins in ascending order; missing, where it is a state, comes after them.
    Bins { bins: Bins, missing: bool },
    /// Nothing to learn.
    Identifier,
}

/// A table as states.
#[derive(Debug, Clone)]
pub(crate) struct Coded {
    /// For each node the states of all rows.
    pub columns: Vec<Vec<u32>>,
    /// For each node the number of its states.
    pub sizes: Vec<usize>,
    /// Number of rows.
    pub rows: usize,
}

/// The coders of a table, as its rows are: only what occurs in them is a state.
///
/// # Errors
/// Free text, and a table without rows.
pub(crate) fn observed(
    train: &Table,
    bins: usize,
    cut: Cut,
    ctx: &FitContext<'_>,
) -> Result<Vec<Coder>> {
    check(train)?;
    let columns: Vec<(&ColumnSpec, &Column)> = train.iter().collect();
    Ok(parallel::map(ctx.threads, columns.len(), |at| {
        let (spec, column) = columns[at];
        match column {
            Column::Texts(_) => Coder::Identifier,
            Column::Codes(cells) => {
                let mut codes = cells.clone();
                codes.sort_unstable();
                codes.dedup();
                Coder::Levels { codes }
            }
            Column::Numbers(cells) => Coder::Bins {
                bins: match cut {
                    Cut::Uniform => Bins::uniform_over(spec, cells, bins),
                    Cut::Quantile => Bins::quantiles(cells, bins),
                },
                missing: cells.iter().any(|cell| cell.is_nan()),
            },
        }
    }))
}

/// Refuses what no network can learn.
pub(crate) fn check(train: &Table) -> Result<()> {
    train.schema().check_modelable()?;
    if train.rows() == 0 {
        return Err(DataError::new("there are no training rows")
            .advice("give the model a table with at least one row")
            .into());
    }
    Ok(())
}

/// Positions of the columns that are nodes, in order.
pub(crate) fn modelled(coders: &[Coder]) -> Vec<usize> {
    (0..coders.len()).filter(|&at| coders[at] != Coder::Identifier).collect()
}

/// The states of all modelled columns.
pub(crate) fn encode(coders: &[Coder], table: &Table, threads: usize) -> Coded {
    let nodes = modelled(coders);
    let columns = parallel::map(threads, nodes.len(), |node| {
        coders[nodes[node]].encode(&table.columns()[nodes[node]])
    });
    let sizes = nodes.iter().map(|&at| coders[at].states()).collect();
    Coded { columns, sizes, rows: table.rows() }
}

impl Coder {
    /// Number of states.
    pub(crate) fn states(&self) -> usize {
        match self {
            Coder::Levels { codes } => codes.len(),
            Coder::Bins { bins, missing } => bins.len() + usize::from(*missing),
            Coder::Identifier => 0,
        }
    }

    /// Whether a coder read from a file can be drawn from.
    pub(crate) fn is_sound(&self, spec: &ColumnSpec) -> bool {
        match self {
            Coder::Identifier => spec.kind == ColumnKind::Identifier,
            Coder::Bins { bins, missing } => {
                spec.is_numeric()
                    && bins.is_sound()
                    && self.states() > 0
                    && (!missing || spec.nullable)
            }
            Coder::Levels { codes } => {
                let known = |&code: &u32| {
                    if code == MISSING {
                        spec.nullable
                    } else {
                        (code as usize) < spec.levels().len()
                    }
                };
                spec.is_category()
                    && !codes.is_empty()
                    && codes.is_sorted_by(|a, b| a < b)
                    && codes.iter().all(known)
            }
        }
    }

    /// The state of a level code, if it has one.
    pub(crate) fn state_of_code(&self, code: u32) -> Option<usize> {
        match self {
            Coder::Levels { codes } => codes.binary_search(&code).ok(),
            _ => None,
        }
    }

    /// The state of a missing cell, if it has one.
    pub(crate) fn state_of_missing(&self) -> Option<usize> {
        match self {
            Coder::Levels { .. } => self.state_of_code(MISSING),
            Coder::Bins { bins, missing } => missing.then_some(bins.len()),
            Coder::Identifier => None,
        }
    }

    /// The cells of these states.
    pub(crate) fn decode(
        &self,
        spec: &ColumnSpec,
        states: &[u32],
        within: Within,
        rng: &mut Rng,
    ) -> Column {
        match self {
            Coder::Identifier => fresh_identifiers(&spec.name, states.len(), rng),
            Coder::Levels { codes } => {
                Column::Codes(states.iter().map(|&state| codes[state as usize]).collect())
            }
            Coder::Bins { bins, .. } => {
                let number = |&state: &u32| match state as usize {
                    state if state >= bins.len() => f64::NAN,
                    state => bins.number(spec, state, within, rng),
                };
                Column::Numbers(states.iter().map(number).collect())
            }
        }
    }

    fn encode(&self, column: &Column) -> Vec<u32> {
        match (self, column) {
            (Coder::Levels { codes }, Column::Codes(cells)) => {
                let place = |cell: &u32| {
                    codes.binary_search(cell).expect("every training level is a state") as u32
                };
                cells.iter().map(place).collect()
            }
            (Coder::Bins { bins, .. }, Column::Numbers(cells)) => {
                let place =
                    |&cell: &f64| if cell.is_nan() { bins.len() } else { bins.place(cell) } as u32;
                cells.iter().map(place).collect()
            }
            _ => unreachable!("a coder is made from the column that it encodes"),
        }
    }
}

/// The error of a coder that does not fit its column.
pub(crate) fn damaged(spec: &ColumnSpec) -> Error {
    Error::Artifact(format!("the states of the column {:?} are damaged", spec.name))
}
