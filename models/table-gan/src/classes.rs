use crate::codec::Codec;
use meg_core::{Column, ColumnSpec, Error, MISSING, Result, Rng, Table};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// The classes of the target that a conditional model is told, with their shares of the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Classes {
    rule: Rule,
    shares: Vec<f64>,
}

/// What makes a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    /// These codes, in order.
    Levels(Vec<u32>),
    /// Whether the number is above the mean of the training rows; a missing one is not.
    Above(f64),
}

/// Classes at most: each takes a channel of every image.
pub(crate) const MOST_CLASSES: usize = 64;

impl Classes {
    /// The classes of the target of a table and the class of each row; `None` without a target that
    /// differs between rows, or with too many levels.
    pub(crate) fn fit(table: &Table, codec: &Codec) -> Option<(Self, Vec<u32>)> {
        codec.label()?;
        let rule = match &table.columns()[table.schema().target()?] {
            Column::Numbers(cells) => {
                let seen = cells.iter().filter(|cell| !cell.is_nan());
                let count = seen.clone().count() as f64;
                Rule::Above(seen.map(|cell| cell / count).sum())
            }
            Column::Codes(cells) => {
                let mut codes = cells.clone();
                codes.sort_unstable();
                codes.dedup();
                if codes.len() > MOST_CLASSES {
                    return None;
                }
                Rule::Levels(codes)
            }
            Column::Texts(_) => return None,
        };
        let target = table.schema().target()?;
        let of_row = |row| match (&rule, &table.columns()[target]) {
            (Rule::Above(mean), Column::Numbers(cells)) => u32::from(cells[row] > *mean),
            (Rule::Levels(codes), Column::Codes(cells)) => {
                codes.binary_search(&cells[row]).map_or(0, |at| at as u32)
            }
            _ => 0,
        };
        let rows: Vec<u32> = (0..table.rows()).map(of_row).collect();
        let count = match &rule {
            Rule::Levels(codes) => codes.len(),
            Rule::Above(_) => 2,
        };
        let mut shares = vec![0.0; count];
        for &class in &rows {
            shares[class as usize] += 1.0 / rows.len() as f64;
        }
        Some((Self { rule, shares }, rows))
    }

    /// Number of classes.
    pub(crate) fn count(&self) -> usize {
        self.shares.len()
    }

    /// Draws a class by the shares of the training rows.
    pub(crate) fn draw(&self, rng: &mut Rng) -> usize {
        let mut left: f64 = rng.random();
        let inside = |&share: &f64| {
            left -= share;
            left < 0.0
        };
        // The sum may end a rounding error below 1.
        self.shares.iter().position(inside).unwrap_or(self.shares.len() - 1)
    }

    /// Checks classes that were read from a file.
    ///
    /// # Errors
    /// [`Error::Artifact`] when they cannot be those of this target.
    pub(crate) fn check(&self, target: Option<&ColumnSpec>) -> Result<()> {
        let shares = self.shares.iter().all(|share| (0.0..=1.0).contains(share));
        let sum: f64 = self.shares.iter().sum();
        let fits = |spec: &ColumnSpec| match &self.rule {
            Rule::Above(mean) => spec.is_numeric() && mean.is_finite() && self.count() == 2,
            Rule::Levels(codes) => {
                let known = |&code: &u32| {
                    let missing = code == MISSING && spec.nullable;
                    missing || (code as usize) < spec.levels().len()
                };
                spec.is_category()
                    && self.count() == codes.len()
                    && self.count() <= MOST_CLASSES
                    && codes.iter().all(known)
            }
        };
        if shares && (sum - 1.0).abs() < 1e-6 && target.is_some_and(fits) {
            return Ok(());
        }
        Err(Error::Artifact("the classes are none of the target's".into()))
    }
}
