//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{Damage, fit, mixed_table};
use serde_json::{Value, json};

const RECIPE: &str =
    "epochs = 1\nbatch_size = 20\nchannels = 2\nnoise_dim = 4\nconditional = true\nsnap = true";

fn column<'a>(state: &'a mut Value, kind: &str) -> &'a mut Value {
    let columns = state["codec"]["columns"].as_array_mut().unwrap();
    let whole = |column: &&mut Value| {
        column["column"] == kind && (kind != "number" || column["scale"] != Value::Null)
    };
    columns.iter_mut().find(whole).unwrap()
}

#[test]
fn every_index_and_size_is_checked() {
    let artifact = fit(&table_gan::ENTRY, RECIPE, &mixed_table(60, 1), 1).save().unwrap();
    let damage = Damage::new(&table_gan::ENTRY, artifact);
    let state = |name: &str, change: &dyn Fn(&mut Value)| damage.state(name, change);
    state("no scale", &|state| column(state, "number")["scale"] = Value::Null);
    state("reversed scale", &|state| column(state, "number")["scale"]["low"] = json!(3.0));
    state("reversed range of a scale", &|state| {
        column(state, "number")["scale"]["range"]["least"] = json!(1e9);
    });
    state("reversed range", &|state| column(state, "number")["least"] = json!(1e9));
    state("a flag that the column cannot have", &|state| {
        column(state, "number")["flagged"] = json!(true);
    });
    state("values that are not in order", &|state| {
        column(state, "number")["values"].as_array_mut().unwrap().reverse();
    });
    state("no values", &|state| column(state, "number")["values"] = json!([]));
    state("unknown code", &|state| column(state, "category")["codes"][0] = json!(9));
    state("code twice", &|state| column(state, "category")["codes"] = json!([0, 0]));
    state("one code", &|state| column(state, "category")["codes"] = json!([0]));
    state("another kind", &|state| column(state, "category")["column"] = json!("identifier"));
    state("fewer columns of the codec", &|state| {
        state["codec"]["columns"].as_array_mut().unwrap().pop();
    });
    state("fewer columns", &|state| {
        state["codec"]["schema"]["columns"].as_array_mut().unwrap().pop();
    });
    state("no classes", &|state| state["classes"] = Value::Null);
    state("shares that are none", &|state| state["classes"]["shares"] = json!([0.5, 0.9]));
    state("more classes", &|state| state["classes"]["shares"] = json!([0.5, 0.25, 0.25]));
    state("classes of no level", &|state| state["classes"]["rule"]["levels"] = json!([0, 7]));
    state("classes of a number", &|state| state["classes"]["rule"] = json!({"above": 1.0}));
    state("length of the noise", &|state| state["recipe"]["noise_dim"] = json!(usize::MAX));
    state("a longer noise", &|state| state["recipe"]["noise_dim"] = json!(4_096));
    state("more channels", &|state| state["recipe"]["channels"] = json!(512));
    state("other networks", &|state| state["recipe"]["architecture"] = json!("authors"));
    state("unknown law", &|state| state["recipe"]["noise"] = json!("cauchy"));
    damage.tensors_and_schema();
    damage.file("a tensor too many", |artifact| {
        let tensor = artifact.tensors["up0.weight"].clone();
        artifact.tensors.insert("up9.weight".into(), tensor);
    });
    damage.file("negative variance", |artifact| {
        artifact.tensors.get_mut("norm0.running_var").unwrap().data[0] = -0.5;
    });
    damage.overflow("up0.weight");
}
