//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{Damage, fit, mixed_table};
use serde_json::{Value, json};

const RECIPE: &str = "epochs = 1\nsteps_per_epoch = 2\nbatch_size = 20\nnoise_dim = 4\n\
    lstm_dim = 8\nfeature_dim = 6\ndiscriminator_dim = [8]";

fn coding<'a>(state: &'a mut Value, kind: &str) -> &'a mut Value {
    let codings = state["columns"]["codings"].as_array_mut().unwrap();
    codings.iter_mut().find(|coding| coding["coding"] == kind).unwrap()
}

#[test]
fn every_index_and_size_is_checked() {
    let artifact = fit(&tgan::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    let damage = Damage::new(&tgan::ENTRY, artifact);
    let state = |name: &str, change: &dyn Fn(&mut Value)| damage.state(name, change);
    state("no means", &|state| coding(state, "number")["modes"]["mixture"]["means"] = json!([]));
    state("one component fewer", &|state| {
        let mixture = &mut coding(state, "number")["modes"]["mixture"];
        for part in ["weights", "means", "deviations"] {
            mixture[part].as_array_mut().unwrap().pop();
        }
    });
    state("reversed range", &|state| coding(state, "number")["least"] = json!(1e9));
    state("unknown code", &|state| coding(state, "category")["codes"][0] = json!(9));
    state("codes out of order", &|state| {
        coding(state, "category")["codes"].as_array_mut().unwrap().reverse();
    });
    state("fewer codes", &|state| {
        coding(state, "category")["codes"].as_array_mut().unwrap().pop();
    });
    state("a level that is none", &|state| {
        coding(state, "constant_level")["code"] = json!(77);
    });
    state("one coding fewer", &|state| {
        state["columns"]["codings"].as_array_mut().unwrap().pop();
    });
    state("another kind of coding", &|state| {
        *coding(state, "category") = json!({"coding": "identifier"});
    });
    state("fewer columns", &|state| {
        state["columns"]["schema"]["columns"].as_array_mut().unwrap().pop();
    });
    state("no such size", &|state| state["recipe"]["lstm_dim"] = json!(usize::MAX));
    state("the largest size", &|state| state["recipe"]["lstm_dim"] = json!(16_384));
    state("another size", &|state| state["recipe"]["feature_dim"] = json!(7));
    damage.tensors_and_schema();
    // The second step makes shares; the place of the first is cut at 1 whatever it is.
    damage.overflow("generator.step1.output.weight");
}
