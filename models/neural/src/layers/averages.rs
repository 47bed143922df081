use super::store::{load_tensor, save_tensor};
use super::{Named, host_tensor};
use crate::tensor_error;
use candle_core::{DType, Device, Result, Tensor, bail};
use meg_core::TrainingState;

/// An exponential moving average of weights (Polyak averaging with a decay): what a network is
/// sampled with while the weights themselves go on training.
#[derive(Debug)]
pub struct WeightAverage {
    tracked: Vec<(Named, Tensor)>,
    decay: f64,
}

impl WeightAverage {
    /// Starts at the present values. `decay` is the share of the past in each update.
    ///
    /// # Errors
    /// When the decay is not in `[0, 1)`, or those of the device.
    pub fn new<'a>(parameters: impl IntoIterator<Item = &'a Named>, decay: f64) -> Result<Self> {
        check(decay)?;
        let track = |named: &Named| Ok((named.clone(), named.var.as_detached_tensor().copy()?));
        Ok(Self { tracked: parameters.into_iter().map(track).collect::<Result<_>>()?, decay })
    }

    /// Takes the present values in: `decay * average + (1 - decay) * value`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn update(&mut self) -> Result<()> {
        for (named, average) in &mut self.tracked {
            *average = blend(average, &named.var.as_detached_tensor(), self.decay)?;
        }
        Ok(())
    }

    /// Writes every average, in `f32`, to a training state, as `prefix` + name. Weights and averages
    /// must be in their own places, not exchanged.
    ///
    /// # Errors
    /// When there is a tensor of such a name already, or those of the device.
    pub fn save(&self, prefix: &str, state: &mut TrainingState) -> meg_core::Result<()> {
        for (named, average) in &self.tracked {
            save_tensor(&format!("{prefix}{}", named.name), average, &mut state.tensors)?;
        }
        Ok(())
    }

    /// Goes on from what [`WeightAverage::save`] wrote. Nothing changes unless all of it is there.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when an average is missing, of another shape or not finite.
    pub fn load(&mut self, prefix: &str, state: &TrainingState) -> meg_core::Result<()> {
        let find = |name: &str, shape: &[usize]| state.tensor(name, shape);
        let read = |(named, average): &(Named, Tensor)| {
            load_tensor(&format!("{prefix}{}", named.name), average, find)
        };
        let averages = self.tracked.iter().map(read).collect::<meg_core::Result<Vec<_>>>()?;
        for ((_, old), average) in self.tracked.iter_mut().zip(averages) {
            *old = average;
        }
        Ok(())
    }

    /// Exchanges weights and averages; a second call exchanges them back.
    ///
    /// # Errors
    /// Those of the device.
    pub fn swap(&mut self) -> Result<()> {
        for (named, average) in &mut self.tracked {
            let weights = named.var.as_detached_tensor().copy()?;
            named.var.set(average)?;
            *average = weights;
        }
        Ok(())
    }
}

/// An exponential moving average of a statistic of batches through which the gradient of the
/// newest batch flows, as table-GAN keeps the moments of its features (Park et al. 2018, section
/// 4.2.2): the state begins at 0 and the past is a constant.
#[derive(Debug)]
pub struct MovingAverage {
    state: Option<Tensor>,
    decay: f64,
}

impl MovingAverage {
    /// Begins at 0. `decay` is the share of the past in each update.
    ///
    /// # Errors
    /// When the decay is not in `[0, 1)`.
    pub fn new(decay: f64) -> Result<Self> {
        check(decay)?;
        Ok(Self { state: None, decay })
    }

    /// Takes a batch's statistic in and returns the new average; its gradient reaches the batch
    /// with the factor `1 - decay`.
    ///
    /// # Errors
    /// When the shape differs from that of the batches before.
    pub fn update(&mut self, batch: &Tensor) -> Result<Tensor> {
        let average = match &self.state {
            Some(state) => blend(state, batch, self.decay)?,
            None => batch.affine(1.0 - self.decay, 0.0)?,
        };
        self.state = Some(average.detach());
        Ok(average)
    }

    /// Writes the average, in `f32`, to a training state: the tensor `name`, and its shape as the
    /// part `name`, which is null before the first batch.
    ///
    /// # Errors
    /// When there is a tensor of such a name already, or those of the device.
    pub fn save(&self, name: &str, state: &mut TrainingState) -> meg_core::Result<()> {
        state.put(name, &self.state.as_ref().map(Tensor::dims))?;
        match &self.state {
            Some(average) => save_tensor(name, average, &mut state.tensors),
            None => Ok(()),
        }
    }

    /// Goes on from what [`MovingAverage::save`] wrote, as a tensor of this type on this device:
    /// those of the batches to come.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when the average is missing, of another shape or not finite.
    pub fn load(
        &mut self,
        name: &str,
        state: &TrainingState,
        dtype: DType,
        device: &Device,
    ) -> meg_core::Result<()> {
        let shape: Option<Vec<usize>> = state.part(name)?;
        let read = |shape: Vec<usize>| {
            let cells = state.tensor(name, &shape)?.data.clone();
            host_tensor(cells, shape, dtype, device).map_err(tensor_error)
        };
        self.state = shape.map(read).transpose()?;
        Ok(())
    }

    /// The average so far.
    pub fn state(&self) -> Option<&Tensor> {
        self.state.as_ref()
    }
}

fn blend(old: &Tensor, new: &Tensor, decay: f64) -> Result<Tensor> {
    old.affine(decay, 0.0)? + new.affine(1.0 - decay, 0.0)?
}

fn check(decay: f64) -> Result<()> {
    if !(0.0..1.0).contains(&decay) {
        bail!("a decay of {decay} is not in [0, 1)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_tensor, normal_var};
    use candle_core::Var;

    #[test]
    fn weights_are_averaged_and_swapped_in_and_out() {
        let var = normal_var(&[2], 1);
        let named = Named { name: "w".into(), var: var.clone(), trainable: true };
        let start = cells(&var).unwrap();
        let mut average = WeightAverage::new([&named], 0.75).unwrap();
        let moved = normal_tensor(&[2], 2);
        var.set(&moved).unwrap();
        average.update().unwrap();
        average.update().unwrap();
        average.swap().unwrap();
        let moved = cells(&moved).unwrap();
        for at in 0..2 {
            let expected = 0.5625 * start[at] + 0.4375 * moved[at];
            assert!((cells(&var).unwrap()[at] - expected).abs() < 1e-15);
        }
        average.swap().unwrap();
        assert_eq!(cells(&var).unwrap(), moved);
    }

    #[test]
    fn the_average_of_batches_has_the_gradient_of_its_newest_share() {
        let (old, new) = (normal_tensor(&[3], 3), normal_var(&[3], 4));
        let averaged = || {
            let mut average = MovingAverage::new(0.99)?;
            average.update(&old)?;
            average.update(&new)
        };
        let (old, new_cells) = (cells(&old).unwrap(), cells(&new).unwrap());
        for (at, seen) in cells(&averaged().unwrap()).unwrap().into_iter().enumerate() {
            assert!((seen - 0.01 * (0.99 * old[at] + new_cells[at])).abs() < 1e-15);
        }
        gradient_check(&[("batch", &new)], 1e-7, averaged);
    }

    /// After a rest in a training state both averages go on to the same bits.
    #[test]
    fn saved_averages_go_on_to_the_same_bits() {
        let single = |salt| normal_tensor(&[2, 3], salt).to_dtype(DType::F32).unwrap();
        let named = |salt| {
            let var = Var::from_tensor(&single(salt)).unwrap();
            Named { name: "w".into(), var, trainable: true }
        };
        let bits = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (one, other) = (named(1), named(2));
        let mut straight = WeightAverage::new([&one], 0.9).unwrap();
        let mut resumed = WeightAverage::new([&other], 0.9).unwrap();
        let (mut moving, mut again) =
            (MovingAverage::new(0.9).unwrap(), MovingAverage::new(0.9).unwrap());
        let mut empty = TrainingState::at(0);
        moving.save("moments", &mut empty).unwrap();
        again.update(&single(9)).unwrap();
        again.load("moments", &empty, DType::F32, &Device::Cpu).unwrap();
        assert!(again.state().is_none(), "saved before the first batch");

        one.var.set(&single(3)).unwrap();
        straight.update().unwrap();
        moving.update(&single(4)).unwrap();
        let mut state = TrainingState::at(1);
        straight.save("average.", &mut state).unwrap();
        moving.save("moments", &mut state).unwrap();
        resumed.load("average.", &state).unwrap();
        again.load("moments", &state, DType::F32, &Device::Cpu).unwrap();
        for var in [&one.var, &other.var] {
            var.set(&single(5)).unwrap();
        }
        for average in [&mut straight, &mut resumed] {
            average.update().unwrap();
            average.swap().unwrap();
        }
        assert_eq!(bits(&one.var), bits(&other.var));
        let [ours, theirs] =
            [&mut moving, &mut again].map(|average| bits(&average.update(&single(6)).unwrap()));
        assert_eq!(ours, theirs);

        state.tensors.clear();
        let missing = [
            resumed.load("average.", &state),
            again.load("moments", &state, DType::F32, &Device::Cpu),
        ];
        for (error, name) in missing.into_iter().zip(["average.w", "moments"]) {
            let error = error.unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn impossible_decays_are_refused() {
        for decay in [1.0, -0.1, f64::NAN] {
            assert!(MovingAverage::new(decay).is_err());
            assert!(WeightAverage::new([], decay).is_err());
        }
    }
}
