//! The variational mixture against scikit-learn's on seven simulated columns (versions in
//! `golden/mixtures.json`). Parameters depend on the start, so the mean log-likelihood decides; that
//! scikit-learn's parameters mean the same here, and that a step from them stays there, is tested
//! beside each mixture (`src/mixture/golden.rs`, `src/mixtures/em/golden.rs`).

use meg_core::Seed;
use serde_json::Value;
use transforms::VariationalMixture;

#[test]
fn log_likelihood_is_at_most_a_hundredth_below_scikit_learns() {
    let expected: Value = serde_json::from_str(include_str!("golden/mixtures.json")).unwrap();
    let mut lines = include_str!("golden/columns.csv").lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    for (at, name) in names.iter().enumerate() {
        let values: Vec<f64> = rows.iter().map(|row| row[at]).collect();
        let mixture = VariationalMixture::fit(&values, 10, &mut Seed(1).stream("golden"));
        let ours = mixture.mean_log_likelihood(&values);
        let theirs = expected[name]["mean_log_likelihood"].as_f64().unwrap();
        assert!(ours >= theirs - 0.01, "{name}: ours {ours}, scikit-learn's {theirs}");
    }
}
