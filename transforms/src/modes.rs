use crate::VariationalMixture;
use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Mode-specific normalisation (Xu et al. 2019, section 4.2): a number becomes the mode it is
/// drawn from and its place within that mode.
///
/// Law: `decode(encode(x)) = x` up to single precision times the mode's width, for values within
/// 3.96 standard deviations of their mode; farther ones are cut there, as published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModeNormalizer {
    mixture: VariationalMixture,
    /// Components whose weight is above the threshold.
    kept: Vec<usize>,
}

/// A mode spans this many of its standard deviations on each side.
const WIDTH: f64 = 4.0;
/// The largest place within a mode.
const EDGE: f64 = 0.99;

impl ModeNormalizer {
    /// Finds the modes of finite values, two of which differ. Components with a weight of at most
    /// `threshold` (published: 0.005) are left out.
    pub fn fit(values: &[f64], components: usize, threshold: f64, rng: &mut Rng) -> Self {
        let mixture = VariationalMixture::fit(values, components, rng);
        let mut kept: Vec<usize> =
            (0..mixture.len()).filter(|&k| mixture.weights[k] > threshold).collect();
        if kept.is_empty() {
            let heaviest =
                |&a: &usize, &b: &usize| mixture.weights[a].total_cmp(&mixture.weights[b]);
            kept.extend((0..mixture.len()).max_by(heaviest));
        }
        Self { mixture, kept }
    }

    /// Whether indices and parameters read from a file can be used.
    pub(crate) fn is_sound(&self) -> bool {
        let inside = |&k: &usize| k < self.mixture.len();
        !self.kept.is_empty() && self.kept.iter().all(inside) && self.mixture.is_sound()
    }

    /// Number of modes.
    pub fn modes(&self) -> usize {
        self.kept.len()
    }

    /// Draws a mode by its posterior probability and returns it with the place in `[-0.99, 0.99]`.
    pub fn encode(&self, value: f64, rng: &mut Rng) -> (usize, f32) {
        let mut shares = vec![0.0; self.mixture.len()];
        self.mixture.responsibilities(value, &mut shares);
        let chance = |at: usize| shares[self.kept[at]] + 1e-6;
        let total: f64 = (0..self.kept.len()).map(chance).sum();
        let mut left = rng.random::<f64>() * total;
        let drawn = (0..self.kept.len()).find(|&at| {
            left -= chance(at);
            left < 0.0
        });
        let mode = drawn.unwrap_or(self.kept.len() - 1);
        let k = self.kept[mode];
        let place = (value - self.mixture.means[k]) / (WIDTH * self.mixture.deviations[k]);
        (mode, place.clamp(-EDGE, EDGE) as f32)
    }

    /// The value at a place of a mode; places beyond `[-1, 1]` are cut.
    pub fn decode(&self, mode: usize, place: f32) -> f64 {
        let k = self.kept[mode];
        let place = f64::from(place.clamp(-1.0, 1.0));
        self.mixture.means[k] + place * WIDTH * self.mixture.deviations[k]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn values_come_back_through_every_mode_that_they_are_drawn_from() {
        let mut rng = Seed(3).stream("values");
        let values: Vec<f64> =
            (0..2_000).map(|row| f64::from(row % 4) * 10.0 + rng.random::<f64>()).collect();
        let modes = ModeNormalizer::fit(&values, 10, 0.005, &mut rng);
        assert!(modes.modes() >= 4);
        for &value in &values {
            let (mode, place) = modes.encode(value, &mut rng);
            assert!((modes.decode(mode, place) - value).abs() < 1e-4 || place.abs() == 0.99);
        }
    }
}
