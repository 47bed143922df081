//! Which generator makes which columns, and what is hidden from it.

use super::{Columns, MaskOptions};
use crate::codec::{ColumnCodec, TableCodec};
use meg_core::Rng;
use rand::Rng as _;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// How the columns are shared out among the generators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskScheme {
    /// One generator per column.
    Column,
    /// One for the numbers, one for categories of two codes, one for the other categories.
    Kind,
    /// Columns that tell much about each other share a generator.
    Dependence,
    /// Columns are dealt out by chance; each member of an ensemble deals anew.
    Random,
    /// One generator per column, whose context mask is drawn anew for every row of every batch.
    Dynamic,
}

/// The places (positions in the order) that each generator makes, in rising order.
pub(super) fn groups(
    codec: &TableCodec,
    columns: &Columns,
    order: &[usize],
    options: &MaskOptions,
) -> Vec<Vec<usize>> {
    let count = match options.groups {
        0 => (order.len() as f64).sqrt().ceil() as usize,
        groups => groups.min(order.len()),
    };
    let groups = match options.scheme {
        MaskScheme::Column | MaskScheme::Dynamic => {
            return (0..order.len()).map(|place| vec![place]).collect();
        }
        MaskScheme::Kind => by_kind(codec, order),
        MaskScheme::Dependence => by_dependence(columns, order, count),
        MaskScheme::Random => {
            let mut places: Vec<usize> = (0..order.len()).collect();
            places.shuffle(&mut options.own_seed().stream("meg/groups"));
            let dealt = |group: usize| places.iter().copied().skip(group).step_by(count.max(1));
            (0..count).map(|group| dealt(group).collect()).collect()
        }
    };
    let mut groups: Vec<Vec<usize>> =
        groups.into_iter().filter(|places: &Vec<usize>| !places.is_empty()).collect();
    groups.iter_mut().for_each(|places| places.sort_unstable());
    groups.sort_unstable();
    groups
}

fn by_kind(codec: &TableCodec, order: &[usize]) -> Vec<Vec<usize>> {
    let kind = |column: usize| match &codec.columns()[column] {
        ColumnCodec::Number(_) => 0,
        _ if codec.size(column) == 2 => 1,
        _ => 2,
    };
    let of = |wanted: usize| (0..order.len()).filter(move |&place| kind(order[place]) == wanted);
    (0..3).map(|wanted| of(wanted).collect()).collect()
}

/// Joins the two groups with the largest mean mutual information between their columns until there
/// are `count`. No group grows beyond twice its equal share: else one would swallow the others.
fn by_dependence(columns: &Columns, order: &[usize], count: usize) -> Vec<Vec<usize>> {
    let most = 2 * order.len().div_ceil(count.max(1));
    let mut groups: Vec<Vec<usize>> = (0..order.len()).map(|place| vec![place]).collect();
    let told: Vec<Vec<f64>> = order
        .iter()
        .map(|&a| {
            let with = |&b: &usize| if a == b { 0.0 } else { columns.information(a, b) };
            order.iter().map(with).collect()
        })
        .collect();
    // Sums of information between groups, kept up to date as groups are joined.
    let mut sums = told;
    while groups.len() > count {
        let mut best = (f64::NEG_INFINITY, 0, 0);
        for a in 0..groups.len() {
            for b in a + 1..groups.len() {
                let mean = sums[a][b] / (groups[a].len() * groups[b].len()) as f64;
                if groups[a].len() + groups[b].len() <= most && mean > best.0 {
                    best = (mean, a, b);
                }
            }
        }
        let (mean, a, b) = best;
        if mean == f64::NEG_INFINITY {
            break;
        }
        let joined = groups.swap_remove(b);
        groups[a].extend(joined);
        let row = sums.swap_remove(b);
        for (at, sum) in sums[a].iter_mut().enumerate() {
            *sum += row[at];
        }
        for line in &mut sums {
            line.swap_remove(b);
        }
        let merged = sums[a].clone();
        for (at, line) in sums.iter_mut().enumerate() {
            line[a] = merged[at];
        }
    }
    groups
}

/// Takes each column out of a context with the given chance, the one to be kept excepted.
pub(super) fn hide(context: &mut Vec<usize>, kept: Option<usize>, share: f64, rng: &mut Rng) {
    if share > 0.0 {
        context.retain(|&column| rng.random::<f64>() >= share || Some(column) == kept);
    }
}
