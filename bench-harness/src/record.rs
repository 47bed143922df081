//! One line of `cells.jsonl`.

use eval::{Score, Status as MetricStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With values.
    Ok,
    /// With an error that the program reported.
    Failed,
    /// The process died.
    Crashed,
    /// The process was ended at the time limit.
    Timeout,
    /// The process needed more memory than allowed or present.
    OutOfMemory,
}

impl Status {
    /// The name, as in the files.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Crashed => "crashed",
            Status::Timeout => "timeout",
            Status::OutOfMemory => "out_of_memory",
        }
    }
}

/// Wall-clock seconds; exactly the call of `fit` and exactly the call of `sample`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Seconds {
    /// Training, transforms included.
    pub fit: Option<f64>,
    /// Drawing as many rows as the training table has.
    pub sample: Option<f64>,
}

/// Largest resident memory of the process during each phase, in bytes; null where unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeakMemory {
    /// During `fit`.
    pub fit: Option<u64>,
    /// During `sample`.
    pub sample: Option<u64>,
    /// While computing the metrics.
    pub evaluate: Option<u64>,
}

/// Table sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rows {
    /// Rows that the model was fitted on.
    pub train: u64,
    /// Rows that it never saw.
    pub holdout: u64,
    /// Rows that it made.
    pub synthetic: u64,
    /// The limit that was asked for.
    pub limit: Option<u64>,
}

/// One finished cell. Everything but `seconds` and the two fields of memory is the same in every
/// run with the same key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// SHA-256 over everything that decides the values.
    pub key: String,
    /// Name of the table.
    pub dataset: String,
    /// Label of the model in this run.
    pub model: String,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub status: Status,
    /// Where it ended, unless it ended well.
    pub phase: Option<String>,
    /// Why, unless it ended well.
    pub reason: Option<String>,
    /// Every setting of the recipe.
    pub recipe: Value,
    /// Times.
    pub seconds: Seconds,
    /// The larger of the peaks of fit and sample: what the model needs.
    pub peak_memory_bytes: Option<u64>,
    /// All scores.
    pub metrics: Vec<Score>,
    /// Name of the model's crate entry; several labels may share one.
    pub entry: String,
    /// Hash of the table.
    pub data_hash: String,
    /// Hash of its split.
    pub split_hash: String,
    /// Table sizes.
    pub rows: Rows,
    /// Kept over drawn rows of rejection sampling; null where nothing was rejected.
    pub acceptance: Option<f64>,
    /// What model and metrics had to say.
    pub notes: Vec<String>,
    /// Device of the tensors.
    pub device: String,
    /// Version of the program.
    pub version: String,
    /// Peaks by phase.
    pub peak_memory: PeakMemory,
}

impl Record {
    /// Whether there are values.
    pub fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// The table-wide score of this name.
    pub fn metric(&self, name: &str) -> Option<&Score> {
        self.metrics.iter().find(|score| score.name == name && score.columns.is_empty())
    }

    /// The value of a table-wide score.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.metric(name).filter(|score| score.status == MetricStatus::Ok)?.value
    }

    /// Turns the record into that of a cell without values.
    #[must_use]
    pub fn ended(mut self, status: Status, phase: Option<String>, reason: String) -> Self {
        self.status = status;
        self.phase = phase;
        self.reason = Some(reason);
        self.metrics.clear();
        self
    }

    /// The line for the file, without line end.
    pub fn line(&self) -> String {
        // Plain data without maps of odd keys: writing it as JSON cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
