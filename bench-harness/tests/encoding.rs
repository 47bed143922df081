//! `meg encode` and `meg decode` on files: there and back, and what is refused.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let mut table = String::from("id,age,born,city,income\n");
        for row in 0..60 {
            let city = ["Bern", "Aarau", ""][row % 3];
            let income =
                if row % 7 == 0 { String::new() } else { format!("{}.5", 1_000 + row * row) };
            table +=
                &format!("p{row:03},{},19{}-03-01,{city},{income}\n", 20 + row % 50, 40 + row % 50);
        }
        place.file("people.csv", &table);
        place.file(
            "plan.toml",
            "drop = [\"id\"]\n\
             numbers = [{ step = \"null_indicator\", fill = \"median\" }, { step = \"standard\" }]\n\
             dates = [{ step = \"date\", unit = \"days\" }]\n\
             categories = [{ step = \"missing_level\" }]\n",
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meg"));
        command.current_dir(self.0.path()).args(line.split_whitespace()).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "meg {line}\n{message}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn refuses(&self, line: &str, code: i32, parts: &[&str]) {
        let before = fs::read_dir(self.0.path()).unwrap().count();
        let output = self.run(line);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "meg {line}\n{message}");
        for part in parts {
            assert!(message.contains(part), "{message}\nshould contain {part:?}");
        }
        assert_eq!(fs::read_dir(self.0.path()).unwrap().count(), before, "something was written");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn a_table_comes_back_from_its_encoded_file() {
    let place = Place::new();
    place.ok("schema infer people.csv --out schema.toml");
    for ending in ["csv", "parquet"] {
        let encode = format!(
            "encode people.csv --schema schema.toml --plan plan.toml --out e.{ending} --force"
        );
        let told = place.ok(&encode);
        assert!(told.contains("60 rows of 5 columns"), "{told}");
        place.ok(&format!("decode e.{ending} --out back.csv --force"));
        let without_ids: String = place
            .text("people.csv")
            .lines()
            .map(|line| line.split_once(',').unwrap().1.to_owned() + "\n")
            .collect();
        assert_eq!(place.text("back.csv"), without_ids, "{ending}");
    }
    place.ok("encode people.csv --schema schema.toml --plan plan.toml --out e.csv --force");
    let encoded = place.text("e.csv");
    let mut lines = encoded.lines();
    assert_eq!(lines.next(), Some("age,born,city,income,income missing"));
    assert!(lines.next().unwrap().ends_with(",1"), "the first income is missing: {encoded}");
}

#[test]
fn mistakes_are_named_and_nothing_is_written() {
    let place = Place::new();
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
    let damaged = place.text("e.transform.json").replace("\"deviation\":", "\"deviation\":-");
    place.file("damaged.json", &damaged);
    place.refuses("decode e.csv --transform damaged.json --out back.csv", 4, &["damaged.json"]);
    place.file("bad.csv", &place.text("e.csv").replacen(",1\n", ",0.5\n", 1));
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
    let place = Place::new();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/schemas/patients-full.toml");
    let encode =
        format!("encode {} --schema {schema} --preset patients-gan --out p.csv", file.display());
    let told = place.ok(&encode);
    assert!(told.contains("of 11 columns"), "{told}");
    place.ok("decode p.csv --out back.csv");
    assert_eq!(place.text("p.csv").lines().count(), place.text("back.csv").lines().count());
}
