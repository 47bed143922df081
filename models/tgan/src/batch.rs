use crate::Tgan;
use crate::columns::{Encoded, Output, Step};
use meg_core::{Rng, Seed};
use neural::Randomness;
use rand::seq::SliceRandom;

/// The real rows of one step and all that is random in it. Two ways of computing the step that are
/// given the same batch must agree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Row-major real rows, their levels smoothed.
    pub real: Vec<f32>,
    /// Standard normals, rows x length of the noise vector.
    pub noise: Vec<f32>,
    /// Dropout masks of each hidden layer of the discriminator, for real and for generated rows.
    pub masks: Vec<[Vec<f32>; 2]>,
}

/// Draws batches. Rows come in passes, each over all of them in an order of its own; a batch goes
/// on into the next pass, so that all have the same size.
#[derive(Debug)]
pub(crate) struct BatchSource<'a> {
    encoded: &'a Encoded,
    steps: &'a [Step],
    rows: usize,
    noise_units: usize,
    /// Units of each hidden layer of the discriminator.
    hidden: Vec<usize>,
    dropout: f32,
    smoothing: f32,
    seed: Seed,
    randomness: Randomness,
    /// The pass whose order is at hand.
    pass: Option<u64>,
    order: Vec<usize>,
    uniforms: Vec<f32>,
}

impl<'a> BatchSource<'a> {
    pub(crate) fn new(
        recipe: &Tgan,
        encoded: &'a Encoded,
        steps: &'a [Step],
        rows: usize,
        seed: Seed,
    ) -> Self {
        let hidden = |units: &usize| units + recipe.diversity_kernels;
        Self {
            encoded,
            steps,
            rows,
            noise_units: recipe.noise_dim,
            hidden: recipe.discriminator_dim.iter().map(hidden).collect(),
            dropout: recipe.dropout as f32,
            smoothing: recipe.smoothing as f32,
            seed,
            randomness: Randomness::new(seed.stream("tgan/noise")),
            pass: None,
            order: Vec::new(),
            uniforms: Vec::new(),
        }
    }

    /// The stream of the noise, for checkpoints. The order of a pass follows from its number.
    pub(crate) fn noise(&mut self) -> &mut Rng {
        &mut self.randomness.rng
    }

    /// Fills the batch of a step; `number` counts from 1.
    pub(crate) fn fill(&mut self, batch: &mut Batch, number: u64) {
        let Self { rows, noise_units, .. } = *self;
        batch.rows = rows;
        self.fill_real(batch, number);
        batch.noise.resize(rows * noise_units, 0.0);
        self.randomness.normals(&mut batch.noise);
        batch.masks.resize_with(self.hidden.len(), Default::default);
        for (masks, units) in batch.masks.iter_mut().zip(&self.hidden) {
            for mask in masks {
                mask.resize(rows * units, 0.0);
                self.randomness.dropout(self.dropout, mask);
            }
        }
    }

    fn fill_real(&mut self, batch: &mut Batch, number: u64) {
        let first = (number - 1) * self.rows as u64;
        let width = self.steps.iter().map(|step| step.width).sum::<usize>();
        let levels = |step: &&Step| step.output == Output::Levels;
        let noisy = self.steps.iter().filter(levels).map(|step| step.width).sum::<usize>();
        self.uniforms.resize(self.rows * noisy, 0.0);
        self.randomness.uniforms(&mut self.uniforms);
        batch.real.resize(self.rows * width, 0.0);
        let soft = width - noisy;
        let categories = self.steps.iter().filter(levels).count();
        for at in 0..self.rows {
            let row = self.row(first + at as u64);
            let mut soft = self.encoded.soft[row * soft..(row + 1) * soft].iter();
            let mut levels = self.encoded.levels[row * categories..].iter();
            let mut uniforms = self.uniforms[at * noisy..(at + 1) * noisy].iter();
            let out = &mut batch.real[at * width..(at + 1) * width];
            for step in self.steps {
                let out = &mut out[step.start..step.start + step.width];
                if step.output != Output::Levels {
                    out.iter_mut().zip(&mut soft).for_each(|(out, &unit)| *out = unit);
                    continue;
                }
                for (out, uniform) in out.iter_mut().zip(&mut uniforms) {
                    *out = self.smoothing * uniform;
                }
                let level = levels.next().expect("a level for every step of levels");
                out[*level as usize] += 1.0;
                let sum: f32 = out.iter().sum();
                out.iter_mut().for_each(|unit| *unit /= sum);
            }
        }
    }

    /// The row at a position in the endless row of passes.
    fn row(&mut self, position: u64) -> usize {
        let count = self.encoded.rows as u64;
        let pass = position / count;
        if self.pass != Some(pass) {
            self.order = (0..self.encoded.rows).collect();
            self.order.shuffle(&mut self.seed.stream(&format!("tgan/pass/{pass}")));
            self.pass = Some(pass);
        }
        self.order[(position % count) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 3] = [
        Step { output: Output::Place, start: 0, width: 1 },
        Step { output: Output::Shares, start: 1, width: 2 },
        Step { output: Output::Levels, start: 3, width: 3 },
    ];

    /// 7 rows whose place is their number, with levels 0, 1, 2, 0 and so on.
    fn encoded() -> Encoded {
        let soft = (0..7u8).flat_map(|row| [f32::from(row), 0.25, 0.75]).collect();
        Encoded { rows: 7, soft, levels: (0..7).map(|row| row % 3).collect() }
    }

    /// The published code waits for ever for a whole batch of a smaller table (models.md 4.6).
    #[test]
    fn batches_of_one_size_go_through_all_rows_again_and_again() {
        let (encoded, recipe) = (encoded(), Tgan { noise_dim: 4, ..Tgan::default() });
        let mut source = BatchSource::new(&recipe, &encoded, &STEPS, 3, Seed(1));
        let (mut batch, mut seen) = (Batch::default(), Vec::new());
        for number in 1..=14 {
            source.fill(&mut batch, number);
            assert_eq!((batch.rows, batch.noise.len()), (3, 12));
            assert_eq!(batch.masks[1].each_ref().map(Vec::len), [3 * 210; 2]);
            for row in batch.real.chunks(6) {
                seen.push(row[0]);
                assert_eq!(row[1..3], [0.25, 0.75]);
            }
        }
        let mut passes: Vec<Vec<f32>> = seen.chunks(7).map(<[f32]>::to_vec).collect();
        assert!(passes.windows(2).any(|pair| pair[0] != pair[1]));
        for pass in &mut passes {
            pass.sort_by(f32::total_cmp);
            assert_eq!(*pass, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        }
        // A state that goes on at step 9 draws the same rows.
        let mut again = BatchSource::new(&recipe, &encoded, &STEPS, 3, Seed(1));
        again.fill(&mut batch, 9);
        let places: Vec<f32> = batch.real.chunks(6).map(|row| row[0]).collect();
        assert_eq!(places, seen[24..27]);
    }

    #[test]
    fn levels_are_smoothed_and_still_the_likeliest() {
        let encoded = encoded();
        let mean = |smoothing: f64| {
            let recipe = Tgan { smoothing, ..Tgan::default() };
            let mut source = BatchSource::new(&recipe, &encoded, &STEPS, 700, Seed(1));
            let mut batch = Batch::default();
            source.fill(&mut batch, 1);
            let mut sum = 0.0;
            for row in batch.real.chunks(6) {
                let levels = &row[3..];
                assert!((levels.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                let level = row[0] as usize % 3;
                assert!(levels.iter().all(|&unit| unit >= 0.0 && unit <= levels[level]));
                sum += f64::from(levels[level]) / 700.0;
            }
            sum
        };
        assert!((mean(0.0) - 1.0).abs() < 1e-9);
        // (1 + u) / (1 + u + v + w) with three uniforms below 0.2: about 1.1 / 1.3.
        assert!((mean(0.2) - 0.847).abs() < 0.01, "{}", mean(0.2));
    }
}
