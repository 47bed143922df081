//! Scores on a scale from shuffled columns (0) to unseen real rows (1).

use crate::{
    Comparison, Group, Metric, Score,
    fidelity::{Dependence, Trend},
    numbers::mean_and_sd,
    score::{Gap, Goal, Kind, Reading},
    tables::{at_most, shuffle_front},
};
use meg_core::{Rng, Seed, Table};
use rand::Rng as _;

/// Repetitions with rows drawn again.
const DRAWS: usize = 20;

/// Rows of each table at most.
const MOST_ROWS: usize = 10_000;

/// Half-width of a 95 % interval in standard deviations.
const Z: f64 = 1.959_963_984_540_054;

const POSITIONS: [(&str, Kind); 3] = [
    ("trend_dependent", position("position_trend_dependent")),
    ("nmi_weighted_difference", position("position_nmi_weighted_difference")),
    ("association_norm", position("position_association_norm")),
];

const fn position(name: &'static str) -> Kind {
    Kind { name, goal: Goal::Maximize, range: [None, None] }
}

/// Where a score that sees dependence stands between shuffled columns (0) and unseen real rows (1):
/// `(score - score of shuffled training columns) / (score of holdout rows - score of shuffled
/// training columns)`, with as many rows of each, 10 000 at most.
///
/// Higher is better; below 0 is worse than shuffled columns, above 1 chance or memory. The interval
/// is the position with 1.96 standard deviations to either side, from 20 draws of the synthetic rows
/// with replacement. The reason says "indistinguishable from fresh rows at this size" where the
/// scores of synthetic and of holdout rows differ by less than 1.96 standard deviations of both.
/// Undefined where holdout rows score no better than shuffled columns: the table has no dependence
/// that the score sees. Skipped without holdout rows.
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

type Values = [Option<f64>; 3];

/// The scores of each table, and of draws of two of them.
struct Found {
    ours: Values,
    shuffled: Values,
    fresh: Values,
    our_draws: Vec<Values>,
    fresh_draws: Vec<Values>,
}

fn measure(comparison: &Comparison<'_>) -> Result<Found, Gap> {
    let Comparison { train, synthetic, seed, .. } = *comparison;
    if synthetic.rows() == 0 {
        return Err(Gap::undefined("there is no synthetic row"));
    }
    if train.rows() == 0 {
        return Err(Gap::undefined("there is no training row"));
    }
    let holdout = comparison
        .holdout
        .filter(|table| table.rows() > 0)
        .ok_or_else(|| Gap::skipped("there are no holdout rows"))?;
    let rows = synthetic.rows().min(holdout.rows()).min(MOST_ROWS);
    let ours = at_most(synthetic, rows, seed, "positions synthetic rows");
    let fresh = at_most(holdout, rows, seed, "positions holdout rows");
    let shuffled = shuffled(train, rows, seed)?;
    let of = |table: &Table| values(comparison, table);
    let draws = |table: &Table, purpose: &str| -> Vec<Values> {
        let mut rng = seed.stream(purpose);
        (0..DRAWS).map(|_| of(&drawn(table, &mut rng))).collect()
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
    let scores: Vec<Score> = [Trend.score(&inner), Dependence.score(&inner)].concat();
    POSITIONS.map(|(name, _)| {
        let own = scores.iter().find(|score| score.name == name && score.columns.is_empty());
        own.and_then(|score| score.value)
    })
}

/// Each training column in an order of its own.
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
    Table::new(train.schema().clone(), columns).map_err(|error| Gap::failed(error.to_string()))
}

fn drawn(table: &Table, rng: &mut Rng) -> Table {
    let rows: Vec<usize> = (0..table.rows()).map(|_| rng.random_range(0..table.rows())).collect();
    table.select_rows(&rows)
}

impl Found {
    fn reading(&self, at: usize, rows: (usize, usize)) -> Reading {
        let reading = |value| Reading::new(value, rows.0, rows.1);
        let (Some(ours), Some(shuffled), Some(fresh)) =
            (self.ours[at], self.shuffled[at], self.fresh[at])
        else {
            return reading(Err(Gap::undefined("the score is undefined for one of the tables")));
        };
        let (Some(our_sd), Some(fresh_sd)) =
            (deviation(&self.our_draws, at), deviation(&self.fresh_draws, at))
        else {
            return reading(Err(Gap::undefined("the score is undefined for rows drawn again")));
        };
        let span = fresh - shuffled;
        if span.abs() <= Z * fresh_sd {
            return reading(Err(Gap::undefined(
                "holdout rows score no better than shuffled columns",
            )));
        }
        let position = (ours - shuffled) / span;
        let half = Z * our_sd / span.abs();
        let apart = (ours - fresh).abs();
        let same = apart <= Z * (our_sd * our_sd + fresh_sd * fresh_sd).sqrt();
        let note = same.then(|| "indistinguishable from fresh rows at this size".to_owned());
        reading(Ok(position)).interval(Some([position - half, position + half])).note(note)
    }
}

fn deviation(draws: &[Values], at: usize) -> Option<f64> {
    let values: Vec<f64> = draws.iter().map(|values| values[at]).collect::<Option<_>>()?;
    Some(mean_and_sd(&values).1)
}
