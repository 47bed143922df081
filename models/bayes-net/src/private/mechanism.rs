//! The two mechanisms that everything private is made of.

use meg_core::Rng;
use rand::Rng as _;

/// The scale of the noise is a multiple of one over this.
const GRAIN: u64 = 1 << 20;

/// Two-sided geometric noise: integers with probabilities in proportion to
/// `exp(-|x| epsilon / sensitivity)`, the Laplace mechanism for counts.
///
/// Drawn without any floating-point operation (Canonne, Kamath, Steinke, "The discrete Gaussian for
/// differential privacy", NeurIPS 2020, algorithm 2), because the rounding of a logarithm tells of
/// the count below the noise (Mironov 2012).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    /// `sensitivity / epsilon` in multiples of `1 / GRAIN`, rounded up to more noise.
    scale: u64,
}

impl Noise {
    /// For counts of this sensitivity (in L1) and this budget.
    pub(crate) fn new(sensitivity: u32, epsilon: f64) -> Self {
        let scale = (f64::from(sensitivity) / epsilon * GRAIN as f64).ceil();
        // The recipe bounds epsilon, so that the scale stays far below the largest integer.
        Self { scale: (scale as u64).max(1) }
    }

    /// One draw.
    pub(crate) fn draw(self, rng: &mut Rng) -> i64 {
        loop {
            let part = rng.random_range(0..self.scale);
            if !happens_exp(part, self.scale, rng) {
                continue;
            }
            let mut whole = 0;
            while happens_exp(1, 1, rng) {
                whole += 1;
            }
            let size = (part + self.scale * whole) / GRAIN;
            let negative: bool = rng.random();
            // Zero has one sign only.
            if !(negative && size == 0) {
                return if negative { -(size as i64) } else { size as i64 };
            }
        }
    }
}

/// True with probability `exp(-part / whole)`, for `part <= whole`.
fn happens_exp(part: u64, whole: u64, rng: &mut Rng) -> bool {
    let mut tries = 1;
    while rng.random_range(0..whole * tries) < part {
        tries += 1;
    }
    tries % 2 == 1
}

/// The exponential mechanism: a position, with a probability in proportion to
/// `exp(epsilon score / (2 sensitivity))`.
pub(crate) fn choose(scores: &[f64], sensitivity: f64, epsilon: f64, rng: &mut Rng) -> usize {
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |score: f64| (epsilon * (score - best) / (2.0 * sensitivity)).exp();
    let all: f64 = scores.iter().map(|&score| weight(score)).sum();
    let mut left = rng.random::<f64>() * all;
    for (at, &score) in scores.iter().enumerate() {
        left -= weight(score);
        if left < 0.0 {
            return at;
        }
    }
    // Rounding left a crumb; it belongs to a position that can be chosen.
    scores.iter().rposition(|&score| weight(score) > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn the_noise_has_mean_zero_and_the_variance_of_laplace() {
        for (sensitivity, epsilon) in [(2, 0.1), (2, 0.5), (1, 0.05)] {
            let noise = Noise::new(sensitivity, epsilon);
            let mut rng = Seed(5).stream("noise");
            let draws = 100_000;
            let drawn: Vec<f64> = (0..draws).map(|_| noise.draw(&mut rng) as f64).collect();
            let mean = drawn.iter().sum::<f64>() / f64::from(draws);
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(draws);
            let expected = 2.0 * (f64::from(sensitivity) / epsilon).powi(2);
            // The integers take off 1/6 at most; the fourth moment of Laplace is 24 scale^4, so
            // that the relative standard error of the variance is sqrt(5 / draws).
            let tolerance = 3.0 * (5.0 / f64::from(draws)).sqrt() * expected + 0.2;
            assert!((variance - expected).abs() < tolerance, "{variance} instead of {expected}");
            assert!(mean.abs() < 3.0 * (expected / f64::from(draws)).sqrt(), "{mean}");
        }
    }

    #[test]
    fn each_step_of_the_noise_costs_the_same_factor() {
        let noise = Noise::new(1, 2f64.ln());
        let mut rng = Seed(6).stream("noise");
        let draws = 60_000;
        let mut counts = [0u32; 7];
        for _ in 0..draws {
            let drawn = noise.draw(&mut rng);
            if drawn.abs() <= 3 {
                counts[(drawn + 3) as usize] += 1;
            }
        }
        for (at, &count) in counts.iter().enumerate() {
            // P(x) = (1 - 1/2) / (1 + 1/2) 2^-|x|.
            let expected = 2f64.powi(-(at as i32 - 3).abs()) / 3.0;
            let error = (expected * (1.0 - expected) / f64::from(draws)).sqrt();
            let share = f64::from(count) / f64::from(draws);
            assert!((share - expected).abs() < 3.5 * error, "{share} instead of {expected}");
        }
    }

    #[test]
    fn choices_follow_their_scores() {
        let mut rng = Seed(7).stream("choose");
        let draws = 40_000;
        let mut counts = [0u32; 3];
        for _ in 0..draws {
            counts[choose(&[1.0, 0.0, 3.0], 2.0, 2.0, &mut rng)] += 1;
        }
        let weights = [0.5f64.exp(), 1.0, 1.5f64.exp()];
        for (count, weight) in counts.iter().zip(weights) {
            let expected = weight / weights.iter().sum::<f64>();
            let error = (expected * (1.0 - expected) / f64::from(draws)).sqrt();
            assert!((f64::from(*count) / f64::from(draws) - expected).abs() < 3.5 * error);
        }
    }
}
