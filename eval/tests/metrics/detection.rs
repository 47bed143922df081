//! Who tells synthetic rows from real ones, and by what.

use crate::common::{EXPECTED, find, golden_scores, table, value};
use eval::{Comparison, Score, Status, evaluate_with, select};
use meg_core::{Column, ColumnSpec, Schema, Seed, Silent, Table};
use rand::Rng as _;

fn scores(train: &Table, holdout: Option<&Table>, synthetic: &Table) -> Vec<Score> {
    let comparison =
        Comparison { train, holdout, synthetic, truth: None, seed: Seed(1), threads: 2 };
    evaluate_with(&select(&["detection"]).unwrap(), &comparison, &mut Silent).unwrap()
}

#[test]
fn trees_see_dependence_and_lines_do_not() {
    let of = |name: &str| golden_scores(name);
    for (name, low, high) in [
        ("copy", 0.45, 0.55),
        ("fresh", 0.45, 0.55),
        ("noisy", 0.65, 0.85),
        ("independent", 0.85, 1.0),
    ] {
        let scores = of(name);
        let trees = find(&scores, "detection_boost_auc", &[]);
        let area = trees.value.unwrap();
        assert!(low < area && area < high, "{name}: {area}");
        let [from, to] = trees.interval.unwrap();
        assert!(from < area && area < to && to - from < 0.1, "{name}: {from} to {to}");
        assert_eq!(trees.reference, Some(0.5));
        let lines = value(&scores, "detection_logistic_auc");
        assert!((lines - 0.5).abs() < 0.05, "{name}: {lines}");
    }
    let score =
        |name: &str, detector: &str| value(&of(name), &format!("detection_{detector}_score"));
    assert!(score("independent", "boost") < 0.3 && score("independent", "logistic") > 0.9);
    assert!(score("fresh", "boost") > 0.9);
}

/// The golden detectors see missing cells of `lab` filled with the median of each table on its own,
/// which gives the tables away: with the same filling the same areas come out.
#[test]
fn detectors_agree_with_golden_values_on_golden_features() {
    let filled = |name: &str| {
        let table = table(name);
        let lab = table.schema().position("lab").unwrap();
        let mut observed: Vec<f64> =
            table.numbers(lab).iter().copied().filter(|cell| !cell.is_nan()).collect();
        observed.sort_unstable_by(f64::total_cmp);
        let middle = observed.len() / 2;
        let median = match observed.len() % 2 {
            0 => (observed[middle - 1] + observed[middle]) / 2.0,
            _ => observed[middle],
        };
        let fill = |&cell: &f64| if cell.is_nan() { median } else { cell };
        let target = table.schema().target().unwrap();
        let columns = table.columns().iter().enumerate().map(|(at, column)| match column {
            Column::Numbers(cells) if at == lab => {
                (ColumnSpec::number("lab", None), Column::Numbers(cells.iter().map(fill).collect()))
            }
            other => (table.schema().columns[at].clone(), other.clone()),
        });
        // The golden detectors do not see the target.
        let (specs, cells): (Vec<_>, Vec<_>) =
            columns.enumerate().filter(|(at, _)| *at != target).map(|(_, column)| column).unzip();
        Table::new(Schema::new(specs).unwrap(), cells).unwrap()
    };
    let (train, holdout) = (filled("train"), filled("holdout"));
    for name in ["copy", "fresh", "independent", "noisy"] {
        let scores = scores(&train, Some(&holdout), &filled(name));
        for (detector, golden) in [("boost", "gradient_boosting"), ("logistic", "logistic")] {
            let want = EXPECTED[name]["detection"][golden].as_f64().unwrap();
            let got = value(&scores, &format!("detection_{detector}_auc"));
            assert!((got - want).abs() < 0.05, "{name} {detector}: {got}, expected {want}");
        }
    }
}

#[test]
fn decimals_that_give_rows_away_are_named_and_rounded_off() {
    let mut rng = Seed(1).stream("normal");
    let mut draw = |whole: bool| {
        let cells: Vec<Vec<f64>> = (0..2)
            .map(|column| {
                let mut cell = || {
                    let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
                    10.0 * (sum - 6.0)
                };
                (0..1_500)
                    .map(|_| if whole && column == 0 { cell().round() } else { cell() })
                    .collect()
            })
            .collect();
        let specs = vec![ColumnSpec::number("whole", None), ColumnSpec::number("free", None)];
        let columns = cells.into_iter().map(Column::Numbers).collect();
        Table::new(Schema::new(specs).unwrap(), columns).unwrap()
    };
    let (train, holdout, synthetic) = (draw(true), draw(true), draw(false));
    let scores = scores(&train, Some(&holdout), &synthetic);
    let raw = find(&scores, "detection_boost_auc", &[]);
    assert!(raw.value.unwrap() > 0.9, "{raw:?}");
    assert!(raw.reason.as_ref().unwrap().starts_with("told by whole ("), "{raw:?}");
    let rounded = find(&scores, "detection_boost_rounded_auc", &[]);
    assert!((rounded.value.unwrap() - 0.5).abs() < 0.06, "{rounded:?}");
    assert!((value(&scores, "detection_logistic_auc") - 0.5).abs() < 0.08);
}

#[test]
fn without_enough_holdout_rows_there_is_a_reason() {
    let train = table("train");
    let few = train.select_rows(&(0..49).collect::<Vec<_>>());
    let status = |scores: &[Score]| find(scores, "detection_boost_auc", &[]).status;
    assert_eq!(status(&scores(&train, None, &train)), Status::Skipped);
    assert_eq!(status(&scores(&train, Some(&few), &train)), Status::Undefined);
    assert_eq!(status(&scores(&train, Some(&train), &few)), Status::Undefined);
}

#[test]
fn metrics_are_chosen_by_set_group_and_name() {
    let names = |words: &[&str]| -> Vec<&str> {
        select(words).unwrap().iter().map(|metric| metric.name()).collect()
    };
    assert_eq!(names(&["tail_leak", "shape"]), ["shape", "dcr_median"]);
    assert_eq!(names(&["detection"]), ["detection_boost_auc", "detection_logistic_auc"]);
    assert_eq!(names(&["all"]).len(), eval::METRICS.len());
    assert!(names(&["default"]).len() <= eval::METRICS.len());
    let message = select(&["tail_leek"]).unwrap_err().to_string();
    assert!(message.contains("\"tail_leek\"") && message.contains("tail_leak"), "{message}");
    // A few names, not all.
    let shown = |message: &str| {
        let all = eval::METRICS.iter().flat_map(|metric| metric.names());
        all.filter(|name| message.contains(&format!("{name:?}"))).count()
    };
    assert!((1..=5).contains(&shown(&message)), "{message}");
    let part = select(&["epsilon"]).unwrap_err().to_string();
    assert!(part.contains("did you mean \"membership_epsilon\"?"), "{part}");
    let nothing = select(&["qqq"]).unwrap_err().to_string();
    assert!(shown(&nothing) == 0 && nothing.contains("meg metrics list"), "{nothing}");
}
