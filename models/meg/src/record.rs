//! What a saved model tells of the trainings behind it.

use meg_core::Sheet;
use serde::{Deserialize, Serialize};

/// One training of a model: the first, or one that went on from what was saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingRecord {
    pub seed: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Those of them that no update learned from, because they decided when to stop.
    pub held_out: u64,
    /// Updates of all networks that were trained, those that were not kept included.
    pub updates: u64,
}

/// The trainings for a reader, the first one first.
pub(crate) fn sheet(trainings: &[TrainingRecord]) -> Sheet {
    let rows = trainings.iter().enumerate().map(|(at, one)| {
        let TrainingRecord { seed, rows, held_out, updates } = one;
        [at as u64 + 1, *seed, *rows, *held_out, *updates].map(|cell| cell.to_string()).to_vec()
    });
    Sheet::new("trainings", &["training", "seed", "rows", "held out", "updates"], rows)
}
