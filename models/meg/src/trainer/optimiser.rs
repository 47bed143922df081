//! Settings and constants of a step, and the error of a step that was not made.

use meg_core::Error;
use neural::kernels::AdamWStep;
use neural::training::first_not_finite;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f32 = 1e-8;

/// The settings of the optimiser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optimiser {
    /// Steps over which the learning rate rises to its full height.
    pub warmup: u64,
    /// Share of each weight (biases apart) that one unit of learning rate takes away.
    pub decay: f64,
    /// Largest norm of the gradient of all weights together.
    pub clip: f64,
    /// Share of the old running average that is kept, at most.
    pub average: f64,
    /// Share of hidden units that are silent.
    pub dropout: f64,
}

impl Optimiser {
    /// The constants of a step; `steps` counts from 1.
    pub(crate) fn step(&self, steps: u64, rate: f64, norm: f64) -> AdamWStep {
        let step = steps as f64;
        let rate = rate * (step / self.warmup.max(1) as f64).min(1.0);
        AdamWStep {
            // A norm that is no number has stopped the step; 0 is one.
            clip: (self.clip / norm.max(1e-30)).min(1.0) as f32,
            rate: (rate / (1.0 - BETA1.powf(step))) as f32,
            root: (1.0 / (1.0 - BETA2.powf(step)).sqrt()) as f32,
            beta1: BETA1 as f32,
            beta2: BETA2 as f32,
            epsilon: EPSILON,
            shrink: (rate * self.decay) as f32,
            keep: self.average.min((step + 1.0) / (step + 10.0)) as f32,
        }
    }

    /// The bytes below which dice silence a unit, and what the others are multiplied by.
    pub(crate) fn silence(&self) -> (u8, f32) {
        let silent = (self.dropout * 256.0).round() as u8;
        (silent, 256.0 / (256.0 - f32::from(silent)))
    }
}

/// A step that was not made, because a gradient is not finite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NotFinite {
    /// The loss of the step.
    pub loss: f64,
    /// A sentence about the gradient.
    pub tensor: String,
}

/// The mean loss of a step.
pub(crate) type Stepped = std::result::Result<f64, NotFinite>;

impl NotFinite {
    /// Looks for the gradient that made the norm no number.
    pub(crate) fn of<'g>(
        loss: f64,
        gradients: impl Iterator<Item = (String, &'g [f32])> + Clone,
    ) -> Self {
        let of = gradients.clone().map(|(name, cells)| (format!("the gradient of {name}"), cells));
        let tensor = first_not_finite(of).unwrap_or_else(|| {
            let largest = |cells: &[f32]| cells.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let all = gradients.map(|(name, cells)| (largest(cells), name));
            let most = all.max_by(|a, b| a.0.total_cmp(&b.0));
            let (cell, name) = most.unwrap_or_default();
            format!("the gradient of {name} holds {cell}, of which there is no square")
        });
        Self { loss, tensor }
    }

    /// The error of the update with this number.
    pub(crate) fn at(self, step: u64) -> Error {
        let Self { loss, tensor } = self;
        let problem = format!("the loss is {loss} and {tensor}; lower the learning rate");
        Error::Training { step, problem }
    }
}
