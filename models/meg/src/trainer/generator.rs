//! One masked generator in training: its state, and its gradients written out.

use super::LEARNED_PARTS;
use super::loss::cross_entropy;
use crate::codec::Targets;
use crate::network::{Activations, Dropout, Part, Shape, forward};
use meg_core::{Result, Rng, TrainingState};
use neural::kernels::{
    AdamWCells, AdamWStep, Matrix, MatrixMut, adamw, add_column_sums, multiply,
    relu_dropout_backward, sum_rows_by_code,
};
use rand::RngCore;

/// A weight with its gradient, what Adam remembers of it, and its running average.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) value: Vec<f32>,
    pub(super) gradient: Vec<f32>,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) average: Vec<f32>,
}

/// One masked generator in training, with an Adam state of its own.
#[derive(Debug)]
pub(super) struct GeneratorState {
    pub(super) weights: Learned,
    pub(super) dropout: Rng,
    /// Per head, the gradient at the first layer, before its activation: what the embeddings need.
    pub(super) deltas: Vec<Vec<f32>>,
    pub(super) loss: f64,
    /// The loss of each head in scoring.
    pub(super) losses: Vec<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) activations: Activations,
    pub(super) normalisers: Vec<f32>,
    pub(super) dice: Vec<u8>,
    /// Gradient of the sum of both hidden layers, and of the residual one.
    pub(super) sum: Vec<f32>,
    pub(super) second: Vec<f32>,
    /// Sums of the delta by code.
    pub(super) sums: Vec<f32>,
    /// The codes of a context, hidden ones replaced.
    pub(super) veiled: Vec<Vec<u16>>,
}

impl Learned {
    pub(super) fn new(value: Vec<f32>) -> Self {
        let zeros = || vec![0.0; value.len()];
        let (gradient, first, second) = (zeros(), zeros(), zeros());
        Self { average: value.clone(), value, gradient, first, second }
    }

    pub(super) fn go_back(&mut self, saved: &[f32]) {
        self.value.copy_from_slice(saved);
        self.average.copy_from_slice(saved);
    }

    pub(super) fn read(&mut self, name: &str, state: &TrainingState) -> Result<()> {
        let [value, first, second, average] = LEARNED_PARTS.map(|part| format!("{name}.{part}"));
        let shape = [self.value.len()];
        self.value.copy_from_slice(&state.tensor(&value, &shape)?.data);
        self.first.copy_from_slice(&state.tensor(&first, &shape)?.data);
        self.second.copy_from_slice(&state.squares(&second, &shape)?.data);
        self.average.copy_from_slice(&state.tensor(&average, &shape)?.data);
        Ok(())
    }

    pub(super) fn update(&mut self, cells: std::ops::Range<usize>, step: &AdamWStep) {
        let cells = AdamWCells {
            value: &mut self.value[cells.clone()],
            gradient: &self.gradient[cells.clone()],
            first: &mut self.first[cells.clone()],
            second: &mut self.second[cells.clone()],
            average: &mut self.average[cells],
        };
        adamw(cells, step);
    }
}

/// What one generator is shown: its context, and the codes of its own column that it should make.
pub(super) struct Example<'a> {
    pub(super) context: &'a [&'a [u16]],
    pub(super) own: &'a [u16],
    pub(super) targets: &'a Targets,
    /// How much each row counts; equally where there are none.
    pub(super) weights: Option<&'a [f32]>,
}

impl GeneratorState {
    /// Clears what the heads add up.
    pub(super) fn begin(&mut self, shape: &Shape) {
        self.loss = 0.0;
        if shape.heads.len() > 1 {
            self.weights.gradient.fill(0.0);
        }
    }

    /// Adds loss and gradients of one head. The loss is the cross-entropy against the soft targets,
    /// summed over the rows; the gradient is that of its mean.
    pub(super) fn backward(
        &mut self,
        (shape, at): (&Shape, usize),
        embeddings: &[&[f32]],
        example: &Example<'_>,
        rows: usize,
        (silent, scale): (u8, f32),
        scratch: &mut Scratch,
    ) {
        let head = &shape.heads[at];
        let (hidden, codes) = (shape.hidden, head.codes);
        // A generator of one column overwrites what it has of the last step.
        let keep = if shape.heads.len() > 1 { 1.0 } else { 0.0 };
        scratch.dice.resize(2 * rows * hidden, 0);
        if silent > 0 {
            self.dropout.fill_bytes(&mut scratch.dice);
        }
        let Scratch { activations, normalisers, dice, sum, second, .. } = scratch;
        let dropout = Some(Dropout { dice, silent, scale });
        let value = &self.weights.value;
        forward((shape, at), value, embeddings, example.context, rows, dropout, activations);
        let logits = &mut activations.logits;
        self.loss += cross_entropy(logits, codes, example, normalisers);

        let gradient = &mut self.weights.gradient;
        let weights = |part| &value[shape.range(part)];
        let wide = Matrix::new(logits, rows, codes);
        transposed_product(
            &mut gradient[shape.range(Part::Output(at))],
            keep,
            &activations.sum,
            logits,
            [rows, hidden, codes],
        );
        sum_columns(&mut gradient[shape.range(Part::OutputBias(at))], 0.0, logits);
        sum.resize(rows * hidden, 0.0);
        let output = Matrix::new(weights(Part::Output(at)), hidden, codes).transposed();
        multiply(&mut MatrixMut::new(sum, rows, hidden), 0.0, wide, output, 1);

        second.clear();
        second.extend_from_slice(sum);
        relu_dropout_backward(second, &activations.second, scale);
        transposed_product(
            &mut gradient[shape.range(Part::Second)],
            keep,
            &activations.first,
            second,
            [rows, hidden, hidden],
        );
        sum_columns(&mut gradient[shape.range(Part::SecondBias)], keep, second);

        let delta = &mut self.deltas[at];
        delta.clear();
        delta.extend_from_slice(sum);
        let residual = Matrix::new(weights(Part::Second), hidden, hidden).transposed();
        let cells = &mut MatrixMut::new(delta, rows, hidden);
        multiply(cells, 1.0, Matrix::new(second, rows, hidden), residual, 1);
        relu_dropout_backward(delta, &activations.first, scale);
        sum_columns(&mut gradient[shape.range(Part::FirstBias(at))], 0.0, delta);
        let first = shape.range(Part::First).start;
        let slots = head.slots.iter();
        for (&slot, (&embedding, &own)) in slots.zip(embeddings.iter().zip(example.context)) {
            let sums = scratch.sums_by_code(shape, slot, delta, own);
            let cells = shape.slot(slot);
            let part = &mut gradient[first + cells.start..first + cells.end];
            let sizes = [shape.context[slot], shape.embedding, hidden];
            transposed_product(part, keep, embedding, sums, sizes);
        }
    }
}

impl Scratch {
    /// The delta of a generator, summed over the rows of each code of one column of its context.
    pub(super) fn sums_by_code(
        &mut self,
        shape: &Shape,
        slot: usize,
        delta: &[f32],
        codes: &[u16],
    ) -> &[f32] {
        self.sums.clear();
        self.sums.resize(shape.context[slot] * shape.hidden, 0.0);
        sum_rows_by_code(&mut self.sums, shape.hidden, delta, codes);
        &self.sums
    }
}

/// `out = keep * out + leftᵀ * right` for row-major `left` of `[rows, m]` and `right` of
/// `[rows, n]` cells.
fn transposed_product(
    out: &mut [f32],
    keep: f32,
    left: &[f32],
    right: &[f32],
    [rows, m, n]: [usize; 3],
) {
    let left = Matrix::new(left, rows, m).transposed();
    multiply(&mut MatrixMut::new(out, m, n), keep, left, Matrix::new(right, rows, n), 1);
}

fn sum_columns(sums: &mut [f32], keep: f32, cells: &[f32]) {
    if keep == 0.0 {
        sums.fill(0.0);
    }
    add_column_sums(sums, cells);
}
