//! What holds beyond one cell: intervals over seeds, and models over datasets.

use super::{ATTACKS, CLOSENESS, NONE, SIMILARITY, UTILITY, grid, line, number};
use crate::report::comparison::{Comparison, LeftOut};
use crate::report::summary::{ModelSummary, Report, Spread};

/// Differences with a larger p-value are not called differences.
const LEVEL: f64 = 0.05;

/// Scores that may have an interval of their own and are in no leaderboard.
const OTHERS: [(&str, &str); 2] =
    [("dcr_share", "DCR share"), ("identical_match_excess", "identical beyond holdout")];

pub(super) fn write(text: &mut String, report: &Report<'_>) {
    intervals(text, report);
    own_intervals(text, report);
    over_datasets(text, &report.comparisons(), &|model| ended(report, model));
}

pub(super) type Pick = fn(&ModelSummary, &str) -> Option<Spread>;

/// Name, heading and place of a score.
pub(super) type Column = (&'static str, &'static str, Pick);

pub(super) const METRIC: Pick = |model, name| model.metrics.get(name).copied();
const LEARNERS: Pick = |model, name| model.utility.get(name).copied();

/// Student's intervals of the leading scores, where there is more than one seed.
fn intervals(text: &mut String, report: &Report<'_>) {
    let named = |scores: &'static [(&str, &str)], pick: Pick| {
        scores.iter().map(move |(name, heading)| (*name, *heading, pick))
    };
    let scores = named(&SIMILARITY, METRIC)
        .chain(named(&UTILITY, LEARNERS))
        .chain(named(&ATTACKS, METRIC))
        .chain(named(&CLOSENESS, METRIC))
        .collect();
    let cell = |spread: Option<Spread>| match spread {
        Some(Spread { interval: Some([low, high]), n, .. }) => {
            format!("{} to {} (n = {n})", number(low), number(high))
        }
        Some(spread) => format!("{NONE} (n = {})", spread.n),
        None => NONE.to_owned(),
    };
    let heading = "\n## Intervals over seeds\n";
    let about = "Student's 95 % intervals of the mean over seeds (n of them). They say how much training and sampling vary, not how much another split would change.\n";
    let has = |spread: Spread| spread.interval.is_some();
    by_model(text, report, [heading, about], (scores, &has), &cell);
}

/// The intervals that scores have in each cell.
fn own_intervals(text: &mut String, report: &Report<'_>) {
    let scores = ATTACKS.iter().chain(&OTHERS).map(|(name, heading)| (*name, *heading, METRIC));
    let cell = |spread: Option<Spread>| match spread {
        Some(Spread { own_interval: Some([low, high]), .. }) => {
            format!("{} to {}", number(low), number(high))
        }
        _ => NONE.to_owned(),
    };
    let heading = "\n## Intervals within cells\n";
    let about = "95 % intervals that the scores of one cell have by themselves, the means of their ends over seeds: how much other rows from the same model and for the holdout would change. Whether a score looks like a leak is said under Leaks, by its p-value.\n";
    let has = |spread: Spread| spread.own_interval.is_some();
    by_model(text, report, [heading, about], (scores.collect(), &has), &cell);
}

/// A row for each model on each dataset, a column for each score that some model has; nothing without
/// any.
pub(super) fn by_model(
    text: &mut String,
    report: &Report<'_>,
    [heading, about]: [&str; 2],
    (scores, has): (Vec<Column>, &dyn Fn(Spread) -> bool),
    cell: &dyn Fn(Option<Spread>) -> String,
) {
    let models = || report.tables.iter().flat_map(|table| &table.models);
    let some = |name: &str, pick: Pick| models().any(|own| pick(own, name).is_some_and(has));
    let scores: Vec<Column> =
        scores.into_iter().filter(|(name, _, pick)| some(name, *pick)).collect();
    if scores.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = report
        .tables
        .iter()
        .flat_map(|table| table.models.iter().map(move |model| (table, model)))
        .map(|(table, model)| {
            let mut row = vec![table.dataset.clone(), model.model.clone(), model.status()];
            row.extend(scores.iter().map(|(name, _, pick)| cell(pick(model, name))));
            row
        })
        .collect();
    line(text, heading);
    line(text, about);
    let mut head = vec!["dataset", "model", "status"];
    head.extend(scores.iter().map(|(_, heading, _)| *heading));
    grid(text, &head, &rows);
}

/// How many of a model's planned cells have no values, over all datasets.
fn ended(report: &Report<'_>, model: &str) -> String {
    let own = report.tables.iter().flat_map(|table| &table.models).filter(|own| own.model == model);
    let (planned, ok) = own.fold((0, 0), |(all, ok), own| (all + own.planned, ok + own.ok));
    match planned - ok {
        0 => "none".into(),
        lacking => format!("{lacking} of {planned}"),
    }
}

fn over_datasets(text: &mut String, comparisons: &[Comparison], ended: &dyn Fn(&str) -> String) {
    if comparisons.is_empty() {
        return;
    }
    line(text, "\n## Models over datasets\n");
    line(
        text,
        "Score by score, the mean rank over datasets, 1 is best, by the mean over seeds, and whether the differences can be chance; \"Mean rank\" puts four scores together and counts a failure as the last rank. Scores that should be near their reference are ranked by how near they are. A dataset on which any planned cell has no value is left out for all models, a model without a value anywhere altogether; the notes name them. Cells that failed or were not run yet are counted in the second column and in no rank.\n",
    );
    let mut models: Vec<&String> = Vec::new();
    for model in comparisons.iter().flat_map(|one| one.models.iter().chain(&one.without)) {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    let mut head = vec!["model", "cells without values"];
    head.extend(comparisons.iter().map(|one| one.metric.as_str()));
    let rank = |one: &Comparison, model: &String| {
        let at = one.models.iter().position(|own| own == model);
        at.map_or(NONE.to_owned(), |at| format!("{:.2}", one.mean_ranks[at]))
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for model in models {
        let mut row = vec![model.clone(), ended(model)];
        row.extend(comparisons.iter().map(|one| rank(one, model)));
        rows.push(row);
    }
    let mut last = |name: &str, cell: &dyn Fn(&Comparison) -> String| {
        let mut row = vec![name.to_owned(), String::new()];
        row.extend(comparisons.iter().map(cell));
        rows.push(row);
    };
    last("*datasets*", &|one| one.datasets.len().to_string());
    last("*Friedman p*", &|one| one.p_value.map_or(NONE.into(), p_value));
    grid(text, &head, &rows);
    line(text, "");
    comparisons.iter().for_each(|one| line(text, &format!("- {}", in_words(one))));
}

/// Which models differ, and what was left out.
fn in_words(one: &Comparison) -> String {
    let mut words = format!("`{}`: ", one.metric);
    if one.p_value.is_none() {
        words += "all models are equal on every dataset, so that there is nothing to test. ";
    }
    let differing: Vec<String> = one
        .pairs
        .iter()
        .filter(|pair| pair.p_value <= LEVEL)
        .map(|pair| {
            let (by, p) = (number(pair.median_difference), p_value(pair.p_value));
            format!("{} beats {} (median {by}, p = {p})", pair.better, pair.worse)
        })
        .collect();
    let n = one.datasets.len();
    words += &match (differing.is_empty(), least_p(n, one.pairs.len()) > LEVEL) {
        (false, _) => differing.join("; "),
        (true, true) => format!("{n} datasets are too few for Wilcoxon's test to tell any pair"),
        (true, false) => {
            format!("no pair differs at {} % (Wilcoxon, Holm)", (100.0 * LEVEL).round())
        }
    };
    let gap = |gap: &LeftOut| match gap.models.len() == one.models.len() {
        true => format!("{} (all models)", gap.dataset),
        false => format!("{} ({})", gap.dataset, gap.models.join(", ")),
    };
    if !one.left_out.is_empty() {
        let gaps: Vec<String> = one.left_out.iter().map(gap).collect();
        words += &format!(". Left out for want of a value: {}", gaps.join("; "));
    }
    if !one.without.is_empty() {
        words += &format!(". Without a value on any dataset: {}", one.without.join(", "));
    }
    words
}

/// The least p-value that so many datasets allow the pair that differs most, after Holm.
fn least_p(datasets: usize, pairs: usize) -> f64 {
    (pairs as f64 * 2.0 / 2f64.powi(datasets as i32)).min(1.0)
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::comparison::Pair;

    #[test]
    fn models_are_told_apart_in_words() {
        let mut one = Comparison {
            metric: "shape".into(),
            models: vec!["a".into(), "b".into()],
            datasets: (0..8).map(|at| at.to_string()).collect(),
            left_out: vec![LeftOut { dataset: "adult".into(), models: vec!["b".into()] }],
            without: vec!["c".into()],
            mean_ranks: vec![1.0, 2.0],
            statistic: Some(8.0),
            p_value: Some(0.0047),
            pairs: vec![Pair {
                better: "a".into(),
                worse: "b".into(),
                median_difference: 0.1,
                p_value: 0.0078,
            }],
        };
        let mut text = String::new();
        let ended = |model: &str| if model == "b" { "1 of 9".into() } else { "none".to_owned() };
        over_datasets(&mut text, &[one.clone()], &ended);
        assert!(text.contains("| a            | none                 | 1.00  |"), "{text}");
        assert!(text.contains("| b            | 1 of 9               | 2.00  |"), "{text}");
        assert!(text.contains("| c            | none                 | –     |"), "{text}");
        assert!(text.contains("| *Friedman p* |                      | 0.005 |"), "{text}");
        assert!(text.contains("- `shape`: a beats b (median 0.100, p = 0.008)"), "{text}");
        assert!(text.contains("Left out for want of a value: adult (b). Without"), "{text}");
        let equal = Comparison { statistic: None, p_value: None, pairs: Vec::new(), ..one.clone() };
        assert!(in_words(&equal).contains("all models are equal on every dataset"));
        one.pairs[0].p_value = 0.5;
        assert!(in_words(&one).contains("no pair differs at 5 %"));
        one.datasets.truncate(5);
        assert!(in_words(&one).contains("5 datasets are too few"));
    }
}
