//! What the scores of privacy show of leaks, and what they could not have shown.

use super::comparisons::{METRIC, by_model};
use super::{ATTACKS, CLOSENESS, NONE, grid, line};
use crate::leaks::{self, Finding, Leaks};
use crate::report::summary::{ModelSummary, Report, Spread};

/// Scores that may have a least leak and are in no leaderboard.
const OTHERS: [(&str, &str); 4] = [
    ("dcr_share", "DCR share"),
    ("identical_match_excess", "identical beyond holdout"),
    ("tail_leak", "tail leak"),
    ("feature_obfuscation", "feature obfuscation"),
];

const ABOUT: &str = "A score looks like a leak where synthetic rows that tell no more of the training rows than unseen rows do would have as much once in forty times at most (a one-sided p-value up to 0.025), and clearly so where that p-value times the number of scores is 0.01 at most. The p-value in brackets is that of all seeds together; seeds are named where not each alone says so. All of it takes training and unseen rows for a random split of one table: where the two differ otherwise, any model looks like a leak, `independent` too. The least leak of a score is the least share of the synthetic rows that must be copies of training rows for it to show them four times in five at these numbers of rows; the sharpest score is the one with the least. Nothing seen is no proof: a smaller leak, or one that is no copy, would not show. A generator of typical rows alone comes nearer to training rows than unseen rows do; DCR share and the attacks tell the two apart.\n";

pub(super) fn write(text: &mut String, report: &Report<'_>) {
    let models = report
        .tables
        .iter()
        .flat_map(|table| table.models.iter().map(move |model| (table.dataset.as_str(), model)));
    let told: Vec<(&str, &ModelSummary, &Leaks)> =
        models.filter_map(|(table, model)| Some((table, model, model.leaks.as_ref()?))).collect();
    let judged = || told.iter().filter(|(.., leaks)| leaks.judged() > 0);
    if told.is_empty() || (report.only_cell().is_none() && judged().next().is_none()) {
        return;
    }
    line(text, "\n## Leaks\n");
    match report.only_cell() {
        Some(record) => {
            let words = told.iter().flat_map(|(_, _, leaks)| leaks.in_words(record.rows));
            words.for_each(|words| line(text, &format!("- {words}")));
        }
        None => {
            line(text, ABOUT);
            let rows: Vec<Vec<String>> =
                judged().map(|(table, model, leaks)| row(table, model, leaks)).collect();
            let head = [
                "dataset",
                "model",
                "clearly a leak",
                "looks like a leak",
                "nothing seen",
                "sharpest",
            ];
            grid(text, &head, &rows);
        }
    }
    least_leaks(text, report);
}

fn row(table: &str, model: &ModelSummary, leaks: &Leaks) -> Vec<String> {
    let listed = |findings: &[Finding]| match findings {
        [] => NONE.to_owned(),
        some => leaks::listed(some, model.ok),
    };
    let (clear, others) = leaks.seen.split_at(leaks.seen.partition_point(|finding| finding.clear));
    // What could not have been seen is of no interest where a leak was.
    let sharpest = leaks.least_leak.zip(leaks.sharpest.as_ref()).filter(|_| clear.is_empty());
    vec![
        table.to_owned(),
        model.model.clone(),
        listed(clear),
        listed(others),
        nothing(leaks),
        sharpest.map_or(NONE.into(), |(share, name)| format!("{} ({name})", leaks::percent(share))),
    ]
}

fn nothing(leaks: &Leaks) -> String {
    let seen = format!("{} of {}", leaks.nothing.len(), leaks.able());
    match leaks.blind.len() {
        0 => seen,
        blind => format!("{seen}, {blind} blind"),
    }
}

fn least_leaks(text: &mut String, report: &Report<'_>) {
    let scores = ATTACKS.iter().chain(&CLOSENESS).chain(&OTHERS);
    let scores = scores.map(|(name, heading)| (*name, *heading, METRIC)).collect();
    let cell = |spread: Option<Spread>| match spread {
        Some(Spread { least_leak: Some(share), .. }) => leaks::percent(share),
        _ => NONE.to_owned(),
    };
    let heading = "\n### Least leaks by score\n";
    let about =
        "Means over seeds. A dash: no share of copies would show, or nobody can say which.\n";
    let has = |spread: Spread| spread.least_leak.is_some();
    by_model(text, report, [heading, about], (scores, &has), &cell);
}
