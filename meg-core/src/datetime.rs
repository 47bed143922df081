//! Dates and times as seconds since 1970-01-01T00:00:00, in the column's own `strftime` format.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

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
    let moment = DateTime::from_timestamp(seconds as i64, 0)?.naive_utc();
    let mut text = String::new();
    write!(text, "{}", moment.format(format)).ok()?;
    Some(text)
}

/// The smallest step, in seconds, that a format can tell apart: 86 400 for a pure date.
pub fn resolution(format: &str) -> f64 {
    let tells = |codes: &[&str]| codes.iter().any(|code| format.contains(code));
    if tells(&["%S", "%T", "%s", "%c", "%X", "%+"]) {
        1.0
    } else if tells(&["%M", "%R"]) {
        60.0
    } else if tells(&["%H", "%I", "%k", "%l"]) {
        3_600.0
    } else {
        86_400.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(parse("2020-13-01", "%Y-%m-%d"), None);
        assert_eq!(parse("1970-01-02", "%Y-%m-%d"), Some(86_400.0));
    }
}
