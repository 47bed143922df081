//! Scores of packs, and the gradients of the discriminator.

use super::{CriticLosses, FusedTrainer, LEAK};
use crate::batch::CriticBatch;
use crate::network::Linear;
use neural::Parameter;
use neural::kernels::{
    Matrix, MatrixMut, add_column_squares, add_column_sums, add_rows, fill_rows, leaky_dropout,
    multiply, scale_by, scatter_rows,
};
use transforms::Encoded;

impl FusedTrainer {
    /// Fills the gradients of the discriminator.
    pub(crate) fn critic_gradients(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
    ) -> CriticLosses {
        let packs = batch.mix.len();
        for (slopes, masks) in self.slopes.iter_mut().zip(&batch.masks) {
            slopes.copy_from_slice(masks);
        }
        if self.dense_rows {
            self.fill_dense_rows(encoded, &batch.rows);
        }
        self.first_layer_sides(encoded, batch);
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

    /// The training rows of the batch, before the generated ones.
    fn fill_dense_rows(&mut self, encoded: &Encoded, rows: &[usize]) {
        let width = self.heads.width();
        let stack = &mut self.for_critic.stack[..rows.len() * width];
        stack.fill(0.0);
        for (dense, &row) in stack.chunks_exact_mut(width).zip(rows) {
            row_units(encoded, row, 0).for_each(|(unit, value)| dense[unit] = value);
        }
    }

    /// Pre-activations of the real and of the generated packs.
    fn first_layer_sides(&mut self, encoded: &Encoded, batch: &CriticBatch) {
        let packs = batch.mix.len();
        let Self { critic, active, for_critic, .. } = self;
        let (first, pac, threads) = (&critic.first, self.pac, self.threads.count());
        let outputs = first.outputs();
        let (real, generated) = active[0][..2 * packs * outputs].split_at_mut(packs * outputs);
        fill_conditions(first, real, &batch.units, pac);
        fill_conditions(first, generated, &batch.generator.units, pac);
        if self.dense_rows {
            return add_product(first, &mut active[0], &for_critic.stack, threads);
        }
        let width = self.heads.width();
        for (pack, out) in real.chunks_exact_mut(outputs).enumerate() {
            for slot in 0..pac {
                let row = batch.rows[pack * pac + slot];
                add_rows(out, &first.dense.value, row_units(encoded, row, slot * width));
            }
        }
        add_product(first, generated, for_critic.rows(), threads);
    }

    /// Pre-activations of the packs of the generator's own update.
    pub(super) fn first_layer_of_generator(&mut self, units: &[u32], packs: usize) {
        let first = &self.critic.first;
        let out = &mut self.active[0][..packs * first.outputs()];
        fill_conditions(first, out, units, self.pac);
        add_product(first, out, self.for_generator.rows(), self.threads.count());
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
    pub(super) fn critic_forward(&mut self, packs: usize) -> Vec<f32> {
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
                    self.threads.count(),
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
    pub(super) fn critic_backward(&mut self, back: &[f32]) {
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
                self.threads.count(),
            );
            scale_by(out, &self.slopes[at]);
        }
    }

    /// The gradient penalty on the mixed packs. Leaves the input gradients, one column per pack, in
    /// `row_gradient` and `condition_gradient`, scales what flows back to the first layer of the
    /// mixed packs, and overwrites their activations by what the penalty sends up through the
    /// layers, so that the weight gradients of all three groups are one product per layer.
    fn penalise(&mut self, packs: usize) -> f64 {
        let first = &self.critic.first;
        let (inputs, conditions) = (first.dense.shape[0], first.onehot.shape[0]);
        let outputs = first.outputs();
        let mixed = 2 * packs * outputs..3 * packs * outputs;
        let dense = Matrix::new(&first.dense.value, inputs, outputs);
        let onehot = Matrix::new(&first.onehot.value, conditions, outputs);
        let threads = self.threads.count();
        let sent = &mut self.down[0][mixed.clone()];
        let mut norms = vec![0.0; packs];
        for (weights, inputs, cells) in [
            (dense, inputs, &mut self.row_gradient),
            (onehot, conditions, &mut self.condition_gradient),
        ] {
            let out = &mut MatrixMut::new(cells, inputs, packs).transposed();
            multiply(out, 0.0, Matrix::new(sent, packs, outputs), weights.transposed(), threads);
            add_column_squares(&mut norms, cells);
        }
        let up = &mut self.active[0][mixed.clone()];
        let at_rows = Matrix::new(&self.row_gradient, inputs, packs).transposed();
        multiply(&mut MatrixMut::new(up, packs, outputs), 0.0, at_rows, dense, threads);
        let at_conditions = Matrix::new(&self.condition_gradient, conditions, packs).transposed();
        multiply(&mut MatrixMut::new(up, packs, outputs), 1.0, at_conditions, onehot, threads);
        // The penalty's factor of a pack goes into the two small matrices that the input gradient
        // is multiplied with, not into the input gradient itself.
        let mut penalty = 0.0;
        let rows = up.chunks_exact_mut(outputs).zip(sent.chunks_exact_mut(outputs));
        for ((up, sent), square) in rows.zip(&norms) {
            let norm = (square + 1e-12).sqrt();
            penalty += f64::from((norm - 1.0) * (norm - 1.0));
            let factor = self.penalty * 2.0 * (norm - 1.0) / (norm * packs as f32);
            up.iter_mut().chain(sent).for_each(|cell| *cell *= factor);
        }
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
                self.threads.count(),
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
            scatter_rows(gradient, row, std::iter::once((0, back)));
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
                self.threads.count(),
            );
            bias.gradient.fill(0.0);
            add_column_sums(&mut bias.gradient, &self.down[at][..2 * packs * outputs]);
        }
        self.first_layer_gradients(encoded, batch);
    }

    fn first_layer_gradients(&mut self, encoded: &Encoded, batch: &CriticBatch) {
        let (pac, width, packs) = (self.pac, self.heads.width(), batch.mix.len());
        let first = &mut self.critic.first;
        let outputs = first.outputs();
        let down = &self.down[0];
        first.bias.gradient.fill(0.0);
        add_column_sums(&mut first.bias.gradient, &down[..2 * packs * outputs]);
        let threads = self.threads.count();
        let add = |into: &mut Parameter, keep, left: Matrix<'_>, right: &[f32]| {
            let (rows, inputs) = (right.len() / outputs, into.shape[0]);
            let out = &mut MatrixMut::new(&mut into.gradient, inputs, outputs);
            multiply(out, keep, left, Matrix::new(right, rows, outputs), threads);
        };
        let group = packs * outputs;
        let (sides, mixed) = down.split_at(2 * group);
        // The stack holds the generated rows alone or after the training rows.
        let seen = if self.dense_rows { sides } else { &sides[group..] };
        let (inputs, conditions) = (first.inputs(), first.onehot.shape[0]);
        let stack = Matrix::new(&self.for_critic.stack, seen.len() / outputs, inputs);
        let at_rows = Matrix::new(&self.row_gradient, inputs, packs);
        let at_conditions = Matrix::new(&self.condition_gradient, conditions, packs);
        add(&mut first.dense, 0.0, stack.transposed(), seen);
        add(&mut first.dense, 1.0, at_rows, mixed);
        add(&mut first.onehot, 0.0, at_conditions, mixed);
        let conditions = conditions / pac;
        for (at, down) in sides.chunks_exact(outputs).enumerate() {
            let (pack, units) = match at < packs {
                true => (at, &batch.units),
                false => (at - packs, &batch.generator.units),
            };
            for slot in 0..pac {
                let row = pack * pac + slot;
                if at < packs && !self.dense_rows {
                    let units = row_units(encoded, batch.rows[row], slot * width);
                    scatter_rows(&mut first.dense.gradient, down, units);
                }
                let unit = units.get(row).map(|&unit| (unit as usize + slot * conditions, 1.0));
                scatter_rows(&mut first.onehot.gradient, down, unit.into_iter());
            }
        }
    }
}

/// Starts the first layer of packs: its bias and the weights of their conditions.
fn fill_conditions(first: &Linear, out: &mut [f32], units: &[u32], pac: usize) {
    let conditions = first.onehot.shape[0] / pac;
    fill_rows(out, &first.bias.value, &[], &[]);
    for (pack, out) in out.chunks_exact_mut(first.outputs()).enumerate() {
        for slot in 0..pac {
            let unit = units.get(pack * pac + slot);
            let unit = unit.map(|&unit| (slot * conditions + unit as usize, 1.0));
            add_rows(out, &first.onehot.value, unit.into_iter());
        }
    }
}

/// Adds the product of dense packs with the first layer's weights.
fn add_product(first: &Linear, out: &mut [f32], rows: &[f32], threads: usize) {
    let (inputs, outputs) = (first.inputs(), first.outputs());
    let packs = rows.len() / inputs;
    multiply(
        &mut MatrixMut::new(out, packs, outputs),
        1.0,
        Matrix::new(rows, packs, inputs),
        Matrix::new(&first.dense.value, inputs, outputs),
        threads,
    );
}

/// The units of a training row within a pack, with their values.
fn row_units(encoded: &Encoded, row: usize, offset: usize) -> impl Iterator<Item = (usize, f32)> {
    let places = encoded.place_units.iter().zip(encoded.places(row));
    let places = places.map(move |(&unit, &place)| (offset + unit as usize, place));
    places.chain(encoded.hot_units(row).iter().map(move |&unit| (offset + unit as usize, 1.0)))
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
