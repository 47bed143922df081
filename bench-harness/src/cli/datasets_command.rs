use super::options::{Common, DataOptions};
use super::output;
use super::progress::Progress;
use super::split;
use bench_harness::{cell::SPLIT_SEED, files};
use clap::{Subcommand, ValueEnum};
use datasets::{CATALOGUE, Chosen, Dataset, Entry, Folder, SourceFile, Split};
use meg_core::{Error, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What there is to say of a folder of the user's own.
const OWN: &str = "A table of your own";
const OWN_SPLIT: &str = "as the folder holds it";

/// Look at, fetch and export the named tables.
#[derive(Debug, Subcommand)]
pub(crate) enum Datasets {
    /// List all named tables.
    List,
    /// Show what a table is, where its files come from, its split, licence and citation.
    Show {
        /// Name, glob, or folder of your own.
        name: String,
    },
    /// Find or download tables and check their contents.
    Fetch {
        /// Names or globs.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        data: DataOptions,
    },
    /// Write a table as files: train, holdout and schema.toml, split as in the benchmark.
    Export {
        /// Name.
        name: String,
        /// Folder to write; refused when it exists.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Form of the tables.
        #[arg(long, value_enum, default_value_t = Form::Csv)]
        format: Form,
        #[command(flatten)]
        data: DataOptions,
    },
    Split(split::Split),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// Text.
    Csv,
    /// Binary columns.
    Parquet,
}

impl Datasets {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        match self {
            Datasets::List => list(common),
            Datasets::Show { name } => show(common, name),
            Datasets::Fetch { names, data } => fetch(common, names, data),
            Datasets::Export { name, out, format, data } => {
                export(common, name, out, *format, data)
            }
            Datasets::Split(command) => command.run(common),
        }
    }
}

fn list(common: &Common) -> Result<()> {
    if common.json {
        return output::print_json(&CATALOGUE.iter().map(describe).collect());
    }
    let rows: Vec<Vec<String>> =
        CATALOGUE.iter().map(|entry| vec![entry.name.into(), gist(entry.about)]).collect();
    output::print(output::columns(&rows).as_bytes())
}

fn show(common: &Common, name: &str) -> Result<()> {
    let tables = datasets::select(&[name.to_owned()])?.tables;
    if common.json {
        let described = tables.iter().map(|table| match table {
            Chosen::Named(entry) => describe(entry),
            Chosen::Folder(folder) => describe_folder(folder),
        });
        return output::print_json(&described.collect());
    }
    for table in &tables {
        output::print_line(&match table {
            Chosen::Named(entry) => in_words(entry),
            Chosen::Folder(folder) => folder_in_words(folder),
        })?;
    }
    Ok(())
}

fn in_words(entry: &Entry) -> String {
    let shared = entry.group.map_or(String::new(), |group| {
        format!("shares rows with: every table of the group {group}\n")
    });
    format!(
        "{}\n{}\ntarget: {}\nsplit: {}\nlicence: {}\ncite: {}\n{shared}{}",
        entry.name,
        entry.about,
        entry.target.unwrap_or("none"),
        split(entry.split),
        entry.licence,
        entry.citation,
        entry.files.iter().map(file).collect::<String>()
    )
}

fn folder_in_words(folder: &Folder) -> String {
    let files = folder.files().map(|file| format!("file: {}\n", file.display())).concat();
    let target = folder.target().unwrap_or("none");
    format!("{}\n{OWN}.\ntarget: {target}\nsplit: {OWN_SPLIT}\n{files}", folder.name())
}

fn fetch(common: &Common, names: &[String], data: &DataOptions) -> Result<()> {
    let mut found = Vec::new();
    for chosen in datasets::select(names)?.tables {
        let table = load(common, &chosen, data)?;
        if !common.json {
            output::print_line(&format!(
                "{}: {} training rows, {} holdout rows, {} columns",
                table.name,
                table.train.rows(),
                table.holdout.rows(),
                table.train.columns().len()
            ))?;
        }
        found.push(json!({
            "name": table.name,
            "rows": {"train": table.train.rows(), "holdout": table.holdout.rows()},
            "columns": table.train.columns().len(),
            "data_hash": table.hash,
            "split_hash": table.split,
        }));
    }
    if common.json { output::print_json(&Value::Array(found)) } else { Ok(()) }
}

fn export(common: &Common, name: &str, out: &Path, form: Form, data: &DataOptions) -> Result<()> {
    let tables = datasets::select(&[name.to_owned()])?.tables;
    let [chosen] = &tables[..] else {
        return Err(Error::Request(format!("{name:?} stands for {} tables", tables.len())));
    };
    check_new_folder(out)?;
    let table = load(common, chosen, data)?;
    write_new_folder(&table, out, form)?;
    if common.json {
        return output::print_json(&json!({"name": table.name, "out": out.display().to_string()}));
    }
    common.done(&format!("{} is in {}", table.name, out.display()))
}

/// Refuses a folder that is there or cannot be made, before any work.
pub(crate) fn check_new_folder(out: &Path) -> Result<()> {
    if out.exists() {
        let problem = format!("{} exists already\n  help: choose another name", out.display());
        return Err(Error::Request(problem));
    }
    files::check_writable(out, false)
}

/// Writes a table as train, holdout and schema into a folder that is made for it.
pub(crate) fn write_new_folder(table: &Dataset, out: &Path, form: Form) -> Result<()> {
    std::fs::create_dir(out).map_err(|error| files::cannot_write(out, &error))?;
    let written = write(table, out, form);
    if written.is_err() {
        // What was written so far is no export; the error says why.
        let _ = std::fs::remove_dir_all(out);
    }
    written
}

fn write(table: &Dataset, out: &Path, form: Form) -> Result<()> {
    let ending = match form {
        Form::Csv => "csv",
        Form::Parquet => "parquet",
    };
    datasets::write_table(&out.join(format!("train.{ending}")), &table.train)?;
    datasets::write_table(&out.join(format!("holdout.{ending}")), &table.holdout)?;
    datasets::write_file(&out.join("schema.toml"), table.train.schema().to_toml().as_bytes())
}

fn load(common: &Common, table: &Chosen, data: &DataOptions) -> Result<Dataset> {
    let mut task = Progress::new(common.quiet).task(table.name());
    table.load(&data.places(), SPLIT_SEED, &mut task)
}

/// The first sentence, shortened to fit a line; `show` gives the rest.
fn gist(about: &str) -> String {
    const WIDTH: usize = 90;
    let first = about.split_once(". ").map_or(about, |(first, _)| first).trim_end_matches('.');
    if first.chars().count() <= WIDTH {
        return first.to_owned();
    }
    first.chars().take(WIDTH).collect::<String>().trim_end().to_owned() + " …"
}

fn split(split: Split) -> String {
    match split {
        Split::Published => "as published".into(),
        Split::Halves => "the first half trains, the second is held out".into(),
        Split::Stratified { holdout } => {
            format!("{:.0} % of each class held out, equal rows on one side", 100.0 * holdout)
        }
    }
}

fn file(file: &SourceFile) -> String {
    let from: String =
        file.addresses.iter().map(|address| format!("\n  from {}", address.url)).collect();
    format!("file: {} ({} bytes, SHA-256 {}){from}\n", file.name, file.bytes, file.sha256)
}

fn describe(entry: &Entry) -> Value {
    let files: Vec<Value> = entry
        .files
        .iter()
        .map(|file| {
            json!({
                "name": file.name,
                "folder": file.folder,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "addresses": file.addresses.iter().map(|address| address.url).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "target": entry.target,
        "split": split(entry.split),
        "files": files,
        "name": entry.name,
        "about": entry.about,
        "licence": entry.licence,
        "citation": entry.citation,
        "group": entry.group,
    })
}

fn describe_folder(folder: &Folder) -> Value {
    let file = |path: &Path| json!({"name": path.display().to_string()});
    json!({
        "target": folder.target(),
        "split": OWN_SPLIT,
        "files": folder.files().map(file),
        "name": folder.name(),
        "about": OWN,
    })
}
