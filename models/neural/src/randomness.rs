use crate::kernels;
use meg_core::Rng;
use rand::RngCore;

/// Bulk random numbers from one ChaCha stream.
#[derive(Debug, Clone)]
pub struct Randomness {
    /// The stream.
    pub rng: Rng,
    words: Vec<u8>,
}

impl Randomness {
    /// Draws from this stream.
    pub fn new(rng: Rng) -> Self {
        Self { rng, words: Vec::new() }
    }

    /// Standard normals, from uniforms of 23 bits: none is farther out than 5.8.
    pub fn normals(&mut self, out: &mut [f32]) {
        self.uniforms(out);
        let (pairs, rest) = out.split_at_mut(out.len() / 2 * 2);
        let (first, second) = pairs.split_at_mut(pairs.len() / 2);
        kernels::normals_of_uniforms(first, second);
        if !rest.is_empty() {
            let mut partner = [0.0];
            self.uniforms(&mut partner);
            kernels::normals_of_uniforms(rest, &mut partner);
        }
    }

    /// Standard Gumbel noise. The uniform behind it stays within `[2^-24, 1 - 2^-24]`, so that
    /// both logarithms are finite.
    pub fn gumbels(&mut self, out: &mut [f32]) {
        self.uniforms(out);
        kernels::gumbel_of_uniform(out);
    }

    /// Uniforms within `[2^-24, 1 - 2^-24]`.
    pub fn uniforms(&mut self, out: &mut [f32]) {
        self.words.resize(out.len() * 4, 0);
        self.rng.fill_bytes(&mut self.words);
        for (cell, word) in out.iter_mut().zip(self.words.chunks_exact(4)) {
            let word = u32::from_le_bytes(word.try_into().expect("a chunk has four bytes"));
            *cell = ((word >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0);
        }
    }

    /// Dropout masks: 0 with the given share, else `1 / (1 - share)`.
    pub fn dropout(&mut self, share: f32, out: &mut [f32]) {
        self.uniforms(out);
        let kept = 1.0 / (1.0 - share);
        out.iter_mut().for_each(|cell| *cell = if *cell < share { 0.0 } else { kept });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    fn moments(cells: &[f32]) -> (f64, f64) {
        let mean = cells.iter().map(|&x| f64::from(x)).sum::<f64>() / cells.len() as f64;
        let square = cells.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
        (mean, square / cells.len() as f64)
    }

    #[test]
    fn the_moments_are_those_of_the_laws() {
        let mut randomness = Randomness::new(Seed(1).stream("noise"));
        let mut cells = vec![0.0; 200_000];
        let mut check =
            |fill: &mut dyn FnMut(&mut Randomness, &mut [f32]), mean: f64, variance: f64| {
                fill(&mut randomness, &mut cells);
                let (seen_mean, seen_variance) = moments(&cells);
                assert!((seen_mean - mean).abs() < 0.01, "mean {seen_mean} for {mean}");
                assert!(
                    (seen_variance - variance).abs() < 0.02,
                    "variance {seen_variance} for {variance}"
                );
            };
        check(&mut |from, out| from.normals(out), 0.0, 1.0);
        check(&mut |from, out| from.normals(&mut out[1..]), 0.0, 1.0);
        check(&mut |from, out| from.uniforms(out), 0.5, 1.0 / 12.0);
        let euler = 0.577_215_664_9;
        check(&mut |from, out| from.gumbels(out), euler, std::f64::consts::PI.powi(2) / 6.0);
        check(&mut |from, out| from.dropout(0.5, out), 1.0, 1.0);
    }

    /// Shares beyond 1, 2, 3 and 4 standard deviations, within five standard errors.
    #[test]
    fn normals_have_the_tails_of_the_law() {
        let mut cells = vec![0.0; 1_000_000];
        Randomness::new(Seed(2).stream("noise")).normals(&mut cells);
        for (edge, share) in
            [(1.0, 0.317_310_5), (2.0, 0.045_500_3), (3.0, 2.699_8e-3), (4.0, 6.334e-5)]
        {
            let seen = cells.iter().filter(|cell| cell.abs() > edge).count() as f64 / 1e6;
            let error = (share * (1.0 - share) / 1e6f64).sqrt();
            assert!((seen - share).abs() < 5.0 * error, "{seen} beyond {edge}, expected {share}");
        }
        let pairs: f64 = cells.iter().zip(&cells[500_000..]).map(|(a, b)| f64::from(a * b)).sum();
        assert!((pairs / 5e5).abs() < 5.0 / 5e5f64.sqrt(), "the two of a pair hang together");
    }
}
