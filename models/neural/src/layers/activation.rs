//! Elementwise functions with PyTorch's derivatives, also at the kinks.
//!
//! candle's own `relu` has the derivative 1 at 0 (PyTorch 0) and its `leaky_relu(0.2)` 0.6
//! (PyTorch 0.2). Both matter: a unit at exactly 0 is common after dropout or zero padding.

use candle_core::{D, DType, Result, Tensor};

/// `max(x, 0)`; the derivative at 0 is 0.
///
/// # Errors
/// Those of the device.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.mul(&positive(x)?)
}

/// `x` where positive, else `leak * x`; the derivative at 0 is `leak`.
///
/// # Errors
/// Those of the device.
pub fn leaky_relu(x: &Tensor, leak: f64) -> Result<Tensor> {
    x.mul(&leaky_slope(x, leak)?)
}

/// The derivative of [`leaky_relu`] at each cell, as a constant.
///
/// # Errors
/// Those of the device.
pub fn leaky_slope(x: &Tensor, leak: f64) -> Result<Tensor> {
    positive(x)?.affine(1.0 - leak, leak)
}

/// `1 / (1 + exp(-x))` as `(tanh(x/2) + 1) / 2`, which overflows nowhere.
///
/// # Errors
/// Those of the device.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    x.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5)
}

/// `log(1 + exp(x))` as `max(x, 0) + log(1 + exp(-|x|))`, which overflows nowhere.
///
/// # Errors
/// Those of the device.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    // With sign 0 at x = 0 the slope there would be 0 instead of 1/2: let 0 count as negative.
    let sign = positive(x)?.affine(2.0, -1.0)?;
    let tail = x.mul(&sign)?.neg()?.exp()?.affine(1.0, 1.0)?.log()?;
    relu(x)? + tail
}

/// `|x|`; the derivative at 0 is 0 (candle's: 1).
///
/// # Errors
/// Those of the device.
pub fn abs(x: &Tensor) -> Result<Tensor> {
    x.mul(&x.detach().sign()?)
}

/// Softmax along the last dimension.
///
/// # Errors
/// Those of the device.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    let weights = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)
}

/// 1 where the cell is above 0, else 0, as a constant.
fn positive(x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let dtype: DType = x.dtype();
    x.gt(&x.zeros_like()?)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_var};
    use candle_core::{Device, Var};

    fn at(values: &[f64]) -> Var {
        Var::from_slice(values, values.len(), &Device::Cpu).unwrap()
    }

    fn values(of: impl Fn(&Tensor) -> Result<Tensor>, x: &[f64]) -> Vec<f64> {
        cells(&of(&at(x)).unwrap()).unwrap()
    }

    fn slopes(of: impl Fn(&Tensor) -> Result<Tensor>, x: &[f64]) -> Vec<f64> {
        let x = at(x);
        let gradients = of(&x).unwrap().sum_all().unwrap().backward().unwrap();
        cells(gradients.get(&x).unwrap()).unwrap()
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let x = normal_var(&[3, 4], 1);
        for of in [relu, sigmoid, softplus, abs, softmax] {
            gradient_check(&[("x", &x)], 1e-8, || of(&x));
        }
        gradient_check(&[("x", &x)], 1e-8, || leaky_relu(&x, 0.2));
    }

    #[test]
    fn the_slopes_at_the_kinks_are_those_of_pytorch() {
        assert_eq!(slopes(relu, &[0.0, -0.0, 1.0, -1.0]), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(slopes(|x| leaky_relu(x, 0.25), &[0.0, 1.0, -1.0]), [0.25, 1.0, 0.25]);
        assert_eq!(slopes(abs, &[0.0, 1.0, -1.0]), [0.0, 1.0, -1.0]);
        assert_eq!(slopes(softplus, &[0.0]), [0.5]);
    }

    #[test]
    fn far_cells_stay_finite_and_exact() {
        assert_eq!(values(sigmoid, &[-1e4, 0.0, 1e4]), [0.0, 0.5, 1.0]);
        assert_eq!(values(softplus, &[-1e4, 1e4]), [0.0, 1e4]);
        assert_eq!(slopes(softplus, &[-1e4, 1e4]), [0.0, 1.0]);
        let shares = values(softmax, &[1e4, -1e4]);
        assert_eq!(shares, [1.0, 0.0]);
    }
}
