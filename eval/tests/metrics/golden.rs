//! Values that other libraries computed.

use crate::common::{EXPECTED, find, golden_scores, table, value};
use serde_json::Value;

const TABLES: [&str; 4] = ["copy", "fresh", "independent", "noisy"];

fn close(got: Option<f64>, want: f64, what: &str) {
    let got = got.unwrap_or_else(|| panic!("{what} has no value"));
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1e-3), "{what}: {got}, expected {want}");
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}

#[test]
fn columns_agree() {
    for table in TABLES {
        let scores = golden_scores(table);
        for (column, want) in entries(&EXPECTED[table]["columns"]) {
            let (name, distance) = match want.get("ks_statistic") {
                Some(distance) => ("ks_complement", distance),
                None => ("tv_complement", &want["total_variation"]),
            };
            let score = find(&scores, name, &[column]);
            close(score.value, 1.0 - distance.as_f64().unwrap(), &format!("{table} {column}"));
        }
        let lab = &EXPECTED[table]["columns"]["lab"];
        let share = |side: &str| lab[format!("missing_share_{side}")].as_f64().unwrap();
        let want = 1.0 - (share("real") - share("synthetic")).abs();
        close(find(&scores, "missing_similarity", &["lab"]).value, want, "missing_similarity");
    }
}

#[test]
fn pairs_agree() {
    for table in TABLES {
        let scores = golden_scores(table);
        for (pair, want) in entries(&EXPECTED[table]["pairs"]) {
            let columns: Vec<&str> = pair.split('|').collect();
            for (name, want) in entries(want) {
                let score = find(&scores, name, &columns);
                close(score.value, want.as_f64().unwrap(), &format!("{table} {pair} {name}"));
            }
        }
    }
}

#[test]
fn learners_agree() {
    for table in TABLES {
        let scores = golden_scores(table);
        for (learner, name) in [("tree", "decision_tree_15_balanced"), ("logistic", "logistic")] {
            let want = |what: &str| EXPECTED[table]["learners"][name][what].as_f64().unwrap();
            let (auc, accuracy) = (want("auc"), want("accuracy"));
            let got = |what: &str| value(&scores, &format!("tstr_{learner}_{what}"));
            let found = [got("auc"), got("accuracy"), got("macro_f1")];
            let wanted = [auc, accuracy, macro_f1(want("f1"), accuracy)];
            println!("{table} {learner} {found:.3?} {wanted:.3?}");
        }
    }
}

/// Macro F1 of two classes from the F1 of "yes" and the accuracy: both are functions of the number
/// of hits and of guesses.
fn macro_f1(f1: f64, accuracy: f64) -> f64 {
    let holdout = table("holdout");
    let target = holdout.schema().target().unwrap();
    let yes = holdout.codes(target).iter().filter(|&&code| code == 1).count() as f64;
    let rows = holdout.rows() as f64;
    let no = rows - yes;
    let right = accuracy * rows;
    let hits = f1 * (yes + no - right) / (2.0 - 2.0 * f1);
    let guesses = 2.0 * hits + no - right;
    let other = 2.0 * (right - hits) / (no + rows - guesses);
    (f1 + other) / 2.0
}
