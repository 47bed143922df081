use super::{BatchNorm, BatchNormSettings, Linear, Mode, ParameterStore, activation};
use candle_core::{Result, Tensor};
use meg_core::Rng;

/// CTGAN's residual block (Xu et al. 2019, section 4.4): `x` and behind it
/// `relu(batch norm(linear(x)))`.
#[derive(Debug, Clone)]
pub struct Residual {
    linear: Linear,
    norm: BatchNorm,
}

impl Residual {
    /// A block from `inputs` to `inputs + units` units. Parameters under `name.fc` and `name.bn`.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        inputs: usize,
        units: usize,
        rng: &mut Rng,
    ) -> Result<Self> {
        let settings = BatchNormSettings::default();
        Ok(Self {
            linear: Linear::new(store, &format!("{name}.fc"), inputs, units, rng)?,
            norm: BatchNorm::new(store, &format!("{name}.bn"), units, settings, rng)?,
        })
    }

    /// Rows of `inputs` units to rows of `inputs + units` units.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let new = self.norm.forward(&self.linear.forward(x)?, mode)?;
        Tensor::cat(&[x, &activation::relu(&new)?], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradient_check, normal_var};
    use candle_core::{DType, Device};
    use meg_core::Seed;

    #[test]
    fn gradients_agree_with_central_differences() {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let mut rng = Seed(1).stream("init");
        let block = Residual::new(&mut store, "r", 3, 4, &mut rng).unwrap();
        let x = normal_var(&[5, 3], 1);
        for mode in [Mode::Training, Mode::Sampling] {
            let out = block.forward(&x, mode).unwrap();
            assert_eq!(out.dims(), [5, 7]);
            let mut variables = vec![("x", &x)];
            variables.extend(store.trainable().map(|entry| (entry.name.as_str(), &entry.var)));
            gradient_check(&variables, 1e-7, || block.forward(&x, mode));
        }
    }
}
