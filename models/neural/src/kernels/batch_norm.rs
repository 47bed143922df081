use super::vectorised;
use crate::Parameter;

/// Batch normalisation over the rows of a layer (Ioffe and Szegedy 2015), with PyTorch's
/// constants: epsilon 1e-5, momentum 0.1, unbiased running variance.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Scale of each unit.
    pub gamma: Parameter,
    /// Shift of each unit.
    pub beta: Parameter,
    /// Running mean of each unit, used when sampling.
    pub running_mean: Vec<f32>,
    /// Running variance of each unit, used when sampling.
    pub running_variance: Vec<f32>,
}

/// What a batch says of the units of a layer.
#[derive(Debug, Clone, Default)]
pub struct BatchStatistics {
    mean: Vec<f32>,
    /// Over the rows, not unbiased.
    variance: Vec<f32>,
    /// One over the standard deviation.
    inverse: Vec<f32>,
    rows: usize,
}

const EPSILON: f32 = 1e-5;
const MOMENTUM: f32 = 0.1;

impl BatchNorm {
    /// Scale 1, shift 0, running mean 0 and variance 1.
    pub fn new(width: usize) -> Self {
        Self {
            gamma: Parameter::constant(&[width], 1.0),
            beta: Parameter::constant(&[width], 0.0),
            running_mean: vec![0.0; width],
            running_variance: vec![1.0; width],
        }
    }

    /// Cells of a row.
    pub fn width(&self) -> usize {
        self.running_mean.len()
    }

    /// Moves the running statistics towards those of a batch.
    pub fn follow(&mut self, batch: &BatchStatistics) {
        let rows = batch.rows as f32;
        let unbiased = if batch.rows > 1 { rows / (rows - 1.0) } else { 1.0 };
        for at in 0..self.width() {
            let (mean, variance) = (batch.mean[at], unbiased * batch.variance[at]);
            self.running_mean[at] += MOMENTUM * (mean - self.running_mean[at]);
            self.running_variance[at] += MOMENTUM * (variance - self.running_variance[at]);
        }
    }
}

/// Normalises row-major `cells` by the statistics of this batch, in place (they become the
/// normalised cells that the backward pass needs), and writes `relu(gamma * cell + beta)` to the
/// rows of `out`, which begin `stride` cells apart. The statistics are left in `batch`;
/// [`BatchNorm::follow`] takes them over.
pub fn batch_norm_relu(
    norm: &BatchNorm,
    cells: &mut [f32],
    out: &mut [f32],
    stride: usize,
    batch: &mut BatchStatistics,
) {
    let width = norm.width();
    batch.rows = cells.len() / width;
    let rows = batch.rows as f32;
    for of_units in [&mut batch.mean, &mut batch.variance, &mut batch.inverse] {
        of_units.clear();
        of_units.resize(width, 0.0);
    }
    super::add_column_sums(&mut batch.mean, cells);
    batch.mean.iter_mut().for_each(|sum| *sum /= rows);
    add_squares(&mut batch.variance, cells, &batch.mean);
    for (variance, inverse) in batch.variance.iter_mut().zip(&mut batch.inverse) {
        *variance /= rows;
        *inverse = 1.0 / (*variance + EPSILON).sqrt();
    }
    let (gamma, beta) = (&norm.gamma.value, &norm.beta.value);
    normalise(cells, &batch.mean, &batch.inverse, gamma, beta, out, stride);
}

/// As [`batch_norm_relu`], by the running statistics and without touching them.
pub fn batch_norm_relu_frozen(norm: &BatchNorm, cells: &mut [f32], out: &mut [f32], stride: usize) {
    let inverse: Vec<f32> =
        norm.running_variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect();
    let (gamma, beta) = (&norm.gamma.value, &norm.beta.value);
    normalise(cells, &norm.running_mean, &inverse, gamma, beta, out, stride);
}

/// The gradient of the layer before the normalisation, in `out`, from the gradient `upstream` of
/// the activations (rows `stride` apart), the activations and the normalised cells. Adds to the
/// gradients of scale and shift.
pub fn batch_norm_relu_backward(
    norm: &mut BatchNorm,
    batch: &BatchStatistics,
    normalised: &[f32],
    activations: &[f32],
    upstream: &[f32],
    stride: usize,
    out: &mut [f32],
) {
    let width = norm.width();
    let rows = (out.len() / width) as f32;
    let (mut shift, mut scale) = (vec![0.0; width], vec![0.0; width]);
    masked_sums(normalised, activations, upstream, stride, out, &mut shift, &mut scale);
    for at in 0..width {
        norm.beta.gradient[at] += shift[at];
        norm.gamma.gradient[at] += scale[at];
        shift[at] /= rows;
        scale[at] /= rows;
    }
    let factor: Vec<f32> = norm
        .gamma
        .value
        .iter()
        .zip(&batch.inverse)
        .map(|(gamma, inverse)| gamma * inverse)
        .collect();
    centre(normalised, &shift, &scale, &factor, out);
}

vectorised! {
    fn add_squares(sums: &mut [f32], cells: &[f32], mean: &[f32]) {
        for row in cells.chunks_exact(sums.len()) {
            for ((sum, &cell), &mean) in sums.iter_mut().zip(row).zip(mean) {
                *sum += (cell - mean) * (cell - mean);
            }
        }
    }
}

vectorised! {
    fn normalise(
        cells: &mut [f32],
        mean: &[f32],
        inverse: &[f32],
        gamma: &[f32],
        beta: &[f32],
        out: &mut [f32],
        stride: usize,
    ) {
        let width = mean.len();
        for (row, out) in cells.chunks_exact_mut(width).zip(out.chunks_mut(stride)) {
            let (mean, inverse, gamma, beta, out) =
                (&mean[..width], &inverse[..width], &gamma[..width], &beta[..width], &mut out[..width]);
            for at in 0..width {
                row[at] = (row[at] - mean[at]) * inverse[at];
                // Not `max`, which would turn a NaN into a 0 and hide it from every loss.
                let active = gamma[at] * row[at] + beta[at];
                out[at] = if active < 0.0 { 0.0 } else { active };
            }
        }
    }
}

vectorised! {
    fn masked_sums(
        normalised: &[f32],
        activations: &[f32],
        upstream: &[f32],
        stride: usize,
        masked: &mut [f32],
        shift: &mut [f32],
        scale: &mut [f32],
    ) {
        let width = shift.len();
        let rows = masked.chunks_exact_mut(width).zip(normalised.chunks_exact(width));
        let strided = activations.chunks(stride).zip(upstream.chunks(stride));
        for ((masked, normalised), (active, upstream)) in rows.zip(strided) {
            let (active, upstream, shift, scale) =
                (&active[..width], &upstream[..width], &mut shift[..width], &mut scale[..width]);
            for at in 0..width {
                let gradient = if active[at] > 0.0 { upstream[at] } else { 0.0 };
                masked[at] = gradient;
                shift[at] += gradient;
                scale[at] += gradient * normalised[at];
            }
        }
    }
}

vectorised! {
    fn centre(
        normalised: &[f32],
        shift: &[f32],
        scale: &[f32],
        factor: &[f32],
        out: &mut [f32],
    ) {
        let width = shift.len();
        for (out, normalised) in out.chunks_exact_mut(width).zip(normalised.chunks_exact(width)) {
            let (shift, scale, factor) = (&shift[..width], &scale[..width], &factor[..width]);
            for at in 0..width {
                let centred = out[at] - shift[at] - normalised[at] * scale[at];
                out[at] = factor[at] * centred;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 5;
    const WIDTH: usize = 3;
    const STRIDE: usize = 4;

    fn input() -> Vec<f32> {
        (0..ROWS * WIDTH).map(|at| ((at * 37) % 17) as f32 / 4.0 - 1.7).collect()
    }

    fn norm() -> BatchNorm {
        let mut norm = BatchNorm::new(WIDTH);
        norm.gamma.value = vec![0.7, -1.3, 2.0];
        norm.beta.value = vec![0.1, 0.4, -0.3];
        norm
    }

    /// A plain double-precision form, straight from the formula.
    fn plain(input: &[f64], gamma: &[f64], beta: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; ROWS * WIDTH];
        for at in 0..WIDTH {
            let cells: Vec<f64> = (0..ROWS).map(|row| input[row * WIDTH + at]).collect();
            let mean = cells.iter().sum::<f64>() / ROWS as f64;
            let variance = cells.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / ROWS as f64;
            for row in 0..ROWS {
                let x = (cells[row] - mean) / (variance + 1e-5).sqrt();
                out[row * WIDTH + at] = (gamma[at] * x + beta[at]).max(0.0);
            }
        }
        out
    }

    fn doubles(cells: &[f32]) -> Vec<f64> {
        cells.iter().map(|&x| f64::from(x)).collect()
    }

    #[test]
    fn forward_and_gradients_agree_with_the_plain_form() {
        let (mut norm, mut batch) = (norm(), BatchStatistics::default());
        let (mut cells, mut out) = (input(), vec![0.0; ROWS * STRIDE]);
        batch_norm_relu(&norm, &mut cells, &mut out, STRIDE, &mut batch);
        let [x, gamma, beta] = [&input(), &norm.gamma.value, &norm.beta.value].map(|v| doubles(v));
        let exact = plain(&x, &gamma, &beta);
        for row in 0..ROWS {
            for at in 0..WIDTH {
                let (ours, exact) = (f64::from(out[row * STRIDE + at]), exact[row * WIDTH + at]);
                assert!((ours - exact).abs() < 1e-5, "{ours} {exact}");
            }
        }
        let weight = |row: usize, at: usize| ((row * 5 + at * 3) % 7) as f64 - 3.0;
        let loss = |x: &[f64], gamma: &[f64], beta: &[f64]| -> f64 {
            let out = plain(x, gamma, beta);
            (0..ROWS * WIDTH).map(|at| out[at] * weight(at / WIDTH, at % WIDTH)).sum()
        };
        let mut upstream = vec![0.0; ROWS * STRIDE];
        for row in 0..ROWS {
            for at in 0..WIDTH {
                upstream[row * STRIDE + at] = weight(row, at) as f32;
            }
        }
        let mut gradient = vec![0.0; ROWS * WIDTH];
        batch_norm_relu_backward(&mut norm, &batch, &cells, &out, &upstream, STRIDE, &mut gradient);
        let check = |ours: f32, numeric: f64| {
            assert!(
                (f64::from(ours) - numeric).abs() < 2e-4 * numeric.abs().max(1.0),
                "{ours} {numeric}"
            );
        };
        let step = 1e-6;
        let central = |f: &dyn Fn(f64) -> f64| (f(step) - f(-step)) / (2.0 * step);
        let moved = |cells: &[f64], at: usize, by: f64| {
            let mut cells = cells.to_vec();
            cells[at] += by;
            cells
        };
        for (at, &gradient) in gradient.iter().enumerate() {
            check(gradient, central(&|by| loss(&moved(&x, at, by), &gamma, &beta)));
        }
        for at in 0..WIDTH {
            check(norm.gamma.gradient[at], central(&|by| loss(&x, &moved(&gamma, at, by), &beta)));
            check(norm.beta.gradient[at], central(&|by| loss(&x, &gamma, &moved(&beta, at, by))));
        }
    }

    #[test]
    fn running_statistics_follow_pytorch() {
        let (mut norm, mut batch) = (norm(), BatchStatistics::default());
        let (mut cells, mut out) = (input(), vec![0.0; ROWS * STRIDE]);
        batch_norm_relu(&norm, &mut cells, &mut out, STRIDE, &mut batch);
        norm.follow(&batch);
        let column: Vec<f32> = (0..ROWS).map(|row| input()[row * WIDTH]).collect();
        let mean = column.iter().sum::<f32>() / 5.0;
        let unbiased = column.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 4.0;
        assert!((norm.running_mean[0] - 0.1 * mean).abs() < 1e-6);
        assert!((norm.running_variance[0] - (0.9 + 0.1 * unbiased)).abs() < 1e-6);
        let mut frozen = input();
        batch_norm_relu_frozen(&norm, &mut frozen, &mut out, STRIDE);
        let expected =
            (input()[0] - norm.running_mean[0]) / (norm.running_variance[0] + 1e-5).sqrt();
        assert!((out[0] - (0.7 * expected + 0.1).max(0.0)).abs() < 1e-6);
    }
}
