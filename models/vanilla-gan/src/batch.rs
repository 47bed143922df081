use crate::codec::{Codec, Records};
use crate::network::DROPPED;
use crate::ranks::Ranks;
use crate::settings::VanillaGan;
use meg_core::{Rng, Seed};
use neural::Randomness;
use rand::seq::SliceRandom;

/// Times that records pass through the discriminator in an update: real ones, generated ones, and
/// those that the generator learns from.
pub(crate) const PASSES: usize = 3;

/// The rows of one update and all that is random in it. Two ways of computing the update that are
/// given the same batch must agree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Training records.
    pub real: Vec<f32>,
    /// Standard normals, rows x length of the noise vector: for the discriminator's rows and for the
    /// generator's.
    pub noise: [Vec<f32>; 2],
    /// What the cells behind a hidden layer are multiplied by, in each pass; empty without dropout.
    pub masks: [[Vec<f32>; DROPPED]; PASSES],
}

/// Draws batches: each pass over the rows has an order of its own, and its last batch holds what is
/// left.
#[derive(Debug)]
pub(crate) struct BatchSource<'a> {
    records: &'a Records,
    ranks: Vec<&'a Ranks>,
    recipe: &'a VanillaGan,
    seed: Seed,
    noise: Randomness,
    /// The pass whose order is at hand.
    epoch: Option<u64>,
    order: Vec<usize>,
}

impl<'a> BatchSource<'a> {
    pub(crate) fn new(
        recipe: &'a VanillaGan,
        codec: &'a Codec,
        records: &'a Records,
        seed: Seed,
    ) -> Self {
        Self {
            records,
            ranks: codec.ranks(),
            recipe,
            seed,
            noise: Randomness::new(seed.stream("vanilla-gan/noise")),
            epoch: None,
            order: Vec::new(),
        }
    }

    /// The stream of all that is random but the order of a pass, which follows from its number.
    pub(crate) fn noise(&mut self) -> &mut Rng {
        &mut self.noise.rng
    }

    /// Fills the batch of an update; `number` counts from 1.
    pub(crate) fn fill(&mut self, batch: &mut Batch, number: u64) {
        let number = if self.recipe.same_rows { 1 } else { number };
        let batch_size = self.recipe.batch_size;
        let per_epoch = self.records.rows.div_ceil(batch_size).max(1) as u64;
        let (epoch, at) = ((number - 1) / per_epoch, (number - 1) % per_epoch);
        if self.epoch != Some(epoch) {
            self.order = (0..self.records.rows).collect();
            self.order.shuffle(&mut self.seed.stream(&format!("vanilla-gan/epoch/{epoch}")));
            self.epoch = Some(epoch);
        }
        let first = at as usize * batch_size;
        let last = (first + batch_size).min(self.records.rows);
        self.rows(batch, first, last);
        for noise in &mut batch.noise {
            noise.resize(batch.rows * self.recipe.noise_dim, 0.0);
            self.noise.normals(noise);
        }
        if self.recipe.dropout > 0.0 {
            for pass in &mut batch.masks {
                for (mask, wider) in pass.iter_mut().zip([4, 2]) {
                    mask.resize(batch.rows * wider * self.recipe.layers_dim, 0.0);
                    self.noise.dropout(self.recipe.dropout as f32, mask);
                }
            }
        }
    }

    fn rows(&mut self, batch: &mut Batch, first: usize, last: usize) {
        let width = self.records.width;
        batch.rows = last - first;
        batch.real.clear();
        for &row in &self.order[first..last] {
            batch.real.extend_from_slice(&self.records.cells[row * width..(row + 1) * width]);
        }
        if self.ranks.is_empty() {
            return;
        }
        let mut points = vec![0.0; batch.real.len()];
        self.noise.uniforms(&mut points);
        for (cells, points) in batch.real.chunks_exact_mut(width).zip(points.chunks_exact(width)) {
            for ((cell, point), ranks) in cells.iter_mut().zip(points).zip(&self.ranks) {
                *cell = ranks.place(*cell as usize, *point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Encoding;
    use meg_core::{Column, ColumnSpec, Schema, Table};

    /// Seven levels, one row each.
    fn table() -> Table {
        let levels = ["a", "b", "c", "d", "e", "f", "g"];
        let schema = Schema::new(vec![ColumnSpec::category("level", levels)]).unwrap();
        Table::new(schema, vec![Column::Codes((0..7).collect())]).unwrap()
    }

    fn recipe(encoding: Encoding) -> VanillaGan {
        VanillaGan { batch_size: 3, noise_dim: 2, layers_dim: 4, encoding, ..VanillaGan::default() }
    }

    /// The levels of a batch.
    fn levels(codec: &Codec, batch: &Batch) -> Vec<u32> {
        codec.decode(&batch.real, batch.rows, Seed(1), 1).unwrap().codes(0).to_vec()
    }

    /// The source's code gives every update the same rows; ours gives every row once in each pass.
    #[test]
    fn every_pass_sees_each_row_once_in_another_order() {
        for encoding in [Encoding::Power, Encoding::Ranks] {
            let recipe = recipe(encoding);
            let codec = Codec::fit(&recipe, &table(), Seed(1), 1).unwrap();
            let records = codec.encode(&table(), Seed(1), 1).unwrap();
            let mut source = BatchSource::new(&recipe, &codec, &records, Seed(1));
            let (mut batch, mut passes) = (Batch::default(), Vec::new());
            for pass in 0..20 {
                let mut seen = Vec::new();
                for at in 1..=3 {
                    source.fill(&mut batch, pass * 3 + at);
                    assert_eq!(batch.rows, if at == 3 { 1 } else { 3 });
                    assert_eq!(batch.masks[2][0].len(), batch.rows * 16);
                    seen.extend(levels(&codec, &batch));
                }
                passes.push(seen.clone());
                seen.sort_unstable();
                assert_eq!(seen, (0..7).collect::<Vec<_>>());
            }
            assert!(passes.windows(2).any(|pair| pair[0] != pair[1]));
        }
    }

    #[test]
    fn the_sources_mistake_can_be_made_again() {
        let recipe = VanillaGan { same_rows: true, ..recipe(Encoding::Power) };
        let codec = Codec::fit(&recipe, &table(), Seed(1), 1).unwrap();
        let records = codec.encode(&table(), Seed(1), 1).unwrap();
        let mut source = BatchSource::new(&recipe, &codec, &records, Seed(1));
        let mut batch = Batch::default();
        source.fill(&mut batch, 1);
        let (rows, noise) = (batch.real.clone(), batch.noise[0].clone());
        source.fill(&mut batch, 9);
        assert!(batch.real == rows && batch.noise[0] != noise && batch.noise[0] != batch.noise[1]);
    }
}
