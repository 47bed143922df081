//! MEG keeps the contract of all models.

use meg_core::conformance::{self, Case};

#[test]
fn meg_conforms() {
    let case = Case {
        recipe: "max_steps = 25\nhidden = 16\nembedding = 8",
        diverges: Some("learning_rate = 1e30"),
        stoppable: true,
        further: "folds = 1",
        ..Case::default()
    };
    conformance::check(&meg::ENTRY, case);
}

#[test]
fn meg_mug_conforms() {
    conformance::check(&meg::MUG, Case::default());
}

#[test]
fn ensembles_of_dynamic_masks_conform() {
    let case = Case {
        recipe: "max_steps = 15\nhidden = 16\nembedding = 8\nmasks = \"dynamic\"\nmembers = 2\nfolds = 1",
        stoppable: true,
        ..Case::default()
    };
    conformance::check(&meg::ENTRY, case);
}

#[test]
fn ensembles_of_shared_generators_conform() {
    let case = Case {
        recipe: "max_steps = 15\nhidden = 16\nembedding = 8\nmasks = \"random\"\nmembers = 2\nleast_rows = 5\nhidden_context = 0.3\ntemperature = 1.2",
        stoppable: true,
        further: "folds = 1",
        ..Case::default()
    };
    conformance::check(&meg::ENTRY, case);
}

#[test]
fn meg_classic_conforms() {
    let case = Case {
        recipe: "epochs = 40\nhidden = 16\ninput_dim = 8\ndropout = 0.2",
        diverges: Some("epochs = 40\nlearning_rate = 1e30"),
        stoppable: true,
        ..Case::default()
    };
    conformance::check(&meg::CLASSIC, case);
}
