//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{Damage, fit, mixed_table};
use serde_json::json;

const RECIPE: &str = "epochs = 1\nbatch_size = 20\n\
    compress_dims = [8]\ndecompress_dims = [8]\nembedding_dim = 4";

#[test]
fn every_index_and_size_is_checked() {
    let artifact = fit(&tvae::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    let damage = Damage::new(&tvae::ENTRY, artifact);
    damage.encoder();
    damage.tensors_and_schema();
    damage.state("recipe", |state| state["recipe"]["embedding_dim"] = json!(usize::MAX));
    damage.file("spread out of its bounds", |artifact| {
        artifact.tensors.get_mut("sigma").unwrap().data[0] = -0.5;
    });
    damage.overflow("output.weight");
}
