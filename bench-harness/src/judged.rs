//! A synthetic table that was made elsewhere, as a cell of its own: so that the reports of a benchmark
//! show it too.

use crate::details::Details;
use crate::record::{PeakMemory, Record, Rows, Seconds, Status};
use crate::report::{self, Format};
use crate::store::{Manifest, Planned};
use crate::{VERSION, beside, registry};
use eval::{Comparison, Score};
use meg_core::{Result, Table};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What was compared, in the words of the user.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The training rows.
    pub train: &'a str,
    /// The synthetic rows.
    pub synthetic: &'a str,
    /// The words that chose the scores.
    pub metrics: &'a [String],
}

/// The record of a table and its scores: no model, no time, no recipe.
pub fn record(named: Named<'_>, comparison: &Comparison<'_>, scores: Vec<Score>) -> Record {
    let rows = Rows {
        train: comparison.train.rows() as u64,
        holdout: comparison.holdout.map_or(0, Table::rows) as u64,
        synthetic: comparison.synthetic.rows() as u64,
        limit: None,
    };
    let decisive = serde_json::json!({
        "judged": [named.train, named.synthetic],
        "metrics": named.metrics,
        "seed": comparison.seed.0,
        "version": VERSION,
    });
    let digest = Sha256::digest(registry::canonical(&decisive));
    Record {
        key: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        dataset: named.train.into(),
        model: named.synthetic.into(),
        seed: comparison.seed.0,
        status: Status::Ok,
        phase: None,
        reason: None,
        recipe: Value::Null,
        seconds: Seconds::default(),
        peak_memory_bytes: None,
        metrics: scores,
        entry: String::new(),
        data_hash: String::new(),
        split_hash: String::new(),
        rows,
        acceptance: None,
        notes: Vec::new(),
        device: "cpu".into(),
        version: VERSION.into(),
        peak_memory: PeakMemory::default(),
    }
}

/// The page of a judged table: scores, leaks, pictures; `remarks` are what the reader must know
/// besides.
///
/// # Errors
/// Never for records of [`record`].
pub fn page(
    named: Named<'_>,
    record: &Record,
    comparison: &Comparison<'_>,
    remarks: Vec<String>,
) -> Result<Vec<u8>> {
    let cell = Planned {
        key: record.key.clone(),
        dataset: record.dataset.clone(),
        model: record.model.clone(),
        seed: record.seed,
    };
    let mut manifest = Manifest::here(1, comparison.threads, vec![cell]);
    manifest.title = Some(format!("{} beside {}", named.synthetic, named.train));
    manifest.metrics = named.metrics.to_vec();
    manifest.warnings = remarks;
    let mut details = Details::new(record.key.clone());
    details.project(comparison);
    details.columns = beside::columns(comparison);
    let details = BTreeMap::from([(record.key.clone(), details)]);
    report::render(Format::Html, &manifest, std::slice::from_ref(record), &details)
}
