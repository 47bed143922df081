use meg_core::{DataError, Result};

/// Moments as year, month, day, hour, minute and second, each a column of numbers.
///
/// Law: comes back exactly, whole seconds from the year -9999 to 9999. Any numbers decode to a
/// moment: each part is rounded and kept in its range, the day to the last one of its month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateParts;

/// Number of parts.
const PARTS: usize = 6;
/// Years that decode to themselves.
const YEARS: (f64, f64) = (-9_999.0, 9_999.0);

impl DateParts {
    /// Six columns from seconds since 1970; NaN is missing in all six.
    ///
    /// # Errors
    /// A data error for a moment that is not finite, or beyond the years -9999 to 9999.
    pub fn encode(cells: &[f64]) -> Result<[Vec<f64>; PARTS]> {
        let mut parts: [Vec<f64>; PARTS] = Default::default();
        for (row, &cell) in cells.iter().enumerate() {
            let split = if cell.is_nan() { Some([f64::NAN; PARTS]) } else { split(cell) };
            let Some(split) = split else {
                let error = DataError::new("the moment is beyond the years -9999 to 9999");
                return Err(error.row(row as u64 + 1).value(cell.to_string()).into());
            };
            parts.iter_mut().zip(split).for_each(|(column, part)| column.push(part));
        }
        Ok(parts)
    }

    /// Seconds since 1970 from six columns; missing where any part is.
    ///
    /// # Errors
    /// A data error when the columns differ in length.
    pub fn decode(parts: &[Vec<f64>; PARTS]) -> Result<Vec<f64>> {
        let rows = parts[0].len();
        if parts.iter().any(|column| column.len() != rows) {
            return Err(DataError::new("the parts of the moments differ in length").into());
        }
        Ok((0..rows).map(|row| join(std::array::from_fn(|part| parts[part][row]))).collect())
    }
}

fn split(seconds: f64) -> Option<[f64; PARTS]> {
    let days = (seconds / 86_400.0).floor();
    if !days.is_finite() || days.abs() > 4_400_000.0 {
        return None;
    }
    let (year, month, day) = civil(days as i64);
    let clock = seconds - days * 86_400.0;
    let parts = [
        year as f64,
        month as f64,
        day as f64,
        (clock / 3_600.0).floor(),
        (clock % 3_600.0 / 60.0).floor(),
        clock % 60.0,
    ];
    (YEARS.0..=YEARS.1).contains(&parts[0]).then_some(parts)
}

fn join(parts: [f64; PARTS]) -> f64 {
    if parts.iter().any(|part| part.is_nan()) {
        return f64::NAN;
    }
    let whole = |part: usize, least: f64, most: f64| parts[part].round().clamp(least, most) as i64;
    let (year, month) = (whole(0, YEARS.0, YEARS.1), whole(1, 1.0, 12.0));
    let length = days_before(if month == 12 { year + 1 } else { year }, month % 12 + 1)
        - days_before(year, month);
    let day = whole(2, 1.0, length as f64);
    let clock = whole(3, 0.0, 23.0) * 3_600 + whole(4, 0.0, 59.0) * 60 + whole(5, 0.0, 59.0);
    ((days_before(year, month) + day - 1) * 86_400 + clock) as f64
}

/// Days from 1970-01-01 to the first of a month. Years begin in March here, so that the leap day is
/// the last one and months follow a line of 153 days in five.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 - 719_468
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // A guess by the mean length of a year is at most one off; so is one by that of a month.
    let mut year = 1970 + (days as f64 / 365.242_5).floor() as i64;
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    while days_before(year, 1) > days {
        year -= 1;
    }
    let month = (1..=12).rev().find(|&month| days_before(year, month) <= days);
    let month = month.expect("January begins before any day of its year");
    (year, month, days - days_before(year, month) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::datetime;

    #[test]
    fn the_calendar_is_that_of_the_parser() {
        for day in (-800_000..800_000).step_by(997) {
            let (year, month, date) = civil(day);
            if !(1..=9_999).contains(&year) {
                continue;
            }
            let text = format!("{year:04}-{month:02}-{date:02}");
            assert_eq!(datetime::parse(&text, "%Y-%m-%d"), Some(day as f64 * 86_400.0), "{text}");
        }
    }

    #[test]
    fn impossible_parts_become_the_nearest_moment() {
        let join = |parts| datetime::print(join(parts), "%Y-%m-%d %H:%M:%S").unwrap();
        assert_eq!(join([2023.0, 2.0, 33.0, 25.0, -4.0, 59.4]), "2023-02-28 23:00:59");
        assert_eq!(join([2024.2, 1.6, 30.7, 0.0, 0.0, 0.0]), "2024-02-29 00:00:00");
        assert_eq!(join([2024.0, 99.0, 31.0, 0.0, 0.0, 0.0]), "2024-12-31 00:00:00");
    }
}
