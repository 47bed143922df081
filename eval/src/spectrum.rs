//! Principal components.
//!
//! `linfa-reduction` was tried and left: its explained variance divides by the number of components
//! instead of rows, its ratio is of the components kept instead of all, and its iteration stops at a
//! tolerance and starts from a generator that differs between platforms. A symmetric matrix of some
//! hundred columns is decomposed exactly in no time.

use crate::learners::features::Design;

/// Sweeps of rotations at most; eight are usual.
const SWEEPS: usize = 50;

/// Variances and directions of some rows, largest first.
#[derive(Debug)]
pub(crate) struct Spectrum {
    pub(crate) means: Vec<f64>,
    /// Variance along each direction (of the population).
    pub(crate) variances: Vec<f64>,
    /// One direction after the other, each of length 1, the largest part positive.
    pub(crate) directions: Vec<Vec<f64>>,
}

impl Spectrum {
    /// `design` has at least one row and one column.
    pub(crate) fn fit(design: &Design) -> Self {
        let width = design.width;
        let rows = design.rows as f64;
        let mut means = vec![0.0; width];
        for row in design.values.chunks_exact(width) {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / rows);
        }
        let mut covariance = vec![vec![0.0; width]; width];
        let mut centred = vec![0.0; width];
        for row in design.values.chunks_exact(width) {
            for ((centred, value), mean) in centred.iter_mut().zip(row).zip(&means) {
                *centred = value - mean;
            }
            for (at, line) in covariance.iter_mut().enumerate() {
                let own = centred[at];
                line[at..]
                    .iter_mut()
                    .zip(&centred[at..])
                    .for_each(|(sum, other)| *sum += own * other);
            }
        }
        // Only the upper half was summed.
        let entry = |at: usize, other: usize| covariance[at.min(other)][at.max(other)] / rows;
        let covariance =
            (0..width).map(|at| (0..width).map(|other| entry(at, other)).collect()).collect();
        let (variances, directions) = eigen(covariance);
        Self { means, variances, directions }
    }

    /// The share of the variance along each direction.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        let total: f64 = self.variances.iter().sum();
        self.variances.iter().map(|variance| variance / total).collect()
    }

    /// Directions that explain this share of the variance, one at least.
    pub(crate) fn axes_for(&self, share: f64) -> usize {
        let mut sum = 0.0;
        let ratios = self.ratios();
        let enough = ratios.iter().position(|ratio| {
            sum += ratio;
            sum >= share
        });
        enough.map_or(ratios.len(), |at| at + 1).max(1)
    }

    /// Coordinates along the first `axes` directions, row after row.
    pub(crate) fn scores(&self, design: &Design, axes: usize) -> Vec<f64> {
        let mut scores = Vec::with_capacity(design.rows * axes);
        for row in design.values.chunks_exact(design.width) {
            scores.extend(self.directions[..axes].iter().map(|direction| {
                let parts = direction.iter().zip(row).zip(&self.means);
                parts.map(|((part, value), mean)| part * (value - mean)).sum::<f64>()
            }));
        }
        scores
    }
}

/// Eigenvalues, not below 0 and descending, and eigenvectors of a symmetric matrix without negative
/// eigenvalues, by Jacobi's rotations.
fn eigen(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let width = matrix.len();
    let unit = |at: usize| (0..width).map(|other| f64::from(u8::from(at == other))).collect();
    let mut vectors: Vec<Vec<f64>> = (0..width).map(unit).collect();
    let trace: f64 = (0..width).map(|at| matrix[at][at]).sum();
    for _ in 0..SWEEPS {
        let off = |matrix: &[Vec<f64>]| -> f64 {
            (0..width)
                .flat_map(|a| (0..a).map(move |b| (a, b)))
                .map(|(a, b)| matrix[a][b].powi(2))
                .sum()
        };
        if off(&matrix).sqrt() <= 1e-14 * trace {
            break;
        }
        for p in 0..width {
            for q in p + 1..width {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| matrix[b][b].total_cmp(&matrix[a][a]));
    let values = order.iter().map(|&at| matrix[at][at].max(0.0)).collect();
    let vectors = order
        .iter()
        .map(|&at| {
            let own = &vectors[at];
            let largest = own
                .iter()
                .fold(0.0f64, |best, part| if part.abs() > best.abs() { *part } else { best });
            own.iter().map(|part| part * largest.signum()).collect()
        })
        .collect();
    (values, vectors)
}

/// Turns the plane of `p` and `q` so that their entry becomes 0. `vectors` holds one a row.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let entry = matrix[p][q];
    if entry == 0.0 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * entry);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for line in matrix.iter_mut() {
        let (a, b) = (line[p], line[q]);
        line[p] = cosine * a - sine * b;
        line[q] = sine * a + cosine * b;
    }
    let turn = |rows: &mut [Vec<f64>]| {
        let (head, tail) = rows.split_at_mut(q);
        for (a, b) in head[p].iter_mut().zip(tail[0].iter_mut()) {
            (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
        }
    };
    turn(matrix);
    turn(vectors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    #[test]
    fn directions_are_orthogonal_and_give_the_matrix_back() {
        let (rows, width) = (200, 12);
        let mut rng = Seed(1).stream("rows");
        let mut values = Vec::new();
        for _ in 0..rows {
            let hidden: f64 = rng.random();
            values.extend((0..width).map(|at| hidden * at as f64 + rng.random::<f64>()));
        }
        // A constant and a repeated column: a singular matrix.
        for row in values.chunks_exact_mut(width) {
            row[0] = 3.0;
            row[1] = row[2];
        }
        let design = Design { rows, width, values };
        let spectrum = Spectrum::fit(&design);
        assert!(spectrum.variances.is_sorted_by(|a, b| a >= b));
        assert!(spectrum.variances[width - 1] < 1e-12 && spectrum.variances[width - 2] < 1e-12);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for (at, own) in spectrum.directions.iter().enumerate() {
            for (other_at, other) in spectrum.directions.iter().enumerate() {
                let want = f64::from(u8::from(at == other_at));
                assert!((dot(own, other) - want).abs() < 1e-12);
            }
        }
        // The variance of the scores along each direction is the eigenvalue.
        let scores = spectrum.scores(&design, width);
        for (axis, variance) in spectrum.variances.iter().enumerate() {
            let own: Vec<f64> = scores.iter().skip(axis).step_by(width).copied().collect();
            let (mean, sd) = crate::numbers::mean_and_sd(&own);
            assert!(mean.abs() < 1e-10 && (sd * sd - variance).abs() < 1e-10);
        }
        assert_eq!(spectrum.axes_for(1e-9), 1);
        assert!((spectrum.ratios().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
