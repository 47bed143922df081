//! An interrupted training goes on to the same bytes; a wrong or damaged state is an error.

use meg_core::conformance::Training;

/// 5 updates in each pass over the rows, the last of 30 rows.
const TRAINING: Training<'_> = Training {
    entry: &vanilla_gan::ENTRY,
    recipe: "steps = 12\nbatch_size = 40\nlayers_dim = 5\nnoise_dim = 6\naverage = 0.8\nencoding = \"ranks\"",
    diverges: "steps = 500\nbatch_size = 40\nlayers_dim = 5\nlearning_rate = 1e30",
    rows: 190,
    updates: 12,
};

#[test]
fn training_can_be_interrupted_and_resumed() {
    TRAINING.check();
}

#[test]
fn plain_training_is_another_computation() {
    TRAINING.check_plain_is_another_computation();
}
