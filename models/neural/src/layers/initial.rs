use meg_core::Rng;
use rand::Rng as _;
use rand_distr::StandardNormal;

/// The distribution of a parameter before training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// The same value everywhere.
    Constant(f32),
    /// Uniform in `±bound`.
    Uniform {
        /// Largest absolute value.
        bound: f32,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        deviation: f32,
    },
    /// Normal around 0, drawn again beyond two standard deviations (TensorFlow's
    /// `truncated_normal`; `deviation` is that of the normal before the cut).
    TruncatedNormal {
        /// Standard deviation before the cut.
        deviation: f32,
    },
}

impl Initial {
    /// PyTorch's default for weights and biases of linear and convolution layers: uniform in
    /// `±1/sqrt(fan_in)`.
    pub fn torch(fan_in: usize) -> Self {
        Initial::Uniform { bound: 1.0 / (fan_in.max(1) as f32).sqrt() }
    }

    /// Glorot and Bengio 2010, eq. 16 (the default of Keras): uniform in
    /// `±sqrt(6 / (fan_in + fan_out))`.
    pub fn glorot(fan_in: usize, fan_out: usize) -> Self {
        Initial::Uniform { bound: (6.0 / (fan_in + fan_out).max(1) as f32).sqrt() }
    }

    /// He et al. 2015 as TensorFlow's `variance_scaling` (factor 2, fan in) draws it: a truncated
    /// normal whose standard deviation before the cut is `sqrt(1.3 * 2 / fan_in)`, so that about
    /// `sqrt(2 / fan_in)` is left after it.
    pub fn he_truncated(fan_in: usize) -> Self {
        Initial::TruncatedNormal { deviation: (2.6 / fan_in.max(1) as f32).sqrt() }
    }

    /// So many independent values.
    pub fn draw(self, count: usize, rng: &mut Rng) -> Vec<f32> {
        (0..count).map(|_| self.one(rng)).collect()
    }

    fn one(self, rng: &mut Rng) -> f32 {
        match self {
            Initial::Constant(value) => value,
            Initial::Uniform { bound } => rng.random_range(-bound..=bound),
            Initial::Normal { mean, deviation } => {
                mean + deviation * rng.sample::<f32, _>(StandardNormal)
            }
            Initial::TruncatedNormal { deviation } => loop {
                // One draw in 22 falls outside; a run of 100 such has probability 1e-134.
                let normal: f32 = rng.sample(StandardNormal);
                if normal.abs() <= 2.0 {
                    break deviation * normal;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// Mean, standard deviation and largest absolute value of many draws.
    fn moments(initial: Initial) -> (f64, f64, f64) {
        let cells = initial.draw(100_000, &mut Seed(1).stream("init"));
        let mean = cells.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
        let square = cells.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 1e5;
        let largest = cells.iter().fold(0.0f64, |most, &x| most.max(f64::from(x).abs()));
        (mean, square.sqrt(), largest)
    }

    #[test]
    fn the_moments_are_those_of_the_laws() {
        let third = 1.0 / 3f64.sqrt();
        for (initial, mean, deviation, bound) in [
            (Initial::Constant(2.0), 2.0, 0.0, 2.0),
            (Initial::torch(100), 0.0, 0.1 * third, 0.1),
            (Initial::glorot(100, 50), 0.0, 0.2 * third, 0.2),
            (Initial::Normal { mean: 1.0, deviation: 0.02 }, 1.0, 0.02, 1.2),
            // The standard deviation of a normal cut at two of its own is 0.8796.
            (Initial::TruncatedNormal { deviation: 0.1 }, 0.0, 0.08796, 0.2),
            (Initial::he_truncated(200), 0.0, 0.1003, 0.2281),
        ] {
            let (seen_mean, seen_deviation, largest) = moments(initial);
            assert!((seen_mean - mean).abs() < 0.002, "{initial:?}: mean {seen_mean}");
            assert!(
                (seen_deviation - deviation).abs() <= 0.01 * deviation,
                "{initial:?}: deviation {seen_deviation}"
            );
            assert!(largest <= bound + 1e-6, "{initial:?}: {largest}");
        }
    }
}
