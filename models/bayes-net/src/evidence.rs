//! Drawing rows of which some states are given.
//!
//! A network in which every node has at most one parent beside a common root is drawn from exactly:
//! messages from the leaves say how likely the given states are below each node, and rows are
//! drawn from the root with these likelihoods as weights. Any other network is drawn from
//! forwards, the given states held fast; a row is kept with the probability of the given states
//! over its bound, which leaves exact draws too, at the price of rows thrown away.

use crate::network::Network;
use meg_core::Rng;
use rand::Rng as _;
use std::collections::HashMap;

/// How rows with given states are drawn.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// No state is given.
    None,
    /// By messages.
    Tree(Messages),
    /// By rejection.
    Bounded(Vec<Given>),
}

/// A given state with the largest probability that it can have.
#[derive(Debug)]
pub(crate) struct Given {
    node: usize,
    state: u32,
    bound: f64,
}

/// Likelihoods of the given states below each node.
#[derive(Debug)]
pub(crate) struct Messages {
    /// The root that every node may depend on, beside one parent more.
    root: Option<usize>,
    /// Running sums of the weights of the root's states; a single one without a root.
    roots: Vec<f64>,
    /// For each state of the root and each node the likelihood by its states; `None` where no
    /// state below is given.
    below: Vec<Vec<Option<Vec<f64>>>>,
}

/// Everything that one draw needs, with room for what was worked out already.
#[derive(Debug)]
pub(crate) struct Sampler<'a> {
    network: &'a Network,
    order: &'a [usize],
    sizes: &'a [usize],
    evidence: &'a Evidence,
    weighted: HashMap<(usize, u32, u32), Vec<f64>>,
}

impl Evidence {
    /// Prepares for these `(node, state)`. `None` when they cannot occur together.
    pub(crate) fn new(
        network: &Network,
        order: &[usize],
        sizes: &[usize],
        given: &[(usize, u32)],
    ) -> Option<Self> {
        if given.is_empty() {
            return Some(Evidence::None);
        }
        if let Some(root) = common_root(network) {
            return Messages::new(network, order, sizes, root, given).map(Evidence::Tree);
        }
        let given = given.iter().map(|&(node, state)| {
            let bound = network.bound(node, state);
            (bound > 0.0).then_some(Given { node, state, bound })
        });
        given.collect::<Option<_>>().map(Evidence::Bounded)
    }

    /// Whether rows may be thrown away.
    pub(crate) fn rejects(&self) -> bool {
        matches!(self, Evidence::Bounded(_))
    }
}

/// `Some(None)` for a forest, `Some(Some(root))` for a network that is one once the state of the
/// root is known, `None` for any other.
fn common_root(network: &Network) -> Option<Option<usize>> {
    if network.nodes.iter().all(|node| node.parents.len() < 2) {
        return Some(None);
    }
    let many = network.nodes.iter().find(|node| node.parents.len() > 1)?;
    let is_root = |root: &usize| {
        let others = |node: &crate::network::Node| {
            node.parents.iter().filter(|&parent| parent != root).count() < 2
        };
        network.nodes[*root].parents.is_empty() && network.nodes.iter().all(others)
    };
    many.parents.iter().copied().find(is_root).map(Some)
}

impl Messages {
    fn new(
        network: &Network,
        order: &[usize],
        sizes: &[usize],
        root: Option<usize>,
        given: &[(usize, u32)],
    ) -> Option<Self> {
        let states = root.map_or(1, |root| sizes[root]);
        let mut weights = Vec::with_capacity(states);
        let mut below = Vec::with_capacity(states);
        for state in 0..states {
            let (logarithm, messages) =
                collect(network, order, sizes, root.map(|root| (root, state as u32)), given);
            weights.push(logarithm);
            below.push(messages);
        }
        let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return None;
        }
        let weights = weights.iter().map(|logarithm| (logarithm - largest).exp());
        Some(Self { root, roots: running_sums(weights), below })
    }
}

/// The logarithm of the probability of the given states (and of the root's), and the likelihoods
/// below every node, each scaled to a largest of 1.
fn collect(
    network: &Network,
    order: &[usize],
    sizes: &[usize],
    root: Option<(usize, u32)>,
    given: &[(usize, u32)],
) -> (f64, Vec<Option<Vec<f64>>>) {
    let mut row = vec![0; sizes.len()];
    let mut below: Vec<Option<Vec<f64>>> = vec![None; sizes.len()];
    let mut logarithm = 0.0;
    for &(node, state) in given {
        let mut likelihood = vec![0.0; sizes[node]];
        likelihood[state as usize] = 1.0;
        below[node] = Some(likelihood);
    }
    if let Some((root, state)) = root {
        row[root] = state;
        logarithm += network.distribution(root, sizes, &row)[state as usize].ln();
        if let Some(likelihood) = &below[root] {
            logarithm += likelihood[state as usize].ln();
        }
    }
    let is_root = |node: usize| root.is_some_and(|(root, _)| root == node);
    for &node in order.iter().rev().filter(|&&node| !is_root(node)) {
        if logarithm == f64::NEG_INFINITY {
            break;
        }
        let Some(likelihood) = below[node].as_mut() else { continue };
        let largest = likelihood.iter().copied().fold(0.0, f64::max);
        logarithm += largest.ln();
        if largest > 0.0 {
            likelihood.iter_mut().for_each(|value| *value /= largest);
        }
        let likelihood = likelihood.clone();
        let expected = |row: &[u32]| {
            let probabilities = network.distribution(node, sizes, row);
            probabilities.iter().zip(&likelihood).map(|(p, l)| p * l).sum::<f64>()
        };
        match network.nodes[node].parents.iter().copied().find(|&parent| !is_root(parent)) {
            None => logarithm += expected(&row).ln(),
            Some(parent) => {
                let message: Vec<f64> = (0..sizes[parent] as u32)
                    .map(|state| {
                        row[parent] = state;
                        expected(&row)
                    })
                    .collect();
                let above = below[parent].get_or_insert_with(|| vec![1.0; sizes[parent]]);
                above.iter_mut().zip(&message).for_each(|(value, factor)| *value *= factor);
            }
        }
    }
    (logarithm, below)
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(
        network: &'a Network,
        order: &'a [usize],
        sizes: &'a [usize],
        evidence: &'a Evidence,
    ) -> Self {
        Self { network, order, sizes, evidence, weighted: HashMap::new() }
    }

    /// Draws the states of all nodes; `false` when the row is to be thrown away.
    pub(crate) fn draw(&mut self, row: &mut [u32], rng: &mut Rng) -> bool {
        match self.evidence {
            Evidence::None => {
                for &node in self.order {
                    row[node] = self.network.draw(node, self.sizes, row, rng);
                }
                true
            }
            Evidence::Bounded(given) => self.draw_bounded(given, row, rng),
            Evidence::Tree(messages) => {
                self.draw_tree(messages, row, rng);
                true
            }
        }
    }

    fn draw_bounded(&self, given: &[Given], row: &mut [u32], rng: &mut Rng) -> bool {
        for &node in self.order {
            let Some(known) = given.iter().find(|given| given.node == node) else {
                row[node] = self.network.draw(node, self.sizes, row, rng);
                continue;
            };
            row[node] = known.state;
            let probability = self.network.probability(node, self.sizes, row, known.state);
            // Each given state decides for itself, so that a hopeless row ends early.
            if rng.random::<f64>() * known.bound >= probability {
                return false;
            }
        }
        true
    }

    fn draw_tree(&mut self, messages: &Messages, row: &mut [u32], rng: &mut Rng) {
        let state = draw_weighted(&messages.roots, rng);
        let below = &messages.below[state as usize];
        for &node in self.order {
            if messages.root == Some(node) {
                row[node] = state;
                continue;
            }
            let Some(likelihood) = &below[node] else {
                row[node] = self.network.draw(node, self.sizes, row, rng);
                continue;
            };
            let parents = &self.network.nodes[node].parents;
            let parent = parents.iter().find(|&&parent| messages.root != Some(parent));
            let key = (node, state, parent.map_or(0, |&parent| row[parent]));
            let sums = self.weighted.entry(key).or_insert_with(|| {
                let probabilities = self.network.distribution(node, self.sizes, row);
                running_sums(probabilities.iter().zip(likelihood).map(|(p, l)| p * l))
            });
            row[node] = draw_weighted(sums, rng);
        }
    }
}

fn running_sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

/// A position, with a probability in proportion to its weight; the last sum is above 0.
fn draw_weighted(sums: &[f64], rng: &mut Rng) -> u32 {
    let all = *sums.last().expect("there is a weight");
    let place = rng.random::<f64>() * all;
    let at = sums.partition_point(|&sum| sum <= place);
    // A product can round up to the whole sum; the last position with a weight holds it.
    at.min(sums.partition_point(|&sum| sum < all)) as u32
}
