use super::{Initial, ParameterStore};
use candle_core::{Result, Tensor, Var};
use meg_core::Rng;

/// `x * weight^T + bias`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Var,
    bias: Option<Var>,
}

impl Linear {
    /// A layer from `inputs` to `outputs` units with PyTorch's initial distribution: weight and
    /// bias uniform in `±1/sqrt(inputs)`. Parameters `name.weight` (outputs x inputs) and
    /// `name.bias` (outputs).
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        inputs: usize,
        outputs: usize,
        rng: &mut Rng,
    ) -> Result<Self> {
        let initial = Initial::torch(inputs);
        Self::with_initial(store, name, (inputs, outputs), initial, Some(initial), rng)
    }

    /// A layer of `(inputs, outputs)` units with other initial distributions; without one for the
    /// bias it has no bias.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn with_initial(
        store: &mut ParameterStore,
        name: &str,
        (inputs, outputs): (usize, usize),
        weight: Initial,
        bias: Option<Initial>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let weight = store.parameter(&format!("{name}.weight"), &[outputs, inputs], weight, rng)?;
        let bias = bias
            .map(|bias| store.parameter(&format!("{name}.bias"), &[outputs], bias, rng))
            .transpose()?;
        Ok(Self { weight, bias })
    }

    /// Rows of `inputs` units to rows of `outputs` units.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = x.matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => out.broadcast_add(bias),
            None => Ok(out),
        }
    }

    /// The weight, outputs x inputs.
    pub fn weight(&self) -> &Var {
        &self.weight
    }

    /// The bias, if there is one.
    pub fn bias(&self) -> Option<&Var> {
        self.bias.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_var};
    use candle_core::{DType, Device};
    use meg_core::Seed;

    #[test]
    fn gradients_agree_with_central_differences() {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let layer = Linear::new(&mut store, "l", 3, 2, &mut Seed(1).stream("init")).unwrap();
        let x = normal_var(&[4, 3], 1);
        let (weight, bias) = (layer.weight(), layer.bias().unwrap());
        gradient_check(&[("x", &x), ("weight", weight), ("bias", bias)], 1e-9, || {
            layer.forward(&x)
        });
    }

    #[test]
    fn weight_and_bias_begin_as_in_pytorch() {
        let mut store = ParameterStore::new(DType::F32, &Device::Cpu);
        let layer = Linear::new(&mut store, "l", 100, 400, &mut Seed(1).stream("init")).unwrap();
        for parameter in [layer.weight(), layer.bias().unwrap()] {
            let cells = cells(parameter).unwrap();
            let square = cells.iter().map(|x| x * x).sum::<f64>() / cells.len() as f64;
            assert!(cells.iter().all(|x| x.abs() <= 0.1 + 1e-8));
            assert!((square / (0.01 / 3.0) - 1.0).abs() < 0.1, "{square}");
        }
    }
}
