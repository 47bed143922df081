use crate::kmeans;
use crate::quantiles::sorted;
use meg_core::Rng;
use serde::{Deserialize, Serialize};

/// A one-dimensional Gaussian mixture of highest likelihood, fitted by expectation maximisation
/// from k-means: TGAN's, with 5 components (Xu and Veeramachaneni 2018, section 3.3).
///
/// The model of scikit-learn's `GaussianMixture`, with these differences. The fit runs on distinct
/// values with their counts as weights, which gives the same sums. It starts four times and keeps
/// the likeliest. It stops when the mean log-likelihood gains less than 1e-5 (there 1e-3), or after
/// 200 rounds (there 100). What is added to every variance is 1e-6 in the column's unit as there,
/// but never more than 1e-6 of the column's variance, so that a column of thousandths is not blurred.
///
/// Why not the mixture of linfa-clustering 0.8: it takes no weights, so a million rows cost what a
/// million different values cost; it sums exponentials without taking out the largest, so that far
/// values have density 0; it fails on columns with few different values ("Cluster #n has no more
/// point"), as counts and zero-inflated amounts are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmMixture {
    /// Weight of each component; they sum to 1.
    pub weights: Vec<f64>,
    /// Mean of each component, in the column's unit.
    pub means: Vec<f64>,
    /// Standard deviation of each component, in the column's unit.
    pub deviations: Vec<f64>,
}

const STARTS: usize = 4;
const ITERATIONS: usize = 200;
const TOLERANCE: f64 = 1e-5;
/// Added to every variance in the column's unit, and relative to the column's variance at most.
const REGULARISATION: f64 = 1e-6;
/// What is added is at least this, relative to the column's variance: rounding stays below it.
const LEAST: f64 = 1e-20;

impl EmMixture {
    /// Fits at most `components` components (as many as there are distinct values) to finite
    /// values. At least two of them must differ.
    ///
    /// # Panics
    /// When `values` is empty or constant: there is no mixture to find, ask first.
    pub fn fit(values: &[f64], components: usize, rng: &mut Rng) -> Self {
        let column = Standardised::new(values);
        let count = components.clamp(1, column.values.len());
        let fits = (0..STARTS).map(|_| {
            let labels = kmeans::clusters(&column.values, &column.weights, count, rng);
            column.fit(&labels, count)
        });
        let best =
            fits.reduce(|best, fit| if fit.likelihood > best.likelihood { fit } else { best });
        best.expect("there is a start").in_unit_of(&column)
    }

    /// Number of components.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is no component; never true after a fit.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The posterior probability of each component for one value, into `out`; they sum to 1.
    pub fn responsibilities(&self, value: f64, out: &mut [f64]) {
        let highest = self.log_terms(value, out);
        let mut sum = 0.0;
        for term in &mut *out {
            *term = (*term - highest).exp();
            sum += *term;
        }
        out.iter_mut().for_each(|term| *term /= sum);
    }

    /// Mean log density of the values, in nats (scikit-learn's `score`).
    pub fn mean_log_likelihood(&self, values: &[f64]) -> f64 {
        let mut terms = vec![0.0; self.len()];
        let density = |&value: &f64| {
            let highest = self.log_terms(value, &mut terms);
            highest + terms.iter().map(|term| (term - highest).exp()).sum::<f64>().ln()
        };
        values.iter().map(density).sum::<f64>() / values.len() as f64
    }

    fn log_terms(&self, value: f64, out: &mut [f64]) -> f64 {
        for (k, term) in out.iter_mut().enumerate() {
            // Halves: the distance between two legal numbers may be too large for a double.
            let z = (0.5 * value - 0.5 * self.means[k]) / (0.5 * self.deviations[k]);
            *term = log_density(self.weights[k], self.deviations[k], z.clamp(-1e150, 1e150));
        }
        out.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether parameters read from a file can be used.
    pub(crate) fn is_sound(&self) -> bool {
        let all = [&self.weights, &self.means, &self.deviations];
        !self.is_empty()
            && all.iter().all(|part| part.len() == self.len() && part.iter().all(|x| x.is_finite()))
            && self.deviations.iter().all(|&deviation| deviation > 0.0)
            && self.weights.iter().all(|&weight| weight >= 0.0)
            && self.weights.iter().any(|&weight| weight > 0.0)
    }
}

fn log_density(weight: f64, deviation: f64, z: f64) -> f64 {
    weight.ln() - 0.5 * std::f64::consts::TAU.ln() - deviation.ln() - 0.5 * z * z
}

/// Distinct values of a column with mean 0 and variance 1, and their counts.
struct Standardised {
    values: Vec<f64>,
    weights: Vec<f64>,
    rows: f64,
    largest: f64,
    mean: f64,
    scale: f64,
    regularisation: f64,
}

impl Standardised {
    fn new(values: &[f64]) -> Self {
        let (mut distinct, mut weights): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for value in sorted(values.to_vec()) {
            if distinct.last() == Some(&value) {
                *weights.last_mut().expect("as many weights as values") += 1.0;
            } else {
                distinct.push(value);
                weights.push(1.0);
            }
        }
        assert!(distinct.len() > 1, "a mixture needs two different values");
        let rows = values.len() as f64;
        let sum = |f: &dyn Fn(f64) -> f64, values: &[f64]| -> f64 {
            values.iter().zip(&weights).map(|(&x, w)| w * f(x)).sum()
        };
        // Into [-1, 1] first: squares of extreme but legal numbers would overflow or vanish.
        let largest = distinct.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        distinct.iter_mut().for_each(|value| *value /= largest);
        let mean = sum(&|x| x, &distinct) / rows;
        let scale = (sum(&|x| (x - mean) * (x - mean), &distinct) / rows).sqrt();
        distinct.iter_mut().for_each(|value| *value = (*value - mean) / scale);
        // Beyond a legal double on either side the clamp decides, and the product must not be 0/0.
        let unit = scale * largest;
        let regularisation = (REGULARISATION / unit / unit).clamp(LEAST, REGULARISATION);
        Self { values: distinct, weights, rows, largest, mean, scale, regularisation }
    }

    fn fit(&self, labels: &[usize], components: usize) -> Fit {
        let mut fit = Fit::start(self, labels, components);
        for _ in 0..ITERATIONS {
            let before = fit.likelihood;
            fit.round(self);
            if fit.likelihood - before < TOLERANCE {
                break;
            }
        }
        fit
    }
}

struct Fit {
    weights: Vec<f64>,
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// Mean log density under the parameters before the last round, up to the unit.
    likelihood: f64,
}

impl Fit {
    fn start(column: &Standardised, labels: &[usize], components: usize) -> Self {
        let mut moments = vec![[0.0; 3]; components];
        let cells = || column.values.iter().zip(&column.weights).zip(labels);
        for ((&value, &weight), &k) in cells() {
            moments[k][0] += weight;
            moments[k][1] += weight * value;
        }
        let means: Vec<f64> =
            moments.iter().map(|m| if m[0] > 0.0 { m[1] / m[0] } else { 0.0 }).collect();
        for ((&value, &weight), &k) in cells() {
            moments[k][2] += weight * (value - means[k]) * (value - means[k]);
        }
        let deviation = |m: &[f64; 3]| (m[2] / m[0].max(1.0) + column.regularisation).sqrt();
        Self {
            weights: moments.iter().map(|m| m[0] / column.rows).collect(),
            deviations: moments.iter().map(deviation).collect(),
            means,
            likelihood: f64::NEG_INFINITY,
        }
    }

    /// One E and M step. Moments are taken about the old means, so that a narrow component far
    /// from 0 loses no digits.
    fn round(&mut self, column: &Standardised) {
        let components = self.means.len();
        let mut moments = vec![[0.0; 3]; components];
        let mut terms = vec![0.0; components];
        let offsets: Vec<f64> = (0..components)
            .map(|k| log_density(self.weights[k], self.deviations[k], 0.0))
            .collect();
        let narrowness: Vec<f64> = self.deviations.iter().map(|d| 1.0 / d).collect();
        let mut likelihood = 0.0;
        for (&value, &weight) in column.values.iter().zip(&column.weights) {
            for (k, term) in terms.iter_mut().enumerate() {
                let z = (value - self.means[k]) * narrowness[k];
                *term = offsets[k] - 0.5 * z * z;
            }
            let highest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            terms.iter_mut().for_each(|term| *term = (*term - highest).exp());
            let sum: f64 = terms.iter().sum();
            likelihood += weight * (highest + sum.ln());
            for (k, term) in terms.iter().enumerate() {
                let (share, away) = (weight * term / sum, value - self.means[k]);
                moments[k][0] += share;
                moments[k][1] += share * away;
                moments[k][2] += share * away * away;
            }
        }
        self.likelihood = likelihood / column.rows;
        for (k, [count, first, second]) in moments.into_iter().enumerate() {
            // A component that no value belongs to keeps its place and stays without weight.
            self.weights[k] = count / column.rows;
            if count > 1e-10 {
                let shift = first / count;
                self.means[k] += shift;
                let variance = (second / count - shift * shift).max(0.0);
                self.deviations[k] = (variance + column.regularisation).sqrt();
            }
        }
    }

    /// Back to the column's unit, without components of no weight.
    fn in_unit_of(&self, column: &Standardised) -> EmMixture {
        let kept = || (0..self.means.len()).filter(|&k| self.weights[k] > 0.0);
        let total: f64 = kept().map(|k| self.weights[k]).sum();
        let mean = |k: usize| (column.mean + column.scale * self.means[k]) * column.largest;
        // A column of the smallest doubles there are would have deviations of 0, and one that spans
        // all doubles infinite ones.
        let deviation = |k: usize| {
            let deviation = self.deviations[k] * column.scale * column.largest;
            deviation.clamp(f64::MIN_POSITIVE, f64::MAX)
        };
        EmMixture {
            weights: kept().map(|k| self.weights[k] / total).collect(),
            means: kept().map(mean).collect(),
            deviations: kept().map(deviation).collect(),
        }
    }
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    #[test]
    fn a_known_mixture_is_found() {
        let mut rng = Seed(5).stream("values");
        let normal = |rng: &mut Rng| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let values: Vec<f64> = (0..6_000)
            .map(|row| match row % 4 {
                0 => -8.0 + 0.5 * normal(&mut rng),
                1 => 3.0 + normal(&mut rng),
                _ => 12.0 + 2.0 * normal(&mut rng),
            })
            .collect();
        let mixture = EmMixture::fit(&values, 3, &mut rng);
        let mut order: Vec<usize> = (0..3).collect();
        order.sort_by(|&a, &b| mixture.means[a].total_cmp(&mixture.means[b]));
        let expected = [(0.25, -8.0, 0.5), (0.25, 3.0, 1.0), (0.5, 12.0, 2.0)];
        for (k, (weight, mean, deviation)) in order.into_iter().zip(expected) {
            assert!((mixture.weights[k] - weight).abs() < 0.02, "{mixture:?}");
            assert!((mixture.means[k] - mean).abs() < 0.15, "{mixture:?}");
            assert!((mixture.deviations[k] - deviation).abs() < 0.15, "{mixture:?}");
        }
    }

    #[test]
    fn extreme_units_and_few_values_leave_finite_parameters() {
        for values in [
            vec![1.0, 2.0],
            vec![-1.7e308, 1.7e308, 0.0],
            vec![5e-324, 0.0, 1e-310],
            [vec![1.0; 500], vec![1e9]].concat(),
        ] {
            let mixture = EmMixture::fit(&values, 5, &mut Seed(1).stream("m"));
            assert!(mixture.is_sound(), "{values:?}: {mixture:?}");
            let mut shares = vec![0.0; mixture.len()];
            for value in values {
                mixture.responsibilities(value, &mut shares);
                assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{value}: {mixture:?}");
            }
        }
    }
}
