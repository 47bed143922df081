//! Which node depends on which.

use crate::coding::Coded;
use crate::information;

/// Below this, in nats, what two columns tell of each other is rounding.
const NOTHING: f64 = 1e-12;

/// The Chow-Liu tree: the spanning tree of the largest sum of mutual information (Prim), rooted at
/// the first node. Ties go to the node that comes first; nodes that tell nothing of each other are
/// not joined.
pub(crate) fn chow_liu(coded: &Coded, threads: usize) -> Vec<Vec<usize>> {
    let information = information::pairwise(coded, threads);
    let between = |a: usize, b: usize| information[a.max(b)][a.min(b)];
    let nodes = coded.columns.len();
    let mut parents = vec![Vec::new(); nodes];
    let mut outside: Vec<usize> = (1..nodes).collect();
    // For each node outside of the tree the best node inside, and what they share.
    let mut best: Vec<(f64, usize)> =
        (0..nodes).map(|node| if node == 0 { (0.0, 0) } else { (between(node, 0), 0) }).collect();
    while !outside.is_empty() {
        // `max_by` takes the last of equals, hence the reversal.
        let (at, &node) = outside
            .iter()
            .enumerate()
            .rev()
            .max_by(|(_, a), (_, b)| best[**a].0.total_cmp(&best[**b].0))
            .expect("a node is outside");
        outside.remove(at);
        if best[node].0 > NOTHING {
            parents[node].push(best[node].1);
        }
        for &other in &outside {
            let shared = between(other, node);
            if shared > best[other].0 {
                best[other] = (shared, node);
            }
        }
    }
    parents
}

/// The k-dependence network of a label: features in the order of what they tell of the label, each
/// with the label and the `k` earlier features that tell most of it given the label. Parents come
/// with the label first and then by what they tell.
pub(crate) fn k_dependence(
    coded: &Coded,
    label: usize,
    k: usize,
    threads: usize,
) -> Vec<Vec<usize>> {
    let of_label = information::with_label(coded, label, threads);
    let mut order: Vec<usize> = (0..coded.columns.len()).filter(|&at| at != label).collect();
    order.sort_by(|&a, &b| of_label[b].total_cmp(&of_label[a]));
    let mut parents = vec![Vec::new(); coded.columns.len()];
    order.iter().for_each(|&feature| parents[feature].push(label));
    if k == 0 {
        return parents;
    }
    let given = information::pairwise_given(coded, label, threads);
    let between = |a: usize, b: usize| given[a.max(b)][a.min(b)];
    for (place, &feature) in order.iter().enumerate() {
        let mut earlier = order[..place].to_vec();
        earlier.sort_by(|&a, &b| between(feature, b).total_cmp(&between(feature, a)));
        parents[feature].extend(earlier.into_iter().take(k));
    }
    parents
}
