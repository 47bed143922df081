use super::{
    Indicator, Law, Sizes,
    distances::{Distances, Nearest},
    kind, least_below, least_in_mean, least_in_spread, least_share, quantile, share,
};
use crate::{numbers::mean_and_sd, score::Gap};

/// `dcr_median`: the median over synthetic rows of the distance to the closest training row, in
/// 0..=1. Neither a large nor a small value is good in itself (noise is far away, a copy is at 0):
/// best is the value of the holdout rows. Source: "distance to closest record" of the table-GAN
/// (Park et al. 2018) and CTAB-GAN (Zhao et al. 2021) papers.
pub(super) const MEDIAN: Indicator = Indicator {
    kind: kind("dcr_median", 0.0, 1.0),
    value: |distances| Ok(quantile(&distances.synthetic.first, 0.5)),
    reference: |distances| Some(quantile(&distances.holdout_sample()?.first, 0.5)),
    interval: None,
    least: |distances, holdout| least_below(&holdout.first, 0.5, 1.0, distances.rows()),
};

/// `dcr_p05`: the 5 % quantile of the same distances. Copies among honest rows show here first.
pub(super) const FIVE_PERCENT: Indicator = Indicator {
    kind: kind("dcr_p05", 0.0, 1.0),
    value: |distances| Ok(quantile(&distances.synthetic.first, 0.05)),
    reference: |distances| Some(quantile(&distances.holdout_sample()?.first, 0.05)),
    interval: None,
    least: |distances, holdout| least_below(&holdout.first, 0.05, 1.0, distances.rows()),
};

/// `dcr_mean`: the mean of the same distances, as table-GAN gives it.
pub(super) const MEAN: Indicator = Indicator {
    kind: kind("dcr_mean", 0.0, 1.0),
    value: |distances| Ok(mean_and_sd(&distances.synthetic.first).0),
    reference: |distances| Some(mean_and_sd(&distances.holdout_sample()?.first).0),
    interval: None,
    least: |distances, holdout| least_in_mean(&holdout.first, distances.rows()),
};

/// `dcr_sd`: their standard deviation. table-GAN's paper wants it small beside a large mean.
pub(super) const SD: Indicator = Indicator {
    kind: kind("dcr_sd", 0.0, 1.0),
    value: |distances| Ok(mean_and_sd(&distances.synthetic.first).1),
    reference: |distances| Some(mean_and_sd(&distances.holdout_sample()?.first).1),
    interval: None,
    least: |distances, holdout| least_in_spread(&holdout.first, distances.rows()),
};

/// `dcr_share`: the share of synthetic rows that are closer to a training row than to any holdout
/// row, ties counting half, in 0..=1.
///
/// The larger side is cut to a seeded sample of the smaller one's size, so that 0.5 is expected of
/// rows that know neither; that is the reference. Half credit for ties is what keeps it at 0.5 on
/// tables of few categories. It moves little where few rows leak: see `tail_leak`. Source: the TabSyn
/// paper (Zhang et al. 2024), whose strict comparison is replaced by half credit.
pub(super) const SHARE: Indicator = Indicator {
    kind: kind("dcr_share", 0.0, 1.0),
    value: share_closer,
    reference: |distances| distances.sides.is_some().then_some(0.5),
    interval: Some(interval),
    least,
};

fn share_closer(distances: &Distances) -> Result<f64, Gap> {
    credits(distances)
        .map(|credits| mean_and_sd(&credits).0)
        .ok_or_else(|| Gap::skipped("there are no holdout rows"))
}

/// 1 for a row that is closer to training rows, half for a tie.
fn credits(distances: &Distances) -> Option<Vec<f64>> {
    let sides = distances.sides.as_ref()?;
    let credit = |(train, holdout): (&f64, &f64)| match train.total_cmp(holdout) {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Greater => 0.0,
    };
    Some(sides.train.iter().zip(&sides.holdout).map(credit).collect())
}

/// By the normal law, of the credits as they spread about their mean.
fn interval(distances: &Distances) -> Option<[f64; 2]> {
    let credits = credits(distances)?;
    let (mean, sd) = mean_and_sd(&credits);
    let half = 1.959_963_984_540_054 * sd / (credits.len() as f64).sqrt();
    Some([(mean - half).max(0.0), (mean + half).min(1.0)])
}

/// A copy is closer for sure if its row faces the holdout rows and none of them equals it; else it is
/// any row. Against a half that is known the synthetic rows alone vary.
fn least(distances: &Distances, holdout: &Nearest) -> Option<f64> {
    let ties = share(&credits(distances)?, |credit| credit == 0.5);
    let plain = Law { mean: 0.5, variance: (1.0 - ties) / 4.0 };
    let met = distances.facing_share * (1.0 - share(&holdout.first, |distance| distance == 0.0));
    let copied = Law::share(met + (1.0 - met) / 2.0);
    least_share(plain, copied, Sizes::new(distances.rows(), None))
}
