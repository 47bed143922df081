use crate::Ctgan;
use crate::batch::{BatchSource, Batches};
use crate::conditions::{ConditionSpace, TrainingSampler};
use crate::fitted::FittedCtgan;
use crate::fused::{CriticLosses, FusedTrainer, GeneratorLosses};
use crate::network::{Critic, Generator, heads};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{FitContext, Fitted, Result, Rng, StreamPosition, TrainingState};
use neural::training::{Lasting, Ways, is_fused, on_deep_stack};
use neural::{Losses, Threads, Trainee, TrainingLoop};
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
    let threads = Threads::new(ctx.threads)?;
    let mut training = Training {
        encoded,
        space: &space,
        trainer: trainer(recipe, &encoder, encoded, &space, &threads, ctx)?,
        threads,
        source: BatchSource::new(recipe, sampler, &space, width, ctx.seed),
        batches: Batches::default(),
        ahead: None,
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let generator = match training.trainer {
        Ways::Fused(trainer) => trainer.generator,
        Ways::Plain(trainer) => trainer.generator()?,
    };
    Ok(Box::new(FittedCtgan { recipe: recipe.clone(), encoder, space, generator }))
}

/// Updates of the generator: one pass is rows / batch_size of them, at least 1.
fn updates(recipe: &Ctgan, rows: usize) -> u64 {
    let per_epoch = (rows / recipe.batch_size).max(1) as u64;
    recipe.epochs.saturating_mul(per_epoch).max(recipe.min_updates)
}

/// Networks, batches and rows, as the loop sees them.
struct Training<'a> {
    encoded: &'a Encoded,
    space: &'a ConditionSpace,
    trainer: Ways<FusedTrainer, PlainTrainer>,
    threads: Threads,
    source: BatchSource<'a>,
    batches: Batches,
    ahead: Option<Ahead>,
}

/// Batches that were drawn for the next update while this one was computed.
struct Ahead {
    batches: Batches,
    /// The random streams as they stood before: to a checkpoint these batches are not yet drawn.
    before: [(&'static str, Rng); 3],
}

impl Trainee for Training<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        let spare = match self.ahead.take() {
            Some(ahead) => std::mem::replace(&mut self.batches, ahead.batches),
            None => {
                self.source.fill(&mut self.batches);
                Batches::default()
            }
        };
        let (losses, generator) = self.update(number, spare)?;
        Ok(vec![
            ("discriminator_loss", losses.wasserstein + losses.penalty),
            ("gradient_penalty", losses.penalty),
            ("generator_loss", generator.adversarial + generator.cross_entropy),
            ("cross_entropy", generator.cross_entropy),
        ])
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        self.trainer.not_finite()
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        let now = self.source.copies();
        for (name, rng) in self.ahead.as_ref().map_or(&now, |ahead| &ahead.before) {
            state.put(name, &StreamPosition::of(rng))?;
        }
        self.trainer.save(state)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.ahead = None;
        for (name, rng) in self.source.streams() {
            state.part::<StreamPosition>(name)?.restore(rng)?;
        }
        self.trainer.restore(state)
    }
}

impl Training<'_> {
    /// One update. A second thread draws the batches of the next one meanwhile.
    fn update(
        &mut self,
        number: u64,
        mut spare: Batches,
    ) -> Result<(CriticLosses, GeneratorLosses)> {
        let Self { trainer, source, batches, .. } = self;
        let (encoded, space) = (self.encoded, self.space);
        let trainer = match trainer {
            Ways::Plain(trainer) => {
                return on_deep_stack(|| trainer.update(encoded, space, batches, number))?;
            }
            Ways::Fused(trainer) => trainer,
        };
        if self.threads.count() == 1 {
            return Ok(trainer.update(encoded, space, batches, number));
        }
        let before = source.copies();
        let (losses, ()) = self
            .threads
            .join(|| trainer.update(encoded, space, batches, number), || source.fill(&mut spare));
        self.ahead = Some(Ahead { batches: spare, before });
        Ok(losses)
    }
}

fn trainer(
    recipe: &Ctgan,
    encoder: &TableEncoder,
    encoded: &Encoded,
    space: &ConditionSpace,
    threads: &Threads,
    ctx: &FitContext<'_>,
) -> Result<Ways<FusedTrainer, PlainTrainer>> {
    let width = encoder.width();
    let mut init = ctx.seed.stream("ctgan/init");
    let generator = Generator::new(recipe, space.width(), width, &mut init);
    let critic = Critic::new(recipe, space.width(), width, &mut init);
    let heads = heads(encoder.spans(), width, recipe.temperature);
    // Tensors of no width are no tensors for candle, and there is nothing to learn.
    if width == 0 || is_fused(ctx) {
        let units = encoded.place_units.len() + encoded.hot_per_row;
        let trainer = FusedTrainer::new(recipe, generator, critic, heads, units, threads);
        return Ok(Ways::Fused(Box::new(trainer)));
    }
    let trainer = PlainTrainer::new(recipe, generator, critic, heads, ctx.device, DType::F32)?;
    Ok(Ways::Plain(Box::new(trainer)))
}
