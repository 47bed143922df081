//! The discriminator over one batch, with hand-written gradients.

use crate::lane::{copy_columns, forward, through, weight_gradient};
use crate::network::{CriticLayer, Discriminator};
use neural::kernels::{
    add_column_sums, closeness, closeness_backward, leaky_dropout, scale_by, transpose,
};

const EPSILON: f32 = 1e-5;
const LEAK: f32 = 0.2;

/// One pass over real or generated rows, with all that its gradients need.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    rows: usize,
    layers: Vec<Layer>,
    /// One per row.
    pub logits: Vec<f32>,
}

#[derive(Debug, Default)]
struct Layer {
    /// Outputs of the linear layer.
    features: Vec<f32>,
    /// Projections of the minibatch discrimination, one column per row of the batch.
    turned: Vec<f32>,
    pairs: Vec<f32>,
    /// Kernels x rows.
    sums: Vec<f32>,
    /// Features and sums side by side, normalised.
    normalised: Vec<f32>,
    /// One over the standard deviation of each unit.
    inverse: Vec<f32>,
    /// Slopes of the leaky ReLU times the dropout mask.
    slopes: Vec<f32>,
    active: Vec<f32>,
    /// What flows back to the units of this layer, and to the features.
    down: Vec<f32>,
    sent: Vec<f32>,
    projected: Vec<f32>,
}

impl Pass {
    /// Computes the logits; `part` says which of the masks of each layer is taken.
    pub(crate) fn forward(
        &mut self,
        critic: &Discriminator,
        rows: usize,
        inputs: &[f32],
        masks: &[[Vec<f32>; 2]],
        part: usize,
    ) {
        self.rows = rows;
        self.layers.resize_with(critic.layers.len(), Layer::default);
        for (at, (layer, masks)) in critic.layers.iter().zip(masks).enumerate() {
            let (before, rest) = self.layers.split_at_mut(at);
            let inputs = before.last().map_or(inputs, |layer| &layer.active);
            rest[0].forward(layer, inputs, rows, &masks[part]);
        }
        self.logits.resize(rows, 0.0);
        let last = &self.layers[critic.layers.len() - 1].active;
        forward(&critic.output, last, &mut self.logits, 1);
    }

    /// The gradient of the inputs from that of the logits, in `out`; weights are left alone.
    pub(crate) fn input_gradient(&mut self, critic: &Discriminator, sent: &[f32], out: &mut [f32]) {
        let Self { layers, rows, .. } = self;
        let count = layers.len();
        layers[count - 1].down.resize(sent.len() * critic.output.inputs(), 0.0);
        through(&critic.output, sent, &mut layers[count - 1].down, 0.0);
        for at in (0..count).rev() {
            let (before, rest) = layers.split_at_mut(at);
            rest[0].backward(&critic.layers[at], *rows);
            let down = match before.last_mut() {
                None => &mut *out,
                Some(before) => {
                    before.down.resize(before.active.len(), 0.0);
                    &mut before.down
                }
            };
            through(&critic.layers[at].linear, &rest[0].sent, down, 0.0);
        }
    }

    /// Adds the gradients of the weights, or begins them anew with `keep` 0, from that of the
    /// logits; what flows to the inputs is not computed.
    pub(crate) fn weight_gradients(
        &mut self,
        critic: &mut Discriminator,
        inputs: &[f32],
        sent: &[f32],
        keep: f32,
    ) {
        let Self { layers, rows, .. } = self;
        let count = layers.len();
        weight_gradient(&mut critic.output, &layers[count - 1].active, sent, keep);
        layers[count - 1].down.resize(sent.len() * critic.output.inputs(), 0.0);
        through(&critic.output, sent, &mut layers[count - 1].down, 0.0);
        for at in (0..count).rev() {
            let (before, rest) = layers.split_at_mut(at);
            let (state, layer) = (&mut rest[0], &mut critic.layers[at]);
            state.backward(layer, *rows);
            state.fill(layer, before.last().map_or(inputs, |before| &before.active), keep);
            if let Some(before) = before.last_mut() {
                before.down.resize(before.active.len(), 0.0);
                through(&layer.linear, &state.sent, &mut before.down, 0.0);
            }
        }
    }
}

impl Layer {
    fn forward(&mut self, layer: &CriticLayer, inputs: &[f32], rows: usize, mask: &[f32]) {
        let (units, width) = (layer.linear.outputs(), layer.shift.shape[0]);
        self.features.resize(rows * units, 0.0);
        forward(&layer.linear, inputs, &mut self.features, units);
        self.normalised.resize(rows * width, 0.0);
        copy_columns((&self.features, units, 0), (&mut self.normalised, width, 0), units);
        self.compare(layer, rows);
        normalise(&mut self.normalised, &mut self.inverse, rows, width);
        self.active.resize(rows * width, 0.0);
        self.active.copy_from_slice(&self.normalised);
        for row in self.active.chunks_exact_mut(width) {
            for (cell, shift) in row.iter_mut().zip(&layer.shift.value) {
                *cell += shift;
            }
        }
        self.slopes.clear();
        self.slopes.extend_from_slice(mask);
        leaky_dropout(&mut self.active, &mut self.slopes, LEAK);
    }

    /// The minibatch discrimination, beside the features.
    fn compare(&mut self, layer: &CriticLayer, rows: usize) {
        let Some(diversity) = &layer.diversity else { return };
        let (units, width) = (layer.linear.outputs(), layer.shift.shape[0]);
        let (kernels, cells) = (width - units, diversity.outputs());
        self.projected.resize(rows * cells, 0.0);
        forward(diversity, &self.features, &mut self.projected, cells);
        self.turned.resize(rows * cells, 0.0);
        transpose(&self.projected, cells, &mut self.turned);
        self.pairs.resize(kernels * rows * rows, 0.0);
        self.sums.resize(kernels * rows, 0.0);
        let dimensions = cells / kernels;
        closeness(&self.turned, rows, dimensions, &mut self.pairs, &mut self.sums);
        for (row, cells) in self.normalised.chunks_exact_mut(width).enumerate() {
            for (kernel, cell) in cells[units..].iter_mut().enumerate() {
                *cell = self.sums[kernel * rows + row];
            }
        }
    }

    /// From what flows back to the activations, in `down`, to what flows to the features, in
    /// `sent`. `down` becomes the gradient before dropout, `projected` that of the projections.
    fn backward(&mut self, layer: &CriticLayer, rows: usize) {
        let (units, width) = (layer.linear.outputs(), layer.shift.shape[0]);
        scale_by(&mut self.down, &self.slopes);
        let joined = normalise_backward(&self.down, &self.normalised, &self.inverse, rows, width);
        self.sent.resize(rows * units, 0.0);
        copy_columns((&joined, width, 0), (&mut self.sent, units, 0), units);
        let Some(diversity) = &layer.diversity else { return };
        let (kernels, cells) = (width - units, diversity.outputs());
        let mut sums = vec![0.0; kernels * rows];
        for (row, joined) in joined.chunks_exact(width).enumerate() {
            for (kernel, &cell) in joined[units..].iter().enumerate() {
                sums[kernel * rows + row] = cell;
            }
        }
        let mut turned = vec![0.0; rows * cells];
        closeness_backward(&self.turned, rows, cells / kernels, &self.pairs, &sums, &mut turned);
        transpose(&turned, rows, &mut self.projected);
        through(diversity, &self.projected, &mut self.sent, 1.0);
    }

    /// The gradients of the weights after [`Layer::backward`].
    fn fill(&self, layer: &mut CriticLayer, inputs: &[f32], keep: f32) {
        if keep == 0.0 {
            layer.shift.gradient.fill(0.0);
        }
        add_column_sums(&mut layer.shift.gradient, &self.down);
        if let Some(diversity) = &mut layer.diversity {
            weight_gradient(diversity, &self.features, &self.projected, keep);
        }
        weight_gradient(&mut layer.linear, inputs, &self.sent, keep);
    }
}

/// Each column to mean 0 and variance 1 over the rows, in place; `inverse` gets one over the
/// deviations.
fn normalise(cells: &mut [f32], inverse: &mut Vec<f32>, rows: usize, width: usize) {
    let mut mean = vec![0.0; width];
    add_column_sums(&mut mean, cells);
    mean.iter_mut().for_each(|mean| *mean /= rows as f32);
    let mut squares = vec![0.0f32; width];
    for row in cells.chunks_exact_mut(width) {
        for ((cell, mean), square) in row.iter_mut().zip(&mean).zip(&mut squares) {
            *cell -= mean;
            *square += *cell * *cell;
        }
    }
    inverse.clear();
    inverse.extend(squares.iter().map(|square| 1.0 / (square / rows as f32 + EPSILON).sqrt()));
    for row in cells.chunks_exact_mut(width) {
        scale_by(row, inverse);
    }
}

fn normalise_backward(
    gradient: &[f32],
    normalised: &[f32],
    inverse: &[f32],
    rows: usize,
    width: usize,
) -> Vec<f32> {
    let (mut shift, mut scale) = (vec![0.0f32; width], vec![0.0f32; width]);
    for (gradient, normalised) in gradient.chunks_exact(width).zip(normalised.chunks_exact(width)) {
        for at in 0..width {
            shift[at] += gradient[at];
            scale[at] += gradient[at] * normalised[at];
        }
    }
    let mut out = gradient.to_vec();
    for (out, normalised) in out.chunks_exact_mut(width).zip(normalised.chunks_exact(width)) {
        for at in 0..width {
            let centred = out[at] - (shift[at] + normalised[at] * scale[at]) / rows as f32;
            out[at] = inverse[at] * centred;
        }
    }
    out
}
