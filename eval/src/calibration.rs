//! Scores on a scale from shuffled columns (0) to unseen real rows (1).

use crate::{
    Comparison, Group, Metric, Score,
    fidelity::{Dependence, MissingSimilarity, Trend},
    joint::{Components, Manifold, SlicedWasserstein},
    numbers::mean_and_sd,
    score::{Gap, Goal, Kind, Reading},
    significance::Z,
    tables::{at_most, shuffle_front, unseen_rows},
};
use meg_core::{Rng, Seed, Table};

/// Repetitions with half of the rows.
const DRAWS: usize = 20;

/// Rows of each table at most.
const MOST_ROWS: usize = 2_000;

/// Rows of each table at least.
const LEAST_ROWS: usize = 20;

/// Who gives the scores.
const SOURCES: [&dyn Metric; 6] =
    [&MissingSimilarity, &Trend, &Dependence, &Manifold, &SlicedWasserstein, &Components];

/// Each score that sees dependence, and the name of its position.
const POSITIONS: [(&str, Kind); 20] = [
    ("trend_dependent", position("position_trend_dependent")),
    ("trend", position("position_trend")),
    ("missing_pattern_similarity", position("position_missing_pattern_similarity")),
    ("correlation_similarity", position("position_correlation_similarity")),
    ("contingency_similarity", position("position_contingency_similarity")),
    ("spearman_similarity", position("position_spearman_similarity")),
    ("nmi_difference", position("position_nmi_difference")),
    ("nmi_weighted_difference", position("position_nmi_weighted_difference")),
    ("association_difference", position("position_association_difference")),
    ("association_norm", position("position_association_norm")),
    ("precision", position("position_precision")),
    ("recall", position("position_recall")),
    ("density", position("position_density")),
    ("coverage", position("position_coverage")),
    ("alpha_precision", position("position_alpha_precision")),
    ("beta_recall", position("position_beta_recall")),
    ("authenticity", position("position_authenticity")),
    ("sliced_wasserstein", position("position_sliced_wasserstein")),
    ("pca_variance_difference", position("position_pca_variance_difference")),
    ("pca_rotation", position("position_pca_rotation")),
];

const fn position(name: &'static str) -> Kind {
    Kind { name, goal: Goal::Reference, range: [None, None] }
}

/// Where a score that sees dependence stands between shuffled columns (0) and unseen real rows (1):
/// `(score - score of shuffled training columns) / (score of holdout rows - score of shuffled
/// training columns)`, with as many rows of each, 2 000 at most.
///
/// 1 is best: below 0 is worse than shuffled columns, above 1 chance or memory. The interval is the
/// position with 1.96 standard deviations to either side. These come from the scores of 20 halves of
/// the rows, drawn without replacement, whose spread is that of all rows (a half-sample bootstrap,
/// Shao and Wu 1989); rows drawn with replacement would have twins, which no score of neighbours
/// survives. The reason says "indistinguishable from fresh data at this sample size" where the scores
/// of synthetic and of holdout rows differ by less than 1.96 standard deviations of both.
///
/// Undefined where holdout rows score no better than shuffled columns by that much: the table has no
/// dependence that the score sees. Undefined with fewer than 20 rows. Skipped without holdout rows.
#[derive(Debug)]
pub(crate) struct Positions;

impl Metric for Positions {
    fn name(&self) -> &'static str {
        POSITIONS[0].1.name
    }

    fn names(&self) -> Vec<&'static str> {
        POSITIONS.iter().map(|(_, kind)| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "Where scores of dependence stand between shuffled columns (0) and unseen real rows (1)."
    }

    fn group(&self) -> Group {
        Group::Joint
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let found = measure(comparison);
        POSITIONS
            .iter()
            .enumerate()
            .map(|(at, (_, kind))| {
                let rows = (comparison.train.rows(), comparison.synthetic.rows());
                let reading = match &found {
                    Ok(found) => found.reading(at, rows),
                    Err(gap) => Reading::new(Err(gap.clone()), rows.0, rows.1),
                };
                let reference = reading.value.is_ok().then_some(1.0);
                Score::new(kind, &[], reading).with_reference(reference)
            })
            .collect()
    }
}

/// What one table gets: goal and value by position, `None` where the score has no value.
type Values = Vec<Option<(Goal, f64)>>;

/// The scores of each table, and of halves of two of them.
struct Found {
    ours: Values,
    shuffled: Values,
    fresh: Values,
    our_draws: Vec<Values>,
    fresh_draws: Vec<Values>,
}

fn measure(comparison: &Comparison<'_>) -> Result<Found, Gap> {
    let Comparison { train, synthetic, seed, .. } = *comparison;
    let holdout = unseen_rows(comparison)?;
    let rows = synthetic.rows().min(holdout.rows()).min(train.rows()).min(MOST_ROWS);
    if rows < LEAST_ROWS {
        return Err(Gap::undefined(format!(
            "{rows} rows of each kind are too few for an interval; {LEAST_ROWS} are needed"
        )));
    }
    let ours = at_most(synthetic, rows, seed, "positions synthetic rows");
    let fresh = at_most(holdout, rows, seed, "positions holdout rows");
    let shuffled = shuffled(train, rows, seed)?;
    let of = |table: &Table| values(comparison, table);
    let draws = |table: &Table, purpose: &str| -> Vec<Values> {
        let mut rng = seed.stream(purpose);
        (0..DRAWS).map(|_| of(&half(table, &mut rng))).collect()
    };
    Ok(Found {
        ours: of(&ours),
        shuffled: of(&shuffled),
        fresh: of(&fresh),
        our_draws: draws(&ours, "positions draws"),
        fresh_draws: draws(&fresh, "positions holdout draws"),
    })
}

fn values(comparison: &Comparison<'_>, table: &Table) -> Values {
    let inner = Comparison { holdout: None, synthetic: table, ..*comparison };
    let scores: Vec<Score> = SOURCES.iter().flat_map(|metric| metric.score(&inner)).collect();
    let value = |name: &str| {
        let own = scores.iter().find(|score| score.name == name && score.columns.is_empty())?;
        Some((own.goal, own.value?))
    };
    POSITIONS.iter().map(|(name, _)| value(name)).collect()
}

/// So many rows of training columns in orders of their own. Such rows need not
/// keep the constraints of the schema.
fn shuffled(train: &Table, rows: usize, seed: Seed) -> Result<Table, Gap> {
    let mut rng = seed.stream("positions shuffle");
    let mut columns = Vec::new();
    for at in 0..train.columns().len() {
        let mut order: Vec<usize> = (0..train.rows()).collect();
        shuffle_front(&mut order, train.rows(), &mut rng);
        order.truncate(rows);
        let column = train
            .select_columns(&[at])
            .map_err(|error| Gap::failed(error.to_string()))?
            .select_rows(&order);
        columns.push(column.columns()[0].clone());
    }
    Table::new(train.schema().without_constraints(), columns)
        .map_err(|error| Gap::failed(error.to_string()))
}

/// Half of the rows, each once.
fn half(table: &Table, rng: &mut Rng) -> Table {
    let mut order: Vec<usize> = (0..table.rows()).collect();
    let wanted = table.rows() / 2;
    shuffle_front(&mut order, wanted, rng);
    order.truncate(wanted);
    order.sort_unstable();
    table.select_rows(&order)
}

impl Found {
    fn reading(&self, at: usize, rows: (usize, usize)) -> Reading {
        let reading = |value| Reading::new(value, rows.0, rows.1);
        let (Some((goal, ours)), Some((_, shuffled)), Some((_, fresh))) =
            (self.ours[at], self.shuffled[at], self.fresh[at])
        else {
            return reading(Err(Gap::undefined("the score is undefined for one of the tables")));
        };
        let (Some(our_sd), Some(fresh_sd)) =
            (deviation(&self.our_draws, at), deviation(&self.fresh_draws, at))
        else {
            return reading(Err(Gap::undefined("the score is undefined for half of the rows")));
        };
        let span = fresh - shuffled;
        let better = match goal {
            Goal::Maximize => span,
            Goal::Minimize => -span,
            Goal::Reference => span.abs(),
        };
        if better <= Z * fresh_sd {
            return reading(Err(Gap::undefined(
                "holdout rows score no better than shuffled columns",
            )));
        }
        let position = (ours - shuffled) / span;
        // Both ends of the ratio vary; the shuffled one, of which there is no other, counts as fixed.
        let half = Z * our_sd.hypot(position * fresh_sd) / span.abs();
        let apart = (ours - fresh).abs();
        let same = apart <= Z * (our_sd * our_sd + fresh_sd * fresh_sd).sqrt();
        let note = same.then(|| "indistinguishable from fresh data at this sample size".to_owned());
        reading(Ok(position)).interval(Some([position - half, position + half])).note(note)
    }
}

/// The standard deviation of the score over all draws of such halves.
fn deviation(draws: &[Values], at: usize) -> Option<f64> {
    let values: Vec<f64> = draws.iter().map(|values| Some(values[at]?.1)).collect::<Option<_>>()?;
    let count = values.len() as f64;
    Some(mean_and_sd(&values).1 * (count / (count - 1.0)).sqrt())
}
