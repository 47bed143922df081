//! table-GAN keeps the contract of all models.

use meg_core::conformance::{self, Case};

fn case() -> Case {
    Case {
        recipe: "epochs = 2\nbatch_size = 60\nchannels = 4\nnoise_dim = 8",
        diverges: Some("epochs = 50\nchannels = 4\nlearning_rate = 1e30"),
        stoppable: true,
        ..Case::default()
    }
}

#[test]
fn table_gan_conforms() {
    conformance::check(&table_gan::ENTRY, case());
}

#[test]
fn the_variant_of_the_authors_conforms() {
    let authors = table_gan::ENTRY.variants[1];
    assert_eq!(authors.name, "table-gan-a");
    let recipe = format!("{}\n{}\nsnap = true", authors.settings, case().recipe);
    conformance::check(&table_gan::ENTRY, Case { recipe: recipe.leak(), diverges: None, ..case() });
}

#[test]
fn the_variant_of_sdgym_conforms() {
    let sdgym = table_gan::ENTRY.variants[2];
    assert_eq!(sdgym.name, "table-gan-b");
    // Its epochs and batches are given once more.
    let settings = sdgym.settings.replace("epochs = 300\nbatch_size = 500\n", "");
    let recipe = format!("{settings}\n{}", case().recipe);
    conformance::check(&table_gan::ENTRY, Case { recipe: recipe.leak(), diverges: None, ..case() });
}
