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

/// The trainings of a model, the first one first; `None` is one of which the file of an older version
/// does not tell.
pub(crate) type Trainings = Vec<Option<TrainingRecord>>;

/// What there was before a further training: one at least.
pub(crate) fn before(trainings: Trainings) -> Trainings {
    if trainings.is_empty() { vec![None] } else { trainings }
}

/// The trainings for a reader.
pub(crate) fn sheet(trainings: &[Option<TrainingRecord>]) -> Sheet {
    let rows = trainings.iter().enumerate().map(|(at, one)| {
        let cells = one.as_ref().map(|TrainingRecord { seed, rows, held_out, updates }| {
            [*seed, *rows, *held_out, *updates].map(|cell| cell.to_string())
        });
        let cells = cells.unwrap_or(["unknown"; 4].map(str::to_owned));
        std::iter::once((at + 1).to_string()).chain(cells).collect()
    });
    Sheet::new("trainings", &["training", "seed", "rows", "held out", "updates"], rows)
}
