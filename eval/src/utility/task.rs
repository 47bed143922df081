use super::learner::{Learner, Lesson};
use crate::{
    Comparison,
    learners::{
        classify::{Predictions, Present, counts},
        features::{Design, Features},
    },
    score::{Gap, Reading},
    tables::{is_modelled, shuffle_front, subsample},
};
use meg_core::{MISSING, Seed, Table};

/// More classes than this are no classification that these learners can do.
const MOST_CLASSES: usize = 50;

/// A score of predictions of a task.
pub(super) type Value = fn(&Predictions, &Task<'_>) -> Result<f64, Gap>;

pub(super) const AUC: Value = |predictions, task| predictions.auc(&task.truth);
pub(super) const MACRO_F1: Value = |predictions, task| predictions.macro_f1(&task.truth);
pub(super) const ACCURACY: Value = |predictions, task| predictions.accuracy(&task.truth);
pub(super) const BALANCED: Value = |predictions, task| predictions.balanced_accuracy(&task.truth);
pub(super) const LOG_LOSS: Value = |predictions, task| predictions.log_loss(&task.truth);

/// F1 of the rarer of two classes.
pub(super) const F1: Value = |predictions, task| match task.positive {
    Some(class) => predictions.f1_of(class, &task.truth),
    None => Err(Gap::skipped(format!(
        "the target has {} classes; F1 of one class is for two",
        task.classes
    ))),
};

/// What columns become, and how many rows are used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether the features are those of the CTGAN paper's evaluation.
    pub(super) as_in_ctgan: bool,
    /// Rows to learn from and rows to test on, at most; without it as many to learn from as keep a
    /// fit within seconds.
    pub(super) most_rows: Option<usize>,
}

impl Rules {
    pub(super) const USUAL: Self = Self { as_in_ctgan: false, most_rows: None };

    /// The features that predict this column.
    pub(super) fn features(self, train: &Table, target: usize) -> Features {
        match self.as_in_ctgan {
            true => Features::as_in_ctgan(train, target),
            false => Features::fit(train, Some(target)),
        }
    }
}

/// The prediction task: everything but the rows to learn from.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) target: usize,
    pub(super) classes: usize,
    pub(super) features: Features,
    /// The columns to predict from.
    pub(super) columns: Vec<usize>,
    /// The table to test on, its rows that have a target, and those as features.
    pub(super) holdout: &'a Table,
    pub(super) rows: Vec<usize>,
    pub(super) test: Design,
    pub(super) truth: Vec<usize>,
    /// The rarer of two classes of the training rows, by which F1 is measured; the second of
    /// equally frequent ones.
    pub(super) positive: Option<usize>,
    rules: Rules,
    seed: Seed,
    threads: usize,
}

/// A learner's predictions, or why there are none, and the rows it learned from.
#[derive(Debug)]
pub(super) struct Run {
    predictions: Result<Predictions, Gap>,
    rows: usize,
    note: Option<String>,
}

impl<'a> Task<'a> {
    /// Predicts the target of the schema, a category, in `tested` rows.
    pub(super) fn new(comparison: &Comparison<'_>, tested: Option<&'a Table>) -> Result<Self, Gap> {
        Self::with(comparison, tested, target(comparison)?, Rules::USUAL)
    }

    /// Predicts this column, a category, in `tested` rows.
    pub(super) fn with(
        comparison: &Comparison<'_>,
        tested: Option<&'a Table>,
        target: usize,
        rules: Rules,
    ) -> Result<Self, Gap> {
        let Comparison { train, seed, threads, .. } = *comparison;
        let schema = train.schema();
        let spec = &schema.columns[target];
        if !spec.is_category() {
            let kind = spec.kind.name();
            return Err(Gap::skipped(format!(
                "the target {:?} is a {kind}, not a category",
                spec.name
            )));
        }
        let classes = spec.levels().len();
        if classes > MOST_CLASSES {
            return Err(Gap::skipped(format!(
                "the target has {classes} classes, more than {MOST_CLASSES}"
            )));
        }
        let holdout = tested.ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let (mut rows, mut truth) = labelled(holdout, target);
        if rows.is_empty() {
            return Err(Gap::undefined("no holdout row has a target"));
        }
        if let Some(most) = rules.most_rows {
            let chosen = subsample(rows.len(), most, seed, "test rows");
            (rows, truth) = chosen.into_iter().map(|at| (rows[at], truth[at])).unzip();
        }
        let features = rules.features(train, target);
        let test = features.design(holdout, &rows);
        if test.width == 0 {
            return Err(Gap::undefined("no feature varies in the training rows"));
        }
        let columns = (0..schema.columns.len())
            .filter(|&at| at != target && is_modelled(train, at))
            .collect();
        let positive = (classes == 2).then(|| {
            let counts = counts(&labelled(train, target).1, 2);
            usize::from(counts[1] <= counts[0])
        });
        Ok(Self {
            target,
            classes,
            features,
            columns,
            holdout,
            rows,
            test,
            truth,
            positive,
            rules,
            seed,
            threads,
        })
    }

    pub(super) fn run(&self, learner: Learner, source: &Table) -> Run {
        let (mut rows, mut labels) = labelled(source, self.target);
        let mut notes = Vec::new();
        let dropped = source.rows() - rows.len();
        let testable = labelled(self.holdout, self.target).0.len();
        let untested = self.holdout.rows() - testable;
        if dropped + untested > 0 {
            notes.push(format!(
                "left out without a target: {dropped} rows to learn from, {untested} to test on"
            ));
        }
        if self.rows.len() < testable {
            notes.push(format!("tested on a sample of {} of {testable} rows", self.rows.len()));
        }
        let present = counts(&labels, self.classes);
        let kinds = present.iter().filter(|&&count| count > 0).count();
        let cap = self.rules.most_rows.unwrap_or_else(|| most_rows(self.test.width, kinds));
        if rows.len() > cap {
            let all = rows.len();
            (rows, labels) = stratified(&rows, &labels, &present, cap, self.seed);
            notes.push(format!("learned from a sample of {} of {all} rows", rows.len()));
        }
        let predictions = match kinds {
            0 => Err(Gap::undefined("no row to learn from has a target")),
            1 => {
                notes.push("the rows to learn from have one class only, which is predicted".into());
                Ok(Predictions::constant(self.classes, labels[0], self.truth.len()))
            }
            _ => {
                let (seed, threads) = (self.seed, self.threads);
                let lesson = Lesson { source, rows: &rows, labels: &labels, seed, threads };
                learner.predict(self, lesson).map_err(Gap::failed)
            }
        };
        let note = Some(notes.join("; ")).filter(|note| !note.is_empty());
        Run { predictions, rows: rows.len(), note }
    }
}

impl Task<'_> {
    /// The shares of the classes of this table for every row: what can be said without features.
    pub(super) fn floor(&self, source: &Table) -> Run {
        let (rows, labels) = labelled(source, self.target);
        let predictions = match rows.is_empty() {
            true => Err(Gap::undefined("no row to learn from has a target")),
            false => Ok(Present::of(&labels, self.classes).shares(self.truth.len())),
        };
        Run { predictions, rows: rows.len(), note: None }
    }

    /// Classes that occur among the rows to test on.
    pub(super) fn kinds(&self) -> usize {
        counts(&self.truth, self.classes).iter().filter(|&&count| count > 0).count()
    }
}

impl Run {
    pub(super) fn value(&self, task: &Task<'_>, value: Value) -> Reading {
        let value = match &self.predictions {
            Ok(predictions) => value(predictions, task),
            Err(gap) => Err(gap.clone()),
        };
        Reading::new(value, self.rows, 0).note(self.note.clone())
    }
}

/// The column that is predicted.
pub(super) fn target(comparison: &Comparison<'_>) -> Result<usize, Gap> {
    comparison.train.schema().target().ok_or_else(|| Gap::skipped("no column is the target"))
}

/// Rows that keep a fit within seconds (a perceptron's within half a minute) and 300 MB: at most 8
/// million features in all, and 40 million counted once for each line or tree that is fitted; never
/// fewer than 2 000 rows.
pub(super) fn most_rows(features: usize, classes: usize) -> usize {
    let models = if classes <= 2 { 1 } else { classes };
    let rows = (8_000_000 / features).min(40_000_000 / (features * models));
    rows.clamp(2_000, 100_000)
}

/// The rows that have a target, and its codes.
fn labelled(table: &Table, target: usize) -> (Vec<usize>, Vec<usize>) {
    let codes = table.codes(target).iter().enumerate();
    codes.filter(|(_, code)| **code != MISSING).map(|(row, code)| (row, *code as usize)).unzip()
}

/// About `cap` of the rows, of each class its share and at least one.
fn stratified(
    rows: &[usize],
    labels: &[usize],
    present: &[usize],
    cap: usize,
    seed: Seed,
) -> (Vec<usize>, Vec<usize>) {
    let mut rng = seed.stream("learner rows");
    let mut chosen = Vec::with_capacity(cap + present.len());
    for (class, &count) in present.iter().enumerate().filter(|(_, count)| **count > 0) {
        let mut own: Vec<usize> = (0..rows.len()).filter(|&at| labels[at] == class).collect();
        let wanted = ((count as f64 * cap as f64 / rows.len() as f64).round() as usize).max(1);
        shuffle_front(&mut own, wanted, &mut rng);
        chosen.extend_from_slice(&own[..wanted.min(own.len())]);
    }
    chosen.sort_unstable();
    chosen.iter().map(|&at| (rows[at], labels[at])).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_the_shares_and_every_class() {
        let rows: Vec<usize> = (0..10_000).collect();
        let class = |row: &usize| usize::from(row.is_multiple_of(10)) + usize::from(*row == 0);
        let labels: Vec<usize> = rows.iter().map(class).collect();
        let present = counts(&labels, 4);
        let (chosen, labels) = stratified(&rows, &labels, &present, 1_000, Seed(1));
        assert_eq!(counts(&labels, 4), [900, 100, 1, 0]);
        assert!(chosen.is_sorted() && chosen.iter().map(class).eq(labels));
    }

    #[test]
    fn work_is_bounded() {
        assert_eq!(most_rows(10, 2), 100_000);
        assert_eq!(most_rows(200, 2), 40_000);
        assert_eq!(most_rows(200, 20), 10_000);
        assert_eq!(most_rows(100_000, 50), 2_000);
    }
}
