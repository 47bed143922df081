//! The common rank of the models.

use super::{grid, line};
use crate::report::standing::{Place, Standing};
use crate::report::summary::Report;

pub(super) fn write(text: &mut String, report: &Report<'_>) {
    if let Some(standing) = report.standing() {
        show(text, &standing);
    }
}

fn show(text: &mut String, standing: &Standing) {
    line(text, "\n## Mean rank\n");
    line(
        text,
        &format!(
            "Over {} (1 is best): the rank by the mean over seeds in each table, the mean over tables for each score, and the mean of these. TSTR is the AUC, macro-F1 or R² of the table's target. A model without a value in any seed where another has one takes the last rank there; the yardsticks that hold real rows are not ranked.\n",
            standing.datasets.join(", ")
        ),
    );
    let mut head = vec!["model", "mean rank"];
    head.extend(standing.scores.iter().map(String::as_str));
    head.push("last for want of a value");
    let rows: Vec<Vec<String>> = standing
        .models
        .iter()
        .map(|place| {
            let mut row = vec![place.model.clone(), format!("{:.2}", place.mean_rank)];
            row.extend(place.by_score.iter().map(|rank| format!("{rank:.2}")));
            row.push(lost(place));
            row
        })
        .collect();
    grid(text, &head, &rows);
    if !standing.left_out.is_empty() {
        line(text, "");
    }
    for (dataset, reason) in &standing.left_out {
        line(text, &format!("- {dataset} is left out: {reason}"));
    }
}

/// Tables and scores, by table.
fn lost(place: &Place) -> String {
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for (dataset, score) in &place.lost {
        match tables.iter_mut().find(|(known, _)| known == dataset) {
            Some((_, scores)) => scores.push(score),
            None => tables.push((dataset, vec![score])),
        }
    }
    let words: Vec<String> = tables
        .into_iter()
        .map(|(dataset, scores)| format!("{dataset} ({})", scores.join(", ")))
        .collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_losses_are_shown() {
        let place = |model: &str, lost: &[(&str, &str)]| Place {
            model: model.into(),
            mean_rank: 1.25,
            by_score: vec![1.0, 1.5],
            lost: lost.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        };
        let standing = Standing {
            scores: vec!["TSTR".into(), "trend".into()],
            datasets: vec!["car".into(), "nursery".into()],
            left_out: vec![("adult".into(), "cells of meg are not run yet".into())],
            models: vec![
                place("meg", &[]),
                place("tgan", &[("car", "TSTR"), ("car", "trend"), ("nursery", "trend")]),
            ],
        };
        let mut text = String::new();
        show(&mut text, &standing);
        assert!(text.contains("| meg   | 1.25      | 1.00 | 1.50  |"), "{text}");
        assert!(text.contains("car (TSTR, trend); nursery (trend)"), "{text}");
        assert!(text.contains("- adult is left out: cells of meg"), "{text}");
    }
}
