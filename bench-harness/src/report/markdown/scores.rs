//! Every score of a run of one cell, where there is nothing to compare it with but its reference.

use super::{NONE, grid, line, number, one_line};
use crate::leaks::{self, Judge, Verdict};
use crate::record::Record;
use crate::report::summary::Report;
use eval::{Goal, Score};

/// Pairs of columns that are shown.
const PAIRS: usize = 20;

/// The scores of pairs, all of them similarities.
const OF_PAIRS: [&str; 2] = ["contingency_similarity", "correlation_similarity"];

pub(super) fn write(text: &mut String, report: &Report<'_>) {
    if let Some(record) = report.only_cell() {
        all(text, record);
        columns(text, record);
        pairs(text, record);
    }
}

fn all(text: &mut String, record: &Record) {
    let scores: Vec<&Score> =
        record.metrics.iter().filter(|score| score.columns.is_empty()).collect();
    let (told, empty): (Vec<&Score>, Vec<&Score>) =
        scores.into_iter().partition(|score| score.value.is_some());
    if !told.is_empty() {
        line(text, "\n## All scores\n");
        let head = [
            "score",
            "value",
            "95 % interval",
            "reference",
            "better",
            "p-value",
            "least leak",
            "note",
        ];
        let judge = Judge::new(record.rows.train, &record.metrics);
        let rows: Vec<Vec<String>> = told.iter().map(|score| row(judge, score)).collect();
        grid(text, &head, &rows);
    }
    if !empty.is_empty() {
        line(text, "\n## Scores without a value\n");
        let rows: Vec<Vec<String>> = empty
            .iter()
            .map(|score| vec![score.name.clone(), one_line(score.note().unwrap_or(NONE))])
            .collect();
        grid(text, &["score", "reason"], &rows);
    }
}

fn row(judge: Judge, score: &Score) -> Vec<String> {
    let told = |value: Option<f64>| value.map_or(NONE.to_owned(), number);
    let interval = score
        .interval
        .map_or(NONE.to_owned(), |[low, high]| format!("{} to {}", number(low), number(high)));
    let better = match score.goal {
        Goal::Maximize => "higher",
        Goal::Minimize => "lower",
        Goal::Reference => "at the reference",
    };
    let verdict = judge.verdict(score).map(Verdict::in_words);
    let note: Vec<String> = verdict.into_iter().chain(score.note().map(one_line)).collect();
    vec![
        score.name.clone(),
        told(score.value),
        interval,
        told(score.reference),
        better.into(),
        score.p_value.map_or(NONE.to_owned(), leaks::odds),
        score.least_leak.map_or(NONE.to_owned(), leaks::percent),
        note.join("; "),
    ]
}

/// The scores of single columns: a line for each column.
fn columns(text: &mut String, record: &Record) {
    let own: Vec<&Score> = record.metrics.iter().filter(|score| score.columns.len() == 1).collect();
    let (mut scores, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for score in &own {
        if !scores.contains(&score.name.as_str()) {
            scores.push(&score.name);
        }
        if !columns.contains(&score.columns[0].as_str()) {
            columns.push(&score.columns[0]);
        }
    }
    if columns.is_empty() {
        return;
    }
    let find = |column: &str, name: &str| {
        own.iter().find(|score| score.name == name && score.columns[0] == column)
    };
    let rows: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let cells =
                scores.iter().map(|name| find(column, name).map_or(NONE.into(), |one| beside(one)));
            std::iter::once(one_line(column)).chain(cells).collect()
        })
        .collect();
    line(text, "\n## Columns\n");
    line(text, "In brackets what unseen real rows score.\n");
    let head: Vec<&str> = std::iter::once("column").chain(scores.iter().copied()).collect();
    grid(text, &head, &rows);
}

/// The pairs of columns that fall short most of what unseen rows score.
fn pairs(text: &mut String, record: &Record) {
    let own = record.metrics.iter().filter(|score| OF_PAIRS.contains(&score.name.as_str()));
    let short = |score: &Score| Some(score.reference.unwrap_or(1.0) - score.value?);
    let mut worst: Vec<(f64, &Score)> = own
        .filter(|score| score.columns.len() == 2)
        .filter_map(|score| Some((short(score)?, score)))
        .collect();
    if worst.is_empty() {
        return;
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (shown, all) = (worst.len().min(PAIRS), worst.len());
    let rows: Vec<Vec<String>> = worst[..shown]
        .iter()
        .map(|(_, score)| {
            let names = score.columns.iter().map(|name| one_line(name));
            names.chain([score.name.clone(), beside(score)]).collect()
        })
        .collect();
    line(text, "\n## Pairs of columns\n");
    let words = format!(
        "The {shown} of {all} pairs that fall short most; in brackets what unseen real rows score.\n"
    );
    line(text, &words);
    grid(text, &["column", "with", "score", "value"], &rows);
}

/// A value with its reference.
fn beside(score: &Score) -> String {
    let reference = score.reference.map_or(String::new(), |r| format!(" ({})", number(r)));
    score.value.map_or(NONE.to_owned(), |value| number(value) + &reference)
}
