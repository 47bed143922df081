use meg_core::{Column, ColumnSpec, Result, Rng, Schema, Seed, Table};
use rand::{Rng as _, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::{PI, TAU};

/// Variance of each mode in each direction. It is the variance of the CTGAN paper's tables: only
/// with it do the mean log densities of its table of results come out.
const VARIANCE: f64 = 0.05;

/// Normal distributions in the plane, equally weighted, round and of one variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// Centres of the modes.
    pub means: Vec<[f64; 2]>,
    /// Variance in each direction.
    pub variance: f64,
}

/// The law of the table `grid`, `gridr` or `ring`; `None` for another name.
///
/// - `grid`: 25 modes at {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4};
/// - `gridr`: the same, each mode moved by up to 0.5 in each direction, uniformly, from the seed;
/// - `ring`: 8 modes on the unit circle, 45 degrees apart.
pub fn mixture(name: &str, seed: Seed) -> Option<Mixture> {
    let means = match name {
        "grid" => grid(),
        "gridr" => moved(grid(), &mut seed.stream("gridr means")),
        "ring" => ring(),
        _ => return None,
    };
    Some(Mixture { means, variance: VARIANCE })
}

impl Mixture {
    /// Natural logarithm of the density at a point.
    pub fn log_density(&self, point: [f64; 2]) -> f64 {
        let exponent = |mean: &[f64; 2]| {
            let squares: f64 = point.iter().zip(mean).map(|(x, m)| (x - m).powi(2)).sum();
            -squares / (2.0 * self.variance)
        };
        // The largest exponent is taken out of the sum, so that no point is too far out.
        let exponents: Vec<f64> = self.means.iter().map(exponent).collect();
        let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = exponents.iter().map(|exponent| (exponent - largest).exp()).sum();
        largest + sum.ln() - (self.means.len() as f64 * 2.0 * PI * self.variance).ln()
    }

    /// Draws rows of the columns `x` and `y`, equally many of each mode (the first modes get one
    /// more where it does not come out even), shuffled.
    ///
    /// # Errors
    /// Never, as the values are finite.
    pub fn sample(&self, rows: usize, rng: &mut Rng) -> Result<Table> {
        let deviation = self.variance.sqrt();
        let around = |mean: f64, rng: &mut Rng| {
            let normal: f64 = StandardNormal.sample(rng);
            mean + deviation * normal
        };
        let mut points: Vec<[f64; 2]> = (0..rows)
            .map(|row| self.means[row % self.means.len()])
            .map(|[x, y]| [around(x, rng), around(y, rng)])
            .collect();
        points.shuffle(rng);
        let schema =
            Schema::new(vec![ColumnSpec::number("x", None), ColumnSpec::number("y", None)])?;
        let column = |at: usize| Column::Numbers(points.iter().map(|point| point[at]).collect());
        Table::new(schema, vec![column(0), column(1)])
    }
}

fn grid() -> Vec<[f64; 2]> {
    const LINE: [f64; 5] = [-4.0, -2.0, 0.0, 2.0, 4.0];
    LINE.iter().flat_map(|&x| LINE.iter().map(move |&y| [x, y])).collect()
}

fn moved(mut means: Vec<[f64; 2]>, rng: &mut Rng) -> Vec<[f64; 2]> {
    for coordinate in means.iter_mut().flatten() {
        *coordinate += rng.random_range(-0.5..0.5);
    }
    means
}

fn ring() -> Vec<[f64; 2]> {
    (0..8).map(|mode| TAU * f64::from(mode) / 8.0).map(|angle| [angle.cos(), angle.sin()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_log_density(name: &str) -> f64 {
        let law = mixture(name, Seed(1)).unwrap();
        let table = law.sample(100_000, &mut Seed(1).stream("test")).unwrap();
        let points = table.numbers(0).iter().zip(table.numbers(1));
        points.map(|(&x, &y)| law.log_density([x, y])).sum::<f64>() / table.rows() as f64
    }

    #[test]
    fn the_mean_log_density_is_the_published_one() {
        assert!((mean_log_density("grid") + 3.061).abs() < 0.01);
        assert!((mean_log_density("ring") + 1.694).abs() < 0.01);
    }

    #[test]
    fn far_points_have_a_finite_log_density() {
        let law = mixture("ring", Seed(1)).unwrap();
        assert!(law.log_density([1e6, -1e6]).is_finite());
    }

    #[test]
    fn gridr_moves_with_the_seed_and_stays_near_the_grid() {
        let means = |seed| mixture("gridr", Seed(seed)).unwrap().means;
        assert_eq!(means(1), means(1));
        assert_ne!(means(1), means(2));
        let near = means(1)
            .iter()
            .zip(grid())
            .all(|(a, b)| (a[0] - b[0]).abs() <= 0.5 && (a[1] - b[1]).abs() <= 0.5 && a[0] != b[0]);
        assert!(near);
        assert_eq!(mixture("square", Seed(1)), None);
    }

    #[test]
    fn every_mode_has_its_share() {
        let law = mixture("ring", Seed(1)).unwrap();
        let table = law.sample(800, &mut Seed(5).stream("test")).unwrap();
        let mut counts = [0; 8];
        for (&x, &y) in table.numbers(0).iter().zip(table.numbers(1)) {
            let distance = |mean: &[f64; 2]| (mean[0] - x).hypot(mean[1] - y);
            let nearest =
                (0..8).min_by(|&a, &b| distance(&law.means[a]).total_cmp(&distance(&law.means[b])));
            counts[nearest.unwrap()] += 1;
        }
        assert!(counts.iter().all(|&count| (60..140).contains(&count)), "{counts:?}");
    }
}
