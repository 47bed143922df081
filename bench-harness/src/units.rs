//! Durations and sizes as people write and read them.

use meg_core::{Error, Result};
use std::time::Duration;

/// Reads `30m`, `90s`, `1.5h`, `500ms` or plain seconds.
///
/// # Errors
/// A request error that shows how to write it.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let scales = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("", 1.0)];
    scaled(text, &scales)
        .filter(|&seconds| seconds > 0.0 && seconds < 1e9)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| bad(text, "a duration: write 90s, 30m or 2h"))
}

/// Reads `512M`, `4G`, `4GiB` or plain bytes; units are powers of 1024.
///
/// # Errors
/// A request error that shows how to write it.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let upper = text.trim().to_uppercase();
    let short = upper.trim_end_matches('B').trim_end_matches('I');
    let scales = [("K", 1024.0), ("M", 1_048_576.0), ("G", 1_073_741_824.0), ("", 1.0)];
    scaled(short, &scales)
        .filter(|bytes| (1.0..1e18).contains(bytes))
        .map(|bytes| bytes as u64)
        .ok_or_else(|| bad(text, "a size: write 512M or 4G"))
}

/// Seconds in the unit that reads best.
pub fn show_seconds(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), (seconds % 60.0).floor())
    }
}

/// Bytes in the unit that reads best.
pub fn show_bytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / 1_048_576.0;
    if bytes < 1_024 {
        format!("{bytes} bytes")
    } else if mebibytes < 1.0 {
        format!("{:.0} KiB", bytes as f64 / 1_024.0)
    } else if mebibytes < 1_024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.1} GiB", mebibytes / 1_024.0)
    }
}

// The empty unit stands last in each list: every text ends with it.
fn scaled(text: &str, scales: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let (digits, scale) =
        scales.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    digits.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(|n| n * scale)
}

fn bad(text: &str, rule: &str) -> Error {
    Error::Request(format!("{text:?} is not {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read() {
        for (text, seconds) in [("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0), ("7", 7.0)] {
            assert_eq!(parse_duration(text).unwrap().as_secs_f64(), seconds);
        }
        assert_eq!(parse_duration("500ms").unwrap().as_millis(), 500);
        for (text, bytes) in [("512M", 512 << 20), ("4GiB", 4 << 30), ("2kb", 2048), ("9", 9)] {
            assert_eq!(parse_bytes(text).unwrap(), bytes);
        }
        for text in ["", "soon", "-1s", "1d", "inf"] {
            assert!(parse_duration(text).is_err(), "{text}");
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_sizes_are_shown() {
        assert_eq!(show_seconds(0.0123), "12 ms");
        assert_eq!(show_seconds(12.34), "12.3 s");
        assert_eq!(show_seconds(125.9), "2 min 05 s");
        assert_eq!(show_bytes(1_023), "1023 bytes");
        assert_eq!(show_bytes(40_000), "39 KiB");
        assert_eq!(show_bytes(3 << 20), "3 MiB");
        assert_eq!(show_bytes(3 << 30), "3.0 GiB");
    }
}
