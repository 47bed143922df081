//! The updates on the CPU: every gradient written out, no allocation in a step.
//!
//! Three identities keep the work small. A one-hot input is a gather of weight rows. The first
//! layer is linear, so that the interpolate's pre-activation is the mix of the two sides'
//! pre-activations. And the discriminator is piecewise linear, so that its input gradient is a
//! product of weights and slopes (models.md 1.4) whose own backward pass shares the products of
//! the two other groups of rows: the packs of real, generated and mixed rows travel stacked.

use crate::Ctgan;
use crate::batch::{CriticBatch, GeneratorBatch, GeneratorInput};
use crate::conditions::ConditionSpace;
use crate::network::{Critic, Generator};
use neural::kernels::{
    Heads, Matrix, MatrixMut, add_column_sums, add_rows, batch_norm_relu, batch_norm_relu_backward,
    fill_rows, leaky_dropout, multiply, scale_by, scatter_rows,
};
use neural::{Adam, Parameter};
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

    /// Fills the gradients of the discriminator.
    pub(crate) fn critic_gradients(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
    ) -> CriticLosses {
        self.generate(&batch.generator);
        let packs = batch.mix.len();
        for (slopes, masks) in self.slopes.iter_mut().zip(&batch.masks) {
            slopes.copy_from_slice(masks);
        }
        self.first_layer_real(encoded, batch);
        self.first_layer_generated(&batch.generator.units, packs, packs);
        self.first_layer_mixed(&batch.mix);
        let scores = self.critic_forward(3 * packs);
        let mean =
            |scores: &[f32]| scores.iter().map(|&x| f64::from(x)).sum::<f64>() / packs as f64;
        let wasserstein = mean(&scores[packs..2 * packs]) - mean(&scores[..packs]);

        // What the loss, and for the mixed packs the score itself, gives back per pack.
        let share = 1.0 / packs as f32;
        let back: Vec<f32> =
            (0..3 * packs).map(|pack| [-share, share, 1.0][pack / packs]).collect();
        self.critic_backward(&back);
        let penalty = self.penalise(packs);
        self.critic_weight_gradients(encoded, batch, &back);
        CriticLosses { wasserstein, penalty }
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

    fn first_layer_real(&mut self, encoded: &Encoded, batch: &CriticBatch) {
        let (pac, width) = (self.pac, self.heads.width());
        let first = &self.critic.first;
        let conditions = first.onehot.shape[0] / pac;
        let outputs = first.outputs();
        for (pack, out) in
            self.active[0].chunks_exact_mut(outputs).take(batch.mix.len()).enumerate()
        {
            out.copy_from_slice(&first.bias.value);
            for slot in 0..pac {
                let row = pack * pac + slot;
                add_rows(
                    out,
                    &first.dense.value,
                    row_units(encoded, batch.rows[row], slot * width),
                );
                let unit =
                    batch.units.get(row).map(|&unit| (slot * conditions + unit as usize, 1.0));
                add_rows(out, &first.onehot.value, unit.into_iter());
            }
        }
    }

    /// Pre-activations of the generated packs, into the packs from `at` on.
    fn first_layer_generated(&mut self, units: &[u32], packs: usize, at: usize) {
        let (pac, width) = (self.pac, self.heads.width());
        let first = &self.critic.first;
        let conditions = first.onehot.shape[0] / pac;
        let outputs = first.outputs();
        let out = &mut self.active[0][at * outputs..(at + packs) * outputs];
        fill_rows(out, &first.bias.value, &[], &[]);
        for (pack, out) in out.chunks_exact_mut(outputs).enumerate() {
            for slot in 0..pac {
                let unit = units.get(pack * pac + slot);
                let unit = unit.map(|&unit| (slot * conditions + unit as usize, 1.0));
                add_rows(out, &first.onehot.value, unit.into_iter());
            }
        }
        multiply(
            &mut MatrixMut::new(out, packs, outputs),
            1.0,
            Matrix::new(&self.stack[..packs * pac * width], packs, pac * width),
            Matrix::new(&first.dense.value, pac * width, outputs),
            self.threads,
        );
    }

    fn first_layer_mixed(&mut self, mix: &[f32]) {
        let outputs = self.critic.first.outputs();
        let group = mix.len() * outputs;
        let (sides, mixed) = self.active[0].split_at_mut(2 * group);
        let (real, generated) = sides.split_at(group);
        for (pack, &share) in mix.iter().enumerate() {
            let cells = pack * outputs..(pack + 1) * outputs;
            let sides = real[cells.clone()].iter().zip(&generated[cells.clone()]);
            for (cell, (&real, &generated)) in mixed[cells].iter_mut().zip(sides) {
                *cell = share * real + (1.0 - share) * generated;
            }
        }
    }

    /// Activations of all hidden layers for the first `packs` stacked packs, and their scores.
    fn critic_forward(&mut self, packs: usize) -> Vec<f32> {
        for at in 0..self.active.len() {
            let outputs = self.active_width(at);
            if at > 0 {
                let (below, here) = self.active.split_at_mut(at);
                let (weight, bias) = &self.critic.hidden[at - 1];
                let inputs = weight.shape[0];
                let out = &mut here[0][..packs * outputs];
                fill_rows(out, &bias.value, &[], &[]);
                multiply(
                    &mut MatrixMut::new(out, packs, outputs),
                    1.0,
                    Matrix::new(&below[at - 1][..packs * inputs], packs, inputs),
                    Matrix::new(&weight.value, inputs, outputs),
                    self.threads,
                );
            }
            let cells = packs * outputs;
            leaky_dropout(&mut self.active[at][..cells], &mut self.slopes[at][..cells], LEAK);
        }
        let last = self.active.len() - 1;
        let outputs = self.active_width(last);
        let bias = self.critic.output_bias.value[0];
        let score = |row: &[f32]| bias + dot(row, &self.critic.output.value);
        self.active[last].chunks_exact(outputs).take(packs).map(score).collect()
    }

    fn active_width(&self, layer: usize) -> usize {
        match layer {
            0 => self.critic.first.outputs(),
            _ => self.critic.hidden[layer - 1].0.shape[1],
        }
    }

    /// From what each score gets back, what each pre-activation gets back.
    fn critic_backward(&mut self, back: &[f32]) {
        let packs = back.len();
        let last = self.down.len() - 1;
        let outputs = self.active_width(last);
        for (row, &back) in self.down[last].chunks_exact_mut(outputs).zip(back) {
            for (cell, &weight) in row.iter_mut().zip(&self.critic.output.value) {
                *cell = back * weight;
            }
        }
        scale_by(&mut self.down[last][..packs * outputs], &self.slopes[last]);
        for at in (0..last).rev() {
            let (inputs, outputs) = (self.active_width(at), self.active_width(at + 1));
            let (here, above) = self.down.split_at_mut(at + 1);
            let out = &mut here[at][..packs * inputs];
            let weight = &self.critic.hidden[at].0.value;
            multiply(
                &mut MatrixMut::new(out, packs, inputs),
                0.0,
                Matrix::new(&above[0][..packs * outputs], packs, outputs),
                Matrix::new(weight, inputs, outputs).transposed(),
                self.threads,
            );
            scale_by(out, &self.slopes[at]);
        }
    }

    /// The gradient penalty on the mixed packs. Leaves the scaled input gradients in the tail of
    /// `stack` and in `condition_gradient`, and overwrites the activations of the mixed packs by
    /// what the penalty sends up through the layers, so that the weight gradients of all three
    /// groups are one product per layer.
    fn penalise(&mut self, packs: usize) -> f64 {
        let first = &self.critic.first;
        let (inputs, conditions) = (first.dense.shape[0], first.onehot.shape[0]);
        let outputs = first.outputs();
        let mixed = 2 * packs * outputs..3 * packs * outputs;
        let sent = Matrix::new(&self.down[0][mixed.clone()], packs, outputs);
        let dense = Matrix::new(&first.dense.value, inputs, outputs);
        let onehot = Matrix::new(&first.onehot.value, conditions, outputs);
        let at_rows = &mut self.stack[packs * inputs..];
        let at_conditions = &mut self.condition_gradient;
        multiply(
            &mut MatrixMut::new(at_rows, packs, inputs),
            0.0,
            sent,
            dense.transposed(),
            self.threads,
        );
        multiply(
            &mut MatrixMut::new(at_conditions, packs, conditions),
            0.0,
            sent,
            onehot.transposed(),
            self.threads,
        );
        let mut penalty = 0.0;
        for pack in 0..packs {
            let row = &mut at_rows[pack * inputs..(pack + 1) * inputs];
            let condition = &mut at_conditions[pack * conditions..(pack + 1) * conditions];
            let norm = (dot(row, row) + dot(condition, condition) + 1e-12).sqrt();
            penalty += f64::from((norm - 1.0) * (norm - 1.0));
            let factor = self.penalty * 2.0 * (norm - 1.0) / (norm * packs as f32);
            row.iter_mut().chain(condition).for_each(|cell| *cell *= factor);
        }
        let up = &mut self.active[0][mixed.clone()];
        let at_rows = Matrix::new(&self.stack[packs * inputs..], packs, inputs);
        multiply(&mut MatrixMut::new(up, packs, outputs), 0.0, at_rows, dense, self.threads);
        let at_conditions = Matrix::new(&self.condition_gradient, packs, conditions);
        multiply(&mut MatrixMut::new(up, packs, outputs), 1.0, at_conditions, onehot, self.threads);
        scale_by(up, &self.slopes[0][mixed]);
        for at in 1..self.active.len() {
            let (inputs, outputs) = (self.active_width(at - 1), self.active_width(at));
            let (below, here) = self.active.split_at_mut(at);
            let up = &mut here[0][2 * packs * outputs..3 * packs * outputs];
            multiply(
                &mut MatrixMut::new(up, packs, outputs),
                0.0,
                Matrix::new(&below[at - 1][2 * packs * inputs..], packs, inputs),
                Matrix::new(&self.critic.hidden[at - 1].0.value, inputs, outputs),
                self.threads,
            );
            scale_by(up, &self.slopes[at][2 * packs * outputs..3 * packs * outputs]);
        }
        f64::from(self.penalty) * penalty / packs as f64
    }

    fn critic_weight_gradients(&mut self, encoded: &Encoded, batch: &CriticBatch, back: &[f32]) {
        let packs = batch.mix.len();
        let last = self.active.len() - 1;
        let outputs = self.active_width(last);
        let gradient = &mut self.critic.output.gradient;
        gradient.fill(0.0);
        for (row, &back) in self.active[last].chunks_exact(outputs).zip(back) {
            for (sum, &cell) in gradient.iter_mut().zip(row) {
                *sum += back * cell;
            }
        }
        self.critic.output_bias.gradient[0] = back[..2 * packs].iter().sum();
        for at in 1..=last {
            let (inputs, outputs) = (self.active_width(at - 1), self.active_width(at));
            let (weight, bias) = &mut self.critic.hidden[at - 1];
            multiply(
                &mut MatrixMut::new(&mut weight.gradient, inputs, outputs),
                0.0,
                Matrix::new(&self.active[at - 1], 3 * packs, inputs).transposed(),
                Matrix::new(&self.down[at], 3 * packs, outputs),
                self.threads,
            );
            bias.gradient.fill(0.0);
            add_column_sums(&mut bias.gradient, &self.down[at][..2 * packs * outputs]);
        }
        self.first_layer_gradients(encoded, batch);
    }

    fn first_layer_gradients(&mut self, encoded: &Encoded, batch: &CriticBatch) {
        let (pac, width, packs) = (self.pac, self.heads.width(), batch.mix.len());
        let first = &mut self.critic.first;
        let (inputs, outputs) = (first.inputs(), first.outputs());
        let conditions = first.onehot.shape[0];
        let down = &self.down[0];
        first.bias.gradient.fill(0.0);
        add_column_sums(&mut first.bias.gradient, &down[..2 * packs * outputs]);
        // The generated rows and the penalty's input gradients lie one after the other in
        // `stack`, as what flows back to them does in `down`: one product for both.
        multiply(
            &mut MatrixMut::new(&mut first.dense.gradient, inputs, outputs),
            0.0,
            Matrix::new(&self.stack, 2 * packs, inputs).transposed(),
            Matrix::new(&down[packs * outputs..], 2 * packs, outputs),
            self.threads,
        );
        multiply(
            &mut MatrixMut::new(&mut first.onehot.gradient, conditions, outputs),
            0.0,
            Matrix::new(&self.condition_gradient, packs, conditions).transposed(),
            Matrix::new(&down[2 * packs * outputs..], packs, outputs),
            self.threads,
        );
        for pack in 0..packs {
            let real = &down[pack * outputs..(pack + 1) * outputs];
            let generated = &down[(packs + pack) * outputs..(packs + pack + 1) * outputs];
            for slot in 0..pac {
                let row = pack * pac + slot;
                let units = row_units(encoded, batch.rows[row], slot * width);
                scatter_rows(&mut first.dense.gradient, real, units);
                for (side, units) in [(real, &batch.units), (generated, &batch.generator.units)] {
                    let unit =
                        units.get(row).map(|&unit| unit as usize + slot * (conditions / pac));
                    scatter_rows(
                        &mut first.onehot.gradient,
                        side,
                        unit.map(|unit| (unit, 1.0)).into_iter(),
                    );
                }
            }
        }
    }

    /// Fills the gradients of the generator.
    pub(crate) fn generator_gradients(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
    ) -> GeneratorLosses {
        self.generate(&batch.generator);
        let (width, outputs) = (self.heads.width(), self.critic.first.outputs());
        let cells = self.logits.len();
        let packs = cells / (self.pac * width);
        for (slopes, masks) in self.slopes.iter_mut().zip(&batch.masks) {
            slopes[..masks.len()].copy_from_slice(masks);
        }
        self.first_layer_generated(&batch.generator.units, packs, 0);
        let scores = self.critic_forward(packs);
        let adversarial = -scores.iter().map(|&x| f64::from(x)).sum::<f64>() / packs as f64;
        self.critic_backward(&vec![-1.0 / packs as f32; packs]);

        // From the discriminator's first layer back to the rows, then through the heads.
        let (rows, gradient) = self.stack.split_at_mut(cells);
        let inputs = self.pac * width;
        multiply(
            &mut MatrixMut::new(gradient, packs, inputs),
            0.0,
            Matrix::new(&self.down[0][..packs * outputs], packs, outputs),
            Matrix::new(&self.critic.first.dense.value, inputs, outputs).transposed(),
            self.threads,
        );
        self.heads.backward(rows, gradient);
        let cross_entropy = add_cross_entropy(space, batch, &self.logits, gradient, width);
        self.generator_weight_gradients(&batch.generator.units);
        GeneratorLosses { adversarial, cross_entropy }
    }

    /// From the gradient of the logits, in the tail of `stack`, to that of every weight.
    fn generator_weight_gradients(&mut self, units: &[u32]) {
        let stride = self.generator.stride();
        let rows = self.buffer.len() / stride;
        let gradient = &self.stack[self.logits.len()..];
        linear_gradients(
            &mut self.generator.output,
            &self.buffer,
            stride,
            units,
            gradient,
            self.threads,
        );
        let noise = self.generator.layers.first().map_or(stride, |(linear, _)| linear.inputs());
        let output = &self.generator.output;
        let outputs = output.outputs();
        multiply(
            &mut MatrixMut::strided(&mut self.up[noise..], rows, stride - noise, stride),
            0.0,
            Matrix::new(gradient, rows, outputs),
            Matrix::new(&output.dense.value[noise * outputs..], stride - noise, outputs)
                .transposed(),
            self.threads,
        );
        for ((linear, norm), normalised) in
            self.generator.layers.iter_mut().zip(&self.normalised).rev()
        {
            let (inputs, outputs) = (linear.inputs(), linear.outputs());
            self.before.resize(rows * outputs, 0.0);
            norm.gamma.gradient.fill(0.0);
            norm.beta.gradient.fill(0.0);
            let (active, upstream) = (&self.buffer[inputs..], &self.up[inputs..]);
            batch_norm_relu_backward(norm, normalised, active, upstream, stride, &mut self.before);
            linear_gradients(linear, &self.buffer, stride, units, &self.before, self.threads);
            if inputs > noise {
                multiply(
                    &mut MatrixMut::strided(&mut self.up[noise..], rows, inputs - noise, stride),
                    1.0,
                    Matrix::new(&self.before, rows, outputs),
                    Matrix::new(&linear.dense.value[noise * outputs..], inputs - noise, outputs)
                        .transposed(),
                    self.threads,
                );
            }
        }
    }
}

/// The units of a training row within a pack, with their values.
fn row_units(encoded: &Encoded, row: usize, offset: usize) -> impl Iterator<Item = (usize, f32)> {
    let places = encoded.place_units.iter().zip(encoded.places(row));
    let places = places.map(move |(&unit, &place)| (offset + unit as usize, place));
    places.chain(encoded.hot_units(row).iter().map(move |&unit| (offset + unit as usize, 1.0)))
}

fn linear_gradients(
    linear: &mut crate::network::Linear,
    inputs: &[f32],
    stride: usize,
    units: &[u32],
    gradient: &[f32],
    threads: usize,
) {
    let (width, outputs) = (linear.inputs(), linear.outputs());
    let rows = gradient.len() / outputs;
    multiply(
        &mut MatrixMut::new(&mut linear.dense.gradient, width, outputs),
        0.0,
        Matrix::strided(inputs, rows, width, stride).transposed(),
        Matrix::new(gradient, rows, outputs),
        threads,
    );
    let Parameter { gradient: onehot, .. } = &mut linear.onehot;
    onehot.fill(0.0);
    for (row, &unit) in gradient.chunks_exact(outputs).zip(units) {
        scatter_rows(onehot, row, std::iter::once((unit as usize, 1.0)));
    }
    linear.bias.gradient.fill(0.0);
    add_column_sums(&mut linear.bias.gradient, gradient);
}

/// Adds the gradient of the conditions' cross entropy to that of the logits; returns its mean
/// over the batch. Only the span of the condition's own column counts (models.md 2.3).
fn add_cross_entropy(
    space: &ConditionSpace,
    batch: &GeneratorBatch,
    logits: &[f32],
    gradient: &mut [f32],
    width: usize,
) -> f64 {
    let count = batch.conditions.len() as f32;
    let mut sum = 0.0;
    for (row, &condition) in batch.conditions.iter().enumerate() {
        let (start, levels) = space.span(condition);
        let cells = row * width + start..row * width + start + levels;
        let (logits, gradient) = (&logits[cells.clone()], &mut gradient[cells]);
        let highest = logits.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
        let total: f32 = logits.iter().map(|x| (x - highest).exp()).sum();
        sum += f64::from(highest + total.ln() - logits[condition.level]);
        for (gradient, &logit) in gradient.iter_mut().zip(logits) {
            *gradient += (logit - highest).exp() / total / count;
        }
        gradient[condition.level] -= 1.0 / count;
    }
    if batch.conditions.is_empty() { 0.0 } else { sum / f64::from(count) }
}

/// Inner product in eight fixed lanes, so that the compiler may use vectors and the result does
/// not depend on them.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (whole_a, rest_a) = a.as_chunks::<8>();
    let (whole_b, rest_b) = b.as_chunks::<8>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}
