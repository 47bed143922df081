//! Damaged model files are refused, never believed.

use meg_core::Artifact;
use meg_core::conformance::{fit, mixed_table};
use serde_json::{Value, json};

fn artifact() -> Artifact {
    let model = fit(&meg::ENTRY, "max_steps = 20\nhidden = 8", &mixed_table(300, 1), 1);
    model.save().unwrap()
}

fn refused(artifact: &Artifact, part: &str) {
    let message = (meg::ENTRY.load)(artifact).unwrap_err().to_string();
    assert!(message.contains(part), "{message:?} should contain {part:?}");
}

/// The first object below `value` that has the key.
fn find<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    if value.get(key).is_some() {
        return value.get_mut(key);
    }
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, key)),
        Value::Object(items) => items.values_mut().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[test]
fn weights_that_are_missing_or_of_another_size_are_refused() {
    let mut damaged = artifact();
    damaged.tensors.remove("generator1.second");
    refused(&damaged, "\"generator1.second\" is missing");
    let mut damaged = artifact();
    damaged.tensors.get_mut("generator0.output").unwrap().data[0] = f32::NAN;
    refused(&damaged, "not finite");
    let mut damaged = artifact();
    *find(&mut damaged.state, "hidden").unwrap() = json!(9);
    refused(&damaged, "has the shape");
    let mut damaged = artifact();
    *find(&mut damaged.state, "embedding").unwrap() = json!(1_000_000_000_000u64);
    refused(&damaged, "embedding");
}

#[test]
fn masks_that_do_not_fit_are_refused() {
    let mut damaged = artifact();
    damaged.state["generators"][0]["output"] = json!(1_000);
    refused(&damaged, "output mask");
    let mut damaged = artifact();
    damaged.state["generators"][1]["context"] = json!([1_000]);
    refused(&damaged, "made after it");
    let mut damaged = artifact();
    damaged.state["generators"].as_array_mut().unwrap().pop();
    refused(&damaged, "no generator makes");
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let broken: [(&str, Value); 6] = [
        ("cells", json!([[2.0], [1.0]])),
        ("cells", json!([[]])),
        ("cells", json!([[0.5]])),
        ("levels", json!([7])),
        ("rare", json!([0])),
        ("missing", json!(true)),
    ];
    for (key, value) in broken {
        let mut damaged = artifact();
        *find(&mut damaged.state["columns"], key).unwrap() = value.clone();
        refused(&damaged, "columns do not fit");
    }
    let mut damaged = artifact();
    damaged.state["columns"].as_array_mut().unwrap().pop();
    refused(&damaged, "columns do not fit");
}
