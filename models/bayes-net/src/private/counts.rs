//! Noisy tables.

use super::mechanism::Noise;
use crate::coding::Coded;
use crate::counts::Counts;
use crate::network::{Network, Node};
use meg_core::Rng;

/// One replaced row takes one from a cell of a table and adds one to another.
const SENSITIVITY: u32 = 2;

/// Counts every node together with its parents and adds noise to every cell of the table, whether
/// or not a row is in it. Each table gets an equal part of `epsilon`. What follows is worked out
/// from the noisy counts alone: negative ones are 0, and the table given nothing is their sum.
pub(crate) fn noisy(coded: &Coded, parents: &[Vec<usize>], epsilon: f64, rng: &mut Rng) -> Network {
    let noise = Noise::new(SENSITIVITY, epsilon / parents.len().max(1) as f64);
    let nodes = parents.iter().enumerate().map(|(node, parents)| {
        let size = coded.sizes[node];
        let counts: Vec<u64> = joint(coded, node, parents)
            .into_iter()
            .map(|count| u64::try_from(count + noise.draw(rng)).unwrap_or(0))
            .collect();
        let mut alone = vec![0u64; size];
        for row in counts.chunks_exact(size) {
            alone.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        if alone.iter().all(|&count| count == 0) {
            alone.fill(1);
        }
        let mut tables = vec![Counts::dense(0, size, &alone)];
        if !parents.is_empty() {
            tables.push(Counts::dense(parents.len(), size, &counts));
        }
        Node { parents: parents.clone(), tables }
    });
    Network { nodes: nodes.collect(), smoothing: 0.0 }
}

/// The counts of all cells; the state of the node changes fastest, then that of the last parent.
fn joint(coded: &Coded, node: usize, parents: &[usize]) -> Vec<i64> {
    let cells: usize = parents.iter().map(|&parent| coded.sizes[parent]).product();
    let mut counts = vec![0; cells * coded.sizes[node]];
    for row in 0..coded.rows {
        let cell = parents.iter().chain([&node]).fold(0, |cell, &column| {
            cell * coded.sizes[column] + coded.columns[column][row] as usize
        });
        counts[cell] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn every_cell_gets_noise_of_the_scale_that_its_budget_buys() {
        // Two columns of 40 x 50 cells, of which one is filled: 1 999 cells were never seen.
        let coded = Coded {
            columns: vec![vec![7; 100_000], vec![9; 100_000]],
            sizes: vec![40, 50],
            rows: 100_000,
        };
        let network = noisy(&coded, &[vec![], vec![0]], 0.2, &mut Seed(1).stream("counts"));
        // A scale of 2 / (0.2 / 2) = 20: half of the empty cells end below 1, the mean of the
        // others is about the scale.
        let table = &network.nodes[1].tables[1];
        let counts: Vec<u64> = table
            .rows()
            .flat_map(|row| row.iter().map(|(_, count)| count).collect::<Vec<_>>())
            .collect();
        let empty: Vec<f64> = counts.iter().map(|&c| c as f64).filter(|&c| c < 50_000.0).collect();
        let share = empty.len() as f64 / 1_999.0;
        // P(noise >= 1) of the two-sided geometric with ratio exp(-1/20).
        let ratio = (-0.05f64).exp();
        let expected = ratio / (1.0 + ratio);
        assert!((share - expected).abs() < 3.0 * (0.25f64 / 1_999.0).sqrt(), "{share}");
        let mean = empty.iter().sum::<f64>() / empty.len() as f64;
        assert!(
            (mean - 1.0 / (1.0 - ratio)).abs() < 3.0 * 20.0 / (empty.len() as f64).sqrt(),
            "{mean}"
        );
    }

    #[test]
    fn tables_without_a_count_left_are_even() {
        let coded = Coded { columns: vec![vec![0]], sizes: vec![3], rows: 1 };
        for seed in 0..50 {
            let network = noisy(&coded, &[vec![]], 0.001, &mut Seed(seed).stream("counts"));
            assert!(network.order(&[3]).is_ok());
        }
    }
}
