use crate::column::{ColumnTransform, Parts, into_codes, into_numbers, number_error, observed};
use crate::quantiles::{Sketch, quantile, sorted};
use crate::scaling::moments;
use meg_core::{Column, DataError, Error, Result, Rng};
use serde::{Deserialize, Serialize};

/// What missing numbers are filled with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The mean of the others.
    Mean,
    /// The median of the others.
    Median,
    /// A draw from the others' distribution, kept as a few quantiles; the median of fewer than ten.
    Draw,
    /// This number.
    Number(f64),
}

/// Missing numbers are filled; a companion is 1 where one was missing and 0 elsewhere. A column
/// without a missing training cell has no companion.
///
/// Law: comes back exactly, missing cells included; no encoded cell is missing. A column that is
/// missing throughout is filled with 0 (or the stated number).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NullIndicator {
    fill: f64,
    drawn: Option<Sketch>,
    nullable: bool,
}

impl NullIndicator {
    /// Fits to cells.
    ///
    /// # Errors
    /// A data error for an infinite cell, a recipe error for a fill that is not finite.
    pub fn fit(cells: &[f64], fill: &Fill) -> Result<Self> {
        let values = sorted(observed(cells)?);
        let nullable = values.len() < cells.len();
        let number = match *fill {
            Fill::Number(number) => number,
            _ if values.is_empty() => 0.0,
            Fill::Mean => moments(&values).0,
            Fill::Median | Fill::Draw => quantile(&values, 0.5),
        };
        if !number.is_finite() {
            let problem = format!("should be finite, but is {number}");
            return Err(Error::Recipe { key: "fill".into(), problem });
        }
        let drawn = (*fill == Fill::Draw).then(|| Sketch::of(&values, 33));
        Ok(Self { fill: number, drawn, nullable })
    }

    /// Whether there is a companion.
    pub fn has_side(&self) -> bool {
        self.nullable
    }

    fn filling(&self, rng: &mut Rng) -> f64 {
        self.drawn.as_ref().and_then(|sketch| sketch.draw(rng)).unwrap_or(self.fill)
    }
}

impl ColumnTransform for NullIndicator {
    fn encode(&self, cells: Column, rng: &mut Rng) -> Result<Parts> {
        let mut cells = into_numbers(cells)?;
        let mut side = Vec::with_capacity(if self.nullable { cells.len() } else { 0 });
        for (row, cell) in cells.iter_mut().enumerate() {
            if cell.is_infinite() {
                return Err(number_error(row, *cell, "the number is not finite"));
            }
            if cell.is_nan() && !self.nullable {
                let error = DataError::new("no cell is missing in the training rows");
                return Err(error.row(row as u64 + 1).value("missing").into());
            }
            if self.nullable {
                side.push(u32::from(cell.is_nan()));
            }
            if cell.is_nan() {
                *cell = self.filling(rng);
            }
        }
        let side = self.nullable.then_some(Column::Codes(side));
        Ok(Parts { main: Column::Numbers(cells), side })
    }

    fn decode(&self, parts: Parts, _rng: &mut Rng) -> Result<Column> {
        if !self.nullable {
            let cells = into_numbers(parts.alone()?)?;
            if let Some(row) = cells.iter().position(|cell| cell.is_infinite()) {
                return Err(number_error(row, cells[row], "the number is not finite"));
            }
            return Ok(Column::Numbers(cells));
        }
        let (main, side) = parts.pair()?;
        let (mut cells, side) = (into_numbers(main)?, into_codes(side)?);
        for (row, (cell, missing)) in cells.iter_mut().zip(side).enumerate() {
            match missing {
                0 if cell.is_infinite() => {
                    return Err(number_error(row, *cell, "the number is not finite"));
                }
                0 => {}
                1 => *cell = f64::NAN,
                other => {
                    let error = DataError::new("an indicator of missing cells is 0 or 1");
                    return Err(error.row(row as u64 + 1).value(other.to_string()).into());
                }
            }
        }
        Ok(Column::Numbers(cells))
    }

    fn check(&self) -> Result<()> {
        if self.fill.is_finite() && self.drawn.as_ref().is_none_or(Sketch::is_sound) {
            return Ok(());
        }
        Err(Error::Artifact("the fill of missing cells is damaged".into()))
    }
}
