use crate::Tvae;
use meg_core::{Artifact, Error, Result, Rng, Tensor};
use neural::kernels::{HeadSpan, relu};
use neural::layers::Initial;
use neural::{Dense, Parameter};
use std::collections::BTreeMap;
use transforms::{Activation, TableEncoder};

/// Standard deviation of a place before training.
const FIRST_SIGMA: f32 = 0.1;
/// Bounds of the standard deviation of a place, kept after every update.
pub(crate) const SIGMA_BOUNDS: (f32, f32) = (0.01, 1.0);

/// Encoder and decoder: linear layers with ReLU between them.
#[derive(Debug, Clone)]
pub(crate) struct Autoencoder {
    /// Hidden layers of the encoder.
    pub encoder: Vec<Dense>,
    /// From the last of them to the means, then the logarithms of the variances, of the latent
    /// vector. The source has two layers; side by side they are one product.
    pub latent: Dense,
    pub decoder: Decoder,
}

/// From latent vectors to logits, and the spread of the places.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    pub layers: Vec<Dense>,
    pub output: Dense,
    /// Standard deviation of each place. The source has one for every unit and uses these.
    pub sigma: Parameter,
}

impl Autoencoder {
    /// Networks over rows of `width` units, `places` of which are places.
    pub(crate) fn new(recipe: &Tvae, width: usize, places: usize, rng: &mut Rng) -> Self {
        let (encoder, last) = hidden(width, &recipe.compress_dims, rng);
        let latent = linear(last, 2 * recipe.embedding_dim, rng);
        let (layers, last) = hidden(recipe.embedding_dim, &recipe.decompress_dims, rng);
        let output = linear(last, width, rng);
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
            all.extend(layer.named_mut(&format!("encoder.layer{at}")));
        }
        all.extend(self.latent.named_mut("encoder.latent"));
        for (at, layer) in self.decoder.layers.iter_mut().enumerate() {
            all.extend(layer.named_mut(&format!("decoder.layer{at}")));
        }
        all.extend(self.decoder.output.named_mut("decoder.output"));
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
            let mut active = Vec::new();
            layer.forward(&cells, &mut active, rows, 1);
            relu(&mut active);
            cells = active;
        }
        let mut logits = Vec::new();
        self.output.forward(&cells, &mut logits, rows, 1);
        logits
    }

    /// What sampling needs, by name.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let layers = self.layers.iter().enumerate();
        let layers = layers.flat_map(|(at, layer)| layer.tensors(&format!("layer{at}")));
        let sigma = ("sigma".to_owned(), self.sigma.tensor());
        layers.chain(self.output.tensors("output")).chain([sigma]).collect()
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
            layers.push(Dense::read(artifact, &format!("layer{at}"), (inputs, units))?);
            inputs = units;
        }
        let output = Dense::read(artifact, "output", (inputs, width))?;
        let sigma = artifact.tensor("sigma", &[places])?.data.clone();
        let sigma = Parameter::new(&[places], sigma);
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

/// A layer with PyTorch's first values.
fn linear(inputs: usize, outputs: usize, rng: &mut Rng) -> Dense {
    Dense::new((inputs, outputs), Initial::torch(inputs), Initial::torch(inputs), rng)
}

fn hidden(inputs: usize, units: &[usize], rng: &mut Rng) -> (Vec<Dense>, usize) {
    let mut inputs = inputs;
    let mut layers = Vec::new();
    for &units in units {
        layers.push(linear(inputs, units, rng));
        inputs = units;
    }
    (layers, inputs)
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
