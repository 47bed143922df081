//! The generator over a group of rows: forward, and the gradients of every layer written out.
//! Rows depend on each other nowhere in it, so that groups are computed at the same time.

use crate::columns::{Output, Step, likeliest};
use crate::network::{Generator, StepLayers};
use neural::kernels::{
    Matrix, MatrixMut, add_column_sums, fill_rows, lstm_cell, lstm_cell_backward, mix_states,
    mix_states_backward, multiply, softmax_rows, softmax_rows_backward, tanh, tanh_backward,
};
use neural::{Dense, Threads};

/// What a group of rows needs of every step. Buffers are of all steps, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    rows: usize,
    /// Features, context and hidden state that each step gets.
    inputs: Vec<f32>,
    /// Activations of the gates, then the gradients of their pre-activations.
    gates: Vec<f32>,
    /// Cells before each step, and after the last.
    cells: Vec<f32>,
    hidden: Vec<f32>,
    features: Vec<f32>,
    /// Units that each step made.
    outputs: Vec<Vec<f32>>,
    /// The likeliest level of each row in the steps of levels.
    levels: Vec<Vec<usize>>,
    /// Weights of the hidden states in the context after each step.
    weights: Vec<Vec<f32>>,
    /// What the noise and the bias add to the gates of every step.
    base: Vec<f32>,
    context: Vec<f32>,
    normalisers: Vec<f32>,
    back: Back,
}

/// Gradients of the same.
#[derive(Debug, Default)]
struct Back {
    hidden: Vec<f32>,
    cell: Vec<f32>,
    /// Of the inputs of one step.
    inputs: Vec<f32>,
    context: Vec<f32>,
    /// Of the features that each step handed on.
    next: Vec<f32>,
    /// Of each step's features before tanh.
    features: Vec<f32>,
    /// Of each step's logits.
    logits: Vec<Vec<f32>>,
    /// Of the weights of the hidden states.
    weights: Vec<Vec<f32>>,
    /// Of the gates, summed over the steps.
    gates: Vec<f32>,
    /// Of what the first step gets for features, summed over the rows.
    start: Vec<f32>,
}

/// Lengths of a row in the buffers.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    features: usize,
    units: usize,
}

impl Sizes {
    fn of(generator: &Generator) -> Self {
        Self { features: generator.features(), units: generator.units() }
    }

    fn inputs(self) -> usize {
        self.features + 2 * self.units
    }
}

impl Lane {
    /// Generates rows from noise; `out` holds the rows' units, row-major. With `keep` all is there
    /// afterwards that the gradients need; without it one step's buffers serve all steps.
    pub(crate) fn forward(
        &mut self,
        generator: &Generator,
        steps: &[Step],
        noise: &[f32],
        out: &mut [f32],
        keep: bool,
    ) {
        let size = Sizes::of(generator);
        self.rows = noise.len() / generator.noise_units();
        self.resize(size, steps.len(), keep);
        self.begin(generator, noise);
        for (at, (step, layers)) in steps.iter().zip(&generator.steps).enumerate() {
            self.recur(generator, at, keep);
            self.emit(layers, *step, at, keep);
            copy_columns(
                (&self.outputs[at], step.width, 0),
                (out, width(steps), step.start),
                step.width,
            );
            if at + 1 < steps.len() {
                self.hand_on(layers, step.output, size, at, keep);
            }
        }
    }

    fn resize(&mut self, size: Sizes, steps: usize, keep: bool) {
        let (rows, kept) = (self.rows, if keep { steps } else { 1 });
        self.inputs.resize(kept * rows * size.inputs(), 0.0);
        self.gates.resize(kept * rows * 4 * size.units, 0.0);
        self.cells.resize((kept + 1) * rows * size.units, 0.0);
        self.hidden.resize(steps * rows * size.units, 0.0);
        self.features.resize(kept * rows * size.features, 0.0);
        self.outputs.resize_with(steps, Vec::new);
        self.levels.resize_with(steps, Vec::new);
        self.weights.resize_with(steps, Vec::new);
        self.base.resize(rows * 4 * size.units, 0.0);
        self.context.resize(rows * size.units, 0.0);
        self.normalisers.resize(rows, 0.0);
    }

    fn begin(&mut self, generator: &Generator, noise: &[f32]) {
        let (size, rows) = (Sizes::of(generator), self.rows);
        for base in self.base.chunks_exact_mut(4 * size.units) {
            base.copy_from_slice(&generator.bias.value);
        }
        let (length, gates) = (generator.noise_units(), 4 * size.units);
        multiply(
            &mut MatrixMut::new(&mut self.base, rows, gates),
            1.0,
            Matrix::new(noise, rows, length),
            Matrix::new(&generator.noise.value, length, gates),
            1,
        );
        let first = &mut self.inputs[..rows * size.inputs()];
        first.fill(0.0);
        for inputs in first.chunks_exact_mut(size.inputs()) {
            inputs[..size.features].copy_from_slice(&generator.start.value);
        }
        self.cells[..rows * size.units].fill(0.0);
    }

    /// The LSTM's step.
    fn recur(&mut self, generator: &Generator, at: usize, keep: bool) {
        let (size, rows) = (Sizes::of(generator), self.rows);
        let (kept, gates) = (if keep { at } else { 0 }, 4 * size.units);
        let gates_now = part_mut(&mut self.gates, kept, rows * gates);
        gates_now.copy_from_slice(&self.base);
        multiply(
            &mut MatrixMut::new(gates_now, rows, gates),
            1.0,
            Matrix::new(part(&self.inputs, kept, rows * size.inputs()), rows, size.inputs()),
            Matrix::new(&generator.lstm.value, size.inputs(), gates),
            1,
        );
        let cells = rows * size.units;
        let (before, after) = match keep {
            true => {
                let (before, after) = self.cells.split_at_mut((at + 1) * cells);
                (&mut before[at * cells..], &mut after[..cells])
            }
            false => {
                // Even steps go from the first half to the second, odd steps back.
                let (first, second) = self.cells.split_at_mut(cells);
                if at.is_multiple_of(2) { (first, second) } else { (second, first) }
            }
        };
        let hidden = part_mut(&mut self.hidden, at, cells);
        lstm_cell(gates_now, before, after, hidden, size.units);
    }

    /// The units of the row that this step makes.
    fn emit(&mut self, layers: &StepLayers, step: Step, at: usize, keep: bool) {
        let (rows, kept) = (self.rows, if keep { at } else { 0 });
        let units = layers.features.outputs();
        let features = part_mut(&mut self.features, kept, rows * units);
        let hidden = part(&self.hidden, at, rows * layers.features.inputs());
        forward(&layers.features, hidden, features, units);
        tanh(features);
        let outputs = &mut self.outputs[at];
        outputs.resize(rows * step.width, 0.0);
        forward(&layers.output, features, outputs, step.width);
        match step.output {
            Output::Place => tanh(outputs),
            _ => softmax_rows(outputs, step.width, 1.0, &mut self.normalisers),
        }
        if step.output == Output::Levels {
            self.levels[at].clear();
            self.levels[at].extend(outputs.chunks_exact(step.width).map(likeliest));
        }
    }

    /// What the next step gets.
    fn hand_on(&mut self, layers: &StepLayers, output: Output, size: Sizes, at: usize, keep: bool) {
        let (rows, stride) = (self.rows, size.inputs());
        let (kept, next) = if keep { (at, at + 1) } else { (0, 0) };
        let inputs = part_mut(&mut self.inputs, next, rows * stride);
        match (&layers.next, output) {
            (Some(next), Output::Levels) => {
                let (weight, bias) = (&next.weight.value, &next.bias.value);
                for (inputs, &level) in inputs.chunks_exact_mut(stride).zip(&self.levels[at]) {
                    let row = &weight[level * size.features..(level + 1) * size.features];
                    for ((input, weight), bias) in inputs.iter_mut().zip(row).zip(bias) {
                        *input = weight + bias;
                    }
                }
            }
            (Some(next), _) => forward(next, &self.outputs[at], inputs, stride),
            (None, _) => {
                let features = part(&self.features, kept, rows * size.features);
                copy_columns((features, size.features, 0), (inputs, stride, 0), size.features);
            }
        }
        let logits = layers.attention.as_ref().map_or(&[][..], |logits| &logits.value);
        self.weights[at] = shares(logits);
        let (units, cells) = (size.units, rows * size.units);
        mix_states(&mut self.context, &self.hidden[..(at + 1) * cells], &self.weights[at]);
        copy_columns((&self.context, units, 0), (inputs, stride, size.features), units);
        let hidden = part(&self.hidden, at, cells);
        copy_columns((hidden, units, 0), (inputs, stride, size.features + units), units);
    }

    /// From the gradient of the generated rows to those of everything on the way; the weights'
    /// follow by [`fill_gradients`].
    pub(crate) fn backward(&mut self, generator: &Generator, steps: &[Step], gradient: &[f32]) {
        let size = Sizes::of(generator);
        self.back.resize(self.rows, size, steps);
        for at in (0..steps.len()).rev() {
            let layers = &generator.steps[at];
            if at + 1 < steps.len() {
                self.take_back(size, at);
            }
            self.emit_backward(layers, steps, at, gradient);
            self.recur_backward(generator, at);
        }
        for row in self.back.inputs.chunks_exact(size.inputs()) {
            for (sum, cell) in self.back.start.iter_mut().zip(row) {
                *sum += cell;
            }
        }
    }

    /// Gradients of what was handed on, from those of the next step's inputs.
    fn take_back(&mut self, size: Sizes, at: usize) {
        let (rows, stride, units) = (self.rows, size.inputs(), size.units);
        let cells = rows * units;
        let Back { inputs, context, next, hidden, weights, .. } = &mut self.back;
        let next = part_mut(next, at, rows * size.features);
        copy_columns((inputs, stride, 0), (next, size.features, 0), size.features);
        copy_columns((inputs, stride, size.features), (context, units, 0), units);
        let so_far = (at + 1) * cells;
        mix_states_backward(
            context,
            &self.hidden[..so_far],
            &self.weights[at],
            &mut hidden[..so_far],
            &mut weights[at],
        );
        let own = part_mut(hidden, at, cells);
        for (own, inputs) in own.chunks_exact_mut(units).zip(inputs.chunks_exact(stride)) {
            for (own, input) in own.iter_mut().zip(&inputs[size.features + units..]) {
                *own += input;
            }
        }
    }

    fn emit_backward(&mut self, layers: &StepLayers, steps: &[Step], at: usize, gradient: &[f32]) {
        let (rows, step) = (self.rows, steps[at]);
        let units = layers.features.outputs();
        let Back { next, features, logits, hidden, .. } = &mut self.back;
        let next = part(next, at, rows * units);
        let logits = &mut logits[at];
        copy_columns((gradient, width(steps), step.start), (logits, step.width, 0), step.width);
        if let (Some(layer), Output::Shares) = (&layers.next, step.output) {
            through(layer, next, logits, 1.0);
        }
        match step.output {
            Output::Place => tanh_backward(logits, &self.outputs[at]),
            _ => softmax_rows_backward(logits, &self.outputs[at], step.width),
        }
        let own = part_mut(features, at, rows * units);
        // After a place the features themselves are handed on; the last step hands nothing on.
        let handed_on = step.output == Output::Place && at + 1 < steps.len();
        if handed_on {
            own.copy_from_slice(next);
        }
        through(&layers.output, logits, own, if handed_on { 1.0 } else { 0.0 });
        tanh_backward(own, part(&self.features, at, rows * units));
        let hidden = part_mut(hidden, at, rows * layers.features.inputs());
        through(&layers.features, own, hidden, 1.0);
    }

    fn recur_backward(&mut self, generator: &Generator, at: usize) {
        let (size, rows) = (Sizes::of(generator), self.rows);
        let (gates, cells) = (4 * size.units, rows * size.units);
        let own = part_mut(&mut self.gates, at, rows * gates);
        let (before, after) = (part(&self.cells, at, cells), part(&self.cells, at + 1, cells));
        let sent = part(&self.back.hidden, at, cells);
        lstm_cell_backward(own, before, after, sent, &mut self.back.cell, size.units);
        for (sum, gate) in self.back.gates.iter_mut().zip(&*own) {
            *sum += gate;
        }
        multiply(
            &mut MatrixMut::new(&mut self.back.inputs, rows, size.inputs()),
            0.0,
            Matrix::new(own, rows, gates),
            Matrix::new(&generator.lstm.value, size.inputs(), gates).transposed(),
            1,
        );
    }
}

impl Back {
    fn resize(&mut self, rows: usize, size: Sizes, steps: &[Step]) {
        let zeros = |cells: &mut Vec<f32>, count: usize| {
            cells.clear();
            cells.resize(count, 0.0);
        };
        zeros(&mut self.hidden, steps.len() * rows * size.units);
        zeros(&mut self.cell, rows * size.units);
        zeros(&mut self.gates, rows * 4 * size.units);
        zeros(&mut self.start, size.features);
        self.inputs.resize(rows * size.inputs(), 0.0);
        self.context.resize(rows * size.units, 0.0);
        self.next.resize(steps.len() * rows * size.features, 0.0);
        self.features.resize(steps.len() * rows * size.features, 0.0);
        self.logits.resize_with(steps.len(), Vec::new);
        self.weights.resize_with(steps.len(), Vec::new);
        for (at, step) in steps.iter().enumerate() {
            self.logits[at].resize(rows * step.width, 0.0);
            zeros(&mut self.weights[at], at + 1);
        }
    }
}

/// Fills the gradient of every weight after [`Lane::backward`] of both groups, whose rows are added
/// up one after the other, at any number of threads.
pub(crate) fn fill_gradients(
    generator: &mut Generator,
    steps: &[Step],
    lanes: &[Lane; 2],
    noise: [&[f32]; 2],
    threads: &Threads,
) {
    let size = Sizes::of(generator);
    let (inputs, gates, length) = (size.inputs(), 4 * size.units, generator.noise_units());
    generator.bias.gradient.fill(0.0);
    generator.start.gradient.fill(0.0);
    for ((at, lane), noise) in lanes.iter().enumerate().zip(noise) {
        let keep = if at == 0 { 0.0 } else { 1.0 };
        let all = lane.rows * steps.len();
        multiply(
            &mut MatrixMut::new(&mut generator.lstm.gradient, inputs, gates),
            keep,
            Matrix::new(&lane.inputs, all, inputs).transposed(),
            Matrix::new(&lane.gates, all, gates),
            threads.count(),
        );
        multiply(
            &mut MatrixMut::new(&mut generator.noise.gradient, length, gates),
            keep,
            Matrix::new(noise, lane.rows, length).transposed(),
            Matrix::new(&lane.back.gates, lane.rows, gates),
            threads.count(),
        );
        add_column_sums(&mut generator.bias.gradient, &lane.back.gates);
        add_column_sums(&mut generator.start.gradient, &lane.back.start);
    }
    let middle = steps.len() / 2;
    let (first, second) = generator.steps.split_at_mut(middle);
    let fill = |layers: &mut [StepLayers], from: usize| {
        for (at, layers) in layers.iter_mut().enumerate() {
            fill_step(layers, steps[from + at].output, lanes, from + at);
        }
    };
    threads.join(|| fill(first, 0), || fill(second, middle));
}

fn fill_step(layers: &mut StepLayers, output: Output, lanes: &[Lane; 2], at: usize) {
    let units = layers.features.outputs();
    for (number, lane) in lanes.iter().enumerate() {
        let (keep, rows) = (if number == 0 { 0.0 } else { 1.0 }, lane.rows);
        let hidden = part(&lane.hidden, at, rows * layers.features.inputs());
        let sent = part(&lane.back.features, at, rows * units);
        weight_gradient(&mut layers.features, hidden, sent, keep);
        let features = part(&lane.features, at, rows * units);
        weight_gradient(&mut layers.output, features, &lane.back.logits[at], keep);
        let Some(next) = &mut layers.next else { continue };
        let sent = part(&lane.back.next, at, rows * units);
        match output {
            Output::Levels => level_gradient(next, &lane.levels[at], sent, keep),
            _ => weight_gradient(next, &lane.outputs[at], sent, keep),
        }
    }
    if let Some(attention) = &mut layers.attention {
        let weights = &lanes[0].weights[at];
        let [one, other] = lanes.each_ref().map(|lane| &lane.back.weights[at]);
        let sent: Vec<f32> = one.iter().zip(other).map(|(one, other)| one + other).collect();
        attention.gradient.copy_from_slice(&sent);
        softmax_rows_backward(&mut attention.gradient, weights, weights.len());
    }
}

/// `out = inputs * weight + bias`, row-major; rows of `out` begin `stride` cells apart.
pub(crate) fn forward(layer: &Dense, inputs: &[f32], out: &mut [f32], stride: usize) {
    let (width, outputs) = (layer.inputs(), layer.outputs());
    let rows = inputs.len() / width;
    if stride == outputs {
        fill_rows(out, &layer.bias.value, &[], &[]);
    } else {
        for out in out.chunks_mut(stride) {
            out[..outputs].copy_from_slice(&layer.bias.value);
        }
    }
    multiply(
        &mut MatrixMut::strided(out, rows, outputs, stride),
        1.0,
        Matrix::new(inputs, rows, width),
        Matrix::new(&layer.weight.value, width, outputs),
        1,
    );
}

/// `weight.gradient = keep * old + inputs^T * gradient`, and that of the bias.
pub(crate) fn weight_gradient(layer: &mut Dense, inputs: &[f32], gradient: &[f32], keep: f32) {
    let (width, outputs) = (layer.inputs(), layer.outputs());
    let rows = inputs.len() / width;
    multiply(
        &mut MatrixMut::new(&mut layer.weight.gradient, width, outputs),
        keep,
        Matrix::new(inputs, rows, width).transposed(),
        Matrix::new(gradient, rows, outputs),
        1,
    );
    bias_gradient(layer, gradient, keep);
}

/// The same where the inputs are one-hot rows.
fn level_gradient(layer: &mut Dense, levels: &[usize], gradient: &[f32], keep: f32) {
    let outputs = layer.outputs();
    if keep == 0.0 {
        layer.weight.gradient.fill(0.0);
    }
    for (&level, gradient) in levels.iter().zip(gradient.chunks_exact(outputs)) {
        let row = &mut layer.weight.gradient[level * outputs..(level + 1) * outputs];
        for (sum, cell) in row.iter_mut().zip(gradient) {
            *sum += cell;
        }
    }
    bias_gradient(layer, gradient, keep);
}

fn bias_gradient(layer: &mut Dense, gradient: &[f32], keep: f32) {
    if keep == 0.0 {
        layer.bias.gradient.fill(0.0);
    }
    add_column_sums(&mut layer.bias.gradient, gradient);
}

/// `out = keep * out + gradient * weight^T`: the gradient of a layer's inputs.
pub(crate) fn through(layer: &Dense, gradient: &[f32], out: &mut [f32], keep: f32) {
    let (width, outputs) = (layer.inputs(), layer.outputs());
    let rows = gradient.len() / outputs;
    multiply(
        &mut MatrixMut::new(out, rows, width),
        keep,
        Matrix::new(gradient, rows, outputs),
        Matrix::new(&layer.weight.value, width, outputs).transposed(),
        1,
    );
}

/// Softmax of a few logits.
fn shares(logits: &[f32]) -> Vec<f32> {
    let mut shares = logits.to_vec();
    if !shares.is_empty() {
        let count = shares.len();
        softmax_rows(&mut shares, count, 1.0, &mut [0.0]);
    }
    shares
}

/// Units of a row.
pub(crate) fn width(steps: &[Step]) -> usize {
    steps.last().map_or(0, |step| step.start + step.width)
}

/// Copies `count` neighbouring columns; both sides as cells, stride and first column.
pub(crate) fn copy_columns(
    (from, from_stride, from_at): (&[f32], usize, usize),
    (to, to_stride, to_at): (&mut [f32], usize, usize),
    count: usize,
) {
    for (to, from) in to.chunks_mut(to_stride).zip(from.chunks(from_stride)) {
        to[to_at..to_at + count].copy_from_slice(&from[from_at..from_at + count]);
    }
}

/// The cells of one step, `length` of them.
fn part(cells: &[f32], at: usize, length: usize) -> &[f32] {
    &cells[at * length..(at + 1) * length]
}

fn part_mut(cells: &mut [f32], at: usize, length: usize) -> &mut [f32] {
    &mut cells[at * length..(at + 1) * length]
}
