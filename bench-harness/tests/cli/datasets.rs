//! `meg datasets`, `meg schema`, `meg models`, `meg metrics`.

use crate::people;
use crate::place::Place;
use serde_json::Value;
use std::fs;

#[test]
fn models_datasets_and_schemas_can_be_looked_at() {
    let place = Place::new();
    assert!(place.ok("models list").contains("independent"));
    place.ok("models show independent");
    let models: Value = serde_json::from_str(&place.ok("models list --json")).unwrap();
    assert_eq!(models[0]["name"], "copy");
    let listed = place.ok("metrics list");
    let metrics: Value = serde_json::from_str(&place.ok("metrics list --json")).unwrap();
    let scores = metrics.as_array().unwrap().iter().flat_map(|one| one["scores"].as_array());
    let scores: Vec<&str> = scores.flatten().map(|name| name.as_str().unwrap()).collect();
    assert!(scores.len() > 100 && scores.iter().all(|name| listed.contains(name)), "{listed}");
    assert!(listed.contains("Sets: default, all, fidelity"), "{listed}");
    assert!(place.ok("datasets list").contains("clinic"));
    assert!(place.ok("datasets show thyroid").contains("licence"));
    assert!(place.ok("datasets fetch clinic --offline").contains("training rows"));
    place.ok("datasets export clinic --out clinic --offline");
    assert!(place.path("clinic/train.csv").is_file() && place.path("clinic/schema.toml").is_file());
    place.ok("schema check clinic/holdout.csv --schema clinic/schema.toml");
    place.file("people.csv", people(60));
    assert!(place.ok("schema infer people.csv").contains("kind = \"category\""));
    place.ok("schema infer people.csv --out s.toml");
    place.refuses("schema infer people.csv --out s.toml", 2, &["--force"]);
}

#[test]
fn a_table_of_ones_own_is_divided() {
    let place = Place::new();
    let rows: String = (0..200).map(|n| format!("{n},{}\n", ["no", "yes"][n % 4 / 3])).collect();
    place.file("mine.csv", format!("x,ill\n{rows}"));
    let told = place.ok("datasets split mine.csv --out mine");
    assert!(told.contains("160 training rows, 40 holdout rows"), "{told}");
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let rows =
        |name: &str| -> Vec<String> { read(name).lines().skip(1).map(str::to_owned).collect() };
    let (train, holdout) = (rows("mine/train.csv"), rows("mine/holdout.csv"));
    let mut all = [train, holdout].concat();
    all.sort();
    let mut real = rows("mine.csv");
    real.sort();
    assert_eq!(all, real);
    place.ok("schema check mine/holdout.csv --schema mine/schema.toml");
    place.ok("datasets split mine.csv --out again");
    assert_eq!(read("again/holdout.csv"), read("mine/holdout.csv"));
    place.ok("datasets split mine.csv --out other --seed 2 --share 0.5 --format parquet");
    assert!(place.path("other/train.parquet").is_file());
    // A target is divided class by class, and stands in the schema.
    place.ok("datasets split mine.csv --out classes --target ill");
    let ill = rows("classes/holdout.csv").iter().filter(|row| row.ends_with("yes")).count();
    assert_eq!(ill, 10);
    assert!(read("classes/schema.toml").contains("role = \"target\""));
    assert!(!read("mine/schema.toml").contains("role = \"target\""));
    place.refuses("datasets split mine.csv --out new --target il", 2, &["\"il\"", "ill"]);
    place.refuses("datasets split mine.csv --out mine", 2, &["mine", "exists already"]);
    place.refuses("datasets split mine.csv --out new --share 1", 2, &["--share 1", "below 1"]);
    place.file("one.csv", "x\n1\n");
    place.refuses("datasets split one.csv --out new", 3, &["one.csv", "1 rows", "help:"]);
}
