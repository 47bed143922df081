//! The summary for programs. Fields are added, never renamed.

use super::summary::Report;
use meg_core::{Error, Result};
use serde_json::json;

/// Writes the summary.
///
/// # Errors
/// Never for plain data; the JSON library's own otherwise.
pub(super) fn render(report: &Report<'_>) -> Result<Vec<u8>> {
    let manifest = report.manifest;
    let failed: Vec<_> = report
        .failures()
        .map(|record| {
            json!({
                "dataset": record.dataset,
                "model": record.model,
                "seed": record.seed,
                "status": record.status,
                "phase": record.phase,
                "reason": record.reason,
            })
        })
        .collect();
    let value = json!({
        "schema_version": 1,
        "version": manifest.version,
        "machine": manifest.machine,
        "jobs": manifest.jobs,
        "threads": manifest.threads,
        "tables": report.tables,
        "comparisons": report.comparisons(),
        "standing": report.standing(),
        "failed": failed,
        "not_run": report.missing,
        "skipped": manifest.skipped,
        "warnings": manifest.warnings,
    });
    let mut bytes =
        serde_json::to_vec_pretty(&value).map_err(|error| Error::Request(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
