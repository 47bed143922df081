use super::{
    Indicator, Test,
    distances::{Distances, Nearest},
    interval_of_quantile, kind, least_below, quantile,
};
use crate::{score::Gap, significance::more_below_level};

/// `nndr_p05`: the 5 % quantile over synthetic rows of the distance to the nearest training row
/// over the distance to the second nearest, in 0..=1.
///
/// Near 0 a row sits on one training row and far from all others, which is what a copy of an
/// unusual person looks like. If the second distance is 0 the ratio is 1 by convention: that point
/// is shared by two people at least. Undefined with fewer than two training rows. Source: the
/// CTAB-GAN paper (Zhao et al. 2021).
pub(super) const FIVE_PERCENT: Indicator = Indicator {
    kind: kind("nndr_p05", 0.0, 1.0),
    value: |distances| ratio(&distances.synthetic, 0.05).ok_or_else(too_few),
    reference: |distances| ratio(&distances.holdout_sample()?, 0.05),
    interval: Some(|distances| interval(&distances.synthetic, 0.05)),
    test: Some(Test {
        p_value: |distances, holdout| p_value(&distances.synthetic, holdout, 0.05),
        least: |distances, holdout| least(distances, holdout, 0.05),
    }),
};

/// `nndr_median`: the median of the same ratios.
pub(super) const MEDIAN: Indicator = Indicator {
    kind: kind("nndr_median", 0.0, 1.0),
    value: |distances| ratio(&distances.synthetic, 0.5).ok_or_else(too_few),
    reference: |distances| ratio(&distances.holdout_sample()?, 0.5),
    interval: Some(|distances| interval(&distances.synthetic, 0.5)),
    test: Some(Test {
        p_value: |distances, holdout| p_value(&distances.synthetic, holdout, 0.5),
        least: |distances, holdout| least(distances, holdout, 0.5),
    }),
};

fn too_few() -> Gap {
    Gap::undefined("there are fewer than two training rows")
}

/// This quantile of the ratios.
fn ratio(nearest: &Nearest, share: f64) -> Option<f64> {
    has_second(nearest).then(|| quantile(&ratios(nearest), share))
}

fn interval(nearest: &Nearest, share: f64) -> Option<[f64; 2]> {
    has_second(nearest).then(|| interval_of_quantile(&ratios(nearest), share))?
}

fn p_value(synthetic: &Nearest, holdout: &Nearest, share: f64) -> Option<f64> {
    has_second(synthetic).then(|| more_below_level(&ratios(synthetic), &ratios(holdout), share))
}

fn has_second(nearest: &Nearest) -> bool {
    nearest.second.iter().all(|second| second.is_finite())
}

fn ratios(nearest: &Nearest) -> Vec<f64> {
    let ratio = |(first, second): (&f64, &f64)| if *second == 0.0 { 1.0 } else { first / second };
    nearest.first.iter().zip(&nearest.second).map(ratio).collect()
}

/// A copy has the ratio 0, one of a row with a twin the ratio 1.
fn least(distances: &Distances, holdout: &Nearest, level: f64) -> Option<f64> {
    least_below(&ratios(holdout), level, 1.0 - distances.twins, distances.rows())
}
