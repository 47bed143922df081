use super::{Indicator, distances::Distances, kind, quantile, share};
use crate::score::Gap;

/// Honest rows that are expected below the threshold.
const TAIL: f64 = 0.02;

/// `tail_leak`: the share of synthetic rows that are nearer to a training row than 98 % of the
/// holdout rows are, minus the 2 % expected, in -0.02..=0.98.
///
/// About 0 for rows that know the law and no person. It sees a leak of one row in fifty, which the
/// mean share (`dcr_share`) does not.
pub(super) const LEAK: Indicator = Indicator {
    kind: kind("tail_leak", -TAIL, 1.0 - TAIL),
    value: |distances| {
        leak(distances, &distances.synthetic.first)
            .ok_or_else(|| Gap::skipped("there are no holdout rows"))
    },
    reference: |distances| leak(distances, &distances.holdout.as_ref()?.first),
};

fn leak(distances: &Distances, nearest: &[f64]) -> Option<f64> {
    let threshold = quantile(&distances.holdout.as_ref()?.first, TAIL);
    Some(share(nearest, |distance| distance < threshold) - TAIL)
}
