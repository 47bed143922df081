//! Scores of packs, and the gradients of the discriminator.

use super::{CriticLosses, FusedTrainer, LEAK};
use crate::batch::CriticBatch;
use neural::kernels::{
    Matrix, MatrixMut, add_column_sums, add_rows, fill_rows, leaky_dropout, multiply, scale_by,
    scatter_rows,
};
use transforms::Encoded;

impl FusedTrainer {
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
    pub(super) fn first_layer_generated(&mut self, units: &[u32], packs: usize, at: usize) {
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
