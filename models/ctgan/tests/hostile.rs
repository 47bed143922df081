//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{fit, mixed_table};
use meg_core::{Artifact, Error, SampleContext, SampleRequest, Schema, Seed, Silent};
use serde_json::{Value, json};

const RECIPE: &str = "epochs = 1\nbatch_size = 20\nmin_updates = 1\n\
    generator_dim = [8]\ndiscriminator_dim = [8]\nembedding_dim = 4";

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
    let loaded = Artifact::from_bytes(&json, &tensors).and_then(|read| (ctgan::ENTRY.load)(&read));
    assert!(
        matches!(loaded, Err(Error::Artifact(_) | Error::Data(_) | Error::Recipe { .. })),
        "{name}: {loaded:?}"
    );
}

#[test]
fn every_index_and_size_is_checked() {
    let artifact = fit(&ctgan::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    (ctgan::ENTRY.load)(&artifact).unwrap();
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
    state("condition start", &|state| {
        state["conditions"]["columns"][0]["start"] = json!(u64::MAX - 1);
    });
    state("condition counts", &|state| {
        state["conditions"]["columns"][0]["counts"].as_array_mut().unwrap().pop();
    });
    state("condition counts that wrap around to 0", &|state| {
        for count in state["conditions"]["columns"][0]["counts"].as_array_mut().unwrap() {
            *count = json!(1u64 << 63);
        }
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
    check("infinite weight", &artifact, |artifact| {
        artifact.tensors.get_mut("output.bias").unwrap().data[0] = f32::INFINITY;
    });
    check("negative variance", &artifact, |artifact| {
        artifact.tensors.get_mut("layer0.running_variance").unwrap().data[3] = -1.0;
    });
}

/// Each weight is finite, their products are not: the file cannot show it, sampling must.
#[test]
fn weights_that_overflow_draw_no_rows() {
    let mut artifact = fit(&ctgan::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    artifact.tensors.get_mut("output.dense").unwrap().data.fill(f32::MAX);
    let model = (ctgan::ENTRY.load)(&artifact).unwrap();
    let rng = Seed(1).stream("sample");
    let mut ctx = SampleContext { rng, threads: 1, observer: &mut Silent };
    let drawn = model.sample(&SampleRequest::rows(10), &mut ctx);
    assert!(matches!(&drawn, Err(Error::Artifact(problem)) if problem.contains("not finite")));
}
