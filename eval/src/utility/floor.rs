use super::{
    numbers::NumberTask,
    task::{ACCURACY, LOG_LOSS, MACRO_F1, Rules, Task, Value, target},
};
use crate::{
    Comparison, Group, Metric, Score,
    score::{Gap, Kind, Reading},
};

const KINDS: [Kind; 5] = [
    Kind::similarity("floor_accuracy"),
    Kind::similarity("floor_macro_f1"),
    Kind::unbounded("floor_log_loss"),
    Kind::explained("floor_r2"),
    Kind::unbounded("floor_rmse"),
];

const VALUES: [Value; 3] = [ACCURACY, MACRO_F1, LOG_LOSS];

/// What the real training rows say about the target of holdout rows without any feature: the most
/// frequent class, and for the log loss the share of each; the mean of a number. A learner that does
/// no better has learned nothing.
///
/// The floor of AUC is 0.5, of balanced accuracy one over the number of classes, of F1 0. Ranges as
/// of the `tstr` scores, and skipped and undefined as they are; scores of the other kind of target
/// are skipped. There is no reference: no synthetic row takes part.
#[derive(Debug)]
pub(crate) struct Floor;

impl Metric for Floor {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How well the target of holdout rows is predicted without any feature."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let readings = match target(comparison) {
            Ok(target) => {
                let spec = &comparison.train.schema().columns[target];
                let other = |is_number| {
                    let kind = if is_number { "a number" } else { "not a number" };
                    Gap::skipped(format!("the target {:?} is {kind}", spec.name))
                };
                match spec.is_numeric() {
                    true => [all(&other(true)), numbers(comparison, target)].concat(),
                    false => {
                        [classes(comparison, target), all(&other(false))[..2].to_vec()].concat()
                    }
                }
            }
            Err(gap) => [all(&gap), all(&gap)].concat(),
        };
        KINDS.iter().zip(readings).map(|(kind, own)| Score::new(kind, &[], own)).collect()
    }
}

fn all(gap: &Gap) -> Vec<Reading> {
    VALUES.map(|_| Reading::new(Err(gap.clone()), 0, 0)).to_vec()
}

fn classes(comparison: &Comparison<'_>, target: usize) -> Vec<Reading> {
    let run = Task::with(comparison, comparison.holdout, target, Rules::USUAL)
        .map(|task| (task.floor(comparison.train), task));
    match run {
        Ok((run, task)) => VALUES.map(|value| run.value(&task, value)).to_vec(),
        Err(gap) => all(&gap),
    }
}

fn numbers(comparison: &Comparison<'_>, target: usize) -> Vec<Reading> {
    let rows = comparison.train.rows();
    let error = NumberTask::with(comparison, comparison.holdout, target, Rules::USUAL)
        .and_then(|task| task.floor(comparison.train));
    let of = |value: Result<f64, Gap>| Reading::new(value, rows, 0);
    vec![of(error.clone().map(|error| error.r2)), of(error.map(|error| error.rmse))]
}
