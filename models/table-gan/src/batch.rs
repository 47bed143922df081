use crate::plan::Plan;
use crate::settings::{Noise, TableGan};
use meg_core::{Result, Rng, Seed};
use neural::Randomness;
use rand::seq::SliceRandom;

/// The rows of one update and all that is random in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Matrices, one after the other.
    pub matrices: Vec<f32>,
    /// The class of each row, where the networks are told.
    pub classes: Vec<u32>,
    /// Noise, rows x length of the noise vector.
    pub noise: Vec<f32>,
}

/// All training rows as matrices.
#[derive(Debug)]
pub(crate) struct Rows {
    matrices: Vec<f32>,
    classes: Vec<u32>,
    area: usize,
    count: usize,
}

impl Rows {
    /// Lays records out as matrices.
    ///
    /// # Errors
    /// When the records are not those of the plan.
    pub(crate) fn new(records: &[f32], classes: Vec<u32>, plan: &Plan) -> Result<Self> {
        let (cells, side) = (plan.matrix.cells(), plan.matrix.side());
        let (area, count) = (side * side, records.len() / cells);
        let mut matrices = vec![0.0; count * area];
        for (record, matrix) in records.chunks_exact(cells).zip(matrices.chunks_exact_mut(area)) {
            plan.matrix.write(record, matrix)?;
        }
        Ok(Self { matrices, classes, area, count })
    }
}

/// Draws batches: each pass goes over all rows in an order of its own, and its last batch holds what
/// is left. A single row that would be left alone, without a spread, joins the batch before.
#[derive(Debug)]
pub(crate) struct BatchSource<'a> {
    rows: &'a Rows,
    batch_size: usize,
    noise_dim: usize,
    law: Noise,
    seed: Seed,
    noise: Randomness,
    /// The pass whose order is at hand.
    epoch: Option<u64>,
    order: Vec<usize>,
}

impl<'a> BatchSource<'a> {
    pub(crate) fn new(recipe: &TableGan, rows: &'a Rows, seed: Seed) -> Self {
        Self {
            rows,
            batch_size: recipe.batch_size,
            noise_dim: recipe.noise_dim,
            law: recipe.noise,
            seed,
            noise: Randomness::new(seed.stream("table-gan/noise")),
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
        let count = self.rows.count;
        let per_epoch = updates_per_epoch(count, self.batch_size);
        let (epoch, at) = ((number - 1) / per_epoch, (number - 1) % per_epoch);
        if self.epoch != Some(epoch) {
            self.order = (0..count).collect();
            self.order.shuffle(&mut self.seed.stream(&format!("table-gan/epoch/{epoch}")));
            self.epoch = Some(epoch);
        }
        let first = at as usize * self.batch_size;
        let last = if at + 1 == per_epoch { count } else { first + self.batch_size };
        batch.rows = last - first;
        batch.matrices.clear();
        batch.classes.clear();
        for &row in &self.order[first..last] {
            let area = self.rows.area;
            batch.matrices.extend_from_slice(&self.rows.matrices[row * area..(row + 1) * area]);
            batch.classes.extend(self.rows.classes.get(row));
        }
        batch.noise.resize(batch.rows * self.noise_dim, 0.0);
        draw_noise(self.law, &mut self.noise, &mut batch.noise);
    }
}

/// Fills with noise of a law.
pub(crate) fn draw_noise(law: Noise, randomness: &mut Randomness, out: &mut [f32]) {
    match law {
        Noise::Normal => randomness.normals(out),
        Noise::Uniform => {
            randomness.uniforms(out);
            out.iter_mut().for_each(|cell| *cell = 2.0 * *cell - 1.0);
        }
    }
}

/// Updates of one pass; the last may have fewer rows, or one more.
pub(crate) fn updates_per_epoch(rows: usize, batch_size: usize) -> u64 {
    let alone = rows > batch_size && rows % batch_size == 1;
    (rows.div_ceil(batch_size) - usize::from(alone)).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of one cell, which is their number.
    fn rows(count: u8) -> (Plan, Rows) {
        let plan = Plan::new(&TableGan::default(), 1, 0).unwrap();
        let records: Vec<f32> = (0..count).map(f32::from).collect();
        let rows = Rows::new(&records, Vec::new(), &plan).unwrap();
        (plan, rows)
    }

    fn passes(count: u8, batch_size: usize, sizes: &[usize]) {
        let (plan, rows) = rows(count);
        let recipe = TableGan { batch_size, noise_dim: 2, ..TableGan::default() };
        let mut source = BatchSource::new(&recipe, &rows, Seed(1));
        let (mut batch, mut orders) = (Batch::default(), Vec::new());
        let area = plan.matrix.side() * plan.matrix.side();
        assert_eq!(updates_per_epoch(usize::from(count), batch_size), sizes.len() as u64);
        for pass in 0..20 {
            let mut seen = Vec::new();
            for (at, &size) in sizes.iter().enumerate() {
                source.fill(&mut batch, pass * sizes.len() as u64 + at as u64 + 1);
                assert_eq!((batch.rows, batch.noise.len()), (size, 2 * size));
                seen.extend(batch.matrices.chunks_exact(area).map(|matrix| matrix[0] as u8));
            }
            orders.push(seen.clone());
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<u8>>());
        }
        assert!(orders.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn every_pass_sees_each_row_once_in_another_order() {
        passes(8, 3, &[3, 3, 2]);
        passes(7, 3, &[3, 4]);
        passes(6, 3, &[3, 3]);
        passes(5, 500, &[5]);
        passes(2, 2, &[2]);
    }

    #[test]
    fn noise_has_its_law() {
        let mut randomness = Randomness::new(Seed(1).stream("noise"));
        let mut cells = vec![0.0; 50_000];
        for (law, variance) in [(Noise::Uniform, 1.0 / 3.0), (Noise::Normal, 1.0)] {
            draw_noise(law, &mut randomness, &mut cells);
            let square = cells.iter().map(|cell| cell * cell).sum::<f32>() / 50_000.0;
            assert!((square - variance).abs() < 0.02, "{law:?}: {square}");
            assert!(law == Noise::Normal || cells.iter().all(|cell| cell.abs() < 1.0));
        }
    }
}
