//! The two updates of training one by one, for `benches/ctgan.rs` alone: no part of the interface.

use crate::Ctgan;
use crate::batch::{BatchSource, Batches, CriticBatch, GeneratorBatch};
use crate::conditions::{ConditionSpace, TrainingSampler};
use crate::fused::FusedTrainer;
use crate::network::{Critic, Generator, heads};
use meg_core::{Result, Seed, Silent, Table};
use neural::Threads;
use transforms::{Encoded, EncoderOptions, TableEncoder};

/// A table, encoded for training by a recipe.
#[derive(Debug)]
pub struct Prepared {
    recipe: Ctgan,
    encoder: TableEncoder,
    encoded: Encoded,
    space: ConditionSpace,
}

/// Networks in training, with the batch that the next updates see.
#[derive(Debug)]
pub struct Updates<'a> {
    prepared: &'a Prepared,
    source: BatchSource<'a>,
    trainer: FusedTrainer,
    threads: Threads,
    critic: CriticBatch,
    generator: GeneratorBatch,
    batches: Batches,
    spare: Batches,
    /// Updates of the discriminator alone, of the generator alone, and of both.
    steps: [u64; 3],
}

impl Prepared {
    /// Encodes the table.
    ///
    /// # Errors
    /// As [`TableEncoder::fit`].
    pub fn new(recipe: Ctgan, table: &Table) -> Result<Self> {
        let options = EncoderOptions { modes: recipe.max_modes, ..EncoderOptions::default() };
        let encoder = TableEncoder::fit(table, &options, Seed(1), 1, &mut Silent)?;
        let encoded = encoder.encode(table, Seed(1), 1)?;
        let space = ConditionSpace::new(&encoder, &encoded);
        Ok(Self { recipe, encoder, encoded, space })
    }

    /// Units of a row, of a condition, and spans of a row.
    pub fn sizes(&self) -> [usize; 3] {
        [self.encoder.width(), self.space.width(), self.encoder.spans().len()]
    }

    /// Fresh networks and their first batches.
    ///
    /// # Errors
    /// As [`Threads::new`].
    pub fn updates(&self, threads: usize) -> Result<Updates<'_>> {
        let threads = Threads::new(threads)?;
        let Self { recipe, encoder, encoded, space } = self;
        let (conditions, width) = (space.width(), encoder.width());
        let mut init = Seed(1).stream("ctgan/init");
        let generator = Generator::new(recipe, conditions, width, &mut init);
        let critic = Critic::new(recipe, conditions, width, &mut init);
        let heads = heads(encoder.spans(), width, recipe.temperature);
        let sampler = TrainingSampler::new(space, encoder, encoded, recipe.log_frequency);
        let units = encoded.place_units.len() + encoded.hot_per_row;
        let mut updates = Updates {
            prepared: self,
            source: BatchSource::new(recipe, sampler, space, width, Seed(1)),
            trainer: FusedTrainer::new(recipe, generator, critic, heads, units, &threads),
            threads,
            critic: CriticBatch::default(),
            generator: GeneratorBatch::default(),
            batches: Batches::default(),
            spare: Batches::default(),
            steps: [0; 3],
        };
        updates.draw_critic_batch();
        updates.draw_generator_batch();
        Ok(updates)
    }
}

impl Updates<'_> {
    /// Draws the next batch of the discriminator.
    pub fn draw_critic_batch(&mut self) {
        self.source.critic(&mut self.critic);
    }

    /// Draws the next batch of the generator.
    pub fn draw_generator_batch(&mut self) {
        self.source.generator(&mut self.generator);
    }

    /// One update of the discriminator on its batch; returns its loss.
    pub fn critic_step(&mut self) -> f64 {
        self.steps[0] += 1;
        self.trainer.critic_step(&self.prepared.encoded, &self.critic, self.steps[0]).wasserstein
    }

    /// One update of the generator on its batch; returns its loss.
    pub fn generator_step(&mut self) -> f64 {
        self.steps[1] += 1;
        let space = &self.prepared.space;
        self.trainer.generator_step(space, &self.generator, self.steps[1]).adversarial
    }

    /// One update of both networks as training makes it: with a second thread, the batches of the
    /// next update are drawn meanwhile. Returns the loss of the generator.
    pub fn update(&mut self) -> f64 {
        self.steps[2] += 1;
        let Self { prepared, source, trainer, threads, batches, spare, steps, .. } = self;
        let Prepared { encoded, space, .. } = prepared;
        if batches.critic.is_empty() {
            source.fill(batches);
        }
        let mut update = || trainer.update(encoded, space, batches, steps[2]).1.adversarial;
        if threads.count() == 1 {
            let loss = update();
            source.fill(batches);
            return loss;
        }
        let (loss, ()) = threads.join(update, || source.fill(spare));
        std::mem::swap(batches, spare);
        loss
    }
}
