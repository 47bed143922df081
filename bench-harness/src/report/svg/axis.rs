//! Numbers along a line: where it begins, where it ends, and where its marks are.

/// A stretch of numbers with marks at round ones.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Axis {
    pub low: f64,
    pub high: f64,
    pub marks: Vec<f64>,
}

impl Axis {
    /// Around these values, widened to the next mark; `None` without a finite value.
    pub(in crate::report) fn around(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        (low <= high).then(|| Self::between(low, high))
    }

    /// From one number to another, widened to the next mark on either side.
    pub(in crate::report) fn between(low: f64, high: f64) -> Self {
        // A single value gets room on both sides.
        let (low, high) = if high - low > 1e-12 * high.abs().max(low.abs()).max(1e-12) {
            (low, high)
        } else {
            let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
            (low - room, high + room)
        };
        let step = round_step((high - low) / 4.0);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let marks: Vec<f64> = (first..=last).map(|at| at as f64 * step).collect();
        Self { low: first as f64 * step, high: last as f64 * step, marks }
    }

    /// Where a number lies, 0 at the beginning and 1 at the end.
    pub(in crate::report) fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// A mark in words, with as many decimals as the marks need.
    pub(in crate::report) fn word(&self, mark: f64) -> String {
        let step = (self.high - self.low) / (self.marks.len().max(2) - 1) as f64;
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let largest = self.low.abs().max(self.high.abs());
        if largest >= 1e6 || decimals > 6 {
            return format!("{mark:.1e}");
        }
        let word = format!("{mark:.decimals$}");
        if word.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
            return "0".into();
        }
        word
    }
}

/// 1, 2 or 5 times a power of ten, at least as long as asked for.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0];
    let times = times.into_iter().find(|times| times * power >= least * (1.0 - 1e-9));
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_cover_the_values() {
        for (low, high, words) in [
            (0.03, 0.97, "0 0.5 1.0"),
            (-3.0, 9.5, "-5 0 5 10"),
            (0.0, 5_000.0, "0 2000 4000 6000"),
            (0.501, 0.509, "0.500 0.502 0.504 0.506 0.508 0.510"),
            (7.0, 7.0, "6.0 6.5 7.0 7.5 8.0"),
            (0.0, 0.0, "-1.0 -0.5 0 0.5 1.0"),
        ] {
            let axis = Axis::between(low, high);
            let told: Vec<String> = axis.marks.iter().map(|&mark| axis.word(mark)).collect();
            assert_eq!(told.join(" "), words, "{axis:?}");
            assert!(axis.low <= low && axis.high >= high && axis.share(axis.high) == 1.0);
        }
        assert_eq!(Axis::around([f64::NAN].into_iter()), None);
        let wide = Axis::around([1e9, f64::NAN, -1e9].into_iter()).unwrap();
        assert_eq!(wide.word(1e9), "1.0e9");
    }
}
