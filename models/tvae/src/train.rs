use crate::Tvae;
use crate::batch::{Batch, BatchSource, updates_per_epoch};
use crate::fitted::FittedTvae;
use crate::fused::FusedTrainer;
use crate::network::{Autoencoder, Decoder, head_spans};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{Device, FitContext, Fitted, Kernels, Result, StreamPosition, TrainingState};
use neural::training::{first_not_finite, on_deep_stack};
use neural::{Losses, Threads, Trainee, TrainingLoop};
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
        trainer: Trainer::new(recipe, &encoder, encoded, ctx)?,
        source: BatchSource::new(recipe, encoded, ctx.seed),
        batch: Batch::default(),
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let decoder = training.trainer.decoder()?;
    Ok(Box::new(FittedTvae { recipe: recipe.clone(), encoder, decoder }))
}

fn updates(recipe: &Tvae, rows: usize) -> u64 {
    let per_epoch = updates_per_epoch(rows, recipe.batch_size);
    recipe.epochs.saturating_mul(per_epoch).max(recipe.min_updates)
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
        Ok(vec![("reconstruction", losses.reconstruction), ("divergence", losses.divergence)])
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        let trainer = match &mut self.trainer {
            Trainer::Fused(trainer) => trainer,
            Trainer::Plain(trainer) => return trainer.not_finite(),
        };
        let named = trainer.model.named_mut();
        let parts = named.iter().flat_map(|(name, parameter)| {
            parameter.finite_parts().map(|(part, cells)| (format!("the {part} {name}"), cells))
        });
        Ok(first_not_finite(parts))
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        state.put(NOISE_PART, &StreamPosition::of(self.source.noise()))?;
        match &mut self.trainer {
            Trainer::Fused(trainer) => {
                for (name, parameter) in trainer.model.named_mut() {
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
                for (name, parameter) in trainer.model.named_mut() {
                    parameter.restore(&name, state)?;
                }
                Ok(())
            }
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
        recipe: &Tvae,
        encoder: &TableEncoder,
        encoded: &Encoded,
        ctx: &FitContext<'_>,
    ) -> Result<Self> {
        let (width, places) = (encoder.width(), &encoded.place_units);
        let mut init = ctx.seed.stream("tvae/init");
        let model = Autoencoder::new(recipe, width, places.len(), &mut init);
        let spans = head_spans(encoder);
        // Without units there is nothing for candle to compute with, and no update to come.
        if width == 0 || (ctx.device, ctx.kernels) == (Device::Cpu, Kernels::Fused) {
            let threads = Threads::new(ctx.threads)?;
            let trainer = FusedTrainer::new(recipe, model, spans, places, &threads);
            return Ok(Self::Fused(Box::new(trainer)));
        }
        let trainer = PlainTrainer::new(recipe, model, &spans, places, ctx.device, DType::F32)?;
        Ok(Self::Plain(Box::new(trainer)))
    }

    fn decoder(self) -> Result<Decoder> {
        match self {
            Trainer::Fused(trainer) => Ok(trainer.model.decoder),
            Trainer::Plain(trainer) => trainer.decoder(),
        }
    }
}
