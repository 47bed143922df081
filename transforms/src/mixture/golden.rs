//! From scikit-learn's parameters: the posterior that they stand for has the same likelihood here,
//! and where scikit-learn had converged a further step of ours stays near them.

use super::*;
use crate::golden::{GoldenColumn, columns, numbers};

/// The values of a column as the fit sees them, and its unit.
struct Standard {
    values: Vec<f64>,
    weights: Vec<f64>,
    mean: f64,
    scale: f64,
}

impl Standard {
    fn of(column: &GoldenColumn) -> Self {
        let (mut values, weights) = distinct(&column.values);
        let rows: f64 = weights.iter().sum();
        let mean = dot(&values, &weights) / rows;
        values.iter_mut().for_each(|value| *value -= mean);
        let scatter: f64 = values.iter().zip(&weights).map(|(x, w)| w * x * x).sum();
        let scale = (scatter / (rows - 1.0)).sqrt();
        values.iter_mut().for_each(|value| *value /= scale);
        Self { values, weights, mean, scale }
    }

    /// The posterior that scikit-learn's parameters belong to.
    fn fit(&self, expected: &serde_json::Value) -> Fit<'_> {
        let counts = counts(&numbers(&expected["weights"]), self.weights.iter().sum());
        let mut fit = Fit::new(&self.values, &self.weights, counts.len());
        let mut after: f64 = counts.iter().sum();
        let (means, variances) = (numbers(&expected["means"]), numbers(&expected["variances"]));
        for (k, count) in counts.into_iter().enumerate() {
            after -= count;
            fit.beta_a[k] = 1.0 + count;
            fit.beta_b[k] = CONCENTRATION + after.max(0.0);
            fit.precision[k] = 1.0 + count;
            fit.freedom[k] = 1.0 + count;
            fit.mean[k] = (means[k] - self.mean) / self.scale;
            fit.variance[k] = variances[k] / self.scale / self.scale;
        }
        fit
    }
}

/// How many values belong to each component, from the expected weights: `weight = left * a / (a + b)`
/// with `a = 1 + count`, `b = concentration + later counts`, all divided by their sum.
fn counts(weights: &[f64], rows: f64) -> Vec<f64> {
    let mut sum = 1.0;
    for _ in 0..20 {
        let stick = sticks(weights, rows, sum);
        sum = 1.0 - stick.iter().map(|(_, left)| left).next_back().unwrap();
    }
    sticks(weights, rows, sum).into_iter().map(|(count, _)| count).collect()
}

/// The count of each component, and what is left of the stick after it.
fn sticks(weights: &[f64], rows: f64, sum: f64) -> Vec<(f64, f64)> {
    let (mut left, mut later) = (1.0, rows);
    let stick = |weight: &f64| {
        let share = weight * sum / left;
        let count = (share * (1.0 + CONCENTRATION + later) - 1.0).max(0.0);
        later = (later - count).max(0.0);
        left *= (CONCENTRATION + later) / (1.0 + count + CONCENTRATION + later);
        (count, left)
    };
    weights.iter().map(stick).collect()
}

#[test]
fn the_likelihood_of_scikit_learns_parameters_is_the_same() {
    for column in columns() {
        let standard = Standard::of(&column);
        let fit = standard.fit(&column.expected["variational"]);
        let mixture = fit.finish(standard.mean, standard.scale, 1.0);
        let ours = mixture.mean_log_likelihood(&column.values);
        let there = column.expected["mean_log_likelihood"].as_f64().unwrap();
        let name = &column.name;
        assert!((ours - there).abs() < 1e-9, "{name}: {ours}, scikit-learn's {there}");
        let weights = numbers(&column.expected["variational"]["weights"]);
        for (ours, there) in mixture.weights.iter().zip(weights) {
            assert!((ours - there).abs() < 1e-9, "{name}: {ours}, scikit-learn's {there}");
        }
    }
}

#[test]
fn a_step_from_where_scikit_learn_converged_stays_there() {
    let mut converged = 0;
    for column in columns() {
        let expected = &column.expected["variational"];
        if expected["converged"] != true {
            continue;
        }
        converged += 1;
        let standard = Standard::of(&column);
        let mut fit = standard.fit(expected);
        let before = (fit.mean.clone(), fit.variance.clone(), fit.beta_a.clone());
        fit.expect();
        fit.maximise();
        for k in 0..fit.mean.len() {
            let away = (fit.mean[k] - before.0[k]).abs() / before.1[k].sqrt();
            let wider = (fit.variance[k] / before.1[k] - 1.0).abs();
            let rows = (fit.beta_a[k] - before.2[k]).abs();
            let name = &column.name;
            assert!(away < 0.005 && wider < 0.005 && rows < 0.5, "{name}: component {k}");
        }
    }
    assert_eq!(converged, 3, "three modes, integers, zeros");
}
