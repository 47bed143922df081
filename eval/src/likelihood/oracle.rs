use super::{Points, mean, squared_distance, truth};
use crate::{
    Comparison, Family, Group, Metric, Modes, Score, Truth,
    score::{Gap, Goal, Kind, Reading},
    tables::reference_rows,
};
use meg_core::Table;

const LOG_LIKELIHOOD: Kind =
    Kind { name: "oracle_log_likelihood", goal: Goal::Reference, range: [None, None] };
const MODES_COVERED: Kind = Kind::similarity("modes_covered");

/// How far from a centre a row still belongs to its mode, in standard deviations.
const REACH: f64 = 3.0;
/// The share of its expected rows that a mode must have.
const LEAST_SHARE: f64 = 0.1;

/// What the true law says about the synthetic rows, without a fit in between.
///
/// `oracle_log_likelihood`: the mean natural logarithm of the density (of the probability, for
/// networks) of the synthetic rows under the law. The holdout's value is best, which is minus the
/// entropy of the law but for chance: below it there are rows where there should be none; above it
/// the rows crowd where the law is densest, as they do when a generator has lost modes or spread.
/// Undefined when a row is impossible: no number says how much worse than the others it is.
///
/// `modes_covered`: the share of the modes of a mixture that hold at least a tenth of the rows that
/// are theirs by the law. A row belongs to its nearest mode if it is within 3 standard deviations
/// of its centre. In 0..=1, more is better. It does not see rows between the modes; the likelihoods
/// do. Skipped for networks. After the mode counts of Srivastava et al. (2017, VEEGAN), who ask for
/// one row per mode; a tenth does not depend on how many rows are drawn.
///
/// Both are skipped where the law is not known; holdout rows are the reference.
#[derive(Debug)]
pub(crate) struct Oracle;

impl Metric for Oracle {
    fn name(&self) -> &'static str {
        LOG_LIKELIHOOD.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![LOG_LIKELIHOOD.name, MODES_COVERED.name]
    }

    fn group(&self) -> Group {
        Group::Likelihood
    }

    fn about(&self) -> &'static str {
        "How likely synthetic rows are under the law that the real rows were drawn from, and how many of its modes they reach; simulated tables only."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let truth = truth(comparison);
        let holdout = reference_rows(comparison);
        let score = |kind: &Kind, value: fn(&dyn Truth, &Table) -> Result<f64, Gap>| {
            let of = |rows: &Table| value(truth.clone()?, rows);
            let synthetic = comparison.synthetic;
            let real = holdout.as_deref().map_or(0, Table::rows);
            let reference = holdout.as_deref().and_then(|rows| of(rows).ok());
            Score::new(kind, &[], Reading::new(of(synthetic), real, synthetic.rows()))
                .with_reference(reference)
        };
        vec![score(&LOG_LIKELIHOOD, log_likelihood), score(&MODES_COVERED, modes_covered)]
    }
}

fn log_likelihood(truth: &dyn Truth, rows: &Table) -> Result<f64, Gap> {
    let logs = truth.log_density(rows).map_err(|error| Gap::failed(error.to_string()))?;
    match logs.iter().filter(|log| **log == f64::NEG_INFINITY).count() {
        0 => mean(&logs),
        impossible => Err(Gap::undefined(format!(
            "{impossible} of {} rows are impossible under {}",
            logs.len(),
            truth.name()
        ))),
    }
}

fn modes_covered(truth: &dyn Truth, rows: &Table) -> Result<f64, Gap> {
    let Family::Mixture(modes) = truth.family() else {
        return Err(Gap::skipped(format!("{} is no mixture", truth.name())));
    };
    let points = Points::of(rows, &modes)?;
    if points.len() == 0 || modes.centres.is_empty() {
        return Err(Gap::undefined("there is no row or no mode"));
    }
    let counts = count(&points, &modes);
    let least = LEAST_SHARE * points.len() as f64 / counts.len() as f64;
    // Of a handful of rows a tenth is less than one; an empty mode is never covered.
    let covered = counts.iter().filter(|&&count| count > 0 && count as f64 >= least).count();
    Ok(covered as f64 / counts.len() as f64)
}

/// The rows of each mode.
fn count(points: &Points, modes: &Modes) -> Vec<usize> {
    let mut counts = vec![0; modes.centres.len()];
    for point in points.rows() {
        let distances = modes.centres.iter().map(|centre| squared_distance(point, centre));
        let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((mode, distance)) = nearest
            && distance.sqrt() <= REACH * modes.deviation
        {
            counts[mode] += 1;
        }
    }
    counts
}
