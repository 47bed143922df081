//! A damaged model file is an error, never a panic and never another table.

use bayes_net::{CHOW_LIU, KDB, PRIV_BAYES};
use meg_core::conformance::{fit, mixed_table};
use meg_core::{Artifact, Error, ModelEntry};
use serde_json::{Value, json};

fn check(entry: &ModelEntry, artifact: &Artifact, name: &str, damage: &dyn Fn(&mut Value)) {
    let mut damaged = artifact.clone();
    damage(&mut damaged.state);
    assert!(damaged != *artifact, "{name}: nothing was damaged");
    let (json, tensors) = damaged.to_bytes().unwrap();
    let loaded = Artifact::from_bytes(&json, &tensors).and_then(|read| (entry.load)(&read));
    assert!(matches!(loaded, Err(Error::Artifact(_))), "{}: {name}: {loaded:?}", entry.name);
}

#[test]
fn every_index_and_size_is_checked() {
    for entry in [&CHOW_LIU, &KDB, &PRIV_BAYES] {
        let artifact = fit(entry, "", &mixed_table(200, 1), 1).save().unwrap();
        (entry.load)(&artifact).unwrap();
        let state = |name: &str, damage: &dyn Fn(&mut Value)| check(entry, &artifact, name, damage);
        let node = |damage: fn(&mut Value)| {
            move |state: &mut Value| damage(&mut state["network"]["nodes"][1])
        };
        state("a column less", &|state| {
            state["coders"].as_array_mut().unwrap().pop();
        });
        state("a node less", &|state| {
            state["network"]["nodes"].as_array_mut().unwrap().pop();
        });
        state("reversed bin", &|state| {
            state["coders"][1]["bins"]["bins"][0] = json!([9.0, 1.0]);
        });
        state("unknown level", &|state| state["coders"][4]["levels"]["codes"] = json!([0, 9]));
        state("levels twice", &|state| state["coders"][4]["levels"]["codes"] = json!([1, 1]));
        state("identifier as a node", &|state| {
            state["coders"][0] = json!({"levels": {"codes": [0]}});
        });
        state("negative smoothing", &|state| state["network"]["smoothing"] = json!(-1.0));
        state("own parent", &node(|node| node["parents"] = json!([1])));
        state("unknown parent", &node(|node| node["parents"] = json!([77])));
        state("a circle", &|state| {
            for (at, parent) in [(0, 1), (1, 0)] {
                state["network"]["nodes"][at]["parents"] = json!([parent]);
            }
        });
        state("no table", &node(|node| node["tables"] = json!([])));
        state("table of too many parents", &node(|node| node["tables"][0]["given"] = json!(9)));
        state("unknown state", &node(|node| node["tables"][0]["states"][0] = json!(99)));
        state("count of nothing", &node(|node| node["tables"][0]["sums"][0] = json!(0)));
        state("falling sums", &node(|node| node["tables"][0]["sums"][1] = json!(1)));
        state("start beyond the end", &node(|node| node["tables"][0]["starts"][1] = json!(999)));
        state("unknown combination", &node(|node| node["tables"][0]["keys"][0] = json!(5)));
        state("unknown field", &|state| state["network"]["more"] = json!(1));
    }
}

#[test]
fn a_model_of_another_name_is_refused() {
    let artifact = fit(&CHOW_LIU, "", &mixed_table(50, 1), 1).save().unwrap();
    assert!(matches!((KDB.load)(&artifact), Err(Error::Artifact(_))));
}
