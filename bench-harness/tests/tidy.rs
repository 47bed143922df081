//! The rules of the workspace that a compiler does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of the workspace a crate may depend on; `models/*` stands for every model.
const ARROWS: &[(&str, &[&str])] = &[
    ("meg-core", &[]),
    ("transforms", &["meg-core"]),
    ("neural", &["meg-core", "transforms"]),
    ("models/*", &["meg-core", "transforms", "neural"]),
    ("eval", &["meg-core"]),
    ("datasets", &["meg-core"]),
    ("bench-harness", &["meg-core", "transforms", "models/*", "eval", "datasets"]),
];

/// Which crates may depend on a heavy library, by the start of its name.
const HEAVY: &[(&str, &[&str])] = &[
    ("polars", &["datasets", "bench-harness"]),
    ("candle", &["neural", "models/*"]),
    ("smartcore", &["eval"]),
    ("linfa", &["transforms", "eval"]),
];

/// Crates that may touch files, read clocks and print.
const OUTWARD: &[&str] = &["datasets", "bench-harness"];

struct Crate {
    name: String,
    folder: PathBuf,
    dependencies: BTreeSet<String>,
}

impl Crate {
    /// Its own name, or `models/*` for models.
    fn class(&self) -> &str {
        let in_models = self.folder.parent().is_some_and(|parent| parent.ends_with("models"));
        if in_models && self.name != "neural" { "models/*" } else { &self.name }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifest(path: &Path) -> toml::Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        entries.filter(|path| path.join("Cargo.toml").is_file()).collect();
    folders.sort();
    folders
}

fn crates() -> Vec<Crate> {
    let top = folders(&root());
    let models = folders(&root().join("models"));
    let all = top.into_iter().chain(models).map(|folder| {
        let manifest = manifest(&folder.join("Cargo.toml"));
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        assert!(folder.ends_with(&name), "{name}: the folder has another name");
        Crate { name, dependencies: dependencies(&manifest), folder }
    });
    all.collect()
}

/// Dependencies of every section except those for tests: those do not reach a user's build. A test
/// may not bring a forbidden arrow back either, so crates of the workspace count there too.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut tables: Vec<&toml::Table> =
        sections.iter().filter_map(|section| manifest.get(*section)?.as_table()).collect();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    for target in targets.into_iter().flat_map(toml::Table::values) {
        tables.extend(sections.iter().filter_map(|section| target.get(*section)?.as_table()));
    }
    tables.into_iter().flat_map(toml::Table::keys).cloned().collect()
}

#[test]
fn arrows_between_crates_are_those_of_the_architecture() {
    let crates = crates();
    let classes: BTreeMap<&str, &str> =
        crates.iter().map(|one| (one.name.as_str(), one.class())).collect();
    for one in &crates {
        let (_, allowed) = ARROWS
            .iter()
            .find(|(class, _)| *class == one.class())
            .unwrap_or_else(|| panic!("{}: no rule for this crate", one.name));
        for dependency in &one.dependencies {
            let Some(class) = classes.get(dependency.as_str()) else { continue };
            assert!(allowed.contains(class), "{} must not depend on {dependency}", one.name);
        }
    }
}

#[test]
fn heavy_libraries_stay_where_they_belong() {
    for one in crates() {
        for dependency in &one.dependencies {
            for (library, allowed) in HEAVY {
                assert!(
                    !dependency.starts_with(library) || allowed.contains(&one.class()),
                    "{} must not depend on {dependency}",
                    one.name
                );
            }
        }
    }
}

#[test]
fn every_model_is_listed_and_described() {
    let source = fs::read_to_string(root().join("bench-harness/src/lib.rs")).unwrap();
    for one in crates().iter().filter(|one| one.class() == "models/*") {
        let module = one.name.replace('-', "_");
        assert!(
            source.contains(&format!("{module}::")),
            "{}: not in MODELS of bench-harness/src/lib.rs",
            one.name
        );
        assert!(one.folder.join("README.md").is_file(), "{}: no README.md", one.name);
    }
}

#[test]
fn names_of_models_and_variants_are_unique() {
    let mut seen = BTreeSet::new();
    for entry in bench_harness::MODELS {
        assert!(seen.insert(entry.name), "the model name {} occurs twice", entry.name);
        for (at, variant) in entry.variants.iter().enumerate() {
            // The first variant is what the plain name stands for, and may bear it.
            let is_plain = at == 0 && variant.name == entry.name;
            assert!(is_plain || seen.insert(variant.name), "{} occurs twice", variant.name);
            (entry.recipe)(variant.settings).unwrap();
        }
    }
}

#[test]
fn names_of_metrics_are_unique() {
    let mut seen = BTreeSet::new();
    for metric in eval::METRICS {
        for name in metric.names() {
            assert!(seen.insert(name), "the metric name {name} occurs twice");
        }
        assert!(!metric.about().is_empty(), "{}: no description", metric.name());
    }
}

#[test]
fn only_the_outward_crates_touch_files_clocks_and_the_screen() {
    let forbidden = ["std::fs", "std::time", "println!", "eprintln!", "print!(", "process::exit"];
    for one in crates().iter().filter(|one| !OUTWARD.contains(&one.name.as_str())) {
        for file in sources(&one.folder.join("src")) {
            for (number, line) in production_lines(&fs::read_to_string(&file).unwrap()) {
                let found = forbidden.iter().find(|word| line.contains(**word));
                assert!(found.is_none(), "{}:{number}: {}", file.display(), line.trim());
            }
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Lines that are neither comments nor below the tests, which stand at the end of a file.
fn production_lines(text: &str) -> Vec<(usize, &str)> {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
        .collect()
}
