//! Mutual information between columns, on codes.

use crate::codec::Codes;
use meg_core::parallel;

/// Rows looked at, at most: spread evenly over the table.
const ROWS: usize = 20_000;
/// Groups of a coarse column, at most.
const GROUPS: usize = 16;

/// Mutual information of each of `columns` with column `with`, in nats, less its expectation under
/// independence (Miller 1955), at least 0.
pub(crate) fn with_column(
    codes: &Codes,
    sizes: &[usize],
    columns: &[usize],
    with: usize,
    threads: usize,
) -> Vec<f64> {
    let rows = sampled_rows(codes.rows);
    let pick = |column: usize| -> Vec<u16> {
        rows.iter().map(|&row| codes.columns[column][row]).collect()
    };
    let target = pick(with);
    parallel::map(threads, columns.len(), |at| {
        let column = columns[at];
        information(&target, sizes[with], &pick(column), sizes[column])
    })
}

/// Mutual information of every pair of `columns`, in groups of codes of about equal count: a
/// square matrix by position in `columns`.
pub(crate) fn pairwise(
    codes: &Codes,
    sizes: &[usize],
    columns: &[usize],
    threads: usize,
) -> Vec<f64> {
    let rows = sampled_rows(codes.rows);
    let coarse = parallel::map(threads, columns.len(), |at| {
        coarse(&codes.columns[columns[at]], &rows, sizes[columns[at]])
    });
    let count = columns.len();
    let lines = parallel::map(threads, count, |a| -> Vec<f64> {
        (0..a).map(|b| information(&coarse[a].0, coarse[a].1, &coarse[b].0, coarse[b].1)).collect()
    });
    let mut matrix = vec![0.0; count * count];
    for (a, line) in lines.into_iter().enumerate() {
        for (b, value) in line.into_iter().enumerate() {
            matrix[a * count + b] = value;
            matrix[b * count + a] = value;
        }
    }
    matrix
}

pub(crate) fn sampled_rows(rows: usize) -> Vec<usize> {
    let taken = rows.min(ROWS);
    (0..taken).map(|at| at * rows / taken).collect()
}

/// Neighbouring codes joined until there are few groups, each with about the same count.
pub(crate) fn coarse(column: &[u16], rows: &[usize], size: usize) -> (Vec<u16>, usize) {
    let picked: Vec<u16> = rows.iter().map(|&row| column[row]).collect();
    let (groups, count) = groups(&picked, size);
    (picked.into_iter().map(|code| groups[usize::from(code)]).collect(), count)
}

/// The group of each of `size` codes, and the number of groups.
pub(crate) fn groups(column: &[u16], size: usize) -> (Vec<u16>, usize) {
    if size <= GROUPS {
        return ((0..size as u16).collect(), size);
    }
    let mut counts = vec![0usize; size];
    column.iter().for_each(|&code| counts[usize::from(code)] += 1);
    let mut below = 0;
    let groups = counts.iter().map(|&count| {
        let middle = below + count / 2;
        below += count;
        (middle * GROUPS / column.len()).min(GROUPS - 1) as u16
    });
    (groups.collect(), GROUPS)
}

pub(crate) fn information(a: &[u16], a_size: usize, b: &[u16], b_size: usize) -> f64 {
    let mut joint = vec![0u32; a_size * b_size];
    for (&a, &b) in a.iter().zip(b) {
        joint[usize::from(a) * b_size + usize::from(b)] += 1;
    }
    let (mut left, mut right) = (vec![0u32; a_size], vec![0u32; b_size]);
    for (at, &count) in joint.iter().enumerate() {
        left[at / b_size] += count;
        right[at % b_size] += count;
    }
    let n = a.len() as f64;
    let entropy = |counts: &[u32]| -> f64 {
        let terms = counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / n);
        terms.map(|share| -share * share.ln()).sum()
    };
    let seen = |counts: &[u32]| counts.iter().filter(|&&count| count > 0).count() as f64;
    let bias = (seen(&left) - 1.0) * (seen(&right) - 1.0) / (2.0 * n);
    (entropy(&left) + entropy(&right) - entropy(&joint) - bias).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    #[test]
    fn information_is_the_entropy_of_a_copy_and_nothing_for_strangers() {
        let mut rng = Seed(1).stream("test");
        let a: Vec<u16> = (0..20_000).map(|_| rng.random_range(0..4)).collect();
        let b: Vec<u16> = (0..20_000).map(|_| rng.random_range(0..300)).collect();
        assert!((information(&a, 4, &a, 4) - 4f64.ln()).abs() < 1e-3);
        assert!(information(&a, 4, &b, 300) < 5e-3);
        let codes = Codes { rows: 20_000, columns: vec![a.clone(), b, a] };
        let matrix = pairwise(&codes, &[4, 300, 4], &[0, 1, 2], 2);
        assert!(matrix[2] > 1.3 && matrix[6] == matrix[2] && matrix[1] < 2e-3);
        assert_eq!(with_column(&codes, &[4, 300, 4], &[1, 2], 0, 1)[1], matrix[2]);
    }
}
