//! Scores of several tables, and the orders that they must be in.

use eval::{Comparison, Metric, Score, Truth, evaluate_with};
use meg_core::{Seed, Silent, Table};

/// Table-wide scores and those of columns, by table.
pub(crate) struct Runs(pub(crate) Vec<(&'static str, Vec<Score>)>);

/// Training and holdout rows, and what is known of both.
pub(crate) struct Real<'a> {
    pub(crate) train: &'a Table,
    pub(crate) holdout: &'a Table,
    pub(crate) truth: Option<&'a dyn Truth>,
}

impl Runs {
    pub(crate) fn new(
        metrics: &[&dyn Metric],
        real: &Real<'_>,
        stand_ins: Vec<(&'static str, Table)>,
    ) -> Self {
        let score = |(name, synthetic): (&'static str, Table)| {
            let comparison = Comparison {
                train: real.train,
                holdout: Some(real.holdout),
                synthetic: &synthetic,
                truth: real.truth,
                seed: Seed(1),
                threads: 2,
            };
            let scores = evaluate_with(metrics, &comparison, &mut Silent);
            (name, scores.expect("the schemas are equal"))
        };
        Self(stand_ins.into_iter().map(score).collect())
    }

    /// All scores of a table.
    pub(crate) fn scores(&self, table: &str) -> &[Score] {
        &self.0.iter().find(|(name, _)| *name == table).expect("the table was scored").1
    }

    /// The table-wide score.
    pub(crate) fn score(&self, table: &str, name: &str) -> &Score {
        let mut own = self.scores(table).iter();
        own.find(|score| score.name == name && score.columns.is_empty())
            .unwrap_or_else(|| panic!("{table}: no score {name}"))
    }

    /// Its value.
    pub(crate) fn value(&self, table: &str, name: &str) -> f64 {
        let score = self.score(table, name);
        score.value.unwrap_or_else(|| panic!("{table} {name}: {:?}", score.reason))
    }

    /// Checks that the values fall from table to table, by `step` at least.
    pub(crate) fn falls(&self, name: &str, order: &[&str], step: f64) {
        for pair in order.windows(2) {
            let (more, less) = (self.value(pair[0], name), self.value(pair[1], name));
            assert!(more >= less + step, "{name}: {} {more}, {} {less}", pair[0], pair[1]);
        }
    }

    /// Checks every order of a list.
    pub(crate) fn all_fall(&self, orders: &[Order]) {
        for Order { names, falling, step } in orders {
            for name in *names {
                falling.iter().for_each(|order| self.falls(name, order, *step));
            }
        }
    }
}

/// Scores whose values fall along each of some lists of tables.
pub(crate) struct Order {
    pub(crate) names: &'static [&'static str],
    pub(crate) falling: &'static [&'static [&'static str]],
    /// By so much at least from one table to the next.
    pub(crate) step: f64,
}
