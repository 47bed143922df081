use super::{
    learner::Learner,
    numbers::{NumberTask, Regressor},
    task::{BALANCED, Rules, Task},
};
use crate::{
    Comparison, Group, Metric, Score, parallel,
    score::{Gap, Goal, Kind, Reading, mean},
    tables::is_modelled,
};
use meg_core::Table;

const RELATIVE: Kind =
    Kind { name: "global_utility", goal: Goal::Maximize, range: [Some(0.0), None] };
const FLOOR: Kind =
    Kind { name: "global_utility_floor", goal: Goal::Maximize, range: [Some(0.0), None] };

const RULES: Rules = Rules { as_in_ctgan: false, most_rows: Some(10_000) };

/// Added to both errors of a number, in its standard deviations, so that two learners without any
/// error are equal.
const LEAST_ERROR: f64 = 1e-6;

/// Every column as the target in turn: a learner trained on synthetic rows, relative to the same
/// trained on real rows, both tested on holdout rows; the mean over columns, and each column.
///
/// A category: balanced accuracy over balanced accuracy, of random forests, because boosted trees
/// would grow one tree per class and round; a number: root mean squared error of the real over that
/// of the synthetic, of boosted trees. From 0 up, higher is better, 1 is as good as real rows, which is
/// the reference. It takes away the choice of a target, by which a generator may look good. The
/// ratio is mild: `global_utility_floor` is what it would be if synthetic rows taught nothing but
/// the mean and the classes' names. Learns from 10 000 rows at most and is tested on as many.
/// Columns with more than 50 classes, columns that do not vary, and columns without a value are
/// listed as undefined. Skipped without holdout rows.
///
/// Source: the relative utility of each column in TabStruct (Jiang et al. 2025), with one learner
/// in place of a tuned ensemble.
#[derive(Debug)]
pub(crate) struct Global;

impl Metric for Global {
    fn name(&self) -> &'static str {
        RELATIVE.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![RELATIVE.name, FLOOR.name]
    }

    fn about(&self) -> &'static str {
        "How well synthetic rows teach to predict every column from the others, relative to real rows."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let train = comparison.train;
        let rows = (train.rows(), comparison.synthetic.rows());
        let gap = match (comparison.holdout, rows.1) {
            (_, 0) => Some(Gap::undefined("there is no synthetic row")),
            (None, _) => Some(Gap::skipped("there are no holdout rows")),
            _ => None,
        };
        if let Some(gap) = gap {
            let reading = Reading::new(Err(gap), rows.0, rows.1);
            let score = |kind: &Kind| Score::new(kind, &[], reading.clone());
            return vec![score(&RELATIVE), score(&FLOOR)];
        }
        let targets: Vec<usize> =
            (0..train.columns().len()).filter(|&column| is_modelled(train, column)).collect();
        // Columns are spread over threads, so that learners get one each.
        let alone = Comparison { threads: 1, ..*comparison };
        let readings = parallel::map(comparison.threads, targets.len(), |at| {
            match relative(&alone, targets[at]) {
                Ok(both) => both.map(|value| Reading::new(Ok(value), rows.0, rows.1)),
                Err(gap) => [0; 2].map(|_| Reading::new(Err(gap.clone()), rows.0, rows.1)),
            }
        });
        let name = |column: usize| train.schema().columns[column].name.clone();
        let over = |at: usize| {
            let named = targets.iter().zip(&readings);
            mean("columns", named.map(|(&column, own)| (name(column), &own[at])), rows)
        };
        let mut scores = vec![with_reference(Score::new(&RELATIVE, &[], over(0)))];
        scores.push(Score::new(&FLOOR, &[], over(1)));
        for (&column, [own, _]) in targets.iter().zip(readings) {
            scores.push(with_reference(Score::new(&RELATIVE, &[&name(column)], own)));
        }
        scores
    }
}

/// Real rows relative to themselves are 1.
fn with_reference(score: Score) -> Score {
    let reference = score.value.map(|_| 1.0);
    score.with_reference(reference)
}

/// What synthetic rows teach of this column relative to real ones, and what no features would.
fn relative(comparison: &Comparison<'_>, target: usize) -> Result<[f64; 2], Gap> {
    let Comparison { train, synthetic, holdout, .. } = *comparison;
    let observed = |table: &Table| {
        let cells = &table.columns()[target];
        (0..table.rows()).filter(|&row| !cells.is_missing(row)).count()
    };
    if observed(synthetic) == 0 {
        let real = (observed(train), train.rows());
        let reason = "no synthetic row has a cell of it to learn from";
        return Err(Gap::absent(reason, real, synthetic.rows()));
    }
    if train.schema().columns[target].is_numeric() {
        let task = NumberTask::with(comparison, holdout, target, RULES)?;
        let error = |source| Ok(task.run(Regressor::Boost, source).error?.rmse + LEAST_ERROR);
        let (ours, theirs) = (error(synthetic)?, error(train)?);
        return Ok([theirs / ours, theirs / (task.floor(train)?.rmse + LEAST_ERROR)]);
    }
    let task = Task::with(comparison, holdout, target, RULES)?;
    let kinds = task.kinds();
    if kinds < 2 {
        return Err(Gap::undefined("the holdout rows have one class only"));
    }
    let balanced = |source| task.run(Learner::Forest, source).value(&task, BALANCED).value;
    let (ours, theirs) = (balanced(synthetic)?, balanced(train)?);
    if theirs == 0.0 {
        return Err(Gap::undefined("real rows teach nothing of it"));
    }
    Ok([ours / theirs, 1.0 / kinds as f64 / theirs])
}
