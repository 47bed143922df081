use super::{Initial, Mode, ParameterStore};
use candle_core::{Result, Tensor, Var, bail};
use meg_core::Rng;

/// Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) of rows (batch x features) or images
/// (batch x features x height x width).
#[derive(Debug, Clone)]
pub struct BatchNorm {
    scale: Option<Var>,
    shift: Var,
    running_mean: Var,
    running_variance: Var,
    settings: BatchNormSettings,
}

/// Constants and initial values; the default is PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormSettings {
    /// Added to the variance.
    pub epsilon: f64,
    /// Weight of a new batch in the running statistics.
    pub momentum: f64,
    /// First values of the scale; without it there is none.
    pub scale: Option<Initial>,
}

impl Default for BatchNormSettings {
    fn default() -> Self {
        Self { epsilon: 1e-5, momentum: 0.1, scale: Some(Initial::Constant(1.0)) }
    }
}

impl BatchNorm {
    /// A layer for so many features. Parameters `name.weight` (scale) and `name.bias` (shift, 0
    /// at first), statistics `name.running_mean` and `name.running_var`, one cell per feature
    /// each.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        features: usize,
        settings: BatchNormSettings,
        rng: &mut Rng,
    ) -> Result<Self> {
        let shape = [features];
        let scale = settings
            .scale
            .map(|initial| store.parameter(&format!("{name}.weight"), &shape, initial, rng))
            .transpose()?;
        let shift =
            store.parameter(&format!("{name}.bias"), &shape, Initial::Constant(0.0), rng)?;
        let running_mean = store.statistic(&format!("{name}.running_mean"), &shape, 0.0)?;
        let running_variance = store.statistic(&format!("{name}.running_var"), &shape, 1.0)?;
        Ok(Self { scale, shift, running_mean, running_variance, settings })
    }

    /// Normalises, in training by the batch's own mean and variance (which also move the running
    /// ones), in sampling by the running ones. The shape is that of `x`.
    ///
    /// # Errors
    /// When a batch in training has fewer than two cells per feature, or the shapes disagree.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        match mode {
            Mode::Training => {
                let (out, mean, variance) = self.by_batch(x)?;
                self.move_running(x, &mean, &variance)?;
                Ok(out)
            }
            Mode::Sampling => {
                let mean = self.per_feature(&self.running_mean, x)?;
                let variance = self.per_feature(&self.running_variance, x)?;
                self.affine(&x.broadcast_sub(&mean)?, &variance)
            }
        }
    }

    /// Normalises by the batch's own statistics and leaves the running ones alone.
    ///
    /// # Errors
    /// When the batch has fewer than two cells per feature, or the shapes disagree.
    pub fn forward_by_batch(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.by_batch(x)?.0)
    }

    /// Output, mean and biased variance; the latter two in a shape that broadcasts to `x`.
    fn by_batch(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        if cells_per_feature(x) < 2 {
            bail!(
                "batch norm in training needs at least two cells per feature, got {:?}",
                x.dims()
            );
        }
        let mean = mean_over_batch(x)?;
        let centred = x.broadcast_sub(&mean)?;
        let variance = mean_over_batch(&centred.sqr()?)?;
        Ok((self.affine(&centred, &variance)?, mean, variance))
    }

    fn affine(&self, centred: &Tensor, variance: &Tensor) -> Result<Tensor> {
        let deviation = variance.affine(1.0, self.settings.epsilon)?.sqrt()?;
        let out = centred.broadcast_div(&deviation)?;
        let out = match &self.scale {
            Some(scale) => out.broadcast_mul(&self.per_feature(scale, centred)?)?,
            None => out,
        };
        out.broadcast_add(&self.per_feature(&self.shift, centred)?)
    }

    /// Running statistics as PyTorch keeps them: the variance over `n - 1`.
    fn move_running(&self, x: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<()> {
        let count = cells_per_feature(x) as f64;
        let share = self.settings.momentum;
        let blend = |running: &Var, new: &Tensor, factor: f64| {
            let new = new.detach().flatten_all()?.affine(share * factor, 0.0)?;
            running.set(&running.as_detached_tensor().affine(1.0 - share, 0.0)?.add(&new)?)
        };
        blend(&self.running_mean, mean, 1.0)?;
        blend(&self.running_variance, variance, count / (count - 1.0))
    }

    /// One cell per feature in a shape that broadcasts to that of `x`.
    fn per_feature(&self, cells: &Tensor, x: &Tensor) -> Result<Tensor> {
        let mut shape = vec![1; x.rank()];
        shape[1] = cells.elem_count();
        cells.reshape(shape)
    }
}

fn mean_over_batch(x: &Tensor) -> Result<Tensor> {
    match x.rank() {
        2 => x.mean_keepdim(0),
        4 => x.mean_keepdim((0, 2, 3)),
        rank => bail!("batch norm takes 2 or 4 dimensions, got {rank}"),
    }
}

fn cells_per_feature(x: &Tensor) -> usize {
    x.elem_count() / x.dims().get(1).copied().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, largest_difference, normal_tensor, normal_var};
    use candle_core::{DType, Device};
    use candle_nn::ModuleT;
    use meg_core::Seed;

    fn layer(settings: BatchNormSettings) -> (ParameterStore, BatchNorm) {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let mut rng = Seed(1).stream("init");
        let norm = BatchNorm::new(&mut store, "n", 3, settings, &mut rng).unwrap();
        // Values that a mistake cannot hide behind, as 1 and 0 would let it.
        for (salt, entry) in store.entries().iter().enumerate() {
            let value = normal_tensor(&[3], 90 + salt as u64).sqr().unwrap();
            entry.var.set(&value.affine(1.0, 0.5).unwrap()).unwrap();
        }
        (store, norm)
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        for shape in [&[5usize, 3][..], &[2, 3, 2, 2]] {
            for mode in [Mode::Training, Mode::Sampling] {
                for scale in [None, Some(Initial::Constant(1.0))] {
                    let (_, norm) = layer(BatchNormSettings { scale, ..Default::default() });
                    let x = normal_var(shape, 2);
                    let mut variables = vec![("x", &x), ("shift", &norm.shift)];
                    variables.extend(norm.scale.as_ref().map(|scale| ("scale", scale)));
                    // In sampling the running statistics are fixed; in training they move with
                    // each call, which must not show.
                    gradient_check(&variables, 1e-7, || norm.forward(&x, mode));
                }
            }
        }
    }

    #[test]
    fn both_modes_and_the_running_statistics_agree_with_candle() {
        for shape in [&[6usize, 3][..], &[2, 3, 2, 4]] {
            let (store, norm) = layer(BatchNormSettings::default());
            let value = |at: usize| store.entries()[at].var.as_detached_tensor().copy().unwrap();
            let theirs =
                candle_nn::BatchNorm::new(3, value(2), value(3), value(0), value(1), 1e-5).unwrap();
            for salt in 0..3 {
                let x = normal_tensor(shape, 10 + salt);
                for (train, mode) in [(true, Mode::Training), (false, Mode::Sampling)] {
                    let expected = theirs.forward_t(&x, train).unwrap();
                    let got = norm.forward(&x, mode).unwrap();
                    assert!(largest_difference(&got, &expected) < 1e-12);
                }
            }
            assert!(largest_difference(&norm.running_mean, theirs.running_mean()) < 1e-12);
            assert!(largest_difference(&norm.running_variance, theirs.running_var()) < 1e-12);
        }
    }

    #[test]
    fn statistics_are_no_parameters_and_move_in_training_alone() {
        let (store, norm) = layer(BatchNormSettings::default());
        assert_eq!(store.count(), 6);
        let before = cells(&norm.running_mean).unwrap();
        let x = normal_tensor(&[4, 3], 3);
        norm.forward(&x, Mode::Sampling).unwrap();
        norm.forward_by_batch(&x).unwrap();
        assert_eq!(cells(&norm.running_mean).unwrap(), before);
        norm.forward(&x, Mode::Training).unwrap();
        assert_ne!(cells(&norm.running_mean).unwrap(), before);
    }

    #[test]
    fn a_batch_of_one_row_is_refused_in_training() {
        let (_, norm) = layer(BatchNormSettings::default());
        let error = norm.forward(&normal_tensor(&[1, 3], 1), Mode::Training).unwrap_err();
        assert!(error.to_string().contains("at least two cells per feature"), "{error}");
        norm.forward(&normal_tensor(&[1, 3], 1), Mode::Sampling).unwrap();
    }
}
