use crate::{parallel, spectrum::Spectrum};

/// Axes of the density at most.
pub(super) const MOST_AXES: usize = 8;

/// A kernel density: equal normal bumps on points, with Scott's width `n^(-1/(d+4))` times the
/// standard deviation of each axis.
#[derive(Debug)]
pub(super) struct Density {
    axes: usize,
    /// Points in units of the bumps' widths.
    points: Vec<f64>,
    widths: Vec<f64>,
}

impl Density {
    pub(super) fn fit(scores: &[f64], axes: usize) -> Self {
        let rows = scores.len() / axes;
        let factor = (rows as f64).powf(-1.0 / (axes as f64 + 4.0));
        let widths: Vec<f64> = (0..axes)
            .map(|axis| {
                let own: Vec<f64> = scores.iter().skip(axis).step_by(axes).copied().collect();
                let sd = crate::numbers::mean_and_sd(&own).1;
                // A collapsed axis has no width; the axes are in training deviations, so this is
                // a narrow bump.
                (sd * factor).max(1e-3)
            })
            .collect();
        let scaled = scores.iter().enumerate().map(|(at, score)| score / widths[at % axes]);
        Self { axes, points: scaled.collect(), widths }
    }

    /// Logarithm of the density at each point, up to a constant that depends on the number of axes.
    pub(super) fn logarithms(&self, scores: &[f64], threads: usize) -> Vec<f64> {
        let volume: f64 = self.widths.iter().map(|width| width.ln()).sum();
        let count = (self.points.len() / self.axes) as f64;
        let one = |row: usize| {
            let own: Vec<f64> = scores[row * self.axes..][..self.axes]
                .iter()
                .zip(&self.widths)
                .map(|(score, width)| score / width)
                .collect();
            let exponents: Vec<f64> = self
                .points
                .chunks_exact(self.axes)
                .map(|point| {
                    let squares = point.iter().zip(&own).map(|(a, b)| (a - b) * (a - b));
                    -squares.sum::<f64>() / 2.0
                })
                .collect();
            let most = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = exponents.iter().map(|exponent| (exponent - most).exp()).sum();
            most + sum.ln() - count.ln() - volume
        };
        parallel::map(threads, scores.len() / self.axes, one)
    }
}

/// Axes that explain 80 % of the variance, but no more than [`MOST_AXES`].
pub(super) fn axes(spectrum: &Spectrum) -> usize {
    spectrum.axes_for(0.8).min(MOST_AXES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_points_by_hand() {
        let density = Density::fit(&[-1.0, 1.0], 1);
        let width = 2f64.powf(-0.2);
        let bump = |x: f64| (-(x / width).powi(2) / 2.0).exp() / width;
        let got = density.logarithms(&[0.5], 1)[0];
        let want_at = |x: f64| ((bump(x + 1.0) + bump(x - 1.0)) / 2.0).ln();
        assert!((got - want_at(0.5)).abs() < 1e-12, "{got}");
        // Far away the logarithm is still a number.
        assert!(density.logarithms(&[1e6], 1)[0].is_finite());
    }
}
