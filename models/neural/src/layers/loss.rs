//! Losses in forms that do not overflow.

use super::Segments;
use super::activation::{relu, softplus};
use candle_core::{Result, Tensor, bail};

/// Binary cross entropy of logits, averaged over all cells: `max(x, 0) - x y + log(1 +
/// exp(-|x|))`. `targets` in `[0, 1]`, of the same shape.
///
/// # Errors
/// When the shapes differ.
pub fn binary_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    (softplus(logits)? - logits.mul(targets)?)?.mean_all()
}

/// [`binary_cross_entropy`] against one target for all cells: `softplus(x) - target x`.
///
/// # Errors
/// Those of the device.
pub fn binary_cross_entropy_to(logits: &Tensor, target: f64) -> Result<Tensor> {
    (softplus(logits)? - logits.affine(target, 0.0)?)?.mean_all()
}

/// The divergence of `N(mean, exp(log_variance))` from the standard normal (Kingma and Welling
/// 2014, appendix B): summed over units, averaged over rows.
///
/// # Errors
/// When the shapes differ.
pub fn gaussian_divergence(mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    let rows = rows(mean)?;
    let cells = (mean.sqr()? + log_variance.exp()?)?.sub(log_variance)?.affine(0.5, -0.5)?;
    cells.sum_all()? / rows
}

/// The negative log likelihood of `targets` under `N(means, deviations)` without the constant
/// `log(2 pi) / 2`: `(t - m)^2 / (2 s^2) + log s` at each cell (rows x units). `deviations` (units)
/// above 0.
///
/// # Errors
/// When the shapes disagree.
pub fn gaussian_likelihood(
    targets: &Tensor,
    means: &Tensor,
    deviations: &Tensor,
) -> Result<Tensor> {
    let scaled = targets.sub(means)?.broadcast_div(deviations)?;
    scaled.sqr()?.affine(0.5, 0.0)?.broadcast_add(&deviations.log()?)
}

/// The cross entropy of the spans of each row, summed over spans, averaged over rows. `targets`
/// hold one-hot or soft shares.
///
/// # Errors
/// When the shapes disagree.
pub fn span_cross_entropy(
    segments: &Segments,
    logits: &Tensor,
    targets: &Tensor,
) -> Result<Tensor> {
    segments.cross_entropy(logits, targets)?.sum_all()? / rows(logits)?
}

/// The divergence of the mean row of one batch from that of another in each segment, summed over
/// segments: `sum p (log(p + smoothing) - log(q + smoothing))` with `p` and `q` scaled to sum 1 in
/// each segment (TGAN, where `smoothing` is 1e-4, keeps marginals with it). Both batches are rows
/// x width and not negative.
///
/// # Errors
/// When the shapes disagree.
pub fn marginal_divergence(
    segments: &Segments,
    generated: &Tensor,
    real: &Tensor,
    smoothing: f64,
) -> Result<Tensor> {
    let shares = |batch: &Tensor| {
        let mean = batch.mean_keepdim(0)?.mul(segments.inside())?;
        // Units outside divide by 1.
        let sums = segments.spread(&segments.sums(&mean)?)?;
        mean.div(&(sums + segments.inside().affine(-1.0, 1.0)?)?)
    };
    let (p, q) = (shares(generated)?, shares(real)?);
    let ratio = (p.affine(1.0, smoothing)?.log()? - q.affine(1.0, smoothing)?.log()?)?;
    p.mul(&ratio)?.sum_all()
}

/// `max(0, value - margin)`: table-GAN's information loss lets a distance be as large as its
/// margin (Park et al. 2018, eq. 5).
///
/// # Errors
/// Those of the device.
pub fn hinge(value: &Tensor, margin: f64) -> Result<Tensor> {
    relu(&value.affine(1.0, -margin)?)
}

/// The Euclidean distance of two tensors of one shape. 1e-12 below the root keeps its derivative
/// finite where they are equal.
///
/// # Errors
/// When the shapes differ.
pub fn distance(one: &Tensor, other: &Tensor) -> Result<Tensor> {
    one.sub(other)?.sqr()?.sum_all()?.affine(1.0, 1e-12)?.sqrt()
}

/// Mean and standard deviation (over n) of each unit over the rows of a batch; 1e-12 is added to
/// the variance.
///
/// # Errors
/// When there are no rows.
pub fn batch_moments(batch: &Tensor) -> Result<(Tensor, Tensor)> {
    rows(batch)?;
    let mean = batch.mean_keepdim(0)?;
    let variance = batch.broadcast_sub(&mean)?.sqr()?.mean(0)?;
    Ok((mean.squeeze(0)?, variance.affine(1.0, 1e-12)?.sqrt()?))
}

fn rows(batch: &Tensor) -> Result<f64> {
    match batch.dims().first() {
        Some(&rows) if rows > 0 => Ok(rows as f64),
        _ => bail!("a loss needs rows, got {:?}", batch.dims()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_tensor, normal_var};
    use crate::layers::activation;
    use candle_core::{DType, Device, Var};

    fn value(loss: Result<Tensor>) -> f64 {
        loss.unwrap().to_scalar().unwrap()
    }

    fn row(values: &[f64]) -> Tensor {
        Tensor::from_slice(values, (1, values.len()), &Device::Cpu).unwrap()
    }

    fn segments() -> Segments {
        Segments::new(&[(1, 3), (4, 2)], 7, DType::F64, &Device::Cpu).unwrap()
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let x = normal_var(&[4, 7], 1);
        let y =
            Var::from_tensor(&activation::sigmoid(&normal_tensor(&[4, 7], 2)).unwrap()).unwrap();
        let (xs, ys) = (("x", &x), ("y", &y));
        let scales =
            Var::from_slice(&[0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5], 7, &Device::Cpu).unwrap();
        gradient_check(&[xs, ys], 1e-8, || binary_cross_entropy(&x, &y));
        gradient_check(&[xs], 1e-8, || binary_cross_entropy_to(&x, 0.9));
        gradient_check(&[xs, ys], 1e-8, || gaussian_divergence(&x, &y));
        gradient_check(&[xs, ys, ("scales", &scales)], 1e-8, || {
            gaussian_likelihood(&x, &y, &scales)
        });
        let segments = segments();
        gradient_check(&[xs, ys], 1e-8, || span_cross_entropy(&segments, &x, &y));
        let z = Var::from_tensor(&y.affine(-1.0, 1.1).unwrap()).unwrap();
        gradient_check(&[("y", &y), ("z", &z)], 1e-7, || {
            marginal_divergence(&segments, &y, &z, 1e-4)
        });
        gradient_check(&[xs], 1e-8, || hinge(&x, 0.2));
        gradient_check(&[xs, ys], 1e-8, || distance(&x, &y));
        gradient_check(&[xs], 1e-7, || {
            let (mean, deviation) = batch_moments(&x)?;
            Tensor::cat(&[mean, deviation], 0)
        });
    }

    #[test]
    fn values_are_those_of_the_formulas() {
        let cross = value(binary_cross_entropy(&row(&[0.3, -2.0]), &row(&[1.0, 0.25])));
        let p = |x: f64| 1.0 / (1.0 + (-x).exp());
        let expected = -0.5 * (p(0.3).ln() + 0.25 * p(-2.0).ln() + 0.75 * (1.0 - p(-2.0)).ln());
        assert!((cross - expected).abs() < 1e-14);
        let divergence = value(gaussian_divergence(&row(&[1.0, 0.0]), &row(&[0.0, 0.5])));
        let expected = 0.5 + 0.5 * (0.5f64.exp() - 1.0 - 0.5);
        assert!((divergence - expected).abs() < 1e-14);
        assert_eq!(value(gaussian_divergence(&row(&[0.0]), &row(&[0.0]))), 0.0);
        let scale = Tensor::new(&[2.0f64], &Device::Cpu).unwrap();
        let likelihood = gaussian_likelihood(&row(&[3.0]), &row(&[1.0]), &scale).unwrap();
        assert!((cells(&likelihood).unwrap()[0] - (0.5 + 2f64.ln())).abs() < 1e-14);
        assert!((value(distance(&row(&[3.0, 0.0]), &row(&[0.0, 4.0]))) - 5.0).abs() < 1e-12);
        assert_eq!(cells(&hinge(&row(&[0.5, 0.1]), 0.25).unwrap()).unwrap(), [0.25, 0.0]);
    }

    #[test]
    fn marginals_that_agree_have_no_divergence() {
        let segments = segments();
        let batch = normal_tensor(&[5, 7], 3).sqr().unwrap();
        assert_eq!(value(marginal_divergence(&segments, &batch, &batch, 1e-4)), 0.0);
        // p = (1, 0, 0) against q = (1/2, 1/2, 0), the other segment equal.
        let one = row(&[9.0, 1.0, 0.0, 0.0, 0.5, 0.5, 9.0]);
        let other = row(&[3.0, 0.5, 0.5, 0.0, 1.0, 1.0, -3.0]);
        let seen = value(marginal_divergence(&segments, &one, &other, 0.0001));
        assert!((seen - (1.0001f64.ln() - 0.5001f64.ln())).abs() < 1e-12, "{seen}");
    }

    #[test]
    fn far_logits_and_equal_points_stay_finite() {
        let far = Var::from_slice(&[1e4f32, -1e4], 2, &Device::Cpu).unwrap();
        let targets = Tensor::new(&[0f32, 1.0], &Device::Cpu).unwrap();
        let loss = binary_cross_entropy(&far, &targets).unwrap();
        assert_eq!(loss.to_scalar::<f32>().unwrap(), 1e4);
        let gradients = loss.backward().unwrap();
        assert_eq!(cells(gradients.get(&far).unwrap()).unwrap(), [0.5, -0.5]);
        let gradients = distance(&far, &far.detach()).unwrap().backward().unwrap();
        assert_eq!(cells(gradients.get(&far).unwrap()).unwrap(), [0.0, 0.0]);
    }
}
