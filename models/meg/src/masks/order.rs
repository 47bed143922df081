//! The order in which the columns of a row are made.

use super::{Columns, MaskOptions};
use crate::codec::Codes;
use crate::dependence;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// Where the target stands in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelPlace {
    /// First, unless held-out rows are clearly likelier with the target last.
    Auto,
    /// Made first and seen by all others.
    First,
    /// Made last, from all others.
    Last,
}

/// The order of the columns beside the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnOrder {
    /// By falling mutual information with the target.
    Information,
    /// By rising mutual information with it.
    Reversed,
    /// As in the schema.
    Given,
    /// By rising number of codes.
    Size,
    /// By chance.
    Random,
}

/// Schema positions of the modelled columns in the order in which a row is made: the target first
/// or last (without a target: first the column that tells most about the others), the others by
/// what they tell about it, or as the options say.
pub(super) fn order(codes: &Codes, columns: &Columns, options: &MaskOptions) -> Vec<usize> {
    let Columns { modelled, sizes, target, pairs } = columns;
    if modelled.is_empty() {
        return Vec::new();
    }
    let centre = target.unwrap_or_else(|| modelled[most_telling(pairs.as_deref().unwrap_or(&[]))]);
    let told = dependence::with_column(codes, sizes, modelled, centre, options.threads);
    let mut others: Vec<usize> = (0..modelled.len()).filter(|&at| modelled[at] != centre).collect();
    match options.order {
        ColumnOrder::Information => others.sort_by(|&a, &b| told[b].total_cmp(&told[a])),
        ColumnOrder::Reversed => others.sort_by(|&a, &b| told[a].total_cmp(&told[b])),
        ColumnOrder::Given => {}
        ColumnOrder::Size => others.sort_by_key(|&at| sizes[modelled[at]]),
        ColumnOrder::Random => others.shuffle(&mut options.seed.stream("meg/order")),
    }
    let mut order: Vec<usize> = others.into_iter().map(|at| modelled[at]).collect();
    let last = options.label == LabelPlace::Last && target.is_some();
    order.insert(if last { order.len() } else { 0 }, centre);
    order
}

/// Position of the largest row sum of a square matrix.
fn most_telling(pairs: &[f64]) -> usize {
    let count = pairs.len().isqrt();
    let sum = |at: usize| pairs[at * count..(at + 1) * count].iter().sum::<f64>();
    (0..count).rev().max_by(|&a, &b| sum(a).total_cmp(&sum(b))).unwrap_or(0)
}
