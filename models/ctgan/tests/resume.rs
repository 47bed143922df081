//! An interrupted training goes on to the same bytes; a wrong or damaged state is an error.

use meg_core::conformance::Training;
use meg_core::{Error, Kernels};

/// 5 updates in each of 3 epochs, two of the discriminator in each.
const TRAINING: Training<'_> = Training {
    entry: &ctgan::ENTRY,
    recipe: "epochs = 3\nbatch_size = 40\ngenerator_dim = [16, 12]\n\
        discriminator_dim = [16, 12]\nembedding_dim = 8\ndiscriminator_steps = 2",
    diverges: "epochs = 50\nbatch_size = 40\ngenerator_dim = [16]\ndiscriminator_dim = [16]\n\
        generator_lr = 1e30\ndiscriminator_lr = 1e30",
    rows: 200,
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

/// The square root of a negative variance would be hidden by the ReLU after the batch norm.
#[test]
fn a_state_with_a_negative_variance_is_refused() {
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let mut state = TRAINING.states(kernels, 3).swap_remove(0);
        let tensor = state.tensors.get_mut("generator.layer0.running_variance").unwrap();
        tensor.data[1] = -0.25;
        let end = TRAINING.resumed(kernels, state).map(|_| ());
        assert!(
            matches!(&end, Err(Error::Checkpoint(problem)) if problem.contains("running_variance")),
            "{end:?}"
        );
    }
}
