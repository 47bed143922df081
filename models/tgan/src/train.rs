use crate::Tgan;
use crate::batch::{Batch, BatchSource};
use crate::columns::{Columns, Encoded, Step};
use crate::fitted::FittedTgan;
use crate::fused::FusedTrainer;
use crate::lane::width;
use crate::network::{Discriminator, Generator};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{Device, FitContext, Fitted, Kernels, Result, StreamPosition, TrainingState};
use neural::training::{first_not_finite, on_deep_stack};
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
        trainer: Trainer::new(recipe, steps, generator, critic, ctx)?,
        source: BatchSource::new(recipe, encoded, steps, rows, ctx.seed),
        batch: Batch::default(),
    };
    let updates = recipe.epochs.saturating_mul(recipe.steps_per_epoch);
    TrainingLoop::new(updates).run(&mut training, ctx)?;
    training.trainer.generator()
}

/// Rows of a batch: no more than the table has, and at least the two that batch norm needs.
fn batch_rows(recipe: &Tgan, rows: usize) -> usize {
    recipe.batch_size.min(rows).max(2)
}

/// Networks, batches and rows, as the loop sees them.
struct Training<'a> {
    trainer: Trainer,
    source: BatchSource<'a>,
    batch: Batch,
}

/// Name of the noise's position in a checkpoint.
const NOISE_PART: &str = "stream of noise";

impl Trainee for Training<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        self.source.fill(&mut self.batch, number);
        let batch = &self.batch;
        let losses = match &mut self.trainer {
            Trainer::Fused(trainer) => trainer.update(batch, number),
            Trainer::Plain(trainer) => on_deep_stack(|| trainer.update(batch))??,
        };
        Ok(vec![
            ("generator loss", losses.adversarial),
            ("divergence", losses.divergence),
            ("discriminator loss", losses.discriminator),
        ])
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        let trainer = match &mut self.trainer {
            Trainer::Fused(trainer) => trainer,
            Trainer::Plain(trainer) => return trainer.not_finite(),
        };
        let named = trainer.named_mut();
        let parts = named.iter().flat_map(|(name, parameter)| {
            parameter.finite_parts().map(|(part, cells)| (format!("the {part} {name}"), cells))
        });
        Ok(first_not_finite(parts))
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        state.put(NOISE_PART, &StreamPosition::of(self.source.noise()))?;
        match &mut self.trainer {
            Trainer::Fused(trainer) => {
                for (name, parameter) in trainer.named_mut() {
                    parameter.save(&name, state);
                }
                Ok(())
            }
            Trainer::Plain(trainer) => trainer.save(state),
        }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        state.part::<StreamPosition>(NOISE_PART)?.restore(self.source.noise())?;
        match &mut self.trainer {
            Trainer::Fused(trainer) => {
                for (name, parameter) in trainer.named_mut() {
                    parameter.restore(&name, state)?;
                }
                Ok(())
            }
            Trainer::Plain(trainer) => trainer.restore(state),
        }
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

/// Two ways of the same updates: fused kernels on the CPU; candle on other devices and where the
/// plain way is asked for.
enum Trainer {
    Fused(Box<FusedTrainer>),
    Plain(Box<PlainTrainer>),
}

impl Trainer {
    fn new(
        recipe: &Tgan,
        steps: &[Step],
        generator: Generator,
        critic: Discriminator,
        ctx: &FitContext<'_>,
    ) -> Result<Self> {
        if (ctx.device, ctx.kernels) == (Device::Cpu, Kernels::Fused) {
            let threads = Threads::new(ctx.threads)?;
            let trainer = FusedTrainer::new(recipe, steps, generator, critic, &threads);
            return Ok(Self::Fused(Box::new(trainer)));
        }
        let trainer = PlainTrainer::new(recipe, steps, generator, critic, ctx.device, DType::F32)?;
        Ok(Self::Plain(Box::new(trainer)))
    }

    fn generator(self) -> Result<Generator> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.generator),
            Trainer::Plain(trainer) => trainer.generator(),
        }
    }
}
