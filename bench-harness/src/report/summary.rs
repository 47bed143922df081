//! From cells to rows of a report: means over seeds, and nothing averaged that is not there.

mod utility;

pub(super) use utility::{learners, of_cell as utility_of};

use crate::details::Details;
use crate::leaks::{self, Leaks};
use crate::record::{Record, Rows, Status};
use crate::store::{Manifest, Planned};
use eval::Score;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that a formatter needs.
#[derive(Debug)]
pub struct Report<'a> {
    /// What the run was.
    pub manifest: &'a Manifest,
    /// One table per dataset, in plan order.
    pub tables: Vec<TableReport>,
    /// The cells of the plan that were computed, in plan order.
    pub cells: Vec<&'a Record>,
    /// The cells of the plan that were not.
    pub missing: Vec<&'a Planned>,
    /// Number of cells in the folder that belong to other plans.
    pub foreign: usize,
    /// What cells have to show, by key, where it was kept.
    pub details: &'a BTreeMap<String, Details>,
}

/// The leaderboard of one dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReport {
    /// Name of the table.
    pub dataset: String,
    /// Sizes, as of the first cell that ended well.
    pub rows: Option<Rows>,
    /// One row per model, in plan order.
    pub models: Vec<ModelSummary>,
}

/// One model on one dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Label of the model.
    pub model: String,
    /// Cells in the plan.
    pub planned: usize,
    /// Cells that ended well; all numbers are over these.
    pub ok: usize,
    /// Cells that did not.
    pub failed: usize,
    /// Seconds of training.
    pub fit_seconds: Option<Spread>,
    /// Seconds of sampling.
    pub sample_seconds: Option<Spread>,
    /// The largest peak over all cells.
    pub peak_memory_bytes: Option<u64>,
    /// Table-wide scores by name.
    pub metrics: BTreeMap<String, Spread>,
    /// Scores of the predictive utility, by the score: `auc` is the mean over learners.
    pub utility: BTreeMap<String, Spread>,
    /// What the reader must know of table-wide scores.
    pub remarks: Vec<Remark>,
    /// What the scores of privacy say of leaks, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaks: Option<Leaks>,
}

/// Why a score has no value, or one that is none of the usual kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Name of the score.
    pub metric: String,
    /// The seeds it holds for.
    pub seeds: Vec<u64>,
    /// The score's own words.
    pub reason: String,
}

/// A value over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n - 1); none for a single value.
    pub sd: Option<f64>,
    /// Student's 95 % interval of the mean, cut at the range of the score; none for a single value.
    pub interval: Option<[f64; 2]>,
    /// Number of values.
    pub n: usize,
    /// Mean of the same score on holdout rows, where there is one.
    pub reference: Option<f64>,
    /// Means of the ends of the cells' own 95 % intervals, where every value has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_interval: Option<[f64; 2]>,
    /// Mean of the cells' least leaks, where every value has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_leak: Option<f64>,
}

/// Smallest and largest possible value; `None` is unbounded.
type Range = [Option<f64>; 2];

/// That of seconds.
const FROM_0: Range = [Some(0.0), None];

impl<'a> Report<'a> {
    /// Sorts the cells into the plan.
    pub fn new(manifest: &'a Manifest, records: &'a [Record]) -> Self {
        let find = |cell: &Planned| records.iter().find(|record| record.key == cell.key);
        let cells: Vec<&Record> = manifest.cells.iter().filter_map(find).collect();
        let missing: Vec<&Planned> =
            manifest.cells.iter().filter(|cell| find(cell).is_none()).collect();
        let datasets = distinct(manifest.cells.iter().map(|cell| cell.dataset.as_str()));
        let tables = datasets.iter().map(|dataset| table(dataset, manifest, &cells)).collect();
        static NOTHING: BTreeMap<String, Details> = BTreeMap::new();
        let foreign = records.len() - cells.len();
        Self { manifest, tables, foreign, cells, missing, details: &NOTHING }
    }

    /// The same with what its cells have to show.
    #[must_use]
    pub fn with_details(self, details: &'a BTreeMap<String, Details>) -> Self {
        Self { details, ..self }
    }

    /// The cells that were computed and have no values.
    pub fn failures(&self) -> impl Iterator<Item = &Record> {
        self.cells.iter().copied().filter(|record| !record.is_ok())
    }

    /// The cell of a run that plans one cell, if it ended well.
    pub fn only_cell(&self) -> Option<&'a Record> {
        match self.cells[..] {
            [only] if self.manifest.cells.len() == 1 => Some(only).filter(|cell| cell.is_ok()),
            _ => None,
        }
    }

    /// Whether a model of this name is in the run.
    pub fn has_model(&self, entry: &str) -> bool {
        self.cells.iter().any(|record| record.entry == entry)
    }
}

impl ModelSummary {
    /// How the cells ended, in words.
    pub fn status(&self) -> String {
        match (self.ok, self.failed) {
            (ok, 0) if ok == self.planned => "ok".into(),
            (0, 0) => "not run".into(),
            (0, failed) if failed == self.planned => "failed".into(),
            (ok, _) => format!("{ok} of {} ok", self.planned),
        }
    }
}

impl Spread {
    /// Mean, standard deviation and interval; `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let eval::statistics::Summary { n, mean, sd, interval } =
            eval::statistics::summarise(values)?;
        let (reference, own_interval, least_leak) = (None, None, None);
        Some(Self { mean, sd, interval, n, reference, own_interval, least_leak })
    }

    /// The same with an interval that keeps to the range: Student's law knows none.
    #[must_use]
    pub fn within(mut self, [least, most]: Range) -> Self {
        let (least, most) = (least.unwrap_or(f64::NEG_INFINITY), most.unwrap_or(f64::INFINITY));
        self.interval = self.interval.map(|ends| ends.map(|end| end.max(least).min(most)));
        self
    }
}

fn table(dataset: &str, manifest: &Manifest, cells: &[&Record]) -> TableReport {
    let here: Vec<&Record> =
        cells.iter().copied().filter(|record| record.dataset == dataset).collect();
    let planned: Vec<&Planned> =
        manifest.cells.iter().filter(|cell| cell.dataset == dataset).collect();
    let models = distinct(planned.iter().map(|cell| cell.model.as_str()));
    TableReport {
        dataset: dataset.to_owned(),
        rows: here.iter().find(|record| record.is_ok()).map(|record| record.rows),
        models: models
            .iter()
            .map(|&model| {
                let count = planned.iter().filter(|cell| cell.model == model).count();
                let cells: Vec<&Record> =
                    here.iter().copied().filter(|record| record.model == model).collect();
                summarise(model, count, &cells)
            })
            .collect(),
    }
}

fn summarise(model: &str, planned: usize, cells: &[&Record]) -> ModelSummary {
    let ok: Vec<&Record> = cells.iter().copied().filter(|cell| cell.status == Status::Ok).collect();
    let seconds = |pick: fn(&Record) -> Option<f64>| {
        let spread = Spread::of(&ok.iter().filter_map(|record| pick(record)).collect::<Vec<_>>());
        spread.map(|spread| spread.within(FROM_0))
    };
    ModelSummary {
        model: model.to_owned(),
        planned,
        ok: ok.len(),
        failed: cells.len() - ok.len(),
        fit_seconds: seconds(|record| record.seconds.fit),
        sample_seconds: seconds(|record| record.seconds.sample),
        peak_memory_bytes: ok.iter().filter_map(|record| record.peak_memory_bytes).max(),
        metrics: scores(&ok),
        utility: utility::spreads(&ok),
        remarks: remarks(&ok),
        leaks: Leaks::of(&ok),
    }
}

fn scores(ok: &[&Record]) -> BTreeMap<String, Spread> {
    let mut by_name: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
    for score in ok.iter().flat_map(|record| &record.metrics) {
        if score.columns.is_empty() && score.value.is_some() {
            by_name.entry(&score.name).or_default().push(score);
        }
    }
    let spread = |scores: Vec<&Score>| {
        let all = |pick: fn(&Score) -> Option<f64>| {
            Spread::of(&scores.iter().filter_map(|score| pick(score)).collect::<Vec<_>>())
        };
        let reference = all(|score| score.reference).map(|spread| spread.mean);
        let own_interval = own_interval(&scores);
        let least_leak = leaks::mean(scores.iter().map(|score| score.least_leak));
        let spread = all(|score| score.value)?.within(scores.first()?.range);
        Some(Spread { reference, own_interval, least_leak, ..spread })
    };
    by_name
        .into_iter()
        .filter_map(|(name, scores)| Some((name.to_owned(), spread(scores)?)))
        .collect()
}

fn own_interval(scores: &[&Score]) -> Option<[f64; 2]> {
    let ends: Vec<[f64; 2]> = scores.iter().map(|score| score.interval).collect::<Option<_>>()?;
    let mean = |end: usize| ends.iter().map(|ends| ends[end]).sum::<f64>() / ends.len() as f64;
    Some([mean(0), mean(1)])
}

/// The scores without a value, and those whose value stands for a collapse. Other notes (the worst
/// column, say) explain a value and do not doubt it.
fn remarks(ok: &[&Record]) -> Vec<Remark> {
    const DOUBTS: [&str; 3] = ["undefined", "one class", "counts as 0"];
    let mut remarks: Vec<Remark> = Vec::new();
    for record in ok {
        for score in record.metrics.iter().filter(|score| score.columns.is_empty()) {
            let reason = score.reason.as_deref().unwrap_or("no reason is given");
            if score.value.is_some() && DOUBTS.iter().all(|doubt| !reason.contains(doubt)) {
                continue;
            }
            let same = |known: &&mut Remark| known.metric == score.name && known.reason == reason;
            match remarks.iter_mut().find(same) {
                Some(known) => known.seeds.push(record.seed),
                None => remarks.push(Remark {
                    metric: score.name.clone(),
                    seeds: vec![record.seed],
                    reason: reason.to_owned(),
                }),
            }
        }
    }
    remarks
}

pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_needs_two_values() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[2.0]).unwrap().sd, None);
        let spread = Spread::of(&[1.0, 3.0]).unwrap();
        assert_eq!((spread.mean, spread.sd, spread.n), (2.0, Some(2f64.sqrt()), 2));
        // Student's quantile with one degree of freedom is 12.706.
        let [low, high] = spread.interval.unwrap();
        assert!((high - 2.0 - 12.706_204_736).abs() < 1e-6 && (low + high - 4.0).abs() < 1e-9);
    }

    #[test]
    fn an_interval_keeps_to_the_range_of_its_score() {
        let spread = Spread::of(&[0.9, 0.94]).unwrap();
        let [low, high] = spread.interval.unwrap();
        assert!(low < 0.7 && high > 1.1, "Student's law knows no range");
        assert_eq!(spread.within([Some(0.0), Some(1.0)]).interval, Some([low, 1.0]));
        assert_eq!(spread.within([None, None]), spread);
        assert_eq!(spread.within([Some(0.8), None]).interval, Some([0.8, high]));
    }
}
