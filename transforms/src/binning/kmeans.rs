use crate::scaling::moments;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::KMeans;
use meg_core::{Error, Result, Rng};
use ndarray::Array2;
use rand::RngCore;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

/// Values that k-means looks at, at most: evenly spaced order statistics stand for a longer column.
const LOOKED_AT: usize = 5_000;

/// Edges halfway between the centres that linfa's k-means finds (best of 10 starts) in sorted
/// values, two of which differ. The values are standardised for it, because its stopping rule is
/// absolute.
pub(super) fn edges(sorted: &[f64], bins: usize, rng: &mut Rng) -> Result<Vec<f64>> {
    let looked_at = evenly_spaced(sorted);
    let (mean, deviation) = moments(&looked_at);
    if deviation < f64::MIN_POSITIVE {
        // Numbers too small to be told apart after scaling: one bin.
        return Ok(vec![sorted[0], sorted[sorted.len() - 1]]);
    }
    let scaled: Vec<f64> = looked_at.iter().map(|x| (x / deviation) - (mean / deviation)).collect();
    let centres = centres(scaled, bins, rng)?;
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    let mut edges = vec![least];
    for pair in centres.windows(2) {
        let cut = (mean / deviation + 0.5 * (pair[0] + pair[1])) * deviation;
        if *edges.last().expect("the least value is an edge") < cut && cut < most {
            edges.push(cut);
        }
    }
    edges.push(most);
    Ok(edges)
}

fn evenly_spaced(sorted: &[f64]) -> Vec<f64> {
    if sorted.len() <= LOOKED_AT {
        return sorted.to_vec();
    }
    let last = (sorted.len() - 1) as f64 / (LOOKED_AT - 1) as f64;
    (0..LOOKED_AT).map(|at| sorted[(at as f64 * last).round() as usize]).collect()
}

/// Centres in ascending order. More clusters than different values would leave linfa with equal
/// centres, so there are never more.
fn centres(values: Vec<f64>, bins: usize, rng: &mut Rng) -> Result<Vec<f64>> {
    let mut distinct = values.clone();
    distinct.dedup();
    if distinct.len() <= bins {
        return Ok(distinct);
    }
    let rows = values.len();
    let records = Array2::from_shape_vec((rows, 1), values).expect("one column of all values");
    let start = Xoshiro256Plus::seed_from_u64(rng.next_u64());
    let found = KMeans::params_with_rng(bins, start)
        .tolerance(1e-6)
        .fit(&DatasetBase::from(records))
        .map_err(|error| Error::data(format!("k-means of linfa-clustering: {error}")))?;
    let mut centres: Vec<f64> = found.centroids().iter().copied().collect();
    centres.sort_unstable_by(f64::total_cmp);
    centres.dedup();
    Ok(centres)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    /// The smallest sum of squares of any clustering of sorted values, by dynamic programming.
    fn optimum(values: &[f64], k: usize) -> f64 {
        let cost = |from: usize, to: usize| {
            let part = &values[from..to];
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            part.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
        };
        let mut best: Vec<f64> =
            (0..=values.len()).map(|to| if to == 0 { 0.0 } else { cost(0, to) }).collect();
        for clusters in 2..=k {
            best = (0..=values.len())
                .map(|to| {
                    let cuts = (clusters - 1)..to;
                    cuts.map(|cut| best[cut] + cost(cut, to)).fold(f64::INFINITY, f64::min)
                })
                .collect();
        }
        best[values.len()]
    }

    fn cost(values: &[f64], edges: &[f64]) -> f64 {
        let parts = edges.windows(2).enumerate().map(|(at, edge)| {
            let inside = |x: &&f64| (at == 0 || **x > edge[0]) && **x <= edge[1];
            let part: Vec<f64> = values.iter().filter(inside).copied().collect();
            let mean = part.iter().sum::<f64>() / part.len().max(1) as f64;
            part.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
        });
        parts.sum()
    }

    #[test]
    fn the_bins_are_nearly_the_best_there_are() {
        let mut rng = Seed(4).stream("values");
        let mut values: Vec<f64> =
            (0..150).map(|row| f64::from(row % 5).exp() + rng.random::<f64>()).collect();
        values.sort_by(f64::total_cmp);
        for k in [2, 5, 8] {
            let edges = edges(&values, k, &mut rng).unwrap();
            assert_eq!(edges.len(), k + 1);
            let (ours, best) = (cost(&values, &edges), optimum(&values, k));
            assert!(ours <= 1.05 * best + 1e-9, "{k}: {ours} beside {best}");
        }
    }

    #[test]
    fn fewer_values_than_bins_have_a_bin_each() {
        let edges = edges(&[1.0, 1.0, 2.0, 5.0], 10, &mut Seed(1).stream("k")).unwrap();
        assert_eq!(edges.len(), 4);
        let away = edges.iter().zip([1.0, 1.5, 3.5, 5.0]).map(|(x, y)| (x - y).abs());
        assert!(away.fold(0.0, f64::max) < 1e-12, "{edges:?}");
    }
}
