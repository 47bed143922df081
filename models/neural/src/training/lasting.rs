use super::first_not_finite;
use crate::Parameter;
use meg_core::{Result, TrainingState};

/// What of networks in training lasts from update to update: weights, moments of the optimiser,
/// statistics.
pub trait Lasting {
    /// A sentence about the first value that is not finite ([`first_not_finite`] makes one).
    ///
    /// # Errors
    /// When a tensor cannot be read back from its device.
    fn not_finite(&mut self) -> Result<Option<String>>;

    /// Writes all of it.
    ///
    /// # Errors
    /// When a tensor cannot be read back from its device.
    fn save(&mut self, state: &mut TrainingState) -> Result<()>;

    /// Reads what [`Lasting::save`] wrote.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when a tensor is missing, of another shape, or holds what it
    /// cannot.
    fn restore(&mut self, state: &TrainingState) -> Result<()>;
}

/// Networks with hand-written gradients by the names of their parts, from which [`Lasting`] follows.
pub trait NamedParts {
    /// Every parameter by its name in a checkpoint, in one order.
    fn named_mut(&mut self) -> Vec<(String, &mut Parameter)>;

    /// What no optimiser moves and later updates, or the model, depend on.
    fn statistics_mut(&mut self) -> Vec<Statistic<'_>> {
        Vec::new()
    }
}

/// A running mean or variance, an average of weights.
#[derive(Debug)]
pub struct Statistic<'a> {
    /// Its name in a checkpoint.
    pub name: String,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Its cells, row-major.
    pub cells: &'a mut Vec<f32>,
    /// Whether no cell can be below 0.
    pub squares: bool,
}

impl<N: NamedParts> Lasting for N {
    fn not_finite(&mut self) -> Result<Option<String>> {
        let named = self.named_mut();
        let parts = named.iter().flat_map(|(name, parameter)| {
            parameter.finite_parts().map(|(part, cells)| (format!("the {part} {name}"), cells))
        });
        let found = first_not_finite(parts);
        Ok(found.or_else(|| {
            let statistics = self.statistics_mut();
            first_not_finite(statistics.iter().map(|one| (&one.name, one.cells.as_slice())))
        }))
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        for (name, parameter) in self.named_mut() {
            parameter.save(&name, state);
        }
        for Statistic { name, shape, cells, .. } in self.statistics_mut() {
            state.put_tensor(name, &shape, cells.clone());
        }
        Ok(())
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        for (name, parameter) in self.named_mut() {
            parameter.restore(&name, state)?;
        }
        for Statistic { name, shape, cells, squares } in self.statistics_mut() {
            let read =
                if squares { state.squares(&name, &shape) } else { state.tensor(&name, &shape) };
            cells.clone_from(&read?.data);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Error;

    struct Network {
        weight: Parameter,
        variance: Vec<f32>,
    }

    impl NamedParts for Network {
        fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
            vec![("layer.weight".to_owned(), &mut self.weight)]
        }

        fn statistics_mut(&mut self) -> Vec<Statistic<'_>> {
            let (name, shape) = ("layer.variance".to_owned(), vec![self.variance.len()]);
            vec![Statistic { name, shape, cells: &mut self.variance, squares: true }]
        }
    }

    fn network(value: f32) -> Network {
        Network { weight: Parameter::constant(&[2, 3], value), variance: vec![value; 3] }
    }

    #[test]
    fn parameters_and_statistics_come_back_and_a_negative_variance_is_refused() {
        let (mut one, mut other) = (network(2.0), network(1.0));
        let mut state = TrainingState::at(1);
        one.save(&mut state).unwrap();
        other.restore(&state).unwrap();
        assert_eq!(other.weight.value, [2.0; 6]);
        assert_eq!(other.variance, [2.0; 3]);
        state.tensors.get_mut("layer.variance").unwrap().data[1] = -0.5;
        let end = other.restore(&state);
        assert!(
            matches!(&end, Err(Error::Checkpoint(problem)) if problem.contains("layer.variance")),
            "{end:?}"
        );
        state.tensors.remove("layer.variance");
        assert!(matches!(other.restore(&state), Err(Error::Checkpoint(_))));
    }

    #[test]
    fn what_is_not_finite_is_named_wherever_it_stands() {
        let mut network = network(2.0);
        assert_eq!(network.not_finite().unwrap(), None);
        network.variance[2] = f32::INFINITY;
        assert_eq!(network.not_finite().unwrap().unwrap(), "layer.variance holds inf");
        network.weight.gradient[4] = f32::NAN;
        assert_eq!(network.not_finite().unwrap().unwrap(), "the gradient layer.weight holds NaN");
    }
}
