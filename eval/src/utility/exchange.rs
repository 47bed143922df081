use super::{
    learner::Learner,
    task::{Task, Value},
};
use crate::{
    Comparison, Group, Metric, Score,
    learners::classify::Predictions,
    score::{Gap, Kind, Reading},
};
use meg_core::Table;

const KINDS: [Kind; 4] = [
    Kind::similarity("trts_boost_auc"),
    Kind::similarity("trts_boost_macro_f1"),
    Kind::similarity("augmented_boost_auc"),
    Kind::similarity("augmented_boost_macro_f1"),
];

const VALUES: [Value; 2] = [Predictions::auc, Predictions::macro_f1];

/// Boosted trees trained on real rows and tested on synthetic ones (TRTS: can the labels of
/// synthetic rows be learned from real ones), and trained on real and synthetic rows together and
/// tested on holdout rows (augmentation: do synthetic rows add anything).
///
/// In 0..=1, higher is better; the reference of both is training and testing on real rows (TRTR).
/// A TRTS above it is no praise: the synthetic labels are then easier than real ones. Skipped and
/// undefined as the `tstr` scores.
#[derive(Debug)]
pub(crate) struct Exchange;

impl Metric for Exchange {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How well boosted trees trained on real rows predict synthetic labels, and whether synthetic rows added to the real ones help."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, .. } = *comparison;
        let readings = |source: Result<&Table, Gap>, tested: Option<&Table>| -> Vec<Reading> {
            let all = |gap: Gap| VALUES.map(|_| Reading::new(Err(gap.clone()), 0, 0)).to_vec();
            if synthetic.rows() == 0 {
                return all(Gap::undefined("there is no synthetic row"));
            }
            match source.and_then(|source| Ok((source, Task::new(comparison, tested)?))) {
                Ok((source, task)) => {
                    let run = task.run(Learner::Boost, source);
                    let rows_synthetic = synthetic.rows();
                    let of = |value| Reading { rows_synthetic, ..run.value(&task, value) };
                    VALUES.map(of).to_vec()
                }
                Err(gap) => all(gap),
            }
        };
        let both =
            train.clone().concat(synthetic.clone()).map_err(|error| Gap::failed(error.to_string()));
        let reference = readings(Ok(train), comparison.holdout);
        let mut scores = readings(Ok(train), Some(synthetic));
        scores.extend(readings(both.as_ref().map_err(Clone::clone), comparison.holdout));
        KINDS
            .iter()
            .zip(scores)
            .enumerate()
            .map(|(at, (kind, reading))| {
                Score::new(kind, &[], reading).with_reference(reference[at % 2].ok())
            })
            .collect()
    }
}
