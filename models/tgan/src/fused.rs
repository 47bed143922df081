//! One step of the training on the CPU, with every gradient written out.

use crate::Tgan;
use crate::batch::Batch;
use crate::columns::{Output, Step};
use crate::critic::Pass;
use crate::lane::{Lane, fill_gradients, width};
use crate::network::{Discriminator, Generator};
use neural::kernels::right_share;
use neural::training::NamedParts;
use neural::{Adam, Parameter, Threads, step_all};

/// Losses of one step. Weight decay is not among them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Losses {
    /// Cross entropy of the generated rows against "real".
    pub adversarial: f64,
    /// Divergence of the generated from the real shares, summed over the steps that have shares;
    /// without its weight.
    pub divergence: f64,
    /// The discriminator's cross entropy.
    pub discriminator: f64,
    /// Share of the rows, real and generated, that it tells rightly.
    pub accuracy: f64,
}

/// Added to shares under the logarithm of the divergence.
pub(crate) const SHARE_FLOOR: f64 = 1e-4;

/// The networks in training, with every buffer that a step needs.
#[derive(Debug)]
pub(crate) struct FusedTrainer {
    pub generator: Generator,
    pub critic: Discriminator,
    steps: Vec<Step>,
    threads: Threads,
    adam: Adam,
    decay: f32,
    limit: f32,
    real_weight: f64,
    divergence_weight: f64,
    lanes: [Lane; 2],
    real: Pass,
    generated: Pass,
    /// Generated rows, row-major, and their gradient.
    rows: Vec<f32>,
    row_gradient: Vec<f32>,
}

/// Adam as the source sets it. Weight decay is added before gradients are cut, so not here.
pub(crate) fn optimiser(recipe: &Tgan) -> Adam {
    Adam {
        rate: recipe.learning_rate as f32,
        beta1: 0.5,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
    }
}

impl FusedTrainer {
    pub(crate) fn new(
        recipe: &Tgan,
        steps: &[Step],
        generator: Generator,
        critic: Discriminator,
        threads: &Threads,
    ) -> Self {
        Self {
            generator,
            critic,
            steps: steps.to_vec(),
            threads: threads.clone(),
            adam: optimiser(recipe),
            decay: recipe.weight_decay as f32,
            limit: recipe.clip_gradient as f32,
            real_weight: recipe.real_weight,
            divergence_weight: recipe.divergence_weight,
            lanes: Default::default(),
            real: Pass::default(),
            generated: Pass::default(),
            rows: Vec::new(),
            row_gradient: Vec::new(),
        }
    }

    /// One update of both networks; `number` counts from 1.
    pub(crate) fn update(&mut self, batch: &Batch, number: u64) -> Losses {
        let threads = self.threads.clone();
        // Inside the pool, so that what is spread further stays on its threads.
        let (losses, ()) = threads.join(
            || {
                let losses = self.gradients(batch);
                let (adam, threads) = (self.adam, self.threads.clone());
                let named = self.named_mut().into_iter();
                let parameters = named.map(|(_, parameter)| parameter).collect();
                step_all(parameters, &adam, number, &threads);
                losses
            },
            || (),
        );
        losses
    }

    /// Fills the gradient of every parameter, weight decay included, cut. Both networks are looked
    /// at in one pass before either moves, as the source's graph does.
    pub(crate) fn gradients(&mut self, batch: &Batch) -> Losses {
        self.forward(batch);
        let losses = self.backward(batch);
        let (decay, limit) = (self.decay, self.limit);
        for (_, parameter) in self.named_mut() {
            for (gradient, value) in parameter.gradient.iter_mut().zip(&parameter.value) {
                *gradient = (*gradient + decay * value).clamp(-limit, limit);
            }
        }
        losses
    }

    fn forward(&mut self, batch: &Batch) {
        let Self { generator, critic, steps, threads, lanes, real, generated, rows, .. } = self;
        let middle = batch.rows / 2;
        rows.resize(batch.rows * width(steps), 0.0);
        let (first, second) = rows.split_at_mut(middle * width(steps));
        let (noise, other_noise) = batch.noise.split_at(middle * generator.noise_units());
        let [one, other] = lanes;
        threads.join(
            || one.forward(generator, steps, noise, first, true),
            || other.forward(generator, steps, other_noise, second, true),
        );
        threads.join(
            || real.forward(critic, batch.rows, &batch.real, &batch.masks, 0),
            || generated.forward(critic, batch.rows, rows, &batch.masks, 1),
        );
    }

    fn backward(&mut self, batch: &Batch) -> Losses {
        let Self { generator, critic, steps, threads, lanes, real, generated, rows, .. } = self;
        let (real_weight, weight) = (self.real_weight, self.divergence_weight);
        let (wrong, to_fool) = cross_entropy(&generated.logits, 1.0, 1.0);
        let (taken, to_tell_generated) = cross_entropy(&generated.logits, 0.0, 0.5);
        let (missed, to_tell_real) = cross_entropy(&real.logits, 1.0, 0.5 * real_weight);
        let gradient = &mut self.row_gradient;
        gradient.resize(rows.len(), 0.0);
        generated.input_gradient(critic, &to_fool, gradient);
        let divergence = divergence(steps, rows, &batch.real, weight, gradient);
        let middle = batch.rows / 2;
        let (first, second) = gradient.split_at(middle * width(steps));
        let (noise, other_noise) = batch.noise.split_at(middle * generator.noise_units());
        let [one, other] = &mut *lanes;
        threads.join(
            || one.backward(generator, steps, first),
            || other.backward(generator, steps, second),
        );
        threads.join(
            || fill_gradients(generator, steps, lanes, [noise, other_noise], threads),
            || {
                real.weight_gradients(critic, &batch.real, &to_tell_real, 0.0);
                generated.weight_gradients(critic, rows, &to_tell_generated, 1.0);
            },
        );
        Losses {
            adversarial: wrong,
            divergence,
            discriminator: 0.5 * (real_weight * missed + taken),
            accuracy: 0.5
                * (right_share(&real.logits, true) + right_share(&generated.logits, false)),
        }
    }
}

impl NamedParts for FusedTrainer {
    fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let mut all = self.generator.named_mut();
        all.extend(self.critic.named_mut());
        all
    }
}

/// The binary cross entropy of logits against one target, averaged, and `weight` times its
/// gradient.
fn cross_entropy(logits: &[f32], target: f64, weight: f64) -> (f64, Vec<f32>) {
    let rows = logits.len() as f64;
    let (mut loss, mut gradient) = (0.0, Vec::with_capacity(logits.len()));
    for &logit in logits {
        let logit = f64::from(logit);
        loss += logit.max(0.0) - target * logit + (-logit.abs()).exp().ln_1p();
        let chance = 1.0 / (1.0 + (-logit).exp());
        gradient.push((weight * (chance - target) / rows) as f32);
    }
    // `max` lets a NaN through as 0; the sum of all logits does not.
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit)).sum();
    (if sum.is_nan() { f64::NAN } else { loss / rows }, gradient)
}

/// The divergence of the generated from the real shares of every step that has shares: `sum p
/// (log(p + 1e-4) - log(q + 1e-4))`, where p and q are the mean shares of generated and real rows.
/// Adds its gradient, times `weight`, to that of the generated rows.
fn divergence(
    steps: &[Step],
    generated: &[f32],
    real: &[f32],
    weight: f64,
    gradient: &mut [f32],
) -> f64 {
    let units = width(steps);
    let (sums, real_sums) = (column_sums(generated, units), column_sums(real, units));
    let (mut total, mut sent) = (0.0, vec![0.0f32; units]);
    for step in steps.iter().filter(|step| step.output != Output::Place) {
        let own = step.start..step.start + step.width;
        let (p_sum, q_sum) =
            (sums[own.clone()].iter().sum::<f64>(), real_sums[own.clone()].iter().sum::<f64>());
        let share = |at: usize| sums[at] / p_sum;
        let ratio =
            |at: usize| (share(at) + SHARE_FLOOR).ln() - (real_sums[at] / q_sum + SHARE_FLOOR).ln();
        let slope = |at: usize| ratio(at) + share(at) / (share(at) + SHARE_FLOOR);
        total += own.clone().map(|at| share(at) * ratio(at)).sum::<f64>();
        let mean: f64 = own.clone().map(|at| share(at) * slope(at)).sum();
        for at in own {
            sent[at] = (weight * (slope(at) - mean) / p_sum) as f32;
        }
    }
    for row in gradient.chunks_exact_mut(units) {
        row.iter_mut().zip(&sent).for_each(|(cell, sent)| *cell += sent);
    }
    total
}

fn column_sums(cells: &[f32], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for row in cells.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, &cell)| *sum += f64::from(cell));
    }
    sums
}
