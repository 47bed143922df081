//! The real program on temporary folders.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder of its own, and the program in it without the user's tables and without the network.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        name.to_owned()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meg"));
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command.env_remove("MEG_DATA").env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs a line; words are separated by blanks.
    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a line in a shell that has set limits first.
    #[cfg(unix)]
    fn limited(&self, limits: &str, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limits}; exec {} {line}", env!("CARGO_BIN_EXE_meg")));
        command.current_dir(self.folder.path()).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        self.ends(line, 0).0
    }

    /// Runs a line that ends with this exit code; returns stdout and stderr.
    #[track_caller]
    fn ends(&self, line: &str, code: i32) -> (String, String) {
        let output = self.run(line);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "meg {line}\n{out}\n{err}");
        (out, err)
    }

    /// Runs a line that is refused with this exit code and these parts of a message, and that
    /// leaves the folder as it was.
    #[track_caller]
    fn refuses(&self, line: &str, code: i32, parts: &[&str]) {
        let before = self.names();
        let (_, message) = self.ends(line, code);
        for part in parts {
            assert!(message.contains(part), "meg {line}\n{message}\nshould contain {part:?}");
        }
        assert!(!message.contains("panicked"), "{message}");
        assert_eq!(self.names(), before, "meg {line}: something was left behind");
    }

    /// Starts a line that would go on for hours, interrupts it after a while and returns its
    /// remarks.
    #[cfg(unix)]
    #[track_caller]
    fn interrupts(&self, line: &str, ready: impl Fn() -> bool) -> String {
        let child = self.command(line).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while !ready() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(signal.success());
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "meg {line}\n{words}");
        words
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The cells of a run, without times and memory.
    fn cells(&self, folder: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(folder).join("cells.jsonl")).unwrap();
        text.lines().map(|line| without_measurements(serde_json::from_str(line).unwrap())).collect()
    }
}

fn without_measurements(mut cell: Value) -> Value {
    let fields = cell.as_object_mut().unwrap();
    for field in ["seconds", "peak_memory_bytes", "peak_memory"] {
        assert!(fields.remove(field).is_some(), "{field} is missing");
    }
    cell
}

fn people(rows: usize) -> String {
    let mut text = String::from("age,sex,town,ill\n");
    for row in 0..rows {
        let age = 18 + (row * 37) % 70;
        let sex = ["F", "M"][row % 2];
        let town = ["Aa", "Bb", "Cc"][(row / 3) % 3];
        let ill = ["no", "yes"][usize::from(age > 55)];
        text.push_str(&format!("{age},{sex},{town},{ill}\n"));
    }
    text
}

const SCHEMA: &str = r#"
[[columns]]
name = "age"
kind = "number"
decimals = 0

[[columns]]
name = "sex"
kind = "category"
levels = ["F", "M"]
"#;

#[test]
fn a_trained_model_is_inspected_and_asked_for_densities_and_missing_cells() {
    let place = Place::new();
    let gaps = people(300).replacen("F,Aa", "F,", 9);
    place.file("people.csv", &gaps);
    place.ok("fit --data people.csv --model meg --set max_steps=20 --out twin.model");
    let text = place.ok("model inspect twin.model");
    let parts =
        ["category of 3", "max_steps", "columns in the order", "all before (3)", "tensors", " KiB"];
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let value: Value = serde_json::from_str(&place.ok("model inspect twin.model --json")).unwrap();
    assert_eq!((&value["model"], &value["recipe"]["max_steps"]), (&"meg".into(), &20.into()));
    let cells = |tensor: &Value| {
        let sizes = tensor["shape"].as_array().unwrap().iter();
        sizes.map(|size| size.as_u64().unwrap()).product::<u64>()
    };
    let weights: u64 = value["tensors"].as_array().unwrap().iter().map(cells).sum();
    assert_eq!(value["weights"], weights);

    let told = place.ok("density --model twin.model --data people.csv --out d.csv --lowest 2");
    assert!(told.contains("300 rows: mean log-density -"), "{told}");
    assert!(told.contains("median -") && told.lines().count() == 4, "{told}");
    let unseen = format!("{}\n3000,F,Aa,no\n", people(2).trim_end());
    place.file("unseen.csv", unseen);
    let told = place.ok("density --model twin.model --data unseen.csv");
    assert!(told.contains("1 rows (33.3 %) have a cell that the model never draws"), "{told}");
    assert!(told.contains("the mean of the other 2 is -"), "{told}");
    let densities = fs::read_to_string(place.path("d.csv")).unwrap();
    let mut densities = densities.lines();
    assert_eq!(densities.next(), Some("log_density"));
    assert!(densities.all(|line| line.parse::<f64>().unwrap() < 0.0));

    let told = place.ok("impute --model twin.model --data people.csv --out full.csv");
    assert!(told.contains("9 missing cells of 300 rows are filled"), "{told}");
    let full = fs::read_to_string(place.path("full.csv")).unwrap();
    for (before, after) in gaps.lines().zip(full.lines()) {
        let mut cells = before.split(',').zip(after.split(','));
        assert!(
            cells
                .all(|(before, after)| !after.is_empty() && (before == after || before.is_empty()))
        );
    }
    place.ok("fit --data people.csv --model independent --out plain.model");
    place.refuses("density --model plain.model --data people.csv", 2, &["has no density"]);
    place.refuses("impute --model plain.model --data people.csv --out x.csv", 2, &["cannot fill"]);
    place.refuses("model inspect nowhere", 3, &["meg fit --out DIR"]);
}

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

#[test]
fn the_same_seed_gives_the_same_bytes_at_any_number_of_threads() {
    let place = Place::new();
    place.file("people.csv", people(300));
    let draw = |seed: u64, threads: u64, name: &str| {
        let (model, out) = (format!("{name}.model"), format!("{name}.csv"));
        place.ok(&format!("fit --data people.csv --model independent --seed {seed} --threads {threads} --out {model}"));
        place.ok(&format!(
            "sample --model {model} --rows 99 --seed {seed} --threads {threads} --out {out}"
        ));
        fs::read(place.path(&out)).unwrap()
    };
    let first = draw(1, 1, "a");
    assert_eq!(first, draw(1, 2, "b"));
    assert_ne!(first, draw(2, 1, "c"));
}

#[test]
fn existing_outputs_are_refused_unless_forced() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.ok("fit --data people.csv --model independent --out m");
    place.refuses("fit --data people.csv --model independent --out m", 2, &["--force"]);
    place.ok("fit --data people.csv --model independent --out m --force");
    place.ok("sample --model m --rows 5 --out a.csv");
    place.refuses("sample --model m --rows 5 --out a.csv", 2, &["a.csv", "--force"]);
    place.refuses("sample --model m --rows 5 --out a.xls", 2, &[".csv or .parquet"]);
    place.refuses("sample --model m --rows 5 --where sex=X --out b.csv", 2, &["sex", "F, M"]);
    place.refuses("sample --model m --rows 5 --where six=F --out b.csv", 2, &["six", "sex"]);
    place.refuses("sample --model m --rows 1000000001 --out b.csv", 2, &["1 000 000 000", "help:"]);
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
fn outputs_that_cannot_be_written_are_named_before_the_work() {
    let place = Place::new();
    place.file("people.csv", people(60));
    let fit = "fit --data people.csv --model independent --out";
    place.refuses(&format!("{fit} no/such/m"), 3, &["no/such/m", "help:"]);
    place.refuses(&format!("{fit} people.csv/m"), 3, &["people.csv/m"]);
    place.refuses("bench --datasets clinic --out people.csv/run", 3, &["people.csv/run"]);
    place.refuses("schema infer people.csv --out no/schema.toml", 3, &["no/schema.toml"]);
}

#[test]
fn mistakes_of_the_command_line_are_answered_with_the_nearest_word() {
    let place = Place::new();
    place.file("people.csv", people(60));
    let fit = "fit --data people.csv --out m --model";
    place.refuses(&format!("{fit} independant"), 2, &["\"independent\""]);
    place.refuses(&format!("{fit} independent --set x=1"), 2, &["`x`"]);
    place.refuses(&format!("{fit} independent --device gpu"), 2, &["cuda:0"]);
    place.refuses("bench --datasets clinci --models copy", 2, &["clinci", "clinic"]);
    place.refuses("bench --datasets clinic --models cpy", 2, &["cpy", "\"copy\""]);
    place.refuses("bench --datasets clinic --models copy --set ctgan.x=1", 2, &["ctgan.x", "copy"]);
    place.refuses("bench --datasets clinic --models copy,copy", 2, &["twice"]);
    place.refuses("bench --datasets clinic --models copy --timeout soon", 2, &["30m"]);
    place.refuses("bench --datasets clinic --models copy --metrics shap", 2, &["shap", "shape"]);
    place.file("plan.toml", "dataset = [\"clinic\"]");
    place.refuses("bench plan.toml", 2, &["plan.toml", "dataset"]);
    place.refuses("nonsense", 2, &["nonsense"]);
}

#[test]
fn damaged_models_are_a_format_error() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.ok("fit --data people.csv --model independent --out m");
    let header = place.path("m/model.json");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(&header, &text[..text.len() / 2]).unwrap();
    place.refuses("sample --model m --rows 5 --out a.csv", 4, &["model.json"]);
    fs::write(&header, text.replace("\"independent\"", "\"dependent\"")).unwrap();
    place.refuses("sample --model m --rows 5 --out a.csv", 4, &["\"dependent\""]);
    place.refuses("sample --model people.csv --rows 5 --out a.csv", 3, &["meg fit"]);
}

/// A network of a few seconds.
const TINY_FIT: &str = "--set min_updates=20 --set epochs=1 --set batch_size=100 \
    --set generator_dim=[32,32] --set discriminator_dim=[32,32] --set embedding_dim=16";

const TINY_BENCH: &str = "--set ctgan.min_updates=20 --set ctgan.epochs=1 \
    --set ctgan.batch_size=100 --set ctgan.generator_dim=[32,32] \
    --set ctgan.discriminator_dim=[32,32] --set ctgan.embedding_dim=16";

const BENCH: &str = "bench --datasets clinic --models copy,independent --rows 200 --offline";

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
    place.ends(&format!("{BENCH} --memory-limit 1M --out a"), 5);
    for cell in place.cells("a") {
        assert_eq!(cell["status"], "out_of_memory", "{cell}");
        assert!(cell["reason"].as_str().unwrap().contains("1 MiB"), "{cell}");
    }
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

/// A saved model learns further, says so, and keeps what it cannot learn anew.
#[test]
fn a_saved_model_is_trained_further() {
    let place = Place::new();
    place.file("people.csv", people(2_400));
    let meg = "--set hidden=8 --set embedding=4 --set label=first --threads 1";
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
    place.file("few.csv", people(300));
    place.refuses("fit --data few.csv --continue first --out n", 2, &["300 rows", "folds=1"]);
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

#[cfg(unix)]
fn count_lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn models_datasets_and_schemas_can_be_looked_at() {
    let place = Place::new();
    assert!(place.ok("models list").contains("independent"));
    place.ok("models show independent");
    let models: Value = serde_json::from_str(&place.ok("models list --json")).unwrap();
    assert_eq!(models[0]["name"], "copy");
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
    place.refuses("datasets split mine.csv --out mine", 2, &["mine", "exists already"]);
    place.refuses("datasets split mine.csv --out new --share 1", 2, &["--share 1", "below 1"]);
    place.file("one.csv", "x\n1\n");
    place.refuses("datasets split one.csv --out new", 3, &["one.csv", "1 rows", "help:"]);
}

#[test]
fn quiet_commands_say_nothing() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.file("rules.toml", "[[rules]]\ncolumns = [\"town\"]\nmethod = \"drop\"\n");
    for line in [
        "fit --data people.csv --model independent --out m -q",
        "sample --model m --rows 5 --out s.csv -q",
        "mask people.csv --rules rules.toml --out masked.csv -q",
        "datasets export clinic --out clinic --offline -q",
        "datasets split people.csv --out people -q",
    ] {
        assert_eq!(place.ends(line, 0), (String::new(), String::new()), "{line}");
    }
    assert!(!place.ok("schema check people.csv --schema people/schema.toml -q").is_empty());
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

#[test]
fn conditions_that_no_row_can_meet_are_refused_without_drawing() {
    let place = Place::new();
    place.file("people.csv", people(300));
    place.ok(&format!("fit --data people.csv --model ctgan {TINY_FIT} --out gan"));
    place.ok("fit --data people.csv --model independent --out shuffled");
    let sample = |model: &str, age: &str| {
        format!("sample --model {model} --rows 50 --where age={age} --out s.csv")
    };
    place.refuses(&sample("gan", "60.123"), 2, &["\"age\"", "60.123", "the nearest is 60"]);
    place.refuses(&sample("gan", "-5"), 5, &["\"age\"", "from 18 to 87", "never -5"]);
    place.refuses(&sample("shuffled", "200"), 5, &["\"age\"", "never hold 200"]);
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
