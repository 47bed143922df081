//! Choosing parents by the exponential mechanism.

use super::mechanism::choose;
use crate::coding::Coded;
use meg_core::{Observer, Phase, Result, Rng, parallel};
use rand::Rng as _;
use rand::seq::SliceRandom;
use std::collections::HashMap;

/// What bounds the choice; none of it depends on the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Largest number of cells of a node's table.
    pub cells: u64,
    /// Largest number of parents.
    pub parents: usize,
    /// Largest number of candidates in one choice.
    pub candidates: usize,
}

type Candidate = (usize, Vec<usize>);

/// The greedy network of PrivBayes (Zhang et al. 2017): nodes join one by one, each
/// choice among all nodes outside with their largest sets of parents inside, by the exponential
/// mechanism on the score `R` with an equal part of `epsilon`. The first node is drawn.
///
/// # Errors
/// When the observer interrupts.
pub(crate) fn greedy(
    coded: &Coded,
    limits: Limits,
    epsilon: f64,
    rng: &mut Rng,
    threads: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<usize>>> {
    let nodes = coded.columns.len();
    let mut parents = vec![Vec::new(); nodes];
    let mut inside = vec![rng.random_range(0..nodes)];
    let mut outside: Vec<usize> = (0..nodes).filter(|&node| node != inside[0]).collect();
    let each = epsilon / (nodes.max(2) - 1) as f64;
    let mut known: HashMap<Candidate, f64> = HashMap::new();
    while !outside.is_empty() {
        let candidates = candidates(coded, &inside, &outside, limits, rng);
        let new: Vec<&Candidate> =
            candidates.iter().filter(|candidate| !known.contains_key(*candidate)).collect();
        let scores = parallel::map(threads, new.len(), |at| score(coded, new[at].0, &new[at].1));
        let scored: Vec<_> = new.into_iter().cloned().zip(scores).collect();
        known.extend(scored);
        let scores: Vec<f64> = candidates.iter().map(|candidate| known[candidate]).collect();
        let chosen = choose(&scores, sensitivity(coded.rows), each, rng);
        let (node, set) = candidates[chosen].clone();
        parents[node] = set;
        inside.push(node);
        inside.sort_unstable();
        outside.retain(|&other| other != node);
        // What belongs to a node inside is never asked for again.
        known.retain(|(other, _), _| *other != node);
        observer.step(Phase::Train, inside.len() as u64, &[])?;
    }
    Ok(parents)
}

/// `R(x; p) = 1/2 sum |P(x, p) - P(x) P(p)|`, in 0..1: half the distance from independence.
pub(crate) fn score(coded: &Coded, node: usize, parents: &[usize]) -> f64 {
    if parents.is_empty() {
        return 0.0;
    }
    let size = coded.sizes[node];
    let mut keys = vec![0u32; coded.rows];
    let mut combinations = 1;
    for &parent in parents {
        combinations *= coded.sizes[parent];
        let width = coded.sizes[parent] as u32;
        for (key, &state) in keys.iter_mut().zip(&coded.columns[parent]) {
            *key = *key * width + state;
        }
    }
    let mut joint = vec![0i64; combinations * size];
    for (&key, &state) in keys.iter().zip(&coded.columns[node]) {
        joint[key as usize * size + state as usize] += 1;
    }
    let mut alone = vec![0i64; size];
    for row in joint.chunks_exact(size) {
        alone.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
    }
    let rows = coded.rows as i64;
    let distance: f64 = joint
        .chunks_exact(size)
        .map(|row| {
            let given: i64 = row.iter().sum();
            let gap = |(count, all): (&i64, &i64)| (rows * count - all * given).unsigned_abs();
            row.iter().zip(&alone).map(|cell| gap(cell) as f64).sum::<f64>()
        })
        .sum();
    distance / (2.0 * (rows as f64).powi(2))
}

/// How far one replaced row moves `R`: it moves `P(x, p)` by `2/n` in all, and the product of the
/// marginals by `4/n + 4/n^2`; half the sum of both.
pub(crate) fn sensitivity(rows: usize) -> f64 {
    let rows = rows as f64;
    3.0 / rows + 2.0 / (rows * rows)
}

/// All nodes outside with their largest sets of parents; a seeded choice of sets where there are
/// too many.
fn candidates(
    coded: &Coded,
    inside: &[usize],
    outside: &[usize],
    limits: Limits,
    rng: &mut Rng,
) -> Vec<Candidate> {
    let each = (limits.candidates / outside.len()).max(1);
    let mut all = Vec::new();
    for &node in outside {
        let room = limits.cells / (coded.sizes[node] as u64).max(1);
        let largest = Largest { sizes: &coded.sizes, inside, room, parents: limits.parents };
        let sets = largest.all(each).unwrap_or_else(|| largest.some(each, rng));
        all.extend(sets.into_iter().map(|set| (node, set)));
    }
    all
}

/// Sets of parents to which none can be added.
#[derive(Debug, Clone, Copy)]
struct Largest<'a> {
    sizes: &'a [usize],
    inside: &'a [usize],
    room: u64,
    parents: usize,
}

impl Largest<'_> {
    fn fits(&self, set: &[usize], cells: u64, more: usize) -> bool {
        set.len() < self.parents && cells.saturating_mul(self.sizes[more] as u64) <= self.room
    }

    /// All of them; `None` when there are more than `most`, or too many sets to look at.
    fn all(&self, most: usize) -> Option<Vec<Vec<usize>>> {
        let (mut found, mut looks) = (Vec::new(), 100 * most);
        self.extend(
            0,
            &mut Vec::new(),
            1,
            &mut |set| {
                found.push(set.to_vec());
                found.len() <= most
            },
            &mut looks,
        )
        .then_some(found)
    }

    /// Depth first, in the order of the nodes; `false` when it gave up.
    fn extend(
        &self,
        from: usize,
        set: &mut Vec<usize>,
        cells: u64,
        report: &mut dyn FnMut(&[usize]) -> bool,
        looks: &mut usize,
    ) -> bool {
        if *looks == 0 {
            return false;
        }
        *looks -= 1;
        let grows =
            self.inside.iter().any(|more| !set.contains(more) && self.fits(set, cells, *more));
        if !grows && !report(set) {
            return false;
        }
        for at in from..self.inside.len() {
            let more = self.inside[at];
            if !self.fits(set, cells, more) {
                continue;
            }
            set.push(more);
            let width = self.sizes[more] as u64;
            if !self.extend(at + 1, set, cells * width, report, looks) {
                return false;
            }
            set.pop();
        }
        true
    }

    /// Up to `most` of them, each filled in a random order.
    fn some(&self, most: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
        let mut order = self.inside.to_vec();
        let mut sets: Vec<Vec<usize>> = (0..most)
            .map(|_| {
                order.shuffle(rng);
                let (mut set, mut cells) = (Vec::new(), 1);
                for &more in &order {
                    if self.fits(&set, cells, more) {
                        set.push(more);
                        cells *= self.sizes[more] as u64;
                    }
                }
                set.sort_unstable();
                set
            })
            .collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Seed, Silent};

    #[test]
    fn one_replaced_row_moves_the_score_by_no_more_than_its_sensitivity() {
        let mut rng = Seed(3).stream("greedy");
        let mut most = 0.0f64;
        for _ in 0..3_000 {
            let rows = rng.random_range(3..9usize);
            let mut column = |states: u32| (0..rows).map(|_| rng.random_range(0..states)).collect();
            let columns: Vec<Vec<u32>> = vec![column(3), column(2), column(2)];
            let before = Coded { columns, sizes: vec![3, 2, 2], rows };
            let mut after = before.clone();
            let row = rng.random_range(0..rows);
            for (column, states) in after.columns.iter_mut().zip([3, 2, 2]) {
                column[row] = rng.random_range(0..states);
            }
            let moved = (score(&before, 0, &[1, 2]) - score(&after, 0, &[1, 2])).abs();
            most = most.max(moved / sensitivity(rows));
        }
        assert!(most <= 1.0, "{most}");
        assert!(most > 0.5, "the bound is not loose: {most}");
    }

    #[test]
    fn sets_of_parents_are_as_large_as_the_limits_allow() {
        let sizes = [2, 3, 4, 2];
        let largest = Largest { sizes: &sizes, inside: &[0, 1, 2, 3], room: 8, parents: 3 };
        let mut all = largest.all(100).unwrap();
        all.sort();
        assert_eq!(all, [[0, 1], [0, 2], [0, 3], [1, 3], [2, 3]]);
        assert!(largest.all(2).is_none());
        let some = largest.some(200, &mut Seed(1).stream("sets"));
        assert_eq!(some, all);
        let none = Largest { room: 1, ..largest };
        assert_eq!(none.all(5).unwrap(), [Vec::<usize>::new()]);
    }

    #[test]
    fn with_a_large_budget_the_chain_is_found() {
        let mut rng = Seed(4).stream("chain");
        let rows = 2_000;
        let mut columns: Vec<Vec<u32>> = vec![(0..rows).map(|_| rng.random_range(0..2)).collect()];
        for at in 0..4 {
            let flip = |&state: &u32| if rng.random_bool(0.1) { 1 - state } else { state };
            columns.push(columns[at].iter().map(flip).collect());
        }
        let coded = Coded { columns, sizes: vec![2; 5], rows };
        let limits = Limits { cells: 4, parents: 1, candidates: 100 };
        let mut rng = Seed(4).stream("structure");
        let parents = greedy(&coded, limits, 1e5, &mut rng, 2, &mut Silent).unwrap();
        for (node, parents) in parents.iter().enumerate() {
            assert!(parents.iter().all(|parent| parent.abs_diff(node) == 1), "{parents:?}");
        }
        assert_eq!(parents.iter().flatten().count(), 4);
    }
}
