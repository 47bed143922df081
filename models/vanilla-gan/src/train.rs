use crate::batch::{Batch, BatchSource};
use crate::codec::Codec;
use crate::fitted::FittedVanillaGan;
use crate::fused::FusedTrainer;
use crate::network::{Discriminator, Generator};
use crate::plain::PlainTrainer;
use crate::settings::VanillaGan;
use candle_core::DType;
use meg_core::{FitContext, Fitted, Result, Rng, Table};
use neural::training::{Lasting, NoisyTrainee, Ways, is_fused, on_deep_stack};
use neural::{Losses, Threads, TrainingLoop};

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
        trainer: trainer(recipe, records.width, ctx)?,
        source: BatchSource::new(recipe, &codec, &records, ctx.seed),
        batch: Batch::default(),
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let generator = match training.trainer {
        Ways::Fused(trainer) => trainer.generator(),
        Ways::Plain(trainer) => trainer.generator()?,
    };
    Ok(Box::new(FittedVanillaGan { recipe: recipe.clone(), codec, generator }))
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
            Ways::Plain(trainer) => on_deep_stack(|| trainer.update(batch, number))??,
        };
        Ok(vec![
            ("generator_loss", losses.generator),
            ("discriminator_loss", losses.real + losses.fake),
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

fn trainer(
    recipe: &VanillaGan,
    width: usize,
    ctx: &FitContext<'_>,
) -> Result<Ways<FusedTrainer, PlainTrainer>> {
    let mut init = ctx.seed.stream("vanilla-gan/init");
    let generator = Generator::new(recipe, width, &mut init);
    let discriminator = Discriminator::new(recipe, width, &mut init);
    // Without cells there is nothing for candle to compute with, and no update to come.
    if width == 0 || is_fused(ctx) {
        let threads = Threads::new(ctx.threads)?;
        let trainer = FusedTrainer::new(recipe, generator, discriminator, &threads);
        return Ok(Ways::Fused(Box::new(trainer)));
    }
    let trainer = PlainTrainer::new(recipe, generator, discriminator, ctx.device, DType::F32)?;
    Ok(Ways::Plain(Box::new(trainer)))
}
