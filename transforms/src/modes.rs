use crate::VariationalMixture;
use crate::densities::{BLOCK, Densities};
use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Mode-specific normalisation (Xu et al. 2019, section 4.2): a number becomes the mode it is
/// drawn from and its place within that mode.
///
/// Law: `decode(encode(x)) = x` up to single precision times the mode's width, for values within
/// 3.96 standard deviations of their mode; farther ones are cut there, as published. Every place and
/// every decoded value is finite, for the smallest and the largest doubles too.
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
        let mut drawn = (0, 0.0);
        self.encode_all(&[value], rng, |mode, place| drawn = (mode, place));
        drawn
    }

    /// [`ModeNormalizer::encode`] for many values, in order: `keep` is given the mode and the place
    /// of each.
    pub fn encode_all(&self, values: &[f64], rng: &mut Rng, mut keep: impl FnMut(usize, f32)) {
        let mut densities = Densities::new(self.mixture.len());
        let mut chances = vec![0.0; self.kept.len()];
        for block in values.chunks(BLOCK) {
            densities.fill(block, self.mixture.components());
            for (at, &value) in block.iter().enumerate() {
                // As published, every mode keeps a chance of a millionth.
                let floor = 1e-6 * densities.sum(at);
                let mut total = 0.0;
                for (chance, &k) in chances.iter_mut().zip(&self.kept) {
                    *chance = densities.relative(k, at) + floor;
                    total += *chance;
                }
                let mode = draw(&chances, rng.random::<f64>() * total);
                keep(mode, self.place(mode, value));
            }
        }
    }

    fn place(&self, mode: usize, value: f64) -> f32 {
        let k = self.kept[mode];
        let (mean, deviation) = (self.mixture.means[k], self.mixture.deviations[k]);
        let (away, width) = (value - mean, WIDTH * deviation);
        // The distance between two legal numbers may be too large for a double; an eighth never is.
        let place = match away.is_finite() && width.is_finite() {
            true => away / width,
            false => (0.125 * value - 0.125 * mean) / (0.125 * WIDTH * deviation),
        };
        place.clamp(-EDGE, EDGE) as f32
    }

    /// The value at a place of a mode; places beyond `[-1, 1]` are cut, and so are values beyond the
    /// largest double.
    pub fn decode(&self, mode: usize, place: f32) -> f64 {
        let k = self.kept[mode];
        let place = f64::from(place.clamp(-1.0, 1.0));
        let (mean, deviation) = (self.mixture.means[k], self.mixture.deviations[k]);
        let value = mean + place * WIDTH * deviation;
        if value.is_finite() {
            return value;
        }
        // On the way it may be too large for a double although the value is not.
        let eighth = 0.125 * mean + place * WIDTH * (0.125 * deviation);
        (8.0 * eighth).clamp(f64::MIN, f64::MAX)
    }
}

/// The position whose part of the cumulated chances the point falls into.
fn draw(chances: &[f64], mut left: f64) -> usize {
    let inside = |&chance: &f64| {
        left -= chance;
        left < 0.0
    };
    chances.iter().position(inside).unwrap_or(chances.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn modes_are_drawn_by_their_posterior_probability() {
        let mut rng = Seed(4).stream("values");
        // Two bells that overlap: at 1.5 neither is certain.
        let values: Vec<f64> = (0..4_000)
            .map(|row| f64::from(row % 2) * 3.0 + (0..12).map(|_| rng.random::<f64>()).sum::<f64>())
            .collect();
        let modes = ModeNormalizer::fit(&values, 10, 0.005, &mut rng);
        let mut shares = vec![0.0; modes.mixture.len()];
        modes.mixture.responsibilities(7.5, &mut shares);
        let draws = 100_000;
        let mut counts = vec![0.0; modes.modes()];
        modes.encode_all(&vec![7.5; draws], &mut rng, |mode, _| counts[mode] += 1.0);
        let total: f64 = modes.kept.iter().map(|&k| shares[k]).sum();
        for (&k, count) in modes.kept.iter().zip(&counts) {
            let (seen, expected) = (count / draws as f64, shares[k] / total);
            assert!((seen - expected).abs() < 0.01, "component {k}: {seen} for {expected}");
        }
        assert!(counts.iter().filter(|&&count| count > 0.1 * draws as f64).count() > 1);
    }

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
