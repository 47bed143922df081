use super::options::Common;
use super::output;
use bench_harness::{MODELS, registry};
use clap::Subcommand;
use meg_core::{ModelEntry, Result};
use serde_json::{Value, json};

/// Look at the models and their settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List all models and their variants.
    List,
    /// Show every setting of a model with its default, which is the paper's.
    Show {
        /// Model or variant.
        name: String,
    },
}

impl Models {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        match self {
            Models::List if common.json => {
                output::print_json(&MODELS.iter().map(describe).collect())
            }
            Models::List => output::print(list().as_bytes()),
            Models::Show { name } => {
                let choice = registry::choose(name, &toml::Table::new())?;
                if common.json {
                    let mut value = describe(choice.entry);
                    value["recipe"] = choice.recipe.settings;
                    output::print_json(&value)
                } else {
                    output::print(show(choice.entry, name, &choice.recipe.settings).as_bytes())
                }
            }
        }
    }
}

fn list() -> String {
    let mut rows = Vec::new();
    for entry in MODELS {
        rows.push(vec![entry.name.to_owned(), entry.paper.to_owned()]);
        let others = entry.variants.iter().filter(|variant| variant.name != entry.name);
        rows.extend(others.map(|variant| vec![variant.name.into(), variant.about.into()]));
    }
    output::columns(&rows)
}

fn show(entry: &ModelEntry, name: &str, recipe: &Value) -> String {
    let mut text = format!("{name}: {}\n", entry.paper);
    for variant in entry.variants {
        text.push_str(&format!("  {}: {}\n", variant.name, variant.about));
    }
    if entry.further {
        text.push_str("A saved one can be trained further: meg fit --continue DIR.\n");
    }
    let mut rows = vec![vec!["setting".into(), "here".into(), "paper".into(), String::new()]];
    rows.extend((entry.settings)().iter().map(|setting| {
        vec![
            setting.name.to_owned(),
            recipe[setting.name].to_string(),
            setting.default.to_string(),
            setting.help.to_owned(),
        ]
    }));
    text.push('\n');
    if rows.len() == 1 {
        return text + "It has no settings.\n";
    }
    text + &output::columns(&rows)
}

fn describe(entry: &ModelEntry) -> Value {
    let variants: Vec<Value> = entry
        .variants
        .iter()
        .map(|variant| {
            json!({"name": variant.name, "about": variant.about, "settings": variant.settings})
        })
        .collect();
    let settings: Vec<Value> = (entry.settings)()
        .iter()
        .map(|setting| {
            json!({"name": setting.name, "default": setting.default, "help": setting.help})
        })
        .collect();
    json!({
        "name": entry.name,
        "paper": entry.paper,
        "variants": variants,
        "settings": settings,
        "checkpoints": entry.checkpoints,
        "further_training": entry.further,
    })
}
