use crate::Tvae;
use meg_core::{Artifact, Error, Result, Rng, Tensor};
use neural::Parameter;
use neural::kernels::{HeadSpan, Matrix, MatrixMut, fill_rows, multiply, relu};
use std::collections::BTreeMap;
use transforms::{Activation, TableEncoder};

/// Standard deviation of a place before training.
const FIRST_SIGMA: f32 = 0.1;
/// Bounds of the standard deviation of a place, kept after every update.
pub(crate) const SIGMA_BOUNDS: (f32, f32) = (0.01, 1.0);

/// A linear layer.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// Inputs x outputs.
    pub weight: Parameter,
    /// One per output.
    pub bias: Parameter,
}

/// Encoder and decoder: linear layers with ReLU between them.
#[derive(Debug, Clone)]
pub(crate) struct Autoencoder {
    /// Hidden layers of the encoder.
    pub encoder: Vec<Linear>,
    /// From the last of them to the means, then the logarithms of the variances, of the latent
    /// vector. The source has two layers; side by side they are one product.
    pub latent: Linear,
    pub decoder: Decoder,
}

/// From latent vectors to logits, and the spread of the places.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    pub layers: Vec<Linear>,
    pub output: Linear,
    /// Standard deviation of each place. The source has one for every unit and uses these.
    pub sigma: Parameter,
}

impl Linear {
    fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        Self {
            weight: Parameter::linear(&[inputs, outputs], inputs, rng),
            bias: Parameter::linear(&[outputs], inputs, rng),
        }
    }

    fn from_artifact(
        artifact: &Artifact,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let weight = parameter(artifact, &format!("{name}.weight"), &[inputs, outputs])?;
        Ok(Self { weight, bias: parameter(artifact, &format!("{name}.bias"), &[outputs])? })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.weight.shape[0]
    }

    pub(crate) fn outputs(&self) -> usize {
        self.weight.shape[1]
    }

    /// `out = inputs * weight + bias`, row-major.
    pub(crate) fn forward(&self, inputs: &[f32], out: &mut [f32], threads: usize) {
        let rows = out.len() / self.outputs();
        fill_rows(out, &self.bias.value, &[], &[]);
        multiply(
            &mut MatrixMut::new(out, rows, self.outputs()),
            1.0,
            Matrix::new(inputs, rows, self.inputs()),
            Matrix::new(&self.weight.value, self.inputs(), self.outputs()),
            threads,
        );
    }
}

impl Autoencoder {
    /// Networks over rows of `width` units, `places` of which are places.
    pub(crate) fn new(recipe: &Tvae, width: usize, places: usize, rng: &mut Rng) -> Self {
        let (encoder, last) = hidden(width, &recipe.compress_dims, rng);
        let latent = Linear::new(last, 2 * recipe.embedding_dim, rng);
        let (layers, last) = hidden(recipe.embedding_dim, &recipe.decompress_dims, rng);
        let output = Linear::new(last, width, rng);
        let sigma = Parameter::constant(&[places], FIRST_SIGMA);
        Self { encoder, latent, decoder: Decoder { layers, output, sigma } }
    }

    /// Length of the latent vector.
    pub(crate) fn latent_units(&self) -> usize {
        self.latent.outputs() / 2
    }

    /// Every parameter by name, in one order. A table without places has no sigma.
    pub(crate) fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let mut all = Vec::new();
        for (at, layer) in self.encoder.iter_mut().enumerate() {
            push(&mut all, format!("encoder.layer{at}"), layer);
        }
        push(&mut all, "encoder.latent".into(), &mut self.latent);
        for (at, layer) in self.decoder.layers.iter_mut().enumerate() {
            push(&mut all, format!("decoder.layer{at}"), layer);
        }
        push(&mut all, "decoder.output".into(), &mut self.decoder.output);
        if !self.decoder.sigma.value.is_empty() {
            all.push(("decoder.sigma".into(), &mut self.decoder.sigma));
        }
        all
    }
}

impl Decoder {
    /// Logits of rows of latent vectors.
    pub(crate) fn logits(&self, latent: Vec<f32>, rows: usize) -> Vec<f32> {
        let mut cells = latent;
        for layer in &self.layers {
            let mut active = vec![0.0; rows * layer.outputs()];
            layer.forward(&cells, &mut active, 1);
            relu(&mut active);
            cells = active;
        }
        let mut logits = vec![0.0; rows * self.output.outputs()];
        self.output.forward(&cells, &mut logits, 1);
        logits
    }

    /// What sampling needs, by name.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        let names = (0..self.layers.len()).map(|at| format!("layer{at}"));
        let layers = names.zip(&self.layers).chain([("output".to_owned(), &self.output)]);
        for (name, layer) in layers {
            all.insert(format!("{name}.weight"), layer.weight.tensor());
            all.insert(format!("{name}.bias"), layer.bias.tensor());
        }
        all.insert("sigma".to_owned(), self.sigma.tensor());
        all
    }

    /// Reads the weights back; their shapes follow from the settings.
    pub(crate) fn from_artifact(
        artifact: &Artifact,
        recipe: &Tvae,
        width: usize,
        places: usize,
    ) -> Result<Self> {
        let mut inputs = recipe.embedding_dim;
        let mut layers = Vec::new();
        for (at, &units) in recipe.decompress_dims.iter().enumerate() {
            layers.push(Linear::from_artifact(artifact, &format!("layer{at}"), inputs, units)?);
            inputs = units;
        }
        let output = Linear::from_artifact(artifact, "output", inputs, width)?;
        let sigma = parameter(artifact, "sigma", &[places])?;
        let (least, most) = SIGMA_BOUNDS;
        if let Some(cell) = sigma.value.iter().find(|cell| !(least..=most).contains(*cell)) {
            let problem = format!("a standard deviation of {cell} is not in [{least}, {most}]");
            return Err(Error::Artifact(problem));
        }
        Ok(Self { layers, output, sigma })
    }
}

/// The encoder's spans, as the kernels know them.
pub(crate) fn head_spans(encoder: &TableEncoder) -> Vec<HeadSpan> {
    let span = |span: &transforms::Span| HeadSpan {
        start: span.start,
        width: span.width,
        softmax: span.activation == Activation::Softmax,
    };
    encoder.spans().iter().map(span).collect()
}

fn hidden(inputs: usize, units: &[usize], rng: &mut Rng) -> (Vec<Linear>, usize) {
    let mut inputs = inputs;
    let mut layers = Vec::new();
    for &units in units {
        layers.push(Linear::new(inputs, units, rng));
        inputs = units;
    }
    (layers, inputs)
}

fn push<'a>(all: &mut Vec<(String, &'a mut Parameter)>, name: String, layer: &'a mut Linear) {
    all.push((format!("{name}.weight"), &mut layer.weight));
    all.push((format!("{name}.bias"), &mut layer.bias));
}

fn parameter(artifact: &Artifact, name: &str, shape: &[usize]) -> Result<Parameter> {
    Ok(Parameter::new(shape, artifact.tensor(name, shape)?.data.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// The source's own layers for a row of 157 units: 157-128-128, two times 128-128, 128-128-128,
    /// 128-157 and a sigma of 157; of the latter only the places are kept here.
    #[test]
    fn the_number_of_parameters_is_that_of_the_source() {
        let (width, places) = (157, 6);
        let layer = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
        let encoder = layer(width, 128) + layer(128, 128) + 2 * layer(128, 128);
        let decoder = 2 * layer(128, 128) + layer(128, width);
        assert_eq!(encoder + decoder + width, 123_194);
        let mut rng = Seed(1).stream("init");
        let mut model = Autoencoder::new(&Tvae::default(), width, places, &mut rng);
        let ours: usize = model.named_mut().iter().map(|(_, cells)| cells.value.len()).sum();
        assert_eq!(ours + (width - places), encoder + decoder + width);
        assert_eq!(model.latent.weight.shape, [128, 256]);
    }
}
