//! Trained models: looked into, asked for rows and densities, damaged.

use crate::place::Place;
use crate::{TINY_FIT, people};
use serde_json::Value;
use std::fs;

#[test]
fn a_trained_model_is_inspected_and_asked_for_densities_and_missing_cells() {
    let place = Place::new();
    let gaps = people(300).replacen("F,Aa", "F,", 9);
    place.file("people.csv", &gaps);
    place.ok("fit --data people.csv --model meg --set max_steps=20 --out twin.model");
    let text = place.ok("model inspect twin.model");
    let parts =
        ["category of 3", "max_steps", "columns in the order", "all before (3)", "tensors", " KiB"];
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let value: Value = serde_json::from_str(&place.ok("model inspect twin.model --json")).unwrap();
    assert_eq!((&value["model"], &value["recipe"]["max_steps"]), (&"meg".into(), &20.into()));
    let cells = |tensor: &Value| {
        let sizes = tensor["shape"].as_array().unwrap().iter();
        sizes.map(|size| size.as_u64().unwrap()).product::<u64>()
    };
    let weights: u64 = value["tensors"].as_array().unwrap().iter().map(cells).sum();
    assert_eq!(value["weights"], weights);

    let told = place.ok("density --model twin.model --data people.csv --out d.csv --lowest 2");
    assert!(told.contains("300 rows: mean log-density -"), "{told}");
    assert!(told.contains("median -") && told.lines().count() == 4, "{told}");
    let unseen = format!("{}\n3000,F,Aa,no\n", people(2).trim_end());
    place.file("unseen.csv", unseen);
    let told = place.ok("density --model twin.model --data unseen.csv");
    assert!(told.contains("1 rows (33.3 %) have a cell that the model never draws"), "{told}");
    assert!(told.contains("the mean of the other 2 is -"), "{told}");
    let densities = fs::read_to_string(place.path("d.csv")).unwrap();
    let mut densities = densities.lines();
    assert_eq!(densities.next(), Some("log_density"));
    assert!(densities.all(|line| line.parse::<f64>().unwrap() < 0.0));

    let told = place.ok("impute --model twin.model --data people.csv --out full.csv");
    assert!(told.contains("9 missing cells of 300 rows are filled"), "{told}");
    let full = fs::read_to_string(place.path("full.csv")).unwrap();
    for (before, after) in gaps.lines().zip(full.lines()) {
        let mut cells = before.split(',').zip(after.split(','));
        assert!(
            cells
                .all(|(before, after)| !after.is_empty() && (before == after || before.is_empty()))
        );
    }
    // No schema file that the user could correct has a saved model's levels.
    place.file("strange.csv", format!("{}\n30,F,Zz,no\n", people(2).trim_end()));
    let way_out = ["line 4", "town", "Zz", "train a model anew"];
    place.refuses("density --model twin.model --data strange.csv", 3, &way_out);
    place.refuses("impute --model twin.model --data strange.csv --out x.csv", 3, &way_out);
    place.file("narrow.csv", "age,sex,town\n30,F,Aa\n");
    place.refuses("density --model twin.model --data narrow.csv", 3, &["meg model inspect"]);
    place.ok("fit --data people.csv --model independent --out plain.model");
    place.refuses("density --model plain.model --data people.csv", 2, &["has no density"]);
    place.refuses("impute --model plain.model --data people.csv --out x.csv", 2, &["cannot fill"]);
    place.refuses("model inspect nowhere", 3, &["meg fit --out DIR"]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_any_number_of_threads() {
    let place = Place::new();
    place.file("people.csv", people(300));
    let draw = |seed: u64, threads: u64, name: &str| {
        let (model, out) = (format!("{name}.model"), format!("{name}.csv"));
        place.ok(&format!("fit --data people.csv --model independent --seed {seed} --threads {threads} --out {model}"));
        place.ok(&format!(
            "sample --model {model} --rows 99 --seed {seed} --threads {threads} --out {out}"
        ));
        fs::read(place.path(&out)).unwrap()
    };
    let first = draw(1, 1, "a");
    assert_eq!(first, draw(1, 2, "b"));
    assert_ne!(first, draw(2, 1, "c"));
}

#[test]
fn existing_outputs_are_refused_unless_forced() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.ok("fit --data people.csv --model independent --out m");
    place.refuses("fit --data people.csv --model independent --out m", 2, &["--force"]);
    place.ok("fit --data people.csv --model independent --out m --force");
    place.ok("sample --model m --rows 5 --out a.csv");
    place.refuses("sample --model m --rows 5 --out a.csv", 2, &["a.csv", "--force"]);
    place.refuses("sample --model m --rows 5 --out a.xls", 2, &[".csv or .parquet"]);
    place.refuses("sample --model m --rows 5 --where sex=X --out b.csv", 2, &["sex", "F, M"]);
    place.refuses("sample --model m --rows 5 --where six=F --out b.csv", 2, &["six", "sex"]);
    place.refuses("sample --model m --rows 1000000001 --out b.csv", 2, &["1 000 000 000", "help:"]);
}

#[test]
fn damaged_models_are_a_format_error() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.ok("fit --data people.csv --model independent --out m");
    let header = place.path("m/model.json");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(&header, &text[..text.len() / 2]).unwrap();
    place.refuses("sample --model m --rows 5 --out a.csv", 4, &["model.json"]);
    fs::write(&header, text.replace("\"independent\"", "\"dependent\"")).unwrap();
    place.refuses("sample --model m --rows 5 --out a.csv", 4, &["\"dependent\""]);
    place.refuses("sample --model people.csv --rows 5 --out a.csv", 3, &["meg fit"]);
}

#[test]
fn conditions_that_no_row_can_meet_are_refused_without_drawing() {
    let place = Place::new();
    place.file("people.csv", people(300));
    place.ok(&format!("fit --data people.csv --model ctgan {TINY_FIT} --out gan"));
    place.ok("fit --data people.csv --model independent --out shuffled");
    let sample = |model: &str, age: &str| {
        format!("sample --model {model} --rows 50 --where age={age} --out s.csv")
    };
    place.refuses(&sample("gan", "60.123"), 2, &["\"age\"", "60.123", "the nearest is 60"]);
    place.refuses(&sample("gan", "-5"), 5, &["\"age\"", "from 18 to 87", "never -5"]);
    place.refuses(&sample("shuffled", "200"), 5, &["\"age\"", "never hold 200"]);
}
