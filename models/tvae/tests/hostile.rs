//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{fit, mixed_table};
use meg_core::{Artifact, Error, Schema};
use serde_json::{Value, json};

const RECIPE: &str = "epochs = 1\nbatch_size = 20\n\
    compress_dims = [8]\ndecompress_dims = [8]\nembedding_dim = 4";

fn block<'a>(state: &'a mut Value, kind: &str) -> &'a mut Value {
    let blocks = state["encoder"]["blocks"].as_array_mut().unwrap();
    let whole = |block: &&mut Value| {
        block["block"] == kind && (kind != "number" || block["modes"] != Value::Null)
    };
    blocks.iter_mut().find(whole).unwrap()
}

fn check(name: &str, artifact: &Artifact, damage: impl Fn(&mut Artifact)) {
    let mut damaged = artifact.clone();
    damage(&mut damaged);
    assert!(damaged != *artifact, "{name}: nothing was damaged");
    let (json, tensors) = damaged.to_bytes().unwrap();
    let loaded = Artifact::from_bytes(&json, &tensors).and_then(|read| (tvae::ENTRY.load)(&read));
    assert!(
        matches!(loaded, Err(Error::Artifact(_) | Error::Data(_) | Error::Recipe { .. })),
        "{name}: {loaded:?}"
    );
}

#[test]
fn every_index_and_size_is_checked() {
    let artifact = fit(&tvae::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    (tvae::ENTRY.load)(&artifact).unwrap();
    let state = |name: &str, damage: &dyn Fn(&mut Value)| {
        check(name, &artifact, |artifact| damage(&mut artifact.state));
    };
    state("unit of a number", &|state| block(state, "number")["start"] = json!(99));
    state("unit of a category", &|state| block(state, "category")["start"] = json!(99));
    state("kept mode", &|state| block(state, "number")["modes"]["kept"] = json!([77]));
    state("no means", &|state| block(state, "number")["modes"]["mixture"]["means"] = json!([]));
    state("reversed range", &|state| block(state, "number")["least"] = json!(1e9));
    state("unknown code", &|state| block(state, "category")["codes"][0] = json!(9));
    state("fewer codes", &|state| {
        block(state, "category")["codes"].as_array_mut().unwrap().pop();
    });
    state("moved span", &|state| state["encoder"]["spans"][0]["start"] = json!(3));
    state("column of a span", &|state| state["encoder"]["spans"][0]["column"] = json!(50));
    state("width", &|state| state["encoder"]["width"] = json!(1));
    state("fewer columns", &|state| {
        state["encoder"]["schema"]["columns"].as_array_mut().unwrap().pop();
    });
    state("recipe", &|state| state["recipe"]["embedding_dim"] = json!(usize::MAX));
    check("other schema", &artifact, |artifact| {
        artifact.schema = Schema::new(artifact.schema.columns[1..].to_vec()).unwrap();
    });
    check("missing tensor", &artifact, |artifact| {
        artifact.tensors.remove("output.bias").unwrap();
    });
    check("tensor shape", &artifact, |artifact| {
        let tensor = artifact.tensors.get_mut("output.bias").unwrap();
        tensor.shape = vec![1, tensor.shape[0]];
    });
    check("spread out of its bounds", &artifact, |artifact| {
        artifact.tensors.get_mut("sigma").unwrap().data[0] = -0.5;
    });
    check("infinite weight", &artifact, |artifact| {
        artifact.tensors.get_mut("output.bias").unwrap().data[0] = f32::INFINITY;
    });
}
