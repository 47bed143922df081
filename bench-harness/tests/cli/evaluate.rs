//! `meg evaluate`, from a table to its scores.

use crate::people;
use crate::place::Place;
use serde_json::Value;
use std::fs;

#[test]
fn a_table_goes_through_fit_sample_and_evaluate() {
    let place = Place::new();
    place.file("people.csv", people(300));
    place.file("unseen.csv", people(200));
    place.ok("fit --data people.csv --model independent --out twin.model");
    let told = place.ok("sample --model twin.model --rows 150 --where sex=F --out twin.csv");
    assert!(told.contains("150 rows"), "{told}");
    let twin = fs::read_to_string(place.path("twin.csv")).unwrap();
    assert_eq!(twin.lines().count(), 151);
    assert!(twin.lines().skip(1).all(|line| line.split(',').nth(1) == Some("F")));
    place.ok("sample --model twin.model --rows 150 --out other.parquet");
    let line = "evaluate --train people.csv --synthetic other.parquet --holdout unseen.csv --target ill --json";
    let result: Value = serde_json::from_str(&place.ok(line)).unwrap();
    assert_eq!(result["schema_version"], 1);
    assert_eq!(result["rows"]["holdout"], 200);
    let shape = result["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "shape");
    assert!(shape.unwrap()["value"].as_f64().unwrap() > 0.8, "{result}");
    let text = place.ok("evaluate --train people.csv --synthetic twin.csv");
    assert!(text.contains("shape") && text.contains("higher"), "{text}");
    assert!(!text.contains("membership_auc"), "{text}");
    let text = place.ok(
        "evaluate --train people.csv --synthetic twin.csv --holdout unseen.csv --metrics attacks",
    );
    assert!(text.contains("membership_auc") && !text.contains("shape"), "{text}");
}

const ORDER: &str = "\n[[constraints]]\nrule = \"order\"\nlow = \"start\"\nhigh = \"end\"\n";

#[test]
fn constraints_of_the_schema_are_checked_kept_and_judged() {
    let place = Place::new();
    let rows: String = (0..200).map(|row| format!("{row},{}\n", row + row % 7)).collect();
    place.file("stays.csv", format!("start,end\n{rows}"));
    place.file("wrong.csv", "start,end\n1,2\n\n4,3\n");
    place.ok("schema infer stays.csv --out schema.toml");
    let schema = fs::read_to_string(place.path("schema.toml")).unwrap() + ORDER;
    let start = "name = \"start\"\n";
    place.file("schema.toml", schema.replacen(start, &format!("{start}nullable = true\n"), 1));
    let told = place.ok("schema check stays.csv --schema schema.toml");
    assert!(told.contains("\"start\" <= \"end\""), "{told}");
    let parts = ["wrong.csv", "line 4", "\"end\"", "value \"3\"", "\"start\" is 4", "help:"];
    place.refuses("schema check wrong.csv --schema schema.toml", 3, &parts);
    let fit = "--schema schema.toml --model independent --out twin.model";
    place.refuses(&format!("fit --data wrong.csv {fit}"), 3, &parts);
    place.ok(&format!("fit --data stays.csv {fit}"));
    place.ok("sample --model twin.model --rows 300 --out twin.csv");
    place.ok("schema check twin.csv --schema schema.toml");
    let evaluate = "evaluate --train stays.csv --schema schema.toml --json --synthetic";
    let broken = |file: &str| -> Value {
        let result: Value = serde_json::from_str(&place.ok(&format!("{evaluate} {file}"))).unwrap();
        result["constraints"][0]["broken_rows"].clone()
    };
    assert_eq!((broken("twin.csv"), broken("wrong.csv")), (0.into(), 1.into()));
    let fit = "--schema schema.toml --model meg --set max_steps=20 --out dense.model";
    place.ok(&format!("fit --data stays.csv {fit}"));
    let told = place.ok("density --model dense.model --data stays.csv");
    assert!(told.contains("200 rows: mean log-density -"), "{told}");
    let gaps: String = (60..90).map(|row| format!(",{}\n", row + row % 7)).collect();
    place.file("gaps.csv", format!("start,end\n{gaps}"));
    let told = place.ok("impute --model dense.model --data gaps.csv --out full.csv");
    assert!(told.contains("30 missing cells of 30 rows are filled;"), "{told}");
    place.ok("schema check full.csv --schema schema.toml");
    // Without one of its columns a constraint is void.
    place.ok("schema check wrong.csv --schema schema.toml --drop start");
}

/// What a newcomer does who leaves a column out of the model: every way of naming it leads on.
#[test]
fn a_column_left_out_of_the_model_can_be_left_out_of_its_evaluation() {
    let place = Place::new();
    place.file("people.csv", people(120));
    place.ok("schema infer people.csv --out schema.toml");
    place.ok("fit --data people.csv --schema schema.toml --drop town --model independent --out m");
    place.ok("sample --model m --rows 80 --out twin.csv");
    let line = "evaluate --train people.csv --synthetic twin.csv --metrics shape";
    let advised = ["twin.csv", "\"town\"", "--drop \"town\""];
    place.refuses(&format!("{line} --schema schema.toml"), 3, &advised);
    place.refuses(line, 3, &advised);
    place.ok(&format!("{line} --schema schema.toml --drop town"));
    place.ok(&format!("{line} --drop town"));
    place.refuses(&format!("{line} --drop twn"), 2, &["\"twn\"", "none of the files", "town"]);
}

#[test]
fn scores_that_cannot_be_computed_are_folded_into_their_reasons() {
    let place = Place::new();
    place.file("people.csv", people(120));
    place.file("unseen.csv", people(100));
    let line = "evaluate --train people.csv --synthetic people.csv --target ill";
    let text = place.ok(line);
    assert!(text.contains("not computed: ") && text.contains("meg datasets split"), "{text}");
    let empty = |text: &str| text.lines().filter(|line| line.matches(" – ").count() > 1).count();
    assert_eq!(empty(&text), 0, "{text}");
    let text = place.ok(&format!("{line} --holdout unseen.csv"));
    assert!(!text.contains("No --holdout"), "{text}");
}

/// Patients of the clinic: some to learn from, some unseen, and others that a perfect generator might
/// have made.
fn with_patients() -> Place {
    let place = Place::new();
    place.ok("datasets export clinic --out clinic --offline -q");
    let lines = |part: &str, from: usize| {
        let text = fs::read_to_string(place.path(&format!("clinic/{part}.csv"))).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        [&lines[..1], &lines[1 + from..401 + from]].concat().join("\n") + "\n"
    };
    place.file("train.csv", lines("train", 0));
    place.file("unseen.csv", lines("holdout", 0));
    place.file("fresh.csv", lines("holdout", 400));
    fs::copy(place.path("clinic/schema.toml"), place.path("schema.toml")).unwrap();
    place
}

#[test]
fn who_must_decide_whether_to_share_reads_what_leaks_and_what_would_not_show() {
    let place = with_patients();
    let line = "evaluate --train train.csv --holdout unseen.csv --schema schema.toml --metrics shape,detection,privacy,attacks --synthetic";
    let fresh = place.ok(&format!("{line} fresh.csv"));
    for part in [
        "95 % interval",
        "least leak",
        "at these sizes (400 training, 400 unseen, 400 synthetic rows)",
        "of the synthetic rows (copies of training rows, ",
        "no more than chance",
        "leaks beyond",
    ] {
        assert!(fresh.contains(part), "{part} is missing in {fresh}");
    }
    let auc = fresh.lines().find(|line| line.starts_with("detection_boost_auc")).unwrap();
    assert!(auc.contains(" to 0.") && auc.contains("0.5000"), "{auc}");
    let copied = place.ok(&format!("{line} train.csv"));
    assert!(copied.contains(" scores look like a leak: "), "{copied}");
    assert!(copied.contains("400 of 400 synthetic rows equal a training row"), "{copied}");
    for name in ["dcr_median", "identical_match_excess", "tail_leak", "membership_auc"] {
        let own = copied.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(own.contains("looks like a leak"), "{own}");
        let own = fresh.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(!own.contains("looks like a leak"), "{own}");
    }
    for text in [&fresh, &copied] {
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        assert!(!text.contains("safe"), "{text}");
    }
    let told: Value = serde_json::from_str(&place.ok(&format!("{line} train.csv --json"))).unwrap();
    let seen = told["leaks"]["seen"].as_array().unwrap();
    assert!(seen.iter().any(|one| one["metric"] == "tail_leak" && one["like"] == 1.0), "{told}");
    // Without unseen rows nothing can be said.
    let alone =
        "evaluate --train train.csv --synthetic fresh.csv --schema schema.toml --metrics privacy";
    let alone = place.ok(alone);
    assert!(!alone.contains("o leak seen") && alone.contains("can be said of leaks"));
}

#[test]
fn a_page_shows_one_synthetic_table_with_all_its_scores() {
    let place = with_patients();
    let line = "evaluate --train train.csv --holdout unseen.csv --synthetic fresh.csv --schema schema.toml --metrics fidelity,privacy --html";
    let told = place.ok(&format!("{line} page.html"));
    assert!(told.contains("the page is page.html") && told.contains("shape"), "{told}");
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    for part in [
        "<h1>fresh.csv beside train.csv</h1>",
        "<h2>Leaks</h2>",
        "No leak seen by",
        "<h2>All scores</h2>",
        "<h2>Columns</h2>",
        "<h2>Pairs of columns</h2>",
        "component 1",
        "Columns beside each other",
        "% of the rows would have to change class",
        "correlation_similarity",
        "400 training rows, 400 holdout rows",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    for never in ["<script", "http://", "https://", "src=", "peak memory", "wall-clock"] {
        assert!(!page.contains(never), "{never}");
    }
    place.ok(&format!("{line} again.html"));
    assert_eq!(fs::read_to_string(place.path("again.html")).unwrap(), page);
    place.refuses(&format!("{line} ./train.csv"), 2, &["train.csv", "read too"]);
    place.refuses(&format!("{line} no/page.html"), 3, &["no/page.html"]);
}
