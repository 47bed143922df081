//! Training: rows for validation, batches, when to stop.

use crate::Meg;
use crate::codec::{Codes, TableCodec, Targets};
use crate::fitted::FittedMeg;
use crate::masks;
use crate::network::{Layout, Weights, counts};
use crate::trainer::Trainer;
use meg_core::{Event, FitContext, Observer, Phase, Result, Seed, Table};
use neural::check_finite;
use rand::seq::SliceRandom;

/// Fits codec, masks and networks.
pub(crate) fn fit(recipe: &Meg, train: &Table, ctx: &mut FitContext<'_>) -> Result<FittedMeg> {
    ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
    let codec = TableCodec::fit(train, recipe.codec_options(), ctx.threads)?;
    let codes = codec.encode(train, ctx.threads);
    let most = recipe.max_context;
    let masks = masks::one_per_column(&codec, &codes, recipe.label, most, ctx.threads);
    masks::check(&masks, &codec)?;
    let layout = Layout::new(masks, &codec, recipe.embedding, recipe.hidden);
    ctx.observer.event(&Event::End { phase: Phase::Encode });
    let weights = learn(recipe, &codec, &codes, &layout, ctx)?;
    Ok(FittedMeg { recipe: recipe.clone(), codec, layout, weights })
}

/// Rows of a validation set that say something, at least.
const LEAST_VALIDATION: usize = 2;

fn learn(
    recipe: &Meg,
    codec: &TableCodec,
    codes: &Codes,
    layout: &Layout,
    ctx: &mut FitContext<'_>,
) -> Result<Weights> {
    let mut rows: Vec<u32> = (0..codes.rows as u32).collect();
    rows.shuffle(&mut ctx.seed.stream("meg/split"));
    let held = (recipe.validation * rows.len() as f64) as usize;
    let held = if held < LEAST_VALIDATION { 0 } else { held.min(recipe.max_validation) };
    let (held, rows) = rows.split_at(held);
    let targets: Vec<Targets> =
        layout.masks.iter().map(|mask| codec.targets(mask.output, recipe.smoothing)).collect();
    let counts = counts(layout, codes, rows, ctx.threads);
    let weights = Weights::new(layout, codec, &counts, &mut ctx.seed.stream("meg/init"));
    let batch = recipe.batch(rows.len());
    let optimiser = recipe.optimiser();
    let trainer = Trainer::new(layout, &targets, optimiser, weights, ctx.seed, batch, ctx.threads);
    let mut batches = Batches::new(rows.to_vec(), batch, ctx.seed);
    run(recipe, trainer, codes, &mut batches, held, ctx.observer)
}

/// Endless batches: shuffled passes over the rows, the rest of each pass left out.
struct Batches {
    rows: Vec<u32>,
    size: usize,
    at: usize,
    rng: meg_core::Rng,
}

impl Batches {
    fn new(rows: Vec<u32>, size: usize, seed: Seed) -> Self {
        let at = rows.len();
        Self { rows, size, at, rng: seed.stream("meg/batches") }
    }

    fn per_pass(&self) -> u64 {
        (self.rows.len() / self.size) as u64
    }

    fn next(&mut self) -> &[u32] {
        if self.at + self.size > self.rows.len() {
            self.rows.shuffle(&mut self.rng);
            self.at = 0;
        }
        self.at += self.size;
        &self.rows[self.at - self.size..self.at]
    }
}

/// The best state so far, and how long ago it was.
struct Best {
    weights: Weights,
    score: f64,
    misses: u32,
    cuts: u32,
}

/// Steps until the validation score stops falling; returns the best running averages.
fn run(
    recipe: &Meg,
    mut trainer: Trainer<'_>,
    codes: &Codes,
    batches: &mut Batches,
    held: &[u32],
    observer: &mut dyn Observer,
) -> Result<Weights> {
    if trainer.layout.masks.is_empty() {
        return Ok(trainer.averages());
    }
    let interval = batches.per_pass().clamp(recipe.least_interval, recipe.most_interval);
    // Without validation rows there is nothing to stop at: one interval, so that little is learned
    // by heart.
    let steps = if held.is_empty() { interval } else { recipe.max_steps };
    observer.event(&Event::Start { phase: Phase::Train, total: None });
    let start = if held.is_empty() { f64::INFINITY } else { trainer.score(codes, held) };
    let mut best = Best { weights: trainer.averages(), score: start, misses: 0, cuts: 0 };
    let mut validation = start;
    for step in 1..=steps {
        let rate = recipe.learning_rate * recipe.rate_cut.powi(best.cuts as i32);
        let loss = trainer.step(codes, batches.next(), rate);
        check_finite(step, &[("loss", loss)])?;
        let scored = !held.is_empty() && (step % interval == 0 || step == steps);
        if scored {
            validation = trainer.score(codes, held);
            check_finite(step, &[("validation loss", validation)])?;
        }
        let values = [("loss", loss), ("validation_loss", validation)];
        let values = if validation.is_finite() { &values[..] } else { &values[..1] };
        if !observer.step(Phase::Train, step, values)? {
            // Asked to finish between two scores: the state of this step counts if it is better.
            if held.is_empty() || trainer.score(codes, held) < best.score {
                best.weights = trainer.averages();
            }
            break;
        }
        if scored && best.hear(recipe, validation, &mut trainer) {
            break;
        }
    }
    if held.is_empty() {
        best.weights = trainer.averages();
    } else {
        observer.note(&format!("best validation loss: {:.4} nats per row", best.score));
    }
    observer.event(&Event::End { phase: Phase::Train });
    Ok(best.weights)
}

impl Best {
    /// Takes a score into account; `true` when training should end.
    fn hear(&mut self, recipe: &Meg, score: f64, trainer: &mut Trainer<'_>) -> bool {
        let gain = self.score - score;
        if gain > 0.0 {
            self.score = score;
            self.weights = trainer.averages();
        }
        self.misses = if gain >= recipe.least_gain { 0 } else { self.misses + 1 };
        if self.misses < recipe.patience {
            return false;
        }
        self.misses = 0;
        self.cuts += 1;
        trainer.restore(&self.weights);
        self.cuts > recipe.rate_cuts
    }
}
