use crate::column::{NumberMap, Range, observed};
use meg_core::{ColumnKind, ColumnSpec, DataError, Result, datetime};
use serde::{Deserialize, Serialize};

/// The unit of a moment as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateUnit {
    /// Days of 86 400 seconds.
    Days,
    /// Seconds.
    Seconds,
}

/// A moment as days or seconds since the first training moment.
///
/// Law: comes back exactly; any number decodes to a moment that the column's format can print
/// without loss (decoding rounds to its resolution; beyond the years that a date can hold, the first
/// or last moment that it can).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DateNumber {
    unit: f64,
    resolution: f64,
    range: Range,
    /// The first and the last moment that the format can hold.
    printable: (f64, f64),
}

impl DateNumber {
    /// Fits to the cells of a datetime column, seconds since 1970; NaN is missing and left out.
    ///
    /// # Errors
    /// A data error for a column of another kind, for an infinite cell and for a moment beyond the
    /// years that a date can hold.
    pub fn fit(cells: &[f64], spec: &ColumnSpec, unit: DateUnit) -> Result<Self> {
        let ColumnKind::Datetime { format } = &spec.kind else {
            let problem = format!("a column of kind \"{}\" holds no dates", spec.kind.name());
            let advice = "declare the column as kind = \"datetime\" with its format in schema.toml";
            return Err(DataError::new(problem).column(&spec.name).advice(advice).into());
        };
        let unit = match unit {
            DateUnit::Days => 86_400.0,
            DateUnit::Seconds => 1.0,
        };
        let range = Range::of(&observed(cells)?);
        let printable = datetime::printable(format);
        if let Some(row) = cells.iter().position(|&cell| cell < printable.0 || cell > printable.1) {
            let error = DataError::new(match datetime::has_short_years(format) {
                true => "a year of two digits is one of 1970 to 2069",
                false => "the moment lies beyond the years that a date can hold",
            });
            let error = error.row(row as u64 + 1).value(cells[row].to_string());
            return Err(error.advice("mark the cell as missing, or correct it").into());
        }
        Ok(Self { unit, resolution: datetime::resolution(format), range, printable })
    }
}

impl NumberMap for DateNumber {
    const NAME: &'static str = "the count of days or seconds";

    fn forward(&self, x: f64) -> f64 {
        let (least, most) = self.printable;
        if (least..=most).contains(&x) { (x - self.range.least) / self.unit } else { f64::NAN }
    }

    fn backward(&self, y: f64) -> f64 {
        let seconds = self.range.least + y * self.unit;
        let (least, most) = self.printable;
        let step = |moment: f64| moment / self.resolution;
        step(seconds).round().clamp(step(least).ceil(), step(most).floor()) * self.resolution
    }

    fn range(&self) -> Range {
        self.range
    }

    fn is_sound(&self) -> bool {
        self.unit >= 1.0
            && self.unit.is_finite()
            && self.resolution >= 1.0
            && self.resolution.is_finite()
            && self.printable.0 < self.printable.1
            && self.printable.0.is_finite()
            && self.printable.1.is_finite()
    }
}
