//! Mutual information of columns of states, in nats.
//!
//! With counts `n` of states, `I(a; b) = (S(ab) - S(a) - S(b) + S()) / rows`, where `S` is the sum
//! of `n ln n` over the states of a group of columns; the conditional one,
//! `I(a; b | c) = (S(abc) - S(ac) - S(bc) + S(c)) / rows`, is made of the same sums.

use crate::coding::Coded;
use meg_core::parallel;

/// `I(a; b)` for all pairs of nodes: entry `[a][b]` for `b < a`.
pub(crate) fn pairwise(coded: &Coded, threads: usize) -> Vec<Vec<f64>> {
    let alone = singles(coded, threads);
    let whole = plogp(coded.rows);
    parallel::map(threads, coded.columns.len(), |a| {
        let mut counter = Counter::default();
        let left = (&coded.columns[a][..], coded.sizes[a]);
        let information = |b: usize| {
            let joint = counter.sum(left, (&coded.columns[b], coded.sizes[b]));
            positive((joint - alone[a] - alone[b] + whole) / coded.rows as f64)
        };
        (0..a).map(information).collect()
    })
}

/// `I(x; label)` for every node; that of the label is 0.
pub(crate) fn with_label(coded: &Coded, label: usize, threads: usize) -> Vec<f64> {
    let alone = singles(coded, threads);
    let whole = plogp(coded.rows);
    let right = (&coded.columns[label][..], coded.sizes[label]);
    parallel::map(threads, coded.columns.len(), |a| {
        if a == label {
            return 0.0;
        }
        let joint = Counter::default().sum((&coded.columns[a], coded.sizes[a]), right);
        positive((joint - alone[a] - alone[label] + whole) / coded.rows as f64)
    })
}

/// `I(a; b | label)` for all pairs of nodes: entry `[a][b]` for `b < a`; 0 where one is the label.
pub(crate) fn pairwise_given(coded: &Coded, label: usize, threads: usize) -> Vec<Vec<f64>> {
    let given = (&coded.columns[label][..], coded.sizes[label]);
    let with_label = parallel::map(threads, coded.columns.len(), |a| {
        Counter::default().sum((&coded.columns[a], coded.sizes[a]), given)
    });
    let alone = sum_of(given.0.iter().map(|&state| u64::from(state)), given.1 as u64);
    parallel::map(threads, coded.columns.len(), |a| {
        let mut counter = Counter::default();
        let (left, size) = product((&coded.columns[a], coded.sizes[a]), given);
        let information = |b: usize| {
            if a == label || b == label {
                return 0.0;
            }
            let joint = counter.sum((&left, size), (&coded.columns[b], coded.sizes[b]));
            positive((joint - with_label[a] - with_label[b] + alone) / coded.rows as f64)
        };
        (0..a).map(information).collect()
    })
}

/// Rounding can leave a crumb below zero, where no information lies.
fn positive(information: f64) -> f64 {
    information.max(0.0)
}

fn singles(coded: &Coded, threads: usize) -> Vec<f64> {
    parallel::map(threads, coded.columns.len(), |a| {
        sum_of(coded.columns[a].iter().map(|&state| u64::from(state)), coded.sizes[a] as u64)
    })
}

/// The pairs of states of two columns as states of one: only the pairs that occur are states, so
/// that two columns of very many states still fit.
fn product(left: (&[u32], usize), right: (&[u32], usize)) -> (Vec<u32>, usize) {
    let keys = keys(left, right);
    let mut seen: Vec<u64> = keys.clone().collect();
    seen.sort_unstable();
    seen.dedup();
    let place = |key: u64| seen.binary_search(&key).expect("every key was seen") as u32;
    (keys.map(place).collect(), seen.len())
}

fn keys<'a>(
    left: (&'a [u32], usize),
    right: (&'a [u32], usize),
) -> impl Iterator<Item = u64> + Clone + 'a {
    let width = right.1 as u64;
    left.0.iter().zip(right.0).map(move |(&a, &b)| u64::from(a) * width + u64::from(b))
}

/// Counts pairs again and again in one buffer.
#[derive(Debug, Default)]
struct Counter {
    counts: Vec<u32>,
}

impl Counter {
    /// `S(ab)`.
    fn sum(&mut self, left: (&[u32], usize), right: (&[u32], usize)) -> f64 {
        let cells = left.1 as u64 * right.1 as u64;
        if cells > dense_limit(left.0.len()) {
            return sum_of(keys(left, right), cells);
        }
        self.counts.clear();
        self.counts.resize(cells as usize, 0);
        let width = right.1;
        for (&a, &b) in left.0.iter().zip(right.0) {
            self.counts[a as usize * width + b as usize] += 1;
        }
        self.counts.iter().map(|&count| plogp(count as usize)).sum()
    }
}

/// Above so many cells, most of them empty, sorting the rows is cheaper than counting into them.
fn dense_limit(rows: usize) -> u64 {
    4 * rows as u64 + 4_096
}

/// The sum of `n ln n` over equal keys.
fn sum_of(keys: impl Iterator<Item = u64>, cells: u64) -> f64 {
    let mut keys: Vec<u64> = keys.collect();
    if cells <= dense_limit(keys.len()) {
        let mut counts = vec![0usize; cells as usize];
        keys.iter().for_each(|&key| counts[key as usize] += 1);
        return counts.iter().map(|&count| plogp(count)).sum();
    }
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|run| plogp(run.len())).sum()
}

fn plogp(count: usize) -> f64 {
    if count < 2 { 0.0 } else { count as f64 * (count as f64).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    fn coded(columns: Vec<Vec<u32>>, sizes: Vec<usize>) -> Coded {
        Coded { rows: columns[0].len(), columns, sizes }
    }

    #[test]
    fn information_of_two_bits_that_agree_in_three_rows_of_four() {
        let coded = coded(vec![vec![0, 0, 1, 1], vec![0, 0, 1, 0]], vec![2, 2]);
        // By hand: 1/2 ln(4/3) + 1/4 ln(2/3) + 1/4 ln 2.
        let expected = 0.5 * (4.0f64 / 3.0).ln() + 0.25 * (2.0f64 / 3.0).ln() + 0.25 * 2f64.ln();
        assert!((pairwise(&coded, 1)[1][0] - expected).abs() < 1e-12);
        assert!((with_label(&coded, 0, 1)[1] - expected).abs() < 1e-12);
    }

    #[test]
    fn an_exclusive_or_is_known_only_given_the_third() {
        let a: Vec<u32> = (0..8).map(|row| row / 4).collect();
        let b: Vec<u32> = (0..8).map(|row| row / 2 % 2).collect();
        let c: Vec<u32> = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
        let coded = coded(vec![a, b, c], vec![2, 2, 2]);
        assert!(pairwise(&coded, 2)[1][0] < 1e-12);
        assert!((pairwise_given(&coded, 2, 2)[1][0] - 2f64.ln()).abs() < 1e-12);
        assert_eq!(pairwise_given(&coded, 2, 2)[2], [0.0, 0.0]);
    }

    #[test]
    fn sorting_and_counting_agree() {
        let mut rng = Seed(1).stream("information");
        let mut column = |most: u32| (0..300).map(|_| rng.random_range(0..most)).collect();
        let (a, b, c) = (column(5), column(7), column(3));
        let narrow = coded(vec![a, b, c], vec![5, 7, 3]);
        let mut wide = narrow.clone();
        wide.sizes = vec![70_000, 80_000, 90_000];
        let close = |a: Vec<Vec<f64>>, b: Vec<Vec<f64>>| {
            a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(close(pairwise(&narrow, 1), pairwise(&wide, 2)));
        assert!(close(pairwise_given(&narrow, 2, 1), pairwise_given(&wide, 2, 2)));
    }
}
