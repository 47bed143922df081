use crate::batch::{Batch, BatchSource, Rows, updates_per_epoch};
use crate::classes::{Classes, MOST_CLASSES};
use crate::codec::{Codec, Label};
use crate::fitted::FittedTableGan;
use crate::plan::Plan;
use crate::settings::TableGan;
use crate::trainer::{Place, Trainer};
use candle_core::DType;
use meg_core::{FitContext, Fitted, Observer, Result, Rng, Table};
use neural::training::{Lasting, NoisyTrainee, is_fused, on_deep_stack};
use neural::{Losses, Trainee, TrainingLoop, tensor_device};

/// Trains generator, discriminator and classifier together.
pub(crate) fn fit(
    recipe: &TableGan,
    codec: Codec,
    table: &Table,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let (classes, of_rows) = classes(recipe, table, &codec, ctx.observer);
    // A table of constant columns has nothing to learn.
    if codec.cells() == 0 {
        TrainingLoop::new(0).run(&mut Nothing, ctx)?;
        return Ok(Box::new(FittedTableGan::without_cells(recipe.clone(), codec)));
    }
    let plan = Plan::new(recipe, codec.cells(), classes.as_ref().map_or(0, Classes::count))?;
    let label = label(recipe, &codec, ctx.observer);
    let rows = Rows::new(&codec.encode(table), of_rows, &plan)?;
    let place = Place {
        device: tensor_device(ctx.device)?,
        dtype: DType::F32,
        threads: is_fused(ctx).then_some(ctx.threads.max(1)),
    };
    let steps = updates(recipe, table.rows(), ctx.observer);
    let mut training = Training {
        trainer: Trainer::new(recipe, plan, label, &place, ctx.seed)?,
        source: BatchSource::new(recipe, &rows, ctx.seed),
        batch: Batch::default(),
    };
    TrainingLoop::new(steps).run(&mut training, ctx)?;
    let weights = training.trainer.weights()?;
    Ok(Box::new(FittedTableGan::new(recipe.clone(), codec, classes, weights)?))
}

/// The classes that the networks are told, and that of each row.
fn classes(
    recipe: &TableGan,
    table: &Table,
    codec: &Codec,
    observer: &mut dyn Observer,
) -> (Option<Classes>, Vec<u32>) {
    if !recipe.conditional {
        return (None, Vec::new());
    }
    match Classes::fit(table, codec) {
        Some((classes, of_rows)) => (Some(classes), of_rows),
        None => {
            observer.note(&format!(
                "conditional = true has no effect: the table has no target that differs between \
                 rows and has at most {MOST_CLASSES} levels"
            ));
            (None, Vec::new())
        }
    }
}

/// The label that the classifier predicts.
fn label(recipe: &TableGan, codec: &Codec, observer: &mut dyn Observer) -> Option<Label> {
    if recipe.classification_weight == 0.0 {
        return None;
    }
    let found = codec.label();
    if found.is_none() {
        observer.note("no classification loss: the table has no target that differs between rows");
    }
    let fits = |label: &Label| label.binary || !recipe.binary_targets_only;
    if found.is_some_and(|label| !fits(&label)) {
        observer.note("no classification loss: the target has not exactly two levels");
    }
    found.filter(fits)
}

fn updates(recipe: &TableGan, rows: usize, observer: &mut dyn Observer) -> u64 {
    if rows < recipe.batch_size {
        let asked = recipe.batch_size;
        observer.note(&format!("batch_size = {asked} is more than the {rows} rows: all of them"));
    }
    let of_epochs = recipe.epochs.saturating_mul(updates_per_epoch(rows, recipe.batch_size));
    if recipe.min_updates > of_epochs {
        observer.note(&format!(
            "min_updates = {} decides: {} epochs of {rows} rows would be fewer updates",
            recipe.min_updates, recipe.epochs
        ));
    }
    of_epochs.max(recipe.min_updates)
}

/// Networks, batches and rows, as the loop sees them.
struct Training<'a> {
    trainer: Trainer,
    source: BatchSource<'a>,
    batch: Batch,
}

impl NoisyTrainee for Training<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        let Self { trainer, source, batch } = self;
        source.fill(batch, number);
        let losses = on_deep_stack(|| trainer.update(batch))??;
        Ok(vec![
            ("generator_loss", losses.original),
            ("discriminator_loss", losses.discriminator),
            ("discriminator_accuracy", losses.accuracy),
            ("classifier_loss", losses.classifier),
            ("information_loss", losses.information),
            ("classification_loss", losses.classification),
        ])
    }

    fn networks(&mut self) -> &mut dyn Lasting {
        &mut self.trainer
    }

    fn noise(&mut self) -> &mut Rng {
        self.source.noise()
    }
}

/// What is trained where there is nothing to learn.
struct Nothing;

impl Trainee for Nothing {
    fn step(&mut self, _number: u64) -> Result<Losses> {
        Ok(Vec::new())
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}
