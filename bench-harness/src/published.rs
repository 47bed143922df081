//! What others have printed, to stand beside the same scores of ours.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A table of a paper that the harness can make again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// What it is, with its source.
    pub title: String,
    /// What a reader must know of the values.
    pub note: String,
    /// By table, the rows that its generators learned from.
    pub training_rows: BTreeMap<String, u64>,
    /// One for each model, source and score.
    pub entries: Vec<Entry>,
}

/// The values of one score that one source has of one model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The model or variant of ours that does what the published one did.
    pub model: String,
    /// Its name there.
    pub published_as: String,
    /// The paper, or the program that ran it again.
    pub source: String,
    /// The score of ours that is computed as theirs.
    pub score: String,
    /// Value by table, with the digits that were printed.
    pub values: BTreeMap<String, String>,
}

const FILES: [&str; 1] = [include_str!("../published/ctgan-table-6.toml")];

/// All of them.
pub fn all() -> Vec<Published> {
    let read = |text: &&str| toml::from_str(text).expect("the files that come along are sound");
    FILES.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_of_a_model_a_table_and_a_score_of_ours() {
        for table in all() {
            for entry in &table.entries {
                crate::registry::choose(&entry.model, &toml::Table::new()).unwrap();
                assert!(eval::select(std::slice::from_ref(&entry.score)).is_ok(), "{entry:?}");
                for (dataset, value) in &entry.values {
                    assert!(value.parse::<f64>().unwrap().is_finite());
                    assert!(datasets::Entry::find(dataset).is_some(), "{dataset}");
                    assert!(table.training_rows.contains_key(dataset), "{dataset}");
                }
            }
            let key =
                |entry: &Entry| (entry.model.clone(), entry.source.clone(), entry.score.clone());
            let mut keys: Vec<_> = table.entries.iter().map(key).collect();
            keys.sort_unstable();
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "an entry is there twice");
        }
    }
}
