//! TVAE keeps the contract of all models.

use meg_core::conformance::{self, Case};

fn case() -> Case {
    Case {
        recipe: "epochs = 4\nbatch_size = 60\ncompress_dims = [32]\ndecompress_dims = [32]\n\
            embedding_dim = 16",
        diverges: Some("epochs = 50\nlearning_rate = 1e30"),
        stoppable: true,
        ..Case::default()
    }
}

#[test]
fn tvae_conforms() {
    conformance::check(&tvae::ENTRY, case());
}

#[test]
fn tvae_conforms_where_levels_are_drawn() {
    let recipe = format!("{}\ndraw = true", case().recipe);
    let case = Case { recipe: recipe.leak(), diverges: None, ..case() };
    conformance::check(&tvae::ENTRY, case);
}
