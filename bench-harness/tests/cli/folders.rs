//! `meg bench` on tables of one's own: folders in the place of names.

use crate::people;
use crate::place::Place;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const MODELS: &str = "--models copy,independent --offline --out run";

/// A place with `clinic` as a folder.
fn clinic() -> Place {
    let place = Place::new();
    place.ok("datasets export clinic --out mine --offline");
    place
}

/// A place with 60 rows, divided into `mine` by `meg datasets split`.
fn split(options: &str) -> Place {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.ok(&format!("datasets split people.csv --out mine {options}"));
    place
}

fn edit(path: PathBuf, change: impl Fn(String) -> String) {
    fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
}

fn keys(cells: &[Value]) -> Vec<Value> {
    cells.iter().map(|cell| cell["key"].clone()).collect()
}

#[test]
fn a_folder_is_computed_once_and_again_where_a_cell_changed() {
    let place = clinic();
    let bench = format!("bench --datasets mine/ --seeds 1,2 --rows 300 {MODELS}");
    let report = place.ok(&bench);
    assert!(report.contains("| mine") && !report.contains("no TSTR"), "{report}");
    let before = place.cells("run");
    assert_eq!(before.len(), 4);
    for cell in &before {
        assert_eq!((&cell["dataset"], &cell["status"]), (&"mine".into(), &"ok".into()));
        assert_eq!((&cell["rows"]["train"], &cell["rows"]["holdout"]), (&300.into(), &5000.into()));
    }
    // The plan that was kept is what was typed, and goes on where the run stopped.
    let plan = fs::read_to_string(place.path("run/plan.toml")).unwrap();
    assert!(plan.contains("datasets = [\"mine/\"]"), "{plan}");
    for again in [bench.as_str(), "bench run/plan.toml --offline --out run"] {
        let (_, remarks) = place.ends(again, 0);
        assert!(remarks.contains("4 cells were there already"), "{again}: {remarks}");
    }
    edit(place.path("mine/train.csv"), |text| {
        let (first, rest) = text.split_once('\n').unwrap();
        let (row, rest) = rest.split_once('\n').unwrap();
        let (_, cells) = row.split_once(',').unwrap();
        let (_, other) = rest.split_once('\n').unwrap().0.split_once(',').unwrap();
        assert_ne!(cells, other);
        format!("{first}\n{}\n{rest}", rest.split_once('\n').unwrap().0)
    });
    let (_, remarks) = place.ends(&bench, 0);
    assert!(!remarks.contains("were there already"), "{remarks}");
    let after = place.cells("run");
    assert_eq!(after.len(), 8, "those of the rows before stay in the folder");
    assert!(keys(&after[..4]).iter().all(|key| !keys(&before).contains(key)));
}

#[test]
fn the_split_is_the_folders_and_names_and_folders_stand_together() {
    let place = split("--target ill --format parquet");
    place.file("plan.toml", "datasets = [\"mine\", \"clinic\"]\nseeds = [1, 2]\nrows = 30\n");
    place.ok(&format!("bench plan.toml --metrics shape {MODELS}"));
    let cells = place.cells("run");
    assert_eq!(cells.len(), 8);
    assert!(cells.iter().all(|cell| cell["status"] == "ok"));
    assert_eq!((&cells[0]["dataset"], &cells[7]["dataset"]), (&"mine".into(), &"clinic".into()));
    assert!(cells[..4].iter().all(|cell| cell["split_hash"] == "folder"));
    assert!(cells[..4].iter().all(|cell| cell["rows"]["holdout"] == 12), "{cells:?}");
    // The other commands take it, too.
    let shown = place.ok("datasets show mine/");
    assert!(shown.contains("target: ill") && shown.contains("holdout.parquet"), "{shown}");
    let shown: Value = serde_json::from_str(&place.ok("datasets show mine/ --json")).unwrap();
    assert_eq!((&shown[0]["name"], &shown[0]["target"]), (&"mine".into(), &"ill".into()));
    place.ok("datasets export mine/ --out text");
    place.ok("datasets split people.csv --out same --target ill");
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("text/train.csv"), read("same/train.csv"));
}

#[test]
fn a_folder_without_a_target_is_told() {
    let place = split("");
    let line = format!("bench --datasets ./mine --metrics shape {MODELS}");
    let (report, remarks) = place.ends(&line, 0);
    for text in [report, remarks] {
        for part in ["mine names no target", "no TSTR", "schema.toml", "--target COLUMN"] {
            assert!(text.contains(part), "{text} should contain {part}");
        }
    }
}

#[test]
fn a_name_wins_over_a_folder_and_says_so() {
    let place = Place::new();
    place.ok("datasets export clinic --out clinic --offline");
    let line = format!("bench --datasets clinic --rows 100 --metrics shape {MODELS}");
    let (_, remarks) = place.ends(&line, 0);
    assert!(remarks.contains("for the folder of this name write clinic/"), "{remarks}");
    let both = format!("bench --datasets clinic,clinic/ {MODELS}").replace("run", "other");
    place.refuses(&both, 2, &["\"clinic\"", "the named table clinic and clinic/"]);
}

#[test]
fn two_folders_of_one_name_are_refused_and_one_twice_is_one() {
    let place = split("--target ill");
    fs::create_dir(place.path("other")).unwrap();
    place.ok("datasets export mine/ --out other/mine");
    let bench = |tables: &str| format!("bench --datasets {tables} --metrics shape {MODELS}");
    place.refuses(&bench("mine/,other/mine"), 2, &["\"mine\"", "mine/ and other/mine", "rename"]);
    place.ok(&bench("mine/,./mine,mine"));
    assert_eq!(place.cells("run").len(), 2);
}

#[test]
fn what_a_folder_lacks_is_told_with_the_way_out() {
    let place = split("--target ill");
    let refused = |tables: &str, parts: &[&str]| {
        place.refuses(&format!("bench --datasets {tables} {MODELS}"), 3, parts);
    };
    refused("people.csv", &["is a file", "`meg datasets split people.csv --out DIR`", "DIR/"]);
    refused("mine/train.csv", &["is a file", "`--datasets mine/`"]);
    refused("nobody.csv", &["nobody.csv", "no such file", "`meg datasets split FILE --out DIR`"]);
    refused("nobody/", &["nobody/", "no such", "`meg datasets split FILE --out DIR`"]);
    let moved = |name: &str, check: &dyn Fn()| {
        let (here, away) = (place.path("mine").join(name), place.path("away"));
        fs::rename(&here, &away).unwrap();
        check();
        fs::rename(&away, &here).unwrap();
    };
    moved("holdout.csv", &|| {
        let way = "`meg datasets split mine/train.csv --out DIR`";
        refused("mine/", &["no holdout.csv or holdout.parquet", way]);
    });
    moved("train.csv", &|| refused("mine", &["no train.csv", "`meg datasets split FILE"]));
    moved("schema.toml", &|| {
        refused("mine/", &["no schema.toml", "`meg schema infer mine/train.csv"]);
    });
    place.file("mine/train.parquet", "");
    refused("mine/", &["both train.csv and train.parquet"]);
    fs::remove_file(place.path("mine/train.parquet")).unwrap();
    let name = "a|b";
    fs::rename(place.path("mine"), place.path(name)).unwrap();
    refused("a|b/", &["a|b", "cannot stand in a report", "rename"]);
}

#[test]
fn a_wrong_schema_or_cell_is_told_and_costs_that_table_alone() {
    let place = split("--target ill");
    let line = |tables: &str| format!("bench --datasets {tables} --metrics shape {MODELS}");
    let schema = place.path("mine/schema.toml");
    let right = fs::read_to_string(&schema).unwrap();
    fs::write(&schema, right.replace("kind = \"number\"", "kind = \"numbr\"")).unwrap();
    place.refuses(&line("mine/"), 3, &["mine/schema.toml", "numbr"]);
    fs::write(&schema, right).unwrap();
    edit(place.path("mine/holdout.csv"), |text| text.replacen(",F,", ",X,", 1));
    let parts = ["mine/holdout.csv", "line", "\"sex\"", "\"X\""];
    place.refuses(&line("mine/"), 3, &parts);
    let (report, _) = place.ends(&format!("{} --rows 50", line("mine/,clinic")), 5);
    assert!(report.contains("Failed cells") && report.contains("\"X\""), "{report}");
    edit(place.path("mine/holdout.csv"), |text| text.replacen(",X,", ",F,", 1));
    edit(place.path("mine/train.csv"), |text| text.replacen("\n", "\nNA", 1));
    place.refuses(
        &line("mine/").replace("run", "other"),
        3,
        &["mine/train.csv", "\"age\"", "(`--missing", "of `meg datasets split`"],
    );
}
