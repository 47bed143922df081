//! What must hold for any tables.

use crate::common::scores;
use eval::{Comparison, Group, METRICS, Score, Status, evaluate_with};
use meg_core::{Column, ColumnSpec, MISSING, Role, Schema, Seed, Silent, Table};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let columns = vec![
        ColumnSpec::number("x", None).nullable(),
        ColumnSpec::number("n", 0),
        ColumnSpec::number("huge", None),
        ColumnSpec::category("c", ["a", "b", "c"]).nullable(),
        ColumnSpec::category("y", ["no", "yes"]).nullable().role(Role::Target),
    ];
    Arc::new(Schema::new(columns).unwrap())
});

/// Scores that say something else of a table and itself.
/// Twins have no distance between them: their nearest other row is as near as their copy.
const NOT_OF_ITSELF: &[&str] = &[
    "beta_recall",
    "rule_violations",
    "constraint_violations",
    "detection",
    "density",
    "authenticity",
    "alpha_precision",
    "tstr",
    "trtr",
    "trts",
    "tsts",
    "augmented",
    "floor",
    "global",
    "ctgan",
];

const MANIFOLD: [&str; 7] = [
    "precision",
    "recall",
    "density",
    "coverage",
    "alpha_precision",
    "beta_recall",
    "authenticity",
];

/// Scores that are 0 between a table and itself.
const DISTANCES: [&str; 13] = [
    "sliced_wasserstein",
    "pca_variance_difference",
    "pca_rotation",
    "wasserstein",
    "wasserstein_raw",
    "jensen_shannon",
    "kl_real_synthetic",
    "kl_synthetic_real",
    "chi_square_v",
    "nmi_difference",
    "nmi_weighted_difference",
    "association_difference",
    "association_norm",
];

prop_compose! {
    fn row()(
        x in prop_oneof![Just(f64::NAN), Just(0.0), -3.0..3.0f64],
        n in 0..4i32,
        huge in prop_oneof![Just(0.0), Just(1e300), Just(-1.7e308)],
        c in prop_oneof![Just(MISSING), 0..3u32],
        y in prop_oneof![Just(MISSING), 0..2u32, 0..2u32],
    ) -> (f64, i32, f64, u32, u32) {
        (x, n, huge, c, y)
    }
}

prop_compose! {
    fn table(least: usize)(rows in prop::collection::vec(row(), least..30)) -> Table {
        let columns = vec![
            Column::Numbers(rows.iter().map(|row| row.0).collect()),
            Column::Numbers(rows.iter().map(|row| f64::from(row.1)).collect()),
            Column::Numbers(rows.iter().map(|row| row.2).collect()),
            Column::Codes(rows.iter().map(|row| row.3).collect()),
            Column::Codes(rows.iter().map(|row| row.4).collect()),
        ];
        Table::new(SCHEMA.clone(), columns).unwrap()
    }
}

fn run(train: &Table, holdout: &Table, synthetic: &Table, threads: usize) -> Vec<Score> {
    let comparison = Comparison {
        train,
        holdout: Some(holdout),
        synthetic,
        truth: None,
        seed: Seed(3),
        threads,
    };
    evaluate_with(METRICS, &comparison, &mut Silent).unwrap()
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (None, None) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_score_is_a_value_in_range_or_a_reason(
        train in table(0), holdout in table(0), synthetic in table(0),
    ) {
        for score in run(&train, &holdout, &synthetic, 1) {
            let inside = |value: f64| {
                value.is_finite()
                    && score.range[0].is_none_or(|least| value >= least - 1e-12)
                    && score.range[1].is_none_or(|most| value <= most + 1e-12)
            };
            prop_assert_eq!(score.value.is_some(), score.status == Status::Ok);
            prop_assert!(score.value.is_some() || score.reason.is_some(), "{:?}", score);
            prop_assert!(score.value.is_none_or(inside), "{:?}", score);
            prop_assert!(score.reference.is_none_or(inside), "{:?}", score);
            prop_assert!(score.status != Status::Failed, "{:?}", score);
        }
    }

    #[test]
    fn a_table_is_like_itself(train in table(1)) {
        for score in scores(&train, None, &train) {
            let ideal = match score.name.as_str() {
                "dcr_median" | "dcr_p05" | "dcr_mean" | "dcr_sd" | "new_row_share" => 0.0,
                name if name.starts_with("dcr_euclid") => 0.0,
                name if name.starts_with("feature_obfuscation") => 0.0,
                "nndr_p05" | "nndr_median" | "dcr_share" | "tail_leak" => continue,
                "k_map" | "k_map_small_share" => continue,
                name if NOT_OF_ITSELF.iter().any(|prefix| name.starts_with(prefix)) => continue,
                name if DISTANCES.contains(&name) => 0.0,
                _ => 1.0,
            };
            prop_assert!(score.value.is_none_or(|value| (value - ideal).abs() < 1e-12), "{:?}", score);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(train in table(1), synthetic in table(1)) {
        let turned = |table: &Table| {
            let rows: Vec<usize> = (0..table.rows()).rev().collect();
            table.select_rows(&rows)
        };
        let before = scores(&train, None, &synthetic);
        let after = scores(&turned(&train), None, &turned(&synthetic));
        for (before, after) in before.iter().zip(&after) {
            // These draw as many rows of either table, and take the first of equally near ones, or cut
            // the synthetic rows into halves.
            if MANIFOLD.contains(&before.name.as_str()) || before.name.starts_with("tsts") {
                continue;
            }
            prop_assert!(close(before.value, after.value), "{:?} {:?}", before, after);
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter(
        train in table(0), holdout in table(0), synthetic in table(0),
    ) {
        let one = run(&train, &holdout, &synthetic, 1);
        prop_assert_eq!(&one, &run(&train, &holdout, &synthetic, 3));
        prop_assert_eq!(&one, &run(&train, &holdout, &synthetic, 1));
    }

    #[test]
    fn symmetric_metrics_are(a in table(1), b in table(1)) {
        let (forth, back) = (scores(&a, None, &b), scores(&b, None, &a));
        for (forth, back) in forth.iter().zip(&back) {
            let symmetric = match forth.name.as_str() {
                "shape" | "ks_complement" => back.value.is_some(),
                "tv_complement" | "missing_similarity" | "missing_pattern_similarity" => true,
                "correlation_similarity" => !forth.columns.is_empty() && back.value.is_some(),
                "contingency_similarity" => forth.columns == ["c", "y"],
                _ => false,
            };
            if symmetric && forth.value.is_some() {
                prop_assert!(close(forth.value, back.value), "{:?} {:?}", forth, back);
            }
        }
    }
}

#[test]
fn metrics_say_what_they_are() {
    let mut names: Vec<&str> = METRICS.iter().flat_map(|metric| metric.names()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name is given twice");
    let table = crate::common::table("train").select_rows(&(0..150).collect::<Vec<_>>());
    let comparison = Comparison {
        train: &table,
        holdout: Some(&table),
        synthetic: &table,
        truth: None,
        seed: Seed(1),
        threads: 1,
    };
    for metric in METRICS {
        assert_eq!(metric.names()[0], metric.name());
        assert!(metric.about().ends_with('.'));
        let scores = metric.score(&comparison);
        assert!(scores.iter().all(|score| metric.names().contains(&score.name.as_str())));
        for name in metric.names() {
            assert!(scores.iter().any(|score| score.name == name), "{name}");
        }
        assert_eq!(scores[0].name, metric.name());
    }
}

/// One section for each metric, in which all its scores are named; sections of utility are free in
/// form.
#[test]
fn every_metric_has_a_section() {
    const LABELS: [&str; 5] =
        ["- Formula: ", "- Range: ", "- Undefined: ", "- Source: ", "- Differs: "];
    let page = include_str!("../../../docs/metrics.md");
    let sections: Vec<&str> = page.split("\n### ").skip(1).collect();
    let words = |text: &'static str| -> Vec<&str> {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
    };
    for metric in METRICS {
        let names = metric.names();
        let own = sections.iter().find(|section| {
            let words = words(section);
            names.iter().all(|name| words.contains(name))
        });
        let own = own.unwrap_or_else(|| panic!("no section has all of {names:?}"));
        if metric.group() == Group::Utility {
            continue;
        }
        for label in LABELS {
            assert!(own.contains(label), "{}: nothing after {label:?}", metric.name());
        }
        let default = own.lines().next().is_some_and(|heading| heading.ends_with("(default)"));
        assert_eq!(default, metric.is_default(), "{}", metric.name());
        let above = page[..page.find(own).expect("it is on the page")].rfind("\n## ");
        let group = page[above.expect("a group is above it") + 4..].lines().next();
        assert_eq!(group, Some(metric.group().name()), "{}", metric.name());
    }
}
