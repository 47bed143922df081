//! TVAE keeps the contract of all models.

use meg_core::conformance::{self, Case};

const CASE: Case = Case {
    recipe: "epochs = 4\nbatch_size = 60\ncompress_dims = [32]\ndecompress_dims = [32]\n\
        embedding_dim = 16",
    diverges: Some("epochs = 50\nlearning_rate = 1e30"),
    keeps_rows: false,
    stoppable: true,
};

#[test]
fn tvae_conforms() {
    conformance::check(&tvae::ENTRY, CASE);
}

#[test]
fn tvae_conforms_where_levels_are_drawn() {
    let recipe = "epochs = 4\nbatch_size = 60\ncompress_dims = [32]\ndecompress_dims = [32]\n\
        embedding_dim = 16\ndraw = true";
    conformance::check(&tvae::ENTRY, Case { recipe, diverges: None, ..CASE });
}
