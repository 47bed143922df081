//! What the user wrote: `PLAN.toml` and the options of the command line, both unresolved.

use meg_core::{Error, Result};
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A benchmark plan as written. Every field may be missing; the starter plan and the command line
/// fill the gaps. There is no `Default` that means something: a plan without anything is a plan
/// that says nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Names and globs of tables, and paths of folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datasets: Option<Vec<String>>,
    /// Seeds; one cell per dataset, model and seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// Largest number of training rows per table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Cells at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<usize>,
    /// Threads per cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Time limit per cell, as `30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Memory limit per cell, as `4G`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<String>,
    /// Device of the tensors: `cpu` or `cuda:0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whether to train by plain tensor expressions instead of kernels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<bool>,
    /// Whether to keep the synthetic tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_samples: Option<bool>,
    /// Sets, groups and names of scores to compute, as `default` or `attacks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<String>>,
    /// Models. Last, because TOML wants tables after plain values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<PlanModel>>,
}

/// One model of a plan: a name, or a name with a label and settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanModel {
    /// Name of a model or variant.
    pub name: String,
    /// Name of its rows in the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Settings over those of the model or variant.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub settings: toml::Table,
}

/// One `--set label.key=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Which model of the run.
    pub label: String,
    /// Which setting.
    pub key: String,
    /// Its value.
    pub value: toml::Value,
}

/// The plans that come along, by name.
const BUILT_IN: [(&str, &str); 13] = [
    ("ctgan-terms", include_str!("../plans/ctgan-terms.toml")),
    ("like-for-like", include_str!("../plans/like-for-like.toml")),
    ("meg-ablation", include_str!("../plans/meg-ablation.toml")),
    ("meg-documentation", include_str!("../plans/meg-documentation.toml")),
    ("meg-privacy", include_str!("../plans/meg-privacy.toml")),
    ("meg-report", include_str!("../plans/meg-report.toml")),
    ("models", include_str!("../plans/models.toml")),
    ("real", include_str!("../plans/real.toml")),
    ("simulated", include_str!("../plans/simulated.toml")),
    ("simulated-networks", include_str!("../plans/simulated-networks.toml")),
    ("table-gan-deltas", include_str!("../plans/table-gan-deltas.toml")),
    ("tgan-terms", include_str!("../plans/tgan-terms.toml")),
    ("thyroid-updates", include_str!("../plans/thyroid-updates.toml")),
];

/// The names of the plans that come along.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

impl Plan {
    /// The plan of this name that comes along.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(own, _)| *own == name)?;
        Some(Self::from_toml(text).expect("the plans that come along are sound"))
    }

    /// Reads `PLAN.toml`.
    ///
    /// # Errors
    /// A request error with line and column of the text.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| Error::Request(error.to_string()))
    }

    /// The plan of `meg bench` without arguments.
    pub fn starter() -> Self {
        let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            datasets: Some(strings(&["clinic", "thyroid", "patients"])),
            models: Some(["copy", "independent", "meg", "ctgan"].map(PlanModel::named).into()),
            seeds: Some(vec![1]),
            ..Self::default()
        }
    }

    /// This plan, with gaps filled from another. A model that is only named, by a label of the other
    /// plan, is that plan's model with its settings: `--models` picks from a plan file.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let known = other.models.as_deref().unwrap_or_default();
        let picked = |model: PlanModel| {
            let bare = model == PlanModel::named(&model.name);
            let theirs = known.iter().find(|theirs| bare && theirs.label() == model.name);
            theirs.cloned().unwrap_or(model)
        };
        let models = self.models.map(|models| models.into_iter().map(picked).collect());
        Self {
            datasets: self.datasets.or(other.datasets),
            seeds: self.seeds.or(other.seeds),
            rows: self.rows.or(other.rows),
            jobs: self.jobs.or(other.jobs),
            threads: self.threads.or(other.threads),
            timeout: self.timeout.or(other.timeout),
            memory_limit: self.memory_limit.or(other.memory_limit),
            device: self.device.or(other.device),
            plain: self.plain.or(other.plain),
            keep_samples: self.keep_samples.or(other.keep_samples),
            metrics: self.metrics.or(other.metrics),
            models: models.or(other.models),
        }
    }
}

impl PlanModel {
    /// A model or variant as it is.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), label: None, settings: toml::Table::new() }
    }

    /// Name of its rows in the report.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }
}

impl Setting {
    /// Reads `label.key=value`.
    ///
    /// # Errors
    /// A request error that shows how to write it.
    pub fn parse(text: &str) -> Result<Self> {
        let bad =
            || Error::Request(format!("{text:?} is not `model.key=value`, as ctgan.epochs=50"));
        // A label may have dots, as "hidden-0.2"; keys have none.
        let (name, value) = parse_pair(text).ok_or_else(bad)?;
        let (label, key) = name.rsplit_once('.').ok_or_else(bad)?;
        let (label, key) = (label.trim().to_owned(), key.trim().to_owned());
        if label.is_empty() || key.is_empty() { Err(bad()) } else { Ok(Self { label, key, value }) }
    }
}

/// Reads `key=value`; the value is TOML, and plain words need no quotes.
pub fn parse_pair(text: &str) -> Option<(String, toml::Value)> {
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || value.is_empty() {
        return None;
    }
    let as_toml = format!("v = {value}").parse::<toml::Table>().ok();
    let value = as_toml
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    Some((key.to_owned(), value))
}

// A derived untagged enum would answer every mistake with "did not match any variant"; this
// visitor keeps the message about the misspelt key.
impl<'de> Deserialize<'de> for PlanModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlanModelVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Detailed {
    name: String,
    label: Option<String>,
    #[serde(default)]
    settings: toml::Table,
}

struct PlanModelVisitor;

impl<'de> Visitor<'de> for PlanModelVisitor {
    type Value = PlanModel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model's name, or a table of name, label and settings")
    }

    fn visit_str<E>(self, name: &str) -> Result<PlanModel, E> {
        Ok(PlanModel::named(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PlanModel, A::Error> {
        let Detailed { name, label, settings } =
            Detailed::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PlanModel { name, label, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        datasets = ["clinic", "thyroid*"]
        models = ["copy", { name = "ctgan", label = "ctgan-50", settings = { epochs = 50 } }]
        seeds = [1, 2, 3]
        rows = 1000
        timeout = "30m"
    "#;

    #[test]
    fn a_plan_is_read_and_written() {
        let plan = Plan::from_toml(TEXT).unwrap();
        let models = plan.models.clone().unwrap();
        assert_eq!(models[0], PlanModel::named("copy"));
        assert_eq!(models[1].label(), "ctgan-50");
        assert_eq!(models[1].settings["epochs"].as_integer(), Some(50));
        assert_eq!(Plan::from_toml(&toml::to_string(&plan).unwrap()).unwrap(), plan);
    }

    #[test]
    fn plans_that_come_along_are_sound() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        let mut plans = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let plan = Plan::from_toml(&std::fs::read_to_string(&path).unwrap()).unwrap();
            for model in plan.models.unwrap() {
                crate::registry::choose(&model.name, &model.settings).unwrap();
            }
            let names = plan.datasets.unwrap();
            let chosen = datasets::select(&names).unwrap();
            assert_eq!(chosen.tables.len(), names.len(), "{}", path.display());
            eval::select(&plan.metrics.unwrap_or_default()).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(Plan::built_in(name).is_some(), "{name} is not in the program");
            plans += 1;
        }
        assert_eq!(plans, BUILT_IN.len());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("dataset = [\"clinic\"]", "dataset"),
            ("models = [{ name = \"ctgan\", epochs = 3 }]", "epochs"),
            ("models = [3]", "a model's name"),
            ("seeds = [-1]", "seeds"),
        ] {
            let message = Plan::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message:?} should contain {part:?}");
        }
    }

    #[test]
    fn the_first_plan_wins() {
        let plan = Plan { seeds: Some(vec![7]), ..Plan::default() }.or(Plan::starter());
        assert_eq!(plan.seeds, Some(vec![7]));
        assert_eq!(plan.datasets.unwrap().len(), 3);
    }

    #[test]
    fn a_label_picks_a_model_of_the_plan_with_its_settings() {
        let named = |names: &[&str]| Plan {
            models: Some(names.iter().map(|name| PlanModel::named(name)).collect()),
            ..Plan::default()
        };
        let plan = Plan::from_toml(TEXT).unwrap();
        let picked = named(&["ctgan-50", "meg", "copy"]).or(plan.clone()).models.unwrap();
        assert_eq!(picked[0], plan.models.unwrap()[1]);
        assert_eq!(picked[1..], [PlanModel::named("meg"), PlanModel::named("copy")]);
    }

    #[test]
    fn settings_are_typed() {
        let set = |text| Setting::parse(text).unwrap().value;
        assert_eq!(set("ctgan.epochs=50"), toml::Value::Integer(50));
        assert_eq!(set("ctgan.layers=[1, 2]").as_array().unwrap().len(), 2);
        assert_eq!(set("ctgan.kind=adam").as_str(), Some("adam"));
        let dotted = Setting::parse("hidden-0.2.dropout = 0.1").unwrap();
        assert_eq!((&*dotted.label, &*dotted.key), ("hidden-0.2", "dropout"));
        assert!(Setting::parse("epochs").is_err() && Setting::parse(".epochs=1").is_err());
        assert!(Setting::parse("ctgan.epochs=").is_err());
    }
}
