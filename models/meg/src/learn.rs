//! Training one member: batches, when to stop.

use crate::Meg;
use crate::adversary;
use crate::codec::{Codes, TableCodec, Targets};
use crate::curves::{Chosen, Curves};
use crate::network::{Layout, Weights, counts};
use crate::train::Split;
use crate::trainer::Trainer;
use meg_core::{Control, Error, Observer, Phase, Result, Seed};
use neural::training::check_finite;
use rand::seq::SliceRandom;

/// What a training came to.
pub(crate) struct Learned {
    /// States of the same training at different steps, at least one.
    pub states: Vec<Weights>,
    /// By place, which of the states is the best for its column.
    pub choice: Vec<usize>,
    /// Nats per held-out row; infinite without such rows.
    pub score: f64,
    /// Steps reported so far.
    pub steps: u64,
    /// The observer asked to finish.
    pub stopped: bool,
}

impl Learned {
    /// One state for all columns.
    pub(crate) fn one(
        layout: &Layout,
        weights: Weights,
        score: f64,
        steps: u64,
        stopped: bool,
    ) -> Self {
        let choice = vec![0; layout.codes.len()];
        Self { states: vec![weights], choice, score, steps, stopped }
    }
}

/// What the trainings of one member share.
pub(crate) struct Material<'a> {
    pub recipe: &'a Meg,
    pub codec: &'a TableCodec,
    pub codes: &'a Codes,
    pub layout: &'a Layout,
    /// By place.
    pub targets: Vec<Targets>,
    /// Rows per step.
    pub batch: usize,
    pub seed: Seed,
    pub threads: usize,
}

impl<'a> Material<'a> {
    /// Trains with folds or with held-out rows.
    pub(crate) fn learn(
        &'a self,
        split: &Split,
        in_folds: bool,
        from: u64,
        observer: &mut dyn Observer,
    ) -> Result<Learned> {
        if self.layout.codes.is_empty() {
            let weights = Weights { generators: Vec::new(), embeddings: Vec::new() };
            return Ok(Learned::one(self.layout, weights, f64::INFINITY, from, false));
        }
        if in_folds {
            return fold(self, &split.all(), from, observer);
        }
        let learned = hold_out(self, &split.rows, &split.held, from, observer)?;
        if self.recipe.adversarial_steps == 0 || learned.stopped || split.held.is_empty() {
            return Ok(learned);
        }
        adversary::refine(self, split, learned, observer)
    }

    /// A trainer that begins with the shares of these rows.
    fn trainer(&'a self, rows: &[u32], seed: Seed) -> Trainer<'a> {
        let counts = counts(self.layout, self.codes, rows, self.threads);
        let mut rng = seed.stream("meg/init");
        let ranks = self.layout.ranks(self.codec);
        let weights = Weights::new(self.layout, &ranks, &counts, &mut rng);
        self.trainer_from(weights, seed)
    }

    /// A trainer that begins with these weights.
    pub(crate) fn trainer_from(&'a self, weights: Weights, seed: Seed) -> Trainer<'a> {
        let optimiser = self.recipe.optimiser(self.codes.rows);
        Trainer::new(self.layout, &self.targets, optimiser, weights, seed, self.batch, self.threads)
    }

    /// Steps between two validations.
    fn interval(&self, batches: &Batches) -> u64 {
        batches.per_pass().clamp(self.recipe.least_interval, self.recipe.most_interval)
    }
}

/// Endless batches: shuffled passes over the rows, the rest of each pass left out.
pub(crate) struct Batches {
    rows: Vec<u32>,
    size: usize,
    at: usize,
    rng: meg_core::Rng,
}

impl Batches {
    pub(crate) fn new(rows: Vec<u32>, size: usize, seed: Seed) -> Self {
        let (at, size) = (rows.len(), size.min(rows.len()));
        Self { rows, size, at, rng: seed.stream("meg/batches") }
    }

    fn per_pass(&self) -> u64 {
        (self.rows.len() / self.size) as u64
    }

    pub(crate) fn next(&mut self) -> &[u32] {
        if self.at + self.size > self.rows.len() {
            self.rows.shuffle(&mut self.rng);
            self.at = 0;
        }
        self.at += self.size;
        &self.rows[self.at - self.size..self.at]
    }
}

/// Small tables: as many trainings as folds, each without its fold, tell together how many passes
/// over the rows are best, for each column; then one training on all rows makes that many.
///
/// A column that is a function of another one may need ten times the steps after which a column of
/// many levels is learned by heart. So the final training keeps a few of its states, and each
/// column is made by the one that suits it.
fn fold(
    material: &Material<'_>,
    rows: &[u32],
    from: u64,
    observer: &mut dyn Observer,
) -> Result<Learned> {
    let recipe = material.recipe;
    let folds = recipe.folds;
    let mut members: Vec<(Trainer<'_>, Batches, Vec<u32>)> = (0..folds)
        .map(|fold| {
            let own = |(at, &row): (usize, &u32)| (at % folds == fold).then_some(row);
            let others = |(at, &row): (usize, &u32)| (at % folds != fold).then_some(row);
            let held: Vec<u32> = rows.iter().enumerate().filter_map(own).collect();
            let rest: Vec<u32> = rows.iter().enumerate().filter_map(others).collect();
            let seed = material.seed.derive(&format!("meg/fold/{fold}"));
            let trainer = material.trainer(&rest, seed);
            (trainer, Batches::new(rest, material.batch, seed), held)
        })
        .collect();
    let interval = material.interval(&members[0].1);
    let score = |members: &mut [(Trainer<'_>, Batches, Vec<u32>)]| -> Vec<f64> {
        let mut sums = vec![0.0; material.layout.codes.len()];
        for (trainer, _, held) in members {
            let share = held.len() as f64 / rows.len() as f64;
            let scores = trainer.scores(material.codes, held);
            sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += share * score);
        }
        sums
    };
    let mut curves = Curves::new(score(&mut members), recipe.snapshots > 1);
    let (mut misses, mut done) = (0, 0);
    let mut stopped = false;
    while done < recipe.max_steps && misses < 2 * recipe.patience {
        done += 1;
        let mut loss = 0.0;
        for (trainer, batches, _) in &mut members {
            loss += trainer.step(material.codes, batches.next(), recipe.learning_rate);
        }
        let loss = loss / folds as f64;
        check_finite(done, &[("loss", loss)])?;
        if done.is_multiple_of(interval) {
            let gain = curves.hear(done, score(&mut members));
            check_finite(done, &[("validation loss", curves.latest())])?;
            misses = if gain >= recipe.least_gain { 0 } else { misses + 1 };
        }
        let values = [("loss", loss), ("validation_loss", curves.latest())];
        if !observer.step(Phase::Train, from + done, &values)? {
            stopped = true;
            break;
        }
    }
    drop(members);
    let Chosen { steps, choice, score } = curves.choose(recipe.snapshots);
    observer.note(&format!(
        "best validation loss over {folds} folds: {score:.4} nats per row after {} steps",
        steps.iter().map(u64::to_string).collect::<Vec<_>>().join(" or ")
    ));
    // As many passes: there are more rows now.
    let scaled = |steps: &u64| (*steps as f64 * folds as f64 / (folds - 1) as f64).round() as u64;
    let wanted: Vec<u64> = steps.iter().map(scaled).collect();
    let states = train_all(material, rows, &wanted, observer)?;
    Ok(Learned { states, choice, score, steps: from + done, stopped })
}

/// One training on all rows; its running averages after each of these steps.
fn train_all(
    material: &Material<'_>,
    rows: &[u32],
    wanted: &[u64],
    observer: &mut dyn Observer,
) -> Result<Vec<Weights>> {
    let mut trainer = material.trainer(rows, material.seed);
    let mut batches = Batches::new(rows.to_vec(), material.batch, material.seed);
    let mut states = vec![trainer.averages(); wanted.len()];
    for step in 1..=wanted.iter().copied().max().unwrap_or(0) {
        let loss = trainer.step(material.codes, batches.next(), material.recipe.learning_rate);
        check_finite(step, &[("loss", loss)])?;
        if observer.control() == Control::Abort {
            return Err(Error::Interrupted);
        }
        for (state, _) in states.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted == step) {
            *state = trainer.averages();
        }
    }
    Ok(states)
}

/// The best state so far, and how long ago it was.
struct Best {
    weights: Weights,
    score: f64,
    misses: u32,
    cuts: u32,
}

/// Larger tables: steps until the score of the held-out rows stops falling; the best running
/// averages are kept.
fn hold_out(
    material: &Material<'_>,
    rows: &[u32],
    held: &[u32],
    from: u64,
    observer: &mut dyn Observer,
) -> Result<Learned> {
    let (recipe, codes) = (material.recipe, material.codes);
    let mut trainer = material.trainer(rows, material.seed);
    let mut batches = Batches::new(rows.to_vec(), material.batch, material.seed);
    let interval = material.interval(&batches);
    // Without validation rows there is nothing to stop at: one interval, so that little is learned
    // by heart.
    let steps = if held.is_empty() { interval } else { recipe.max_steps };
    let start = if held.is_empty() { f64::INFINITY } else { trainer.score(codes, held) };
    let mut best = Best { weights: trainer.averages(), score: start, misses: 0, cuts: 0 };
    let mut validation = start;
    let (mut stopped, mut done) = (false, 0);
    for step in 1..=steps {
        let rate = recipe.learning_rate * recipe.rate_cut.powi(best.cuts as i32);
        let loss = trainer.step(codes, batches.next(), rate);
        done = step;
        check_finite(step, &[("loss", loss)])?;
        let scored = !held.is_empty() && (step % interval == 0 || step == steps);
        if scored {
            validation = trainer.score(codes, held);
            check_finite(step, &[("validation loss", validation)])?;
        }
        let values = [("loss", loss), ("validation_loss", validation)];
        let values = if validation.is_finite() { &values[..] } else { &values[..1] };
        if !observer.step(Phase::Train, from + step, values)? {
            stopped = true;
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
    Ok(Learned::one(material.layout, best.weights, best.score, from + done, stopped))
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
