use super::{Indicator, Test, distances::Distances, kind, least_below, quantile, share};
use crate::{score::Gap, significance::more_below_level};

/// Honest rows that are expected below the threshold.
const TAIL: f64 = 0.02;

/// `tail_leak`: the share of synthetic rows that are nearer to a training row than 98 % of the
/// holdout rows are, minus the 2 % expected, in -0.02..=0.98.
///
/// About 0 for rows that know the law and no person, a little more where the threshold comes from
/// few holdout rows: a fresh row lies below the 2 % quantile of `n` rows with a chance of
/// `(0.02 (n - 1) + 1) / (n + 1)`, and what that is above 2 % is the reference. It sees a leak of
/// one row in fifty, which the
/// mean share (`dcr_share`) does not. Where 2 % of the holdout rows equal a training row (tables of
/// few categories) nothing can be nearer than they are, so it is undefined: a copy would look as
/// harmless as any other table.
pub(super) const LEAK: Indicator = Indicator {
    kind: kind("tail_leak", -TAIL, 1.0 - TAIL),
    value: |distances| leak(distances, &distances.synthetic.first),
    reference: |distances| {
        let holdout = &distances.holdout.as_ref()?.first;
        leak(distances, holdout).ok().map(|_| expected(holdout) - TAIL)
    },
    interval: None,
    // All holdout rows set the threshold, however few synthetic ones there are.
    test: Some(Test {
        p_value: |distances, _| {
            let all = distances.holdout.as_ref()?;
            Some(more_below_level(&distances.synthetic.first, &all.first, TAIL))
        },
        least: |distances, _| {
            least_below(&distances.holdout.as_ref()?.first, TAIL, 1.0, distances.rows())
        },
    }),
};

/// The share of fresh rows below the threshold that these distances set: a quantile between two of
/// them lies, on average, as far between the places `i / (n + 1)` that rows divide their law at.
/// Where many are equal, fewer lie below it.
fn expected(holdout: &[f64]) -> f64 {
    let threshold = quantile(holdout, TAIL);
    let below = holdout.iter().filter(|&&distance| distance < threshold).count();
    let place = (TAIL * (holdout.len() - 1) as f64).min(below as f64);
    (place + 1.0) / (holdout.len() + 1) as f64
}

fn leak(distances: &Distances, nearest: &[f64]) -> Result<f64, Gap> {
    let holdout =
        distances.holdout.as_ref().ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
    let threshold = quantile(&holdout.first, TAIL);
    if threshold == 0.0 {
        let reason =
            "2 % of the holdout rows or more equal a training row, so no row can be nearer";
        return Err(Gap::undefined(reason));
    }
    Ok(share(nearest, |distance| distance < threshold) - TAIL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn fresh_rows_lie_below_the_threshold_as_often_as_expected() {
        let mut rng = meg_core::Seed(5).stream("tail");
        for rows in [20, 50, 1_000] {
            let mut draw = || (0..rows).map(|_| rng.random()).collect::<Vec<f64>>();
            let expected = expected(&draw());
            // Of a uniform law the chance of one more is the quantile itself.
            let games = 4_000;
            let below = (0..games).map(|_| quantile(&draw(), TAIL));
            let mean = below.sum::<f64>() / f64::from(games);
            assert!((mean / expected - 1.0).abs() < 0.05, "{rows}: {mean}, not {expected}");
        }
        // Nothing lies below distances that are all the same.
        assert_eq!(expected(&[0.5; 99]), 0.01);
    }
}
