//! CTGAN keeps the contract of all models.

use meg_core::conformance::{self, Case};

#[test]
fn ctgan_conforms() {
    let case = Case {
        recipe: "epochs = 4\nbatch_size = 60\ngenerator_dim = [32, 32]\ndiscriminator_dim = [32, 32]\nembedding_dim = 16",
        diverges: Some("epochs = 50\ngenerator_lr = 1e30\ndiscriminator_lr = 1e30"),
        stoppable: true,
        ..Case::default()
    };
    conformance::check(&ctgan::ENTRY, case);
}
