use crate::batch::{Batch, BatchSource};
use crate::codec::Codec;
use crate::fitted::FittedVanillaGan;
use crate::fused::FusedTrainer;
use crate::network::{Discriminator, Generator};
use crate::plain::PlainTrainer;
use crate::settings::VanillaGan;
use candle_core::DType;
use meg_core::{Device, FitContext, Fitted, Kernels, Result, StreamPosition, Table, TrainingState};
use neural::training::{first_not_finite, on_deep_stack};
use neural::{Losses, Threads, Trainee, TrainingLoop};

/// Trains both networks.
pub(crate) fn fit(
    recipe: &VanillaGan,
    codec: Codec,
    table: &Table,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let records = codec.encode(table, ctx.seed, ctx.threads)?;
    if records.rows < recipe.batch_size {
        ctx.observer.note(&format!(
            "batch_size = {} is more than the {} rows: all of them",
            recipe.batch_size, records.rows
        ));
    }
    // A table without a cell has nothing to learn.
    let steps = if records.width == 0 { 0 } else { recipe.steps };
    let mut training = Training {
        trainer: Trainer::new(recipe, records.width, ctx)?,
        source: BatchSource::new(recipe, &codec, &records, ctx.seed),
        batch: Batch::default(),
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let generator = training.trainer.generator()?;
    Ok(Box::new(FittedVanillaGan { recipe: recipe.clone(), codec, generator }))
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
            Trainer::Plain(trainer) => on_deep_stack(|| trainer.update(batch, number))??,
        };
        Ok(vec![
            ("generator loss", losses.generator),
            ("discriminator loss, real rows", losses.real),
            ("discriminator loss, generated rows", losses.fake),
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
                trainer.save(state);
                Ok(())
            }
            Trainer::Plain(trainer) => trainer.save(state),
        }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        state.part::<StreamPosition>(NOISE_PART)?.restore(self.source.noise())?;
        match &mut self.trainer {
            Trainer::Fused(trainer) => trainer.restore(state),
            Trainer::Plain(trainer) => trainer.restore(state),
        }
    }
}

/// Two ways of the same updates: written out on the CPU; candle on other devices and where the plain
/// way is asked for.
enum Trainer {
    Fused(Box<FusedTrainer>),
    Plain(Box<PlainTrainer>),
}

impl Trainer {
    fn new(recipe: &VanillaGan, width: usize, ctx: &FitContext<'_>) -> Result<Self> {
        let mut init = ctx.seed.stream("vanilla-gan/init");
        let generator = Generator::new(recipe, width, &mut init);
        let discriminator = Discriminator::new(recipe, width, &mut init);
        // Without cells there is nothing for candle to compute with, and no update to come.
        if width == 0 || (ctx.device, ctx.kernels) == (Device::Cpu, Kernels::Fused) {
            let threads = Threads::new(ctx.threads)?;
            let trainer = FusedTrainer::new(recipe, generator, discriminator, &threads);
            return Ok(Self::Fused(Box::new(trainer)));
        }
        let trainer = PlainTrainer::new(recipe, generator, discriminator, ctx.device, DType::F32)?;
        Ok(Self::Plain(Box::new(trainer)))
    }

    fn generator(self) -> Result<Generator> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.generator()),
            Trainer::Plain(trainer) => trainer.generator(),
        }
    }
}
