use super::options::Common;
use super::{output, saved};
use bench_harness::{registry, units};
use clap::Subcommand;
use meg_core::{Artifact, ColumnKind, ColumnSpec, Fitted, Result, Role};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Look at a trained model.
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Show what a model folder holds: schema, settings, masks and order where the model has them,
    /// weights, and how many bytes everything takes.
    Inspect {
        /// Folder that `meg fit` wrote.
        #[arg(value_name = "DIR")]
        model: PathBuf,
    },
}

impl Model {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        let Model::Inspect { model } = self;
        let artifact = saved::read(model)?;
        let fitted = registry::load(&artifact)?;
        if common.json {
            return output::print_json(&value(&artifact, fitted.as_ref()));
        }
        output::print(text(&artifact, fitted.as_ref())?.as_bytes())
    }
}

fn text(artifact: &Artifact, fitted: &dyn Fitted) -> Result<String> {
    let entry = registry::entry_of_artifact(&artifact.model)?;
    let count = weights(artifact);
    let mut text = format!("{}: {}\n", entry.name, entry.paper);
    // What a counted model holds lies in its state: it has no weights to speak of.
    if count > 0 {
        text.push_str(&format!("{count} weights\n"));
    }
    section(&mut text, "schema", columns(artifact));
    for constraint in &artifact.schema.constraints {
        text.push_str(&format!("constraint: {}\n", json!(constraint)));
    }
    if let Some(settings) = registry::saved_recipe(artifact).and_then(Value::as_object) {
        let rows = settings.iter().map(|(key, value)| vec![key.clone(), value.to_string()]);
        section(&mut text, "settings", rows.collect());
    }
    for sheet in fitted.describe() {
        let rows = [sheet.header].into_iter().chain(sheet.rows).collect();
        section(&mut text, &sheet.title, rows);
    }
    let stored = stored(artifact)
        .into_iter()
        .map(|(name, bytes)| vec![name, units::show_bytes(bytes as u64)]);
    section(&mut text, "what is stored", stored.collect());
    Ok(text)
}

fn section(text: &mut String, title: &str, rows: Vec<Vec<String>>) {
    text.push_str(&format!("\n{title}\n"));
    text.push_str(&output::columns(&rows));
}

fn weights(artifact: &Artifact) -> usize {
    artifact.tensors.values().map(|tensor| tensor.data.len()).sum()
}

fn columns(artifact: &Artifact) -> Vec<Vec<String>> {
    let header = ["column", "kind", "role", "missing"].map(str::to_owned).to_vec();
    let row = |column: &ColumnSpec| {
        let role = match column.role {
            Role::Target => "target",
            _ => "",
        };
        let missing = if column.nullable { "allowed" } else { "" };
        vec![column.name.clone(), kind(column), role.into(), missing.into()]
    };
    std::iter::once(header).chain(artifact.schema.columns.iter().map(row)).collect()
}

fn kind(column: &ColumnSpec) -> String {
    match &column.kind {
        ColumnKind::Number { decimals: None } => "number".into(),
        ColumnKind::Number { decimals: Some(decimals) } => format!("number, {decimals} decimals"),
        ColumnKind::Category { levels, ordered } => {
            let order = if *ordered { ", ordered" } else { "" };
            format!("category of {}{order}", levels.len())
        }
        ColumnKind::Datetime { format } => format!("datetime, {format}"),
        ColumnKind::Identifier => "identifier".into(),
        ColumnKind::Text => "text".into(),
    }
}

/// The parts of the state by their bytes as JSON, and the tensors by theirs.
fn stored(artifact: &Artifact) -> Vec<(String, usize)> {
    let parts = registry::own_state(&artifact.state).as_object();
    let of = |(key, value): (&String, &Value)| (format!("state: {key}"), value.to_string().len());
    let mut all: Vec<(String, usize)> = parts.into_iter().flatten().map(of).collect();
    let bytes = weights(artifact) * size_of::<f32>();
    all.push((format!("{} tensors", artifact.tensors.len()), bytes));
    all
}

fn value(artifact: &Artifact, fitted: &dyn Fitted) -> Value {
    let tensors: Vec<Value> = artifact
        .tensors
        .iter()
        .map(|(name, tensor)| json!({"name": name, "shape": tensor.shape}))
        .collect();
    json!({
        "schema_version": 1,
        "model": artifact.model,
        "weights": weights(artifact),
        "schema": artifact.schema,
        "recipe": registry::saved_recipe(artifact),
        "sheets": fitted.describe(),
        "tensors": tensors,
        "stored_bytes": stored(artifact).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    })
}
