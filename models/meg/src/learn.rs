//! Training one member on all rows but those that decide when to stop.

use crate::Meg;
use crate::codec::{Codes, TableCodec, Targets};
use crate::learner::{Learner, Way};
use crate::network::{Layout, Weights, counts};
use crate::train::Split;
use crate::trainer::Optimiser;
use meg_core::{Error, Result, Seed, TrainingState};
use neural::Losses;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a training came to.
#[derive(Debug)]
pub(crate) struct Learned {
    /// States of the same training at different steps, at least one.
    pub states: Vec<Weights>,
    /// By place, which of the states is the best for its column.
    pub choice: Vec<usize>,
    /// Nats per held-out row; infinite without such rows.
    pub score: f64,
}

impl Learned {
    /// One state for all columns.
    pub(crate) fn one(layout: &Layout, weights: Weights, score: f64) -> Self {
        Self { states: vec![weights], choice: vec![0; layout.codes.len()], score }
    }
}

/// What the trainings of one member share.
#[derive(Debug)]
pub(crate) struct Material<'a> {
    pub recipe: &'a Meg,
    pub codec: &'a TableCodec,
    pub codes: &'a Codes,
    pub layout: Arc<Layout>,
    /// By place.
    pub targets: Arc<[Targets]>,
    /// Rows per step.
    pub batch: usize,
    /// Weights of a saved member to go on from.
    pub start: Option<&'a Weights>,
    pub seed: Seed,
    pub way: Way,
}

impl Material<'_> {
    /// A trainer that begins with the weights to go on from, or else with the shares of these rows.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn trainer(&self, rows: &[u32], seed: Seed) -> Result<Learner> {
        if let Some(start) = self.start {
            return self.trainer_from(start.clone(), seed);
        }
        let counts = counts(&self.layout, self.codes, rows, self.way.threads);
        let mut rng = seed.stream("meg/init");
        let ranks = self.layout.ranks(self.codec);
        let weights = Weights::new(&self.layout, &ranks, &counts, &mut rng);
        self.trainer_from(weights, seed)
    }

    /// A trainer that begins with these weights.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn trainer_from(&self, weights: Weights, seed: Seed) -> Result<Learner> {
        let (layout, targets, optimiser) = (&self.layout, &self.targets, self.optimiser());
        Learner::new(self.way, layout, targets, optimiser, weights, seed, self.batch)
    }

    pub(crate) fn optimiser(&self) -> Optimiser {
        self.recipe.optimiser(self.codes.rows)
    }

    /// States of a training, at most, of which each column takes the one that suits it.
    pub(crate) fn most_states(&self) -> usize {
        most_states(self.recipe, &self.layout)
    }

    /// Steps between two validations.
    pub(crate) fn interval(&self, batches: &Batches) -> u64 {
        batches.per_pass().clamp(self.recipe.least_interval, self.recipe.most_interval)
    }
}

/// States of a training, at most. Of dynamic masks one: held-out rows score a column by those before
/// it alone, and it must learn from any.
pub(crate) fn most_states(recipe: &Meg, layout: &Layout) -> usize {
    if layout.plan.dynamic { 1 } else { recipe.snapshots }
}

/// Endless batches: shuffled passes over the rows, the rest of each pass left out.
#[derive(Debug)]
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

    pub(crate) fn per_pass(&self) -> u64 {
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

    /// Goes on behind so many batches, from none. The passes are shuffled again, which is exact
    /// and keeps the order of the rows out of a checkpoint.
    pub(crate) fn skip(&mut self, batches: u64) {
        let passes = batches.div_ceil(self.per_pass());
        (0..passes).for_each(|_| self.rows.shuffle(&mut self.rng));
        if passes > 0 {
            let of_pass = batches - (passes - 1) * self.per_pass();
            self.at = of_pass as usize * self.size;
        }
    }
}

/// Larger tables: steps until the score of the held-out rows stops falling; the best running
/// averages are kept.
#[derive(Debug)]
pub(crate) struct HoldOut {
    trainer: Learner,
    batches: Batches,
    /// Steps between two scores, and at most.
    interval: u64,
    limit: u64,
    best: Best,
    done: u64,
    pub finished: bool,
}

/// The best state so far, and how long ago it was.
#[derive(Debug)]
struct Best {
    weights: Weights,
    memory: Memory,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Nats per held-out row of the best state and of the latest one; infinite without such rows,
    /// which JSON writes as null.
    best: Option<f64>,
    latest: Option<f64>,
    misses: u32,
    cuts: u32,
    finished: bool,
}

const MEMORY_PART: &str = "held-out rows";
const BEST_PREFIX: &str = "best.";

impl HoldOut {
    pub(crate) fn new(material: &Material<'_>, split: &Split) -> Result<Self> {
        let mut trainer = material.trainer(&split.rows, material.seed)?;
        let batches = Batches::new(split.rows.clone(), material.batch, material.seed);
        let interval = material.interval(&batches);
        let held = !split.held.is_empty();
        // Without validation rows there is nothing to stop at: one interval, so that little is
        // learned by heart.
        let limit = if held { material.recipe.max_steps } else { interval };
        let start = held.then(|| trainer.score(material.codes, &split.held)).transpose()?;
        let memory = Memory { best: start, latest: start, misses: 0, cuts: 0, finished: false };
        let best = Best { weights: trainer.averages()?, memory };
        Ok(Self { trainer, batches, interval, limit, best, done: 0, finished: false })
    }

    pub(crate) fn step(
        &mut self,
        material: &Material<'_>,
        split: &Split,
        number: u64,
    ) -> Result<Losses> {
        let recipe = material.recipe;
        let rate = recipe.learning_rate * recipe.rate_cut.powi(self.best.memory.cuts as i32);
        let loss = self.trainer.step(material.codes, self.batches.next(), rate, number)?;
        self.done += 1;
        let last = self.done == self.limit;
        self.finished = last;
        let held = &split.held;
        if !held.is_empty() && loss.is_finite() && (last || self.done.is_multiple_of(self.interval))
        {
            let score = self.trainer.score(material.codes, held)?;
            self.best.memory.latest = Some(score);
            if score.is_finite() && self.best.hear(recipe, score, &mut self.trainer)? {
                self.finished = true;
            }
        }
        let mut losses = vec![("loss", loss)];
        losses.extend(self.best.memory.latest.map(|score| ("validation_loss", score)));
        Ok(losses)
    }

    /// Ends here, on request: the state of this step counts if it is better than those scored.
    pub(crate) fn stop(&mut self, material: &Material<'_>, split: &Split) -> Result<()> {
        match self.best.memory.best {
            Some(best) if self.trainer.score(material.codes, &split.held)? < best => {
                self.trainer.copy_averages(&mut self.best.weights)
            }
            _ => Ok(()),
        }
    }

    /// The weights to keep, with a sentence about them.
    pub(crate) fn learned(self, material: &Material<'_>) -> Result<(Learned, Option<String>)> {
        let Best { weights, memory } = self.best;
        let Some(best) = memory.best else {
            let averages = self.trainer.averages()?;
            return Ok((Learned::one(&material.layout, averages, f64::INFINITY), None));
        };
        let note = format!("best validation loss {best:.4} nats per row, {} steps", self.done);
        Ok((Learned::one(&material.layout, weights, best), Some(note)))
    }

    pub(crate) fn steps(&self) -> u64 {
        self.done
    }

    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        self.trainer.not_finite()
    }

    pub(crate) fn save(&self, state: &mut TrainingState) -> Result<()> {
        let memory = Memory { finished: self.finished, ..self.best.memory.clone() };
        state.put(MEMORY_PART, &memory)?;
        self.best.weights.save(BEST_PREFIX, state);
        self.trainer.save("", state)
    }

    pub(crate) fn restore(&mut self, state: &TrainingState, done: u64) -> Result<()> {
        let memory: Memory = state.part(MEMORY_PART)?;
        let scored = self.best.memory.best.is_some();
        if done > self.limit || memory.best.is_some() != scored || memory.latest.is_some() != scored
        {
            return Err(does_not_fit());
        }
        self.finished = memory.finished;
        self.best.memory = memory;
        self.best.weights.restore(BEST_PREFIX, state)?;
        self.trainer.restore("", state, done)?;
        self.done = done;
        self.batches.skip(done);
        Ok(())
    }
}

/// The error of a checkpoint of another training.
pub(crate) fn does_not_fit() -> Error {
    Error::Checkpoint("it is of a training with other settings or of another table".into())
}

impl Best {
    /// Takes a score into account; `true` when training should end.
    fn hear(&mut self, recipe: &Meg, score: f64, trainer: &mut Learner) -> Result<bool> {
        let memory = &mut self.memory;
        let gain = memory.best.unwrap_or(f64::INFINITY) - score;
        if gain > 0.0 {
            memory.best = Some(score);
            trainer.copy_averages(&mut self.weights)?;
        }
        memory.misses = if gain >= recipe.least_gain { 0 } else { memory.misses + 1 };
        if memory.misses < recipe.patience {
            return Ok(false);
        }
        memory.misses = 0;
        memory.cuts += 1;
        trainer.go_back(&self.weights)?;
        Ok(memory.cuts > recipe.rate_cuts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_go_on_where_they_were() {
        let new = || Batches::new((0..25).collect(), 6, Seed(3));
        let mut whole = new();
        let all: Vec<Vec<u32>> = (0..20).map(|_| whole.next().to_vec()).collect();
        for done in 0..20 {
            let mut rest = new();
            rest.skip(done as u64);
            for (at, batch) in all.iter().enumerate().skip(done) {
                assert_eq!(rest.next(), batch, "batch {at} behind {done}");
            }
        }
    }
}
