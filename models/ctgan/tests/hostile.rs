//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{Damage, fit, mixed_table};
use serde_json::json;

const RECIPE: &str = "epochs = 1\nbatch_size = 20\nmin_updates = 1\n\
    generator_dim = [8]\ndiscriminator_dim = [8]\nembedding_dim = 4";

#[test]
fn every_index_and_size_is_checked() {
    let artifact = fit(&ctgan::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    let damage = Damage::new(&ctgan::ENTRY, artifact);
    damage.encoder();
    damage.tensors_and_schema();
    damage.state("condition start", |state| {
        state["conditions"]["columns"][0]["start"] = json!(u64::MAX - 1);
    });
    damage.state("condition counts", |state| {
        state["conditions"]["columns"][0]["counts"].as_array_mut().unwrap().pop();
    });
    damage.state("condition counts that wrap around to 0", |state| {
        for count in state["conditions"]["columns"][0]["counts"].as_array_mut().unwrap() {
            *count = json!(1u64 << 63);
        }
    });
    damage.state("recipe", |state| state["recipe"]["embedding_dim"] = json!(usize::MAX));
    damage.file("negative variance", |artifact| {
        artifact.tensors.get_mut("layer0.running_variance").unwrap().data[3] = -1.0;
    });
    damage.overflow("output.dense");
}
