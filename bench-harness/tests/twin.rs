//! A table through masking, training, drawing and scoring in one command, and the pages of reports.

mod place;

use place::Place;
use serde_json::Value;
use std::fs;

fn people(rows: usize) -> String {
    let mut text = String::from("name,age,sex,town,ill\n");
    for row in 0..rows {
        let age = 18 + (row * 37) % 70;
        let sex = ["F", "M"][row % 2];
        let town = ["Aa", "Bb", "Cc"][(row / 3) % 3];
        let ill = ["no", "yes"][usize::from(age > 55)];
        text.push_str(&format!("Person {row},{age},{sex},{town},{ill}\n"));
    }
    text
}

const RULES: &str = "
quasi_identifiers = [\"age\", \"sex\", \"town\"]

[[rules]]
columns = [\"name\"]
method = \"drop\"

[[rules]]
columns = [\"age\"]
method = \"generalise\"
width = 10
";

/// The folder's files, and the whole of them by name, without times.
fn read(place: &Place, file: &str) -> String {
    fs::read_to_string(place.path(file)).unwrap()
}

#[test]
fn a_table_is_masked_learned_drawn_and_scored_in_one_go() {
    let place = Place::with(&[("people.csv", &people(400)), ("rules.toml", RULES)]);
    let line = "twin people.csv --rules rules.toml --target ill --model meg-classic --set epochs=200 --metrics meg-report --out";
    let told = place.ok(&format!("{line} twin"));
    for part in [
        "generalise",
        "Metrics of the report on the masked generator",
        "twin/report.html",
        "## Leaks",
        "Least leaks by score",
    ] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    let synthetic = read(&place, "twin/synthetic.csv");
    assert_eq!(
        synthetic.lines().count(),
        1 + read(&place, "twin/data/train.csv").lines().count() - 1
    );
    assert_eq!(synthetic.lines().next(), Some("age,sex,town,ill"), "the names are gone");
    assert!(!read(&place, "twin/data/train.csv").contains("Person"));
    let masking: Value = serde_json::from_str(&read(&place, "twin/masking.json")).unwrap();
    assert_eq!(masking["columns"][0]["method"], "drop");
    let log = read(&place, "twin/training.csv");
    for name in ["generator_loss", "discriminator_loss", "discriminator_accuracy"] {
        assert_eq!(log.lines().filter(|line| line.contains(name)).count(), 200, "{name}");
    }
    let page = read(&place, "twin/report.html");
    for part in [
        "<h1>Twin of people</h1>",
        "discriminator accuracy",
        "component 1",
        "Columns beside each other",
        ">makes<",
        "masked before training",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    for never in ["<script", "http://", "https://", "src="] {
        assert!(!page.contains(never), "{never}");
    }
    // The folder is a folder of results and a model.
    let csv = place.ok("report twin --format csv");
    assert!(csv.contains("people,meg-classic,1,ok,feature_obfuscation"), "{csv}");
    place.ok("sample --model twin/model --rows 5 --out more.csv");
    // The same seed gives the same bytes; times alone differ.
    place.ok(&format!("{line} again --threads 2"));
    for file in ["synthetic.csv", "training.csv", "data/holdout.csv", "model/tensors.safetensors"] {
        assert_eq!(read_bytes(&place, "twin", file), read_bytes(&place, "again", file), "{file}");
    }
    let details = |folder: &str| {
        let mut files = fs::read_dir(place.path(folder).join("details")).unwrap();
        let file = files.next().unwrap().unwrap();
        assert!(files.next().is_none());
        (file.file_name(), fs::read(file.path()).unwrap())
    };
    assert_eq!(details("twin"), details("again"));
}

fn read_bytes(place: &Place, folder: &str, file: &str) -> Vec<u8> {
    fs::read(place.path(folder).join(file)).unwrap()
}

#[test]
fn a_fit_keeps_the_log_of_its_training() {
    let place = Place::with(&[("people.csv", &people(100))]);
    let line = "fit --data people.csv --drop name --model meg-classic --set epochs=50 --out gan.model --log";
    place.ok(&format!("{line} log.csv"));
    let log = read(&place, "log.csv");
    assert_eq!(log.lines().next(), Some("update,name,value"));
    assert_eq!(log.lines().filter(|line| line.contains("discriminator_accuracy")).count(), 50);
    place.refuses(&format!("{line} log.csv --force --seed x"), 2, &["--seed"]);
    place.refuses(&format!("{line} log.txt --force"), 2, &[".csv or .parquet"]);
}

/// Who fakes or hashes a column has decided about it: a guess that it is a key is no reason to stop.
#[test]
fn columns_that_a_rule_masks_need_no_schema() {
    let mut table = String::from("mail,");
    for (at, line) in people(1_600).lines().enumerate() {
        let mail = if at == 0 { String::new() } else { format!("p{}@clinic.org,", at * 3 / 4) };
        table += &format!("{mail}{line}\n");
    }
    let rules = "[[rules]]\ncolumns = [\"name\", \"mail\"]\nmethod = \"fake\"\n";
    let place = Place::with(&[("people.csv", &table), ("rules.toml", rules)]);
    let line =
        "twin people.csv --rules rules.toml --target ill --model independent --metrics shape --out";
    let output = place.run(&format!("{line} twin"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    for part in ["masked and taken for identifiers: \"mail\", \"name\"", "without a key", "--key"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert!(!told.contains("will take its place"), "what a rule masks is not remarked on: {told}");
    let synthetic = read(&place, "twin/synthetic.csv");
    assert_eq!(synthetic.lines().next(), Some("mail,name,age,sex,town,ill"));
    assert!(!synthetic.contains("Person") && !synthetic.contains("clinic.org"), "{synthetic}");
    // Under a key nothing is to be said of it.
    place.file("key", "a secret of twenty bytes\n");
    let output = place.run(&format!("{line} keyed --key key"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !told.contains("without a key"), "{told}");
    // A column that no rule masks is refused as ever.
    place.file("rules.toml", &rules.replace(", \"mail\"", ""));
    place.refuses(&format!("{line} other"), 3, &["\"mail\"", "mask by a rule"]);
}

#[test]
fn what_a_twin_cannot_be_made_of_is_refused_and_leaves_nothing() {
    let place = Place::with(&[("people.csv", &people(100)), ("rules.toml", RULES)]);
    let refused = |line: &str, code: i32, parts: &[&str]| {
        place.refuses(&format!("twin people.csv --out twin {line}"), code, parts);
    };
    refused("", 3, &["\"name\"", "identifiers", "mask by a rule"]);
    refused("--rules rules.toml --target illness", 2, &["illness"]);
    refused("--rules rules.toml --share 1", 2, &["--share 1"]);
    refused("--rules rules.toml --metrics shap", 2, &["did you mean \"shape\""]);
    refused("--rules rules.toml --model megg", 2, &["did you mean \"meg\""]);
    refused("--rules rules.toml --set epocs=3", 2, &["epocs"]);
    place.refuses("twin people.csv --out people.csv", 2, &["exists already"]);
}

#[test]
fn a_benchmark_writes_a_page_and_the_table_of_the_documentation() {
    let place = Place::with(&[]);
    let line = "bench --datasets clinic --rows 200 --models meg-classic,independent --set meg-classic.epochs=30 --metrics meg-documentation --out run";
    let told = place.ok(line);
    assert!(told.contains("Table of the MEG documentation"), "{told}");
    let page = read(&place, "run/report.html");
    for part in ["Wasserstein", "component 1", "generator loss", ">makes<"] {
        assert!(page.contains(part), "{part} is missing");
    }
    let table = place.ok("report run --table meg-documentation");
    assert!(table.contains("KS statistic") && !table.contains("How to read"), "{table}");
    place.ok("report run --html page.html");
    assert_eq!(read(&place, "page.html"), page, "the page is made again to the byte");
    place.ok("report run --table meg-documentation --html table.html");
    assert!(read(&place, "table.html").contains("component 1"));
    place.refuses("report run --table meg-report --format csv", 2, &["--table"]);
    // Without the details the report lacks the pictures alone.
    fs::remove_dir_all(place.path("run/details")).unwrap();
    let bare = place.ok("report run --format html");
    assert!(bare.contains("Wasserstein") && !bare.contains("component 1"));
}
