//! `meg encode` and `meg decode` on files: there and back, and what is refused.

mod place;

use place::Place;
use std::fs;

fn place() -> Place {
    let mut table = String::from("id,age,born,city,income\n");
    for row in 0..60 {
        let city = ["Bern", "Aarau", ""][row % 3];
        let income = if row % 7 == 0 { String::new() } else { format!("{}.5", 1_000 + row * row) };
        table +=
            &format!("p{row:03},{},19{}-03-01,{city},{income}\n", 20 + row % 50, 40 + row % 50);
    }
    let plan = "drop = [\"id\"]\n\
        numbers = [{ step = \"null_indicator\", fill = \"median\" }, { step = \"standard\" }]\n\
        dates = [{ step = \"date\", unit = \"days\" }]\n\
        categories = [{ step = \"missing_level\" }]\n";
    Place::with(&[("people.csv", &table), ("plan.toml", plan)])
}

fn text(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).unwrap()
}

#[test]
fn a_table_comes_back_from_its_encoded_file() {
    let place = place();
    place.ok("schema infer people.csv --out schema.toml");
    for ending in ["csv", "parquet"] {
        let encode = format!(
            "encode people.csv --schema schema.toml --plan plan.toml --out e.{ending} --force"
        );
        let told = place.ok(&encode);
        assert!(told.contains("60 rows of 5 columns"), "{told}");
        place.ok(&format!("decode e.{ending} --out back.csv --force"));
        let without_ids: String = text(&place, "people.csv")
            .lines()
            .map(|line| line.split_once(',').unwrap().1.to_owned() + "\n")
            .collect();
        assert_eq!(text(&place, "back.csv"), without_ids, "{ending}");
    }
    place.ok("encode people.csv --schema schema.toml --plan plan.toml --out e.csv --force");
    let encoded = text(&place, "e.csv");
    let mut lines = encoded.lines();
    assert_eq!(lines.next(), Some("age,born,city,income,income missing"));
    assert!(lines.next().unwrap().ends_with(",1"), "the first income is missing: {encoded}");
}

#[test]
fn mistakes_are_named_and_nothing_is_written() {
    let place = place();
    place.ok("schema infer people.csv --out schema.toml");
    let encode = "encode people.csv --schema schema.toml";
    place.refuses(&format!("{encode} --out e.csv"), 2, &["--preset", "--plan"]);
    place.refuses(
        &format!("{encode} --preset patients --out e.csv"),
        2,
        &["no preset \"patients\"", "patients-gan-as-printed"],
    );
    place.refuses(&format!("{encode} --preset patients-gan --out e.csv"), 2, &["no column \"Id\""]);
    place.refuses(
        &format!("{encode} --plan plan.toml --out people.csv --force"),
        2,
        &["is read too"],
    );
    place.refuses(&format!("{encode} --plan plan.toml --out e.txt"), 2, &[".csv or .parquet"]);
    place.file("kept.toml", "numbers = [{ step = \"standard\" }]\n");
    place.refuses(
        &format!("{encode} --plan kept.toml --out e.csv"),
        3,
        &["people.csv", "column \"id\"", "drop the column"],
    );
    place.file("wrong.toml", "drop = [\"id\"]\nnumbers = [{ step = \"standart\" }]\n");
    place.refuses(
        &format!("{encode} --plan wrong.toml --out e.csv"),
        2,
        &["wrong.toml", "standart"],
    );
    place.ok(&format!("{encode} --plan plan.toml --out e.csv"));
    place.refuses(&format!("{encode} --plan plan.toml --out e.csv"), 2, &["e.csv"]);
    place.refuses("decode people.csv --out back.csv", 2, &["people.transform.json", "--transform"]);
    place.refuses(
        "decode people.csv --transform e.transform.json --out back.csv",
        3,
        &["people.csv"],
    );
    let damaged = text(&place, "e.transform.json").replace("\"deviation\":", "\"deviation\":-");
    place.file("damaged.json", &damaged);
    place.refuses("decode e.csv --transform damaged.json --out back.csv", 4, &["damaged.json"]);
    place.file("bad.csv", &text(&place, "e.csv").replacen(",1\n", ",0.5\n", 1));
    place.refuses("decode bad.csv --transform e.transform.json --out back.csv", 3, &["bad.csv"]);
}

/// Document 3's preparation of the real table, where it is at hand.
#[test]
fn the_patients_preset_encodes_the_real_table() {
    let folders = std::env::var_os("MEG_DATA").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("patients/patients.csv"));
    let Some(file) = found.into_iter().find(|file| file.is_file()) else {
        eprintln!("skipped: no folder of MEG_DATA has patients/patients.csv");
        return;
    };
    let place = place();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/schemas/patients-full.toml");
    let encode =
        format!("encode {} --schema {schema} --preset patients-gan --out p.csv", file.display());
    let told = place.ok(&encode);
    assert!(told.contains("of 11 columns"), "{told}");
    place.ok("decode p.csv --out back.csv");
    assert_eq!(text(&place, "p.csv").lines().count(), text(&place, "back.csv").lines().count());
}
