//! The two networks in training by name: what a checkpoint holds and what must stay finite.

use crate::fused::FusedTrainer;
use neural::Parameter;
use neural::training::{NamedParts, Statistic};

/// Names of the generator's parameters, in their order.
pub(crate) fn generator_names(layers: usize) -> Vec<String> {
    let layer = |at: usize| {
        ["dense", "onehot", "bias", "gamma", "beta"]
            .map(|part| format!("generator.layer{at}.{part}"))
    };
    let output = ["dense", "onehot", "bias"].map(|part| format!("generator.output.{part}"));
    (0..layers).flat_map(layer).chain(output).collect()
}

/// Names of the discriminator's parameters, in their order; `count` is their number.
pub(crate) fn critic_names(count: usize) -> Vec<String> {
    let first = ["dense", "onehot", "bias"].map(|part| format!("discriminator.layer0.{part}"));
    let hidden = (1..(count - 3) / 2)
        .flat_map(|at| ["dense", "bias"].map(|part| format!("discriminator.layer{at}.{part}")));
    let output = ["dense", "bias"].map(|part| format!("discriminator.output.{part}"));
    first.into_iter().chain(hidden).chain(output).collect()
}

/// Names of the running mean and variance of each generator layer.
pub(crate) fn running_names(layers: usize) -> Vec<[String; 2]> {
    let names = |at: usize| {
        ["running_mean", "running_variance"].map(|part| format!("generator.layer{at}.{part}"))
    };
    (0..layers).map(names).collect()
}

/// Whether a part of this name holds a variance: below 0 its square root would be NaN, which the
/// ReLU behind it hides.
pub(crate) fn is_variance(name: &str) -> bool {
    name.ends_with("running_variance")
}

impl NamedParts for FusedTrainer {
    fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let layers = self.generator.layers.len();
        let generator = self.generator.parameters_mut();
        let critic = self.critic.parameters_mut();
        let names = critic_names(critic.len()).into_iter().chain(generator_names(layers));
        names.zip(critic.into_iter().chain(generator)).collect()
    }

    fn statistics_mut(&mut self) -> Vec<Statistic<'_>> {
        let names = running_names(self.generator.layers.len());
        let layers = self.generator.layers.iter_mut().zip(names);
        let statistics = layers.flat_map(|((_, norm), [mean, variance])| {
            [
                statistic(mean, &mut norm.running_mean),
                statistic(variance, &mut norm.running_variance),
            ]
        });
        statistics.collect()
    }
}

fn statistic(name: String, cells: &mut Vec<f32>) -> Statistic<'_> {
    Statistic { shape: vec![cells.len()], squares: is_variance(&name), name, cells }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ctgan;
    use crate::network::{Critic, Generator};
    use meg_core::Seed;

    /// The saved model names each weight where it keeps it; the names here are paired by order.
    #[test]
    fn names_are_in_the_order_of_the_parameters() {
        for depth in [1, 2, 3] {
            let recipe = Ctgan {
                generator_dim: vec![8; depth],
                discriminator_dim: (0..depth).map(|at| 5 + at).collect(),
                ..Ctgan::default()
            };
            let mut rng = Seed(1).stream("init");
            let mut generator = Generator::new(&recipe, 3, 7, &mut rng);
            let tensors = generator.tensors();
            let names = generator_names(depth);
            let parameters = generator.parameters_mut();
            assert_eq!(names.len(), parameters.len());
            for (name, parameter) in names.iter().zip(parameters) {
                let name = name.strip_prefix("generator.").unwrap();
                assert!(tensors[name] == parameter.tensor(), "{name}");
            }
            let mut critic = Critic::new(&recipe, 3, 7, &mut rng);
            let parameters = critic.parameters_mut();
            let names = critic_names(parameters.len());
            assert_eq!(names.len(), parameters.len());
            let width = |name: &str| names.iter().position(|known| known == name).unwrap();
            for at in 0..depth {
                let bias = &parameters[width(&format!("discriminator.layer{at}.bias"))];
                assert_eq!(bias.shape, [5 + at]);
            }
            assert_eq!(parameters[width("discriminator.output.bias")].shape, [1]);
        }
    }
}
