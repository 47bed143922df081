//! Classifier two-sample tests: can a classifier tell synthetic rows from unseen real rows?

mod folds;
mod rounding;

use crate::{
    Comparison, Group, Metric, Score,
    learners::{Area, Binning, Boosting, area, features::Features, logistic},
    score::{Gap, Kind, Reading},
    tables::{is_modelled, subsample},
};
use folds::folds;
use meg_core::Table;
use rounding::rounded;

/// Rows of either side at most: the area's interval is then about 0.01 to either side.
const MOST_ROWS: usize = 5_000;

/// Rows of either side at least.
const LEAST_ROWS: usize = 50;

/// Columns that are named.
const NAMED: usize = 5;

/// Gradient-boosted trees.
pub(crate) static TREES: Detection = Detection {
    detector: Detector::Trees,
    kinds: [
        Kind::like_holdout("detection_boost_auc"),
        Kind::like_holdout("detection_boost_rounded_auc"),
        Kind::similarity("detection_boost_score"),
    ],
};

/// Logistic regression.
pub(crate) static LOGISTIC: Detection = Detection {
    detector: Detector::Logistic,
    kinds: [
        Kind::like_holdout("detection_logistic_auc"),
        Kind::like_holdout("detection_logistic_rounded_auc"),
        Kind::similarity("detection_logistic_score"),
    ],
};

/// A classifier learns to tell synthetic rows from holdout rows and is tested on rows that it did
/// not learn from: 5 folds, as many rows of either kind, 5 000 of each at most.
///
/// `..._auc`: the mean area under the ROC curve over the folds, in 0..=1; best is 0.5, which two
/// samples of one law have. The interval is DeLong's; where it holds 0.5 the note says
/// "indistinguishable from fresh data at this sample size", of logistic regression that dependence
/// is not seen. The note names the five columns that tell
/// most: by the loss that splits on them saved (trees) or by the sum of their squared
/// standardised coefficients (logistic regression). `..._rounded_auc`: the same after synthetic
/// numbers were rounded to the decimals of the training rows, because trees see formatting that
/// nobody cares for. `..._score`: `1 - mean(2 max(AUC, 0.5) - 1)` over the folds of the first, in
/// 0..=1, higher is better, as papers give it.
///
/// Logistic regression sees shifted columns and no dependence: shuffled columns pass. Against
/// training rows a copy would pass every test, so the rows to tell from are holdout rows. Skipped
/// without them; undefined with fewer than 50 rows of either kind.
///
/// Source: Lopez-Paz and Oquab (2017); the score as in SDMetrics and the TabSyn paper, which use
/// logistic regression against training rows and unseeded folds.
#[derive(Debug)]
pub(crate) struct Detection {
    detector: Detector,
    kinds: [Kind; 3],
}

#[derive(Debug, Clone, Copy)]
enum Detector {
    Trees,
    Logistic,
}

impl Detector {
    /// What it means when it tells nothing.
    fn not_told(self) -> &'static str {
        match self {
            Detector::Trees => {
                "; indistinguishable from fresh data at this sample size to boosted trees, which see no exact relation of numbers"
            }
            Detector::Logistic => {
                "; indistinguishable from fresh data at this sample size to a model that sees no dependence"
            }
        }
    }
}

/// What one test found.
#[derive(Debug)]
struct Found {
    areas: Vec<Area>,
    /// Weight of each column, by its position.
    weights: Vec<f64>,
}

impl Metric for Detection {
    fn name(&self) -> &'static str {
        self.kinds[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        match self.detector {
            Detector::Trees => {
                "How well boosted trees tell synthetic rows from unseen real ones, and by which columns."
            }
            Detector::Logistic => {
                "How well logistic regression tells synthetic rows from unseen real ones; it sees no dependence."
            }
        }
    }

    fn group(&self) -> Group {
        Group::Detection
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let sides = Sides::new(comparison);
        let rows = sides.as_ref().map_or(0, |sides| sides.real_rows.len());
        let found = match &sides {
            Ok(sides) => self.detect(sides, comparison.synthetic),
            Err(gap) => Err(gap.clone()),
        };
        let rounded_found = match (&sides, &found) {
            (Ok(sides), Ok(_)) => match rounded(comparison.train, comparison.synthetic) {
                Ok(table) => table.map(|table| self.detect(sides, &table)),
                Err(error) => Some(Err(Gap::failed(error.to_string()))),
            },
            _ => None,
        };
        let nothing_to_round = rounded_found.is_none() && found.is_ok();
        let again = rounded_found.as_ref().unwrap_or(&found);
        let reading = |found: &Result<Found, Gap>| match found {
            Ok(found) => {
                let area = Area::mean(&found.areas);
                let [low, high] = area.interval();
                let mut note = found.telling(comparison.train);
                if low <= 0.5 && 0.5 <= high {
                    note += self.detector.not_told();
                }
                Reading::new(Ok(area.value), rows, rows)
                    .interval(Some([low, high]))
                    .note(Some(note))
            }
            Err(gap) => Reading::new(Err(gap.clone()), rows, rows),
        };
        let mut second = reading(again);
        if nothing_to_round {
            second.note = Some("rounding changes no synthetic cell: as without".into());
        }
        let score =
            Reading::new(found.as_ref().map(Found::score).map_err(Clone::clone), rows, rows);
        let half = |found: &Result<Found, Gap>| found.is_ok().then_some(0.5);
        vec![
            Score::new(&self.kinds[0], &[], reading(&found)).with_reference(half(&found)),
            Score::new(&self.kinds[1], &[], second).with_reference(half(again)),
            Score::new(&self.kinds[2], &[], score),
        ]
    }
}

/// The rows to tell apart.
struct Sides<'a> {
    comparison: &'a Comparison<'a>,
    holdout: &'a Table,
    real_rows: Vec<usize>,
    synthetic_rows: Vec<usize>,
    columns: Vec<usize>,
}

impl<'a> Sides<'a> {
    fn new(comparison: &'a Comparison<'a>) -> Result<Self, Gap> {
        if comparison.synthetic.rows() == 0 {
            return Err(Gap::undefined("there is no synthetic row"));
        }
        let holdout = comparison
            .holdout
            .filter(|table| table.rows() > 0)
            .ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let rows = holdout.rows().min(comparison.synthetic.rows()).min(MOST_ROWS);
        if rows < LEAST_ROWS {
            return Err(Gap::undefined(format!(
                "{rows} rows of each kind are too few to tell; {LEAST_ROWS} are needed"
            )));
        }
        let columns: Vec<usize> = (0..holdout.columns().len())
            .filter(|&column| is_modelled(comparison.train, column))
            .collect();
        if columns.is_empty() {
            return Err(Gap::undefined("there is no column to compare"));
        }
        let seed = comparison.seed;
        let synthetic = comparison.synthetic.rows();
        Ok(Self {
            comparison,
            holdout,
            real_rows: subsample(holdout.rows(), rows, seed, "detection holdout rows"),
            synthetic_rows: subsample(synthetic, rows, seed, "detection synthetic rows"),
            columns,
        })
    }
}

impl Detection {
    /// Holdout rows come first everywhere, labelled 0.
    fn detect(&self, sides: &Sides<'_>, synthetic: &Table) -> Result<Found, Gap> {
        let rows = sides.real_rows.len();
        let folds = folds(rows, sides.comparison.seed);
        let width = sides.comparison.train.columns().len();
        match self.detector {
            Detector::Trees => Ok(boosted(sides, synthetic, &folds, width)),
            Detector::Logistic => logistic(sides, synthetic, &folds, width),
        }
    }
}

fn boosted(sides: &Sides<'_>, synthetic: &Table, folds: &[usize], width: usize) -> Found {
    let sources = [(sides.holdout, &sides.real_rows[..]), (synthetic, &sides.synthetic_rows[..])];
    let binning = Binning::fit(&sources, &sides.columns);
    let data = binning.apply(&sources);
    let boosting = Boosting::usual(sides.comparison.threads);
    let mut weights = vec![0.0; width];
    let areas = each_fold(folds, |learned, labels, tested| {
        let model = boosting.fit_classes(&data.select(learned), labels, 2);
        binning.columns().zip(&model.gains).for_each(|(column, gain)| weights[column] += gain);
        model.scores(&data.select(tested))
    });
    Found { areas, weights }
}

fn logistic(
    sides: &Sides<'_>,
    synthetic: &Table,
    folds: &[usize],
    width: usize,
) -> Result<Found, Gap> {
    let features = Features::fit(sides.comparison.train, None);
    let data = features
        .design(sides.holdout, &sides.real_rows)
        .concat(&features.design(synthetic, &sides.synthetic_rows));
    if data.width == 0 {
        return Err(Gap::undefined("no column varies in the training rows"));
    }
    let columns = features.columns();
    let mut weights = vec![0.0; width];
    // An area under odds that are not finite would still be a number.
    let mut diverged = false;
    let areas = each_fold(folds, |learned, labels, tested| {
        let (odds, sizes) = logistic::odds(&data.select(learned), labels, &data.select(tested));
        columns.iter().zip(&sizes).for_each(|(&column, size)| weights[column] += size * size);
        diverged |= odds.iter().any(|odds| !odds.is_finite());
        odds
    });
    if diverged {
        return Err(Gap::failed("the logistic regression diverged"));
    }
    Ok(Found { areas, weights })
}

/// Learns without each fold in turn and measures on it. `folds` has the fold of each holdout row;
/// the synthetic row at the same place has the same.
fn each_fold(
    folds: &[usize],
    mut odds: impl FnMut(&[usize], &[usize], &[usize]) -> Vec<f64>,
) -> Vec<Area> {
    let rows = folds.len();
    let both = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..2 * rows).filter(|row| wanted(folds[row % rows])).collect()
    };
    (0..folds::FOLDS)
        .map(|fold| {
            let learned = both(&|own| own != fold);
            let tested = both(&|own| own == fold);
            let labels: Vec<usize> = learned.iter().map(|&row| usize::from(row >= rows)).collect();
            let odds = odds(&learned, &labels, &tested);
            let (real, synthetic) = odds.split_at(odds.len() / 2);
            area(synthetic, real)
        })
        .collect()
}

impl Found {
    fn score(&self) -> f64 {
        let seen = self.areas.iter().map(|area| 2.0 * area.value.max(0.5) - 1.0);
        1.0 - seen.sum::<f64>() / self.areas.len() as f64
    }

    /// The columns of most weight, with their share of all.
    fn telling(&self, train: &Table) -> String {
        let total: f64 = self.weights.iter().sum();
        let mut columns: Vec<usize> =
            (0..self.weights.len()).filter(|&column| self.weights[column] > 0.0).collect();
        columns.sort_by(|&a, &b| self.weights[b].total_cmp(&self.weights[a]));
        if columns.is_empty() {
            return "no column tells".into();
        }
        let named = columns.iter().take(NAMED).map(|&column| {
            let name = &train.schema().columns[column].name;
            format!("{name} ({:.0} %)", 100.0 * self.weights[column] / total)
        });
        format!("told by {}", named.collect::<Vec<_>>().join(", "))
    }
}
