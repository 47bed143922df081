//! Dates and times as seconds since 1970-01-01T00:00:00, in the column's own `strftime` format.

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

/// The first and the last moment that can be printed: the years -262143 to 262142.
pub fn printable() -> (f64, f64) {
    let seconds = |moment: DateTime<Utc>| moment.timestamp() as f64;
    (seconds(DateTime::<Utc>::MIN_UTC), seconds(DateTime::<Utc>::MAX_UTC))
}

/// The smallest step, in seconds, that a format can tell apart: 86 400 for a pure date. Found by
/// printing two moments, so that it holds for every directive.
pub fn resolution(format: &str) -> f64 {
    let noon = 43_200.0;
    let tells = |step: &f64| print(noon, format) != print(noon + step, format);
    [1.0, 60.0, 3_600.0].into_iter().find(tells).unwrap_or(86_400.0)
}

/// Whether moments printed in this format can be read back: a format with a directive that only
/// prints, or one that leaves out the day, cannot hold a column.
pub fn is_reversible(format: &str) -> bool {
    let step = resolution(format);
    [946_684_800.0, 1_582_934_400.0 + 86_399.0].into_iter().all(|moment| {
        let moment = f64::floor(moment / step) * step;
        print(moment, format).and_then(|text| parse(&text, format)) == Some(moment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printable_moments_end_where_printing_does() {
        let (least, most) = printable();
        let format = "%Y-%m-%d %H:%M:%S";
        for moment in [least, most] {
            let text = print(moment, format).expect("it can be printed");
            assert_eq!(parse(&text, format), Some(moment), "{text}");
        }
        assert_eq!([print(least - 1.0, format), print(most + 1.0, format)], [None, None]);
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
