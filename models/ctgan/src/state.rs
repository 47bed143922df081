//! The two networks in training by name: what a checkpoint holds and what must stay finite.

use crate::fused::FusedTrainer;
use meg_core::{Error, Result, TrainingState};
use neural::Parameter;
use neural::training::first_not_finite;

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

/// Writes weights, moments and running statistics.
pub(crate) fn save(trainer: &mut FusedTrainer, state: &mut TrainingState) {
    for (name, parameter) in named(trainer) {
        parameter.save(&name, state);
    }
    for (name, cells) in running(trainer) {
        state.put_tensor(name, &[cells.len()], cells.clone());
    }
}

/// Reads what [`save`] wrote.
pub(crate) fn restore(trainer: &mut FusedTrainer, state: &TrainingState) -> Result<()> {
    for (name, parameter) in named(trainer) {
        parameter.restore(&name, state)?;
    }
    for (name, cells) in running(trainer) {
        cells.clone_from(&state.tensor(&name, &[cells.len()])?.data);
        check_running(&name, cells)?;
    }
    Ok(())
}

/// A variance is not negative: its square root would be NaN, which the ReLU behind it hides.
pub(crate) fn check_running(name: &str, cells: &[f32]) -> Result<()> {
    match cells.iter().find(|&&cell| name.ends_with("running_variance") && cell < 0.0) {
        Some(cell) => Err(Error::Checkpoint(format!("{name} holds {cell}, which is no variance"))),
        None => Ok(()),
    }
}

/// A sentence about the first weight, gradient, moment or running statistic that is not finite.
pub(crate) fn not_finite(trainer: &mut FusedTrainer) -> Option<String> {
    let wrong = |(name, parameter): (String, &mut Parameter)| {
        first_not_finite(
            parameter.finite_parts().map(|(part, cells)| (format!("the {part} {name}"), cells)),
        )
    };
    named(trainer).into_iter().find_map(wrong).or_else(|| {
        let cells = running(trainer).into_iter().map(|(name, cells)| (name, &cells[..]));
        first_not_finite(cells)
    })
}

fn named(trainer: &mut FusedTrainer) -> Vec<(String, &mut Parameter)> {
    let layers = trainer.generator.layers.len();
    let generator = trainer.generator.parameters_mut();
    let critic = trainer.critic.parameters_mut();
    let names = critic_names(critic.len()).into_iter().chain(generator_names(layers));
    names.zip(critic.into_iter().chain(generator)).collect()
}

fn running(trainer: &mut FusedTrainer) -> Vec<(String, &mut Vec<f32>)> {
    let names = running_names(trainer.generator.layers.len());
    let layers = trainer.generator.layers.iter_mut().zip(names);
    let named = layers.flat_map(|((_, norm), [mean, variance])| {
        [(mean, &mut norm.running_mean), (variance, &mut norm.running_variance)]
    });
    named.collect()
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
