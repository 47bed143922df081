//! The loop that every trained model here runs in: progress, stop requests, values that are not
//! finite, early stopping, checkpoints.

mod finite;
mod lasting;
mod noisy;
mod stack;
mod stop;
mod ways;

pub use finite::{all_finite, check_finite, check_output, first_not_finite};
pub use lasting::{Lasting, NamedParts, Statistic};
pub use noisy::NoisyTrainee;
pub use stack::{DEEP_STACK_BYTES, on_deep_stack};
pub use stop::{Patience, StopRule};
pub use ways::{Ways, is_fused};

use meg_core::{Error, Event, FitContext, Phase, Result, TrainingState};

/// Named losses (and scores) of one update.
///
/// Reports compare models by these names: `generator_loss`, `discriminator_loss`, and
/// `discriminator_accuracy`, the share of the rows of its batch, half real and half generated, that
/// a discriminator tells rightly before it learns from them.
pub type Losses = Vec<(&'static str, f64)>;

/// A model in training, as the loop sees it.
pub trait Trainee {
    /// One update; `number` counts from 1. Returns its named losses, which are checked and
    /// reported. A validation score goes along as one more named value in the updates that have
    /// one.
    ///
    /// # Errors
    /// Whatever stops the training.
    fn step(&mut self, number: u64) -> Result<Losses>;

    /// Whether nothing is left to do: for a model that decides by itself when it has learned
    /// enough. Asked before every update, and before a state is kept.
    fn finished(&self) -> bool {
        false
    }

    /// What has happened since this was last asked that is worth a sentence to the reader.
    fn notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// A sentence about the first weight, gradient, moment or running statistic that is not
    /// finite ([`first_not_finite`] makes one).
    ///
    /// # Errors
    /// When a tensor cannot be read back from its device.
    fn not_finite(&mut self) -> Result<Option<String>>;

    /// Writes everything that decides the updates to come: weights, moments, running statistics,
    /// counters, positions of the random streams.
    ///
    /// # Errors
    /// When a tensor cannot be read back; always, for a model that keeps no checkpoints.
    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        let _ = state;
        Err(no_checkpoints())
    }

    /// Reads what [`Trainee::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when a part is missing or of another shape; always, for a model that
    /// keeps no checkpoints.
    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        let _ = state;
        Err(no_checkpoints())
    }
}

fn no_checkpoints() -> Error {
    Error::Request("this model keeps no checkpoints; train it in one go".into())
}

/// Runs the updates of a [`Trainee`].
///
/// After every update: its losses must be finite, the observer hears of them and may ask to finish
/// (the model is kept) or to abandon (a last checkpoint is kept, where anybody wants one), and the
/// stop rule may end the training. Now and then all weights and gradients are checked too, so that
/// a value that is not finite is named soon after it arose and never reaches a checkpoint or a
/// model file.
#[derive(Debug)]
pub struct TrainingLoop<'a> {
    /// Updates to run, at most; `u64::MAX` where the model alone knows.
    pub steps: u64,
    /// Updates between two checks of all weights and gradients, at least 1. One check costs a
    /// pass over them.
    pub check_every: u64,
    /// Ends the training early.
    pub stop: Option<&'a mut dyn StopRule>,
}

/// Names of the loop's own parts of a training state.
const STOP_PART: &str = "training loop: stop rule";
const ENDED_PART: &str = "training loop: ended by the stop rule";

impl<'a> TrainingLoop<'a> {
    /// So many updates, checked every 100, without a stop rule.
    pub fn new(steps: u64) -> Self {
        Self { steps, check_every: 100, stop: None }
    }

    /// Updates until the model says that it has [finished](Trainee::finished), checked every 100.
    pub fn until_finished() -> Self {
        Self::new(u64::MAX)
    }

    /// The same with a rule that may end the training early.
    #[must_use]
    pub fn until(mut self, rule: &'a mut dyn StopRule) -> Self {
        self.stop = Some(rule);
        self
    }

    /// Runs the updates, from the state in `ctx.resume` on if there is one, and returns the number
    /// of the last.
    ///
    /// # Errors
    /// [`Error::Training`] when a loss, weight or gradient is not finite, [`Error::Interrupted`]
    /// on request, [`Error::Checkpoint`] for a state of another model, what the trainee returns, or, at
    /// an interruption, what the keeper of checkpoints does.
    pub fn run(&mut self, trainee: &mut dyn Trainee, ctx: &mut FitContext<'_>) -> Result<u64> {
        let mut done = 0;
        let mut ended = false;
        if let Some(state) = ctx.resume.take() {
            ended = self.restore(trainee, &state)?;
            done = state.step;
        }
        let total = (self.steps < u64::MAX).then_some(self.steps);
        ctx.observer.event(&Event::Start { phase: Phase::Train, total });
        while done < self.steps && !ended && !trainee.finished() {
            done += 1;
            let losses = trainee.step(done)?;
            self.check(trainee, done, &losses)?;
            ended = self.stop.as_mut().is_some_and(|rule| rule.stop(done, &losses));
            let wish = ctx.observer.step(Phase::Train, done, &losses);
            trainee.notes().iter().for_each(|note| ctx.observer.note(note));
            self.keep(trainee, done, ended, wish.is_err(), ctx)?;
            if !wish? {
                break;
            }
        }
        if ended {
            ctx.observer.note(&format!("training ended early, after update {done}"));
        }
        check_tensors(trainee, done)?;
        ctx.observer.event(&Event::End { phase: Phase::Train });
        Ok(done)
    }

    fn check(&self, trainee: &mut dyn Trainee, done: u64, losses: &Losses) -> Result<()> {
        if let Err(error) = check_finite(done, losses) {
            // The loss shows that something is wrong, the tensor shows where.
            return Err(match (error, trainee.not_finite()?) {
                (Error::Training { step, problem }, Some(tensor)) => {
                    Error::Training { step, problem: format!("{problem}; {tensor}") }
                }
                (error, _) => error,
            });
        }
        if done.is_multiple_of(self.check_every) { check_tensors(trainee, done) } else { Ok(()) }
    }

    /// Hands a state over where one is due. Not after the last update: there is nothing left to go
    /// on with. A state that cannot be kept (a full disk) is no reason to lose a training of hours,
    /// unless it is all that would be left of it.
    fn keep(
        &self,
        trainee: &mut dyn Trainee,
        done: u64,
        ended: bool,
        interrupted: bool,
        ctx: &mut FitContext<'_>,
    ) -> Result<()> {
        let Some(sink) = &mut ctx.checkpoints else { return Ok(()) };
        let over = done >= self.steps || ended || trainee.finished();
        let due = done.is_multiple_of(sink.every.get()) && !over;
        if !due && !interrupted {
            return Ok(());
        }
        check_tensors(trainee, done)?;
        let mut state = TrainingState::at(done);
        state.put(ENDED_PART, &ended)?;
        if let Some(rule) = &self.stop {
            state.put(STOP_PART, &rule.save())?;
        }
        trainee.save(&mut state)?;
        match (sink.keep)(state) {
            Err(error) if !interrupted => {
                ctx.observer.note(&format!(
                    "the state after update {done} is not kept, the next one is tried again: {error}"
                ));
                Ok(())
            }
            kept => kept,
        }
    }

    /// Returns whether the stop rule had ended the training already.
    fn restore(&mut self, trainee: &mut dyn Trainee, state: &TrainingState) -> Result<bool> {
        if state.step > self.steps {
            return Err(Error::Checkpoint(format!(
                "it was kept after update {}, and this training has {}",
                state.step, self.steps
            )));
        }
        if let Some(rule) = &mut self.stop {
            rule.restore(&state.part(STOP_PART)?)?;
        }
        trainee.restore(state)?;
        state.part(ENDED_PART)
    }
}

fn check_tensors(trainee: &mut dyn Trainee, step: u64) -> Result<()> {
    match trainee.not_finite()? {
        None => Ok(()),
        Some(tensor) => {
            Err(Error::Training { step, problem: format!("{tensor}; lower the learning rate") })
        }
    }
}

#[cfg(test)]
mod tests;
