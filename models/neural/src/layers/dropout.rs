use super::host_tensor;
use crate::Randomness;
use candle_core::{Result, Tensor, bail};

/// Dropout (Srivastava et al. 2014) as a product with an explicit mask, so that the seed decides
/// it and a second pass can use the same one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    share: f64,
}

impl Dropout {
    /// Silences this share of the cells and scales the rest by `1 / (1 - share)`.
    ///
    /// # Errors
    /// When the share is not in `[0, 1)`.
    pub fn new(share: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&share) {
            bail!("a dropout share of {share} is not in [0, 1)");
        }
        Ok(Self { share })
    }

    /// A mask of the shape, type and device of `x`: 0 or `1 / (1 - share)`. A share of 0 draws
    /// nothing.
    ///
    /// # Errors
    /// Those of the device.
    pub fn mask(&self, x: &Tensor, randomness: &mut Randomness) -> Result<Tensor> {
        if self.share == 0.0 {
            return x.ones_like();
        }
        let mut cells = vec![0.0; x.elem_count()];
        randomness.dropout(self.share as f32, &mut cells);
        host_tensor(cells, x.shape(), x.dtype(), x.device())
    }

    /// `x` under a fresh mask. In sampling there is no dropout: do not call it.
    ///
    /// # Errors
    /// Those of the device.
    pub fn forward(&self, x: &Tensor, randomness: &mut Randomness) -> Result<Tensor> {
        if self.share == 0.0 {
            return Ok(x.clone());
        }
        x.mul(&self.mask(x, randomness)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_var};
    use meg_core::Seed;

    fn randomness() -> Randomness {
        Randomness::new(Seed(1).stream("dropout"))
    }

    #[test]
    fn gradients_pass_the_mask_alone() {
        let x = normal_var(&[4, 5], 1);
        let dropout = Dropout::new(0.4).unwrap();
        gradient_check(&[("x", &x)], 1e-9, || dropout.forward(&x, &mut randomness()));
    }

    #[test]
    fn the_share_is_silenced_and_the_mean_kept() {
        let x = normal_var(&[100, 200], 1).ones_like().unwrap();
        let out = Dropout::new(0.25).unwrap().forward(&x, &mut randomness()).unwrap();
        let out = cells(&out).unwrap();
        let silent = out.iter().filter(|x| **x == 0.0).count() as f64 / out.len() as f64;
        let mean = out.iter().sum::<f64>() / out.len() as f64;
        assert!((silent - 0.25).abs() < 0.01 && (mean - 1.0).abs() < 0.02, "{silent} {mean}");
        assert!(Dropout::new(1.0).is_err() && Dropout::new(-0.1).is_err());
        assert!(Dropout::new(f64::NAN).is_err());
    }
}
