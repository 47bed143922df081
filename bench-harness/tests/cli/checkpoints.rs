//! Trainings that are interrupted and go on.

use crate::place::Place;
use crate::{BENCH, TINY_FIT, people};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[cfg(unix)]
#[test]
fn an_interrupted_fit_leaves_nothing() {
    let place = Place::new();
    place.file("people.csv", people(300));
    let line = "fit --data people.csv --model ctgan --set epochs=100000 --out m";
    let mut child = place.command(line).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    assert_eq!(child.wait().unwrap().code(), Some(6));
    assert_eq!(place.names(), ["people.csv"]);
}

/// Interrupts a fit once its checkpoint is there; the model must be that of an uninterrupted one.
#[cfg(unix)]
fn check_resume(options: &str) {
    let place = Place::new();
    place.file("people.csv", people(300));
    let fit = format!(
        "fit --data people.csv --model ctgan {TINY_FIT} --set min_updates=400 --threads 1 {options}"
    );
    place.ok(&format!("{fit} --out whole"));
    let line = format!("{fit} --checkpoint-every 5 --out m");
    let words = place.interrupts(&line, || place.path("m.checkpoint").is_file());
    assert!(words.contains("is kept in m.checkpoint") && words.contains("--resume"), "{words}");
    assert_eq!(place.names(), ["m.checkpoint", "people.csv", "whole"]);

    place.refuses(&line, 2, &["m.checkpoint", "--resume", "--force"]);
    let other = format!("{fit} --out m --resume");
    place.refuses(&format!("{other} --seed 2"), 4, &["m.checkpoint", "the seed is 1 there and 2"]);
    place.refuses(&format!("{other} --set pac=5"), 4, &["`pac` is 10 there and 5 here"]);
    place.refuses(&format!("{other} --drop town"), 4, &["training table"]);
    place.refuses(&format!("{fit} --out n --resume"), 2, &["n.checkpoint", "--checkpoint-every"]);

    // Begun anew without a word of checkpoints, the old one stays and is spoken of.
    let (_, told) = place.ends("fit --data people.csv --model independent --out m", 0);
    assert!(told.contains("m.checkpoint is there from an interrupted"), "{told}");
    fs::remove_dir_all(place.path("m")).unwrap();

    // By the folder it was to become, by its file, and by the name of --out.
    place.ok(&format!("{fit} --out by-folder --resume m"));
    place.ok(&format!("{fit} --out by-file --resume m.checkpoint"));
    place.ok(&format!("{fit} --out m --resume"));
    assert_eq!(place.names(), ["by-file", "by-folder", "m", "people.csv", "whole"]);
    for file in ["model.json", "tensors.safetensors"] {
        let bytes = |folder: &str| fs::read(place.path(folder).join(file)).unwrap();
        for folder in ["by-folder", "by-file", "m"] {
            assert!(bytes(folder) == bytes("whole"), "{options}: {folder}/{file}: other bytes");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_fit_resumes_to_the_same_bytes() {
    check_resume("");
}

#[cfg(unix)]
#[test]
fn an_interrupted_plain_fit_resumes_to_the_same_bytes() {
    check_resume("--plain");
}

/// Interrupted before the first update, or by a training that keeps nothing: what lies beside the
/// folder is somebody else's, and nobody is told to go on from it.
#[cfg(unix)]
#[test]
fn a_file_that_a_fit_did_not_write_is_not_called_its_state() {
    let place = Place::new();
    place.file("people.csv", people(300));
    place.file("m.checkpoint", "not a checkpoint");
    let line = "fit --data people.csv --model ctgan --set epochs=100000 --out m";
    let start = Instant::now();
    let words = place.interrupts(line, || start.elapsed() > Duration::from_millis(700));
    assert!(!words.contains("kept in") && !words.contains("--resume"), "{words}");
    assert_eq!(place.names(), ["m.checkpoint", "people.csv"]);
}

/// `--resume` alone keeps a state when it is interrupted, and says where and of which update.
#[cfg(unix)]
#[test]
fn an_interrupted_resumption_loses_nothing() {
    let place = Place::new();
    place.file("people.csv", people(300));
    let fit =
        format!("fit --data people.csv --model ctgan {TINY_FIT} --set min_updates=100000000 --out");
    let update = |words: &str, file: &str| -> u64 {
        let said = words.split_once("after update ").and_then(|(_, rest)| rest.split_once(' '));
        let (number, rest) = said.unwrap_or_else(|| panic!("no update in {words:?}"));
        assert!(rest.starts_with(&format!("is kept in {file}\n")), "{words}");
        number.parse().unwrap()
    };
    let line = format!("{fit} m --checkpoint-every 5");
    let words = place.interrupts(&line, || place.path("m.checkpoint").is_file());
    let mut latest = update(&words, "m.checkpoint");
    // In its own place, then in that of another folder: the file that was named stays as it is.
    let named = fs::read(place.path("m.checkpoint")).unwrap();
    for (line, file, advice) in [
        (format!("{fit} n --resume m"), "n.checkpoint", "--resume (and no file behind it)"),
        (format!("{fit} n --resume"), "n.checkpoint", "--resume to go on"),
    ] {
        // How long until the first update? Longer each time, until it was long enough.
        let words = (0..7).map(|doubled| Duration::from_millis(400 << doubled)).find_map(|long| {
            let start = Instant::now();
            let words = place.interrupts(&line, || start.elapsed() > long);
            words.contains("after update").then_some(words)
        });
        let words = words.expect("an update is made within 25 seconds");
        let reached = update(&words, file);
        assert!(reached > latest && words.contains(advice), "{latest}, then {words}");
        latest = reached;
    }
    assert!(fs::read(place.path("m.checkpoint")).unwrap() == named);
    place.refuses(&format!("{fit} n --resume m"), 2, &["n.checkpoint", "names m", "--force"]);
}

#[test]
fn checkpoints_of_models_without_them_and_damaged_ones_are_refused() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.file("m.checkpoint", "not a checkpoint");
    let fit = "fit --data people.csv --out m --model";
    place.refuses(&format!("{fit} independent --resume"), 2, &["independent", "no checkpoints"]);
    let every = "--checkpoint-every 5";
    place.refuses(&format!("{fit} independent {every}"), 2, &["independent", "no checkpoints"]);
    place.refuses(&format!("{fit} ctgan --resume"), 4, &["m.checkpoint", "not a whole checkpoint"]);
    place.refuses(&format!("{fit} ctgan --checkpoint-every 0"), 2, &["--checkpoint-every"]);
    for threads in ["0", "1025", "100000000000"] {
        place.refuses(&format!("{fit} ctgan --threads {threads}"), 2, &["--threads", "1024"]);
        place.refuses(&format!("{BENCH} --out a --threads {threads}"), 2, &["--threads", "1024"]);
    }
}

#[test]
fn a_checkpoint_that_nobody_goes_on_from_is_spoken_of() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.file("m.checkpoint", "not a checkpoint");
    let (_, told) = place.ends("fit --data people.csv --model independent --out m", 0);
    assert!(told.contains("m.checkpoint is there and is no checkpoint"), "{told}");
    assert!(place.path("m.checkpoint").is_file());
}

/// A checkpoint of a further training belongs to the model that it went on from.
#[cfg(unix)]
#[test]
fn an_interrupted_further_training_resumes_to_the_same_bytes() {
    let place = Place::new();
    place.file("people.csv", people(300));
    let fit = "fit --data people.csv --threads 1";
    place.ok(&format!("{fit} --model meg-classic --set epochs=20 --out first"));
    place.ok(&format!("{fit} --model meg-classic --set epochs=25 --out other"));
    let epochs = "--set epochs=2000";
    let further = format!("{fit} --continue first {epochs}");
    place.ok(&format!("{further} --out whole"));
    let line = format!("{further} --checkpoint-every 5 --out m");
    let words = place.interrupts(&line, || place.path("m.checkpoint").is_file());
    assert!(words.contains("is kept in m.checkpoint"), "{words}");
    let other = format!("{fit} --continue other {epochs} --out n --resume m");
    place.refuses(&other, 4, &["m.checkpoint", "another saved model"]);
    let anew = format!("{fit} --model meg-classic {epochs} --out n --resume m");
    place.refuses(&anew, 4, &["m.checkpoint", "went on from a saved model"]);
    place.ok(&format!("{further} --out m --resume"));
    for file in ["model.json", "tensors.safetensors"] {
        let bytes = |folder: &str| fs::read(place.path(folder).join(file)).unwrap();
        assert!(bytes("m") == bytes("whole"), "{file}: other bytes");
    }
}
