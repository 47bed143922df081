//! Models over datasets: mean ranks, Friedman's test, Wilcoxon's with Holm's adjustment. A model
//! without a value is named, never given a number.

use super::summary::{Report, utility_of};
use crate::record::Record;
use crate::store::Planned;
use eval::{Goal, Score, statistics};
use serde::Serialize;

/// Comparison of the models of a run by one score, over the datasets on which all have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the score; `tstr_auc` is the mean over learners.
    pub metric: String,
    /// The models, in plan order.
    pub models: Vec<String>,
    /// The datasets that it rests on.
    pub datasets: Vec<String>,
    /// Datasets that were left out, and for which models.
    pub left_out: Vec<LeftOut>,
    /// Models without a value on any dataset.
    pub without: Vec<String>,
    /// Mean rank of each model; 1 is best.
    pub mean_ranks: Vec<f64>,
    /// Friedman's statistic, corrected for ties; none where all models are equal on every dataset.
    pub statistic: Option<f64>,
    /// Chance of such a statistic or a larger one if the models were alike.
    pub p_value: Option<f64>,
    /// Every pair of models.
    pub pairs: Vec<Pair>,
}

/// A dataset on which a planned cell has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Name of the dataset.
    pub dataset: String,
    /// The models that lack a value.
    pub models: Vec<String>,
}

/// Two models over datasets, the better one first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The model with the higher median.
    pub better: String,
    /// The other.
    pub worse: String,
    /// Median over datasets of how much better; for a score that should be near its reference, of
    /// how much nearer.
    pub median_difference: f64,
    /// Wilcoxon's two-sided p-value, adjusted by Holm for all pairs.
    pub p_value: f64,
}

/// The scores by which models are compared; `tstr_...` are means over learners.
const SCORES: [&str; 17] = [
    "shape",
    "trend",
    "trend_dependent",
    "tstr_auc",
    "tstr_macro_f1",
    "tstr_r2",
    "likelihood_synthetic",
    "likelihood_test",
    "oracle_log_likelihood",
    "modes_covered",
    "detection_boost_auc",
    "membership_auc",
    "singling_out_risk",
    "linkability_risk",
    "inference_risk",
    "dcr_median",
    "identical_match_share",
];

impl Report<'_> {
    /// The models compared over datasets, by each leading score that two models share on two
    /// datasets.
    pub fn comparisons(&self) -> Vec<Comparison> {
        compare(self, &SCORES)
    }
}

/// The comparison by each of these scores; a score for which fewer than two models share two
/// datasets has none.
fn compare(report: &Report<'_>, metrics: &[&str]) -> Vec<Comparison> {
    metrics.iter().filter_map(|metric| by_metric(report, metric)).collect()
}

fn by_metric(report: &Report<'_>, metric: &str) -> Option<Comparison> {
    let planned = &report.manifest.cells;
    let datasets = distinct(planned, |cell| &cell.dataset);
    let all = distinct(planned, |cell| &cell.model);
    let worth = |dataset: &str, model: &str| worth(report, dataset, model, metric);
    let has_any = |model: &&String| datasets.iter().any(|dataset| worth(dataset, model).is_some());
    let (models, without): (Vec<&String>, Vec<&String>) =
        all.into_iter().partition(|model| has_any(model));
    let (mut used, mut left_out, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for dataset in datasets {
        let row: Vec<Option<f64>> = models.iter().map(|model| worth(dataset, model)).collect();
        let lacking: Vec<String> = models
            .iter()
            .zip(&row)
            .filter(|(_, value)| value.is_none())
            .map(|(model, _)| (*model).clone())
            .collect();
        match row.into_iter().collect::<Option<Vec<f64>>>() {
            Some(row) => {
                values.push(row);
                used.push(dataset.clone());
            }
            None => left_out.push(LeftOut { dataset: dataset.clone(), models: lacking }),
        }
    }
    let friedman = statistics::friedman(&values)?;
    let pair = |pair: statistics::Pair| {
        let (left, right) = (models[pair.left].clone(), models[pair.right].clone());
        let swapped = pair.median_difference < 0.0;
        let (better, worse) = if swapped { (right, left) } else { (left, right) };
        let median_difference = pair.median_difference.abs();
        Pair { better, worse, median_difference, p_value: pair.p_value }
    };
    Some(Comparison {
        metric: metric.to_owned(),
        models: models.iter().map(|model| (*model).clone()).collect(),
        datasets: used,
        left_out,
        without: without.into_iter().cloned().collect(),
        mean_ranks: friedman.mean_ranks,
        statistic: friedman.statistic,
        p_value: friedman.p_value,
        pairs: statistics::pairwise(&values)?.into_iter().map(pair).collect(),
    })
}

/// How good a model is on a dataset, more being better: the mean over its planned cells, `None`
/// unless every one of them has a value. A mean over the seeds that survived would praise failing.
pub(super) fn worth(report: &Report<'_>, dataset: &str, model: &str, metric: &str) -> Option<f64> {
    let planned = report.manifest.cells.iter();
    let planned = planned.filter(|cell| cell.dataset == dataset && cell.model == model).count();
    let cells = report.cells.iter();
    let cells = cells.filter(|record| record.dataset == dataset && record.model == model);
    let values: Vec<f64> = cells.map(|record| quality(record, metric)).collect::<Option<_>>()?;
    (planned > 0 && values.len() == planned).then(|| values.iter().sum::<f64>() / planned as f64)
}

fn quality(record: &Record, metric: &str) -> Option<f64> {
    if !record.is_ok() {
        return None;
    }
    match metric.strip_prefix("tstr_") {
        Some(score) => utility_of(record, score),
        None => record.metric(metric).and_then(worth_of),
    }
}

/// A value on a scale on which more is better.
fn worth_of(score: &Score) -> Option<f64> {
    let value = score.value?;
    match score.goal {
        Goal::Maximize => Some(value),
        Goal::Minimize => Some(-value),
        Goal::Reference => Some(-(value - score.reference?).abs()),
    }
}

fn distinct(cells: &[Planned], name: fn(&Planned) -> &String) -> Vec<&String> {
    let mut seen = Vec::new();
    for cell in cells {
        if !seen.contains(&name(cell)) {
            seen.push(name(cell));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Status;
    use crate::report::samples::{record, score};
    use crate::store::Manifest;

    /// Cells of models on datasets with two seeds each; `value` by dataset, model and seed.
    fn run(
        models: &[&str],
        datasets: usize,
        value: impl Fn(usize, &str, u64) -> Option<Score>,
    ) -> (Manifest, Vec<Record>) {
        let mut records = Vec::new();
        for dataset in 0..datasets {
            for model in models {
                for seed in [1, 2] {
                    let mut cell = record(&format!("table{dataset}"), model, seed);
                    match value(dataset, model, seed) {
                        Some(score) => {
                            (cell.status, cell.reason) = (Status::Ok, None);
                            cell.metrics = vec![score];
                        }
                        None => cell = cell.ended(Status::Crashed, None, "it died".into()),
                    }
                    records.push(cell);
                }
            }
        }
        let planned = records.iter().map(|record| Planned {
            key: record.key.clone(),
            dataset: record.dataset.clone(),
            model: record.model.clone(),
            seed: record.seed,
        });
        (Manifest::here(1, 1, planned.collect()), records)
    }

    fn compared((manifest, records): &(Manifest, Vec<Record>), metric: &str) -> Option<Comparison> {
        compare(&Report::new(manifest, records), &[metric]).pop()
    }

    /// `good` is best, `other` and `bad` are a little and much worse, on tables of their own level.
    fn shape(dataset: usize, model: &str, seed: u64) -> Score {
        let level = 0.8 - 0.01 * dataset as f64 + 0.001 * seed as f64;
        let worse = match model {
            "good" => 0.0,
            "other" => 0.01 + 0.001 * dataset as f64,
            _ => 0.1 + 0.002 * dataset as f64,
        };
        score("shape", level - worse, None)
    }

    #[test]
    fn a_better_model_ranks_first_and_differs() {
        let cells = run(&["bad", "good", "other"], 10, |d, m, s| Some(shape(d, m, s)));
        let found = compared(&cells, "shape").unwrap();
        assert_eq!(found.mean_ranks, [3.0, 1.0, 2.0]);
        assert_eq!((found.datasets.len(), found.left_out.len()), (10, 0));
        // All ten datasets rank alike: 12 / (10 * 3 * 4) * (900 + 100 + 400) - 120 = 20.
        assert!((found.statistic.unwrap() - 20.0).abs() < 1e-9, "{found:?}");
        assert!(found.p_value.unwrap() < 1e-4, "{found:?}");
        let pair = found.pairs.iter().find(|pair| pair.better == "good" && pair.worse == "bad");
        let pair = pair.unwrap();
        assert!((pair.median_difference - 0.109).abs() < 1e-9, "{pair:?}");
        // Wilcoxon's least p-value of ten pairs, 2 / 2^10, times three by Holm.
        assert!((pair.p_value - 6.0 / 1_024.0).abs() < 1e-12, "{pair:?}");
    }

    #[test]
    fn equal_models_are_compared_and_not_tested() {
        let cells = run(&["bad", "good"], 6, |_, _, _| Some(score("shape", 0.5, None)));
        let found = compared(&cells, "shape").unwrap();
        assert_eq!(found.mean_ranks, [1.5, 1.5]);
        assert_eq!((found.statistic, found.p_value), (None, None));
        assert_eq!(found.pairs[0].p_value, 1.0);
    }

    #[test]
    fn a_failed_seed_leaves_the_dataset_out_and_is_named() {
        let cells = run(&["bad", "good"], 6, |dataset, model, seed| {
            let failed = dataset == 3 && model == "good" && seed == 2;
            (!failed).then(|| shape(dataset, model, seed))
        });
        let found = compared(&cells, "shape").unwrap();
        assert_eq!(found.datasets.len(), 5);
        let gap = LeftOut { dataset: "table3".into(), models: vec!["good".into()] };
        assert_eq!(found.left_out, [gap]);
    }

    #[test]
    fn a_model_that_always_fails_is_left_out_alone() {
        let cells = run(&["bad", "good", "never"], 5, |dataset, model, seed| {
            (model != "never").then(|| shape(dataset, model, seed))
        });
        let found = compared(&cells, "shape").unwrap();
        assert_eq!((found.datasets.len(), found.without), (5, vec!["never".to_owned()]));
        assert_eq!(found.models, ["bad", "good"]);
    }

    #[test]
    fn goals_are_kept() {
        let near = |goal: Goal| {
            move |_: usize, model: &str, _: u64| {
                let value = if model == "a" { 0.45 } else { 0.9 };
                Some(Score { goal, ..score("m", value, Some(0.5)) })
            }
        };
        let ranks = |goal| compared(&run(&["a", "b"], 4, near(goal)), "m").unwrap().mean_ranks;
        assert_eq!(ranks(Goal::Maximize), [2.0, 1.0]);
        assert_eq!(ranks(Goal::Minimize), [1.0, 2.0]);
        assert_eq!(ranks(Goal::Reference), [1.0, 2.0]);
    }

    #[test]
    fn one_dataset_or_one_model_is_no_comparison() {
        let alone = run(&["good"], 5, |d, m, s| Some(shape(d, m, s)));
        let once = run(&["bad", "good"], 1, |d, m, s| Some(shape(d, m, s)));
        assert_eq!(compared(&alone, "shape"), None);
        assert_eq!(compared(&once, "shape"), None);
    }
}
