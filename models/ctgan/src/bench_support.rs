//! The two updates of training one by one, for `benches/ctgan.rs` alone: no part of the interface.

use crate::Ctgan;
use crate::batch::{BatchSource, CriticBatch, GeneratorBatch};
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
    critic: CriticBatch,
    generator: GeneratorBatch,
    step: u64,
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
    pub fn updates(&self, threads: usize) -> Updates<'_> {
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
            trainer: FusedTrainer::new(
                recipe,
                generator,
                critic,
                heads,
                units,
                &Threads::new(threads),
            ),
            critic: CriticBatch::default(),
            generator: GeneratorBatch::default(),
            step: 0,
        };
        updates.draw_critic_batch();
        updates.draw_generator_batch();
        updates
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
        self.step += 1;
        self.trainer.critic_step(&self.prepared.encoded, &self.critic, self.step).wasserstein
    }

    /// One update of the generator on its batch; returns its loss.
    pub fn generator_step(&mut self) -> f64 {
        self.step += 1;
        self.trainer.generator_step(&self.prepared.space, &self.generator, self.step).adversarial
    }
}
