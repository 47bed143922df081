//! One line per cell and table-wide score: the long form that statistics programs like.

use super::summary::Report;
use crate::record::Record;
use meg_core::{Error, Result};
use polars::prelude::{Column, CsvWriter, DataFrame, NamedFrom, PolarsError, SerWriter, Series};

/// Writes the table of results.
///
/// # Errors
/// When the table library refuses.
pub(super) fn render(report: &Report<'_>) -> Result<Vec<u8>> {
    let lines: Vec<Line> = report.cells.iter().flat_map(|record| lines(record)).collect();
    table(&lines).map_err(|error| Error::Request(error.to_string()))
}

struct Line {
    dataset: String,
    model: String,
    seed: u64,
    status: &'static str,
    metric: String,
    value: Option<f64>,
    reference: Option<f64>,
    reason: Option<String>,
    interval: [Option<f64>; 2],
    p_value: Option<f64>,
    least_leak: Option<f64>,
}

fn lines(record: &Record) -> Vec<Line> {
    let line = |metric: &str, value, reference, reason: Option<&String>| Line {
        dataset: record.dataset.clone(),
        model: record.model.clone(),
        seed: record.seed,
        status: record.status.name(),
        metric: metric.to_owned(),
        value,
        reference,
        reason: reason.or(record.reason.as_ref()).cloned(),
        interval: [None; 2],
        p_value: None,
        least_leak: None,
    };
    let mut lines = vec![
        line("fit_seconds", record.seconds.fit, None, None),
        line("sample_seconds", record.seconds.sample, None, None),
        line("peak_memory_bytes", record.peak_memory_bytes.map(|bytes| bytes as f64), None, None),
    ];
    let table_wide = record.metrics.iter().filter(|score| score.columns.is_empty());
    lines.extend(table_wide.map(|score| Line {
        interval: [0, 1].map(|end: usize| score.interval.map(|ends| ends[end])),
        p_value: score.p_value,
        least_leak: score.least_leak,
        ..line(&score.name, score.value, score.reference, score.reason.as_ref())
    }));
    lines
}

fn table(lines: &[Line]) -> Result<Vec<u8>, PolarsError> {
    fn column<'a, T, S>(lines: &'a [Line], name: &str, pick: fn(&'a Line) -> T) -> Column
    where
        Series: NamedFrom<Vec<T>, S>,
        S: ?Sized,
    {
        let cells: Vec<T> = lines.iter().map(pick).collect();
        Series::new(name.into(), cells).into()
    }
    let columns = vec![
        column(lines, "dataset", |line| line.dataset.as_str()),
        column(lines, "model", |line| line.model.as_str()),
        column(lines, "seed", |line| line.seed),
        column(lines, "status", |line| line.status),
        column(lines, "metric", |line| line.metric.as_str()),
        column(lines, "value", |line| line.value),
        column(lines, "reference", |line| line.reference),
        column(lines, "reason", |line| line.reason.as_deref()),
        column(lines, "interval_low", |line| line.interval[0]),
        column(lines, "interval_high", |line| line.interval[1]),
        column(lines, "p_value", |line| line.p_value),
        column(lines, "least_leak", |line| line.least_leak),
    ];
    let mut frame = DataFrame::new(lines.len(), columns)?;
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}
