//! Finding models by name.

use crate::MODELS;
use meg_core::{Artifact, Error, Fitted, ModelEntry, Recipe, Result};
use serde_json::Value;
use transforms::constraints::{self, Constrained};
use transforms::{Mirrored, load_mirrored};

/// One model with its settings, as it stands in a row of a report.
#[derive(Debug)]
pub struct Choice {
    /// The model.
    pub entry: &'static ModelEntry,
    /// Name as it was written: the model's or the variant's.
    pub name: String,
    /// Its settings over the paper's, as TOML.
    pub settings: toml::Table,
    /// The recipe, checked.
    pub recipe: Recipe,
}

/// Finds the model or variant of this name, lays the settings over it and checks the whole. Every
/// model found here keeps the constraints of the training schema, and columns that say whether another
/// is missing.
///
/// # Errors
/// A request error with the nearest known name, or the recipe's own error.
pub fn choose(name: &str, settings: &toml::Table) -> Result<Choice> {
    choose_from(MODELS, name, settings)
}

/// The model of a saved artifact with its own settings and these over them, to train it further.
///
/// # Errors
/// A request error for a model that cannot be trained further, an artifact error for one that this
/// program does not have or that kept no settings, or the recipe's own error.
pub fn choose_saved(artifact: &Artifact, settings: &toml::Table) -> Result<Choice> {
    let entry = entry_of_artifact(&artifact.model)?;
    if !entry.further {
        return Err(meg_core::cannot_go_on(entry.name));
    }
    let saved = saved_recipe(artifact)
        .and_then(|recipe| toml::Table::try_from(recipe).ok())
        .ok_or_else(|| Error::Artifact("it holds no settings to go on with".into()))?;
    let name = entry.name.to_owned();
    with_settings(entry, name, saved, settings)
}

/// The settings of a saved model, which models keep beside what they learned.
pub fn saved_recipe(artifact: &Artifact) -> Option<&Value> {
    own_state(&artifact.state).get("recipe")
}

/// The state of the model itself, which those who keep constraints or mirrored columns around it
/// hold in theirs.
pub fn own_state(state: &Value) -> &Value {
    match state.get("state") {
        Some(inner) if state.get("recipe").is_none() => own_state(inner),
        _ => state,
    }
}

/// Rebuilds a saved model, with the constraints of its schema and its flags of missing cells.
///
/// # Errors
/// When the artifact is damaged, or of a model that this program does not have.
pub fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let entry = entry_of_artifact(&artifact.model)?;
    load_mirrored(artifact, |artifact| constraints::load(artifact, entry.load))
}

/// The model of this name, for a saved artifact.
///
/// # Errors
/// When the artifact is of a model that this program does not have.
pub fn entry_of_artifact(name: &str) -> Result<&'static ModelEntry> {
    MODELS.iter().find(|entry| entry.name == name).ok_or_else(|| {
        Error::Artifact(format!(
            "it is of the model {name:?}, which this program does not have; there are: {}",
            names(MODELS).join(", ")
        ))
    })
}

/// Every name that a plan or `--models` understands, in order.
pub fn names(models: &[ModelEntry]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for entry in models {
        let variants = entry.variants.iter().map(|variant| variant.name);
        for name in std::iter::once(entry.name).chain(variants) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The text with sorted keys: the same whatever order the JSON library keeps.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            fields.sort();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

/// The known name that is nearest to a mistyped one, if any is near.
pub fn nearest<'a>(known: &[&'a str], name: &str) -> Option<&'a str> {
    // Below this likeness a guess confuses more than it helps.
    const ALIKE: f64 = 0.7;
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

fn choose_from(
    models: &'static [ModelEntry],
    name: &str,
    settings: &toml::Table,
) -> Result<Choice> {
    let (entry, base) = find(models, name)?;
    let base: toml::Table = base.parse().map_err(|error| {
        Error::Request(format!("the settings of the variant {name:?} are not TOML: {error}"))
    })?;
    with_settings(entry, name.to_owned(), base, settings)
}

fn with_settings(
    entry: &'static ModelEntry,
    name: String,
    base: toml::Table,
    settings: &toml::Table,
) -> Result<Choice> {
    let mut merged = base;
    merged.extend(settings.clone());
    let Recipe { synthesizer, settings } = (entry.recipe)(&merged.to_string())?;
    // Flags go first: what is left of the table may have constraints.
    let synthesizer = Box::new(Mirrored::new(Box::new(Constrained::new(synthesizer))));
    let recipe = Recipe { synthesizer, settings };
    Ok(Choice { entry, name, settings: merged, recipe })
}

fn find(models: &'static [ModelEntry], name: &str) -> Result<(&'static ModelEntry, &'static str)> {
    for entry in models {
        // Variants first: the first of them may bear the model's own name.
        if let Some(variant) = entry.variants.iter().find(|variant| variant.name == name) {
            return Ok((entry, variant.settings));
        }
        if entry.name == name {
            return Ok((entry, entry.variants.first().map_or("", |variant| variant.settings)));
        }
    }
    let known = names(models);
    let hint = nearest(&known, name)
        .map_or("; there are:".to_owned(), |near| format!("; did you mean {near:?}? There are:"));
    Err(Error::Request(format!("no model {name:?}{hint} {}", known.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::fake::FAKE;

    fn choose_fake(name: &str, settings: &str) -> Result<Choice> {
        choose_from(FAKE, name, &settings.parse().unwrap())
    }

    #[test]
    fn names_and_variants_resolve() {
        let plain = choose_fake("fake", "").unwrap();
        assert_eq!(plain.recipe.settings["steps"], 3, "the first variant stands for the name");
        assert_eq!(choose_fake("fake-paper", "").unwrap().recipe.settings["steps"], 1);
        assert_eq!(choose_fake("fake-paper", "steps = 7").unwrap().recipe.settings["steps"], 7);
        assert_eq!(names(FAKE), ["fake", "fake-paper"]);
    }

    #[test]
    fn mistakes_are_answered_with_the_nearest_name() {
        let message = choose_fake("fake-papr", "").unwrap_err().to_string();
        assert!(message.contains("did you mean \"fake-paper\"?"), "{message}");
        let message = choose_fake("fake", "step = 1").unwrap_err().to_string();
        assert!(message.contains("did you mean `steps`?"), "{message}");
    }

    #[test]
    fn canonical_text_sorts_keys() {
        let value: Value =
            serde_json::from_str(r#"{"b": [1, {"d": null, "c": 2}], "a": "x"}"#).unwrap();
        assert_eq!(canonical(&value), r#"{"a":"x","b":[1,{"c":2,"d":null}]}"#);
    }
}
