use crate::Tvae;
use crate::batch::{Batch, BatchSource, updates_per_epoch};
use crate::fitted::FittedTvae;
use crate::fused::FusedTrainer;
use crate::network::{Autoencoder, head_spans};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{FitContext, Fitted, Result, Rng};
use neural::training::{Lasting, NoisyTrainee, Ways, is_fused, on_deep_stack};
use neural::{Losses, Threads, TrainingLoop};
use transforms::{Encoded, TableEncoder};

/// Trains encoder and decoder together.
pub(crate) fn fit(
    recipe: &Tvae,
    encoder: TableEncoder,
    encoded: &Encoded,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    // A table of constant columns has nothing to learn.
    let steps = if encoder.width() == 0 { 0 } else { updates(recipe, encoded.rows) };
    if steps > updates(&Tvae { min_updates: 0, ..recipe.clone() }, encoded.rows) {
        ctx.observer.note(&format!(
            "min_updates = {} decides: {} epochs of {} rows would be fewer updates",
            recipe.min_updates, recipe.epochs, encoded.rows
        ));
    }
    let mut training = Training {
        trainer: trainer(recipe, &encoder, encoded, ctx)?,
        source: BatchSource::new(recipe, encoded, ctx.seed),
        batch: Batch::default(),
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let decoder = match training.trainer {
        Ways::Fused(trainer) => trainer.model.decoder,
        Ways::Plain(trainer) => trainer.decoder()?,
    };
    Ok(Box::new(FittedTvae { recipe: recipe.clone(), encoder, decoder }))
}

fn updates(recipe: &Tvae, rows: usize) -> u64 {
    let per_epoch = updates_per_epoch(rows, recipe.batch_size);
    recipe.epochs.saturating_mul(per_epoch).max(recipe.min_updates)
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
        Ok(vec![("reconstruction", losses.reconstruction), ("divergence", losses.divergence)])
    }

    fn networks(&mut self) -> &mut dyn Lasting {
        &mut self.trainer
    }

    fn noise(&mut self) -> &mut Rng {
        self.source.noise()
    }
}

fn trainer(
    recipe: &Tvae,
    encoder: &TableEncoder,
    encoded: &Encoded,
    ctx: &FitContext<'_>,
) -> Result<Ways<FusedTrainer, PlainTrainer>> {
    let (width, places) = (encoder.width(), &encoded.place_units);
    let mut init = ctx.seed.stream("tvae/init");
    let model = Autoencoder::new(recipe, width, places.len(), &mut init);
    let spans = head_spans(encoder);
    // Without units there is nothing for candle to compute with, and no update to come.
    if width == 0 || is_fused(ctx) {
        let threads = Threads::new(ctx.threads)?;
        let trainer = FusedTrainer::new(recipe, model, spans, places, &threads);
        return Ok(Ways::Fused(Box::new(trainer)));
    }
    let trainer = PlainTrainer::new(recipe, model, &spans, places, ctx.device, DType::F32)?;
    Ok(Ways::Plain(Box::new(trainer)))
}
