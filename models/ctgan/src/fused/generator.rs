//! The gradients of the generator.

use super::{Forward, FusedTrainer, GeneratorLosses};
use crate::batch::GeneratorBatch;
use crate::conditions::ConditionSpace;
use crate::network::Linear;
use neural::Parameter;
use neural::kernels::{
    Matrix, MatrixMut, add_column_sums, batch_norm_relu_backward, multiply, scatter_rows, transpose,
};

impl FusedTrainer {
    /// Fills the gradients of the generator.
    pub(crate) fn generator_gradients(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
    ) -> GeneratorLosses {
        let (width, outputs) = (self.heads.width(), self.critic.first.outputs());
        let cells = self.for_generator.logits.len();
        let packs = cells / (self.pac * width);
        for (slopes, masks) in self.slopes.iter_mut().zip(&batch.masks) {
            slopes[..masks.len()].copy_from_slice(masks);
        }
        self.first_layer_of_generator(&batch.generator.units, packs);
        let scores = self.critic_forward(packs);
        let adversarial = -scores.iter().map(|&x| f64::from(x)).sum::<f64>() / packs as f64;
        self.critic_backward(&vec![-1.0 / packs as f32; packs]);

        // From the discriminator's first layer back to the rows, then through the heads.
        // One column per pack, which is the faster product, then turned to one row per row.
        let (gradient, inputs) = (&mut self.row_gradient, self.pac * width);
        self.turned.resize(cells, 0.0);
        multiply(
            &mut MatrixMut::new(&mut self.turned, inputs, packs).transposed(),
            0.0,
            Matrix::new(&self.down[0][..packs * outputs], packs, outputs),
            Matrix::new(&self.critic.first.dense.value, inputs, outputs).transposed(),
            self.threads.count(),
        );
        transpose(&self.turned, packs, gradient);
        self.heads.backward(self.for_generator.rows(), gradient);
        let logits = &self.for_generator.logits;
        let cross_entropy = add_cross_entropy(space, batch, logits, gradient, width);
        self.generator_weight_gradients(&batch.generator.units);
        GeneratorLosses { adversarial, cross_entropy }
    }

    /// From the gradient of the logits, in `row_gradient`, to that of every weight.
    fn generator_weight_gradients(&mut self, units: &[u32]) {
        let (stride, noise) = (self.generator.stride(), self.generator.noise());
        let threads = self.threads.count();
        let Forward { buffer, normalised, .. } = &self.for_generator;
        let rows = buffer.len() / stride;
        let gradient = &self.row_gradient;
        linear_gradients(&mut self.generator.output, buffer, stride, units, gradient, threads);
        let output = &self.generator.output;
        let outputs = output.outputs();
        multiply(
            &mut MatrixMut::strided(&mut self.up[noise..], rows, stride - noise, stride),
            0.0,
            Matrix::new(gradient, rows, outputs),
            Matrix::new(&output.dense.value[noise * outputs..], stride - noise, outputs)
                .transposed(),
            threads,
        );
        for ((linear, norm), (normalised, batch)) in
            self.generator.layers.iter_mut().zip(normalised).rev()
        {
            let (inputs, outputs) = (linear.inputs(), linear.outputs());
            self.before.resize(rows * outputs, 0.0);
            norm.gamma.gradient.fill(0.0);
            norm.beta.gradient.fill(0.0);
            let (active, upstream) = (&buffer[inputs..], &self.up[inputs..]);
            let before = &mut self.before;
            batch_norm_relu_backward(norm, batch, normalised, active, upstream, stride, before);
            linear_gradients(linear, buffer, stride, units, &self.before, threads);
            if inputs > noise {
                multiply(
                    &mut MatrixMut::strided(&mut self.up[noise..], rows, inputs - noise, stride),
                    1.0,
                    Matrix::new(&self.before, rows, outputs),
                    Matrix::new(&linear.dense.value[noise * outputs..], inputs - noise, outputs)
                        .transposed(),
                    threads,
                );
            }
        }
    }
}

fn linear_gradients(
    linear: &mut Linear,
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
