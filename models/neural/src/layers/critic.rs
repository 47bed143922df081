use super::{Dropout, Linear, ParameterStore, activation::leaky_slope, host_tensor};
use crate::Randomness;
use candle_core::{Result, Tensor, bail};
use meg_core::Rng;

/// A critic of linear layers with leaky ReLU and dropout, and one score at the end.
///
/// It is piecewise linear, so the gradient of its score with respect to its input is an explicit
/// product of its weights and of the slopes of one forward pass. The gradient penalty of
/// Gulrajani et al. 2017 becomes an ordinary expression of the weights that is differentiated
/// once; candle differentiates twice only under a switch of the environment. Biases get nothing
/// from it, and the slopes are constants, which is exact wherever the derivative exists.
#[derive(Debug, Clone)]
pub struct LeakyCritic {
    layers: Vec<Linear>,
    leak: f64,
    dropout: Dropout,
}

impl LeakyCritic {
    /// Layers through these widths (the first is that of the input) and one to the score, with
    /// PyTorch's initial distribution. Parameters under `name.0`, `name.1`, ...
    ///
    /// # Errors
    /// When there is no width, or the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        widths: &[usize],
        leak: f64,
        dropout: Dropout,
        rng: &mut Rng,
    ) -> Result<Self> {
        let [_, rest @ ..] = widths else { bail!("a critic needs the width of its input") };
        let ends = rest.iter().copied().chain([1]);
        let layers =
            widths.iter().zip(ends).enumerate().map(|(at, (&from, to))| {
                Linear::new(store, &format!("{name}.{at}"), from, to, rng)
            });
        let layers = layers.collect::<Result<Vec<_>>>()?;
        Ok(Self { layers, leak, dropout })
    }

    /// Scores (rows x 1) and, per hidden layer, the slopes: the derivative of each unit's
    /// activation, dropout included (rows x units), as constants. Without randomness there is no
    /// dropout.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn forward(
        &self,
        x: &Tensor,
        mut randomness: Option<&mut Randomness>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (last, hidden) = self.layers.split_last().expect("a critic has a layer");
        let mut x = x.clone();
        let mut slopes = Vec::with_capacity(hidden.len());
        for layer in hidden {
            let cells = layer.forward(&x)?;
            let mut slope = leaky_slope(&cells, self.leak)?;
            if let Some(randomness) = randomness.as_deref_mut() {
                slope = slope.mul(&self.dropout.mask(&slope, randomness)?)?;
            }
            x = cells.mul(&slope)?;
            slopes.push(slope);
        }
        Ok((last.forward(&x)?, slopes))
    }

    /// The gradient of each score with respect to its row (rows x inputs), from the slopes of the
    /// pass that made the score: `((w_n * s_n) W_n * s_(n-1)) W_(n-1) ...`. A critic without
    /// hidden layers has the same gradient in every row, and this is one row.
    ///
    /// # Errors
    /// When the slopes are not those of this critic.
    pub fn input_gradient(&self, slopes: &[Tensor]) -> Result<Tensor> {
        if slopes.len() + 1 != self.layers.len() {
            bail!("{} slopes for {} layers", slopes.len(), self.layers.len());
        }
        let (last, hidden) = self.layers.split_last().expect("a critic has a layer");
        let mut sent = last.weight().as_tensor().clone();
        for (layer, slope) in hidden.iter().zip(slopes).rev() {
            sent = slope.broadcast_mul(&sent)?.matmul(layer.weight())?;
        }
        Ok(sent)
    }

    /// The penalty [`gradient_penalty`] at these rows, with fresh dropout.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn penalty(&self, x: &Tensor, randomness: Option<&mut Randomness>) -> Result<Tensor> {
        let (_, slopes) = self.forward(x, randomness)?;
        gradient_penalty(&self.input_gradient(&slopes)?)
    }
}

/// `mean((|g| - 1)^2)` over rows of gradients (Gulrajani et al. 2017, eq. 3, without the factor).
///
/// # Errors
/// Those of the device.
pub fn gradient_penalty(gradients: &Tensor) -> Result<Tensor> {
    // The root of exactly 0 has no derivative.
    let norms = gradients.sqr()?.sum(1)?.affine(1.0, 1e-12)?.sqrt()?;
    norms.affine(1.0, -1.0)?.sqr()?.mean_all()
}

/// Rows between two batches: `share * one + (1 - share) * other`, one uniform share per row, as
/// constants.
///
/// # Errors
/// When the shapes disagree.
pub fn mix_rows(one: &Tensor, other: &Tensor, randomness: &mut Randomness) -> Result<Tensor> {
    let rows = one.dim(0)?;
    let mut shares = vec![0.0; rows];
    randomness.uniforms(&mut shares);
    let shares = host_tensor(shares, (rows, 1), one.dtype(), one.device())?;
    let (one, other) = (one.detach(), other.detach());
    other.add(&one.sub(&other)?.broadcast_mul(&shares)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Adam;
    use crate::check::{cells, gradient_check, largest_difference, normal_tensor, normal_var};
    use crate::layers::Optimiser;
    use candle_core::{DType, Device};
    use meg_core::Seed;

    fn critic(dropout: f64) -> (ParameterStore, LeakyCritic) {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        let dropout = Dropout::new(dropout).unwrap();
        let critic = LeakyCritic::new(&mut store, "critic", &[4, 6, 5], 0.2, dropout, rng).unwrap();
        (store, critic)
    }

    fn randomness() -> Randomness {
        Randomness::new(Seed(3).stream("dropout"))
    }

    fn variables(store: &ParameterStore) -> Vec<(&str, &candle_core::Var)> {
        store.trainable().map(|entry| (entry.name.as_str(), &entry.var)).collect()
    }

    #[test]
    fn scores_have_the_gradients_of_central_differences() {
        let (store, critic) = critic(0.5);
        let x = normal_var(&[5, 4], 1);
        let mut all = variables(&store);
        all.push(("x", &x));
        gradient_check(&all, 1e-7, || Ok(critic.forward(&x, Some(&mut randomness()))?.0));
    }

    #[test]
    fn the_input_gradient_is_that_of_automatic_differentiation() {
        for dropout in [0.0, 0.5] {
            let (_, critic) = critic(dropout);
            let x = normal_var(&[5, 4], 2);
            let (scores, slopes) = critic.forward(&x, Some(&mut randomness())).unwrap();
            let expected = scores.sum_all().unwrap().backward().unwrap();
            let closed = critic.input_gradient(&slopes).unwrap();
            assert!(largest_difference(&closed, expected.get(&x).unwrap()) < 1e-15);
        }
    }

    #[test]
    fn the_penalty_has_the_gradients_of_central_differences() {
        let (store, critic) = critic(0.5);
        let x = normal_tensor(&[5, 4], 3);
        let weights: Vec<_> =
            variables(&store).into_iter().filter(|(name, _)| name.ends_with("weight")).collect();
        assert_eq!(weights.len(), 3);
        gradient_check(&weights, 1e-7, || critic.penalty(&x, Some(&mut randomness())));
        let penalty = critic.penalty(&x, Some(&mut randomness())).unwrap();
        let gradients = penalty.backward().unwrap();
        assert!(
            variables(&store)
                .iter()
                .all(|(name, var)| { gradients.get(var).is_some() == name.ends_with("weight") })
        );
    }

    #[test]
    fn the_penalty_pulls_the_norm_to_one() {
        let (store, critic) = critic(0.0);
        let adam = Adam { rate: 0.02, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, weight_decay: 0.0 };
        let weights = store.trainable().filter(|entry| entry.name.ends_with("weight"));
        let mut optimiser = Optimiser::new().group(weights, adam).unwrap();
        let x = normal_tensor(&[64, 4], 4);
        let penalty = || critic.penalty(&x, None).unwrap();
        let before = penalty().to_scalar::<f64>().unwrap();
        for _ in 0..400 {
            optimiser.minimise(&penalty()).unwrap();
        }
        let after = penalty().to_scalar::<f64>().unwrap();
        assert!(before > 0.3 && after < 0.02, "{before} to {after}");
    }

    #[test]
    fn mixed_rows_lie_between_their_ends() {
        let (one, other) = (normal_tensor(&[50, 3], 5), normal_tensor(&[50, 3], 6));
        let mixed = cells(&mix_rows(&one, &other, &mut randomness()).unwrap()).unwrap();
        let (one, other) = (cells(&one).unwrap(), cells(&other).unwrap());
        for row in 0..50 {
            let share = |at: usize| (mixed[at] - other[at]) / (one[at] - other[at]);
            let first = share(3 * row);
            assert!((0.0..1.0).contains(&first));
            assert!((1..3).all(|at| (share(3 * row + at) - first).abs() < 1e-9));
        }
    }
}
