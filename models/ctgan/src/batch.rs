use crate::Ctgan;
use crate::conditions::{ConditionSpace, Drawn, TrainingSampler};
use meg_core::Seed;
use neural::Randomness;
use rand::seq::SliceRandom;

/// Everything random in one update of the discriminator. Two ways of computing the update that
/// are given the same batch must agree.
#[derive(Debug, Default)]
pub(crate) struct CriticBatch {
    pub generator: GeneratorInput,
    /// Training rows of the real side, one per row of the batch.
    pub rows: Vec<usize>,
    /// Their condition units: the generated side's conditions in another order; empty without
    /// category columns.
    pub units: Vec<u32>,
    /// Share of the real row in the interpolate of each pack.
    pub mix: Vec<f32>,
    /// Dropout masks of each hidden layer, for the packs of the real, generated and mixed rows.
    pub masks: Vec<Vec<f32>>,
}

/// Everything random in one update of the generator and those of the discriminator before it.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    pub critic: Vec<CriticBatch>,
    pub generator: GeneratorBatch,
}

/// Everything random in one update of the generator.
#[derive(Debug, Default)]
pub(crate) struct GeneratorBatch {
    pub generator: GeneratorInput,
    /// The conditions, as the cross entropy needs them.
    pub conditions: Vec<Drawn>,
    /// Dropout masks of each hidden layer of the discriminator.
    pub masks: Vec<Vec<f32>>,
}

/// What the generator is given.
#[derive(Debug, Default)]
pub(crate) struct GeneratorInput {
    /// Standard normals, row-major.
    pub noise: Vec<f32>,
    /// Condition units, one per row; empty without category columns.
    pub units: Vec<u32>,
    /// Gumbel noise for every output unit, row-major.
    pub gumbel: Vec<f32>,
}

/// Draws batches, each kind of randomness from its own stream.
#[derive(Debug)]
pub(crate) struct BatchSource<'a> {
    recipe: &'a Ctgan,
    sampler: TrainingSampler<'a>,
    space: &'a ConditionSpace,
    row_width: usize,
    conditions: meg_core::Rng,
    noise: Randomness,
    masks: Randomness,
}

impl<'a> BatchSource<'a> {
    pub(crate) fn new(
        recipe: &'a Ctgan,
        sampler: TrainingSampler<'a>,
        space: &'a ConditionSpace,
        row_width: usize,
        seed: Seed,
    ) -> Self {
        Self {
            recipe,
            sampler,
            space,
            row_width,
            conditions: seed.stream("ctgan/batches"),
            noise: Randomness::new(seed.stream("ctgan/noise")),
            masks: Randomness::new(seed.stream("ctgan/dropout")),
        }
    }

    /// Every random stream by name, for checkpoints.
    pub(crate) fn streams(&mut self) -> [(&'static str, &mut meg_core::Rng); 3] {
        [
            ("stream of conditions", &mut self.conditions),
            ("stream of noise", &mut self.noise.rng),
            ("stream of dropout", &mut self.masks.rng),
        ]
    }

    /// The streams as they stand, to be written down if anybody asks.
    pub(crate) fn copies(&mut self) -> [(&'static str, meg_core::Rng); 3] {
        self.streams().map(|(name, rng)| (name, rng.clone()))
    }

    /// Fills the batches of an update.
    pub(crate) fn fill(&mut self, batches: &mut Batches) {
        batches.critic.resize_with(self.recipe.discriminator_steps, CriticBatch::default);
        batches.critic.iter_mut().for_each(|batch| self.critic(batch));
        self.generator(&mut batches.generator);
    }

    /// Fills a batch for the discriminator.
    pub(crate) fn critic(&mut self, batch: &mut CriticBatch) {
        let mut drawn = self.draw_conditions();
        self.generator_input(&mut batch.generator, &drawn);
        drawn.shuffle(&mut self.conditions);
        batch.units = drawn.iter().map(|drawn| drawn.unit).collect();
        batch.rows.clear();
        for at in 0..self.recipe.batch_size {
            let condition = drawn.get(at).copied();
            batch.rows.push(self.sampler.draw_row(condition, &mut self.conditions));
        }
        batch.mix.resize(self.packs(), 0.0);
        self.noise.uniforms(&mut batch.mix);
        self.dropout_masks(3, &mut batch.masks);
    }

    /// Fills a batch for the generator.
    pub(crate) fn generator(&mut self, batch: &mut GeneratorBatch) {
        batch.conditions = self.draw_conditions();
        self.generator_input(&mut batch.generator, &batch.conditions);
        self.dropout_masks(1, &mut batch.masks);
    }

    fn packs(&self) -> usize {
        self.recipe.batch_size / self.recipe.pac
    }

    fn draw_conditions(&mut self) -> Vec<Drawn> {
        if self.space.width() == 0 {
            return Vec::new();
        }
        let draw = |_| self.sampler.draw_condition(&mut self.conditions);
        (0..self.recipe.batch_size).map(draw).collect()
    }

    fn generator_input(&mut self, input: &mut GeneratorInput, drawn: &[Drawn]) {
        let rows = self.recipe.batch_size;
        input.units.clear();
        input.units.extend(drawn.iter().map(|drawn| drawn.unit));
        input.noise.resize(rows * self.recipe.embedding_dim, 0.0);
        self.noise.normals(&mut input.noise);
        input.gumbel.resize(rows * self.row_width, 0.0);
        self.noise.gumbels(&mut input.gumbel);
    }

    fn dropout_masks(&mut self, groups: usize, masks: &mut Vec<Vec<f32>>) {
        masks.resize(self.recipe.discriminator_dim.len(), Vec::new());
        for (mask, &units) in masks.iter_mut().zip(&self.recipe.discriminator_dim) {
            mask.resize(groups * self.packs() * units, 0.0);
            self.masks.dropout(self.recipe.dropout as f32, mask);
        }
    }
}
