//! Tables of known merit come out in their known order.

use crate::common::{find, golden_scores, scores, table, uniform, value};
use eval::Score;
use meg_core::{Column, Table};

/// Checks that each name's values fall from table to table, by at least `step`.
fn falls(runs: &[(&str, Vec<Score>)], name: &str, order: &[&str], step: f64) {
    let of = |table: &str| {
        let run = runs.iter().find(|(run, _)| *run == table).expect("the table was scored");
        value(&run.1, name)
    };
    for pair in order.windows(2) {
        let (better, worse) = (of(pair[0]), of(pair[1]));
        assert!(better >= worse + step, "{name}: {} {better}, {} {worse}", pair[0], pair[1]);
    }
}

#[test]
fn known_tables_are_ranked() {
    let (train, holdout) = (table("train"), table("holdout"));
    let mut runs: Vec<(&str, Vec<Score>)> = ["copy", "fresh", "independent", "noisy"]
        .into_iter()
        .map(|name| (name, golden_scores(name)))
        .collect();
    runs.push(("uniform", scores(&train, Some(&holdout), &uniform(&train))));
    falls(&runs, "shape", &["copy", "fresh", "uniform"], 0.02);
    // Each column is right and nothing else is: `shape` cannot tell, the pairs that matter can.
    falls(&runs, "shape", &["copy", "independent"], 0.0);
    falls(&runs, "shape", &["independent", "copy"], 0.0);
    falls(&runs, "trend", &["copy", "fresh", "uniform"], 0.05);
    falls(&runs, "trend_dependent", &["copy", "fresh", "independent", "uniform"], 0.05);
    for learner in ["tree", "logistic"] {
        let auc = format!("tstr_{learner}_auc");
        falls(&runs, &auc, &["copy", "fresh", "independent"], 0.01);
        falls(&runs, &auc, &["copy", "uniform"], 0.02);
    }
    for name in ["dcr_median", "dcr_p05"] {
        falls(&runs, name, &["uniform", "independent", "fresh", "noisy", "copy"], 0.005);
    }
    for name in ["dcr_share", "tail_leak"] {
        falls(&runs, name, &["copy", "noisy", "fresh"], 0.05);
    }
    falls(&runs, "identical_match_share", &["copy", "fresh"], 1.0);
}

#[test]
fn references_are_what_fresh_rows_would_score() {
    let scores = golden_scores("fresh");
    for (name, tolerance) in [
        ("shape", 0.02),
        ("trend", 0.02),
        ("trend_dependent", 0.03),
        ("tstr_logistic_auc", 0.03),
        ("dcr_median", 0.01),
        ("dcr_share", 0.05),
        ("identical_match_share", 0.01),
        ("tail_leak", 0.02),
    ] {
        let score = find(&scores, name, &[]);
        let (value, reference) = (score.value.unwrap(), score.reference.unwrap());
        assert!((value - reference).abs() < tolerance, "{name}: {value}, reference {reference}");
    }
}

#[test]
fn a_reference_has_as_many_rows_as_the_synthetic_table() {
    let (train, holdout) = (table("train"), table("holdout"));
    let few = table("fresh").select_rows(&(0..50).collect::<Vec<_>>());
    let with_few = scores(&train, Some(&holdout), &few);
    let with_many = golden_scores("fresh");
    let reference = |scores: &[Score]| find(scores, "shape", &[]).reference.unwrap();
    assert!(reference(&with_few) < reference(&with_many) - 0.02);
}

#[test]
fn a_few_copied_rows_show_in_the_tail() {
    const COPIES: usize = 50;
    let (train, holdout, fresh) = (table("train"), table("holdout"), table("fresh"));
    let honest: Vec<usize> = (COPIES..fresh.rows()).collect();
    let copied: Vec<usize> = (0..COPIES).collect();
    let mixed = fresh.select_rows(&honest).concat(train.select_rows(&copied)).unwrap();
    let (before, after) = (golden_scores("fresh"), scores(&train, Some(&holdout), &mixed));
    let rise = |name: &str| value(&after, name) - value(&before, name);
    assert!(rise("tail_leak") > 0.04, "{}", rise("tail_leak"));
    assert!((rise("identical_match_share") - 0.05).abs() < 1e-12);
    assert!(value(&after, "nndr_p05") < 0.5 * value(&before, "nndr_p05"));
    // The mean share is all but blind to it.
    assert!(rise("dcr_share").abs() < 0.04, "{}", rise("dcr_share"));
}

#[test]
fn only_real_bins_see_a_column_that_moved() {
    let train = table("train");
    let age = train.schema().position("age").unwrap();
    let columns = train
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| match column {
            Column::Numbers(cells) if at == age => {
                Column::Numbers(cells.iter().map(|cell| cell * 100.0 + 5_000.0).collect())
            }
            other => other.clone(),
        })
        .collect();
    let moved = Table::new(train.schema().clone(), columns).unwrap();
    let scores = scores(&train, None, &moved);
    let pair = find(&scores, "contingency_similarity", &["age", "job"]);
    assert!(pair.value.unwrap() < 0.05, "{pair:?}");
}
