//! The tables of the two MEG documents, of any models: shown where a run asked for their scores.

use super::{NONE, grid, line, number, sd, seconds};
use crate::record::Record;
use crate::report::DocumentTable;
use crate::report::summary::{ModelSummary, Report, Spread, TableReport};
use crate::units;
use std::collections::BTreeSet;

/// Differences of shares with a larger p-value are none that the test sees.
const LEVEL: f64 = 0.05;

/// The part of a training, at either end, whose mean is shown.
const END: f64 = 0.1;

/// The tables that the run's words of metrics ask for.
pub(super) fn write(text: &mut String, report: &Report<'_>) {
    for table in [DocumentTable::Documentation, DocumentTable::Report] {
        if report.manifest.metrics.iter().any(|word| word == table.word()) {
            one(text, report, table);
        }
    }
}

/// One table, whatever the run asked for; scores that it lacks are dashes.
pub(super) fn one(text: &mut String, report: &Report<'_>, table: DocumentTable) {
    match table {
        DocumentTable::Documentation => documentation(text, report),
        DocumentTable::Report => masked_generator(text, report),
    }
}

fn documentation(text: &mut String, report: &Report<'_>) {
    line(text, "\n## Table of the MEG documentation\n");
    let head = [
        "dataset",
        "model",
        "status",
        "Wasserstein",
        "KS statistic",
        "F1",
        "training time",
        "memory",
        "chi-square p > 0.05",
        "Cramér's V",
        "PCA difference",
    ];
    let row = |table: &TableReport, model: &ModelSummary| {
        let (above, v) = categories(report, &table.dataset, &model.model);
        let f1 = model.utility.get("f1").or_else(|| model.utility.get("macro_f1"));
        vec![
            shown(model.metrics.get("wasserstein").copied(), model.ok),
            shown(model.metrics.get("ks_complement").copied().map(from_one), model.ok),
            shown(f1.copied(), model.ok),
            seconds(model.fit_seconds),
            model.peak_memory_bytes.map_or(NONE.into(), units::show_bytes),
            above,
            shown(v, model.ok),
            shown(model.metrics.get("pca_variance_difference").copied(), model.ok),
        ]
    };
    rows(text, report, &head, row);
    line(
        text,
        "\nMeans over columns and seeds; in brackets what unseen real rows score, for F1 real training rows. Wasserstein distances of number columns are in interquartile ranges. F1 is that of classifiers trained on synthetic rows and tested on real ones (all learners of the run), of the rarer class, or of all classes where there are more than two. The chi-square test is made for each category and seed; its p falls with the number of rows whatever the difference, so that Cramér's V (0 is best) stands beside it. PCA difference is half of the sum of differences of the shares of variance along the principal components (0 is best, 1 worst); the plots are in the HTML report. \"2 of 3\" after a value: only so many seeds have one.",
    );
}

fn masked_generator(text: &mut String, report: &Report<'_>) {
    line(text, "\n## Metrics of the report on the masked generator\n");
    let head = [
        "dataset",
        "model",
        "status",
        "similarity: shape",
        "similarity: trend",
        "KL real to synthetic",
        "KL synthetic to real",
        "utility",
        "generator loss, final",
        "discriminator loss, final",
        "discriminator accuracy, first to last tenth",
        "detection AUC",
        "feature obfuscation",
        "membership AUC",
        "largest risk",
    ];
    let row = |table: &TableReport, model: &ModelSummary| {
        let metric = |name: &str| shown(model.metrics.get(name).copied(), model.ok);
        let end = |names: &[&str], last: bool| {
            names.iter().find_map(|name| end_of(report, (&table.dataset, &model.model), name, last))
        };
        let told = |value: Option<f64>| value.map_or(NONE.to_owned(), number);
        let accuracy = ["discriminator_accuracy"];
        let accuracies = match (end(&accuracy, false), end(&accuracy, true)) {
            (Some(first), Some(last)) => format!("{} to {}", number(first), number(last)),
            _ => NONE.to_owned(),
        };
        let utility = ["auc", "macro_f1", "r2"].iter().find_map(|score| model.utility.get(*score));
        let risks = ["singling_out_risk", "linkability_risk", "inference_risk"];
        // Without one of the three the largest is not known.
        let risks: Option<Vec<Spread>> =
            risks.iter().map(|name| model.metrics.get(*name).copied()).collect();
        let largest =
            risks.and_then(|all| all.into_iter().max_by(|a, b| a.mean.total_cmp(&b.mean)));
        vec![
            metric("shape"),
            metric("trend"),
            metric("kl_real_synthetic"),
            metric("kl_synthetic_real"),
            shown(utility.copied(), model.ok),
            told(end(&["generator_loss", "loss"], true)),
            told(end(&["discriminator_loss", "critic_loss"], true)),
            accuracies,
            metric("detection_boost_auc"),
            metric("feature_obfuscation"),
            metric("membership_auc"),
            shown(largest, model.ok),
        ]
    };
    rows(text, report, &head, row);
    line(
        text,
        "\nIn brackets what unseen real rows score, for utility (TSTR) real training rows. KL in nats, mean over columns. Losses and accuracy are means over the last (or first) tenth of the training's updates; accuracy counts real and drawn rows of the batches before the discriminator learns from them, 0.5 cannot tell, and a dash is a training without a discriminator that tells it. Detection AUC is the same question asked of the finished rows. Feature obfuscation is best near its bracket. \"2 of 3\" after a value: only so many seeds have one. The largest risk is that of singling out, linkability and attribute inference beyond unseen rows: 0 is best.",
    );
}

fn rows(
    text: &mut String,
    report: &Report<'_>,
    head: &[&str],
    row: impl Fn(&TableReport, &ModelSummary) -> Vec<String>,
) {
    let mut rows = Vec::new();
    for table in &report.tables {
        for model in &table.models {
            let mut cells = vec![table.dataset.clone(), model.model.clone(), model.status()];
            cells.extend(row(table, model));
            rows.push(cells);
        }
    }
    match rows.as_slice() {
        // One cell reads better from top to bottom.
        [only] => {
            let lines = head.iter().zip(only).skip(2);
            let lines: Vec<Vec<String>> =
                lines.map(|(name, cell)| vec![(*name).to_owned(), cell.clone()]).collect();
            grid(text, &["", &format!("{}, {}", only[0], only[1])], &lines);
        }
        _ => grid(text, head, &rows),
    }
}

/// A mean over seeds, with how many of those that went well have a value, where not all have.
fn shown(spread: Option<Spread>, ok: usize) -> String {
    let Some(spread) = spread else { return NONE.into() };
    let reference = spread.reference.map_or(String::new(), |r| format!(" ({})", number(r)));
    let part = if spread.n < ok { format!(", {} of {ok}", spread.n) } else { String::new() };
    number(spread.mean) + &sd(&spread) + &reference + &part
}

/// A complement turned back into what it is the complement of.
fn from_one(spread: Spread) -> Spread {
    Spread {
        mean: 1.0 - spread.mean,
        interval: spread.interval.map(|[low, high]| [1.0 - high, 1.0 - low]),
        reference: spread.reference.map(|reference| 1.0 - reference),
        ..spread
    }
}

fn cells<'a>(report: &'a Report<'_>, dataset: &str, model: &str) -> Vec<&'a Record> {
    let own = report.cells.iter().copied().filter(|record| record.is_ok());
    own.filter(|record| record.dataset == dataset && record.model == model).collect()
}

/// How many categories the chi-square test lets pass, over seeds, and the spread over seeds of
/// their mean Cramer's V.
fn categories(report: &Report<'_>, dataset: &str, model: &str) -> (String, Option<Spread>) {
    let (mut above, mut all) = (0, 0);
    let (mut effects, mut references) = (Vec::new(), Vec::new());
    for record in cells(report, dataset, model) {
        let of = |name: &'static str| record.metrics.iter().filter(move |s| s.name == name);
        // Only categories have a total variation; numbers are cut into classes for `chi_square_v`.
        let categories: BTreeSet<&Vec<String>> =
            of("tv_complement").map(|score| &score.columns).filter(|own| own.len() == 1).collect();
        let tests = of("chi_square_v").filter(|score| categories.contains(&score.columns));
        let (mut values, mut real) = (Vec::new(), Vec::new());
        for score in tests {
            let Some(p) = eval::chi_square_p(score) else { continue };
            (above, all) = (above + usize::from(p > LEVEL), all + 1);
            values.extend(score.value);
            real.extend(score.reference);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        effects.extend((!values.is_empty()).then(|| mean(&values)));
        references.extend((!real.is_empty()).then(|| mean(&real)));
    }
    if all == 0 {
        return (NONE.into(), None);
    }
    let reference = Spread::of(&references).map(|spread| spread.mean);
    let spread = Spread::of(&effects).map(|spread| Spread { reference, ..spread });
    (format!("{above} of {all}"), spread)
}

/// The mean of a curve over the first or last tenth of its updates, and that over seeds.
fn end_of(
    report: &Report<'_>,
    (dataset, model): (&str, &str),
    name: &str,
    last: bool,
) -> Option<f64> {
    let mut means = Vec::new();
    for record in cells(report, dataset, model) {
        let Some(details) = report.details.get(&record.key) else { continue };
        let curve = details.curves.iter().find(|curve| curve.name == name);
        let Some(points) = curve.map(|curve| &curve.points).filter(|p| !p.is_empty()) else {
            continue;
        };
        let (from, to) = (points[0][0], points[points.len() - 1][0]);
        let cut = if last { to - END * (to - from) } else { from + END * (to - from) };
        let within = |at: f64| if last { at >= cut } else { at <= cut };
        let values: Vec<f64> =
            points.iter().filter(|point| within(point[0])).map(|point| point[1]).collect();
        means.push(values.iter().sum::<f64>() / values.len() as f64);
    }
    Spread::of(&means).map(|spread| spread.mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curves::Curve;
    use crate::details::Details;
    use crate::record::Status;
    use crate::report::samples::{record, score};
    use crate::store::{Manifest, Planned};
    use std::collections::BTreeMap;

    fn of_column(name: &str, column: &str, value: f64, note: Option<&str>) -> eval::Score {
        eval::Score {
            columns: vec![column.into()],
            reason: note.map(str::to_owned),
            ..score(name, value, Some(0.01))
        }
    }

    #[test]
    fn both_tables_show_what_the_documents_name() {
        let mut cell = record("toy", "meg-classic", 1);
        (cell.status, cell.reason) = (Status::Ok, None);
        cell.seconds.fit = Some(300.0);
        cell.peak_memory_bytes = Some(1536 << 20);
        cell.metrics = vec![
            score("wasserstein", 0.12, Some(0.02)),
            score("ks_complement", 0.95, Some(0.97)),
            score("tstr_tree_f1", 0.8, None),
            score("tstr_boost_f1", 0.9, None),
            of_column("tv_complement", "sex", 0.99, None),
            of_column("tv_complement", "town", 0.7, None),
            of_column("chi_square_v", "sex", 0.02, Some("p = 6.70e-1")),
            of_column("chi_square_v", "town", 0.4, Some("p = 1.00e-9")),
            of_column("chi_square_v", "age", 0.6, Some("p = 1.00e-99")),
            score("shape", 0.9, Some(0.98)),
            score("singling_out_risk", 0.01, None),
            score("linkability_risk", 0.02, None),
            score("inference_risk", 0.03, None),
        ];
        let planned = Planned {
            key: cell.key.clone(),
            dataset: cell.dataset.clone(),
            model: cell.model.clone(),
            seed: 1,
        };
        let manifest = Manifest::here(1, 1, vec![planned]);
        let mut details = Details::new(cell.key.clone());
        let points = (0..=100).map(|at| [f64::from(at), 0.9 - 0.004 * f64::from(at)]).collect();
        details.curves = vec![Curve { name: "discriminator_accuracy".into(), points }];
        let details = BTreeMap::from([(cell.key.clone(), details)]);
        let records = [cell];
        let report = Report::new(&manifest, &records).with_details(&details);
        let mut text = String::new();
        one(&mut text, &report, DocumentTable::Documentation);
        for part in
            ["0.120 (0.020)", "0.050 (0.030)", "0.850", "1 of 2", "0.210 (0.010)", "1.5 GiB"]
        {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        let mut text = String::new();
        one(&mut text, &report, DocumentTable::Report);
        for part in ["0.900 (0.980)", "0.880 to 0.520", "0.030"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        let mut nothing = String::new();
        write(&mut nothing, &report);
        assert!(nothing.is_empty(), "the run asked for no document's metrics");
    }
}
