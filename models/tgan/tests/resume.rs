//! An interrupted training goes on to the same bytes; a wrong or damaged state is an error.

use meg_core::conformance::Training;

/// Batches of 40 of 190 rows, so that they go on from one pass into the next.
const TRAINING: Training<'_> = Training {
    entry: &tgan::ENTRY,
    recipe: "epochs = 3\nsteps_per_epoch = 3\nbatch_size = 40\nnoise_dim = 4\nlstm_dim = 6\n\
        feature_dim = 5\ndiscriminator_dim = [8, 6]\ndiversity_kernels = 2\ndiversity_dim = 3",
    diverges: "steps_per_epoch = 300\nbatch_size = 20\nnoise_dim = 4\nlstm_dim = 8\n\
        feature_dim = 8\nlearning_rate = 1e30",
    rows: 190,
    updates: 9,
};

#[test]
fn training_can_be_interrupted_and_resumed() {
    TRAINING.check();
}

#[test]
fn plain_training_is_another_computation() {
    TRAINING.check_plain_is_another_computation();
}
