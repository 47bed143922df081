//! Training one member twice: held-out rows tell how long, for each column, then all rows are
//! learned from.

use crate::curves::{Chosen, Curves};
use crate::learn::{Batches, Learned, Material, does_not_fit};
use crate::learner::Learner;
use crate::network::Weights;
use crate::train::{Split, learns_from_all};
use meg_core::{Result, TrainingState};
use neural::Losses;
use serde::{Deserialize, Serialize};

/// As many trainings as folds, each without its fold, tell together how many passes over the rows
/// are best, for each column. A large table has one fold, the held-out rows.
///
/// A column that is a function of another one may need ten times the steps after which a column of
/// many levels is learned by heart. So the training on all rows that follows keeps a few of its
/// states, and each column is made by the one that suits it.
#[derive(Debug)]
pub(crate) struct Folds {
    folds: Vec<Fold>,
    interval: u64,
    curves: Curves,
    misses: u32,
    done: u64,
}

#[derive(Debug)]
struct Fold {
    trainer: Learner,
    batches: Batches,
    held: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldsMemory {
    misses: u32,
    curves: Curves,
}

const FOLDS_PART: &str = "folds";

impl Folds {
    pub(crate) fn new(material: &Material<'_>, split: &Split) -> Result<Self> {
        let recipe = material.recipe;
        let parts = match split.small {
            true => cut(&split.all(), recipe.folds),
            false => vec![(split.held.clone(), split.rows.clone())],
        };
        let alone = parts.len() == 1;
        let fold = |(at, (held, rest)): (usize, (Vec<u32>, Vec<u32>))| {
            // The training that follows a single one begins as it did.
            let seed = match alone {
                true => material.seed,
                false => material.seed.derive(&format!("meg/fold/{at}")),
            };
            let trainer = material.trainer(&rest, seed)?;
            Ok(Fold { trainer, batches: Batches::new(rest, material.batch, seed), held })
        };
        let mut folds: Vec<Fold> =
            parts.into_iter().enumerate().map(fold).collect::<Result<_>>()?;
        let interval = material.interval(&folds[0].batches);
        let curves = Curves::new(scores(material, &mut folds)?, material.most_states() > 1);
        Ok(Self { folds, interval, curves, misses: 0, done: 0 })
    }

    pub(crate) fn step(&mut self, material: &Material<'_>, number: u64) -> Result<Losses> {
        let recipe = material.recipe;
        let mut loss = 0.0;
        for Fold { trainer, batches, .. } in &mut self.folds {
            loss += trainer.step(material.codes, batches.next(), recipe.learning_rate, number)?;
        }
        self.done += 1;
        let loss = loss / self.folds.len() as f64;
        let last = self.done == recipe.max_steps;
        if loss.is_finite() && (last || self.done.is_multiple_of(self.interval)) {
            let gain = self.curves.hear(self.done, scores(material, &mut self.folds)?);
            self.misses = if gain >= recipe.least_gain { 0 } else { self.misses + 1 };
        }
        Ok(vec![("loss", loss), ("validation_loss", self.curves.latest())])
    }

    pub(crate) fn finished(&self, material: &Material<'_>) -> bool {
        let recipe = material.recipe;
        self.done >= recipe.max_steps || self.misses >= 2 * recipe.patience
    }

    /// The training that the folds ask for, and a sentence about them.
    ///
    /// It is on all rows, but where several members are to be mixed by the held-out rows of a large
    /// table: those stay unseen.
    pub(crate) fn learned(self, material: &Material<'_>, split: &Split) -> Result<(Whole, String)> {
        let Chosen { steps, choice, score } = self.curves.choose(material.most_states());
        let over = match self.folds.len() {
            1 => String::new(),
            folds => format!(" over {folds} folds"),
        };
        let note = format!(
            "best validation loss{over} {score:.4} nats per row, after {} steps",
            steps.iter().map(u64::to_string).collect::<Vec<_>>().join(" or ")
        );
        let rows = rows_of_whole(material, split);
        // As many passes: there may be more rows now.
        let growth = match self.folds.len() {
            1 => rows.len() as f64 / split.rows.len() as f64,
            folds => folds as f64 / (folds as f64 - 1.0),
        };
        // The trainers of the folds are of no use any more, and large.
        drop(self.folds);
        let scaled = |steps: &u64| (*steps as f64 * growth).round() as u64;
        let plan = Wanted { steps: steps.iter().map(scaled).collect(), choice, score };
        Ok((Whole::new(material, rows, plan)?, note))
    }

    /// What the one training of a large table has learned so far, for those who cannot wait for
    /// another one.
    pub(crate) fn so_far(&self, material: &Material<'_>) -> Result<Option<Learned>> {
        let [fold] = &*self.folds else { return Ok(None) };
        let averages = fold.trainer.averages()?;
        Ok(Some(Learned::one(&material.layout, averages, self.curves.latest())))
    }

    pub(crate) fn steps(&self) -> u64 {
        self.done
    }

    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        for fold in &self.folds {
            let found = fold.trainer.not_finite()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    pub(crate) fn save(&self, state: &mut TrainingState) -> Result<()> {
        let memory = FoldsMemory { misses: self.misses, curves: self.curves.clone() };
        state.put(FOLDS_PART, &memory)?;
        let mut folds = self.folds.iter().enumerate();
        folds.try_for_each(|(at, fold)| fold.trainer.save(&format!("fold{at}."), state))
    }

    pub(crate) fn restore(
        &mut self,
        material: &Material<'_>,
        state: &TrainingState,
        done: u64,
    ) -> Result<()> {
        let memory: FoldsMemory = state.part(FOLDS_PART)?;
        if done > material.recipe.max_steps || !memory.curves.fits(&self.curves, done) {
            return Err(does_not_fit());
        }
        for (at, fold) in self.folds.iter_mut().enumerate() {
            fold.trainer.restore(&format!("fold{at}."), state, done)?;
            fold.batches.skip(done);
        }
        (self.misses, self.curves, self.done) = (memory.misses, memory.curves, done);
        Ok(())
    }
}

/// The rows of the second training.
pub(crate) fn rows_of_whole(material: &Material<'_>, split: &Split) -> Vec<u32> {
    match learns_from_all(material.recipe, split) {
        true => split.all(),
        false => split.rows.clone(),
    }
}

/// Cuts rows in random order into folds, each with the rows beside it.
fn cut(rows: &[u32], folds: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
    let part = |fold: usize| {
        let parts = rows.iter().enumerate().partition::<Vec<_>, _>(|(at, _)| at % folds == fold);
        let rows = |part: Vec<(usize, &u32)>| part.into_iter().map(|(_, &row)| row).collect();
        (rows(parts.0), rows(parts.1))
    };
    (0..folds).map(part).collect()
}

/// By place, nats per row, each row under the training that did not see it.
fn scores(material: &Material<'_>, folds: &mut [Fold]) -> Result<Vec<f64>> {
    let rows: usize = folds.iter().map(|fold| fold.held.len()).sum();
    let mut sums = vec![0.0; material.layout.codes.len()];
    for Fold { trainer, held, .. } in folds {
        let share = held.len() as f64 / rows as f64;
        let scores = trainer.scores(material.codes, held)?;
        sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += share * score);
    }
    Ok(sums)
}

/// The second training; its running averages are kept after some of its steps.
#[derive(Debug)]
pub(crate) struct Whole {
    trainer: Learner,
    batches: Batches,
    wanted: Wanted,
    states: Vec<Weights>,
    done: u64,
}

/// What the folds ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Steps after which a state is kept.
    steps: Vec<u64>,
    /// By place, the position of its state.
    choice: Vec<usize>,
    /// Nats per held-out row of the folds.
    score: f64,
}

const WANTED_PART: &str = "steps that the folds ask for";

impl Whole {
    fn new(material: &Material<'_>, rows: Vec<u32>, wanted: Wanted) -> Result<Self> {
        let trainer = material.trainer(&rows, material.seed)?;
        let batches = Batches::new(rows, material.batch, material.seed);
        let states = vec![trainer.averages()?; wanted.steps.len()];
        Ok(Self { trainer, batches, wanted, states, done: 0 })
    }

    pub(crate) fn step(&mut self, material: &Material<'_>, number: u64) -> Result<Losses> {
        let rate = material.recipe.learning_rate;
        let loss = self.trainer.step(material.codes, self.batches.next(), rate, number)?;
        self.done += 1;
        for (state, &wanted) in self.states.iter_mut().zip(&self.wanted.steps) {
            if wanted == self.done {
                self.trainer.copy_averages(state)?;
            }
        }
        Ok(vec![("loss", loss)])
    }

    pub(crate) fn finished(&self) -> bool {
        self.wanted.steps.iter().all(|&steps| steps <= self.done)
    }

    pub(crate) fn learned(self) -> Learned {
        let Wanted { choice, score, .. } = self.wanted;
        Learned { states: self.states, choice, score }
    }

    pub(crate) fn steps(&self) -> u64 {
        self.done
    }

    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        self.trainer.not_finite()
    }

    pub(crate) fn save(&self, state: &mut TrainingState) -> Result<()> {
        state.put(WANTED_PART, &self.wanted)?;
        for (at, weights) in self.states.iter().enumerate() {
            weights.save(&format!("state{at}."), state);
        }
        self.trainer.save("", state)
    }

    pub(crate) fn restore(
        material: &Material<'_>,
        rows: Vec<u32>,
        state: &TrainingState,
        done: u64,
    ) -> Result<Self> {
        let wanted: Wanted = state.part(WANTED_PART)?;
        let recipe = material.recipe;
        let fits = (1..=recipe.snapshots).contains(&wanted.steps.len())
            && wanted.choice.len() == material.layout.codes.len()
            && wanted.choice.iter().all(|&state| state < wanted.steps.len())
            && wanted.steps.iter().all(|&steps| steps <= recipe.max_steps.saturating_mul(2))
            && wanted.steps.iter().any(|&steps| done <= steps);
        if !fits {
            return Err(does_not_fit());
        }
        let mut whole = Self::new(material, rows, wanted)?;
        for (at, weights) in whole.states.iter_mut().enumerate() {
            weights.restore(&format!("state{at}."), state)?;
        }
        whole.trainer.restore("", state, done)?;
        whole.batches.skip(done);
        whole.done = done;
        Ok(whole)
    }
}
