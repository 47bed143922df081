use serde::{Deserialize, Serialize};

/// How a budget is split. The parts sum to `epsilon`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Budget {
    /// For the ranges of number columns, all together.
    pub ranges: f64,
    /// For choosing parents, all choices together.
    pub structure: f64,
    /// For the counts, all tables together.
    pub counts: f64,
}

/// What a fitted model promises, kept with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guarantee {
    /// The whole budget.
    pub epsilon: f64,
    /// Spent on ranges of number columns.
    pub ranges: f64,
    /// Spent on the structure.
    pub structure: f64,
    /// Spent on the counts.
    pub counts: f64,
    /// Which tables are neighbours.
    pub neighbours: String,
}

impl Budget {
    /// Splits a budget. A part that has nothing to do (no range to learn, no parent to choose)
    /// gets nothing, which is decided by public facts alone.
    pub(crate) fn split(
        epsilon: f64,
        range_share: f64,
        structure_share: f64,
        learns_ranges: bool,
        chooses_parents: bool,
    ) -> Self {
        let ranges = if learns_ranges { epsilon * range_share } else { 0.0 };
        let structure = if chooses_parents { (epsilon - ranges) * structure_share } else { 0.0 };
        Self { ranges, structure, counts: epsilon - ranges - structure }
    }

    /// The promise of a model on which all of it was spent.
    pub(crate) fn guarantee(&self, epsilon: f64) -> Guarantee {
        Guarantee {
            epsilon,
            ranges: self.ranges,
            structure: self.structure,
            counts: self.counts,
            neighbours: "tables of as many rows that differ in one row".into(),
        }
    }
}
