use crate::Tvae;
use meg_core::{Rng, Seed};
use neural::Randomness;
use rand::seq::SliceRandom;
use transforms::Encoded;

/// The rows of one update and all that is random in it. Two ways of computing the update that are
/// given the same batch must agree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Row-major places.
    pub places: Vec<f32>,
    /// Row-major units that are 1, one per one-hot span.
    pub hot: Vec<u32>,
    /// Standard normals, rows x length of the latent vector.
    pub noise: Vec<f32>,
}

/// Draws batches: each pass goes over all rows in an order of its own, and its last batch holds
/// what is left.
#[derive(Debug)]
pub(crate) struct BatchSource<'a> {
    encoded: &'a Encoded,
    batch_size: usize,
    latent: usize,
    seed: Seed,
    noise: Randomness,
    /// The pass whose order is at hand.
    epoch: Option<u64>,
    order: Vec<usize>,
}

impl<'a> BatchSource<'a> {
    pub(crate) fn new(recipe: &Tvae, encoded: &'a Encoded, seed: Seed) -> Self {
        Self {
            encoded,
            batch_size: recipe.batch_size,
            latent: recipe.embedding_dim,
            seed,
            noise: Randomness::new(seed.stream("tvae/noise")),
            epoch: None,
            order: Vec::new(),
        }
    }

    /// The stream of the noise, for checkpoints. The order of a pass follows from its number.
    pub(crate) fn noise(&mut self) -> &mut Rng {
        &mut self.noise.rng
    }

    /// Fills the batch of an update; `number` counts from 1.
    pub(crate) fn fill(&mut self, batch: &mut Batch, number: u64) {
        let per_epoch = updates_per_epoch(self.encoded.rows, self.batch_size);
        let (epoch, at) = ((number - 1) / per_epoch, (number - 1) % per_epoch);
        if self.epoch != Some(epoch) {
            self.order = (0..self.encoded.rows).collect();
            self.order.shuffle(&mut self.seed.stream(&format!("tvae/epoch/{epoch}")));
            self.epoch = Some(epoch);
        }
        let first = at as usize * self.batch_size;
        let last = (first + self.batch_size).min(self.encoded.rows);
        batch.rows = last - first;
        batch.places.clear();
        batch.hot.clear();
        for &row in &self.order[first..last] {
            batch.places.extend_from_slice(self.encoded.places(row));
            batch.hot.extend_from_slice(self.encoded.hot_units(row));
        }
        batch.noise.resize(batch.rows * self.latent, 0.0);
        self.noise.normals(&mut batch.noise);
    }
}

/// Updates of one pass; the last may have fewer rows.
pub(crate) fn updates_per_epoch(rows: usize, batch_size: usize) -> u64 {
    rows.div_ceil(batch_size).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7 rows whose place is their number, in batches of 3.
    fn encoded() -> Encoded {
        Encoded {
            rows: 7,
            width: 1,
            place_units: vec![0],
            places: (0..7u8).map(f32::from).collect(),
            hot: Vec::new(),
            hot_per_row: 0,
        }
    }

    /// The library dropped the last partial batch once, so that a table smaller than a batch taught
    /// nothing (models.md 3).
    #[test]
    fn every_pass_sees_each_row_once_in_another_order() {
        let encoded = encoded();
        let recipe = Tvae { batch_size: 3, embedding_dim: 2, ..Tvae::default() };
        let mut source = BatchSource::new(&recipe, &encoded, Seed(1));
        let (mut batch, mut passes) = (Batch::default(), Vec::new());
        for pass in 0..20 {
            let mut seen = Vec::new();
            for at in 1..=3 {
                source.fill(&mut batch, pass * 3 + at);
                assert_eq!(batch.rows, if at == 3 { 1 } else { 3 });
                assert_eq!(batch.noise.len(), batch.rows * 2);
                seen.extend_from_slice(&batch.places);
            }
            passes.push(seen.clone());
            seen.sort_by(f32::total_cmp);
            assert_eq!(seen, encoded.places);
        }
        assert!(passes.windows(2).any(|pair| pair[0] != pair[1]));
        let tiny = Tvae { batch_size: 500, embedding_dim: 2, ..Tvae::default() };
        BatchSource::new(&tiny, &encoded, Seed(1)).fill(&mut batch, 1);
        assert_eq!(batch.rows, 7);
    }
}
