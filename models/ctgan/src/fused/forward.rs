//! A pass of the generator in training mode.

use crate::batch::GeneratorInput;
use crate::network::Generator;
use neural::kernels::{BatchStatistics, Heads, batch_norm_relu};

/// The generator's pass over a batch, with what its backward pass needs.
#[derive(Debug)]
pub(super) struct Forward {
    /// Row buffers: `[noise, layer 1, …]`.
    pub(super) buffer: Vec<f32>,
    /// Normalised cells of each layer, and what the batch said of them.
    pub(super) normalised: Vec<(Vec<f32>, BatchStatistics)>,
    pub(super) logits: Vec<f32>,
    /// Room for other rows, then the generated rows.
    pub(super) stack: Vec<f32>,
}

impl Forward {
    /// Buffers for `rows` rows, which come after `room` other cells.
    pub(super) fn new(generator: &Generator, rows: usize, room: usize) -> Self {
        let layer = |units: usize| (vec![0.0; rows * units], BatchStatistics::default());
        let cells = rows * generator.output.outputs();
        Self {
            buffer: vec![0.0; rows * generator.stride()],
            normalised: generator
                .layers
                .iter()
                .map(|(linear, _)| layer(linear.outputs()))
                .collect(),
            logits: vec![0.0; cells],
            stack: vec![0.0; room + cells],
        }
    }

    /// The generated rows, row-major.
    pub(super) fn rows(&self) -> &[f32] {
        &self.stack[self.stack.len() - self.logits.len()..]
    }

    /// From noise to rows. The running statistics stay as they are, so that two passes can run
    /// at once.
    pub(super) fn run(
        &mut self,
        generator: &Generator,
        heads: &Heads,
        input: &GeneratorInput,
        threads: usize,
    ) {
        let stride = generator.stride();
        let noise = generator.noise();
        for (row, noise) in
            self.buffer.chunks_exact_mut(stride).zip(input.noise.chunks_exact(noise))
        {
            row[..noise.len()].copy_from_slice(noise);
        }
        for ((linear, norm), (cells, batch)) in generator.layers.iter().zip(&mut self.normalised) {
            linear.forward(&self.buffer, stride, &input.units, cells, threads);
            batch_norm_relu(norm, cells, &mut self.buffer[linear.inputs()..], stride, batch);
        }
        let output = &generator.output;
        output.forward(&self.buffer, stride, &input.units, &mut self.logits, threads);
        let room = self.stack.len() - self.logits.len();
        heads.forward(&self.logits, &input.gumbel, &mut self.stack[room..]);
    }

    /// Moves the generator's running statistics towards those of this pass.
    pub(super) fn follow(&self, generator: &mut Generator) {
        for ((_, norm), (_, batch)) in generator.layers.iter_mut().zip(&self.normalised) {
            norm.follow(batch);
        }
    }
}
