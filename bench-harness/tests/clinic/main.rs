//! Every metric on the clinic, whose law is known.

mod tables;

use eval::{Comparison, METRICS, Metric, Score, evaluate_with};
use meg_core::{Seed, Silent, Table};

const COSTLY: [&str; 13] = [
    "tstr_forest_auc",
    "tstr_adaboost_auc",
    "tstr_mlp_auc",
    "tstr_tree_r2",
    "tstr_forest_r2",
    "tstr_mlp_r2",
    "global_utility",
    "learner_agreement",
    "ctgan_adult_f1",
    "ctgan_census_f1",
    "ctgan_covertype_macro_f1",
    "ctgan_mnist_accuracy",
    "ctgan_news_r2",
];

#[test]
fn dump() {
    let run = |label: &str, pick: &dyn Fn(&str) -> bool, rows: usize, target: &str, all: bool| {
        let t = |table: Table| {
            if target.is_empty() { table } else { tables::with_target(&table, target) }
        };
        let (train, holdout) =
            (t(tables::patients(rows, "train")), t(tables::patients(rows, "holdout")));
        let fresh = t(tables::patients(rows, "fresh"));
        let mut names = vec![
            ("copy", train.clone()),
            ("fresh", fresh.clone()),
            ("indep", tables::independent(&train)),
        ];
        if all {
            names.push(("noisy", tables::noisy(&train)));
            names.push(("unif", tables::uniform(&train)));
            names.push(("p1", tables::planted(&train, &fresh, rows / 100)));
            names.push(("p5", tables::planted(&train, &fresh, rows / 20)));
            names.push(("p10", tables::planted(&train, &fresh, rows / 10)));
        }
        let metrics: Vec<&dyn Metric> =
            METRICS.iter().copied().filter(|m| pick(m.name())).collect();
        let mut columns: Vec<Vec<Score>> = Vec::new();
        for metric in &metrics {
            let start = std::time::Instant::now();
            for (at, (_, synthetic)) in names.iter().enumerate() {
                let comparison = Comparison {
                    train: &train,
                    holdout: Some(&holdout),
                    synthetic,
                    truth: None,
                    seed: Seed(1),
                    threads: 2,
                };
                let scores = evaluate_with(&[*metric], &comparison, &mut Silent).unwrap();
                if columns.len() <= at {
                    columns.push(Vec::new());
                }
                columns[at].extend(scores.into_iter().filter(|s| s.columns.is_empty()));
            }
            println!("TIME {label} {} {:.1}", metric.name(), start.elapsed().as_secs_f64());
        }
        println!("HEAD {label} {:?}", names.iter().map(|n| n.0).collect::<Vec<_>>());
        for at in 0..columns[0].len() {
            let values: Vec<String> = columns
                .iter()
                .map(|c| c[at].value.map_or("-".into(), |v| format!("{v:.4}")))
                .collect();
            let f = &columns[1][at];
            println!(
                "VAL {label} {} {} ref {:?} least {:?} | {}",
                f.name,
                values.join(" "),
                f.reference,
                f.least_leak,
                f.reason.clone().unwrap_or_default()
            );
        }
    };
    run("A", &|n| !COSTLY.contains(&n) && !n.starts_with("position"), 5000, "", true);
    run("P", &|n| n.starts_with("position"), 1500, "", false);
    run("C", &|n| COSTLY.contains(&n), 1500, "", false);
    run(
        "D",
        &|n| {
            COSTLY.contains(&n)
                || n.ends_with("r2")
                || n.starts_with("floor")
                || n.starts_with("trts")
        },
        1500,
        "cost",
        false,
    );
    run("E", &|n| n.starts_with("ctgan"), 1500, "stage", false);
}
