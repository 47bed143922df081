//! Made-up results for tests, and the snapshots of all formats.

use super::svg::tests::check_well_formed;
use super::{Format, render};
use crate::cell::Job;
use crate::curves::Curve;
use crate::details::Details;
use crate::machine::Machine;
use crate::record::{Record, Seconds, Status};
use crate::resolve::Skipped;
use crate::store::{Manifest, Planned};
use eval::{Goal, Projection, Score};
use meg_core::{GeneratorMask, Instructions, Masks};
use std::collections::BTreeMap;

/// A record without values.
pub(crate) fn record(dataset: &str, model: &str, seed: u64) -> Record {
    let job = Job {
        dataset: dataset.into(),
        table: dataset.into(),
        data_hash: "d".into(),
        split_hash: "s".into(),
        label: model.into(),
        model: model.into(),
        settings: String::new(),
        entry: model.into(),
        recipe: serde_json::json!({}),
        seed,
        rows: None,
        threads: 1,
        device: "cpu".into(),
        plain: false,
        instructions: Instructions::Portable.name().into(),
        metrics: Vec::new(),
        memory_limit: None,
        folders: Vec::new(),
        cache: std::path::PathBuf::new(),
        sample_file: None,
        details_file: None,
    };
    job.record()
}

pub(crate) fn score(name: &str, value: f64, reference: Option<f64>) -> Score {
    Score {
        name: name.into(),
        columns: Vec::new(),
        value: Some(value),
        goal: Goal::Maximize,
        range: [Some(0.0), Some(1.0)],
        reference,
        interval: None,
        least_leak: None,
        p_value: None,
        rows_real: 10,
        rows_synthetic: 10,
        status: eval::Status::Ok,
        reason: None,
    }
}

fn finished(model: &str, seed: u64, shape: f64) -> Record {
    let mut record = record("toy", model, seed);
    record.status = Status::Ok;
    record.reason = None;
    record.seconds = Seconds { fit: Some(1.25), sample: Some(0.5) };
    record.peak_memory_bytes = Some(32 << 20);
    (record.rows.train, record.rows.holdout, record.rows.synthetic) = (100, 50, 100);
    record.metrics = vec![
        score("shape", shape, Some(0.99)),
        score("trend", 0.8, Some(0.98)),
        score("trend_dependent", 0.1, Some(0.97)),
        score("tstr_tree_auc", 0.5, None),
        score("trtr_tree_auc", 0.9, None),
        Score { p_value: Some(0.0125), ..score("dcr_median", 0.2, Some(0.25)) },
        Score { p_value: Some(1.0), ..score("identical_match_share", 0.0, Some(0.0)) },
        Score {
            goal: Goal::Reference,
            interval: Some([0.5, 0.75]),
            ..score("detection_boost_auc", 0.625, Some(0.5))
        },
        Score {
            goal: Goal::Reference,
            interval: Some([0.25, 0.5]),
            least_leak: Some(0.125),
            p_value: Some(0.875),
            ..score("dcr_share", 0.375, Some(0.5))
        },
    ];
    record
}

fn run() -> (Manifest, Vec<Record>) {
    let failed = record("toy", "ctgan", 1).ended(
        Status::Timeout,
        Some("train".into()),
        "ended at the time limit of 1.0 s".into(),
    );
    let mut doubtful = finished("independent", 2, 0.94);
    let no_pair = &mut doubtful.metrics[2];
    (no_pair.value, no_pair.status) = (None, eval::Status::Undefined);
    no_pair.reason = Some("undefined for all pairs: a × b".into());
    doubtful.metrics[3].reason = Some("the rows to learn from have one class only".into());
    doubtful.metrics[0].reason = Some("worst: a (0.1)".into());
    let records = vec![finished("independent", 1, 0.9), doubtful, failed];
    let missing = record("toy", "ctgan", 2);
    let cells = records.iter().chain([&missing]).map(|record| Planned {
        key: record.key.clone(),
        dataset: record.dataset.clone(),
        model: record.model.clone(),
        seed: record.seed,
    });
    let machine = Machine {
        os: "linux".into(),
        arch: "x86_64".into(),
        processor: Some("Abacus".into()),
        cores: 2,
        memory_bytes: Some(8 << 30),
    };
    let skipped = Skipped { dataset: "adult".into(), reason: "not found\n  help: get it".into() };
    let manifest = Manifest {
        machine,
        version: "0.0.0".into(),
        skipped: vec![skipped],
        warnings: vec!["a and b share rows.".into()],
        ..Manifest::here(2, 1, cells.collect())
    };
    (manifest, records)
}

fn check(format: Format, expected: &str) {
    let (manifest, records) = run();
    let details = BTreeMap::new();
    let text = String::from_utf8(render(format, &manifest, &records, &details).unwrap()).unwrap();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let name = format!("{format:?}").to_lowercase();
        let path = format!("{}/src/report/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &text).unwrap();
    } else {
        assert_eq!(text, expected, "run with UPDATE_SNAPSHOTS=1 when this change is meant");
    }
}

#[test]
fn markdown_is_as_before() {
    check(Format::Markdown, include_str!("snapshots/markdown.txt"));
}

#[test]
fn csv_is_as_before() {
    check(Format::Csv, include_str!("snapshots/csv.txt"));
}

#[test]
fn json_is_as_before() {
    check(Format::Json, include_str!("snapshots/json.txt"));
}

#[test]
fn the_page_is_well_formed_whatever_models_and_columns_are_called() {
    let (manifest, records) = run();
    let mut details = Details::new(records[0].key.clone());
    let name = "<script>alert(\"a & b\")</script>";
    details.curves =
        vec![Curve { name: "loss".into(), points: vec![[1.0, 0.5], [2.0, 0.25], [3.0, 0.2]] }];
    details.masks = Some(Masks {
        columns: vec![name.into(), "b".into()],
        generators: vec![
            GeneratorMask { name: "1".into(), makes: vec![0], sees: vec![] },
            GeneratorMask { name: "2".into(), makes: vec![1], sees: vec![0] },
        ],
    });
    let points = vec![[0.0, 1.0], [2.0, -1.0], [0.5, 9.0]];
    details.components =
        Some(Projection { shares: [0.6, 0.3], real: points[..2].to_vec(), synthetic: points });
    let details = BTreeMap::from([(details.key.clone(), details)]);
    let page = render(Format::Html, &manifest, &records, &details).unwrap();
    let page = String::from_utf8(page).unwrap();
    check_well_formed(&page);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    for part in [
        "<h2>toy</h2>",
        "component 1 (60 % of the variance)",
        "1 of 3 synthetic rows lie beyond",
        "<em>real holdout</em>",
        "Failed cells",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert_eq!(page.matches("<svg").count(), 3);
    let again = render(Format::Html, &manifest, &records, &details).unwrap();
    assert_eq!(page.into_bytes(), again);
}
