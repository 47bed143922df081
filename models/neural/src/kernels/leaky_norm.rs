//! Batch normalisation with a leaky ReLU behind it, over rows of units; the rows may be the cells
//! of images.

use super::vectorised;

/// What a batch says of its units: means, and one over the standard deviations.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    /// Mean of each unit.
    pub mean: Vec<f32>,
    /// Variance of each unit over the rows, not unbiased.
    pub variance: Vec<f32>,
    /// One over the root of variance and epsilon.
    pub inverse: Vec<f32>,
}

/// Scale and shift of each unit, and the slope below 0 of what follows (0: ReLU, 1: nothing).
#[derive(Debug, Clone, Copy)]
pub struct LeakyNorm<'a> {
    /// Scale of each unit.
    pub scale: &'a [f32],
    /// Shift of each unit.
    pub shift: &'a [f32],
    /// Slope below 0.
    pub leak: f32,
}

impl Moments {
    /// Those of row-major `cells` of so many units.
    pub fn of(cells: &[f32], units: usize, epsilon: f32) -> Self {
        let rows = (cells.len() / units) as f32;
        let (mut mean, mut variance) = (vec![0.0; units], vec![0.0; units]);
        super::add_column_sums(&mut mean, cells);
        mean.iter_mut().for_each(|sum| *sum /= rows);
        add_squares(&mut variance, cells, &mean);
        variance.iter_mut().for_each(|sum| *sum /= rows);
        Self::known(mean, variance, epsilon)
    }

    /// Moments that are known from elsewhere.
    pub fn known(mean: Vec<f32>, variance: Vec<f32>, epsilon: f32) -> Self {
        let inverse = variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect();
        Self { mean, variance, inverse }
    }
}

impl LeakyNorm<'_> {
    /// `leaky(scale * (cell - mean) * inverse + shift)` for each cell.
    pub fn forward(&self, moments: &Moments, cells: &[f32], out: &mut [f32]) {
        forward(&moments.mean, &moments.inverse, self.scale, self.shift, self.leak, cells, out);
    }

    /// From the gradient `upstream` of the output of [`LeakyNorm::forward`] by the batch's own
    /// moments: that of the cells, in `out`, and those of scale and shift, which are overwritten.
    pub fn backward(
        &self,
        moments: &Moments,
        cells: &[f32],
        upstream: &[f32],
        out: &mut [f32],
        (scale_gradient, shift_gradient): (&mut [f32], &mut [f32]),
    ) {
        scale_gradient.fill(0.0);
        shift_gradient.fill(0.0);
        let Moments { mean, inverse, .. } = moments;
        let rows = (cells.len() / mean.len()) as f32;
        masked_sums(
            mean,
            inverse,
            self.scale,
            self.shift,
            self.leak,
            cells,
            upstream,
            out,
            scale_gradient,
            shift_gradient,
        );
        centre(mean, inverse, self.scale, scale_gradient, shift_gradient, rows, cells, out);
    }
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
    fn forward(
        mean: &[f32],
        inverse: &[f32],
        scale: &[f32],
        shift: &[f32],
        leak: f32,
        cells: &[f32],
        out: &mut [f32],
    ) {
        let units = mean.len();
        let (inverse, scale, shift) = (&inverse[..units], &scale[..units], &shift[..units]);
        for (row, out) in cells.chunks_exact(units).zip(out.chunks_exact_mut(units)) {
            for at in 0..units {
                let cell = scale[at] * ((row[at] - mean[at]) * inverse[at]) + shift[at];
                // A NaN passes: it must reach the loss.
                out[at] = if cell <= 0.0 { leak * cell } else { cell };
            }
        }
    }
}

vectorised! {
    fn masked_sums(
        mean: &[f32],
        inverse: &[f32],
        scale: &[f32],
        shift: &[f32],
        leak: f32,
        cells: &[f32],
        upstream: &[f32],
        masked: &mut [f32],
        scale_sums: &mut [f32],
        shift_sums: &mut [f32],
    ) {
        let units = mean.len();
        let (inverse, scale, shift) = (&inverse[..units], &scale[..units], &shift[..units]);
        let (scale_sums, shift_sums) = (&mut scale_sums[..units], &mut shift_sums[..units]);
        let rows = cells.chunks_exact(units).zip(upstream.chunks_exact(units));
        for ((row, upstream), masked) in rows.zip(masked.chunks_exact_mut(units)) {
            for at in 0..units {
                let normal = (row[at] - mean[at]) * inverse[at];
                let slope = if scale[at] * normal + shift[at] > 0.0 { 1.0 } else { leak };
                let gradient = slope * upstream[at];
                masked[at] = gradient;
                shift_sums[at] += gradient;
                scale_sums[at] += gradient * normal;
            }
        }
    }
}

vectorised! {
    fn centre(
        mean: &[f32],
        inverse: &[f32],
        scale: &[f32],
        scale_sums: &[f32],
        shift_sums: &[f32],
        rows: f32,
        cells: &[f32],
        out: &mut [f32],
    ) {
        let units = mean.len();
        let (inverse, scale) = (&inverse[..units], &scale[..units]);
        let (scale_sums, shift_sums) = (&scale_sums[..units], &shift_sums[..units]);
        let share = 1.0 / rows;
        for (row, out) in cells.chunks_exact(units).zip(out.chunks_exact_mut(units)) {
            for at in 0..units {
                let normal = (row[at] - mean[at]) * inverse[at];
                let mean_part = share * (shift_sums[at] + normal * scale_sums[at]);
                out[at] = scale[at] * inverse[at] * (out[at] - mean_part);
            }
        }
    }
}
