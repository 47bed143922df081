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
    damaged.tensors.remove("member0.generator1.second");
    refused(&damaged, "\"member0.generator1.second\" is missing");
    let mut damaged = artifact();
    damaged.tensors.get_mut("member0.generator0.output0").unwrap().data[0] = f32::NAN;
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
    let places: [(&str, Value, &str); 6] = [
        ("/members/0/0/outputs/0/column", json!(1_000), "output mask"),
        ("/members/0/1/outputs/0/context", json!([1_000]), "not made before it"),
        ("/members/0/1/outputs", json!([]), "no generator makes"),
        ("/order/0", json!(1_000), "order of the columns"),
        ("/mixing/0/0", json!(0.2), "weights of the members"),
        ("/members", json!([]), "weights of the members"),
    ];
    for (place, value, part) in places {
        let mut damaged = artifact();
        *damaged.state.pointer_mut(place).unwrap() = value;
        refused(&damaged, part);
    }
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
