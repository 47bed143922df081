//! The number of threads changes no bit, on tables that every search and every learner cuts into many
//! parts.

use crate::{
    common::quick,
    people::{people, planted},
};
use eval::{Comparison, METRICS, Metric, evaluate_with};
use meg_core::{Seed, Silent};

/// Rows of each table for what is quick, and for what trains for long.
const MANY: usize = 2_000;
const FEW: usize = 200;

#[test]
fn one_two_and_five_threads_give_the_same_bits() {
    let quick = quick();
    // Positions are forty times the scores that they are of.
    let is_quick = |metric: &&dyn Metric| {
        let name = metric.name();
        quick.iter().any(|own| own.name() == name) && !name.starts_with("position")
    };
    let (many, few): (Vec<&dyn Metric>, Vec<&dyn Metric>) =
        METRICS.iter().copied().partition(is_quick);
    for (metrics, rows) in [(many, MANY), (few, FEW)] {
        let (train, holdout) = (people(rows, "train"), people(rows, "holdout"));
        let synthetic = planted(&train, &people(rows, "fresh"), rows / 20);
        let run = |threads| {
            let comparison = Comparison {
                train: &train,
                holdout: Some(&holdout),
                synthetic: &synthetic,
                truth: None,
                seed: Seed(1),
                threads,
            };
            evaluate_with(&metrics, &comparison, &mut Silent).unwrap()
        };
        let one = run(1);
        for threads in [2, 5] {
            for (alone, shared) in one.iter().zip(run(threads)) {
                // The text of a double tells all its bits.
                assert_eq!(format!("{alone:?}"), format!("{shared:?}"), "{threads} threads");
            }
        }
    }
}
