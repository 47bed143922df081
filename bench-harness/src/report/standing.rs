//! Models over tables and several scores at once: one mean rank for each, in which a cell that
//! failed is a cell lost.

use super::comparison::worth;
use super::summary::{Report, TableReport};
use serde::Serialize;

/// The scores of the common rank, with their headings; `tstr` is the first of [`UTILITY`] that a
/// table has.
pub(super) const SCORES: [(&str, &str); 4] = [
    ("nmi_weighted_difference", "NMI difference"),
    ("detection_boost_score", "detection score"),
    ("tstr", "TSTR"),
    ("trend", "trend"),
];

/// Means over learners, by the kind of the target.
const UTILITY: [&str; 3] = ["tstr_auc", "tstr_macro_f1", "tstr_r2"];

/// Models that hold real rows: no generator can be asked to beat them.
const NOT_RANKED: [&str; 3] =
    [reference::COPY.name, reference::HOLDOUT.name, reference::SMOTE.name];

/// Mean ranks over tables and scores; 1 is best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The scores that at least one table has, in report order.
    pub scores: Vec<String>,
    /// The tables that it rests on.
    pub datasets: Vec<String>,
    /// Tables that are not ranked, with the reason.
    pub left_out: Vec<(String, String)>,
    /// The models, best first.
    pub models: Vec<Place>,
}

/// One model in the common rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// Label of the model.
    pub model: String,
    /// Mean over scores of `by_score`.
    pub mean_rank: f64,
    /// Mean rank over tables for each score.
    pub by_score: Vec<f64>,
    /// Where it stands last for want of a value: table and score.
    pub lost: Vec<(String, String)>,
}

impl Report<'_> {
    /// The common rank; `None` with fewer than two models, tables or scores.
    ///
    /// Within a table and a score models are ranked by the mean over seeds, ties in the middle of
    /// their ranks. A model that lacks a value in any seed where another model has one (its cell
    /// failed, or the score was undefined) takes the last rank, shared with others that do. A table
    /// of which cells were not computed yet is left out, and so are a score that no model has there
    /// and a table without any.
    pub fn standing(&self) -> Option<Standing> {
        let models = self.ranked_models();
        let mut left_out = Vec::new();
        let mut tables: Vec<&TableReport> = Vec::new();
        for table in &self.tables {
            let waits = |model: &&&str| {
                let cells = self.missing.iter();
                cells.clone().any(|cell| cell.dataset == table.dataset && cell.model == ***model)
            };
            match models.iter().find(waits) {
                Some(model) => left_out
                    .push((table.dataset.clone(), format!("cells of {model} are not run yet"))),
                None => tables.push(table),
            }
        }
        let mut ranked = vec![Vec::new(); SCORES.len()];
        let mut lost = vec![Vec::new(); models.len()];
        tables.retain(|table| {
            let has = |(score, _): &(&str, &str)| {
                self.values(&table.dataset, &models, score).iter().any(Option::is_some)
            };
            let ranks = SCORES.iter().any(has);
            if !ranks {
                left_out.push((table.dataset.clone(), "no model has a score there".to_owned()));
            }
            ranks
        });
        for table in &tables {
            for (at, (score, heading)) in SCORES.iter().enumerate() {
                let values = self.values(&table.dataset, &models, score);
                if values.iter().all(Option::is_none) {
                    continue;
                }
                for (model, _) in values.iter().enumerate().filter(|(_, value)| value.is_none()) {
                    lost[model].push((table.dataset.clone(), (*heading).to_owned()));
                }
                ranked[at].push(ranks(&values));
            }
        }
        let shown: Vec<usize> = (0..SCORES.len()).filter(|&at| !ranked[at].is_empty()).collect();
        if models.len() < 2 || tables.len() < 2 || shown.len() < 2 {
            return None;
        }
        let mut places: Vec<Place> = (0..models.len())
            .map(|model| {
                let mean = |tables: &Vec<Vec<f64>>| {
                    tables.iter().map(|ranks| ranks[model]).sum::<f64>() / tables.len() as f64
                };
                let by_score: Vec<f64> = shown.iter().map(|&at| mean(&ranked[at])).collect();
                Place {
                    model: models[model].to_owned(),
                    mean_rank: by_score.iter().sum::<f64>() / by_score.len() as f64,
                    by_score,
                    lost: std::mem::take(&mut lost[model]),
                }
            })
            .collect();
        places.sort_by(|a, b| a.mean_rank.total_cmp(&b.mean_rank));
        Some(Standing {
            scores: shown.iter().map(|&at| SCORES[at].1.to_owned()).collect(),
            datasets: tables.iter().map(|table| table.dataset.clone()).collect(),
            left_out,
            models: places,
        })
    }

    /// Whether a model of this label hands out real rows.
    pub(super) fn holds_real_rows(&self, label: &str) -> bool {
        let known = self.cells.iter().find(|record| record.model == label);
        known.is_some_and(|record| NOT_RANKED.contains(&record.entry.as_str()))
    }

    fn ranked_models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for cell in &self.manifest.cells {
            if !self.holds_real_rows(&cell.model) && !models.contains(&cell.model.as_str()) {
                models.push(&cell.model);
            }
        }
        models
    }

    fn values(&self, dataset: &str, models: &[&str], score: &str) -> Vec<Option<f64>> {
        let of = |score: &str| -> Vec<Option<f64>> {
            models.iter().map(|model| worth(self, dataset, model, score)).collect()
        };
        match score {
            "tstr" => {
                let mut kinds = UTILITY.iter().map(|score| of(score));
                let found = kinds.find(|values| values.iter().any(Option::is_some));
                found.unwrap_or_else(|| vec![None; models.len()])
            }
            _ => of(score),
        }
    }
}

/// Ranks from 1, more being better; ties share the middle of their ranks, and those without a value
/// the last one of all.
fn ranks(values: &[Option<f64>]) -> Vec<f64> {
    let last = values.len() as f64;
    let rank = |own: f64| {
        let others = || values.iter().flatten();
        let better = others().filter(|other| **other > own).count() as f64;
        let equal = others().filter(|other| **other == own).count() as f64;
        better + (equal + 1.0) / 2.0
    };
    values.iter().map(|value| value.map_or(last, rank)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, Status};
    use crate::report::samples::{record, score};
    use crate::store::{Manifest, Planned};
    use eval::Goal;

    #[test]
    fn those_without_a_value_are_last() {
        assert_eq!(ranks(&[Some(0.1), Some(0.3), Some(0.2)]), [3.0, 1.0, 2.0]);
        assert_eq!(ranks(&[Some(0.3), None, Some(0.3), None]), [1.5, 4.0, 1.5, 4.0]);
    }

    fn cell(dataset: &str, model: &str, quality: f64) -> Record {
        let mut cell = record(dataset, model, 1);
        (cell.status, cell.reason) = (Status::Ok, None);
        let worse = eval::Score {
            goal: Goal::Minimize,
            ..score("nmi_weighted_difference", 1.0 - quality, None)
        };
        cell.metrics = vec![
            worse,
            score("detection_boost_score", quality, None),
            score("tstr_tree_auc", quality, None),
            score("trend", quality, None),
        ];
        cell
    }

    fn run() -> Vec<Record> {
        let mut records = Vec::new();
        for dataset in ["a", "b", "c"] {
            records.push(cell(dataset, "copy", 1.0));
            records.push(cell(dataset, "meg", 0.9));
            records.push(cell(dataset, "gan", 0.5));
            records.push(cell(dataset, "net", 0.7));
        }
        records
    }

    fn standing(records: &[Record], without: Option<usize>) -> Option<Standing> {
        let planned = records.iter().map(|record| Planned {
            key: record.key.clone(),
            dataset: record.dataset.clone(),
            model: record.model.clone(),
            seed: record.seed,
        });
        let manifest = Manifest::here(1, 1, planned.collect());
        let mut kept = records.to_vec();
        without.map(|at| kept.remove(at));
        Report::new(&manifest, &kept).standing()
    }

    #[test]
    fn models_are_ranked_over_tables_and_scores_together() {
        let found = standing(&run(), None).unwrap();
        let order: Vec<(&str, f64)> =
            found.models.iter().map(|place| (place.model.as_str(), place.mean_rank)).collect();
        assert_eq!(order, [("meg", 1.0), ("net", 2.0), ("gan", 3.0)], "copy holds real rows");
        assert_eq!((found.datasets.len(), found.scores.len()), (3, 4));
        assert!(found.models.iter().all(|place| place.lost.is_empty()));
    }

    #[test]
    fn a_failed_cell_is_last_and_named() {
        let mut records = run();
        let failed = records[1].clone().ended(Status::Crashed, None, "it died".into());
        records[1] = failed;
        let found = standing(&records, None).unwrap();
        let meg = found.models.iter().find(|place| place.model == "meg").unwrap();
        // First on two tables, last of three on one.
        assert_eq!(meg.by_score, [5.0 / 3.0; 4]);
        assert_eq!(meg.lost.len(), 4);
        assert_eq!(meg.lost[0], ("a".to_owned(), "NMI difference".to_owned()));
        let net = found.models.iter().find(|place| place.model == "net").unwrap();
        assert_eq!(net.by_score, [5.0 / 3.0; 4]);
    }

    #[test]
    fn a_table_that_is_not_run_yet_and_a_score_that_nobody_has_are_left_out() {
        let mut records = run();
        let found = standing(&records, Some(1)).unwrap();
        assert_eq!(found.left_out, [("a".to_owned(), "cells of meg are not run yet".to_owned())]);
        assert_eq!(found.datasets, ["b", "c"]);
        for record in records.iter_mut().filter(|record| record.dataset == "b") {
            record.metrics.truncate(2);
        }
        let found = standing(&records, None).unwrap();
        assert!(found.models.iter().all(|place| place.lost.is_empty()));
        records.retain(|record| record.dataset == "a");
        assert_eq!(standing(&records, None), None);
    }
}
