use super::{Points, gaussian::Mixture, mean, truth};
use crate::{
    Comparison, Family, Group, Metric, Modes, Score, Truth,
    score::{Gap, Goal, Kind, Reading},
    tables::at_most,
};
use meg_core::Table;

/// Goal: the reference. A generator that draws the likeliest rows alone beats real rows.
const SYNTHETIC: Kind =
    Kind { name: "likelihood_synthetic", goal: Goal::Reference, range: [None, None] };
/// Goal: more. What the synthetic rows do not teach costs likelihood on unseen rows.
const TEST: Kind = Kind { name: "likelihood_test", goal: Goal::Maximize, range: [None, None] };

/// Added to the probability of a row of categories, so that an impossible one costs a finite
/// amount.
const LEAST_PROBABILITY: f64 = 1e-8;

/// The likelihood fitness of the CTGAN paper (Xu et al. 2019), natural logarithms, as its program
/// computes it. For rows of which the law is known; skipped for others.
///
/// `likelihood_synthetic` (L_syn): how likely the synthetic rows are.
/// - Mixture: the mean log density of the synthetic rows under a normal mixture with diagonal
///   covariances that is fitted to the holdout rows. It has more components than the law has modes
///   ([`Modes::components`]). The paper's text says that the law itself judges; that is
///   `oracle_log_likelihood`.
/// - Network: the mean of `ln(p + 1e-8)` over the synthetic rows, `p` their probability under the
///   law.
///
/// `likelihood_test` (L_test): how likely real rows are to whom only knows the synthetic ones.
/// - Mixture: the same fit to the synthetic rows scores the holdout rows.
/// - Network: the arcs of the law with probabilities of maximum likelihood on the synthetic rows,
///   without smoothing, score the holdout rows by `ln(p + 1e-8)`.
///
/// The reference of both is the paper's row "Identity": training rows in place of the synthetic
/// ones, no more of them than there are synthetic rows. Holdout rows cannot stand in here: they are
/// the other side already. Undefined where there are fewer rows than components. Networks differ
/// from the paper's program in rows with a state that no synthetic row has: those get `ln 1e-8`
/// here, and `ln 2e-8` there.
#[derive(Debug)]
pub(crate) struct Fitness;

impl Metric for Fitness {
    fn name(&self) -> &'static str {
        SYNTHETIC.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![SYNTHETIC.name, TEST.name]
    }

    fn group(&self) -> Group {
        Group::Likelihood
    }

    fn about(&self) -> &'static str {
        "How likely synthetic rows are under what holdout rows teach or the law says, and how likely holdout rows are under what synthetic rows teach; simulated tables only."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, seed, .. } = *comparison;
        let real = at_most(train, synthetic.rows(), seed, "likelihood rows");
        let judge = Law::judge(comparison);
        let judged = |rows: &Table| judge.as_ref().map_err(Clone::clone)?.mean(rows);
        let taught = |rows: &Table| {
            truth(comparison)?;
            let holdout = holdout(comparison)?;
            Law::taught_by(rows, comparison)?.mean(holdout)
        };
        let rows = comparison.holdout.map_or(0, Table::rows);
        let score = |kind: &Kind, value: &dyn Fn(&Table) -> Result<f64, Gap>| {
            let reading = Reading::new(value(synthetic), rows, synthetic.rows());
            Score::new(kind, &[], reading).with_reference(value(&real).ok())
        };
        vec![score(&SYNTHETIC, &judged), score(&TEST, &taught)]
    }
}

/// What gives rows their likelihood.
#[derive(Debug)]
enum Law<'a> {
    Fitted(Mixture, Modes),
    Known(&'a dyn Truth),
    Refitted(Box<dyn Truth>),
}

impl<'a> Law<'a> {
    /// The law that synthetic rows are scored by.
    fn judge(comparison: &Comparison<'a>) -> Result<Self, Gap> {
        let truth = truth(comparison)?;
        match truth.family() {
            Family::Mixture(_) => Self::taught_by(holdout(comparison)?, comparison),
            Family::Network(_) => Ok(Self::Known(truth)),
            Family::Density => Err(no_protocol(truth)),
        }
    }

    /// The law as these rows teach it.
    fn taught_by(rows: &Table, comparison: &Comparison<'a>) -> Result<Self, Gap> {
        if rows.rows() == 0 {
            return Err(Gap::undefined("there is no row to learn from"));
        }
        match truth(comparison)?.family() {
            Family::Mixture(modes) => {
                let points = Points::of(rows, &modes)?;
                let (k, threads) = (modes.components, comparison.threads);
                Ok(Self::Fitted(Mixture::fit(&points, k, comparison.seed, threads)?, modes))
            }
            Family::Network(network) => {
                let refitted = network.refit(rows);
                refitted.map(Self::Refitted).map_err(|error| Gap::failed(error.to_string()))
            }
            Family::Density => Err(no_protocol(truth(comparison)?)),
        }
    }

    fn mean(&self, rows: &Table) -> Result<f64, Gap> {
        match self {
            Self::Fitted(mixture, modes) => mean(&mixture.log_density(&Points::of(rows, modes)?)),
            Self::Known(truth) => mean_above_floor(*truth, rows),
            Self::Refitted(truth) => mean_above_floor(truth.as_ref(), rows),
        }
    }
}

/// The paper fits mixtures and networks; what would be fitted to rows of another law is nobody's.
fn no_protocol(truth: &dyn Truth) -> Gap {
    Gap::skipped(format!("{} is neither a mixture nor a network", truth.name()))
}

fn mean_above_floor(truth: &dyn Truth, rows: &Table) -> Result<f64, Gap> {
    let logs = truth.log_density(rows).map_err(|error| Gap::failed(error.to_string()))?;
    let above: Vec<f64> = logs.iter().map(|log| (log.exp() + LEAST_PROBABILITY).ln()).collect();
    mean(&above)
}

fn holdout<'a>(comparison: &Comparison<'a>) -> Result<&'a Table, Gap> {
    let holdout = comparison.holdout.filter(|table| table.rows() > 0);
    holdout.ok_or_else(|| Gap::skipped("there are no holdout rows"))
}
