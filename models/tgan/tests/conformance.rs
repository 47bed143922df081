//! TGAN keeps the contract of all models.

use meg_core::conformance::{self, Case};

#[test]
fn tgan_conforms() {
    let case = Case {
        recipe: "epochs = 2\nsteps_per_epoch = 3\nbatch_size = 40\nnoise_dim = 6\nlstm_dim = 12\n\
            feature_dim = 10\ndiscriminator_dim = [16, 12]",
        diverges: Some(
            "steps_per_epoch = 300\nlearning_rate = 1e30\nbatch_size = 20\nnoise_dim = 4\n\
            lstm_dim = 8\nfeature_dim = 8",
        ),
        stoppable: true,
        ..Case::default()
    };
    conformance::check(&tgan::ENTRY, case);
}
