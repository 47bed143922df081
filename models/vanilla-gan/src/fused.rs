//! The update on the CPU: every gradient written out.

use crate::batch::Batch;
use crate::network::{AVERAGE, DROPPED, Discriminator, Generator, NETWORKS};
use crate::settings::VanillaGan;
use neural::kernels::{relu, relu_dropout_backward, right_share, scale_by};
use neural::training::{NamedParts, Statistic};
use neural::{Adam, Dense, Parameter, Threads};

/// Losses of one update.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Losses {
    /// The discriminator's on training rows.
    pub real: f64,
    /// The discriminator's on generated rows, after it has learned from the training rows.
    pub fake: f64,
    /// The generator's, after both.
    pub generator: f64,
    /// Share of the rows of the first two that the discriminator tells rightly there.
    pub accuracy: f64,
}

/// An optimiser's step of one of the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The discriminator's on training rows.
    Real,
    /// The discriminator's on generated rows.
    Fake,
    /// The generator's.
    Generator,
}

/// The settings under which our Adam takes the step that Keras's takes, and the network's own count
/// of steps, in the update of this number. Keras adds epsilon before it corrects the second moment, and
/// one optimiser of two networks corrects by the steps of both.
pub(crate) fn optimiser(recipe: &VanillaGan, turn: Turn, number: u64) -> (Adam, u64) {
    let (own, of_both) = match turn {
        Turn::Real => (2 * number - 1, 3 * number - 2),
        Turn::Fake => (2 * number, 3 * number - 1),
        Turn::Generator => (number, 3 * number),
    };
    let told = if recipe.shared_optimiser { of_both } else { own };
    // Of the decays that our Adam has, not of those that the recipe writes.
    let (beta1, beta2) = (recipe.beta1 as f32, recipe.beta2 as f32);
    let left = |beta: f32, steps: u64| 1.0 - f64::from(beta).powf(steps as f64);
    let root = 1.0 / left(beta2, own).sqrt();
    let rate = recipe.learning_rate * left(beta2, told).sqrt() / left(beta1, told);
    let adam = Adam {
        rate: (rate * root * left(beta1, own)) as f32,
        beta1,
        beta2,
        epsilon: (recipe.epsilon * root) as f32,
        weight_decay: 0.0,
    };
    (adam, own)
}

/// The networks in training, with every buffer that a step needs.
#[derive(Debug)]
pub(crate) struct FusedTrainer {
    pub generator: Generator,
    pub discriminator: Discriminator,
    recipe: VanillaGan,
    threads: Threads,
    /// Outputs of each layer of the generator, the last of which are records.
    made: Vec<Vec<f32>>,
    /// The same of the discriminator.
    judged: Vec<Vec<f32>>,
    /// Moving averages of the generator's parameters, in their order; empty without them.
    averages: Vec<Vec<f32>>,
    /// What flows back to the outputs of a layer, and to its inputs.
    down: Vec<f32>,
    up: Vec<f32>,
}

impl FusedTrainer {
    pub(crate) fn new(
        recipe: &VanillaGan,
        mut generator: Generator,
        discriminator: Discriminator,
        threads: &Threads,
    ) -> Self {
        let averages = match recipe.average {
            0.0 => Vec::new(),
            _ => generator.named_mut().iter().map(|(_, cells)| cells.value.clone()).collect(),
        };
        Self {
            averages,
            recipe: recipe.clone(),
            threads: threads.clone(),
            made: vec![Vec::new(); generator.layers.len()],
            judged: vec![Vec::new(); discriminator.layers.len()],
            down: Vec::new(),
            up: Vec::new(),
            generator,
            discriminator,
        }
    }

    /// One update; `number` counts from 1.
    pub(crate) fn update(&mut self, batch: &Batch, number: u64) -> Losses {
        let real = self.judge(&batch.real, batch, 0, true);
        let right = right_share(self.logits(), true);
        self.discriminator_learns(&batch.real, batch.rows, Turn::Real, number);
        self.make(&batch.noise[0], batch.rows);
        let records = self.take_records();
        let fake = self.judge(&records, batch, 1, false);
        let right = right + right_share(self.logits(), false);
        self.discriminator_learns(&records, batch.rows, Turn::Fake, number);
        self.give_back(records);
        self.make(&batch.noise[1], batch.rows);
        let records = self.take_records();
        let generator = self.judge(&records, batch, 2, true);
        self.give_back(records);
        self.generator_learns(&batch.noise[1], batch.rows, number);
        Losses { real, fake, generator, accuracy: 0.5 * right }
    }

    /// The generator that rows are drawn by.
    pub(crate) fn generator(mut self) -> Generator {
        for (average, (_, parameter)) in self.averages.into_iter().zip(self.generator.named_mut()) {
            parameter.value = average;
        }
        self.generator
    }

    /// The records lie in a buffer of this trainer, which the discriminator is to write to.
    fn take_records(&mut self) -> Vec<f32> {
        let last = self.made.len() - 1;
        std::mem::take(&mut self.made[last])
    }

    fn give_back(&mut self, records: Vec<f32>) {
        let last = self.made.len() - 1;
        self.made[last] = records;
    }

    /// Records from noise.
    fn make(&mut self, noise: &[f32], rows: usize) {
        let (threads, layers) = (self.threads.count(), &self.generator.layers);
        for (at, layer) in layers.iter().enumerate() {
            let (before, rest) = self.made.split_at_mut(at);
            let inputs = before.last().map_or(noise, Vec::as_slice);
            layer.forward(inputs, &mut rest[0], rows, threads);
            if at + 1 < layers.len() {
                relu(&mut rest[0]);
            }
        }
    }

    /// The discriminator's logits of records, under the masks of a pass; the mean loss of taking them
    /// all for real (or all for generated), and in `down` its gradient.
    fn judge(&mut self, records: &[f32], batch: &Batch, pass: usize, for_real: bool) -> f64 {
        let (threads, layers) = (self.threads.count(), &self.discriminator.layers);
        for (at, layer) in layers.iter().enumerate() {
            let (before, rest) = self.judged.split_at_mut(at);
            let inputs = before.last().map_or(records, Vec::as_slice);
            layer.forward(inputs, &mut rest[0], batch.rows, threads);
            if at + 1 < layers.len() {
                relu(&mut rest[0]);
            }
            if at < DROPPED && self.recipe.dropout > 0.0 {
                scale_by(&mut rest[0], &batch.masks[pass][at]);
            }
        }
        let sign = if for_real { -1.0 } else { 1.0 };
        self.down.clear();
        let mut loss = 0.0;
        for &logit in &self.judged[layers.len() - 1] {
            // softplus of minus the logit for real rows, of the logit for generated ones.
            let x = sign * f64::from(logit);
            loss += x.max(0.0) + (-x.abs()).exp().ln_1p();
            let share = 1.0 / (1.0 + (-x).exp());
            self.down.push((sign * share / batch.rows as f64) as f32);
        }
        loss / batch.rows as f64
    }

    /// Those of the last judgement.
    fn logits(&self) -> &[f32] {
        &self.judged[self.judged.len() - 1]
    }

    fn discriminator_learns(&mut self, records: &[f32], rows: usize, turn: Turn, number: u64) {
        let threads = self.threads.count();
        for at in (0..self.discriminator.layers.len()).rev() {
            self.through_activation(at);
            let layer = &mut self.discriminator.layers[at];
            let inputs = if at == 0 { records } else { &self.judged[at - 1] };
            layer.backward(inputs, &self.down, rows, threads);
            if at > 0 {
                layer.input_gradient(&self.down, &mut self.up, rows, threads);
                std::mem::swap(&mut self.up, &mut self.down);
            }
        }
        let (adam, step) = optimiser(&self.recipe, turn, number);
        Dense::step_all(&mut self.discriminator.layers, &adam, step, &self.threads);
    }

    fn generator_learns(&mut self, noise: &[f32], rows: usize, number: u64) {
        let threads = self.threads.count();
        for at in (0..self.discriminator.layers.len()).rev() {
            self.through_activation(at);
            let layer = &self.discriminator.layers[at];
            layer.input_gradient(&self.down, &mut self.up, rows, threads);
            std::mem::swap(&mut self.up, &mut self.down);
        }
        let last = self.generator.layers.len() - 1;
        for at in (0..=last).rev() {
            if at < last {
                relu_dropout_backward(&mut self.down, &self.made[at], 1.0);
            }
            let layer = &mut self.generator.layers[at];
            let inputs = if at == 0 { noise } else { &self.made[at - 1] };
            layer.backward(inputs, &self.down, rows, threads);
            if at > 0 {
                layer.input_gradient(&self.down, &mut self.up, rows, threads);
                std::mem::swap(&mut self.up, &mut self.down);
            }
        }
        let (adam, step) = optimiser(&self.recipe, Turn::Generator, number);
        Dense::step_all(&mut self.generator.layers, &adam, step, &self.threads);
        let past = self.recipe.average as f32;
        for (average, (_, new)) in self.averages.iter_mut().zip(self.generator.named_mut()) {
            for (average, new) in average.iter_mut().zip(&new.value) {
                *average = past * *average + (1.0 - past) * new;
            }
        }
    }

    /// From the gradient behind the activation of a layer of the discriminator to that before it. The
    /// last layer has none.
    fn through_activation(&mut self, at: usize) {
        if at + 1 == self.discriminator.layers.len() {
            return;
        }
        let dropped = at < DROPPED && self.recipe.dropout > 0.0;
        let scale = if dropped { 1.0 / (1.0 - self.recipe.dropout as f32) } else { 1.0 };
        relu_dropout_backward(&mut self.down, &self.judged[at], scale);
    }
}

impl NamedParts for FusedTrainer {
    fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let [one, other] = NETWORKS;
        let generator = self.generator.named_mut().into_iter();
        let discriminator = self.discriminator.named_mut().into_iter();
        let named = generator.map(|(name, cells)| (format!("{one}{name}"), cells));
        named.chain(discriminator.map(|(name, cells)| (format!("{other}{name}"), cells))).collect()
    }

    fn statistics_mut(&mut self) -> Vec<Statistic<'_>> {
        let named = self.generator.named_mut().into_iter().zip(&mut self.averages);
        let average = |((name, parameter), cells): ((String, &mut Parameter), _)| Statistic {
            name: format!("{AVERAGE}{name}"),
            shape: parameter.shape.clone(),
            cells,
            squares: false,
        };
        named.map(average).collect()
    }
}
