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
    score::{Gap, Goal, Kind, Reading},
};
use distances::{Distances, Limits};
pub(crate) use euclid::Euclid;
pub(crate) use k_map::KMap;
pub(crate) use new_rows::NewRows;
pub(crate) use obfuscation::Obfuscation;

/// All indicators that come from the distances to the nearest rows, which are computed once.
#[derive(Debug)]
pub(crate) struct NearestRows;

/// An indicator: name and range, its value, and the same for holdout rows.
struct Indicator {
    kind: Kind,
    value: fn(&Distances) -> Result<f64, Gap>,
    reference: fn(&Distances) -> Option<f64>,
}

const INDICATORS: [Indicator; 9] = [
    dcr::MEDIAN,
    dcr::FIVE_PERCENT,
    dcr::MEAN,
    dcr::SD,
    dcr::SHARE,
    identical::IDENTICAL,
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
                Score::new(&indicator.kind, &[], reading.note(note))
                    .with_reference((indicator.reference)(distances))
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
