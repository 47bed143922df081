//! A normal mixture with diagonal covariances, fitted by expectation and maximisation.

use super::{Points, kmeans};
use crate::{parallel, score::Gap};
use meg_core::{Rng, Seed};
use std::f64::consts::TAU;

/// Added to each variance, so that no component shrinks to a point.
const LEAST_VARIANCE: f64 = 1e-6;
/// A fit has come to rest when the mean log-likelihood of a row rises by less.
const TOLERANCE: f64 = 1e-3;
const MOST_ROUNDS: usize = 100;
/// One start may leave two modes to one component; of the fits from this many starts the one of
/// the highest likelihood is kept.
const STARTS: usize = 4;

/// Normal distributions in several dimensions, without correlation within each.
#[derive(Debug, Clone)]
pub(super) struct Mixture {
    components: Vec<Component>,
}

#[derive(Debug, Clone)]
struct Component {
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// Logarithm of weight over normalising constant.
    log_scale: f64,
}

impl Mixture {
    /// The best of several fits, each from its own k-means start. Constants as in scikit-learn's
    /// `GaussianMixture(covariance_type="diag")`, which makes one start only.
    pub(super) fn fit(points: &Points, k: usize, seed: Seed, threads: usize) -> Result<Self, Gap> {
        if points.len() < k {
            let rows = points.len();
            return Err(Gap::undefined(format!("{rows} rows are too few to fit {k} components")));
        }
        let fits = parallel::map(threads, STARTS, |start| {
            Self::from_one_start(points, k, &mut seed.stream(&format!("mixture start {start}")))
        });
        let sound = fits.into_iter().filter(|(likelihood, _)| likelihood.is_finite());
        sound
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, mixture)| mixture)
            .ok_or_else(|| Gap::undefined("the numbers are too large to fit a mixture"))
    }

    fn from_one_start(points: &Points, k: usize, rng: &mut Rng) -> (f64, Self) {
        let clusters = kmeans::clusters(points, k, rng);
        let mut shares = vec![0.0; points.len() * k];
        for (shares, &cluster) in shares.chunks_exact_mut(k).zip(&clusters) {
            shares[cluster] = 1.0;
        }
        let mut mixture = Self::of_shares(points, k, &shares);
        let mut likelihood = f64::NEG_INFINITY;
        for _ in 0..MOST_ROUNDS {
            let next = mixture.expect(points, &mut shares);
            mixture = Self::of_shares(points, k, &shares);
            let risen = next - likelihood;
            likelihood = next;
            if risen.is_nan() || risen.abs() < TOLERANCE {
                break;
            }
        }
        (likelihood, mixture)
    }

    /// The shares of the components in each point; returns the mean log-likelihood.
    fn expect(&self, points: &Points, shares: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for (point, shares) in points.rows().zip(shares.chunks_exact_mut(self.components.len())) {
            for (share, component) in shares.iter_mut().zip(&self.components) {
                *share = component.log_density(point);
            }
            let whole = log_sum(shares);
            shares.iter_mut().for_each(|share| *share = (*share - whole).exp());
            total += whole;
        }
        total / points.len() as f64
    }

    /// The mixture of highest likelihood for these shares.
    fn of_shares(points: &Points, k: usize, shares: &[f64]) -> Self {
        let component = |at: usize| {
            let shares = || shares[at..].iter().step_by(k);
            // A component that lost all its points keeps a crumb, so that nothing divides by zero.
            let rows = shares().sum::<f64>() + 10.0 * f64::EPSILON;
            let moment = |value: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
                let mut sums = vec![0.0; points.width];
                for (point, share) in points.rows().zip(shares()) {
                    for (at, (sum, &x)) in sums.iter_mut().zip(point).enumerate() {
                        *sum += share * value(at, x);
                    }
                }
                sums.into_iter().map(|sum| sum / rows).collect()
            };
            let mean = moment(&|_, x| x);
            let mut variance = moment(&|at, x| (x - mean[at]).powi(2));
            variance.iter_mut().for_each(|variance| *variance += LEAST_VARIANCE);
            Component::new((rows / points.len() as f64).ln(), mean, variance)
        };
        Self { components: (0..k).map(component).collect() }
    }

    /// Natural logarithm of the density at each point.
    pub(super) fn log_density(&self, points: &Points) -> Vec<f64> {
        let mut terms = vec![0.0; self.components.len()];
        let density = |point: &[f64]| {
            for (term, component) in terms.iter_mut().zip(&self.components) {
                *term = component.log_density(point);
            }
            log_sum(&terms)
        };
        points.rows().map(density).collect()
    }
}

impl Component {
    fn new(log_weight: f64, mean: Vec<f64>, variance: Vec<f64>) -> Self {
        let constants: f64 = variance.iter().map(|variance| (TAU * variance).ln()).sum();
        Self { log_scale: log_weight - constants / 2.0, mean, variance }
    }

    /// Logarithm of weight times density.
    fn log_density(&self, point: &[f64]) -> f64 {
        let parts = point.iter().zip(&self.mean).zip(&self.variance);
        let squares: f64 = parts.map(|((x, mean), variance)| (x - mean).powi(2) / variance).sum();
        self.log_scale - squares / 2.0
    }
}

/// Logarithm of the sum of the exponentials; the largest is taken out, so that none is too small.
fn log_sum(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden() -> Points {
        let text = include_str!("../../tests/golden/mixture.csv");
        let cells = text.lines().skip(1).flat_map(|line| line.split(','));
        Points { width: 2, values: cells.map(|cell| cell.parse().unwrap()).collect() }
    }

    fn fit(points: &Points, k: usize, seed: u64) -> Mixture {
        Mixture::fit(points, k, Seed(seed), 2).unwrap()
    }

    fn likelihood(mixture: &Mixture, points: &Points) -> f64 {
        super::super::mean(&mixture.log_density(points)).unwrap()
    }

    #[test]
    fn as_likely_as_the_fits_of_scikit_learn() {
        let golden_values: Value =
            serde_json::from_str(include_str!("../../tests/golden/expected.json")).unwrap();
        let points = golden();
        for (k, want) in golden_values["mixture"].as_object().unwrap() {
            let (k, want) = (k.parse().unwrap(), want.as_f64().unwrap());
            for seed in 0..5 {
                let got = likelihood(&fit(&points, k, seed), &points);
                assert!(got > want - 0.01, "{k} components, seed {seed}: {got}, expected {want}");
            }
        }
    }

    #[test]
    fn a_known_mixture_is_recovered() {
        let mixture = fit(&golden(), 4, 1);
        // Weight, means and standard deviations that the rows were drawn from.
        for (weight, mean, deviation) in [
            (0.4, [0.0, 0.0], [0.5, 1.0]),
            (0.3, [4.0, 1.0], [1.0, 0.3]),
            (0.2, [-3.0, 4.0], [0.4, 0.4]),
            (0.1, [2.0, -5.0], [0.2, 0.8]),
        ] {
            let off = |component: &Component| {
                let means = component.mean.iter().zip(&mean).map(|(a, b)| (a - b).abs());
                means.fold(0.0, f64::max)
            };
            let nearest =
                mixture.components.iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap();
            assert!(off(nearest) < 0.2, "{nearest:?}");
            // The density at the mean gives the weight away.
            let constant: f64 = nearest.variance.iter().map(|v| (TAU * v).sqrt()).product();
            let found = nearest.log_scale.exp() * constant;
            assert!((found - weight).abs() < 0.05, "{nearest:?}");
            for (variance, deviation) in nearest.variance.iter().zip(deviation) {
                assert!((variance.sqrt() / deviation - 1.0f64).abs() < 0.2, "{nearest:?}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let points = golden();
        let fit = |threads| {
            let mixture = Mixture::fit(&points, 6, Seed(3), threads).unwrap();
            mixture.log_density(&points)
        };
        assert_eq!(fit(1), fit(3));
    }

    #[test]
    fn equal_and_huge_points_end_in_a_value_or_a_reason() {
        let equal = Points { width: 2, values: vec![1.0; 60] };
        assert!(likelihood(&fit(&equal, 5, 1), &equal).is_finite());
        let values = (0..60).map(|at| f64::from(at % 7) * 1e200).collect();
        assert!(Mixture::fit(&Points { width: 2, values }, 3, Seed(1), 1).is_err());
        let few = Points { width: 2, values: vec![1.0; 4] };
        assert!(Mixture::fit(&few, 3, Seed(1), 1).unwrap_err().reason.contains("too few"));
    }
}
