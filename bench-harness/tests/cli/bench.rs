//! `meg bench` and `meg report`: cells, their ends and their bytes.

use crate::BENCH;
use crate::place::Place;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TINY_BENCH: &str = "--set ctgan.min_updates=20 --set ctgan.epochs=1 \
    --set ctgan.batch_size=100 --set ctgan.generator_dim=[32,32] \
    --set ctgan.discriminator_dim=[32,32] --set ctgan.embedding_dim=16";

#[test]
fn a_benchmark_repeats_to_the_byte_and_skips_what_is_there() {
    let place = Place::new();
    let report = place.ok(&format!("{BENCH} --jobs 1 --threads 2 --out a"));
    assert!(report.contains("| independent"), "{report}");
    assert!(report.contains("keeps no relation between columns"), "{report}");
    place.ok(&format!("{BENCH} --jobs 2 --threads 1 --out b"));
    assert_eq!(place.cells("a"), place.cells("b"));
    assert_eq!(place.cells("a").len(), 2);
    let before = fs::read(place.path("a/cells.jsonl")).unwrap();
    let (_, remarks) = place.ends(&format!("{BENCH} --jobs 1 --out a"), 0);
    assert!(remarks.contains("2 cells were there already"), "{remarks}");
    assert_eq!(fs::read(place.path("a/cells.jsonl")).unwrap(), before);
    place.ok(&format!("{BENCH} --jobs 1 --threads 2 --out a --fresh"));
    assert_ne!(fs::read(place.path("a/cells.jsonl")).unwrap(), before, "times differ");
    assert_eq!(place.cells("a"), place.cells("b"));
    // The plan that was kept is a plan.
    place.ok("bench a/plan.toml --offline --out c");
    assert_eq!(place.cells("a"), place.cells("c"));
    assert_eq!(place.ok("report a"), fs::read_to_string(place.path("a/report.md")).unwrap());
    assert!(place.ok("report a --format csv").starts_with("dataset,model,seed"));
    let summary: Value = serde_json::from_str(&place.ok("report a --json")).unwrap();
    assert_eq!(summary["tables"][0]["models"][1]["ok"], 1);
}

#[test]
fn a_trained_network_is_the_same_to_the_byte_at_any_number_of_threads_and_jobs() {
    let place = Place::new();
    let line = format!(
        "bench --datasets clinic --models copy,ctgan --rows 200 --seeds 1,2 --offline {TINY_BENCH} --keep-samples"
    );
    place.ok(&format!("{line} --jobs 2 --threads 1 --out a"));
    place.ok(&format!("{line} --jobs 1 --threads 2 --out b"));
    assert_eq!(place.cells("a"), place.cells("b"));
    // Networks begin first, and the plan's order is kept all the same.
    let models: Vec<Value> = place.cells("a").iter().map(|cell| cell["model"].clone()).collect();
    assert_eq!(models, ["copy", "copy", "ctgan", "ctgan"]);
    for seed in [1, 2] {
        let sample = format!("samples/clinic-ctgan-{seed}.parquet");
        let read = |run: &str| fs::read(place.path(run).join(&sample)).unwrap();
        assert_eq!(read("a"), read("b"), "seed {seed}");
    }
}

#[test]
fn samples_are_kept_on_request() {
    let place = Place::new();
    place.ok(&format!("{BENCH} --keep-samples --out a"));
    let kept = place.path("a/samples/clinic-copy-1.parquet");
    assert!(kept.is_file());
    fs::remove_file(&kept).unwrap();
    place.ok(&format!("{BENCH} --keep-samples --out a"));
    assert!(kept.is_file(), "a lost sample is made again");
}

#[test]
fn a_cell_that_fails_costs_that_cell_alone() {
    let place = Place::new();
    let (report, _) = place.ends(&format!("{BENCH} --timeout 1ms --out a"), 5);
    assert!(report.contains("Failed cells") && report.contains("timeout"), "{report}");
    assert!(place.cells("a").iter().all(|cell| cell["status"] == "timeout"));
    place.ok(&format!("{BENCH} --out a"));
    assert!(place.cells("a").iter().all(|cell| cell["status"] == "ok"));
}

#[test]
fn training_that_diverges_is_recorded_with_its_step_and_spares_the_others() {
    let place = Place::new();
    let line = "bench --datasets clinic --models copy,ctgan --rows 200 --offline --out a \
                --set ctgan.generator_lr=1e30 --set ctgan.min_updates=50 --set ctgan.epochs=1";
    place.ends(line, 5);
    let cells = place.cells("a");
    assert_eq!(cells[0]["status"], "ok");
    assert_eq!((&cells[1]["status"], &cells[1]["phase"]), (&"failed".into(), &"train".into()));
    let reason = cells[1]["reason"].as_str().unwrap();
    assert!(reason.contains("step") && reason.contains("NaN"), "{reason}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_cell_that_wants_too_much_memory_is_recorded() {
    let place = Place::new();
    assert!(place.ok("bench --help").contains("ends the cell as out_of_memory"));
    place.ends(&format!("{BENCH} --memory-limit 1M --out a"), 5);
    for cell in place.cells("a") {
        assert_eq!(cell["status"], "out_of_memory", "{cell}");
        assert!(cell["reason"].as_str().unwrap().contains("1 MiB"), "{cell}");
    }
}

/// A plan that comes along needs no file, and its report has what the paper printed; not beside a
/// model whose settings were changed.
#[test]
fn a_plan_that_comes_along_stands_beside_published_values() {
    let place = Place::new();
    let line = "bench simulated --datasets ring --rows 300 --seeds 1 --offline";
    let report = place.ok(&format!("{line} --models copy,clbn --out a"));
    let about = "## Beside Table 6 of the CTGAN paper";
    assert!(report.contains(about), "{report}");
    let row = report.lines().find(|line| line.contains("clbn (CLBN)")).unwrap();
    assert!(row.contains("300 (10000)") && row.contains("likelihood_synthetic"), "{row}");
    assert!(row.contains("-1.75") && !report.contains("| SDGym"), "{row}");
    let report = place.ok(&format!("{line} --models clbn --set clbn.bins=7 --out b"));
    assert!(!report.contains("clbn (CLBN)") && report.contains("settings were changed: clbn"));
    let report = place.ok(
        "bench meg-privacy --datasets clinic --models least-rows-10 --seeds 1 --rows 300 --offline \
         --metrics shape --set least-rows-10.max_steps=20 --out c",
    );
    assert!(report.contains("| least-rows-10 "), "{report}");
    let unknown = "bench meg-privacy --models hidden-3 --offline --out d";
    place.refuses(unknown, 2, &["hidden-3", "hidden-0.2"]);
    place.refuses("bench nowhere", 3, &["nowhere", "simulated, simulated-networks"]);
}

#[test]
fn tables_that_cannot_be_had_are_skipped_with_the_way_to_get_them() {
    let place = Place::new();
    let line = "bench --models copy --rows 100 --offline --datasets";
    let (report, remarks) = place.ends(&format!("{line} clinic,thyroid --out a"), 0);
    for text in [&report, &remarks] {
        assert!(text.contains("thyroid") && text.contains("MEG_DATA"), "{text}");
    }
    place.refuses(&format!("{line} thyroid --out b"), 3, &["none of the tables"]);
}

#[test]
fn a_table_that_is_there_and_wrong_fails_and_spares_the_others() {
    let place = Place::new();
    fs::create_dir_all(place.path("tables/car")).unwrap();
    place.file("tables/car/car.data", "vhigh,low\n");
    let line = "bench --models copy,independent --rows 100 --offline --data-dir tables --datasets";
    let (report, remarks) = place.ends(&format!("{line} car,clinic,thyroid --out a"), 5);
    assert!(remarks.contains("car cannot be read"), "{remarks}");
    assert!(report.contains("Failed cells") && report.contains("Skipped datasets"), "{report}");
    let cells = place.cells("a");
    for cell in &cells[..2] {
        assert_eq!((&cell["dataset"], &cell["status"]), (&"car".into(), &"failed".into()));
        assert_eq!(cell["phase"], "load");
        let reason = cell["reason"].as_str().unwrap();
        assert!(reason.contains("car.data") && reason.contains("not the one"), "{reason}");
    }
    assert!(cells[2..].iter().all(|cell| cell["status"] == "ok"));
    assert_eq!(cells.len(), 4);
    place.refuses(&format!("{line} car,thyroid --out b"), 3, &["none of the tables", "car.data"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_finished_cells_and_goes_on() {
    let place = Place::new();
    let seeds = |count: usize| (1..=count).map(|s| s.to_string()).collect::<Vec<_>>().join(",");
    let line = format!("{BENCH} --jobs 1 --out a --seeds {}", seeds(60));
    let mut child =
        place.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let finished = || count_lines(&place.path("a/cells.jsonl"));
    let start = Instant::now();
    while finished() < 2 && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    assert_eq!(child.wait().unwrap().code(), Some(6));
    let kept = place.cells("a");
    assert!((2..120).contains(&kept.len()), "{} cells", kept.len());
    assert!(kept.iter().all(|cell| cell["status"] == "ok"));
    let (_, remarks) = place.ends(&format!("{BENCH} --jobs 1 --out a --seeds 1,2"), 0);
    assert!(remarks.contains("cells were there already"), "{remarks}");
}

#[cfg(unix)]
fn count_lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
