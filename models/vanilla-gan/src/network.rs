use crate::settings::VanillaGan;
use meg_core::{Artifact, Result, Rng, Tensor};
use neural::kernels::relu;
use neural::layers::Initial;
use neural::{Dense, Parameter};
use std::collections::BTreeMap;

/// From noise to records: three hidden layers with ReLU, each twice as wide as the one before, and
/// a linear one.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    pub layers: Vec<Dense>,
}

/// From records to one logit: the generator's hidden layers in reverse, dropout behind the first
/// [`DROPPED`].
#[derive(Debug, Clone)]
pub(crate) struct Discriminator {
    pub layers: Vec<Dense>,
}

/// What the names of the parameters of generator and discriminator begin with in a checkpoint.
pub(crate) const NETWORKS: [&str; 2] = ["generator.", "discriminator."];

/// What the names of the generator's averages begin with there.
pub(crate) const AVERAGE: &str = "average.";

/// Hidden layers of the discriminator with dropout.
pub(crate) const DROPPED: usize = 2;

/// Inputs and outputs of each layer.
type Sizes = [(usize, usize); 4];

fn generator_sizes(recipe: &VanillaGan, width: usize) -> Sizes {
    let units = recipe.layers_dim;
    [(recipe.noise_dim, units), (units, 2 * units), (2 * units, 4 * units), (4 * units, width)]
}

fn discriminator_sizes(recipe: &VanillaGan, width: usize) -> Sizes {
    let units = recipe.layers_dim;
    [(width, 4 * units), (4 * units, 2 * units), (2 * units, units), (units, 1)]
}

/// Layers with Keras's first values: Glorot's uniform, biases of 0.
fn layers(sizes: Sizes, rng: &mut Rng) -> Vec<Dense> {
    let zero = Initial::Constant(0.0);
    let layer = |size: (usize, usize)| Dense::new(size, Initial::glorot(size.0, size.1), zero, rng);
    sizes.map(layer).into()
}

fn named_mut(layers: &mut [Dense]) -> Vec<(String, &mut Parameter)> {
    let named = layers.iter_mut().enumerate();
    named.flat_map(|(at, layer)| layer.named_mut(&format!("layer{at}"))).collect()
}

impl Generator {
    /// For records of `width` cells.
    pub(crate) fn new(recipe: &VanillaGan, width: usize, rng: &mut Rng) -> Self {
        Self { layers: layers(generator_sizes(recipe, width), rng) }
    }

    /// Reads the weights back; their shapes follow from the settings.
    pub(crate) fn from_artifact(
        artifact: &Artifact,
        recipe: &VanillaGan,
        width: usize,
    ) -> Result<Self> {
        let read = |(at, size)| Dense::read(artifact, &format!("layer{at}"), size);
        let layers = generator_sizes(recipe, width).into_iter().enumerate().map(read);
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// What sampling needs, by name.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let layers = self.layers.iter().enumerate();
        layers.flat_map(|(at, layer)| layer.tensors(&format!("layer{at}"))).collect()
    }

    /// Every parameter by name, in one order.
    pub(crate) fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        named_mut(&mut self.layers)
    }

    /// Records of rows of noise.
    pub(crate) fn records(&self, noise: Vec<f32>, rows: usize) -> Vec<f32> {
        let mut cells = noise;
        for (at, layer) in self.layers.iter().enumerate() {
            let mut out = Vec::new();
            layer.forward(&cells, &mut out, rows, 1);
            if at + 1 < self.layers.len() {
                relu(&mut out);
            }
            cells = out;
        }
        cells
    }
}

impl Discriminator {
    /// For records of `width` cells.
    pub(crate) fn new(recipe: &VanillaGan, width: usize, rng: &mut Rng) -> Self {
        Self { layers: layers(discriminator_sizes(recipe, width), rng) }
    }

    /// Every parameter by name, in one order.
    pub(crate) fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        named_mut(&mut self.layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    fn counts(named: Vec<(String, &mut Parameter)>) -> Vec<usize> {
        let cells: Vec<_> = named.iter().map(|(_, cells)| cells.value.len()).collect();
        cells.chunks(2).map(|pair| pair.iter().sum()).collect()
    }

    /// The summaries that the source prints for its 11 columns.
    #[test]
    fn layers_and_parameters_are_those_of_the_source() {
        let (recipe, mut rng) = (VanillaGan::default(), Seed(1).stream("init"));
        let mut generator = Generator::new(&recipe, 11, &mut rng);
        let mut discriminator = Discriminator::new(&recipe, 11, &mut rng);
        let (ours, its) = (counts(generator.named_mut()), counts(discriminator.named_mut()));
        assert_eq!(ours, [4_224, 33_024, 131_584, 5_643]);
        assert_eq!(its, [6_144, 131_328, 32_896, 129]);
        assert_eq!((ours.iter().sum::<usize>(), its.iter().sum::<usize>()), (174_475, 170_497));
        let outputs = |layers: &[Dense]| layers.iter().map(Dense::outputs).collect::<Vec<_>>();
        assert_eq!(outputs(&generator.layers), [128, 256, 512, 11]);
        assert_eq!(outputs(&discriminator.layers), [512, 256, 128, 1]);
        assert_eq!(generator.records(vec![0.5; 32 * 32], 32).len(), 32 * 11);
    }

    /// Keras: uniform within `sqrt(6 / (inputs + outputs))`, biases 0.
    #[test]
    fn first_values_are_those_of_keras() {
        let generator = Generator::new(&VanillaGan::default(), 11, &mut Seed(1).stream("init"));
        for layer in &generator.layers {
            let bound = (6.0 / (layer.inputs() + layer.outputs()) as f32).sqrt();
            let largest = layer.weight.value.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(largest <= bound * 1.000_001 && largest > 0.99 * bound, "{largest} {bound}");
            assert!(layer.bias.value.iter().all(|&cell| cell == 0.0));
        }
    }
}
