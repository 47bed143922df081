//! Which threads a training runs on, seen in processes of their own: candle reads its number of
//! threads from the environment, once per process.
#![cfg(target_os = "linux")]

use meg_core::conformance::mixed_table;
use meg_core::{FitContext, Kernels, Seed, Silent};
use std::fs;
use std::process::Command;

/// Large enough for candle to share single operations among threads.
const RECIPE: &str = "epochs = 1\nmin_updates = 2";

/// SHA-256 is not at hand here, and the bytes themselves are too many: a sum over all of them in
/// order.
fn digest(kernels: Kernels, threads: usize) -> u64 {
    let recipe = (ctgan::ENTRY.recipe)(RECIPE).unwrap();
    let mut silent = Silent;
    let context = FitContext::new(Seed(1), &mut silent);
    let mut ctx = FitContext { kernels, threads, ..context };
    let model = recipe.synthesizer.fit(&mixed_table(600, 1), &mut ctx).unwrap();
    let (_, tensors) = model.save().unwrap().to_bytes().unwrap();
    tensors.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Threads of candle's pool that spins at its barriers.
fn candle_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    // A thread may end between the listing and the look at its name.
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with("candle-bp")).count()
}

/// Runs in a child process, see below.
#[test]
#[ignore = "the other tests of this file run it in processes of their own"]
fn child() {
    let fused = [1, 2, 3, 4, 8].map(|threads| digest(Kernels::Fused, threads));
    println!("fused digests: {fused:?}");
    println!("after fused: {}", candle_threads());
    println!("digest: {}", digest(Kernels::Plain, 2));
    println!("after plain: {}", candle_threads());
}

fn run(threads: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env("RAYON_NUM_THREADS", threads)
        .env_remove("CANDLE_NUM_THREADS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.contains(": ")).map(str::to_owned).collect()
}

fn value<'a>(lines: &'a [String], key: &str) -> &'a str {
    let found = lines.iter().find_map(|line| line.strip_prefix(key));
    found.unwrap_or_else(|| panic!("no {key:?} in {lines:?}"))
}

#[test]
fn fused_training_never_starts_candles_pool_and_plain_training_obeys_the_environment() {
    let (one, three) = (run("1"), run("3"));
    for lines in [&one, &three] {
        assert_eq!(value(lines, "after fused: "), "0");
        let digests = value(lines, "fused digests: ").trim_matches(['[', ']']);
        let digests: Vec<&str> = digests.split(", ").collect();
        assert_eq!(digests.len(), 5);
        let same = digests.iter().all(|digest| *digest == digests[0]);
        assert!(same, "threads change the fused model: {digests:?}");
    }
    assert_eq!(value(&one, "after plain: "), "0", "one thread needs no pool");
    assert_eq!(value(&three, "after plain: "), "2", "the caller is the third");
    let of_both = |key| [&one, &three].map(|lines| value(lines, key));
    for key in ["digest: ", "fused digests: "] {
        let [one, three] = of_both(key);
        assert_eq!(one, three, "the environment's threads change the model");
    }
}
