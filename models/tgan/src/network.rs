use crate::Tgan;
use crate::columns::{Output, Step};
use meg_core::{Artifact, Result, Rng, Tensor};
use neural::layers::Initial;
use neural::{Dense, Parameter};
use std::collections::BTreeMap;

/// The generator: an LSTM over the steps of a row, each with layers of its own.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    /// What the first step gets for a feature vector.
    pub start: Parameter,
    /// From features, context (attention) and hidden state, one below the other, to the gates:
    /// input, candidate, forget, output.
    pub lstm: Parameter,
    /// From the noise, the same at every step, to the gates.
    pub noise: Parameter,
    /// Bias of the gates, beside the 1 of the forget gate.
    pub bias: Parameter,
    pub steps: Vec<StepLayers>,
}

/// What one step of the generator has of its own.
#[derive(Debug, Clone)]
pub(crate) struct StepLayers {
    /// From the hidden state to the features.
    pub features: Dense,
    /// From the features to the units of the row.
    pub output: Dense,
    /// From those units to the features that the next step gets. After a place these are the
    /// features themselves, and after the last step there is none.
    pub next: Option<Dense>,
    /// Logits of the weights of the hidden states so far, this step's included, in the context of
    /// the next step.
    pub attention: Option<Parameter>,
}

/// The discriminator: linear layers, each followed by the minibatch discrimination of its outputs,
/// batch norm, dropout and leaky ReLU, and one logit.
#[derive(Debug, Clone)]
pub(crate) struct Discriminator {
    pub layers: Vec<CriticLayer>,
    pub output: Dense,
}

#[derive(Debug, Clone)]
pub(crate) struct CriticLayer {
    pub linear: Dense,
    /// The projections of the minibatch discrimination, if there is one.
    pub diversity: Option<Dense>,
    /// Shift of the batch norm, over the units of both.
    pub shift: Parameter,
}

impl Generator {
    pub(crate) fn new(recipe: &Tgan, steps: &[Step], rng: &mut Rng) -> Self {
        let Tgan { noise_dim, lstm_dim, feature_dim, .. } = *recipe;
        let recurrent = feature_dim + 2 * lstm_dim;
        // TensorFlow draws the whole weight of the cell, noise included, by Glorot's law.
        let glorot = Initial::glorot(recurrent + noise_dim, 4 * lstm_dim);
        let start = drawn(Initial::glorot(1, feature_dim), &[feature_dim], rng);
        let lstm = drawn(glorot, &[recurrent, 4 * lstm_dim], rng);
        let noise = drawn(glorot, &[noise_dim, 4 * lstm_dim], rng);
        let bias = Parameter::constant(&[4 * lstm_dim], 0.0);
        let layers = |(at, step): (usize, &Step)| {
            let last = at + 1 == steps.len();
            let features = he_layer(lstm_dim, feature_dim, rng);
            let output = he_layer(feature_dim, step.width, rng);
            let feeds = !last && step.output != Output::Place;
            let next = feeds.then(|| he_layer(step.width, feature_dim, rng));
            // A tensor of (at + 1) x 1 x 1 there, which counts as a convolution of that length.
            let law = Initial::glorot(at + 1, at + 1);
            let attention = (!last).then(|| drawn(law, &[at + 1], rng));
            StepLayers { features, output, next, attention }
        };
        let steps = steps.iter().enumerate().map(layers).collect();
        Self { start, lstm, noise, bias, steps }
    }

    /// Units of the LSTM.
    pub(crate) fn units(&self) -> usize {
        self.bias.shape[0] / 4
    }

    /// Length of a feature vector.
    pub(crate) fn features(&self) -> usize {
        self.start.shape[0]
    }

    /// Length of the noise vector.
    pub(crate) fn noise_units(&self) -> usize {
        self.noise.shape[0]
    }

    /// Every parameter by name, in one order.
    pub(crate) fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let mut all = vec![
            ("generator.start".to_owned(), &mut self.start),
            ("generator.lstm".to_owned(), &mut self.lstm),
            ("generator.noise".to_owned(), &mut self.noise),
            ("generator.bias".to_owned(), &mut self.bias),
        ];
        for (at, step) in self.steps.iter_mut().enumerate() {
            all.extend(step.features.named_mut(&format!("generator.step{at}.features")));
            all.extend(step.output.named_mut(&format!("generator.step{at}.output")));
            if let Some(next) = &mut step.next {
                all.extend(next.named_mut(&format!("generator.step{at}.next")));
            }
            if let Some(attention) = &mut step.attention {
                all.push((format!("generator.step{at}.attention"), attention));
            }
        }
        all
    }

    /// The weights by name.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = self.clone();
        let named = all.named_mut().into_iter();
        named.map(|(name, parameter)| (name, parameter.tensor())).collect()
    }

    /// Reads the weights back; their shapes follow from settings and steps.
    pub(crate) fn from_artifact(
        artifact: &Artifact,
        recipe: &Tgan,
        steps: &[Step],
    ) -> Result<Self> {
        // These tensors bear out the sizes that the settings name, before memory of those sizes is
        // asked for.
        let Tgan { noise_dim, lstm_dim, feature_dim, .. } = *recipe;
        artifact.tensor("generator.lstm", &[feature_dim + 2 * lstm_dim, 4 * lstm_dim])?;
        artifact.tensor("generator.noise", &[noise_dim, 4 * lstm_dim])?;
        // The first values are all replaced.
        let mut generator = Self::new(recipe, steps, &mut meg_core::Seed(0).stream("tgan/unused"));
        for (name, parameter) in generator.named_mut() {
            parameter.value.clone_from(&artifact.tensor(&name, &parameter.shape)?.data);
        }
        Ok(generator)
    }
}

impl Discriminator {
    /// A discriminator of rows of `width` units.
    pub(crate) fn new(recipe: &Tgan, width: usize, rng: &mut Rng) -> Self {
        let (kernels, dimensions) = (recipe.diversity_kernels, recipe.diversity_dim);
        let mut inputs = width;
        let mut layers = Vec::new();
        for (at, &units) in recipe.discriminator_dim.iter().enumerate() {
            let law = match at {
                0 => Initial::TruncatedNormal { deviation: 0.1 },
                _ => Initial::he_truncated(inputs),
            };
            let linear = Dense::new((inputs, units), law, Initial::Constant(0.0), rng);
            let diversity = (kernels > 0).then(|| he_layer(units, kernels * dimensions, rng));
            inputs = units + kernels;
            let shift = Parameter::constant(&[inputs], 0.0);
            layers.push(CriticLayer { linear, diversity, shift });
        }
        Self { layers, output: he_layer(inputs, 1, rng) }
    }

    /// Every parameter by name, in one order.
    pub(crate) fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let mut all = Vec::new();
        for (at, layer) in self.layers.iter_mut().enumerate() {
            all.extend(layer.linear.named_mut(&format!("discriminator.layer{at}")));
            if let Some(diversity) = &mut layer.diversity {
                all.extend(diversity.named_mut(&format!("discriminator.layer{at}.diversity")));
            }
            all.push((format!("discriminator.layer{at}.shift"), &mut layer.shift));
        }
        all.extend(self.output.named_mut("discriminator.output"));
        all
    }
}

/// tensorpack's first values: He's, and biases of 0.
fn he_layer(inputs: usize, outputs: usize, rng: &mut Rng) -> Dense {
    Dense::new((inputs, outputs), Initial::he_truncated(inputs), Initial::Constant(0.0), rng)
}

fn drawn(initial: Initial, shape: &[usize], rng: &mut Rng) -> Parameter {
    Parameter::new(shape, initial.draw(shape.iter().product(), rng))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// A table of two numbers of five components and a category of three levels: five steps, 15
    /// units. The author's settings.
    #[test]
    fn the_number_of_parameters_is_that_of_the_source() {
        let number = [(Output::Place, 1), (Output::Shares, 5)];
        let widths = [&number[..], &number, &[(Output::Levels, 3)]].concat();
        let mut steps: Vec<Step> = Vec::new();
        for (output, width) in widths {
            let start = steps.last().map_or(0, |step| step.start + step.width);
            steps.push(Step { output, start, width });
        }
        let layer = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
        let (h, f, z) = (400, 200, 200);
        let cell = layer(f + z + 2 * h, 4 * h);
        let numbers = 2 * (2 * layer(h, f) + layer(f, 1) + layer(f, 5) + layer(5, f));
        let category = layer(h, f) + layer(f, 3) + layer(3, f);
        let attention = 1 + 2 + 3 + 4 + 5;
        let generator = f + cell + numbers + category + attention;
        assert_eq!(generator, 2_329_030);
        let mut rng = Seed(1).stream("init");
        let mut ours = Generator::new(&Tgan::default(), &steps, &mut rng);
        let count = |named: Vec<(String, &mut Parameter)>| -> usize {
            named.iter().map(|(_, cells)| cells.value.len()).sum()
        };
        // What the source makes of its last step for a step after it, which there is not.
        let unused = layer(3, f) + 5;
        assert_eq!(count(ours.named_mut()), generator - unused);
        assert_eq!(ours.lstm.shape, [f + 2 * h, 4 * h]);

        let hidden = |inputs: usize| layer(inputs, 200) + layer(200, 100) + 210;
        let critic = hidden(15) + hidden(210) + layer(210, 1);
        assert_eq!(critic, 86_231);
        let mut ours = Discriminator::new(&Tgan::default(), 15, &mut rng);
        assert_eq!(count(ours.named_mut()), critic);
        assert_eq!(ours.layers[1].linear.weight.shape, [210, 200]);
    }

    #[test]
    fn first_values_are_those_of_the_frameworks() {
        let step = |start| Step { output: Output::Levels, start, width: 4 };
        let mut rng = Seed(1).stream("init");
        let generator = Generator::new(&Tgan::default(), &[step(0), step(4)], &mut rng);
        let most = |cells: &[f32]| cells.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let glorot = (6.0f32 / (1_200 + 1_600) as f32).sqrt();
        for cells in [&generator.lstm.value, &generator.noise.value] {
            assert!(most(cells) <= glorot && most(cells) > 0.99 * glorot);
        }
        assert_eq!(most(&generator.bias.value), 0.0);
        let features = &generator.steps[0].features;
        let variance = features.weight.value.iter().map(|x| x * x).sum::<f32>() / 80_000.0;
        assert!((variance / (2.0 / 400.0) - 1.0).abs() < 0.03, "{variance}");
        assert_eq!(most(&features.bias.value), 0.0);
        let critic = Discriminator::new(&Tgan::default(), 100, &mut rng);
        let first = &critic.layers[0].linear.weight.value;
        assert!(most(first) <= 0.2 && most(first) > 0.19);
    }
}
