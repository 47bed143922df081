use super::Named;
use candle_core::{Result, Tensor, bail};

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

    #[test]
    fn impossible_decays_are_refused() {
        for decay in [1.0, -0.1, f64::NAN] {
            assert!(MovingAverage::new(decay).is_err());
            assert!(WeightAverage::new([], decay).is_err());
        }
    }
}
