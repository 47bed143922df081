use crate::Ctgan;
use crate::batch::{BatchSource, CriticBatch, GeneratorBatch};
use crate::conditions::{ConditionSpace, TrainingSampler};
use crate::fitted::FittedCtgan;
use crate::fused::{CriticLosses, FusedTrainer, GeneratorLosses};
use crate::network::{Critic, Generator, heads};
use crate::plain::PlainTrainer;
use crate::state;
use candle_core::DType;
use meg_core::{Device, FitContext, Fitted, Kernels, Result, StreamPosition, TrainingState};
use neural::training::on_deep_stack;
use neural::{Losses, Trainee, TrainingLoop};
use transforms::{Encoded, TableEncoder};

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
    // A table of constant columns has nothing to learn.
    let steps = if width == 0 { 0 } else { updates(recipe, encoded.rows) };
    if steps > updates(&Ctgan { min_updates: 0, ..recipe.clone() }, encoded.rows) {
        ctx.observer.note(&format!(
            "min_updates = {} decides: {} epochs of {} rows would be fewer updates",
            recipe.min_updates, recipe.epochs, encoded.rows
        ));
    }
    let mut training = Training {
        recipe,
        encoded,
        space: &space,
        trainer: Trainer::new(recipe, &encoder, &space, ctx)?,
        source: BatchSource::new(recipe, sampler, &space, width, ctx.seed),
        critic_batch: CriticBatch::default(),
        generator_batch: GeneratorBatch::default(),
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let generator = training.trainer.generator()?;
    Ok(Box::new(FittedCtgan { recipe: recipe.clone(), encoder, space, generator }))
}

/// Updates of the generator: one pass is rows / batch_size of them, at least 1.
fn updates(recipe: &Ctgan, rows: usize) -> u64 {
    let per_epoch = (rows / recipe.batch_size).max(1) as u64;
    recipe.epochs.saturating_mul(per_epoch).max(recipe.min_updates)
}

/// Networks, batches and rows, as the loop sees them.
struct Training<'a> {
    recipe: &'a Ctgan,
    encoded: &'a Encoded,
    space: &'a ConditionSpace,
    trainer: Trainer,
    source: BatchSource<'a>,
    critic_batch: CriticBatch,
    generator_batch: GeneratorBatch,
}

impl Trainee for Training<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        let mut losses = CriticLosses::default();
        let per_step = self.recipe.discriminator_steps as u64;
        for critic_step in (number - 1) * per_step + 1..=number * per_step {
            self.source.critic(&mut self.critic_batch);
            losses = self.trainer.critic_step(self.encoded, &self.critic_batch, critic_step)?;
        }
        self.source.generator(&mut self.generator_batch);
        let generator = self.trainer.generator_step(self.space, &self.generator_batch, number)?;
        Ok(vec![
            ("discriminator loss", losses.wasserstein + losses.penalty),
            ("gradient penalty", losses.penalty),
            ("generator loss", generator.adversarial + generator.cross_entropy),
            ("cross entropy", generator.cross_entropy),
        ])
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        match &mut self.trainer {
            Trainer::Fused(trainer) => Ok(state::not_finite(trainer)),
            Trainer::Plain(trainer) => trainer.not_finite(),
        }
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        for (name, rng) in self.source.streams() {
            state.put(name, &StreamPosition::of(rng))?;
        }
        match &mut self.trainer {
            Trainer::Fused(trainer) => {
                state::save(trainer, state);
                Ok(())
            }
            Trainer::Plain(trainer) => trainer.save(state),
        }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        for (name, rng) in self.source.streams() {
            state.part::<StreamPosition>(name)?.restore(rng)?;
        }
        match &mut self.trainer {
            Trainer::Fused(trainer) => state::restore(trainer, state),
            Trainer::Plain(trainer) => trainer.restore(state),
        }
    }
}

/// Two ways of the same updates: fused kernels on the CPU; candle on other devices and where the
/// plain way is asked for.
enum Trainer {
    Fused(Box<FusedTrainer>),
    Plain(Box<PlainTrainer>),
}

impl Trainer {
    fn new(
        recipe: &Ctgan,
        encoder: &TableEncoder,
        space: &ConditionSpace,
        ctx: &FitContext<'_>,
    ) -> Result<Self> {
        let width = encoder.width();
        let mut init = ctx.seed.stream("ctgan/init");
        let generator = Generator::new(recipe, space.width(), width, &mut init);
        let critic = Critic::new(recipe, space.width(), width, &mut init);
        let heads = heads(encoder.spans(), width, recipe.temperature);
        Ok(match (ctx.device, ctx.kernels) {
            (Device::Cpu, Kernels::Fused) => {
                let trainer = FusedTrainer::new(recipe, generator, critic, heads, ctx.threads);
                Self::Fused(Box::new(trainer))
            }
            (device, _) => Self::Plain(Box::new(PlainTrainer::new(
                recipe,
                generator,
                critic,
                heads,
                device,
                DType::F32,
            )?)),
        })
    }

    fn critic_step(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
        step: u64,
    ) -> Result<CriticLosses> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.critic_step(encoded, batch, step)),
            Trainer::Plain(trainer) => on_deep_stack(|| trainer.critic_step(encoded, batch, step))?,
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
            Trainer::Plain(trainer) => {
                on_deep_stack(|| trainer.generator_step(space, batch, step))?
            }
        }
    }

    fn generator(self) -> Result<Generator> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.generator),
            Trainer::Plain(trainer) => trainer.generator(),
        }
    }
}
