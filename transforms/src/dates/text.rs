use meg_core::{DataError, Result, datetime};
use serde::{Deserialize, Serialize};

/// Text in a `strftime` format as seconds since 1970.
///
/// Law: comes back exactly where the text is written as the format prints it. A year of two digits is
/// one of 1970 to 2069 ([`meg_core::datetime`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateText {
    format: String,
}

impl DateText {
    /// For this format.
    ///
    /// # Errors
    /// As [`datetime::check`].
    pub fn new(format: impl Into<String>) -> Result<Self> {
        let format = format.into();
        match datetime::check(&format) {
            Ok(()) => Ok(Self { format }),
            Err(error) => Err((*error).into()),
        }
    }

    /// Seconds since 1970; NaN for a missing text.
    ///
    /// # Errors
    /// A data error that names the first row whose text is no date in this format.
    pub fn encode(&self, texts: &[Option<String>]) -> Result<Vec<f64>> {
        let cell = |(row, text): (usize, &Option<String>)| match text {
            None => Ok(f64::NAN),
            Some(text) => datetime::parse(text, &self.format).ok_or_else(|| {
                let problem = format!("this is no date in the format {:?}", self.format);
                DataError::new(problem).row(row as u64 + 1).value(text).into()
            }),
        };
        texts.iter().enumerate().map(cell).collect()
    }

    /// The texts; none for NaN.
    ///
    /// # Errors
    /// A data error that names the first moment beyond the years that the format can hold.
    pub fn decode(&self, cells: &[f64]) -> Result<Vec<Option<String>>> {
        let (least, most) = datetime::printable(&self.format);
        let text = |(row, &cell): (usize, &f64)| {
            if cell.is_nan() {
                return Ok(None);
            }
            let inside = (least..=most).contains(&cell);
            let text = inside.then(|| datetime::print(cell, &self.format)).flatten();
            text.map(Some).ok_or_else(|| {
                let error = DataError::new("the format cannot hold a moment so far from 1970");
                error.row(row as u64 + 1).value(cell.to_string()).into()
            })
        };
        cells.iter().enumerate().map(text).collect()
    }
}
