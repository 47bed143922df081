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
    /// Real rows used.
    pub rows_real: u64,
    /// Synthetic rows used.
    pub rows_synthetic: u64,
    /// Whether there is a value.
    pub status: Status,
    /// Why there is no value, or what the reader must know about it.
    pub reason: Option<String>,
}
