use serde::{Deserialize, Serialize};

/// What is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Higher is better.
    Maximize,
    /// Lower is better.
    Minimize,
    /// The value of the holdout reference is best.
    Reference,
}

/// Whether there is a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is a value.
    Ok,
    /// The metric has no meaning on these data.
    Undefined,
    /// The metric was not computed (too few rows, no holdout, no target).
    Skipped,
    /// The computation failed.
    Failed,
}

/// The result of one metric: a value or a reason, never a stand-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Name of the metric.
    pub name: String,
    /// None for the whole table, one for a column, two for a pair.
    pub columns: Vec<String>,
    /// The value; `None` unless the status is `ok`.
    pub value: Option<f64>,
    /// What is better.
    pub goal: Goal,
    /// Smallest and largest possible value; `None` is unbounded.
    pub range: [Option<f64>; 2],
    /// The same metric with holdout rows in place of the synthetic ones.
    pub reference: Option<f64>,
    /// Where the value would lie in 95 of 100 repetitions with other rows, for scores that know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Real rows used.
    pub rows_real: u64,
    /// Synthetic rows used.
    pub rows_synthetic: u64,
    /// Whether there is a value.
    pub status: Status,
    /// Why there is no value, or what the reader must know about it.
    pub reason: Option<String>,
}

impl Score {
    pub(crate) fn new(kind: &Kind, columns: &[&str], reading: Reading) -> Self {
        let (status, value, reason) = match reading.value {
            Ok(value) if value.is_finite() => (Status::Ok, Some(value), reading.note),
            Ok(value) => (Status::Undefined, None, Some(format!("the value came out as {value}"))),
            Err(gap) => (gap.status, None, Some(gap.reason)),
        };
        Self {
            name: kind.name.into(),
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            value,
            goal: kind.goal,
            range: kind.range,
            reference: None,
            interval: reading.interval.filter(|_| value.is_some()),
            rows_real: reading.rows_real as u64,
            rows_synthetic: reading.rows_synthetic as u64,
            status,
            reason,
        }
    }

    pub(crate) fn with_reference(mut self, reference: Option<f64>) -> Self {
        self.reference = reference.filter(|value| value.is_finite());
        self
    }
}

/// What all scores of one name have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) goal: Goal,
    pub(crate) range: [Option<f64>; 2],
}

impl Kind {
    /// A similarity or a quality in 0..=1, where more is better.
    pub(crate) const fn similarity(name: &'static str) -> Self {
        Self { name, goal: Goal::Maximize, range: [Some(0.0), Some(1.0)] }
    }

    /// A distance in 0..=1, where less is better.
    pub(crate) const fn distance(name: &'static str) -> Self {
        Self { name, goal: Goal::Minimize, range: [Some(0.0), Some(1.0)] }
    }

    /// A distance without an upper end, where less is better.
    pub(crate) const fn unbounded(name: &'static str) -> Self {
        Self { name, goal: Goal::Minimize, range: [Some(0.0), None] }
    }

    /// A share of what there is to explain, at most 1, where more is better.
    pub(crate) const fn explained(name: &'static str) -> Self {
        Self { name, goal: Goal::Maximize, range: [None, Some(1.0)] }
    }

    /// A share in 0..=1 that should be what it is for unseen real rows.
    pub(crate) const fn like_holdout(name: &'static str) -> Self {
        Self { name, goal: Goal::Reference, range: [Some(0.0), Some(1.0)] }
    }
}

/// A measurement before it gets its name: value or gap, and the rows behind it.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) value: Result<f64, Gap>,
    pub(crate) note: Option<String>,
    pub(crate) interval: Option<[f64; 2]>,
    pub(crate) rows_real: usize,
    pub(crate) rows_synthetic: usize,
}

/// Why there is no value.
#[derive(Debug, Clone)]
pub(crate) struct Gap {
    pub(crate) status: Status,
    pub(crate) reason: String,
}

impl Gap {
    pub(crate) fn undefined(reason: impl Into<String>) -> Self {
        Self { status: Status::Undefined, reason: reason.into() }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self { status: Status::Skipped, reason: reason.into() }
    }

    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self { status: Status::Failed, reason: reason.into() }
    }
}

impl Reading {
    pub(crate) fn new(value: Result<f64, Gap>, rows_real: usize, rows_synthetic: usize) -> Self {
        Self { value, note: None, interval: None, rows_real, rows_synthetic }
    }

    pub(crate) fn note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    pub(crate) fn interval(mut self, interval: Option<[f64; 2]>) -> Self {
        self.interval = interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
        self
    }

    /// The value, if there is a finite one.
    pub(crate) fn ok(&self) -> Option<f64> {
        self.value.as_ref().ok().copied().filter(|value| value.is_finite())
    }
}

/// The mean of those readings that have a value, of a similarity. See [`mean_for`].
pub(crate) fn mean<'a>(
    parts: &str,
    readings: impl Iterator<Item = (String, &'a Reading)>,
    rows: (usize, usize),
) -> Reading {
    mean_for(Goal::Maximize, parts, readings, rows)
}

/// The mean of those readings that have a value. What has none is counted and listed, so that a
/// collapsed column cannot leave the mean unnoticed; the worst part is named.
///
/// `parts` says what the labels are ("columns", "pairs").
pub(crate) fn mean_for<'a>(
    goal: Goal,
    parts: &str,
    readings: impl Iterator<Item = (String, &'a Reading)>,
    rows: (usize, usize),
) -> Reading {
    let sign = if goal == Goal::Minimize { -1.0 } else { 1.0 };
    let (mut total, mut defined, mut all) = (0.0, 0usize, 0usize);
    let mut worst: Option<(f64, String)> = None;
    let mut gaps = Vec::new();
    for (label, reading) in readings {
        all += 1;
        let Some(value) = reading.ok() else {
            gaps.push(label);
            continue;
        };
        total += value;
        defined += 1;
        if worst.as_ref().is_none_or(|(least, _)| sign * value < sign * *least) {
            worst = Some((value, label));
        }
    }
    let reading = |value| Reading::new(value, rows.0, rows.1);
    let Some((least, label)) = worst else {
        let reason = match gaps.is_empty() {
            true => format!("there are no {parts} of the kind it compares"),
            false => format!("undefined for all {parts}: {}", listed(&gaps)),
        };
        return reading(Err(Gap::undefined(reason)));
    };
    let mut notes = Vec::new();
    if !gaps.is_empty() {
        notes.push(format!("mean over {defined} of {all} {parts}; undefined: {}", listed(&gaps)));
    }
    let mean = total / defined as f64;
    if sign * least < sign * mean - 1e-9 {
        notes.push(format!("worst: {label} ({least:.3})"));
    }
    let note = Some(notes.join("; ")).filter(|note| !note.is_empty());
    reading(Ok(mean)).note(note)
}

/// The first names, and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0..=SHOWN => shown,
        more => format!("{shown} and {} more", more - SHOWN),
    }
}
