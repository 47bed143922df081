use crate::{
    Comparison, Group, Metric, Score,
    learners::{
        classify::{Predictions, counts},
        decision,
        features::{Design, Features},
        logistic,
    },
    parallel,
    score::{Gap, Kind, Reading},
    tables::shuffle_front,
};
use meg_core::{MISSING, Seed, Table};

/// More classes than this are no classification that these learners can do.
const MOST_CLASSES: usize = 50;

/// The decision tree.
pub(crate) static TREE: Tstr = Tstr {
    learner: Learner::Tree,
    kinds: [
        [Kind::similarity("tstr_tree_auc"), Kind::similarity("trtr_tree_auc")],
        [Kind::similarity("tstr_tree_macro_f1"), Kind::similarity("trtr_tree_macro_f1")],
        [Kind::similarity("tstr_tree_accuracy"), Kind::similarity("trtr_tree_accuracy")],
    ],
};

/// Logistic regression.
pub(crate) static LOGISTIC: Tstr = Tstr {
    learner: Learner::Logistic,
    kinds: [
        [Kind::similarity("tstr_logistic_auc"), Kind::similarity("trtr_logistic_auc")],
        [Kind::similarity("tstr_logistic_macro_f1"), Kind::similarity("trtr_logistic_macro_f1")],
        [Kind::similarity("tstr_logistic_accuracy"), Kind::similarity("trtr_logistic_accuracy")],
    ],
};

/// Train a classifier of the target on synthetic rows, test it on holdout rows (TSTR), beside the
/// same classifier trained on the real training rows (TRTR), which is TSTR's reference.
///
/// Scores: AUC (one against the rest), macro F1, accuracy; in 0..=1, higher is better. Skipped
/// without a category target, without holdout rows, or with more than 50 classes. Rows whose target
/// is missing are left out and counted. If the training source has one class only, the predictor is
/// that class, AUC is 0.5, and the reason says so: a collapsed target is a result. A source without
/// a usable row makes it undefined. Large sources are cut to a seeded sample that keeps the class
/// shares (see [`most_rows`]), and the reason says so.
///
/// Source: Esteban, Hyland and Raetsch (2017) for the name; the machine-learning efficacy of the
/// CTGAN paper (Xu et al. 2019) for the use on tables, with the depth of its tree.
#[derive(Debug)]
pub(crate) struct Tstr {
    learner: Learner,
    /// Per score: trained on synthetic rows, trained on real rows.
    kinds: [[Kind; 2]; 3],
}

#[derive(Debug, Clone, Copy)]
enum Learner {
    Tree,
    Logistic,
}

impl Metric for Tstr {
    fn name(&self) -> &'static str {
        self.kinds[0][0].name
    }

    fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().flatten().map(|kind| kind.name).collect()
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn about(&self) -> &'static str {
        match self.learner {
            Learner::Tree => {
                "How well a decision tree predicts the target of holdout rows when trained on synthetic rows, beside one trained on real rows."
            }
            Learner::Logistic => {
                "How well logistic regression predicts the target of holdout rows when trained on synthetic rows, beside one trained on real rows."
            }
        }
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let task = match Task::new(comparison) {
            Ok(task) => task,
            Err(gap) => return self.without_task(&gap, comparison),
        };
        let sources = [comparison.synthetic, comparison.train];
        let [ours, theirs] = &parallel::map(comparison.threads, 2, |source| {
            task.run(self.learner, sources[source], comparison.seed)
        })[..] else {
            return Vec::new();
        };
        let mut scores = Vec::new();
        for (kinds, value) in
            self.kinds.iter().zip([Predictions::auc, Predictions::macro_f1, Predictions::accuracy])
        {
            let [ours, theirs] = [ours, theirs].map(|run| run.value(&task, value));
            let tested = task.truth.len();
            let reference = theirs.value.as_ref().ok().copied();
            let synthetic = Reading { rows_synthetic: ours.rows_real, rows_real: tested, ..ours };
            scores.push(Score::new(&kinds[0], &[], synthetic).with_reference(reference));
            scores.push(Score::new(&kinds[1], &[], theirs));
        }
        scores
    }
}

impl Tstr {
    fn without_task(&self, gap: &Gap, comparison: &Comparison<'_>) -> Vec<Score> {
        let rows = [comparison.synthetic.rows(), 0];
        let score = |(kind, rows)| {
            Score::new(kind, &[], Reading::new(Err(gap.clone()), comparison.train.rows(), rows))
        };
        self.kinds.iter().flat_map(|kinds| kinds.iter().zip(rows).map(score)).collect()
    }
}

/// The prediction task: everything but the rows to learn from.
#[derive(Debug)]
struct Task {
    target: usize,
    classes: usize,
    features: Features,
    test: Design,
    truth: Vec<usize>,
    /// Holdout rows without a target.
    dropped: usize,
}

/// A learner's predictions, or why there are none, and the rows it learned from.
#[derive(Debug)]
struct Run {
    predictions: Result<Predictions, Gap>,
    rows: usize,
    note: Option<String>,
}

impl Task {
    fn new(comparison: &Comparison<'_>) -> Result<Self, Gap> {
        let schema = comparison.train.schema();
        let target = schema.target().ok_or_else(|| Gap::skipped("no column is the target"))?;
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
        let holdout =
            comparison.holdout.ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
        let (rows, truth) = labelled(holdout, target);
        if rows.is_empty() {
            return Err(Gap::undefined("no holdout row has a target"));
        }
        let features = Features::fit(comparison.train, Some(target));
        let test = features.design(holdout, &rows);
        if test.width == 0 {
            return Err(Gap::undefined("no feature varies in the training rows"));
        }
        let dropped = holdout.rows() - rows.len();
        Ok(Self { target, classes, features, test, truth, dropped })
    }

    fn run(&self, learner: Learner, source: &Table, seed: Seed) -> Run {
        let (mut rows, mut labels) = labelled(source, self.target);
        let mut notes = Vec::new();
        let dropped = source.rows() - rows.len();
        if dropped + self.dropped > 0 {
            notes.push(format!(
                "left out without a target: {dropped} rows to learn from, {} to test on",
                self.dropped
            ));
        }
        let present = counts(&labels, self.classes);
        let kinds = present.iter().filter(|&&count| count > 0).count();
        let cap = most_rows(self.test.width, kinds);
        if rows.len() > cap {
            let all = rows.len();
            (rows, labels) = stratified(&rows, &labels, &present, cap, seed);
            notes.push(format!("learned from a sample of {} of {all} rows", rows.len()));
        }
        let predictions = match kinds {
            0 => Err(Gap::undefined("no row to learn from has a target")),
            1 => {
                notes.push("the rows to learn from have one class only, which is predicted".into());
                Ok(Predictions::constant(self.classes, labels[0], self.truth.len()))
            }
            _ => {
                let train = self.features.design(source, &rows);
                learner
                    .predict(&train, &labels, &self.test, self.classes, seed)
                    .map_err(Gap::failed)
            }
        };
        let note = Some(notes.join("; ")).filter(|note| !note.is_empty());
        Run { predictions, rows: rows.len(), note }
    }
}

impl Run {
    fn value(&self, task: &Task, value: fn(&Predictions, &[usize]) -> Result<f64, Gap>) -> Reading {
        let value = match &self.predictions {
            Ok(predictions) => value(predictions, &task.truth),
            Err(gap) => Err(gap.clone()),
        };
        Reading::new(value, self.rows, 0).note(self.note.clone())
    }
}

impl Learner {
    fn predict(
        self,
        train: &Design,
        labels: &[usize],
        test: &Design,
        classes: usize,
        seed: Seed,
    ) -> Result<Predictions, String> {
        match self {
            Self::Tree => decision::predict(train, labels, test, classes, seed),
            Self::Logistic => logistic::predict(train, labels, test, classes),
        }
    }
}

/// Rows that keep a fit within seconds and 300 MB: at most 8 million features in all, and 40 million
/// counted once for each line or tree that is fitted; never fewer than 2 000 rows.
fn most_rows(features: usize, classes: usize) -> usize {
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
