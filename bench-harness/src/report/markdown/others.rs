//! The scores of a run that no leaderboard has.

use super::{ATTACKS, CLOSENESS, LIKELIHOOD, NONE, SIMILARITY, grid, line, number, sd};
use crate::report::summary::{ModelSummary, Report, TableReport};
use std::collections::BTreeSet;

/// More are no table that anybody reads.
const MOST: usize = 40;

/// Learners stand in the leaderboards with the mean over all of them.
const LEARNERS: [&str; 2] = ["tstr_", "trtr_"];

pub(super) fn write(text: &mut String, report: &Report<'_>) {
    // A single cell has all of its scores in a table of its own.
    if report.only_cell().is_some() {
        return;
    }
    let others: Vec<(&TableReport, Vec<&str>)> =
        report.tables.iter().map(|table| (table, names(table))).collect();
    let all: BTreeSet<&str> = others.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    if all.is_empty() {
        return;
    }
    line(text, "\n## Other scores\n");
    if all.len() > MOST {
        line(
            text,
            &format!(
                "{} more scores were computed: `meg report RUN --format csv` lists them, cell by cell.",
                all.len()
            ),
        );
        return;
    }
    line(
        text,
        "Means over seeds, ± their standard deviation, and in round brackets the reference.\n",
    );
    for (table, names) in others.iter().filter(|(_, names)| !names.is_empty()) {
        if report.tables.len() > 1 {
            line(text, &format!("\n### {}\n", table.dataset));
        }
        let head: Vec<&str> = std::iter::once("score")
            .chain(table.models.iter().map(|model| model.model.as_str()))
            .collect();
        grid(text, &head, &names.iter().map(|name| row(table, name)).collect::<Vec<_>>());
    }
}

fn names(table: &TableReport) -> Vec<&str> {
    let shown = [&SIMILARITY[..], &CLOSENESS, &LIKELIHOOD, &ATTACKS];
    let shown: Vec<&str> =
        shown.iter().flat_map(|list| list.iter().map(|(name, _)| *name)).collect();
    let is_other = |name: &&str| {
        !shown.contains(name) && !LEARNERS.iter().any(|start| name.starts_with(start))
    };
    let all: BTreeSet<&str> =
        table.models.iter().flat_map(|model| model.metrics.keys().map(String::as_str)).collect();
    all.into_iter().filter(is_other).collect()
}

fn row(table: &TableReport, name: &str) -> Vec<String> {
    let cell = |model: &ModelSummary| match model.metrics.get(name) {
        Some(spread) => {
            let reference =
                spread.reference.map_or(String::new(), |value| format!(" ({})", number(value)));
            number(spread.mean) + &sd(spread) + &reference
        }
        None => NONE.to_owned(),
    };
    std::iter::once(name.to_owned()).chain(table.models.iter().map(cell)).collect()
}
