use crate::Ctgan;
use crate::batch::{BatchSource, CriticBatch, GeneratorBatch};
use crate::conditions::{ConditionSpace, TrainingSampler};
use crate::fitted::FittedCtgan;
use crate::fused::{CriticLosses, FusedTrainer, GeneratorLosses};
use crate::network::{Critic, Generator, heads};
use crate::plain::PlainTrainer;
use meg_core::{Device, Error, FitContext, Fitted, Result};
use neural::TrainingLoop;
use transforms::{Encoded, TableEncoder};

/// Two ways of the same updates: fused kernels on the CPU, candle elsewhere.
enum Trainer {
    Fused(Box<FusedTrainer>),
    Plain(Box<PlainTrainer>),
}

impl Trainer {
    fn critic_step(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
        step: u64,
    ) -> Result<CriticLosses> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.critic_step(encoded, batch, step)),
            Trainer::Plain(trainer) => trainer.critic_step(encoded, batch, step),
        }
    }

    fn generator_step(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
        step: u64,
    ) -> Result<GeneratorLosses> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.generator_step(space, batch, step)),
            Trainer::Plain(trainer) => trainer.generator_step(space, batch, step),
        }
    }

    fn generator(self) -> Result<Generator> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.generator),
            Trainer::Plain(trainer) => trainer.generator(),
        }
    }
}

/// Trains the two networks in turn (Xu et al. 2019, algorithm 1).
pub(crate) fn fit(
    recipe: &Ctgan,
    encoder: TableEncoder,
    encoded: &Encoded,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let space = ConditionSpace::new(&encoder, encoded);
    let sampler = TrainingSampler::new(&space, &encoder, encoded, recipe.log_frequency);
    let width = encoder.width();
    let mut init = ctx.seed.stream("ctgan/init");
    let generator = Generator::new(recipe, space.width(), width, &mut init);
    let critic = Critic::new(recipe, space.width(), width, &mut init);
    let heads = heads(encoder.spans(), width, recipe.temperature);
    let mut trainer = match ctx.device {
        Device::Cpu => Trainer::Fused(Box::new(FusedTrainer::new(
            recipe,
            generator,
            critic,
            heads,
            ctx.threads,
        ))),
        device => {
            Trainer::Plain(Box::new(PlainTrainer::new(recipe, generator, critic, heads, device)?))
        }
    };
    let mut source = BatchSource::new(recipe, sampler, &space, width, ctx.seed);
    let (mut critic_batch, mut generator_batch) =
        (CriticBatch::default(), GeneratorBatch::default());
    // A table of constant columns has nothing to learn.
    let steps = if width == 0 { 0 } else { updates(recipe, encoded.rows) };
    if steps > updates(&Ctgan { min_updates: 0, ..recipe.clone() }, encoded.rows) {
        ctx.observer.note(&format!(
            "min_updates = {} decides: {} epochs of {} rows would be fewer updates",
            recipe.min_updates, recipe.epochs, encoded.rows
        ));
    }
    let mut critic_steps = 0;
    let mut updated = 0;
    TrainingLoop { steps }.run(ctx.observer, |step| {
        updated = step;
        let mut losses = CriticLosses::default();
        for _ in 0..recipe.discriminator_steps {
            critic_steps += 1;
            source.critic(&mut critic_batch);
            losses = trainer.critic_step(encoded, &critic_batch, critic_steps)?;
        }
        source.generator(&mut generator_batch);
        let generator = trainer.generator_step(&space, &generator_batch, step)?;
        Ok([
            ("discriminator loss", losses.wasserstein + losses.penalty),
            ("gradient penalty", losses.penalty),
            ("generator loss", generator.adversarial + generator.cross_entropy),
            ("cross entropy", generator.cross_entropy),
        ])
    })?;
    let generator = trainer.generator()?;
    check_weights(&generator, updated)?;
    Ok(Box::new(FittedCtgan { recipe: recipe.clone(), encoder, space, generator }))
}

/// The last update has no loss after it that would show a weight that is not finite.
fn check_weights(generator: &Generator, step: u64) -> Result<()> {
    for (name, tensor) in generator.tensors() {
        if let Some(value) = tensor.data.iter().find(|value| !value.is_finite()) {
            let problem = format!("the weight {name} holds {value}; lower the learning rate");
            return Err(Error::Training { step, problem });
        }
    }
    Ok(())
}

/// Updates of the generator: one pass is rows / batch_size of them, at least 1.
fn updates(recipe: &Ctgan, rows: usize) -> u64 {
    let per_epoch = (rows / recipe.batch_size).max(1) as u64;
    recipe.epochs.saturating_mul(per_epoch).max(recipe.min_updates)
}
