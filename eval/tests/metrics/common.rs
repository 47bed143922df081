//! The golden tables, and short ways to run and look things up.

use eval::{Comparison, METRICS, Metric, Score, evaluate_with, select};
use meg_core::{Column, ColumnSpec, MISSING, Role, Schema, Seed, Silent, Table};
use rand::Rng as _;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

const FILES: [(&str, &str); 4] = [
    ("train", include_str!("../golden/train.csv")),
    ("holdout", include_str!("../golden/holdout.csv")),
    ("fresh", include_str!("../golden/fresh.csv")),
    ("independent", include_str!("../golden/independent.csv")),
];
const NOISY: &str = include_str!("../golden/noisy.csv");

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(schema()));

/// What numpy, scipy and scikit-learn compute.
pub(crate) static EXPECTED: LazyLock<serde_json::Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../golden/expected.json")).expect("golden values are JSON")
});

/// A golden table by name.
pub(crate) fn table(name: &str) -> Table {
    read(text(if name == "copy" { "train" } else { name }))
}

/// The metrics that train for long. They have tests of their own, and run wherever tables are small.
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

/// All metrics but the costly ones.
pub(crate) fn quick() -> Vec<&'static dyn Metric> {
    METRICS.iter().copied().filter(|metric| !COSTLY.contains(&metric.name())).collect()
}

/// The scores of all metrics but the costly ones of one table against train and holdout rows.
pub(crate) fn scores(train: &Table, holdout: Option<&Table>, synthetic: &Table) -> Vec<Score> {
    let comparison =
        Comparison { train, holdout, synthetic, truth: None, seed: Seed(1), threads: 2 };
    evaluate_with(&quick(), &comparison, &mut Silent).expect("the schemas are equal")
}

/// The scores that these words choose.
pub(crate) fn chosen(words: &[&str], rows: [&Table; 3]) -> Vec<Score> {
    let [train, holdout, synthetic] = rows;
    let holdout = Some(holdout);
    let comparison =
        Comparison { train, holdout, synthetic, truth: None, seed: Seed(1), threads: 2 };
    let metrics = select(words).expect("the words are known");
    evaluate_with(&metrics, &comparison, &mut Silent).expect("the schemas are equal")
}

/// All scores of a golden table, computed once.
pub(crate) fn golden_scores(name: &str) -> Vec<Score> {
    static KEPT: LazyLock<Mutex<HashMap<String, Vec<Score>>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().expect("no test panics while it holds the scores");
    let compute = || scores(&table("train"), Some(&table("holdout")), &table(name));
    kept.entry(name.to_owned()).or_insert_with(compute).clone()
}

/// The score of this name and these columns.
pub(crate) fn find<'a>(scores: &'a [Score], name: &str, columns: &[&str]) -> &'a Score {
    scores
        .iter()
        .find(|score| score.name == name && score.columns == columns)
        .unwrap_or_else(|| panic!("no score {name} {columns:?}"))
}

/// The value of a table-wide score.
pub(crate) fn value(scores: &[Score], name: &str) -> f64 {
    let score = find(scores, name, &[]);
    score.value.unwrap_or_else(|| panic!("{name}: {:?}", score.reason))
}

fn text(name: &str) -> &'static str {
    match FILES.iter().find(|(file, _)| *file == name) {
        Some((_, text)) => text,
        None => NOISY,
    }
}

fn cells(text: &'static str) -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let mut lines = text.lines();
    let names = lines.next().expect("there is a header").split(',').collect();
    (names, lines.map(|line| line.split(',').collect()).collect())
}

fn schema() -> Schema {
    let (names, _) = cells(text("train"));
    let columns = names.iter().enumerate().map(|(at, &name)| match name {
        "age" | "visits" => ColumnSpec::number(name, 0),
        "income" => ColumnSpec::number(name, 2),
        "bmi" => ColumnSpec::number(name, 1),
        "score" => ColumnSpec::number(name, None),
        "lab" => ColumnSpec::number(name, 3).nullable(),
        _ => {
            let mut levels: Vec<&str> = ["train", "holdout", "fresh", "noisy"]
                .iter()
                .flat_map(|file| cells(text(file)).1.into_iter().map(move |row| row[at]))
                .collect();
            levels.sort_unstable();
            levels.dedup();
            let role = if name == "target" { Role::Target } else { Role::Feature };
            ColumnSpec::category(name, levels).role(role)
        }
    });
    Schema::new(columns.collect()).expect("the schema is sound")
}

fn read(text: &'static str) -> Table {
    let (_, rows) = cells(text);
    let column = |(at, spec): (usize, &ColumnSpec)| {
        let parse = |cell: &str| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() };
        if spec.is_numeric() {
            return Column::Numbers(rows.iter().map(|row| parse(row[at])).collect());
        }
        let code = |cell: &str| {
            spec.levels().iter().position(|level| level == cell).map_or(MISSING, |at| at as u32)
        };
        Column::Codes(rows.iter().map(|row| code(row[at])).collect())
    };
    let columns = SCHEMA.columns.iter().enumerate().map(column).collect();
    Table::new(SCHEMA.clone(), columns).expect("the golden tables obey the schema")
}

/// Cells drawn evenly over each column's range or levels, with the shares of missing cells kept.
pub(crate) fn uniform(train: &Table) -> Table {
    let mut rng = Seed(7).stream("uniform");
    let columns = train
        .iter()
        .map(|(spec, column)| match column {
            Column::Numbers(cells) => {
                let least = cells.iter().copied().fold(f64::INFINITY, f64::min);
                let most = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let draw = |cell: &f64| match cell.is_nan() {
                    true => f64::NAN,
                    false => spec.snap(rng.random_range(least..=most)),
                };
                Column::Numbers(cells.iter().map(draw).collect())
            }
            _ => {
                let levels = spec.levels().len() as u32;
                Column::Codes((0..train.rows()).map(|_| rng.random_range(0..levels)).collect())
            }
        })
        .collect();
    Table::new(train.schema().clone(), columns).expect("the cells obey the schema")
}
