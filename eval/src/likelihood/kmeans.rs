//! k-means with a greedy k-means++ start: where a fit of a mixture begins.

use super::{Points, squared_distance};
use meg_core::Rng;
use rand::Rng as _;

const MOST_ROUNDS: usize = 300;

/// The number of the nearest of `k` centres for each point, after Lloyd's algorithm has come to
/// rest (or after 300 rounds). There must be a point.
pub(super) fn clusters(points: &Points, k: usize, rng: &mut Rng) -> Vec<usize> {
    let mut centres = first_centres(points, k, rng);
    let mut clusters = nearest(points, &centres);
    for _ in 0..MOST_ROUNDS {
        move_centres(points, &clusters, &mut centres);
        let next = nearest(points, &centres);
        if next == clusters {
            break;
        }
        clusters = next;
    }
    clusters
}

/// Each centre is a point, drawn in proportion to the squared distance from the centres before it
/// (Arthur and Vassilvitskii 2007); of `2 + ln k` such draws the one that leaves the smallest sum
/// of squared distances is taken, as scikit-learn does.
fn first_centres(points: &Points, k: usize, rng: &mut Rng) -> Vec<Vec<f64>> {
    let draws = 2 + (k as f64).ln() as usize;
    let first = points.row(rng.random_range(0..points.len()));
    let mut left: Vec<f64> = points.rows().map(|point| squared_distance(point, first)).collect();
    let mut centres = vec![first.to_vec()];
    while centres.len() < k {
        let candidates = (0..draws).map(|_| {
            let centre = points.row(draw(&left, rng));
            let shorter = |(point, &old): (&[f64], &f64)| squared_distance(point, centre).min(old);
            let left: Vec<f64> = points.rows().zip(&left).map(shorter).collect();
            (left.iter().sum::<f64>(), centre, left)
        });
        let Some((_, centre, next)) = candidates.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
        centres.push(centre.to_vec());
        left = next;
    }
    centres
}

/// A position, drawn in proportion to the weights; evenly where all are zero.
fn draw(weights: &[f64], rng: &mut Rng) -> usize {
    let all: f64 = weights.iter().sum();
    if all <= 0.0 || !all.is_finite() {
        return rng.random_range(0..weights.len());
    }
    let mut rest = rng.random::<f64>() * all;
    for (at, weight) in weights.iter().enumerate() {
        rest -= weight;
        if rest < 0.0 {
            return at;
        }
    }
    weights.len() - 1
}

fn nearest(points: &Points, centres: &[Vec<f64>]) -> Vec<usize> {
    let nearest = |point: &[f64]| {
        let mut best = (0, f64::INFINITY);
        for (at, centre) in centres.iter().enumerate() {
            let distance = squared_distance(point, centre);
            if distance < best.1 {
                best = (at, distance);
            }
        }
        best.0
    };
    points.rows().map(nearest).collect()
}

/// A centre without points stays where it is.
fn move_centres(points: &Points, clusters: &[usize], centres: &mut [Vec<f64>]) {
    let mut sums = vec![vec![0.0; points.width]; centres.len()];
    let mut counts = vec![0usize; centres.len()];
    for (point, &cluster) in points.rows().zip(clusters) {
        counts[cluster] += 1;
        for (sum, value) in sums[cluster].iter_mut().zip(point) {
            *sum += value;
        }
    }
    for ((centre, sum), &count) in centres.iter_mut().zip(sums).zip(&counts) {
        if count > 0 {
            *centre = sum.into_iter().map(|sum| sum / count as f64).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn heaps_are_found() {
        let values = (0..300).map(|row| f64::from(row % 3 * 10) + f64::from(row) / 1e3).collect();
        let points = Points { width: 1, values };
        let clusters = clusters(&points, 3, &mut Seed(1).stream("test"));
        let alike = |a: usize, b: usize| clusters[a] == clusters[b];
        assert!((0..297).all(|row| alike(row, row + 3) && !alike(row, row + 1)));
    }

    #[test]
    fn equal_points_are_no_trouble() {
        let points = Points { width: 2, values: vec![1.0; 20] };
        assert_eq!(clusters(&points, 4, &mut Seed(1).stream("test")), [0; 10]);
    }
}
