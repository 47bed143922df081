//! The updates on the CPU: every gradient written out. A step allocates nothing of the size of a
//! batch or a weight; a few vectors as long as a layer is wide remain.
//!
//! Three identities keep the work small. A one-hot input is a gather of weight rows. The first
//! layer is linear, so that the interpolate's pre-activation is the mix of the two sides'
//! pre-activations. And the discriminator is piecewise linear, so that its input gradient is a
//! product of weights and slopes (models.md 1.4) whose own backward pass shares the products of
//! the two other groups of rows: the packs of real, generated and mixed rows travel stacked.

mod discriminator;
mod forward;
mod generator;

use crate::Ctgan;
use crate::batch::{Batches, CriticBatch, GeneratorBatch};
use crate::conditions::ConditionSpace;
use crate::network::{Critic, Generator};
use forward::Forward;
use neural::kernels::Heads;
use neural::{Adam, Threads, step_all};
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
    threads: Threads,
    /// The generator's pass for the discriminator's update. Its rows follow the dense training
    /// rows, where those are used.
    for_critic: Forward,
    /// The generator's pass for its own update.
    for_generator: Forward,
    /// Whether training rows are multiplied as dense rows instead of gathered.
    dense_rows: bool,
    /// Input gradients of the mixed packs at the rows, one column per pack; or the gradient at the
    /// generated rows, row-major.
    row_gradient: Vec<f32>,
    /// The latter with one column per pack.
    turned: Vec<f32>,
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

/// Gathering the weights of a training row costs as much per unit that is not 0 as multiplying
/// the dense row costs for this many units.
const DENSE_UNITS: usize = 5;

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
    /// `units` are the cells of an encoded training row that may differ from 0.
    pub(crate) fn new(
        recipe: &Ctgan,
        generator: Generator,
        critic: Critic,
        heads: Heads,
        units: usize,
        threads: &Threads,
    ) -> Self {
        let (rows, packs) = (recipe.batch_size, recipe.batch_size / recipe.pac);
        let layers = || recipe.discriminator_dim.iter().map(|units| vec![0.0; 3 * packs * units]);
        let cells = rows * heads.width();
        let dense_rows = heads.width() <= DENSE_UNITS * units;
        Self {
            pac: recipe.pac,
            penalty: recipe.gradient_penalty as f32,
            adam: optimisers(recipe),
            threads: threads.clone(),
            for_critic: Forward::new(&generator, rows, if dense_rows { cells } else { 0 }),
            for_generator: Forward::new(&generator, rows, 0),
            dense_rows,
            row_gradient: vec![0.0; cells],
            turned: Vec::new(),
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

    /// The generated rows of the latest update of the discriminator, row-major.
    #[cfg(test)]
    pub(crate) fn generated_rows(&self) -> &[f32] {
        self.for_critic.rows()
    }

    /// One update of the generator and those of the discriminator before it. `number` counts the
    /// updates of the generator from 1.
    pub(crate) fn update(
        &mut self,
        encoded: &Encoded,
        space: &ConditionSpace,
        batches: &Batches,
        number: u64,
    ) -> (CriticLosses, GeneratorLosses) {
        let mut losses = CriticLosses::default();
        let last = batches.critic.len() - 1;
        for (at, batch) in batches.critic.iter().enumerate() {
            // The generator does not change before its own update: its two last passes are one
            // piece of work for two threads.
            let ahead = (at == last).then_some(&batches.generator);
            self.generate(batch, ahead);
            let step = (number - 1) * batches.critic.len() as u64 + at as u64 + 1;
            losses = self.critic_update(encoded, batch, step);
        }
        (losses, self.generator_update(space, &batches.generator, number))
    }

    /// The generator's passes in training mode.
    fn generate(&mut self, critic: &CriticBatch, ahead: Option<&GeneratorBatch>) {
        let (generator, heads) = (&self.generator, &self.heads);
        let threads = self.threads.count();
        let Some(batch) = ahead else {
            self.for_critic.run(generator, heads, &critic.generator, threads);
            return self.for_critic.follow(&mut self.generator);
        };
        let (first, second) = (&mut self.for_critic, &mut self.for_generator);
        let each = threads.div_ceil(2);
        self.threads.join(
            || first.run(generator, heads, &critic.generator, each),
            || second.run(generator, heads, &batch.generator, each),
        );
        self.for_critic.follow(&mut self.generator);
        self.for_generator.follow(&mut self.generator);
    }

    /// One update of the discriminator alone; `step` counts its updates from 1.
    pub(crate) fn critic_step(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
        step: u64,
    ) -> CriticLosses {
        self.generate(batch, None);
        self.critic_update(encoded, batch, step)
    }

    /// One update of the generator alone; `step` counts its updates from 1.
    pub(crate) fn generator_step(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
        step: u64,
    ) -> GeneratorLosses {
        let threads = self.threads.count();
        self.for_generator.run(&self.generator, &self.heads, &batch.generator, threads);
        self.for_generator.follow(&mut self.generator);
        self.generator_update(space, batch, step)
    }

    fn critic_update(&mut self, encoded: &Encoded, batch: &CriticBatch, step: u64) -> CriticLosses {
        let losses = self.critic_gradients(encoded, batch);
        step_all(self.critic.parameters_mut(), &self.adam[1], step, &self.threads);
        losses
    }

    fn generator_update(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
        step: u64,
    ) -> GeneratorLosses {
        let losses = self.generator_gradients(space, batch);
        step_all(self.generator.parameters_mut(), &self.adam[0], step, &self.threads);
        losses
    }
}
