use crate::Ctgan;
use meg_core::{Artifact, Error, Result, Rng, Tensor};
use neural::Parameter;
use neural::kernels::{
    BatchNorm, HeadSpan, Heads, Matrix, MatrixMut, batch_norm_relu_frozen, fill_rows, multiply,
};
use std::collections::BTreeMap;
use transforms::Span;

/// A linear layer over a dense part and a one-hot part of its input. The one-hot part is never
/// built: its product is one row of the weights.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// Dense inputs x outputs.
    pub dense: Parameter,
    /// One-hot inputs x outputs.
    pub onehot: Parameter,
    /// One per output.
    pub bias: Parameter,
}

impl Linear {
    fn new(dense: usize, onehot: usize, outputs: usize, rng: &mut Rng) -> Self {
        let fan_in = dense + onehot;
        Self {
            dense: Parameter::linear(&[dense, outputs], fan_in, rng),
            onehot: Parameter::linear(&[onehot, outputs], fan_in, rng),
            bias: Parameter::linear(&[outputs], fan_in, rng),
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.value.len()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.dense.shape[0]
    }

    /// `out = inputs * dense + onehot[unit] + bias`; rows of the inputs begin `stride` apart.
    pub(crate) fn forward(
        &self,
        inputs: &[f32],
        stride: usize,
        units: &[u32],
        out: &mut [f32],
        threads: usize,
    ) {
        let (outputs, rows) = (self.outputs(), out.len() / self.outputs());
        fill_rows(out, &self.bias.value, &self.onehot.value, units);
        multiply(
            &mut MatrixMut::new(out, rows, outputs),
            1.0,
            Matrix::strided(inputs, rows, self.inputs(), stride),
            Matrix::new(&self.dense.value, self.inputs(), outputs),
            threads,
        );
    }

    pub(crate) fn parameters_mut(&mut self) -> [&mut Parameter; 3] {
        [&mut self.dense, &mut self.onehot, &mut self.bias]
    }
}

/// The generator: residual layers that append their output to their input, then one linear layer
/// (models.md 2.1). The buffer of a row is `[noise, layer 1, layer 2, …]`.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    pub layers: Vec<(Linear, BatchNorm)>,
    pub output: Linear,
}

/// The discriminator over packs of rows, each with its condition.
#[derive(Debug, Clone)]
pub(crate) struct Critic {
    /// The first layer; its dense part sees the rows of a pack, its one-hot part the conditions.
    pub first: Linear,
    /// Weight (inputs x outputs) and bias of each further hidden layer.
    pub hidden: Vec<(Parameter, Parameter)>,
    /// Weight of the output.
    pub output: Parameter,
    pub output_bias: Parameter,
}

impl Generator {
    pub(crate) fn new(recipe: &Ctgan, conditions: usize, row_width: usize, rng: &mut Rng) -> Self {
        let mut inputs = recipe.embedding_dim;
        let mut layers = Vec::new();
        for &units in &recipe.generator_dim {
            layers.push((Linear::new(inputs, conditions, units, rng), BatchNorm::new(units)));
            inputs += units;
        }
        Self { layers, output: Linear::new(inputs, conditions, row_width, rng) }
    }

    /// Cells of a row's buffer.
    pub(crate) fn stride(&self) -> usize {
        self.output.inputs()
    }

    /// Cells of the noise at its head.
    pub(crate) fn noise(&self) -> usize {
        self.layers.first().map_or(self.stride(), |(linear, _)| linear.inputs())
    }

    /// Logits by the running statistics. `buffer` holds the noise at the head of each row.
    pub(crate) fn sample_logits(
        &self,
        buffer: &mut [f32],
        units: &[u32],
        threads: usize,
    ) -> Vec<f32> {
        let stride = self.stride();
        let rows = buffer.len() / stride;
        let mut cells = Vec::new();
        for (linear, norm) in &self.layers {
            cells.resize(rows * linear.outputs(), 0.0);
            linear.forward(buffer, stride, units, &mut cells, threads);
            batch_norm_relu_frozen(norm, &mut cells, &mut buffer[linear.inputs()..], stride);
        }
        let mut logits = vec![0.0; rows * self.output.outputs()];
        self.output.forward(buffer, stride, units, &mut logits, threads);
        logits
    }

    pub(crate) fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        let mut all = Vec::new();
        for (linear, norm) in &mut self.layers {
            all.extend(linear.parameters_mut());
            all.extend([&mut norm.gamma, &mut norm.beta]);
        }
        all.extend(self.output.parameters_mut());
        all
    }

    /// Every weight and running statistic by name.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        let mut linear = |name: &str, linear: &Linear| {
            all.insert(format!("{name}.dense"), linear.dense.tensor());
            all.insert(format!("{name}.onehot"), linear.onehot.tensor());
            all.insert(format!("{name}.bias"), linear.bias.tensor());
        };
        for (at, (layer, _)) in self.layers.iter().enumerate() {
            linear(&format!("layer{at}"), layer);
        }
        linear("output", &self.output);
        for (at, (_, norm)) in self.layers.iter().enumerate() {
            let statistics = |data: &[f32]| Tensor { shape: vec![data.len()], data: data.to_vec() };
            all.insert(format!("layer{at}.gamma"), norm.gamma.tensor());
            all.insert(format!("layer{at}.beta"), norm.beta.tensor());
            all.insert(format!("layer{at}.running_mean"), statistics(&norm.running_mean));
            all.insert(format!("layer{at}.running_variance"), statistics(&norm.running_variance));
        }
        all
    }

    /// Reads the weights back; their shapes follow from the settings.
    pub(crate) fn from_artifact(
        artifact: &Artifact,
        recipe: &Ctgan,
        conditions: usize,
        row_width: usize,
    ) -> Result<Self> {
        let parameter = |name: String, shape: &[usize]| -> Result<Parameter> {
            Ok(Parameter::new(shape, artifact.tensor(&name, shape)?.data.clone()))
        };
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<Linear> {
            Ok(Linear {
                dense: parameter(format!("{name}.dense"), &[inputs, outputs])?,
                onehot: parameter(format!("{name}.onehot"), &[conditions, outputs])?,
                bias: parameter(format!("{name}.bias"), &[outputs])?,
            })
        };
        let mut inputs = recipe.embedding_dim;
        let mut layers = Vec::new();
        for (at, &units) in recipe.generator_dim.iter().enumerate() {
            let name = format!("layer{at}");
            let layer = linear(&name, inputs, units)?;
            let mut norm = BatchNorm::new(units);
            norm.gamma = parameter(format!("{name}.gamma"), &[units])?;
            norm.beta = parameter(format!("{name}.beta"), &[units])?;
            norm.running_mean = parameter(format!("{name}.running_mean"), &[units])?.value;
            norm.running_variance = parameter(format!("{name}.running_variance"), &[units])?.value;
            // Its root would be NaN, and what follows from it another table.
            if norm.running_variance.iter().any(|&variance| variance < 0.0) {
                return Err(Error::Artifact(format!("{name}.running_variance is below 0")));
            }
            layers.push((layer, norm));
            inputs += units;
        }
        Ok(Self { layers, output: linear("output", inputs, row_width)? })
    }
}

impl Critic {
    pub(crate) fn new(recipe: &Ctgan, conditions: usize, row_width: usize, rng: &mut Rng) -> Self {
        let widths = &recipe.discriminator_dim;
        let first = Linear::new(recipe.pac * row_width, recipe.pac * conditions, widths[0], rng);
        let mut layer = |inputs: usize, outputs: usize| {
            let weight = Parameter::linear(&[inputs, outputs], inputs, rng);
            (weight, Parameter::linear(&[outputs], inputs, rng))
        };
        let hidden = widths.windows(2).map(|pair| layer(pair[0], pair[1])).collect();
        let (output, output_bias) = layer(widths[widths.len() - 1], 1);
        Self { first, hidden, output, output_bias }
    }

    pub(crate) fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        let mut all: Vec<_> = self.first.parameters_mut().into();
        for (weight, bias) in &mut self.hidden {
            all.extend([weight, bias]);
        }
        all.extend([&mut self.output, &mut self.output_bias]);
        all
    }
}

/// The output heads of the encoder's spans.
pub(crate) fn heads(spans: &[Span], width: usize, temperature: f64) -> Heads {
    let spans = spans.iter().map(|span| HeadSpan {
        start: span.start,
        width: span.width,
        softmax: span.activation == transforms::Activation::Softmax,
    });
    Heads::new(spans.collect(), width, temperature as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// The library samples in training mode, so that a row depends on the others of its batch
    /// (models.md 2.7, number 4).
    #[test]
    fn a_sampled_row_does_not_depend_on_its_batch() {
        let recipe = Ctgan { embedding_dim: 6, generator_dim: vec![8, 8], ..Ctgan::default() };
        let generator = Generator::new(&recipe, 3, 5, &mut Seed(1).stream("init"));
        let row = |salt: usize| {
            (0..generator.stride()).map(move |at| ((at * 7 + salt * 3) % 5) as f32 - 2.0)
        };
        let alone = generator.sample_logits(&mut row(0).collect::<Vec<_>>(), &[2], 1);
        let mut many: Vec<f32> = (0..40).flat_map(row).collect();
        let units: Vec<u32> = (0..40).map(|at| (at + 2) % 3).collect();
        let together = generator.sample_logits(&mut many, &units, 1);
        for (alone, together) in alone.iter().zip(&together) {
            assert!((alone - together).abs() < 1e-5);
        }
    }
}
