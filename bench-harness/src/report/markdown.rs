//! Tables to read, padded so that they line up in a terminal too.

mod comparisons;
mod documents;
mod leaks;
mod others;
mod published;
mod scores;
mod standing;

use super::DocumentTable;
use super::summary::{ModelSummary, Report, Spread, TableReport, learners};
use crate::record::{Record, Seconds};
use crate::units;
use std::fmt::Write;

const NONE: &str = "–";

/// The scores of predictive utility that are shown, with their headings.
const UTILITY: [(&str, &str); 3] =
    [("auc", "TSTR AUC"), ("macro_f1", "TSTR macro-F1"), ("r2", "TSTR R²")];

/// The scores that every report begins with, with their headings.
const SIMILARITY: [(&str, &str); 3] =
    [("shape", "shape"), ("trend", "trend"), ("trend_dependent", "trend (dependent)")];

/// The indicators of copying that are shown, with their headings.
const CLOSENESS: [(&str, &str); 2] =
    [("dcr_median", "DCR median"), ("identical_match_share", "identical")];

/// The scores against a known law, with their headings.
const LIKELIHOOD: [(&str, &str); 4] = [
    ("likelihood_synthetic", "L_syn"),
    ("likelihood_test", "L_test"),
    ("oracle_log_likelihood", "oracle L"),
    ("modes_covered", "modes"),
];

/// Scores of detection and attacks, with their headings; shown where they were computed.
const ATTACKS: [(&str, &str); 5] = [
    ("detection_boost_auc", "detection AUC"),
    ("membership_auc", "membership AUC"),
    ("singling_out_risk", "singling out"),
    ("linkability_risk", "linkability"),
    ("inference_risk", "inference"),
];

/// Writes the whole report.
pub(super) fn render(report: &Report<'_>) -> Vec<u8> {
    let mut text = title(report);
    let mut notes = Notes::default();
    documents::write(&mut text, report);
    for table in &report.tables {
        leaderboard(&mut text, table, &mut notes);
    }
    notes.write(&mut text);
    leaks::write(&mut text, report);
    scores::write(&mut text, report);
    others::write(&mut text, report);
    published::write(&mut text, report, &crate::published::all());
    comparisons::write(&mut text, report);
    standing::write(&mut text, report);
    remarks(&mut text, report);
    failures(&mut text, report);
    skipped(&mut text, report);
    origin(&mut text, report);
    text.into_bytes()
}

/// Writes the table of a document alone.
pub(super) fn document(report: &Report<'_>, table: DocumentTable) -> String {
    let mut text = title(report);
    documents::one(&mut text, report, table);
    if table == DocumentTable::Report {
        leaks::write(&mut text, report);
    }
    text
}

fn title(report: &Report<'_>) -> String {
    format!("# {}\n", one_line(report.manifest.title.as_deref().unwrap_or("Benchmark")))
}

fn leaderboard(text: &mut String, table: &TableReport, notes: &mut Notes) {
    line(text, &format!("\n## {}\n", table.dataset));
    if let Some(rows) = table.rows {
        line(text, &format!("{} training rows, {} holdout rows.\n", rows.train, rows.holdout));
    }
    let shown: Vec<&(&str, &str)> = UTILITY
        .iter()
        .filter(|(score, _)| table.models.iter().any(|model| model.utility.contains_key(*score)))
        .collect();
    let likelihoods: Vec<&(&str, &str)> =
        LIKELIHOOD.iter().filter(|(score, _)| has_score(table, score)).collect();
    let attacks: Vec<&(&str, &str)> =
        ATTACKS.iter().filter(|(score, _)| has_score(table, score)).collect();
    let similarity = asked_for(table, &SIMILARITY);
    let closeness = asked_for(table, &CLOSENESS);
    let mut head = vec!["model", "status"];
    head.extend(similarity.iter().map(|(_, heading)| *heading));
    head.extend(shown.iter().map(|(_, heading)| *heading));
    head.extend(likelihoods.iter().map(|(_, heading)| *heading));
    head.extend(attacks.iter().map(|(_, heading)| *heading));
    head.extend(closeness.iter().map(|(_, heading)| *heading));
    // Rows that came from elsewhere have neither.
    let timed = |model: &ModelSummary| {
        model.ok == 0 || model.fit_seconds.is_some() || model.sample_seconds.is_some()
    };
    let timed = table.models.iter().any(timed);
    if timed {
        head.extend(["fit", "sample", "peak memory"]);
    }
    let mut rows: Vec<Vec<String>> = table
        .models
        .iter()
        .map(|model| {
            let mut cells = vec![model.model.clone(), model.status()];
            let mut put = |column: Column<'_>| {
                let mark = notes.mark(&table.dataset, model, column);
                cells.push(column.show(model) + &mark);
            };
            similarity.iter().for_each(|(name, _)| put(Column::Similarity(name)));
            shown.iter().for_each(|(score, _)| put(Column::Utility(score)));
            likelihoods.iter().for_each(|(name, _)| put(Column::Beside(name)));
            attacks.iter().for_each(|(name, _)| put(Column::Beside(name)));
            closeness.iter().for_each(|(name, _)| put(Column::Beside(name)));
            if timed {
                cells.extend([seconds(model.fit_seconds), seconds(model.sample_seconds)]);
                cells.push(model.peak_memory_bytes.map_or(NONE.into(), units::show_bytes));
            }
            cells
        })
        .collect();
    rows.extend(holdout(table, &similarity, head.len()));
    grid(text, &head, &rows);
}

/// The scores that the run computed, or failed to. Where nothing was computed at all every column
/// stays, as in a run whose cells failed.
fn asked_for<'a>(
    table: &TableReport,
    scores: &'a [(&'a str, &'a str)],
) -> Vec<&'a (&'a str, &'a str)> {
    let nothing = table.models.iter().all(|model| model.metrics.is_empty());
    let remarked = |name: &str| {
        let mut remarks = table.models.iter().flat_map(|model| &model.remarks);
        remarks.any(|remark| remark.metric == name)
    };
    let kept = |(name, _): &&(&str, &str)| nothing || has_score(table, name) || remarked(name);
    scores.iter().filter(kept).collect()
}

fn has_score(table: &TableReport, name: &str) -> bool {
    table.models.iter().any(|model| model.metrics.contains_key(name))
}

/// A column of scores.
#[derive(Debug, Clone, Copy)]
enum Column<'a> {
    /// A score whose reference stands in the row of the real holdout.
    Similarity(&'a str),
    /// A score with its reference beside it.
    Beside(&'a str),
    /// A score of all learners.
    Utility(&'a str),
}

impl Column<'_> {
    fn spread(self, model: &ModelSummary) -> Option<Spread> {
        match self {
            Column::Similarity(name) | Column::Beside(name) => model.metrics.get(name).copied(),
            Column::Utility(score) => model.utility.get(score).copied(),
        }
    }

    fn show(self, model: &ModelSummary) -> String {
        let Some(spread) = self.spread(model) else { return NONE.into() };
        let reference = match self {
            Column::Similarity(_) => None,
            Column::Beside(_) | Column::Utility(_) => spread.reference,
        };
        let reference = reference.map_or(String::new(), |r| format!(" ({})", number(r)));
        number(spread.mean) + &sd(&spread) + &reference
    }

    /// Whether a table-wide score is shown here.
    fn shows(self, metric: &str) -> bool {
        match self {
            Column::Similarity(name) | Column::Beside(name) => name == metric,
            Column::Utility(score) => learners(metric, score),
        }
    }

    fn name(self) -> String {
        match self {
            Column::Similarity(name) | Column::Beside(name) => name.to_owned(),
            Column::Utility(score) => format!("TSTR {score}"),
        }
    }
}

/// The footnotes of all leaderboards: a value that is not over all cells, or that stands for a
/// collapse, must not look like any other.
#[derive(Debug, Default)]
struct Notes {
    rows: Vec<Vec<String>>,
    count: usize,
}

impl Notes {
    /// The mark of a cell, and its notes kept for later; nothing for a plain value.
    fn mark(&mut self, dataset: &str, model: &ModelSummary, column: Column<'_>) -> String {
        let n = column.spread(model).map_or(0, |spread| spread.n);
        let mut reasons: Vec<(String, String)> = Vec::new();
        if n < model.ok {
            let all = count(model.ok, "cell");
            reasons.push((column.name(), format!("a value in {n} of {all}")));
        }
        for remark in model.remarks.iter().filter(|remark| column.shows(&remark.metric)) {
            let seeds: Vec<String> = remark.seeds.iter().map(u64::to_string).collect();
            let plural = if seeds.len() == 1 { "" } else { "s" };
            let reason = format!("seed{plural} {}: {}", seeds.join(", "), one_line(&remark.reason));
            reasons.push((remark.metric.clone(), reason));
        }
        if reasons.is_empty() {
            return String::new();
        }
        self.count += 1;
        let mark = format!("[{}]", self.count);
        for (metric, reason) in reasons {
            let (dataset, model) = (dataset.to_owned(), model.model.clone());
            self.rows.push(vec![mark.clone(), dataset, model, metric, reason]);
        }
        format!(" {mark}")
    }

    fn write(&self, text: &mut String) {
        if !self.rows.is_empty() {
            line(text, "\n## Notes on values\n");
            grid(text, &["note", "dataset", "model", "metric", "reason"], &self.rows);
        }
    }
}

/// What real rows would get: the reference of the first model that has one.
fn holdout(table: &TableReport, similarity: &[&(&str, &str)], width: usize) -> Option<Vec<String>> {
    let reference = |name: &str| {
        table.models.iter().find_map(|model| model.metrics.get(name).and_then(|s| s.reference))
    };
    let known: Vec<Option<f64>> = similarity.iter().map(|(name, _)| reference(name)).collect();
    if known.iter().all(Option::is_none) {
        return None;
    }
    let mut row = vec!["*real holdout*".to_owned(), NONE.to_owned()];
    row.extend(known.into_iter().map(|value| value.map_or(NONE.into(), number)));
    row.resize(width, NONE.to_owned());
    Some(row)
}

fn remarks(text: &mut String, report: &Report<'_>) {
    line(text, "\n## How to read this\n");
    line(
        text,
        "- `shape` compares single columns, `trend` pairs of columns, `trend (dependent)` only the pairs that depend on each other in the real rows: 1 is best, and a dash means that there is no value.",
    );
    line(
        text,
        "- TSTR trains a classifier on synthetic rows and scores it on real ones; it is the mean over learners, taken in each cell. DCR is the distance to the closest training row, `identical` the share of rows that equal one.",
    );
    line(
        text,
        "- A number in round brackets is the reference, what the score is where nothing is amiss: of TSTR the same learners trained on real rows (TRTR), of DCR and `identical` real holdout rows in place of the synthetic ones, of detection AUC 0.5, of membership AUC what the best of four attacks has by chance, of the risks 0. The row `real holdout` has it for the first columns.",
    );
    if ATTACKS.iter().any(|(name, _)| report.tables.iter().any(|table| has_score(table, name))) {
        line(
            text,
            "- Detection AUC is how well boosted trees tell synthetic rows from unseen real ones, membership AUC how well the best of four attacks tells training rows from unseen ones: 0.5 is best, for membership what stands in brackets. Singling out, linkability and inference are risks beyond those of unseen rows: 0 is best, and what an attack does not find another may.",
        );
    }
    if LIKELIHOOD.iter().any(|(name, _)| report.tables.iter().any(|table| has_score(table, name))) {
        line(
            text,
            "- Where rows were simulated from a law that is known: L_syn is the mean log-likelihood of synthetic rows, L_test that of real rows under what the synthetic ones teach, both by the protocol of the CTGAN paper, with its \"Identity\" (training rows in place of synthetic ones) in brackets. Oracle L is the mean log-likelihood of synthetic rows under the law itself, in brackets that of the holdout rows, and a dash where a synthetic row is impossible. L_test: higher is better. L_syn and oracle L: as in brackets is best, as a generator that has lost modes may lie above. `modes` is the share of the law's modes that have at least a tenth of their rows.",
        );
    }
    line(
        text,
        "- `±` is the standard deviation over seeds. Every seed has the same split. Failed cells are in no mean. A number in square brackets leads to a note: the value is not over all cells, or stands for a collapse.",
    );
    if report.has_model("independent") {
        line(
            text,
            "- **`independent` draws every column by itself and keeps no relation between columns, and still scores high on `shape`, often on `trend` too, because most pairs hardly depend on each other.** A generator has learned something only where it beats `independent` in `trend (dependent)` and in TSTR.",
        );
    }
    if report.has_model("copy") {
        line(
            text,
            "- `copy` repeats training rows: the best fidelity there is, and no privacy at all.",
        );
    }
    if report.has_model("smote") {
        line(
            text,
            "- `smote` draws points between neighbouring training rows: what remembering alone achieves, with next to no privacy.",
        );
    }
    if report.has_model("holdout") {
        line(
            text,
            "- `holdout` is no model: up to half of the holdout rows stand for synthetic ones, and the rest for the holdout. It has fewer rows than a model draws where the holdout part is small.",
        );
    }
    if report.standing().is_none() && report.tables.len() == 1 && report.tables[0].models.len() > 1
    {
        line(
            text,
            "- One table ranks no models: what is best on it may be chance. With two tables and more there are mean ranks.",
        );
    }
    for warning in &report.manifest.warnings {
        line(text, &format!("- {warning}"));
    }
    if report.foreign > 0 {
        line(
            text,
            &format!("- {} cells of earlier plans in this folder are not shown.", report.foreign),
        );
    }
}

fn failures(text: &mut String, report: &Report<'_>) {
    let failed: Vec<&Record> = report.failures().collect();
    if !failed.is_empty() {
        line(text, "\n## Failed cells\n");
        let rows: Vec<Vec<String>> = failed
            .iter()
            .map(|record| {
                vec![
                    record.dataset.clone(),
                    record.model.clone(),
                    record.seed.to_string(),
                    record.status.name().into(),
                    record.phase.clone().unwrap_or_else(|| NONE.into()),
                    one_line(record.reason.as_deref().unwrap_or(NONE)),
                ]
            })
            .collect();
        grid(text, &["dataset", "model", "seed", "status", "phase", "reason"], &rows);
    }
    if !report.missing.is_empty() {
        line(text, "\n## Not run yet\n");
        for cell in &report.missing {
            line(text, &format!("- {}, {}, seed {}", cell.dataset, cell.model, cell.seed));
        }
    }
}

fn skipped(text: &mut String, report: &Report<'_>) {
    if report.manifest.skipped.is_empty() {
        return;
    }
    line(text, "\n## Skipped datasets\n");
    for skipped in &report.manifest.skipped {
        line(text, &format!("- `{}`: {}", skipped.dataset, one_line(&skipped.reason)));
    }
}

fn origin(text: &mut String, report: &Report<'_>) {
    let manifest = report.manifest;
    let machine = &manifest.machine;
    let memory = machine
        .memory_bytes
        .map_or(String::new(), |bytes| format!(", {} of memory", units::show_bytes(bytes)));
    line(text, "\n## Made by\n");
    line(
        text,
        &format!(
            "meg {} on {} ({}, {}), {} cores{memory}{}",
            manifest.version,
            machine.processor.as_deref().unwrap_or("an unnamed processor"),
            machine.os,
            machine.arch,
            machine.cores,
            times(report)
        ),
    );
}

/// How times were taken, where there are any.
fn times(report: &Report<'_>) -> String {
    let judged_alone = |record: &Record| record.is_ok() && record.seconds == Seconds::default();
    if report.only_cell().is_some_and(judged_alone) {
        return ".".into();
    }
    format!(
        "; {} at a time with {} each. Times are wall-clock seconds of exactly the training and exactly the sampling; cells that run at the same time slow each other down.",
        count(report.manifest.jobs, "cell"),
        count(report.manifest.threads, "thread")
    )
}

fn sd(spread: &Spread) -> String {
    // What rounding leaves of equal values is no spread.
    let rounded = |sd: f64| if sd < 1e-9 { 0.0 } else { sd };
    spread.sd.map_or(String::new(), |sd| format!(" ± {}", number(rounded(sd))))
}

fn seconds(spread: Option<Spread>) -> String {
    spread.map_or(NONE.into(), |spread| units::show_seconds(spread.mean))
}

fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.000_5 {
        format!("{value:.0e}")
    } else {
        format!("{value:.3}")
    }
}

fn grid(text: &mut String, head: &[&str], rows: &[Vec<String>]) {
    // Names of tables, models and columns may hold the sign that parts cells.
    let escaped = |cell: &str| cell.replace('|', "\\|");
    let head: Vec<String> = head.iter().map(|cell| escaped(cell)).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect()).collect();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([head[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let padded = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, &width)| format!("{}{}", cell, " ".repeat(width - cell.chars().count())))
            .collect();
        format!("| {} |", cells.join(" | "))
    };
    line(text, &padded(&mut head.iter().map(String::as_str)));
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    line(text, &padded(&mut rule.iter().map(String::as_str)));
    for row in &rows {
        line(text, &padded(&mut row.iter().map(String::as_str)));
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn one_line(text: &str) -> String {
    let text = text.replace("\n  help: ", "; ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
