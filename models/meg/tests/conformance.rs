//! MEG keeps the contract of all models.

use meg_core::conformance::{self, Case};

#[test]
fn meg_conforms() {
    let case = Case {
        recipe: "max_steps = 60\nhidden = 16\nembedding = 8",
        diverges: Some("learning_rate = 1e30"),
        stoppable: true,
        ..Case::default()
    };
    conformance::check(&meg::ENTRY, case);
}

#[test]
fn meg_mug_conforms() {
    conformance::check(&meg::MUG, Case::default());
}
