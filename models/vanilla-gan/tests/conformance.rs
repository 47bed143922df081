//! The vanilla GAN keeps the contract of all models.

use meg_core::conformance::{self, Case};

const RECIPE: &str = "steps = 20\nbatch_size = 60\nlayers_dim = 16\nnoise_dim = 16";

fn case(recipe: &'static str) -> Case {
    Case {
        recipe,
        diverges: Some("steps = 500\nlayers_dim = 8\nlearning_rate = 1e30"),
        stoppable: true,
        ..Case::default()
    }
}

#[test]
fn vanilla_gan_conforms() {
    conformance::check(&vanilla_gan::ENTRY, case(RECIPE));
}

#[test]
fn the_recommended_variant_conforms() {
    let variant = vanilla_gan::ENTRY.variants[0];
    assert_eq!(variant.name, "vanilla-gan");
    // Its steps and batches are given once more.
    let known = |line: &&str| !line.starts_with("steps") && !line.starts_with("batch_size");
    let settings: Vec<&str> = variant.settings.lines().filter(known).collect();
    let recipe = format!("{}\n{RECIPE}", settings.join("\n"));
    conformance::check(&vanilla_gan::ENTRY, case(recipe.leak()));
}
