//! How often each state of a node was seen given states of its parents.

use crate::coding::Coded;
use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Products of the numbers of states stay below this, so that a key is exact in JSON too.
pub(crate) const MOST_KEYS: u64 = 1 << 53;

/// A conditional table. Only combinations with a count are held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    /// How many of the node's parents it is given, the first so many.
    pub given: usize,
    /// The combinations of their states that have a count, ascending; the state of the last
    /// parent changes fastest.
    keys: Vec<u64>,
    /// Where the states of each combination begin, and the end of the last.
    starts: Vec<usize>,
    /// States with a count, ascending within a combination.
    states: Vec<u32>,
    /// Running sums of their counts, from the start of each combination.
    sums: Vec<u64>,
}

/// The counts of one combination of parent states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    states: &'a [u32],
    sums: &'a [u64],
}

impl Row<'_> {
    /// Sum of the counts.
    pub(crate) fn total(&self) -> u64 {
        *self.sums.last().expect("a row has a state")
    }

    /// States with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let before = std::iter::once(0).chain(self.sums.iter().copied());
        self.states
            .iter()
            .zip(self.sums.iter().zip(before))
            .map(|(&s, (sum, from))| (s, sum - from))
    }

    /// The count of a state.
    pub(crate) fn count(&self, state: u32) -> u64 {
        match self.states.binary_search(&state) {
            Ok(0) => self.sums[0],
            Ok(at) => self.sums[at] - self.sums[at - 1],
            Err(_) => 0,
        }
    }

    /// The state at this position, below the total, of the counts laid end to end.
    pub(crate) fn at(&self, position: u64) -> u32 {
        self.states[self.sums.partition_point(|&sum| sum <= position)]
    }

    /// A state, with a probability in proportion to its count.
    pub(crate) fn draw(&self, rng: &mut Rng) -> u32 {
        self.at(rng.random_range(0..self.total()))
    }
}

impl Counts {
    /// Counts the rows of a table for a node given some parents.
    pub(crate) fn of(coded: &Coded, node: usize, parents: &[usize]) -> Self {
        let size = coded.sizes[node] as u64;
        let key = |row: usize| {
            parents.iter().fold(0u64, |key, &parent| {
                key * coded.sizes[parent] as u64 + u64::from(coded.columns[parent][row])
            })
        };
        let state = |row: usize| u64::from(coded.columns[node][row]);
        let all = parents.iter().fold(size, |all, &at| all.saturating_mul(coded.sizes[at] as u64));
        if all <= 4 * coded.rows as u64 + 4_096 {
            let mut counts = vec![0u64; all as usize];
            (0..coded.rows).for_each(|row| counts[(key(row) * size + state(row)) as usize] += 1);
            return Self::dense(parents.len(), size as usize, &counts);
        }
        let mut cells: Vec<(u64, u64)> =
            (0..coded.rows).map(|row| (key(row), state(row))).collect();
        cells.sort_unstable();
        let runs = cells.chunk_by(|a, b| a == b);
        Self::from_cells(
            parents.len(),
            runs.map(|run| (run[0].0, run[0].1 as u32, run.len() as u64)),
        )
    }

    /// From the counts of all cells; the state of the node changes fastest.
    pub(crate) fn dense(given: usize, size: usize, counts: &[u64]) -> Self {
        let cells = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let cells = cells.map(|(at, &count)| ((at / size) as u64, (at % size) as u32, count));
        Self::from_cells(given, cells)
    }

    fn from_cells(given: usize, cells: impl Iterator<Item = (u64, u32, u64)>) -> Self {
        let (mut keys, mut starts) = (Vec::new(), Vec::new());
        let (mut states, mut sums) = (Vec::new(), Vec::new());
        let mut sum = 0;
        for (key, state, count) in cells {
            if keys.last() != Some(&key) {
                keys.push(key);
                starts.push(states.len());
                sum = 0;
            }
            sum += count;
            states.push(state);
            sums.push(sum);
        }
        starts.push(states.len());
        Self { given, keys, starts, states, sums }
    }

    /// The counts given a combination of parent states; `None` where nothing was counted.
    pub(crate) fn row(&self, key: u64) -> Option<Row<'_>> {
        let at = match self.keys.get(key as usize) {
            // Where every combination has a count, which is the usual case.
            Some(&found) if found == key => key as usize,
            _ => self.keys.binary_search(&key).ok()?,
        };
        Some(self.nth(at))
    }

    /// All combinations that have a count.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.keys.len()).map(|at| self.nth(at))
    }

    fn nth(&self, at: usize) -> Row<'_> {
        let range = self.starts[at]..self.starts[at + 1];
        Row { states: &self.states[range.clone()], sums: &self.sums[range] }
    }

    /// Whether a table read from a file can be drawn from: `keys` combinations of parent states at
    /// most, `size` states of the node.
    pub(crate) fn is_sound(&self, keys: u64, size: usize) -> bool {
        let ordered = |range: &[usize]| {
            let range = range[0]..range[1];
            let states = self.states.get(range.clone()).unwrap_or_default();
            let sums = self.sums.get(range).unwrap_or_default();
            !states.is_empty()
                && states.is_sorted_by(|a, b| a < b)
                && states.iter().all(|&state| (state as usize) < size)
                && sums[0] > 0
                && sums.is_sorted_by(|a, b| a < b)
                && sums.iter().all(|&sum| sum < MOST_KEYS)
        };
        self.starts.len() == self.keys.len() + 1
            && self.starts.first() == Some(&0)
            && self.starts.last() == Some(&self.states.len())
            && self.states.len() == self.sums.len()
            && self.keys.is_sorted_by(|a, b| a < b)
            && self.keys.last().is_none_or(|&key| key < keys)
            && self.starts.windows(2).all(|range| range[0] < range[1] && ordered(range))
    }

    /// Whether there is a count at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded() -> Coded {
        let columns = vec![vec![0, 0, 1, 1, 1, 0], vec![2, 2, 0, 2, 0, 1]];
        Coded { columns, sizes: vec![2, 3], rows: 6 }
    }

    #[test]
    fn counts_are_those_of_the_rows() {
        let counts = Counts::of(&coded(), 1, &[0]);
        let row = counts.row(0).unwrap();
        assert_eq!(row.iter().collect::<Vec<_>>(), [(1, 1), (2, 2)]);
        assert_eq!([0, 1, 2].map(|state| row.count(state)), [0, 1, 2]);
        assert_eq!(counts.row(1).unwrap().total(), 3);
        assert!(counts.row(2).is_none());
        assert_eq!([0, 1, 2].map(|position| row.at(position)), [1, 2, 2]);
        assert!(counts.is_sound(2, 3) && !counts.is_sound(1, 3) && !counts.is_sound(2, 2));
    }

    #[test]
    fn sorting_and_counting_agree() {
        let mut wide = coded();
        wide.sizes = vec![100_000, 100_000];
        let (narrow, wide) = (Counts::of(&coded(), 1, &[0]), Counts::of(&wide, 1, &[0]));
        assert_eq!(narrow, wide);
    }
}
