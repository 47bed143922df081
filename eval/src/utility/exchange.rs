use super::{
    learner::Learner,
    numbers::{NumberTask, Regressor},
    task::{AUC, MACRO_F1, Rules, Task, target},
};
use crate::{
    Comparison, Group, Metric, Score,
    score::{Gap, Kind, Reading},
    tables::subsample,
};
use meg_core::Table;

/// Tested on synthetic rows, trained on both, then trained and tested on synthetic rows.
const KINDS: [[Kind; 3]; 3] = [
    [
        Kind::similarity("trts_boost_auc"),
        Kind::similarity("trts_boost_macro_f1"),
        Kind::explained("trts_boost_r2"),
    ],
    [
        Kind::similarity("augmented_boost_auc"),
        Kind::similarity("augmented_boost_macro_f1"),
        Kind::explained("augmented_boost_r2"),
    ],
    [
        Kind::similarity("tsts_boost_auc"),
        Kind::similarity("tsts_boost_macro_f1"),
        Kind::explained("tsts_boost_r2"),
    ],
];

/// Boosted trees trained on real rows and tested on synthetic ones (TRTS: can the labels of
/// synthetic rows be learned from real ones), trained on real and synthetic rows together and tested
/// on holdout rows (augmentation: do synthetic rows add anything), and trained on one half of the
/// synthetic rows and tested on the other (TSTS: what somebody who has nothing else would believe).
///
/// AUC and macro F1 of a category target, in 0..=1, R² of a number target, up to 1; higher is
/// better; the reference is training and testing on real rows (TRTR), for TSTS on two halves of as
/// many training rows. A TRTS or TSTS above it
/// is no praise: the synthetic labels are then easier than real ones. Skipped and undefined as the
/// `tstr` scores; scores of the other kind of target are skipped.
#[derive(Debug)]
pub(crate) struct Exchange;

impl Metric for Exchange {
    fn name(&self) -> &'static str {
        KINDS[0][0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.as_flattened().iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How well boosted trees predict synthetic labels, trained on real rows or on other synthetic ones, and whether synthetic rows added to the real ones help."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, holdout, .. } = *comparison;
        let both =
            train.clone().concat(synthetic.clone()).map_err(|error| Gap::failed(error.to_string()));
        // Rows without a target teach nothing.
        let known = |table: &Table| {
            let known = |at: usize| {
                (0..table.rows()).filter(|&row| !table.columns()[at].is_missing(row)).count()
            };
            target(comparison).map_or(0, known)
        };
        let (real, ours) = (known(train), known(synthetic));
        // References tell no rows of their own.
        let real_only = |learned, tested| [learned + tested, 0];
        let reference = readings(comparison, Ok(train), holdout, &real_only);
        let rows = train.rows().min(synthetic.rows());
        let half = |table, purpose| halves(table, rows, comparison, purpose);
        let [learned, tested] = half(synthetic, "synthetic rows to learn from");
        let [real_learned, real_tested] = half(train, "training rows to learn from");
        let by_halves = readings(comparison, Ok(&real_learned), Some(&real_tested), &real_only);
        let references = [&reference, &reference, &by_halves];
        let runs = [
            readings(comparison, Ok(train), Some(synthetic), &|learned, tested| [learned, tested]),
            readings(
                comparison,
                both.as_ref().map_err(Clone::clone),
                holdout,
                &|learned, tested| {
                    let real = learned * real / (real + ours).max(1);
                    [real + tested, learned - real]
                },
            ),
            readings(comparison, Ok(&learned), Some(&tested), &|learned, tested| {
                [0, learned + tested]
            }),
        ];
        let mut scores = Vec::new();
        for ((kinds, readings), references) in KINDS.iter().zip(runs).zip(references) {
            for ((kind, reading), reference) in kinds.iter().zip(readings).zip(references) {
                scores.push(Score::new(kind, &[], reading).with_reference(reference.ok()));
            }
        }
        scores
    }
}

/// So many rows of the table in two random halves, in the order of the table.
fn halves(table: &Table, rows: usize, comparison: &Comparison<'_>, purpose: &str) -> [Table; 2] {
    let seed = comparison.seed;
    let chosen = subsample(table.rows(), rows, seed, &format!("{purpose}, all"));
    let first = subsample(chosen.len(), chosen.len().div_ceil(2), seed, purpose);
    let mut is_first = vec![false; chosen.len()];
    first.iter().for_each(|&at| is_first[at] = true);
    let half = |wanted| {
        let own = chosen.iter().zip(&is_first).filter(|(_, first)| **first == wanted);
        table.select_rows(&own.map(|(row, _)| *row).collect::<Vec<_>>())
    };
    [half(true), half(false)]
}

/// AUC, macro F1 and R² of learning from one table and being tested on another. `used` tells how many
/// real and how many synthetic rows that took, from the rows learned from and those tested on; of a
/// sample of both kinds about as many as there are of each.
fn readings(
    comparison: &Comparison<'_>,
    source: Result<&Table, Gap>,
    tested: Option<&Table>,
    used: &dyn Fn(usize, usize) -> [usize; 2],
) -> [Reading; 3] {
    let counted = |reading: Reading, tested: usize| {
        let [rows_real, rows_synthetic] = used(reading.rows_real, tested);
        Reading { rows_real, rows_synthetic, ..reading }
    };
    let gap = |gap: Gap| Reading::new(Err(gap), 0, 0);
    let all = |reason: Gap| [0; 3].map(|_| gap(reason.clone()));
    if comparison.synthetic.rows() == 0 {
        return all(Gap::undefined("there is no synthetic row"));
    }
    let (source, target) = match (source, target(comparison)) {
        (Ok(source), Ok(target)) => (source, target),
        (Err(reason), _) | (_, Err(reason)) => return all(reason),
    };
    let name = &comparison.train.schema().columns[target].name;
    if comparison.train.schema().columns[target].is_numeric() {
        let other = || gap(Gap::skipped(format!("the target {name:?} is a number")));
        let r2 = match NumberTask::with(comparison, tested, target, Rules::USUAL) {
            Ok(task) => {
                let run = task.run(Regressor::Boost, source);
                counted(run.value(|error| error.r2), task.tested())
            }
            Err(reason) => gap(reason),
        };
        return [other(), other(), r2];
    }
    let other = gap(Gap::skipped(format!("the target {name:?} is not a number")));
    match Task::with(comparison, tested, target, Rules::USUAL) {
        Ok(task) => {
            let run = task.run(Learner::Boost, source);
            let of = |value| counted(run.value(&task, value), task.truth.len());
            [of(AUC), of(MACRO_F1), other]
        }
        Err(reason) => [gap(reason.clone()), gap(reason), other],
    }
}
