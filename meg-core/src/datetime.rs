//! Dates and times as seconds since 1970-01-01T00:00:00, in the column's own `strftime` format.
//!
//! A year of two digits (`%y`, `%D`, `%x`) is one of 1970 to 2069: `70` to `99` are of the 20th
//! century, `00` to `69` of the 21st. A column in such a format holds moments of these years alone,
//! so that whatever is written is read as the same moment again.

use crate::DataError;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// Parses `text` by a `strftime` format; a format without a time of day means midnight.
/// Returns whole seconds since 1970-01-01T00:00:00, or `None` when the text does not match.
pub fn parse(text: &str, format: &str) -> Option<f64> {
    let moment = NaiveDateTime::parse_from_str(text, format)
        .or_else(|_| {
            NaiveDate::parse_from_str(text, format).map(|day| day.and_time(NaiveTime::MIN))
        })
        .ok()?;
    Some(moment.and_utc().timestamp() as f64)
}

/// Prints seconds since 1970-01-01T00:00:00 in a `strftime` format; `None` outside the years that
/// a date can hold.
pub fn print(seconds: f64, format: &str) -> Option<String> {
    use std::fmt::Write;
    // An unknown directive makes the formatter fail, which `write!` reports and `to_string` would
    // turn into a panic.
    let moment = DateTime::from_timestamp(seconds as i64, 0)?.naive_utc();
    let mut text = String::new();
    write!(text, "{}", moment.format(format)).ok()?;
    Some(text)
}

/// The first and the last moment that can be printed in this format and read back: the years -262143
/// to 262142, or 1970 to 2069 where a year has two digits.
pub fn printable(format: &str) -> (f64, f64) {
    if has_short_years(format) {
        return SHORT_YEARS;
    }
    let seconds = |moment: DateTime<Utc>| moment.timestamp() as f64;
    (seconds(DateTime::<Utc>::MIN_UTC), seconds(DateTime::<Utc>::MAX_UTC))
}

/// The first second of 1970 and the last of 2069.
const SHORT_YEARS: (f64, f64) = (0.0, 36_525.0 * 86_400.0 - 1.0);

/// Whether the year has two digits and nothing else tells the century.
pub fn has_short_years(format: &str) -> bool {
    let any = |letters: &str| directives(format).any(|letter| letters.contains(letter));
    any("yDxg") && !any("YCGFcv+s")
}

/// The smallest step, in seconds, that a format can tell apart: 86 400 for a pure date. Found by
/// printing two moments, so that it holds for every directive.
pub fn resolution(format: &str) -> f64 {
    let noon = 43_200.0;
    let tells = |step: &f64| print(noon, format) != print(noon + step, format);
    [1.0, 60.0, 3_600.0].into_iter().find(tells).unwrap_or(86_400.0)
}

/// Whether a column can hold what is written in this format.
///
/// # Errors
/// A data error without its column: for parts of a second, zones, and all else that is not read back
/// as it was printed.
pub fn check(format: &str) -> std::result::Result<(), Box<DataError>> {
    let (problem, advice) = if tells_fractions(format) {
        (
            "tells parts of a second, which are not kept",
            "leave them out of the cells and of the format",
        )
    } else if is_reversible(format) {
        return Ok(());
    } else if directives(format).any(|letter| "zZ+".contains(letter)) {
        (
            "tells zones, which are not kept",
            "write all cells in one zone and leave it out of the format, or put it there as it stands in every cell (\"%H:%M:%S+02:00\")",
        )
    } else {
        (
            "cannot hold dates that are read back as they were printed",
            "use a strftime format with year, month and day, as \"%Y-%m-%d\"",
        )
    };
    Err(Box::new(DataError::new(format!("the format {format:?} {problem}")).advice(advice)))
}

/// The letters of the directives: `Y`, `m` and `d` of `%Y-%-m-%d`.
fn directives(format: &str) -> impl Iterator<Item = char> {
    let mut letters = format.chars();
    std::iter::from_fn(move || {
        letters.find(|&letter| letter == '%')?;
        letters.find(|&letter| !"-_0:#.3".contains(letter))
    })
}

/// Whether the format tells parts of a second.
fn tells_fractions(format: &str) -> bool {
    use std::fmt::Write;
    let text = |nanoseconds: u32| {
        let moment = DateTime::from_timestamp(0, nanoseconds)?.naive_utc();
        let mut text = String::new();
        write!(text, "{}", moment.format(format)).ok()?;
        Some(text)
    };
    text(0) != text(123_456_789)
}

/// Whether moments printed in this format can be read back: a format with a directive that only
/// prints, or one that leaves out the day, cannot hold a column.
fn is_reversible(format: &str) -> bool {
    let step = resolution(format);
    let (least, most) = SHORT_YEARS;
    let mut moments = vec![946_684_800.0, 1_582_934_400.0 + 86_399.0];
    moments.extend(has_short_years(format).then_some([least, most]).into_iter().flatten());
    moments.into_iter().all(|moment| {
        let moment = f64::floor(moment / step) * step;
        print(moment, format).and_then(|text| parse(&text, format)) == Some(moment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printable_moments_end_where_printing_does() {
        let format = "%Y-%m-%d %H:%M:%S";
        let (least, most) = printable(format);
        for moment in [least, most] {
            let text = print(moment, format).expect("it can be printed");
            assert_eq!(parse(&text, format), Some(moment), "{text}");
        }
        assert_eq!([print(least - 1.0, format), print(most + 1.0, format)], [None, None]);
    }

    #[test]
    fn a_year_of_two_digits_is_one_of_1970_to_2069() {
        for (text, year) in [("70", "1970"), ("99", "1999"), ("00", "2000"), ("69", "2069")] {
            let moment = parse(&format!("31/12/{text}"), "%d/%m/%y").unwrap();
            assert_eq!(print(moment, "%Y-%m-%d").unwrap(), format!("{year}-12-31"));
        }
        for format in ["%d/%m/%y", "%D", "%y%m%d %H:%M", "%-d.%-m.%y", "%x"] {
            assert!(is_reversible(format) && has_short_years(format), "{format}");
            let (least, most) = printable(format);
            assert_eq!(print(least, "%Y-%m-%d").unwrap(), "1970-01-01");
            assert_eq!(print(most, "%Y-%m-%d %T").unwrap(), "2069-12-31 23:59:59");
            // Every day within is read as itself; those beyond are read as others.
            let back = |moment| parse(&print(moment, format).unwrap(), format).unwrap();
            for day in (0..36_525).step_by(73) {
                assert_eq!(back(f64::from(day) * 86_400.0), f64::from(day) * 86_400.0);
            }
            assert!(back(least - 86_400.0) > most - 86_400.0 && back(most + 1.0) == least);
        }
        for format in ["%Y-%m-%d", "%C%y-%m-%d", "%F %T", "%%y %Y %j"] {
            assert!(!has_short_years(format), "{format}");
        }
        // The last days of 2069 belong to the first week of "70".
        assert!(!is_reversible("%g-W%V-%u"));
    }

    #[test]
    fn what_a_format_cannot_hold_is_told_with_the_way_out() {
        for (format, part) in [
            ("%Y-%m-%d %H:%M:%S%.3f", "parts of a second"),
            ("%Y-%m-%dT%H:%M:%S%.f", "parts of a second"),
            ("%Y-%m-%dT%H:%M:%S%z", "one zone"),
            ("%Y-%m-%dT%H:%M:%S%:z", "one zone"),
            ("%H:%M:%S", "year, month and day"),
        ] {
            let error = check(format).unwrap_err().to_string();
            assert!(error.contains(part), "{format}: {error}");
        }
        for format in ["%Y-%m-%dT%H:%M:%S+02:00", "%d.%m.%y", "%-d/%-m/%Y %I:%M %p"] {
            check(format).unwrap();
        }
        assert_eq!(directives("%%y %Y-%-m").collect::<String>(), "%Ym");
    }

    #[test]
    fn dates_and_times_survive_a_round_trip() {
        for (text, format) in [
            ("1909-12-22", "%Y-%m-%d"),
            ("31/01/2020", "%d/%m/%Y"),
            ("2020-03-30 23:59:58", "%Y-%m-%d %H:%M:%S"),
        ] {
            let seconds = parse(text, format).expect(text);
            assert_eq!(print(seconds, format).as_deref(), Some(text));
            assert_eq!(seconds % resolution(format), 0.0);
        }
        for (format, step) in
            [("%Y-%m-%d %-H:%-M", 60.0), ("%Y-%m-%d %r", 1.0), ("%d.%m.%Y %H h", 3_600.0)]
        {
            assert_eq!(resolution(format), step, "{format}");
        }
        assert!(is_reversible("%Y-%m-%d %H:%M") && is_reversible("%d/%m/%Y"));
        for format in ["%Y-%m-%d %Z", "%H:%M", "%Y-%m", "%Q", ""] {
            assert!(!is_reversible(format), "{format}");
        }
        assert_eq!(parse("2020-13-01", "%Y-%m-%d"), None);
        assert_eq!(parse("1970-01-02", "%Y-%m-%d"), Some(86_400.0));
    }
}
