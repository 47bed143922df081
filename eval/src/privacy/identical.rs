use super::{
    Indicator, Law, Sizes, Test,
    distances::{Distances, Nearest},
    kind, least_share, share,
};
use crate::{
    score::Gap,
    significance::{more_successes, wilson},
};

/// `identical_match_share`: the share of synthetic rows that equal a training row in every compared
/// cell, in 0..=1. Tables of few categories have honest matches, so it is read against the share of
/// the holdout rows, its reference.
pub(super) const IDENTICAL: Indicator = Indicator {
    kind: kind("identical_match_share", 0.0, 1.0),
    value: |distances| Ok(identical(&distances.synthetic)),
    reference: |distances| Some(identical(&distances.holdout_sample()?)),
    interval: Some(|distances| {
        let (matches, rows) = counted(&distances.synthetic);
        Some(wilson(matches, rows))
    }),
    test: Some(Test { p_value, least }),
};

/// `identical_match_excess`: the same minus the share of the holdout rows, in -1..=1. 0 is what rows
/// have that know the law and no person, more is copying; less is no merit, as noise has fewer
/// honest matches. With Newcombe's interval of the difference of two shares (1998, from Wilson's).
/// Skipped without holdout rows.
pub(super) const EXCESS: Indicator = Indicator {
    kind: kind("identical_match_excess", -1.0, 1.0),
    value: |distances| {
        let holdout = distances.holdout_sample();
        let holdout = holdout.ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        Ok(identical(&distances.synthetic) - identical(&holdout))
    },
    reference: |distances| distances.holdout.as_ref().map(|_| 0.0),
    interval: Some(|distances| {
        Some(newcombe(counted(&distances.synthetic), counted(&distances.holdout_sample()?)))
    }),
    test: Some(Test { p_value, least }),
};

/// Fisher's exact test of more matches among synthetic rows.
fn p_value(distances: &Distances, holdout: &Nearest) -> Option<f64> {
    Some(more_successes(counts(&distances.synthetic), counts(holdout)))
}

fn identical(nearest: &Nearest) -> f64 {
    share(&nearest.first, |distance| distance == 0.0)
}

/// Rows that equal a training row, of all.
fn counted(nearest: &Nearest) -> (f64, f64) {
    let (matches, rows) = counts(nearest);
    (matches as f64, rows as f64)
}

fn counts(nearest: &Nearest) -> (usize, usize) {
    let matches = nearest.first.iter().filter(|&&distance| distance == 0.0).count();
    (matches, nearest.first.len())
}

/// The 95 % interval of one share minus another.
fn newcombe(ours: (f64, f64), theirs: (f64, f64)) -> [f64; 2] {
    let all = |(k, n): (f64, f64)| {
        let [low, high] = wilson(k, n);
        (k / n, low, high)
    };
    let ((p, low, high), (q, other_low, other_high)) = (all(ours), all(theirs));
    [p - q - (p - low).hypot(other_high - q), p - q + (high - p).hypot(q - other_low)]
}

/// Every copy is a match.
fn least(distances: &Distances, holdout: &Nearest) -> Option<f64> {
    let (matches, rows) = (identical(holdout) * holdout.first.len() as f64, holdout.first.len());
    let sizes = Sizes::new(distances.rows(), Some(rows));
    least_share(Law::successes(matches, rows), Law::certain(1.0), sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcombes_interval_of_his_example() {
        // Newcombe (1998), example (a), method 10: 56/70 - 48/80 is 0.0524 to 0.3339.
        let [low, high] = newcombe((56.0, 70.0), (48.0, 80.0));
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
        let [low, high] = newcombe((0.0, 20.0), (0.0, 20.0));
        assert!(low < 0.0 && high > 0.0 && (low + high).abs() < 1e-12);
    }
}
