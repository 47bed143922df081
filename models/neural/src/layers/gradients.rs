use super::{Named, store::first_not_finite};
use candle_core::{DType, Result, Tensor, bail};
use meg_core::Error;

/// Gradients of a loss with respect to parameters, in the order of the parameters.
#[derive(Debug)]
pub struct Gradients {
    named: Vec<(String, Tensor)>,
}

impl Gradients {
    /// Differentiates a loss (one cell).
    ///
    /// # Errors
    /// When a parameter gets no gradient: it does not take part in the loss, or an operation on
    /// the way has no backward pass and does not say so.
    pub fn of<'a>(loss: &Tensor, parameters: impl IntoIterator<Item = &'a Named>) -> Result<Self> {
        if loss.elem_count() != 1 {
            bail!("a loss has one cell, not {:?}", loss.dims());
        }
        let mut store = loss.backward()?;
        let mut named = Vec::new();
        for parameter in parameters {
            match store.remove(&parameter.var) {
                Some(gradient) => named.push((parameter.name.clone(), gradient.detach())),
                None => bail!("the parameter {:?} gets no gradient from the loss", parameter.name),
            }
        }
        Ok(Self { named })
    }

    /// The gradients in order.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.named.iter().map(|(_, tensor)| tensor)
    }

    /// The gradient of the parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.named.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor)
    }

    /// The root of the sum of all squares.
    ///
    /// # Errors
    /// Those of the device.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for tensor in self.tensors() {
            sum += square_sum(tensor)?;
        }
        Ok(sum.sqrt())
    }

    /// Scales all gradients by one factor so that their norm is at most `limit` (Pascanu et al.
    /// 2013); returns the norm before. As in PyTorch, 1e-6 is added to the norm in the factor.
    ///
    /// # Errors
    /// When the norm is not finite, or the limit not above 0.
    pub fn clip_norm(&mut self, limit: f64) -> Result<f64> {
        check_limit(limit)?;
        let norm = self.norm()?;
        if !norm.is_finite() {
            bail!("the norm of the gradients is {norm}");
        }
        let factor = limit / (norm + 1e-6);
        if factor < 1.0 {
            self.map(|tensor| tensor.affine(factor, 0.0))?;
        }
        Ok(norm)
    }

    /// Moves every cell into `[-limit, limit]`.
    ///
    /// # Errors
    /// When the limit is not above 0.
    pub fn clip_values(&mut self, limit: f64) -> Result<()> {
        check_limit(limit)?;
        self.map(|tensor| tensor.clamp(-limit, limit))
    }

    /// Refuses gradients that are not finite.
    ///
    /// # Errors
    /// [`Error::Training`] that names the step and the parameter.
    pub fn check_finite(&self, step: u64) -> meg_core::Result<()> {
        let all = self.named.iter().map(|(name, tensor)| (name.as_str(), tensor));
        match first_not_finite(all).map_err(crate::tensor_error)? {
            None => Ok(()),
            Some(phrase) => Err(Error::Training {
                step,
                problem: format!(
                    "the gradient of {phrase}; lower the learning rate or look for extreme values in the table"
                ),
            }),
        }
    }

    fn map(&mut self, of: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
        for (_, tensor) in &mut self.named {
            *tensor = of(tensor)?;
        }
        Ok(())
    }
}

fn square_sum(tensor: &Tensor) -> Result<f64> {
    // In double precision: squares of large gradients leave the range of f32.
    tensor.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()
}

fn check_limit(limit: f64) -> Result<()> {
    if limit.is_nan() || limit <= 0.0 {
        bail!("a clipping limit of {limit} is not above 0");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::cells;
    use candle_core::{Device, Var};

    fn named(name: &str, values: &[f32]) -> Named {
        let var = Var::from_slice(values, values.len(), &Device::Cpu).unwrap();
        Named { name: name.into(), var, trainable: true }
    }

    /// Gradients 3, -4 and 12 of two parameters: norm 13.
    fn gradients() -> Gradients {
        let (a, b) = (named("a", &[3.0, -4.0]), named("b", &[12.0]));
        let squares = |named: &Named| named.var.sqr().unwrap().sum_all().unwrap();
        let loss = ((squares(&a) + squares(&b)).unwrap() / 2.0).unwrap();
        Gradients::of(&loss, [&a, &b]).unwrap()
    }

    fn values(gradients: &Gradients) -> Vec<f64> {
        gradients.tensors().flat_map(|tensor| cells(tensor).unwrap()).collect()
    }

    #[test]
    fn clipping_by_norm_keeps_the_direction() {
        let mut clipped = gradients();
        assert_eq!(clipped.clip_norm(20.0).unwrap(), 13.0);
        assert_eq!(values(&clipped), [3.0, -4.0, 12.0]);
        assert_eq!(clipped.clip_norm(1.3).unwrap(), 13.0);
        for (seen, expected) in values(&clipped).into_iter().zip([0.3, -0.4, 1.2]) {
            assert!((seen - expected).abs() < 1e-6);
        }
        assert!(clipped.clip_norm(0.0).is_err() && clipped.clip_norm(f64::NAN).is_err());
    }

    #[test]
    fn clipping_by_value_cuts_each_cell() {
        let mut clipped = gradients();
        clipped.clip_values(3.5).unwrap();
        assert_eq!(values(&clipped), [3.0, -3.5, 3.5]);
        assert_eq!(cells(clipped.get("b").unwrap()).unwrap(), [3.5]);
    }

    #[test]
    fn a_parameter_outside_of_the_loss_is_an_error_that_names_it() {
        let (a, b) = (named("a", &[1.0]), named("b", &[1.0]));
        let loss = a.var.sqr().unwrap().sum_all().unwrap();
        let error = Gradients::of(&loss, [&a, &b]).unwrap_err().to_string();
        assert!(error.contains("\"b\" gets no gradient"), "{error}");
        assert!(Gradients::of(&Tensor::cat(&[&*a.var, &*b.var], 0).unwrap(), [&a]).is_err());
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_named_with_its_step() {
        gradients().check_finite(1).unwrap();
        let (a, b) = (named("a", &[1.0]), named("b", &[0.0]));
        let loss = (a.var.sqr().unwrap() + b.var.sqrt().unwrap()).unwrap().sum_all().unwrap();
        let mut broken = Gradients::of(&loss, [&a, &b]).unwrap();
        let error = broken.check_finite(17).unwrap_err().to_string();
        assert!(error.contains("step 17") && error.contains("gradient of b"), "{error}");
        assert!(broken.clip_norm(1.0).is_err());
    }
}
