//! The updates on the CPU: every gradient written out, no allocation in a step.
//!
//! Three identities keep the work small. A one-hot input is a gather of weight rows. The first
//! layer is linear, so that the interpolate's pre-activation is the mix of the two sides'
//! pre-activations. And the discriminator is piecewise linear, so that its input gradient is a
//! product of weights and slopes (models.md 1.4) whose own backward pass shares the products of
//! the two other groups of rows: the packs of real, generated and mixed rows travel stacked.

mod discriminator;
mod generator;

use crate::Ctgan;
use crate::batch::{CriticBatch, GeneratorBatch, GeneratorInput};
use crate::conditions::ConditionSpace;
use crate::network::{Critic, Generator};
use neural::Adam;
use neural::kernels::{Heads, batch_norm_relu};
use transforms::Encoded;

/// Slope of the leaky ReLU below 0.
pub(crate) const LEAK: f32 = 0.2;

/// Losses of one update of the discriminator.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CriticLosses {
    /// Mean score of generated packs minus that of real packs.
    pub wasserstein: f64,
    /// The weighted gradient penalty.
    pub penalty: f64,
}

/// Losses of one update of the generator.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GeneratorLosses {
    /// Minus the mean score of generated packs.
    pub adversarial: f64,
    /// Cross entropy of the conditions.
    pub cross_entropy: f64,
}

/// The networks in training, with every buffer that a step needs.
#[derive(Debug)]
pub(crate) struct FusedTrainer {
    pub generator: Generator,
    pub critic: Critic,
    heads: Heads,
    pac: usize,
    penalty: f32,
    adam: [Adam; 2],
    threads: usize,
    /// Row buffers of the generator: `[noise, layer 1, …]`.
    buffer: Vec<f32>,
    /// Normalised cells of each generator layer.
    normalised: Vec<Vec<f32>>,
    logits: Vec<f32>,
    /// The rows of the generated packs, then the input gradients of the mixed packs.
    stack: Vec<f32>,
    /// Input gradients of the mixed packs at the conditions.
    condition_gradient: Vec<f32>,
    /// Per hidden layer of the discriminator, the activations of the stacked packs.
    active: Vec<Vec<f32>>,
    /// Per hidden layer, slopes (times dropout masks) of the stacked packs.
    slopes: Vec<Vec<f32>>,
    /// Per hidden layer, what flows back to its pre-activations.
    down: Vec<Vec<f32>>,
    /// Gradient of the generator's buffer, and of one layer before its normalisation.
    up: Vec<f32>,
    before: Vec<f32>,
}

/// The generator's and the discriminator's optimiser.
pub(crate) fn optimisers(recipe: &Ctgan) -> [Adam; 2] {
    let adam = |rate: f64, decay: f64| Adam {
        rate: rate as f32,
        beta1: 0.5,
        beta2: 0.9,
        epsilon: 1e-8,
        weight_decay: decay as f32,
    };
    [
        adam(recipe.generator_lr, recipe.generator_decay),
        adam(recipe.discriminator_lr, recipe.discriminator_decay),
    ]
}

impl FusedTrainer {
    pub(crate) fn new(
        recipe: &Ctgan,
        generator: Generator,
        critic: Critic,
        heads: Heads,
        threads: usize,
    ) -> Self {
        let (rows, packs) = (recipe.batch_size, recipe.batch_size / recipe.pac);
        let layers = || recipe.discriminator_dim.iter().map(|units| vec![0.0; 3 * packs * units]);
        Self {
            pac: recipe.pac,
            penalty: recipe.gradient_penalty as f32,
            adam: optimisers(recipe),
            threads,
            buffer: vec![0.0; rows * generator.stride()],
            normalised: recipe.generator_dim.iter().map(|units| vec![0.0; rows * units]).collect(),
            logits: vec![0.0; rows * heads.width()],
            stack: vec![0.0; 2 * rows * heads.width()],
            condition_gradient: vec![0.0; packs * critic.first.onehot.shape[0]],
            active: layers().collect(),
            slopes: layers().collect(),
            down: layers().collect(),
            up: vec![0.0; rows * generator.stride()],
            before: Vec::new(),
            generator,
            critic,
            heads,
        }
    }

    /// The generated rows of the latest batch, row-major.
    #[cfg(test)]
    pub(crate) fn generated_rows(&self) -> &[f32] {
        &self.stack
    }

    /// One update of the discriminator; `step` counts its updates from 1.
    pub(crate) fn critic_step(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
        step: u64,
    ) -> CriticLosses {
        let losses = self.critic_gradients(encoded, batch);
        let adam = self.adam[1];
        self.critic.parameters_mut().into_iter().for_each(|parameter| parameter.step(&adam, step));
        losses
    }

    /// One update of the generator; `step` counts its updates from 1.
    pub(crate) fn generator_step(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
        step: u64,
    ) -> GeneratorLosses {
        let losses = self.generator_gradients(space, batch);
        let adam = self.adam[0];
        self.generator
            .parameters_mut()
            .into_iter()
            .for_each(|parameter| parameter.step(&adam, step));
        losses
    }

    /// Runs the generator in training mode; the rows go to the head of `stack`.
    fn generate(&mut self, input: &GeneratorInput) {
        let stride = self.generator.stride();
        let noise = self.generator.layers.first().map_or(stride, |(linear, _)| linear.inputs());
        for (row, noise) in
            self.buffer.chunks_exact_mut(stride).zip(input.noise.chunks_exact(noise))
        {
            row[..noise.len()].copy_from_slice(noise);
        }
        for ((linear, norm), cells) in self.generator.layers.iter_mut().zip(&mut self.normalised) {
            linear.forward(&self.buffer, stride, &input.units, cells, self.threads);
            batch_norm_relu(norm, cells, &mut self.buffer[linear.inputs()..], stride);
        }
        let output = &self.generator.output;
        output.forward(&self.buffer, stride, &input.units, &mut self.logits, self.threads);
        let rows = self.logits.len();
        self.heads.forward(&self.logits, &input.gumbel, &mut self.stack[..rows]);
    }
}
