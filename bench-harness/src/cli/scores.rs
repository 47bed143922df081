//! Scores as text: what a person who has to decide something reads first.

use super::output;
use bench_harness::leaks::{self, Judge, Leaks, Verdict};
use bench_harness::record::Record;
use eval::{Goal, Score};

/// The scores that have a value or a reference, those of privacy in a table of their own, and what
/// they say of leaks. Scores of single columns and pairs with `all` alone.
pub(super) fn show(record: &Record, all: bool) -> String {
    let told = record.metrics.iter().filter(|score| all || score.columns.is_empty());
    let told = told.filter(|score| !is_empty(score));
    let (private, others): (Vec<&Score>, Vec<&Score>) =
        told.partition(|score| leaks::is_of_privacy(&score.name));
    let mut tables: Vec<String> = Vec::new();
    if !others.is_empty() {
        let heading = ["metric", "value", "95 % interval", "reference", "better", ""];
        tables.push(table(heading, others.into_iter().map(quality)));
    }
    if !private.is_empty() {
        let heading =
            ["privacy", "value", "95 % interval", "leaks beyond", "p-value", "least leak", ""];
        let judge = Judge::new(record.rows.train, &record.metrics);
        tables.push(table(heading, private.into_iter().map(|score| privacy(score, judge))));
    }
    let mut text = tables.join("\n");
    if let Some(leaks) = Leaks::of(&[record]) {
        text.push_str(&summary(&leaks, record));
    }
    text
}

/// Whether a score has nothing to show but a reason.
pub(super) fn is_empty(score: &Score) -> bool {
    score.value.is_none() && score.reference.is_none()
}

/// The score's name, with the columns that it is about.
pub(super) fn named(score: &Score) -> String {
    match score.columns.as_slice() {
        [] => score.name.clone(),
        columns => format!("{} ({})", score.name, columns.join(", ")),
    }
}

/// What the scores say of leaks, a paragraph each.
pub(super) fn summary(leaks: &Leaks, record: &Record) -> String {
    let words = leaks.in_words(record.rows);
    std::iter::once("\n".to_owned())
        .chain(words.iter().map(|words| output::wrapped("", words)))
        .collect()
}

fn table<const N: usize>(heading: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut all = vec![heading.map(str::to_owned).to_vec()];
    all.extend(rows.map(|row| row.to_vec()));
    output::wrapped_columns(&without_empty_columns(all))
}

const NONE: &str = "–";

/// A column in which no row has anything takes no place.
fn without_empty_columns(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    for at in (0..rows[0].len()).rev() {
        if rows[1..].iter().all(|row| row[at].is_empty() || row[at] == NONE) {
            rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }
    rows
}

fn quality(score: &Score) -> [String; 6] {
    let better = match score.goal {
        Goal::Maximize => "higher",
        Goal::Minimize => "lower",
        Goal::Reference => "reference",
    };
    let note = score.reason.clone().unwrap_or_default();
    let [name, value, interval, reference] = measured(score);
    [name, value, interval, reference, better.into(), note]
}

fn privacy(score: &Score, judge: Judge) -> [String; 7] {
    let verdict = judge.verdict(score).map(Verdict::in_words);
    let note = verdict.into_iter().chain(score.note().map(str::to_owned));
    let [name, value, interval, reference] = measured(score);
    let least = score.least_leak.map_or(String::new(), leaks::percent);
    // The reference, and on which side of it a leak would be.
    let beyond = match leaks::leaking_side(&score.name) {
        _ if score.reference.is_none() => reference,
        Some("lower") => format!("< {reference}"),
        Some(_) => format!("> {reference}"),
        None => reference,
    };
    let p_value = score.p_value.map_or(String::new(), leaks::odds);
    [name, value, interval, beyond, p_value, least, note.collect::<Vec<_>>().join("; ")]
}

fn measured(score: &Score) -> [String; 4] {
    let told = |value: Option<f64>| value.map_or(NONE.to_owned(), |value| number(value, 4));
    let interval = score
        .interval
        .map_or(String::new(), |[low, high]| format!("{} to {}", number(low, 3), number(high, 3)));
    [named(score), told(score.value), interval, told(score.reference)]
}

/// So many decimals, or an exponent where these would show nothing.
fn number(value: f64, decimals: usize) -> String {
    let size = value.abs();
    match size {
        _ if size != 0.0 && size < 0.5 * 0.1f64.powi(decimals as i32) => format!("{value:.0e}"),
        _ if size >= 1e6 => format!("{value:.3e}"),
        _ => format!("{value:.decimals$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_something() {
        let shown = [0.0, 0.04321, 0.00004, 12_345_678.0, -0.5].map(|value| number(value, 4));
        assert_eq!(shown, ["0.0000", "0.0432", "4e-5", "1.235e7", "-0.5000"]);
    }
}
