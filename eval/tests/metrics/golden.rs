//! Values that other libraries computed.

use crate::common::{EXPECTED, find, golden_scores};
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
