use super::{HeadSpan, math, vectorised};

vectorised! {
    /// Latent vectors of a variational autoencoder: `mean + exp(log_variance / 2) * noise`. A row of
    /// `statistics` holds `units` means, then as many logarithms of variances; rows of `noise` and
    /// `latent` are `units` long (Kingma and Welling 2014, section 2.4).
    pub fn draw_latent(statistics: &[f32], noise: &[f32], latent: &mut [f32], units: usize) {
        let rows = noise.chunks_exact(units).zip(latent.chunks_exact_mut(units));
        for (statistics, (noise, latent)) in statistics.chunks_exact(2 * units).zip(rows) {
            let (means, log_variances) = statistics.split_at(units);
            for ((latent, &noise), (&mean, &log_variance)) in
                latent.iter_mut().zip(noise).zip(means.iter().zip(log_variances))
            {
                *latent = mean + math::exp(0.5 * log_variance) * noise;
            }
        }
    }
}

vectorised! {
    /// The gradient of `statistics` (laid out as in [`draw_latent`]) in `out`: what flows back
    /// through the latent vectors, whose gradient is `latent`, and that of `scale` times the
    /// divergence from the standard normal, `(mean^2 + exp(v) - v - 1) / 2`. The sum of the
    /// divergence over all cells, without the factor, is added to `divergence`.
    pub fn latent_backward(
        statistics: &[f32],
        noise: &[f32],
        latent: &[f32],
        scale: f32,
        units: usize,
        out: &mut [f32],
        divergence: &mut f64,
    ) {
        let rows = noise.chunks_exact(units).zip(latent.chunks_exact(units));
        let cells = statistics.chunks_exact(2 * units).zip(out.chunks_exact_mut(2 * units));
        for ((statistics, out), (noise, latent)) in cells.zip(rows) {
            let (means, log_variances) = statistics.split_at(units);
            let (mean_out, variance_out) = out.split_at_mut(units);
            let mut sum = 0.0f32;
            for (((mean_out, variance_out), (&mean, &log_variance)), (&noise, &latent)) in mean_out
                .iter_mut()
                .zip(variance_out)
                .zip(means.iter().zip(log_variances))
                .zip(noise.iter().zip(latent))
            {
                let deviation = math::exp(0.5 * log_variance);
                let variance = deviation * deviation;
                *mean_out = latent + scale * mean;
                *variance_out = 0.5 * (latent * noise * deviation + scale * (variance - 1.0));
                sum += mean * mean + variance - log_variance - 1.0;
            }
            *divergence += 0.5 * f64::from(sum);
        }
    }
}

/// The negative log likelihood of encoded rows under the output of a decoder (Xu et al. 2019,
/// section 4.4): a normal around the tanh of each place, with one standard deviation per place, and
/// a category for each one-hot span. The constant `log(2 pi) / 2` of the normal is left out.
#[derive(Debug, Clone)]
pub struct RowLikelihood {
    spans: Vec<HeadSpan>,
    width: usize,
    places: usize,
    onehots: usize,
}

/// What [`RowLikelihood::backward`] adds to.
#[derive(Debug, Clone, Default)]
pub struct LikelihoodSums {
    /// The negative log likelihood, summed over rows and spans.
    pub loss: f64,
    /// The gradient of the standard deviations, one per place.
    pub deviations: Vec<f32>,
}

impl RowLikelihood {
    /// The likelihood of rows of `width` units, each in exactly one span.
    ///
    /// # Panics
    /// When the spans do not cover the row in order.
    pub fn new(spans: Vec<HeadSpan>, width: usize) -> Self {
        let mut free = 0;
        for span in &spans {
            assert!(span.start == free, "spans follow each other");
            free += span.width;
        }
        assert!(free == width, "spans cover the row");
        let onehots = spans.iter().filter(|span| span.softmax).count();
        let places = spans.iter().filter(|span| !span.softmax).map(|span| span.width).sum();
        Self { spans, width, places, onehots }
    }

    /// Turns logits (row-major) into `scale` times the gradient of the loss, in place, and adds to
    /// `sums`: the loss without the factor, the gradient of the deviations with it. A row of
    /// `places` has a target for each place, a row of `hot` the unit that is 1 in each one-hot
    /// span; `deviations` are above 0, one per place.
    ///
    /// # Panics
    /// When the sizes do not fit.
    pub fn backward(
        &self,
        logits: &mut [f32],
        (places, hot): (&[f32], &[u32]),
        deviations: &[f32],
        scale: f32,
        sums: &mut LikelihoodSums,
    ) {
        let rows = logits.len() / self.width;
        assert!(places.len() == rows * self.places && hot.len() == rows * self.onehots);
        assert!(deviations.len() == self.places);
        sums.deviations.resize(self.places, 0.0);
        backward(self, logits, places, hot, deviations, scale, sums);
    }
}

vectorised! {
    fn backward(
        of: &RowLikelihood,
        logits: &mut [f32],
        places: &[f32],
        hot: &[u32],
        deviations: &[f32],
        scale: f32,
        sums: &mut LikelihoodSums,
    ) {
        let (mut places, mut hot) = (places.iter(), hot.iter());
        for row in logits.chunks_exact_mut(of.width) {
            let mut next_hot = hot.clone();
            for span in &of.spans {
                let units = &mut row[span.start..span.start + span.width];
                if span.softmax {
                    let highest = units.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
                    units.iter_mut().for_each(|unit| *unit -= highest);
                    if let Some(&unit) = next_hot.next() {
                        sums.loss -= f64::from(row[unit as usize]);
                    }
                } else {
                    // tanh x is 1 - 2 / (exp(2x) + 1).
                    units.iter_mut().for_each(|unit| *unit = (2.0 * *unit).clamp(-30.0, 30.0));
                }
            }
            for unit in row.iter_mut() {
                *unit = math::exp(*unit);
            }
            let mut deviation = deviations.iter().zip(sums.deviations.iter_mut());
            for span in &of.spans {
                let units = &mut row[span.start..span.start + span.width];
                if span.softmax {
                    let total = units.iter().sum::<f32>();
                    sums.loss += f64::from(total.ln());
                    let factor = scale / total;
                    units.iter_mut().for_each(|unit| *unit *= factor);
                    if let Some(&unit) = hot.next() {
                        row[unit as usize] -= scale;
                    }
                } else {
                    for ((unit, &place), (&deviation, gradient)) in
                        units.iter_mut().zip(places.by_ref()).zip(deviation.by_ref())
                    {
                        let mean = 1.0 - 2.0 / (*unit + 1.0);
                        let away = (place - mean) / deviation;
                        sums.loss += f64::from(0.5 * away * away + deviation.ln());
                        *gradient += scale * (1.0 - away * away) / deviation;
                        *unit = scale * away / deviation * (mean * mean - 1.0);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7 + salt * 13) % 17) as f32 / 8.0 - 1.0).collect()
    }

    fn doubles(cells: &[f32]) -> Vec<f64> {
        cells.iter().map(|&cell| f64::from(cell)).collect()
    }

    /// Every cell of a gradient against the central difference of the plain form in doubles.
    fn check(name: &str, gradient: &[f32], at: &[f32], plain: impl Fn(&[f64]) -> f64) {
        for (cell, &ours) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut x = doubles(at);
                x[cell] += by;
                plain(&x)
            };
            let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let away = (f64::from(ours) - numeric).abs();
            assert!(away < 2e-5 * (1.0 + numeric.abs()), "{name}, {cell}: {ours} for {numeric}");
        }
    }

    #[test]
    fn the_latent_gradient_agrees_with_central_differences() {
        const UNITS: usize = 5;
        let (statistics, noise, weights) = (cells(30, 1), cells(15, 2), cells(15, 3));
        let (scale, n, w) = (0.7f32, doubles(&noise), doubles(&weights));
        let plain = |x: &[f64]| {
            let mut sum = 0.0;
            for row in 0..3 {
                for unit in 0..UNITS {
                    let at = row * UNITS + unit;
                    let (mean, v) = (x[row * 10 + unit], x[row * 10 + UNITS + unit]);
                    sum += w[at] * (mean + (0.5 * v).exp() * n[at]);
                    sum += f64::from(scale) * 0.5 * (mean * mean + v.exp() - v - 1.0);
                }
            }
            sum
        };
        let (mut latent, mut out, mut divergence) = (vec![0.0; 15], vec![0.0; 30], 0.0);
        draw_latent(&statistics, &noise, &mut latent, UNITS);
        latent_backward(&statistics, &noise, &weights, scale, UNITS, &mut out, &mut divergence);
        check("statistics", &out, &statistics, plain);
        let sum: f64 = doubles(&latent).iter().zip(&w).map(|(z, w)| z * w).sum();
        let all = sum + f64::from(scale) * divergence;
        assert!((all - plain(&doubles(&statistics))).abs() < 1e-5);
    }

    fn likelihood() -> RowLikelihood {
        let span = |start, width, softmax| HeadSpan { start, width, softmax };
        RowLikelihood::new(
            vec![span(0, 1, false), span(1, 3, true), span(4, 2, true), span(6, 1, false)],
            7,
        )
    }

    #[test]
    fn the_likelihood_and_its_gradients_agree_with_the_plain_form() {
        let (logits, places) = (cells(14, 4), [0.3, -0.9, 0.99, 0.0]);
        let (hot, deviations) = ([1, 5, 3, 4], [0.1f32, 0.6]);
        let plain = |x: &[f64], s: &[f64]| {
            let mut sum = 0.0;
            for row in 0..2 {
                let x = &x[row * 7..(row + 1) * 7];
                for (at, unit) in [(0, 0), (1, 6)] {
                    let away = f64::from(places[row * 2 + at]) - x[unit].tanh();
                    sum += away * away / (2.0 * s[at] * s[at]) + s[at].ln();
                }
                for (at, units) in [(0, 1..4), (1, 4..6)] {
                    let total: f64 = x[units].iter().map(|x| x.exp()).sum();
                    sum += total.ln() - x[hot[row * 2 + at] as usize];
                }
            }
            sum
        };
        let (mut gradient, mut sums) = (logits.clone(), LikelihoodSums::default());
        let scale = 0.25f32;
        likelihood().backward(&mut gradient, (&places, &hot), &deviations, scale, &mut sums);
        let s = doubles(&deviations);
        let exact = plain(&doubles(&logits), &s);
        assert!((sums.loss / exact - 1.0).abs() < 1e-5, "{} for {exact}", sums.loss);
        check("logits", &gradient, &logits, |x| f64::from(scale) * plain(x, &s));
        let x = doubles(&logits);
        check("deviations", &sums.deviations, &deviations, |s| f64::from(scale) * plain(&x, s));
    }

    /// Three units at 0 (log 3), two at 0 of which the first is hot (log 2), a place 0.5 away at
    /// the deviation 0.5 (1/2 + log 1/2) and one met exactly at the deviation 1 (0).
    #[test]
    fn the_loss_of_one_row_by_hand() {
        let (mut logits, mut sums) = ([0.0; 7], LikelihoodSums::default());
        likelihood().backward(&mut logits, (&[0.5, 0.0], &[2, 4]), &[0.5, 1.0], 1.0, &mut sums);
        let expected = 3f64.ln() + 2f64.ln() + 0.5 + 0.5f64.ln();
        assert!((sums.loss - expected).abs() < 1e-6);
        let third = 1.0 / 3.0;
        let gradient = [-2.0, third, third - 1.0, third, -0.5, 0.5, 0.0];
        for (ours, exact) in logits.iter().zip(gradient) {
            assert!((ours - exact).abs() < 1e-6, "{logits:?}");
        }
        assert_eq!(sums.deviations, [0.0, 1.0]);
    }

    #[test]
    fn far_logits_stay_finite_and_nan_is_not_hidden() {
        let far: Vec<f32> = (0..7).map(|at| if at % 2 == 0 { 1e6 } else { -1e6 }).collect();
        let (mut logits, mut sums) = (far.clone(), LikelihoodSums::default());
        let targets: (&[f32], &[u32]) = (&[0.5, 0.0], &[2, 5]);
        likelihood().backward(&mut logits, targets, &[0.01, 1.0], 1.0, &mut sums);
        assert!(logits.iter().all(|x| x.is_finite()) && sums.loss.is_finite());
        let mut logits = far;
        logits[2] = f32::NAN;
        likelihood().backward(&mut logits, targets, &[0.01, 1.0], 1.0, &mut sums);
        assert!(sums.loss.is_nan());
    }
}
