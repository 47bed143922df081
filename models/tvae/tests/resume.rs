//! An interrupted training goes on to the same bytes; a wrong or damaged state is an error.

use meg_core::conformance::Training;

/// 5 updates in each of 3 epochs, the last of 30 rows.
const TRAINING: Training<'_> = Training {
    entry: &tvae::ENTRY,
    recipe: "epochs = 3\nbatch_size = 40\ncompress_dims = [16, 12]\n\
        decompress_dims = [14]\nembedding_dim = 8",
    diverges: "epochs = 50\nbatch_size = 40\nlearning_rate = 1e30",
    rows: 190,
    updates: 15,
};

#[test]
fn training_can_be_interrupted_and_resumed() {
    TRAINING.check();
}

#[test]
fn plain_training_is_another_computation() {
    TRAINING.check_plain_is_another_computation();
}
