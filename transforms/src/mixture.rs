use crate::densities::{BLOCK, Components, Densities, Moments};
use crate::kmeans;
use meg_core::Rng;
use serde::{Deserialize, Serialize};
use statrs::function::beta::ln_beta;
use statrs::function::gamma::{digamma, ln_gamma};

/// A one-dimensional Gaussian mixture fitted by variational Bayes under a Dirichlet process, the
/// mode finder of CTGAN and TVAE (Xu et al. 2019, section 4.2).
///
/// Same model and same updates as scikit-learn's `BayesianGaussianMixture` with
/// `weight_concentration_prior_type="dirichlet_process"`, `weight_concentration_prior=0.001`,
/// started from k-means. Three differences. The fit runs on distinct values with their counts as
/// weights, which gives the same sums. There are never more components than distinct values, as
/// k-means has no more clusters to begin with. And the fit runs on the standardised column, so that the 1e-6
/// added to every variance is relative: scikit-learn adds it in the column's own unit, which
/// blurs a column whose values are thousandths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariationalMixture {
    /// Expected weight of each component; they sum to 1.
    pub weights: Vec<f64>,
    /// Mean of each component, in the column's unit.
    pub means: Vec<f64>,
    /// Standard deviation of each component, in the column's unit.
    pub deviations: Vec<f64>,
    /// Per component, the part of the expected log density that no value changes.
    offsets: Vec<f64>,
}

/// Concentration of the Dirichlet process: small, so that needless components lose their weight.
const CONCENTRATION: f64 = 0.001;
/// Added to every variance, relative to the column's variance.
const REGULARISATION: f64 = 1e-6;
/// The fit stops when the lower bound changes by less.
const TOLERANCE: f64 = 1e-3;
const ITERATIONS: usize = 100;

impl VariationalMixture {
    /// Fits at most `components` components to finite values. At least two of them must differ.
    ///
    /// # Panics
    /// When `values` is empty or constant: there is no mixture to find, ask first.
    pub fn fit(values: &[f64], components: usize, rng: &mut Rng) -> Self {
        let (mut distinct, weights) = distinct(values);
        assert!(distinct.len() > 1, "a mixture needs two different values");
        // Into [-1, 1] first: squares of extreme but legal numbers would overflow or vanish.
        let largest = distinct.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        distinct.iter_mut().for_each(|value| *value /= largest);
        let rows: f64 = weights.iter().sum();
        let mean = dot(&distinct, &weights) / rows;
        distinct.iter_mut().for_each(|value| *value -= mean);
        let scatter: f64 = distinct.iter().zip(&weights).map(|(x, w)| w * x * x).sum();
        let scale = (scatter / (rows - 1.0)).sqrt();
        distinct.iter_mut().for_each(|value| *value /= scale);

        let labels = kmeans::clusters(&distinct, &weights, components, rng);
        let count = components.min(distinct.len());
        let mut fit = Fit::new(&distinct, &weights, count);
        fit.start(&labels);
        fit.run();
        fit.finish(mean, scale, largest)
    }

    /// Number of components.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is no component; never true after a fit.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Whether parameters read from a file are as many as there are components, and finite.
    pub(crate) fn is_sound(&self) -> bool {
        let all = [&self.weights, &self.means, &self.deviations, &self.offsets];
        all.iter().all(|part| part.len() == self.len() && part.iter().all(|x| x.is_finite()))
            && self.deviations.iter().all(|&deviation| deviation > 0.0)
    }

    /// The posterior probability of each component for one value, into `out`; they sum to 1.
    pub fn responsibilities(&self, value: f64, out: &mut [f64]) {
        let mut densities = Densities::new(self.len());
        densities.fill(&[value], self.components());
        for (k, share) in out.iter_mut().enumerate() {
            *share = densities.relative(k, 0) / densities.sum(0);
        }
    }

    /// Mean expected log density of the values, in nats (scikit-learn's `score`).
    pub fn mean_log_likelihood(&self, values: &[f64]) -> f64 {
        let mut densities = Densities::new(self.len());
        let mut sum = 0.0;
        for block in values.chunks(BLOCK) {
            densities.fill(block, self.components());
            sum += (0..block.len()).map(|at| densities.log_density(at)).sum::<f64>();
        }
        sum / values.len() as f64
    }

    /// The components, for densities of many values.
    pub(crate) fn components(&self) -> Components<'_> {
        let Self { means, deviations, offsets, .. } = self;
        Components { offsets, means, deviations }
    }
}

fn distinct(values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (mut distinct, mut weights) = (Vec::new(), Vec::new());
    for value in sorted {
        if distinct.last() == Some(&value) {
            *weights.last_mut().expect("as many weights as values") += 1.0;
        } else {
            distinct.push(value);
            weights.push(1.0);
        }
    }
    (distinct, weights)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The variational posterior during the fit, on standardised values (mean 0, variance 1).
struct Fit<'a> {
    values: &'a [f64],
    weights: &'a [f64],
    /// Per component, the weighted sums of the values in their responsibilities.
    moments: Vec<Moments>,
    /// Minus the sum of all responsibilities times their logarithms.
    entropy: f64,
    densities: Densities,
    beta_a: Vec<f64>,
    beta_b: Vec<f64>,
    precision: Vec<f64>,
    mean: Vec<f64>,
    freedom: Vec<f64>,
    variance: Vec<f64>,
}

impl<'a> Fit<'a> {
    fn new(values: &'a [f64], weights: &'a [f64], components: usize) -> Self {
        let zeros = vec![0.0; components];
        Self {
            values,
            weights,
            moments: vec![Moments::default(); components],
            entropy: 0.0,
            densities: Densities::new(components),
            beta_a: zeros.clone(),
            beta_b: zeros.clone(),
            precision: zeros.clone(),
            mean: zeros.clone(),
            freedom: zeros.clone(),
            variance: zeros,
        }
    }

    fn start(&mut self, labels: &[usize]) {
        for ((&value, &weight), &k) in self.values.iter().zip(self.weights).zip(labels) {
            let moments = &mut self.moments[k];
            moments.count += weight;
            moments.sum += weight * value;
            moments.square += weight * value * value;
        }
    }

    fn run(&mut self) {
        let mut bound = f64::NEG_INFINITY;
        self.maximise();
        for _ in 0..ITERATIONS {
            self.expect();
            self.maximise();
            let next = self.lower_bound();
            if (next - bound).abs() < TOLERANCE {
                break;
            }
            bound = next;
        }
    }

    /// M step: the posterior of sticks, means and variances from the moments.
    fn maximise(&mut self) {
        let mut after: f64 = self.moments.iter().map(|moments| moments.count).sum();
        for (k, moments) in self.moments.iter().enumerate() {
            let count = moments.count + 10.0 * f64::EPSILON;
            let centre = moments.sum / count;
            let spread = (moments.square / count - centre * centre).max(0.0) + REGULARISATION;
            after -= moments.count;
            self.beta_a[k] = 1.0 + count;
            self.beta_b[k] = CONCENTRATION + after.max(0.0);
            self.precision[k] = 1.0 + count;
            self.mean[k] = count * centre / self.precision[k];
            self.freedom[k] = 1.0 + count;
            let scatter = 1.0 + count * spread + count / self.precision[k] * centre * centre;
            self.variance[k] = scatter / self.freedom[k];
        }
    }

    /// E step: responsibilities of every value, kept only as moments.
    fn expect(&mut self) {
        let offsets = self.offsets();
        let deviations: Vec<f64> = self.variance.iter().map(|variance| variance.sqrt()).collect();
        let components =
            Components { offsets: &offsets, means: &self.mean, deviations: &deviations };
        self.moments.fill(Moments::default());
        let mut log_density = 0.0;
        for (values, weights) in self.values.chunks(BLOCK).zip(self.weights.chunks(BLOCK)) {
            self.densities.fill(values, components);
            log_density += self.densities.add_moments(values, weights, &mut self.moments);
        }
        // A log responsibility is the log density under the component, which is a sum of moments,
        // less that under the mixture.
        self.entropy = log_density;
        for (k, Moments { count, sum, square }) in self.moments.iter().enumerate() {
            let mean = self.mean[k];
            let away = square - 2.0 * mean * sum + mean * mean * count;
            self.entropy -= offsets[k] * count - 0.5 * away / self.variance[k];
        }
    }

    /// Expected log weight plus the constants of the expected log density, per component.
    fn offsets(&self) -> Vec<f64> {
        let mut passed = 0.0;
        (0..self.mean.len())
            .map(|k| {
                let total = digamma(self.beta_a[k] + self.beta_b[k]);
                let log_weight = digamma(self.beta_a[k]) - total + passed;
                passed += digamma(self.beta_b[k]) - total;
                let freedom = self.freedom[k];
                let log_density = -0.5 * (std::f64::consts::TAU.ln() + self.variance[k].ln());
                let precision = std::f64::consts::LN_2 + digamma(0.5 * freedom);
                log_weight + log_density - 0.5 * freedom.ln()
                    + 0.5 * (precision - 1.0 / self.precision[k])
            })
            .collect()
    }

    fn lower_bound(&self) -> f64 {
        let parts: f64 = (0..self.mean.len())
            .map(|k| {
                let freedom = self.freedom[k];
                let wishart = -(freedom * (-0.5 * self.variance[k].ln() - 0.5 * freedom.ln())
                    + 0.5 * freedom * std::f64::consts::LN_2
                    + ln_gamma(0.5 * freedom));
                ln_beta(self.beta_a[k], self.beta_b[k]) - wishart - 0.5 * self.precision[k].ln()
            })
            .sum();
        self.entropy + parts
    }

    /// Back to the column's unit, which is `largest` times the unit of `mean` and `scale`.
    fn finish(self, mean: f64, scale: f64, largest: f64) -> VariationalMixture {
        let log_unit = scale.ln() + largest.ln();
        let offsets = self.offsets().iter().map(|offset| offset - log_unit).collect();
        // A column of the smallest doubles there are would have deviations of 0, and one that spans
        // all doubles infinite ones.
        let deviation = |v: &f64| (scale * v.sqrt() * largest).clamp(f64::MIN_POSITIVE, f64::MAX);
        let mut left = 1.0;
        let mut weights: Vec<f64> = (0..self.mean.len())
            .map(|k| {
                let total = self.beta_a[k] + self.beta_b[k];
                let weight = left * self.beta_a[k] / total;
                left *= self.beta_b[k] / total;
                weight
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        VariationalMixture {
            weights,
            means: self.mean.iter().map(|m| (mean + scale * m) * largest).collect(),
            deviations: self.variance.iter().map(deviation).collect(),
            offsets,
        }
    }
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    fn fit(values: &[f64]) -> VariationalMixture {
        VariationalMixture::fit(values, 10, &mut Seed(1).stream("mixture"))
    }

    fn three_modes() -> Vec<f64> {
        // Equally spaced quantiles stand in for three narrow bells.
        (0..1_500).map(|i| f64::from(i % 3) * 4.0 + f64::from((i / 3) % 50) * 0.01).collect()
    }

    #[test]
    fn the_mass_lies_on_the_modes() {
        let values = three_modes();
        let mixture = fit(&values);
        for centre in [0.245, 4.245, 8.245] {
            let mass: f64 = (0..mixture.len())
                .filter(|&k| (mixture.means[k] - centre).abs() < 0.5)
                .map(|k| mixture.weights[k])
                .sum();
            assert!((mass - 1.0 / 3.0).abs() < 0.01, "mass {mass} at {centre}");
        }
    }

    #[test]
    fn shift_and_scale_change_nothing_but_the_unit() {
        let values = three_modes();
        let moved: Vec<f64> = values.iter().map(|x| 1e9 + 1e-3 * x).collect();
        let (plain, moved_fit) = (fit(&values), fit(&moved));
        let shift = moved_fit.mean_log_likelihood(&moved) - plain.mean_log_likelihood(&values);
        assert!((shift + (1e-3f64).ln()).abs() < 1e-3, "{shift}");
    }

    #[test]
    fn repeated_values_become_counts_whatever_their_order() {
        let (values, weights) = distinct(&[2.0, 1.0, 2.0, 3.0, 2.0]);
        assert_eq!((values, weights), (vec![1.0, 2.0, 3.0], vec![1.0, 3.0, 1.0]));
        let mut reversed = three_modes();
        reversed.reverse();
        assert_eq!(fit(&three_modes()), fit(&reversed));
    }

    #[test]
    fn extreme_units_change_nothing() {
        let values = three_modes();
        for unit in [1e200, 1e-200] {
            let moved: Vec<f64> = values.iter().map(|x| unit * x).collect();
            let shift =
                fit(&moved).mean_log_likelihood(&moved) - fit(&values).mean_log_likelihood(&values);
            assert!((shift + unit.ln()).abs() < 1e-3, "{shift} in units of {unit}");
        }
    }

    #[test]
    fn two_values_and_extreme_outliers_are_survived() {
        let two = fit(&[1.0, 2.0]);
        assert_eq!(two.len(), 2);
        let mut values = three_modes();
        values.push(1e6);
        let mixture = fit(&values);
        assert!(mixture.means.iter().chain(&mixture.deviations).all(|x| x.is_finite()));
        let mut shares = vec![0.0; mixture.len()];
        mixture.responsibilities(1e6, &mut shares);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
