//! Tables at the edge of meaning: a value or a reason, never a panic.

use crate::common::{find, scores, table};
use eval::{Comparison, METRICS, Score, Status, evaluate, evaluate_with};
use meg_core::{
    Column, ColumnKind, ColumnSpec, Control, Error, Event, MISSING, Observer, Phase, Role, Schema,
    Seed, Silent, Table,
};

const NAN: f64 = f64::NAN;

fn build(columns: Vec<(ColumnSpec, Column)>) -> Table {
    let (specs, cells) = columns.into_iter().unzip();
    Table::new(Schema::new(specs).unwrap(), cells).unwrap()
}

/// Two numbers and a category.
fn small(x: &[f64], y: &[f64], c: &[u32]) -> Table {
    build(vec![
        (ColumnSpec::number("x", None).nullable(), Column::Numbers(x.to_vec())),
        (ColumnSpec::number("y", None).nullable(), Column::Numbers(y.to_vec())),
        (
            ColumnSpec::category("c", ["a", "b", "z"]).nullable().role(Role::Target),
            Column::Codes(c.to_vec()),
        ),
    ])
}

fn reason<'a>(scores: &'a [Score], name: &str, columns: &[&str]) -> &'a str {
    find(scores, name, columns).reason.as_deref().unwrap_or("")
}

#[test]
fn a_column_that_collapses_is_scored_and_flagged() {
    let train = small(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], &[0, 1, 0]);
    let collapsed = small(&[2.0, 2.0, 2.0], &[1.0, 2.0, 3.0], &[0, 1, 0]);
    let scores = scores(&train, None, &collapsed);
    let pair = find(&scores, "correlation_similarity", &["x", "y"]);
    assert!((pair.value.unwrap() - 0.5).abs() < 1e-12);
    assert!(reason(&scores, "correlation_similarity", &["x", "y"]).contains("counts as 0"));
}

/// Eight rows of nine have eight levels: no Cramer's V, and no loss either, as the real rows have four
/// times as many and are less crowded for that alone.
#[test]
fn a_sample_too_small_for_its_levels_is_no_loss() {
    let levels: Vec<String> = (0..9).map(|at| at.to_string()).collect();
    let rows = |count: u32| {
        let column = |step: u32| Column::Codes((0..count).map(|row| row * step % 9).collect());
        build(vec![
            (ColumnSpec::category("a", levels.clone()), column(1)),
            (ColumnSpec::category("b", levels.clone()), column(2)),
        ])
    };
    let scores = scores(&rows(36), None, &rows(8));
    let pair = find(&scores, "association_difference", &["a", "b"]);
    assert_eq!((pair.value, pair.status), (None, Status::Undefined), "{pair:?}");
    assert!(pair.reason.as_ref().unwrap().contains("as many levels as rows"), "{pair:?}");
    let mean = find(&scores, "association_difference", &[]);
    assert!(!mean.reason.as_ref().unwrap().contains("lost"), "{mean:?}");
}

#[test]
fn a_constant_real_column_is_listed() {
    let train = small(&[2.0, 2.0, 2.0], &[1.0, 2.0, 3.0], &[0, 1, 0]);
    let scores = scores(&train, None, &train);
    assert_eq!(find(&scores, "correlation_similarity", &["x", "y"]).status, Status::Undefined);
    assert!(reason(&scores, "trend", &[]).contains("mean over 2 of 3 pairs; undefined: x × y"));
    assert_eq!(find(&scores, "trend", &[]).value, Some(1.0));
}

/// Leaving such a column out of a mean would praise the loss, and 0 would be a number that no
/// formula gives.
#[test]
fn a_column_that_lost_its_cells_leaves_no_mean() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let c: Vec<u32> = (0..20).map(|row| row % 2).collect();
    let train = small(&x, &x, &c);
    let lost = small(&[NAN; 20], &x, &[MISSING; 20]);
    let scores = scores(&train, None, &lost);
    for (name, columns) in [
        ("ks_complement", &["x"][..]),
        ("wasserstein", &["x"]),
        ("range_coverage", &["x"]),
        ("mean_similarity", &["x"]),
        ("boundary_adherence", &["x"]),
        ("category_adherence", &["c"]),
        ("correlation_similarity", &["x", "y"]),
        ("spearman_similarity", &["x", "y"]),
        ("association_difference", &["x", "c"]),
    ] {
        let single = find(&scores, name, columns);
        assert_eq!((single.value, single.status), (None, Status::Undefined), "{single:?}");
        let mean = find(&scores, name, &[]);
        assert_eq!((mean.value, mean.status), (None, Status::Undefined), "{mean:?}");
        assert!(mean.reason.as_ref().unwrap().contains("the synthetic rows lost"), "{mean:?}");
    }
    for name in ["shape", "trend"] {
        assert!(reason(&scores, name, &[]).contains("the synthetic rows lost"), "{name}");
    }
    // Missing is a level here, or what is measured: these have values.
    assert_eq!(find(&scores, "missing_similarity", &["x"]).value, Some(0.0));
    assert_eq!(find(&scores, "tv_complement", &["c"]).value, Some(0.0));
    assert_eq!(find(&scores, "category_coverage", &["c"]).value, Some(0.0));
    assert_eq!(find(&scores, "jensen_shannon", &["x"]).value, Some(1.0));
    assert_eq!(find(&scores, "ks_complement", &["y"]).value, Some(1.0));
}

#[test]
fn an_unseen_level_counts_in_full() {
    let train = small(&[1.0; 4], &[1.0; 4], &[0, 0, 1, 1]);
    let other = small(&[1.0; 4], &[1.0; 4], &[0, 0, 1, 2]);
    let scores = scores(&train, Some(&train), &other);
    assert_eq!(find(&scores, "tv_complement", &["c"]).value, Some(0.75));
    assert_eq!(find(&scores, "contingency_similarity", &["x", "c"]).value, Some(0.75));
}

#[test]
fn one_row_is_enough_for_an_answer() {
    let one = small(&[1.0], &[2.0], &[0]);
    let scores = scores(&one, Some(&one), &one);
    assert_eq!(find(&scores, "shape", &[]).value, Some(1.0));
    assert_eq!(find(&scores, "dcr_median", &[]).value, Some(0.0));
    assert_eq!(find(&scores, "nndr_p05", &[]).status, Status::Undefined);
    assert_eq!(find(&scores, "tstr_tree_auc", &[]).status, Status::Undefined);
}

#[test]
fn no_synthetic_row_leaves_nothing_to_score() {
    let train = table("train");
    let none = train.select_rows(&[]);
    let comparison = Comparison {
        train: &train.select_rows(&(0..200).collect::<Vec<_>>()),
        holdout: Some(&table("holdout")),
        synthetic: &none,
        truth: None,
        seed: Seed(1),
        threads: 2,
    };
    for score in evaluate_with(METRICS, &comparison, &mut Silent).unwrap() {
        // These are of the real rows alone.
        if score.name.starts_with("trtr") || score.name.starts_with("floor") {
            continue;
        }
        let needs_law = crate::likelihood::NAMES.contains(&score.name.as_str());
        let status = if needs_law { Status::Skipped } else { Status::Undefined };
        assert_eq!(score.status, status, "{score:?}");
        assert!(score.value.is_none() && score.reason.is_some(), "{score:?}");
    }
}

#[test]
fn what_needs_holdout_rows_is_skipped_without_them() {
    let train = table("train");
    for holdout in [None, Some(&train.select_rows(&[]))] {
        let scores = scores(&train, holdout, &train);
        // Two halves of the training rows are the reference of two halves of the synthetic ones.
        let referred = |score: &&Score| !score.name.starts_with("tsts");
        assert!(scores.iter().filter(referred).all(|score| score.reference.is_none()));
        assert!(scores.iter().all(|score| score.least_leak.is_none()));
        for name in ["dcr_share", "tail_leak", "identical_match_excess"] {
            assert_eq!(find(&scores, name, &[]).status, Status::Skipped);
        }
        let tstr = find(&scores, "tstr_tree_auc", &[]);
        assert!(tstr.value.is_none() && tstr.reason.is_some());
    }
}

#[test]
fn utility_needs_a_category_target() {
    let number = |role| {
        build(vec![
            (ColumnSpec::number("x", 0), Column::Numbers(vec![1.0, 2.0])),
            (ColumnSpec::number("y", 0).role(role), Column::Numbers(vec![1.0, 2.0])),
        ])
    };
    for (role, part) in [(Role::Feature, "no column is the target"), (Role::Target, "is a number")]
    {
        let table = number(role);
        let scores = scores(&table, Some(&table), &table);
        assert_eq!(find(&scores, "tstr_tree_auc", &[]).status, Status::Skipped);
        assert!(reason(&scores, "trtr_logistic_macro_f1", &[]).contains(part));
    }
}

#[test]
fn a_collapsed_target_scores_as_the_constant_it_is() {
    let train = table("train");
    let target = train.schema().target().unwrap();
    let no: Vec<usize> = (0..train.rows()).filter(|&row| train.codes(target)[row] == 0).collect();
    let scores = scores(&train, Some(&table("holdout")), &train.select_rows(&no));
    for learner in ["tree", "logistic"] {
        let auc = find(&scores, &format!("tstr_{learner}_auc"), &[]);
        assert_eq!(auc.value, Some(0.5));
        assert!(auc.reason.as_ref().unwrap().contains("one class only"));
        let f1 = find(&scores, &format!("tstr_{learner}_macro_f1"), &[]);
        assert!(f1.value.unwrap() < 0.5);
        assert!(auc.reference.unwrap() > 0.55);
    }
}

#[test]
fn rows_without_a_target_are_counted() {
    let x: Vec<f64> = (0..40).map(f64::from).collect();
    let c: Vec<u32> = (0..40).map(|row| if row < 4 { MISSING } else { row / 20 }).collect();
    let table = small(&x, &x, &c);
    let scores = scores(&table, Some(&table), &table);
    let tstr = find(&scores, "tstr_tree_accuracy", &[]);
    assert_eq!((tstr.value, tstr.rows_real, tstr.rows_synthetic), (Some(1.0), 36, 36));
    assert!(tstr.reason.as_ref().unwrap().contains("4 rows to learn from, 4 to test on"));
}

#[test]
fn keys_and_free_text_are_left_out() {
    let texts =
        |prefix: &str| Column::Texts((0..3).map(|row| Some(format!("{prefix}{row}"))).collect());
    let with = |prefix: &str| {
        build(vec![
            (ColumnSpec::new("id", ColumnKind::Identifier), texts(prefix)),
            (ColumnSpec::number("x", 0), Column::Numbers(vec![1.0, 2.0, 3.0])),
            (ColumnSpec::new("note", ColumnKind::Text).nullable(), texts(prefix)),
        ])
    };
    let scores = scores(&with("a"), None, &with("b"));
    let keys = find(&scores, "key_uniqueness", &["id"]);
    assert_eq!((keys.value, keys.rows_synthetic), (Some(1.0), 3));
    let mut others = scores.iter().filter(|score| score.name != "key_uniqueness");
    assert!(others.all(|score| score.columns.iter().all(|column| column == "x")));
    assert_eq!(find(&scores, "identical_match_share", &[]).value, Some(1.0));
    assert_eq!(find(&scores, "trend", &[]).status, Status::Undefined);
}

#[test]
fn dates_are_compared_as_numbers() {
    let date = |cells: Vec<f64>| {
        let kind = ColumnKind::Datetime { format: "%Y-%m-%d".into() };
        build(vec![(ColumnSpec::new("day", kind), Column::Numbers(cells))])
    };
    let scores = scores(&date(vec![0.0, 86_400.0]), None, &date(vec![86_400.0, 172_800.0]));
    assert_eq!(find(&scores, "ks_complement", &["day"]).value, Some(0.5));
}

#[test]
fn tables_of_other_schemas_are_refused() {
    let train = table("train");
    let other = train.select_columns(&[0, 1]).unwrap();
    for (synthetic, holdout) in [(&other, None), (&train, Some(&other))] {
        let comparison = Comparison {
            train: &train,
            holdout,
            synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let message = evaluate(&comparison, &mut Silent).unwrap_err().to_string();
        assert!(message.contains("another schema"), "{message}");
    }
}

/// Counts events and asks for `control` after the first metric.
struct Watcher {
    control: Control,
    started: Option<u64>,
    steps: u64,
    ended: bool,
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { phase: Phase::Evaluate, total } => self.started = *total,
            Event::Step { phase: Phase::Evaluate, done, .. } => self.steps = *done,
            Event::End { phase: Phase::Evaluate } => self.ended = true,
            _ => {}
        }
    }

    fn control(&mut self) -> Control {
        self.control
    }
}

#[test]
fn the_observer_hears_each_metric_and_can_stop() {
    let train = small(&[1.0, 2.0], &[1.0, 2.0], &[0, 1]);
    let comparison = Comparison {
        train: &train,
        holdout: None,
        synthetic: &train,
        truth: None,
        seed: Seed(1),
        threads: 1,
    };
    let run = |control| {
        let mut watcher = Watcher { control, started: None, steps: 0, ended: false };
        let result = evaluate_with(METRICS, &comparison, &mut watcher);
        (watcher, result)
    };
    let total = METRICS.len() as u64;
    let (heard, result) = run(Control::Continue);
    assert_eq!((heard.started, heard.steps, heard.ended), (Some(total), total, true));
    assert!(result.unwrap().iter().any(|score| score.name == "tail_leak"));
    let (heard, result) = run(Control::Abort);
    assert_eq!((heard.steps, heard.ended), (1, false));
    assert!(matches!(result, Err(Error::Interrupted)));
    let (heard, result) = run(Control::Finish);
    assert!(heard.ended && result.unwrap().iter().all(|score| score.name != "tail_leak"));
}
