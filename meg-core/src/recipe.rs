use crate::{Error, Result, Synthesizer};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A recipe with every setting resolved.
#[derive(Debug)]
pub struct Recipe {
    /// The synthesizer that the settings describe.
    pub synthesizer: Box<dyn Synthesizer>,
    /// Every setting with its value, in the order of the source.
    pub settings: Value,
}

/// One setting of a recipe, for display.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Name, as in a plan or after `--set`.
    pub name: &'static str,
    /// The value of the paper.
    pub default: Value,
    /// What it does, with its unit and range.
    pub help: &'static str,
}

/// The settings of a recipe; implemented by the [`recipe!`](crate::recipe!) macro.
pub trait Settings: Synthesizer + Default + Serialize + DeserializeOwned + 'static {
    /// Name and description of each setting.
    const HELP: &'static [(&'static str, &'static str)];
}

/// Defines a recipe: a plain struct in which each setting is written once, with its sentence and
/// its default, which is the paper's.
///
/// ```
/// # use meg_core::{FitContext, Fitted, Result, Synthesizer, Table};
/// meg_core::recipe! {
///     /// Draws noise.
///     pub struct Noise {
///         /// Standard deviation, at least 0.
///         pub sd: f64 = 1.0,
///     }
/// }
/// # impl Synthesizer for Noise {
/// #     fn fit(&self, _: &Table, _: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
/// #         Err(meg_core::Error::data("no model"))
/// #     }
/// # }
/// assert_eq!(Noise::default().sd, 1.0);
/// ```
#[macro_export]
macro_rules! recipe {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[doc = $help:literal])+ pub $field:ident: $kind:ty = $default:expr,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "meg_core::serde", default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: $kind,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::Settings for $name {
            const HELP: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), concat!($($help),+))),*];
        }
    };
}

/// Reads settings from TOML text over the defaults; `""` is the paper's recipe.
pub(crate) fn parse<S: Settings>(text: &str) -> Result<Recipe> {
    let failed = |key: &str, problem: String| Error::Recipe { key: key.into(), problem };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        failed(text.trim(), format!("not a TOML `key = value` line: {}", error.message()))
    })?;
    for key in table.keys() {
        if !S::HELP.iter().any(|(name, _)| name == key) {
            return Err(failed(key, unknown_key::<S>(key)));
        }
        // One key at a time, so that a value of a wrong type is reported with its key.
        let alone: toml::Table = [(key.clone(), table[key].clone())].into_iter().collect();
        S::deserialize(alone).map_err(|error| failed(key, error.message().to_owned()))?;
    }
    let settings = S::deserialize(table).map_err(|error| failed(text.trim(), error.to_string()))?;
    settings.check()?;
    let value = serde_json::to_value(&settings).expect("settings are plain data");
    Ok(Recipe { synthesizer: Box::new(settings), settings: value })
}

fn unknown_key<S: Settings>(key: &str) -> String {
    let names: Vec<_> = S::HELP.iter().map(|(name, _)| *name).collect();
    if names.is_empty() {
        return "unknown; this model has no settings".into();
    }
    let meant = crate::nearest(key, names.iter().copied());
    let meant = meant.map_or("there".to_owned(), |name| format!("did you mean `{name}`? There"));
    format!("unknown; {meant} are: {}", names.join(", "))
}

pub(crate) fn settings<S: Settings>() -> Vec<Setting> {
    let defaults = serde_json::to_value(S::default()).expect("settings are plain data");
    S::HELP
        .iter()
        .map(|&(name, help)| Setting { name, default: defaults[name].clone(), help: help.trim() })
        .collect()
}

/// The error of a setting that is out of its range.
pub fn out_of_range(key: &str, value: impl std::fmt::Display, rule: &str) -> Error {
    Error::Recipe { key: key.into(), problem: format!("should be {rule}, but is {value}") }
}
