//! A network of nodes with conditional tables, and drawing from it.

use crate::coding::Coded;
use crate::counts::{Counts, MOST_KEYS};
use meg_core::{Error, Result, Rng, parallel};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Nodes and what joins them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// The nodes, in the order of the modelled columns.
    pub nodes: Vec<Node>,
    /// Weight of the shorter table, in rows: `P(x | p) = (n(x, p) + w P(x | fewer)) / (n(p) + w)`.
    pub smoothing: f64,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    /// Its parents, the strongest first.
    pub parents: Vec<usize>,
    /// Tables given none of the parents, then some, then all: where a combination of parent states
    /// was never seen, the table before it takes its place.
    pub tables: Vec<Counts>,
}

impl Network {
    /// Counts the tables of every node given none, one, ... all of its parents.
    pub(crate) fn count(
        coded: &Coded,
        parents: &[Vec<usize>],
        smoothing: f64,
        threads: usize,
    ) -> Self {
        let nodes = parallel::map(threads, parents.len(), |node| {
            let parents = fitting(&parents[node], node, &coded.sizes);
            let table = |given: usize| Counts::of(coded, node, &parents[..given]);
            let tables = (0..=parents.len()).map(table).collect();
            Node { parents, tables }
        });
        Self { nodes, smoothing }
    }

    /// The positions of the nodes, parents first; checks everything that was read from a file.
    ///
    /// # Errors
    /// [`Error::Artifact`] when the network is none, or does not fit the numbers of states.
    pub(crate) fn order(&self, sizes: &[usize]) -> Result<Vec<usize>> {
        let fail = |problem: String| Err(Error::Artifact(problem));
        if self.nodes.len() != sizes.len() {
            return fail(format!("{} nodes for {} columns", self.nodes.len(), sizes.len()));
        }
        if !(self.smoothing >= 0.0 && self.smoothing.is_finite()) {
            return fail(format!("the smoothing is {}", self.smoothing));
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if !node.is_sound(at, sizes) {
                return fail(format!("the tables of node {at} are damaged"));
            }
        }
        let mut order = Vec::with_capacity(sizes.len());
        let mut children = vec![Vec::new(); sizes.len()];
        let mut open: Vec<usize> = self.nodes.iter().map(|node| node.parents.len()).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            node.parents.iter().for_each(|&parent| children[parent].push(at));
            if node.parents.is_empty() {
                order.push(at);
            }
        }
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            for &child in &children[at] {
                open[child] -= 1;
                if open[child] == 0 {
                    order.push(child);
                }
            }
            next += 1;
        }
        if order.len() < sizes.len() {
            return fail("a node of the network depends on itself".into());
        }
        Ok(order)
    }

    /// Draws the state of a node given the states of its parents.
    pub(crate) fn draw(&self, node: usize, sizes: &[usize], row: &[u32], rng: &mut Rng) -> u32 {
        let node = &self.nodes[node];
        for table in node.tables.iter().rev() {
            let Some(counts) = table.row(node.key(table.given, sizes, row)) else { continue };
            if self.smoothing == 0.0 || table.given == 0 {
                return counts.draw(rng);
            }
            let total = counts.total();
            let place = rng.random::<f64>() * (total as f64 + self.smoothing);
            if place < total as f64 {
                return counts.at(place as u64);
            }
        }
        unreachable!("the first table is given nothing and has counts")
    }

    /// The probability of one state of a node given the states of its parents.
    pub(crate) fn probability(&self, node: usize, sizes: &[usize], row: &[u32], state: u32) -> f64 {
        let node = &self.nodes[node];
        node.tables.iter().fold(0.0, |below, table| {
            let Some(counts) = table.row(node.key(table.given, sizes, row)) else { return below };
            let weight = self.weight(table);
            (counts.count(state) as f64 + weight * below) / (counts.total() as f64 + weight)
        })
    }

    /// The probabilities of all states of a node given the states of its parents.
    pub(crate) fn distribution(&self, node: usize, sizes: &[usize], row: &[u32]) -> Vec<f64> {
        let mut probabilities = vec![0.0; sizes[node]];
        let node = &self.nodes[node];
        for table in &node.tables {
            let Some(counts) = table.row(node.key(table.given, sizes, row)) else { continue };
            let (weight, total) = (self.weight(table), counts.total() as f64);
            probabilities.iter_mut().for_each(|p| *p *= weight / (total + weight));
            for (state, count) in counts.iter() {
                probabilities[state as usize] += count as f64 / (total + weight);
            }
        }
        probabilities
    }

    /// A number that no probability of this state exceeds, whatever the parents.
    pub(crate) fn bound(&self, node: usize, state: u32) -> f64 {
        self.nodes[node].tables.iter().fold(0.0, |below, table| {
            let weight = self.weight(table);
            let shares = table.rows().map(|counts| {
                (counts.count(state) as f64 + weight * below) / (counts.total() as f64 + weight)
            });
            shares.fold(below, f64::max)
        })
    }

    fn weight(&self, table: &Counts) -> f64 {
        if table.given == 0 { 0.0 } else { self.smoothing }
    }
}

impl Node {
    /// The combination of the states of the first `given` parents.
    fn key(&self, given: usize, sizes: &[usize], row: &[u32]) -> u64 {
        self.parents[..given]
            .iter()
            .fold(0, |key, &parent| key * sizes[parent] as u64 + u64::from(row[parent]))
    }

    fn is_sound(&self, at: usize, sizes: &[usize]) -> bool {
        let known = self.parents.iter().all(|&parent| parent < sizes.len() && parent != at);
        let mut sorted = self.parents.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if !known || sorted.len() != self.parents.len() {
            return false;
        }
        let keys = |given: usize| {
            let product = |all: u64, &parent: &usize| all.checked_mul(sizes[parent] as u64);
            self.parents.get(..given)?.iter().try_fold(1u64, product)
        };
        let fits = |table: &Counts| {
            keys(table.given)
                .is_some_and(|keys| keys <= MOST_KEYS && table.is_sound(keys, sizes[at]))
        };
        self.tables.first().is_some_and(|table| table.given == 0 && !table.is_empty())
            && self.tables.is_sorted_by(|a, b| a.given < b.given)
            && self.tables.iter().all(fits)
    }
}

/// The parents, without those that would make more combinations than a key can hold.
fn fitting(parents: &[usize], node: usize, sizes: &[usize]) -> Vec<usize> {
    let mut all = sizes[node] as u64;
    let fits = |parent: &usize| match all.checked_mul(sizes[*parent] as u64) {
        Some(more) if more <= MOST_KEYS => {
            all = more;
            true
        }
        _ => false,
    };
    parents.iter().copied().filter(fits).collect()
}
