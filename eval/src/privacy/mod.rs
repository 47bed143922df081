//! Indicators of copying: how near synthetic rows come to training rows, beside how near real rows
//! that were never seen come to them. They can show a leak; they cannot prove that there is none.

mod dcr;
mod distances;
mod euclid;
mod identical;
mod k_map;
mod new_rows;
mod nndr;
mod obfuscation;
mod tail;

use crate::{
    Comparison, Group, Metric, Score,
    numbers::quantile,
    power::{Law, Sizes, least_share},
    score::{Gap, Goal, Kind, Reading},
};
use distances::{Distances, Limits, Nearest};
pub(crate) use euclid::Euclid;
pub(crate) use k_map::KMap;
pub(crate) use new_rows::NewRows;
pub(crate) use obfuscation::Obfuscation;

/// All indicators that come from the distances to the nearest rows, which are computed once.
#[derive(Debug)]
pub(crate) struct NearestRows;

type Interval = fn(&Distances) -> Option<[f64; 2]>;

/// An indicator: name and range, its value, the same for holdout rows, and what it could have seen.
struct Indicator {
    kind: Kind,
    value: fn(&Distances) -> Result<f64, Gap>,
    reference: fn(&Distances) -> Option<f64>,
    /// 95 % interval of the value, for shares of rows.
    interval: Option<Interval>,
    /// The least share of copies that would show, from the distances of holdout rows.
    least: fn(&Distances, &Nearest) -> Option<f64>,
}

const INDICATORS: [Indicator; 10] = [
    dcr::MEDIAN,
    dcr::FIVE_PERCENT,
    dcr::MEAN,
    dcr::SD,
    dcr::SHARE,
    identical::IDENTICAL,
    identical::EXCESS,
    nndr::FIVE_PERCENT,
    nndr::MEDIAN,
    tail::LEAK,
];

impl Metric for NearestRows {
    fn name(&self) -> &'static str {
        INDICATORS[0].kind.name
    }

    fn names(&self) -> Vec<&'static str> {
        INDICATORS.iter().map(|indicator| indicator.kind.name).collect()
    }

    fn group(&self) -> Group {
        Group::Privacy
    }

    fn about(&self) -> &'static str {
        "How near synthetic rows come to training rows (Gower's distance), beside how near unseen real rows come to them."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let distances = Distances::new(comparison, Limits::USUAL);
        let score = |indicator: &Indicator| match &distances {
            Ok(distances) => {
                let rows = distances.synthetic.first.len();
                let note = distances.note();
                let reading =
                    Reading::new((indicator.value)(distances), comparison.train.rows(), rows);
                let interval = indicator.interval.and_then(|interval| interval(distances));
                let score = Score::new(&indicator.kind, &[], reading.note(note).interval(interval))
                    .with_reference((indicator.reference)(distances));
                match distances.holdout_sample() {
                    Some(holdout) => score.with_least_leak((indicator.least)(distances, &holdout)),
                    None => score,
                }
            }
            Err(gap) => {
                let reading = Reading::new(Err(gap.clone()), comparison.train.rows(), 0);
                Score::new(&indicator.kind, &[], reading)
            }
        };
        INDICATORS.iter().map(score).collect()
    }
}

/// An indicator for which the holdout rows say what is right.
const fn kind(name: &'static str, least: f64, most: f64) -> Kind {
    Kind { name, goal: Goal::Reference, range: [Some(least), Some(most)] }
}

/// The share of the values for which it holds.
fn share(values: &[f64], holds: impl Fn(f64) -> bool) -> f64 {
    values.iter().filter(|&&value| holds(value)).count() as f64 / values.len() as f64
}

/// The least share of copies that would move the quantile at this level visibly: below it there are
/// then more rows than the level says. `low` is the chance that a copy is below it. `None` where the
/// quantile is at 0 already, so that nothing can be below it.
fn least_below(holdout: &[f64], level: f64, low: f64, ours: usize) -> Option<f64> {
    if quantile(holdout, level) <= 0.0 {
        return None;
    }
    let sizes = Sizes::new(ours, Some(holdout.len()));
    least_share(Law::share(level), Law::share(low), sizes)
}

/// The same of the mean of distances, of which copies have 0.
fn least_in_mean(holdout: &[f64], ours: usize) -> Option<f64> {
    least_share(Law::of(holdout), Law::certain(0.0), Sizes::new(ours, Some(holdout.len())))
}

/// The same of their standard deviation.
fn least_in_spread(holdout: &[f64], ours: usize) -> Option<f64> {
    let mean = Law::of(holdout).mean;
    let squares: Vec<f64> = holdout.iter().map(|distance| (distance - mean).powi(2)).collect();
    let sizes = Sizes::new(ours, Some(holdout.len()));
    least_share(Law::of(&squares), Law::certain(mean * mean), sizes)
}
