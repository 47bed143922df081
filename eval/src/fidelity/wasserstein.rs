use super::{columns::by_column, ks::unobserved};
use crate::{
    Comparison, Group, Metric, Score,
    numbers::{mean_and_sd, observed, quantile_of_sorted},
    score::{Gap, Kind, Reading},
};

const SCALED: Kind = Kind::unbounded("wasserstein");
const RAW: Kind = Kind::unbounded("wasserstein_raw");

/// `integral |F_R(x) - F_S(x)| dx`: how far the cells of a number column have to be moved on average
/// to turn one distribution into the other.
///
/// `wasserstein_raw` in the unit of the column (for columns only: a mean over units means nothing),
/// `wasserstein` divided by the interquartile range of the training cells, or by their standard
/// deviation where that is 0. From 0 up, lower is better. Missing cells are left out. Undefined
/// where either side has no observed cell, and scaled where the training column is constant.
/// Source: Vaserstein (1969); scipy's `wasserstein_distance`.
#[derive(Debug)]
pub(crate) struct Wasserstein;

impl Metric for Wasserstein {
    fn name(&self) -> &'static str {
        SCALED.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![SCALED.name, RAW.name]
    }

    fn about(&self) -> &'static str {
        "How far the cells of each number column have to be moved to become the real ones."
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let mut scores = by_column(
            comparison,
            &[SCALED, RAW],
            |spec| spec.is_numeric(),
            |at, train, other| both(train.numbers(at), other.numbers(at)),
        );
        scores.retain(|score| score.name != RAW.name || !score.columns.is_empty());
        scores
    }
}

fn both(real: &[f64], synthetic: &[f64]) -> Vec<Reading> {
    let rows = (real.len(), synthetic.len());
    let (real, synthetic) = (observed(real), observed(synthetic));
    let reading = |value| Reading::new(value, real.len(), synthetic.len());
    if let Some(gap) = unobserved(&real, &synthetic, rows) {
        return vec![reading(Err(gap.clone())), reading(Err(gap))];
    }
    // Half of the distance cannot overflow before it is divided.
    let half = half_distance(&real, &synthetic);
    let (scale, name) = scale(&real);
    let scaled = match scale > 0.0 {
        true => Ok(half / scale),
        false => Err(Gap::undefined("the real column is constant, so it has no scale")),
    };
    let finite = |value: f64| match value.is_finite() {
        true => Ok(value),
        false => Err(Gap::undefined("the distance is larger than any number")),
    };
    vec![reading(scaled.and_then(finite)).note(name), reading(finite(2.0 * half))]
}

/// Half of the scale, and what it is if not the interquartile range.
fn scale(real: &[f64]) -> (f64, Option<String>) {
    let quartile = |share| quantile_of_sorted(real, share) / 2.0;
    let range = quartile(0.75) - quartile(0.25);
    if range > 0.0 {
        return (range, None);
    }
    let halves: Vec<f64> = real.iter().map(|cell| cell / 2.0).collect();
    let sd = if real[0] < real[real.len() - 1] { mean_and_sd(&halves).1 } else { 0.0 };
    (sd, Some("scaled by the standard deviation: the interquartile range is 0".into()))
}

/// Half of the distance between two samples, both ascending and not empty.
pub(crate) fn half_distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    let mut at = a[0].min(b[0]);
    while i < a.len() || j < b.len() {
        let next = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) => x.min(*y),
            (Some(x), None) => *x,
            (None, Some(y)) => *y,
            (None, None) => at,
        };
        let apart = (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs();
        sum += apart * (next / 2.0 - at / 2.0);
        at = next;
        while i < a.len() && a[i] <= at {
            i += 1;
        }
        while j < b.len() && b[j] <= at {
            j += 1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let value = |real: &[f64], synthetic: &[f64]| both(real, synthetic)[1].ok();
        assert_eq!(value(&[0.0, 1.0], &[5.0, 6.0]), Some(5.0));
        assert_eq!(value(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), Some(5.0));
        assert_eq!(value(&[0.0], &[0.0, 1.0]), Some(0.5));
        let scaled = |real: &[f64], synthetic: &[f64]| both(real, synthetic)[0].ok();
        assert_eq!(scaled(&[0.0, 1.0, 2.0, 3.0, 4.0], &[2.0; 5]), Some(0.6));
        assert_eq!(scaled(&[3.0; 4], &[4.0]), None);
        // The quartiles are equal, the cells are not.
        assert!(scaled(&[0.0, 0.0, 0.0, 0.0, 5.0], &[2.0]).unwrap() > 0.5);
    }
}
