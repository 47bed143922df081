//! Predictive utility: the mean over learners inside each cell, and only then over seeds, so that the
//! spread is that of the number shown.

use super::Spread;
use crate::record::Record;
use std::collections::BTreeMap;

const SYNTHETIC: &str = "tstr_";
const REAL: &str = "trtr_";

/// Scores of any learner; `macro_f1` is one word.
const SCORES: [&str; 5] = ["auc", "f1", "macro_f1", "accuracy", "r2"];

/// Whether a score of this name is one learner's part of a column of utility.
pub(crate) fn learners(name: &str, score: &str) -> bool {
    is_of(name, SYNTHETIC, score) || is_of(name, REAL, score)
}

/// The mean over learners in one cell of synthetic rows.
pub(crate) fn of_cell(record: &Record, score: &str) -> Option<f64> {
    over_learners(record, SYNTHETIC, score, |score| score.value)
}

/// The scores that at least one cell has, by name.
pub(super) fn spreads(ok: &[&Record]) -> BTreeMap<String, Spread> {
    let named = |score: &str| Some((score.to_owned(), spread(ok, score)?));
    SCORES.into_iter().filter_map(named).collect()
}

fn spread(ok: &[&Record], score: &str) -> Option<Spread> {
    let over = |prefix, pick: fn(&eval::Score) -> Option<f64>| {
        let values: Vec<f64> =
            ok.iter().filter_map(|record| over_learners(record, prefix, score, pick)).collect();
        Spread::of(&values)
    };
    let real = over(REAL, |score| score.value).or_else(|| over(SYNTHETIC, |score| score.reference));
    let synthetic = over(SYNTHETIC, |score| score.value)?.within(range(ok, score));
    Some(Spread { reference: real.map(|spread| spread.mean), ..synthetic })
}

/// That of the learners' scores, which share one.
fn range(ok: &[&Record], score: &str) -> [Option<f64>; 2] {
    let mut all = ok.iter().flat_map(|record| &record.metrics);
    all.find(|own| is_of(&own.name, SYNTHETIC, score)).map_or([None, None], |own| own.range)
}

/// `None` when a learner has no value: a mean over fewer learners is another quantity.
fn over_learners(
    record: &Record,
    prefix: &str,
    score: &str,
    pick: fn(&eval::Score) -> Option<f64>,
) -> Option<f64> {
    let own = record.metrics.iter();
    let own = own.filter(|own| own.columns.is_empty() && is_of(&own.name, prefix, score));
    let values: Vec<f64> = own.map(pick).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn is_of(name: &str, prefix: &str, score: &str) -> bool {
    let learner = name
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(score))
        .and_then(|rest| rest.strip_suffix('_'));
    // `auc` must not catch `macro_auc`, nor `f1` the score `macro_f1`.
    learner.is_some_and(|learner| !learner.is_empty() && !learner.ends_with("macro"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{record, score};

    /// A cell with the AUC of a tree and of a second learner.
    fn cell(seed: u64, tree: f64, other: Option<f64>) -> Record {
        let mut record = record("toy", "m", seed);
        let mut second = score("tstr_logistic_auc", 0.0, None);
        second.value = other;
        record.metrics = vec![
            score("tstr_tree_auc", tree, Some(0.9)),
            second,
            score("trtr_tree_auc", 0.8, None),
            score("trtr_logistic_auc", 0.6, None),
        ];
        record
    }

    fn auc(cells: &[Record]) -> Option<Spread> {
        spreads(&cells.iter().collect::<Vec<_>>()).remove("auc")
    }

    #[test]
    fn the_spread_is_that_of_the_mean_over_learners() {
        // Each learner varies by 0.2, their mean does not vary at all.
        let spread = auc(&[cell(1, 0.5, Some(0.7)), cell(2, 0.7, Some(0.5))]).unwrap();
        assert!((spread.mean - 0.6).abs() < 1e-12 && spread.sd.unwrap() < 1e-12, "{spread:?}");
        assert!((spread.reference.unwrap() - 0.7).abs() < 1e-12, "{spread:?}");
        assert_eq!(spread.n, 2);
        let [low, high] = auc(&[cell(1, 0.9, Some(0.9)), cell(2, 1.0, Some(1.0))])
            .and_then(|spread| spread.interval)
            .unwrap();
        assert!(low < 0.9 && high == 1.0, "cut at the range: {high}");
    }

    #[test]
    fn a_cell_in_which_a_learner_has_no_value_has_none() {
        let spread = auc(&[cell(1, 0.5, Some(0.7)), cell(2, 0.7, None)]).unwrap();
        assert_eq!((spread.n, spread.sd), (1, None));
        assert!((spread.mean - 0.6).abs() < 1e-12);
        assert_eq!(auc(&[cell(1, 0.5, None)]), None);
    }

    #[test]
    fn names_are_taken_apart() {
        assert!(learners("tstr_tree_auc", "auc") && learners("trtr_tree_macro_f1", "macro_f1"));
        assert!(!learners("tstr_tree_macro_f1", "f1") && !learners("tstr_auc", "auc"));
        assert!(!learners("dcr_median", "auc"));
    }
}
