//! One optimiser step of the whole ensemble, with gradients written out.

use crate::codec::{Codes, Targets};
use crate::network::{Activations, Dropout, Layout, Part, Shape, Weights, forward};
use crate::team;
use meg_core::{Rng, Seed};
use neural::kernels::{
    AdamWCells, AdamWStep, Matrix, MatrixMut, adamw, add_column_sums, add_squares, multiply,
    relu_dropout_backward, softmax_rows, sum_rows_by_code,
};
use rand::RngCore;

/// The settings of the optimiser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optimiser {
    /// Steps over which the learning rate rises to its full height.
    pub warmup: u64,
    /// Share of each weight (biases apart) that one unit of learning rate takes away.
    pub decay: f64,
    /// Largest norm of the gradient of all weights together.
    pub clip: f64,
    /// Share of the old running average that is kept, at most.
    pub average: f64,
    /// Share of hidden units that are silent.
    pub dropout: f64,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f32 = 1e-8;

/// Weights in training.
#[derive(Debug)]
pub(crate) struct Trainer<'a> {
    pub layout: &'a Layout,
    targets: &'a [Targets],
    optimiser: Optimiser,
    generators: Vec<GeneratorState>,
    embeddings: Vec<Learned>,
    /// Per generator, who sees its column: generator and place in its context.
    children: Vec<Vec<(usize, usize)>>,
    scratch: Vec<Scratch>,
    /// The codes of the batch, per generator.
    batch: Vec<Vec<u16>>,
    steps: u64,
}

/// A weight with its gradient, what Adam remembers of it, and its running average.
#[derive(Debug)]
struct Learned {
    value: Vec<f32>,
    gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
}

/// One masked generator in training, with an Adam state of its own.
#[derive(Debug)]
struct GeneratorState {
    weights: Learned,
    dropout: Rng,
    /// Gradient at the first layer, before its activation: what the embeddings need.
    delta: Vec<f32>,
    loss: f64,
}

#[derive(Debug, Default)]
struct Scratch {
    activations: Activations,
    normalisers: Vec<f32>,
    dice: Vec<u8>,
    /// Gradient of the sum of both hidden layers, and of the residual one.
    sum: Vec<f32>,
    second: Vec<f32>,
    /// Sums of the delta by code.
    sums: Vec<f32>,
}

/// Below so many products per step a second thread costs more than it brings.
const PRODUCTS_PER_THREAD: usize = 2_000_000;

impl<'a> Trainer<'a> {
    pub(crate) fn new(
        layout: &'a Layout,
        targets: &'a [Targets],
        optimiser: Optimiser,
        weights: Weights,
        seed: Seed,
        batch: usize,
        threads: usize,
    ) -> Self {
        let products: usize = layout.shapes.iter().map(|s| s.hidden * (s.hidden + s.codes)).sum();
        let threads = threads.clamp(1, 1 + products * batch / PRODUCTS_PER_THREAD);
        let generators = weights.generators.into_iter().enumerate().map(|(at, value)| {
            let dropout = seed.stream(&format!("meg/dropout/{at}"));
            GeneratorState { weights: Learned::new(value), dropout, delta: Vec::new(), loss: 0.0 }
        });
        let mut children = vec![Vec::new(); layout.masks.len()];
        for (child, parents) in layout.parents.iter().enumerate() {
            for (slot, &parent) in parents.iter().enumerate() {
                children[parent].push((child, slot));
            }
        }
        Self {
            layout,
            targets,
            optimiser,
            generators: generators.collect(),
            embeddings: weights.embeddings.into_iter().map(Learned::new).collect(),
            children,
            scratch: (0..threads).map(|_| Scratch::default()).collect(),
            batch: vec![Vec::new(); layout.masks.len()],
            steps: 0,
        }
    }

    /// One step on these rows; the mean loss of the rows in nats, summed over the columns.
    pub(crate) fn step(&mut self, codes: &Codes, rows: &[u32], rate: f64) -> f64 {
        self.gather(codes, rows);
        self.steps += 1;
        let loss = self.gradients(rows.len());
        let norm = self.norm();
        let step = self.adam(rate, norm);
        self.update(&step);
        loss
    }

    /// The running averages of all weights.
    pub(crate) fn averages(&self) -> Weights {
        let average = |learned: &Learned| learned.average.clone();
        Weights {
            generators: self.generators.iter().map(|state| average(&state.weights)).collect(),
            embeddings: self.embeddings.iter().map(average).collect(),
        }
    }

    /// Goes on from these weights; what Adam remembers stays.
    pub(crate) fn restore(&mut self, weights: &Weights) {
        for (state, saved) in self.generators.iter_mut().zip(&weights.generators) {
            state.weights.restore(saved);
        }
        for (learned, saved) in self.embeddings.iter_mut().zip(&weights.embeddings) {
            learned.restore(saved);
        }
    }

    /// The mean negative log-likelihood of these rows under the running averages, in nats.
    pub(crate) fn score(&mut self, codes: &Codes, rows: &[u32]) -> f64 {
        let mut total = 0.0;
        for part in rows.chunks(SCORED_TOGETHER) {
            self.gather(codes, part);
            let (layout, batch, embeddings) = (self.layout, &self.batch, &self.embeddings);
            team::each(&mut self.scratch, &mut self.generators, |scratch, at, state| {
                let shape = &layout.shapes[at];
                let tables: Vec<&[f32]> =
                    layout.parents[at].iter().map(|&at| &*embeddings[at].average).collect();
                let context: Vec<&[u16]> =
                    layout.parents[at].iter().map(|&at| &*batch[at]).collect();
                let Scratch { activations, normalisers, .. } = scratch;
                let average = &state.weights.average;
                forward(shape, average, &tables, &context, part.len(), None, activations);
                state.loss = negative_log_likelihood(
                    &mut activations.logits,
                    shape.codes,
                    &batch[at],
                    normalisers,
                );
            });
            total += self.generators.iter().map(|state| state.loss).sum::<f64>();
        }
        total / rows.len() as f64
    }

    fn gather(&mut self, codes: &Codes, rows: &[u32]) {
        for (mask, batch) in self.layout.masks.iter().zip(&mut self.batch) {
            let column = &codes.columns[mask.output];
            batch.clear();
            batch.extend(rows.iter().map(|&row| column[row as usize]));
        }
    }

    /// Fills the gradients of all weights; returns the mean loss.
    fn gradients(&mut self, rows: usize) -> f64 {
        let (layout, batch, targets) = (self.layout, &self.batch, self.targets);
        let (embeddings, share) = (&self.embeddings, self.optimiser.dropout);
        team::each(&mut self.scratch, &mut self.generators, |scratch, at, state| {
            let tables: Vec<&[f32]> =
                layout.parents[at].iter().map(|&at| &*embeddings[at].value).collect();
            let context: Vec<&[u16]> = layout.parents[at].iter().map(|&at| &*batch[at]).collect();
            let example = Example { context: &context, own: &batch[at], targets: &targets[at] };
            state.backward(&layout.shapes[at], &tables, &example, rows, share, scratch);
        });
        let (generators, children) = (&self.generators, &self.children);
        team::each(&mut self.scratch, &mut self.embeddings, |scratch, at, learned| {
            learned.gradient.fill(0.0);
            for &(child, slot) in &children[at] {
                let (shape, state) = (&layout.shapes[child], &generators[child]);
                let sums = scratch.sums_by_code(shape, slot, &state.delta, &batch[at]);
                let weights = &state.weights.value[shape.slot(slot)];
                let (size, width, hidden) = (shape.context[slot], shape.embedding, shape.hidden);
                multiply(
                    &mut MatrixMut::new(&mut learned.gradient, size, width),
                    1.0,
                    Matrix::new(sums, size, hidden),
                    Matrix::new(weights, width, hidden).transposed(),
                    1,
                );
            }
        });
        self.generators.iter().map(|state| state.loss).sum::<f64>() / rows as f64
    }

    fn norm(&self) -> f64 {
        let all = self.generators.iter().map(|state| &state.weights).chain(&self.embeddings);
        let mut sum = 0.0;
        for learned in all {
            add_squares(&learned.gradient, &mut sum);
        }
        sum.sqrt()
    }

    fn adam(&self, rate: f64, norm: f64) -> AdamWStep {
        let step = self.steps as f64;
        let rate = rate * (step / self.optimiser.warmup.max(1) as f64).min(1.0);
        AdamWStep {
            clip: (self.optimiser.clip / norm.max(1e-30)).min(1.0) as f32,
            rate: (rate / (1.0 - BETA1.powf(step))) as f32,
            root: (1.0 / (1.0 - BETA2.powf(step)).sqrt()) as f32,
            beta1: BETA1 as f32,
            beta2: BETA2 as f32,
            epsilon: EPSILON,
            shrink: (rate * self.optimiser.decay) as f32,
            keep: self.optimiser.average.min((step + 1.0) / (step + 10.0)) as f32,
        }
    }

    fn update(&mut self, step: &AdamWStep) {
        let layout = self.layout;
        let bias_step = AdamWStep { shrink: 0.0, ..*step };
        team::each(&mut self.scratch, &mut self.generators, |_, at, state| {
            for part in Part::ALL {
                let step = if part.is_bias() { &bias_step } else { step };
                state.weights.update(layout.shapes[at].range(part), step);
            }
        });
        team::each(&mut self.scratch, &mut self.embeddings, |_, _, learned| {
            learned.update(0..learned.value.len(), step);
        });
    }
}

#[cfg(test)]
impl Trainer<'_> {
    /// As many threads as a large table would get.
    pub(crate) fn set_threads(&mut self, threads: usize) {
        self.scratch.resize_with(threads, Scratch::default);
    }

    /// The gradients of the last step, of generators and of embeddings.
    pub(crate) fn all_gradients(&self) -> (Vec<&[f32]>, Vec<&[f32]>) {
        let generators = self.generators.iter().map(|state| &*state.weights.gradient);
        let embeddings = self.embeddings.iter().map(|learned| &*learned.gradient);
        (generators.collect(), embeddings.collect())
    }
}

/// Validation rows that go through the networks together.
const SCORED_TOGETHER: usize = 1_024;

impl Learned {
    fn new(value: Vec<f32>) -> Self {
        let zeros = || vec![0.0; value.len()];
        let (gradient, first, second) = (zeros(), zeros(), zeros());
        Self { average: value.clone(), value, gradient, first, second }
    }

    fn restore(&mut self, saved: &[f32]) {
        self.value.copy_from_slice(saved);
        self.average.copy_from_slice(saved);
    }

    fn update(&mut self, cells: std::ops::Range<usize>, step: &AdamWStep) {
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
struct Example<'a> {
    context: &'a [&'a [u16]],
    own: &'a [u16],
    targets: &'a Targets,
}

impl GeneratorState {
    /// Loss and gradients of one generator. The loss is the cross-entropy against the soft targets,
    /// summed over the rows; the gradient is that of its mean.
    fn backward(
        &mut self,
        shape: &Shape,
        embeddings: &[&[f32]],
        example: &Example<'_>,
        rows: usize,
        share: f64,
        scratch: &mut Scratch,
    ) {
        let (hidden, codes) = (shape.hidden, shape.codes);
        let silent = (share * 256.0).round() as u8;
        let scale = 256.0 / (256.0 - f32::from(silent));
        scratch.dice.resize(2 * rows * hidden, 0);
        if silent > 0 {
            self.dropout.fill_bytes(&mut scratch.dice);
        }
        let Scratch { activations, normalisers, dice, sum, second, .. } = scratch;
        let dropout = Some(Dropout { dice, silent, scale });
        let value = &self.weights.value;
        forward(shape, value, embeddings, example.context, rows, dropout, activations);
        let logits = &mut activations.logits;
        self.loss = cross_entropy(logits, codes, example, normalisers);

        let gradient = &mut self.weights.gradient;
        let weights = |part| &value[shape.range(part)];
        let wide = Matrix::new(logits, rows, codes);
        transposed_product(
            &mut gradient[shape.range(Part::Output)],
            &activations.sum,
            logits,
            [rows, hidden, codes],
        );
        sum_columns(&mut gradient[shape.range(Part::OutputBias)], logits);
        sum.resize(rows * hidden, 0.0);
        let output = Matrix::new(weights(Part::Output), hidden, codes).transposed();
        multiply(&mut MatrixMut::new(sum, rows, hidden), 0.0, wide, output, 1);

        second.clear();
        second.extend_from_slice(sum);
        relu_dropout_backward(second, &activations.second, scale);
        transposed_product(
            &mut gradient[shape.range(Part::Second)],
            &activations.first,
            second,
            [rows, hidden, hidden],
        );
        sum_columns(&mut gradient[shape.range(Part::SecondBias)], second);

        self.delta.clear();
        self.delta.extend_from_slice(sum);
        let residual = Matrix::new(weights(Part::Second), hidden, hidden).transposed();
        let delta = &mut MatrixMut::new(&mut self.delta, rows, hidden);
        multiply(delta, 1.0, Matrix::new(second, rows, hidden), residual, 1);
        relu_dropout_backward(&mut self.delta, &activations.first, scale);
        sum_columns(&mut gradient[shape.range(Part::FirstBias)], &self.delta);
        let first = shape.range(Part::First).start;
        for (slot, (&embedding, &own)) in embeddings.iter().zip(example.context).enumerate() {
            let sums = scratch.sums_by_code(shape, slot, &self.delta, own);
            let cells = shape.slot(slot);
            let part = &mut gradient[first + cells.start..first + cells.end];
            transposed_product(
                part,
                embedding,
                sums,
                [shape.context[slot], shape.embedding, hidden],
            );
        }
    }
}

impl Scratch {
    /// The delta of a generator, summed over the rows of each code of one column of its context.
    fn sums_by_code(&mut self, shape: &Shape, slot: usize, delta: &[f32], codes: &[u16]) -> &[f32] {
        self.sums.clear();
        self.sums.resize(shape.context[slot] * shape.hidden, 0.0);
        sum_rows_by_code(&mut self.sums, shape.hidden, delta, codes);
        &self.sums
    }
}

/// `out = leftᵀ * right` for row-major `left` of `[rows, m]` and `right` of `[rows, n]` cells.
fn transposed_product(out: &mut [f32], left: &[f32], right: &[f32], [rows, m, n]: [usize; 3]) {
    let left = Matrix::new(left, rows, m).transposed();
    multiply(&mut MatrixMut::new(out, m, n), 0.0, left, Matrix::new(right, rows, n), 1);
}

fn sum_columns(sums: &mut [f32], cells: &[f32]) {
    sums.fill(0.0);
    add_column_sums(sums, cells);
}

/// Turns logits into the gradient of the mean cross-entropy; returns the sum of the
/// cross-entropies.
fn cross_entropy(
    logits: &mut [f32],
    codes: usize,
    example: &Example<'_>,
    normalisers: &mut Vec<f32>,
) -> f64 {
    let rows = example.own.len();
    let band = |row: usize| example.targets.band(usize::from(example.own[row]));
    let mut wanted = 0.0;
    for row in 0..rows {
        let (start, weights) = band(row);
        let from = row * codes + start;
        let logits = &logits[from..from + weights.len()];
        wanted += f64::from(logits.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>());
    }
    normalisers.resize(rows, 0.0);
    let share = 1.0 / rows as f32;
    softmax_rows(logits, codes, share, normalisers);
    for row in 0..rows {
        let (start, weights) = band(row);
        let from = row * codes + start;
        for (cell, weight) in logits[from..from + weights.len()].iter_mut().zip(weights) {
            *cell -= share * weight;
        }
    }
    normalisers.iter().map(|&x| f64::from(x)).sum::<f64>() - wanted
}

/// The sum over rows of minus the log-probability of each row's own code. The logits are spent.
pub(crate) fn negative_log_likelihood(
    logits: &mut [f32],
    codes: usize,
    own: &[u16],
    normalisers: &mut Vec<f32>,
) -> f64 {
    let wanted = own.iter().enumerate().map(|(row, &code)| logits[row * codes + usize::from(code)]);
    let wanted: f64 = wanted.map(f64::from).sum();
    normalisers.resize(own.len(), 0.0);
    softmax_rows(logits, codes, 1.0, normalisers);
    normalisers.iter().map(|&x| f64::from(x)).sum::<f64>() - wanted
}
