//! From scikit-learn's parameters: their likelihood is the same here, and a further step of ours stays
//! where they are.

use super::*;
use crate::golden::{columns, numbers};

fn theirs(expected: &serde_json::Value) -> EmMixture {
    EmMixture {
        weights: numbers(&expected["weights"]),
        means: numbers(&expected["means"]),
        deviations: numbers(&expected["variances"]).into_iter().map(f64::sqrt).collect(),
    }
}

#[test]
fn the_likelihood_of_scikit_learns_parameters_is_the_same() {
    for column in columns() {
        let expected = &column.expected["em"];
        let ours = theirs(expected).mean_log_likelihood(&column.values);
        let there = expected["mean_log_likelihood"].as_f64().unwrap();
        assert!((ours - there).abs() < 1e-9 * there.abs(), "{}: {ours} and {there}", column.name);
    }
}

#[test]
fn a_step_from_scikit_learns_parameters_stays_near_them() {
    for column in columns() {
        let mixture = theirs(&column.expected["em"]);
        let standard = Standardised::new(&column.values);
        let unit = standard.scale * standard.largest;
        let mut fit = Fit {
            weights: mixture.weights.clone(),
            means: mixture
                .means
                .iter()
                .map(|mean| (mean / standard.largest - standard.mean) / standard.scale)
                .collect(),
            deviations: mixture.deviations.iter().map(|deviation| deviation / unit).collect(),
            likelihood: f64::NEG_INFINITY,
        };
        fit.round(&standard);
        let before = fit.likelihood - unit.ln();
        let there = column.expected["em"]["mean_log_likelihood"].as_f64().unwrap();
        assert!((before - there).abs() < 1e-9 * there.abs(), "{}", column.name);
        let moved = fit.in_unit_of(&standard);
        let name = &column.name;
        for k in 0..mixture.len() {
            let deviation = mixture.deviations[k];
            let away = (moved.means[k] - mixture.means[k]).abs() / deviation;
            let wider = (moved.deviations[k] / deviation - 1.0).abs();
            let heavier = (moved.weights[k] - mixture.weights[k]).abs();
            assert!(away < 0.05 && wider < 0.05 && heavier < 0.005, "{name}: component {k}");
        }
        // Steps go up: what scikit-learn stopped at is no more likely.
        let after = moved.mean_log_likelihood(&column.values);
        assert!(after > there - 1e-9 && after < there + 1e-3, "{name}: {there} and then {after}");
    }
}
