//! A damaged model file is an error, never a panic and never another table.

use meg_core::conformance::{Damage, fit, mixed_table};
use serde_json::{Value, json};

const RECIPE: &str = "steps = 2\nbatch_size = 20\nlayers_dim = 3\nnoise_dim = 4";

fn chain<'a>(state: &'a mut Value, column: &str) -> &'a mut Value {
    let chains = state["codec"]["columns"]["chains"].as_array_mut().unwrap();
    &mut chains.iter_mut().find(|chain| chain["column"] == column).unwrap()["steps"]
}

fn damage(encoding: &str) -> Damage<'static> {
    let recipe = format!("{RECIPE}\nencoding = \"{encoding}\"");
    let artifact = fit(&vanilla_gan::ENTRY, &recipe, &mixed_table(60, 1), 1).save().unwrap();
    let damage = Damage::new(&vanilla_gan::ENTRY, artifact);
    let state = |name: &str, change: &dyn Fn(&mut Value)| damage.state(name, change);
    state("unknown level", &|state| chain(state, "sex")[0]["codes"][0] = json!(9));
    state("level twice", &|state| chain(state, "sex")[0]["codes"] = json!([0, 0]));
    state("no level at all", &|state| {
        chain(state, "sex")[0]["codes"] = json!([]);
        chain(state, "sex")[0]["numbers"] = json!([]);
    });
    state("missing where none may be", &|state| {
        chain(state, "sex")[0]["nullable"] = json!(true);
    });
    state("unknown bin", &|state| chain(state, "age")[1]["codes"][0] = json!(20));
    state("reversed edges", &|state| {
        chain(state, "age")[0]["edges"].as_array_mut().unwrap().reverse();
    });
    state("no bins", &|state| drop(chain(state, "age").as_array_mut().unwrap().remove(0)));
    state("no steps", &|state| *chain(state, "age") = json!([]));
    state("steps of another kind of column", &|state| {
        *chain(state, "age") = chain(state, "ill").clone();
    });
    state("a column less", &|state| {
        state["codec"]["columns"]["chains"].as_array_mut().unwrap().pop();
    });
    state("another column", &|state| {
        state["codec"]["columns"]["schema"]["columns"][0]["name"] = json!("other");
    });
    state("no columns", &|state| state["codec"]["columns"] = Value::Null);
    state("fewer columns", &|state| {
        state["codec"]["schema"]["columns"].as_array_mut().unwrap().pop();
    });
    state("length of the noise", &|state| state["recipe"]["noise_dim"] = json!(usize::MAX));
    state("a longer noise", &|state| state["recipe"]["noise_dim"] = json!(5));
    state("more units", &|state| state["recipe"]["layers_dim"] = json!(4));
    state("unknown encoding", &|state| state["recipe"]["encoding"] = json!("none"));
    damage.tensors_and_schema();
    damage.overflow("layer3.weight");
    damage
}

#[test]
fn every_index_and_size_is_checked() {
    let damage = damage("power");
    damage.state("a power that is none", |state| chain(state, "age")[2]["lambda"] = json!(null));
    damage.state("no power", |state| drop(chain(state, "age").as_array_mut().unwrap().remove(2)));
    damage.state("the other encoding", |state| state["recipe"]["encoding"] = json!("ranks"));
}

#[test]
fn every_index_and_size_of_ranks_is_checked() {
    let damage = damage("ranks");
    let state = |name: &str, change: &dyn Fn(&mut Value)| {
        damage.state(name, |state| change(&mut state["codec"]["ranks"]));
    };
    state("no ranks", &|ranks| *ranks = Value::Null);
    state("ranks of a column less", &|ranks| drop(ranks.as_array_mut().unwrap().pop()));
    state("a number less", &|ranks| {
        drop(ranks[0]["numbers"].as_array_mut().unwrap().pop());
    });
    state("shares beyond 1", &|ranks| ranks[0]["edges"][1] = json!(1.5));
    state("a first share", &|ranks| ranks[0]["edges"][0] = json!(-0.5));
    state("a number that is none", &|ranks| ranks[0]["numbers"][0] = json!(null));
    damage.state("the other encoding", |state| state["recipe"]["encoding"] = json!("power"));
}
