//! `meg fit`: what it learns from, what it refuses, what it tells.

use crate::place::Place;
use crate::{SCHEMA, TINY_FIT, people};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// `bench-harness/compare/speed.py` reads these.
#[test]
fn fitting_and_sampling_tell_their_phases_and_their_memory() {
    let place = Place::new();
    place.file("people.csv", people(300));
    let line = "fit --data people.csv --model ctgan-paper --set epochs=2 --set batch_size=50 --out m --json";
    let told: Value = serde_json::from_str(&place.ok(line)).unwrap();
    let phases = told["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
    assert_eq!(names, ["encode", "train"]);
    assert_eq!(phases[1]["steps"], 12);
    let seconds = |value: &Value| value.as_f64().unwrap();
    let ends = seconds(&phases[1]["begins"]) + seconds(&phases[1]["seconds"]);
    assert!(seconds(&phases[0]["seconds"]) <= ends && ends <= seconds(&told["seconds"]["fit"]));
    let told_by_sample = "sample --model m --rows 10 --out s.csv --json";
    let told_by_sample: Value = serde_json::from_str(&place.ok(told_by_sample)).unwrap();
    for part in ["load", "sample", "write"] {
        assert!(seconds(&told_by_sample["seconds"][part]) > 0.0, "{part}");
    }
    if cfg!(target_os = "linux") {
        assert!(told["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
    }
}

#[test]
fn bad_tables_are_refused_with_place_and_way_out() {
    let place = Place::new();
    place.file("schema.toml", SCHEMA);
    let fit = |file: &str| format!("fit --data {file} --model independent --out m");
    let under = |file: &str| fit(file) + " --schema schema.toml";
    let file = |name: &str, content: &[u8]| place.file(name, content);

    place.refuses(&fit(&file("empty.csv", b"")), 3, &["empty.csv"]);
    place.refuses(&fit(&file("header.csv", b"age,sex\n")), 3, &["header.csv"]);
    let ragged = file("ragged.csv", b"age,sex\n1,F\n2,M,9\n");
    place.refuses(&fit(&ragged), 3, &["ragged.csv", "line 3"]);
    let unknown = file("unknown.csv", b"age,sex\n1,F\n2,Q\n");
    place.refuses(&under(&unknown), 3, &["unknown.csv", "line 3", "\"sex\"", "\"Q\"", "help:"]);
    let word = file("word.csv", b"age,sex\n1,F\nold,M\n");
    place.refuses(&under(&word), 3, &["word.csv", "line 3", "\"age\"", "\"old\""]);
    let latin = file("latin.csv", b"age,sex\n1,F\n2,\xe9\n");
    place.refuses(&fit(&latin), 3, &["latin.csv", "UTF-8"]);
    place.refuses(&fit("missing.csv"), 3, &["missing.csv"]);
    fs::create_dir(place.path("folder.csv")).unwrap();
    place.refuses(&fit("folder.csv"), 3, &["folder.csv"]);
    place.refuses(&under("schema.toml"), 3, &["schema.toml"]);
    // A model knows no files; the program adds which one it was.
    let text = place.file("text.toml", SCHEMA.replace("\"number\"\ndecimals = 0", "\"text\""));
    let fit_text = format!("{} --schema {text}", fit(&word));
    place.refuses(&fit_text, 3, &["word.csv", "\"age\"", "free text"]);
    place.refuses("schema check word.csv --schema schema.toml", 3, &["\"old\""]);
    place.refuses("schema check word.csv --schema word.csv", 3, &["word.csv"]);
}

#[test]
fn guessed_identifiers_are_refused_in_seconds_and_can_be_dropped() {
    let place = Place::new();
    let rows: String = (0..100_000).map(|row| format!("u{row:06},{}\n", row % 7)).collect();
    place.file("keys.csv", format!("who,x\n{rows}"));
    let start = Instant::now();
    let line = "fit --data keys.csv --model independent --out m";
    place.refuses(line, 3, &["keys.csv", "\"who\"", "--drop"]);
    refuses_within_500_megabytes(&place, line, "\"who\"");
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    place.ok(&format!("{line} --drop who"));
    place.refuses("fit --data keys.csv --model independent --out n --drop whom", 2, &["whom"]);
}

/// Under a limit on its data the program still gives its own error, not that of an allocation.
#[cfg(target_os = "linux")]
fn refuses_within_500_megabytes(place: &Place, line: &str, part: &str) {
    let output = place.limited("ulimit -d 500000", line);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains(part), "{message}");
}

#[cfg(not(target_os = "linux"))]
fn refuses_within_500_megabytes(_: &Place, _: &str, _: &str) {}

#[test]
fn a_table_of_300_columns_works() {
    let place = Place::new();
    let line = |cell: &dyn Fn(usize) -> String| (0..300).map(cell).collect::<Vec<_>>().join(",");
    let mut text = line(&|column| format!("c{column}")) + "\n";
    for row in 0..40 {
        text += &(line(&|column| ((row * column) % 11).to_string()) + "\n");
    }
    place.file("wide.csv", text);
    for model in ["independent", &format!("ctgan {TINY_FIT}")] {
        place.ok(&format!("fit --data wide.csv --model {model} --out m --force"));
        place.ok("sample --model m --rows 10 --out twin.csv --force");
        let twin = fs::read_to_string(place.path("twin.csv")).unwrap();
        assert_eq!(twin.lines().count(), 11);
        assert!(twin.lines().all(|line| line.split(',').count() == 300));
    }
}

/// A full disk looks the same to a program: a write is refused in the middle.
#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let place = Place::new();
    place.file("people.csv", people(2_000));
    place.ok("fit --data people.csv --model independent --out m");
    let fit = "fit --data people.csv --model copy --out n";
    let sample = "sample --model m --rows 20000 --out";
    let (csv, parquet) = (format!("{sample} a.csv"), format!("{sample} a.parquet"));
    for (line, name) in [(fit, "n/"), (&csv, "a.csv"), (&parquet, "a.parquet")] {
        let before = place.names();
        // Blocks of 512 or 1 024 bytes; the signal that comes with the refusal is ignored.
        let output = place.limited("trap '' XFSZ; ulimit -f 8", line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "meg {line}\n{message}");
        assert!(message.contains("cannot be written") && message.contains(name), "{message}");
        assert_eq!(place.names(), before, "meg {line}: something was left behind");
    }
}

#[test]
fn guesses_that_a_person_should_look_at_are_remarked_on() {
    let place = Place::new();
    let row = |n: usize| {
        let day = format!("{:02}/{:02}/2020", n % 12 + 1, n / 12 % 12 + 1);
        format!("Ada {},{day},{},{n}\n", n % 48, n % 3)
    };
    let rows: String = (0..200).map(row).collect();
    place.file("seen.csv", format!("name,seen,x,id\n{rows}"));
    let (_, told) = place.ends("schema infer seen.csv --out schema.toml", 0);
    for part in [
        "\"seen\" looks like dates",
        "\"%d/%m/%Y\" or \"%m/%d/%Y\"",
        "\"name\" is named like",
        "\"id\" looks like an identifier",
    ] {
        assert!(told.contains(part), "{told}\nshould contain {part:?}");
    }
    assert!(!told.contains("meg schema infer"), "that is the command that runs: {told}");
    let (_, told) = place.ends("fit --data seen.csv --model independent --drop id --out m", 0);
    assert!(told.contains("looks like dates") && told.contains("\"name\""), "{told}");
    place.file("one.csv", "x,y\n1,2\n");
    let (_, told) = place.ends("fit --data one.csv --model independent --out one", 0);
    assert!(told.contains("1 row only"), "{told}");
}

/// A saved model learns further, says so, and keeps what it cannot learn anew.
#[test]
fn a_saved_model_is_trained_further() {
    let place = Place::new();
    place.file("people.csv", people(2_400));
    let meg = "--set hidden=8 --set embedding=4 --set label=first --set snapshots=1 --threads 1";
    place.ok(&format!("fit --data people.csv --model meg {meg} --set max_steps=20 --out first"));
    let further = "fit --data people.csv --continue first --set max_steps=40";
    place.ok(&format!("{further} --out second --checkpoint-every 15"));
    let shown = place.ok("model inspect second");
    let record = shown.split("trainings\n").nth(1).expect("the trainings are told");
    let lines: Vec<Vec<&str>> =
        record.lines().take(3).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["1", "1", "2400", "240", "20"]);
    assert_eq!(lines[2], ["2", "1", "2400", "240", "40"]);
    assert!(shown.contains("max_steps") && place.ok("models show meg").contains("--continue"));
    place.ok("sample --model second --rows 20 --out drawn.csv");
    let told = place.ok(&format!("{further} --out third --json"));
    assert!(told.contains("\"continues\": \"first\""), "{told}");
    let bytes = |folder: &str| fs::read(place.path(folder).join("tensors.safetensors")).unwrap();
    assert!(bytes("second") == bytes("third") && bytes("second") != bytes("first"));

    let model = "fit --data people.csv --model independent";
    place.ok(&format!("{model} --out plain"));
    let line = "fit --data people.csv --continue";
    place.refuses(
        &format!("{line} plain --out n"),
        2,
        &["independent", "cannot be trained further"],
    );
    place.refuses(
        &format!("{line} first --out n --set hidden=9"),
        2,
        &["`hidden`", "cannot change"],
    );
    place.refuses(&format!("{line} first --out n --model meg"), 2, &["--model"]);
    place.refuses(&format!("{line} nothing --out n"), 3, &["nothing", "meg fit --out"]);
    place.refuses("fit --data people.csv --out n", 2, &["--model"]);
    place.file("strange.csv", format!("{}30,F,Zz,no\n", people(2_400)));
    let way_out = ["strange.csv", "Zz", "train a model anew"];
    place.refuses("fit --data strange.csv --continue first --out n", 3, &way_out);
    place.file("few.csv", people(300));
    place.refuses("fit --data few.csv --continue first --out n", 2, &["300 rows", "folds=1"]);
}
