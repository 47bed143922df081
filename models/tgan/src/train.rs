use crate::Tgan;
use crate::batch::{Batch, BatchSource};
use crate::columns::{Columns, Encoded, Step};
use crate::fitted::FittedTgan;
use crate::fused::FusedTrainer;
use crate::lane::width;
use crate::network::{Discriminator, Generator};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{FitContext, Fitted, Result, Rng, TrainingState};
use neural::training::{Lasting, NoisyTrainee, Ways, is_fused, on_deep_stack};
use neural::{Losses, Threads, Trainee, TrainingLoop};

/// Trains both networks.
pub(crate) fn fit(
    recipe: &Tgan,
    columns: Columns,
    encoded: &Encoded,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let steps = columns.steps();
    let mut init = ctx.seed.stream("tgan/init");
    let generator = Generator::new(recipe, &steps, &mut init);
    let generator = if steps.is_empty() {
        // A table of constant columns has nothing to learn: no update, but the same events.
        TrainingLoop::new(0).run(&mut Nothing, ctx)?;
        generator
    } else {
        let critic = Discriminator::new(recipe, width(&steps), &mut init);
        train(recipe, &steps, encoded, generator, critic, ctx)?
    };
    Ok(Box::new(FittedTgan { recipe: recipe.clone(), columns, steps, generator }))
}

fn train(
    recipe: &Tgan,
    steps: &[Step],
    encoded: &Encoded,
    generator: Generator,
    critic: Discriminator,
    ctx: &mut FitContext<'_>,
) -> Result<Generator> {
    let rows = batch_rows(recipe, encoded.rows);
    if rows < recipe.batch_size {
        ctx.observer.note(&format!(
            "batches of {rows} rows: the table has {} rows, fewer than batch_size = {}",
            encoded.rows, recipe.batch_size
        ));
    }
    let mut training = Training {
        trainer: trainer(recipe, steps, generator, critic, ctx)?,
        source: BatchSource::new(recipe, encoded, steps, rows, ctx.seed),
        batch: Batch::default(),
    };
    let updates = recipe.epochs.saturating_mul(recipe.steps_per_epoch);
    TrainingLoop::new(updates).run(&mut training, ctx)?;
    match training.trainer {
        Ways::Fused(trainer) => Ok(trainer.generator),
        Ways::Plain(trainer) => trainer.generator(),
    }
}

/// Rows of a batch: no more than the table has, and at least the two that batch norm needs.
fn batch_rows(recipe: &Tgan, rows: usize) -> usize {
    recipe.batch_size.min(rows).max(2)
}

/// Networks, batches and rows, as the loop sees them.
struct Training<'a> {
    trainer: Ways<FusedTrainer, PlainTrainer>,
    source: BatchSource<'a>,
    batch: Batch,
}

impl NoisyTrainee for Training<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        self.source.fill(&mut self.batch, number);
        let batch = &self.batch;
        let losses = match &mut self.trainer {
            Ways::Fused(trainer) => trainer.update(batch, number),
            Ways::Plain(trainer) => on_deep_stack(|| trainer.update(batch))??,
        };
        Ok(vec![
            ("generator_loss", losses.adversarial),
            ("divergence", losses.divergence),
            ("discriminator_loss", losses.discriminator),
            ("discriminator_accuracy", losses.accuracy),
        ])
    }

    fn networks(&mut self) -> &mut dyn Lasting {
        &mut self.trainer
    }

    fn noise(&mut self) -> &mut Rng {
        self.source.noise()
    }
}

/// The training of a table without anything to learn.
struct Nothing;

impl Trainee for Nothing {
    fn step(&mut self, _number: u64) -> Result<Losses> {
        Ok(Vec::new())
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn restore(&mut self, _state: &TrainingState) -> Result<()> {
        Ok(())
    }
}

fn trainer(
    recipe: &Tgan,
    steps: &[Step],
    generator: Generator,
    critic: Discriminator,
    ctx: &FitContext<'_>,
) -> Result<Ways<FusedTrainer, PlainTrainer>> {
    if is_fused(ctx) {
        let threads = Threads::new(ctx.threads)?;
        let trainer = FusedTrainer::new(recipe, steps, generator, critic, &threads);
        return Ok(Ways::Fused(Box::new(trainer)));
    }
    let trainer = PlainTrainer::new(recipe, steps, generator, critic, ctx.device, DType::F32)?;
    Ok(Ways::Plain(Box::new(trainer)))
}
