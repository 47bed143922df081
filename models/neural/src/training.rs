use meg_core::{Error, Event, Observer, Phase, Result};

/// Runs the steps of a training: progress, stop requests, losses that are not finite.
#[derive(Debug, Clone, Copy)]
pub struct TrainingLoop {
    /// Optimiser steps to run.
    pub steps: u64,
}

impl TrainingLoop {
    /// Calls `step` with one-based step numbers. It returns the named losses of the step, which
    /// are checked and reported. Ends early, and well, when the observer asks to finish.
    ///
    /// # Errors
    /// [`Error::Training`] when a loss is not finite, [`Error::Interrupted`] on request, or what
    /// `step` returns.
    pub fn run<const N: usize>(
        &self,
        observer: &mut dyn Observer,
        mut step: impl FnMut(u64) -> Result<[(&'static str, f64); N]>,
    ) -> Result<()> {
        observer.event(&Event::Start { phase: Phase::Train, total: Some(self.steps) });
        for number in 1..=self.steps {
            let losses = step(number)?;
            check_finite(number, &losses)?;
            if !observer.step(Phase::Train, number, &losses)? {
                break;
            }
        }
        observer.event(&Event::End { phase: Phase::Train });
        Ok(())
    }
}

/// Refuses values that are not finite.
///
/// # Errors
/// [`Error::Training`] that names the step and the value.
pub fn check_finite(step: u64, values: &[(&'static str, f64)]) -> Result<()> {
    match values.iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((name, value)) => Err(Error::Training {
            step,
            problem: format!(
                "the {name} is {value}; lower the learning rate or look for extreme values in the table"
            ),
        }),
    }
}
