use super::{math, vectorised};

/// Neighbouring output units with one activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadSpan {
    /// First unit.
    pub start: usize,
    /// Number of units.
    pub width: usize,
    /// Gumbel softmax over the units; otherwise tanh of each.
    pub softmax: bool,
}

/// The output activations of a generator of rows: tanh for places, Gumbel softmax for one-hot
/// spans (Jang et al. 2017, eq. 2), all spans of a row at once.
#[derive(Debug, Clone)]
pub struct Heads {
    spans: Vec<HeadSpan>,
    width: usize,
    temperature: f32,
    /// Per unit, what its logit is multiplied by before `exp`: `1 / temperature` in a softmax, 2
    /// for `tanh`, which is `1 - 2 / (exp(2x) + 1)`.
    factors: Vec<f32>,
}

impl Heads {
    /// Heads over rows of `width` units, each in exactly one span.
    ///
    /// # Panics
    /// When the spans do not cover the row in order.
    pub fn new(spans: Vec<HeadSpan>, width: usize, temperature: f32) -> Self {
        let mut factors = Vec::with_capacity(width);
        for span in &spans {
            assert!(span.start == factors.len(), "spans follow each other");
            let factor = if span.softmax { 1.0 / temperature } else { 2.0 };
            factors.extend(std::iter::repeat_n(factor, span.width));
        }
        assert!(factors.len() == width, "spans cover the row");
        Self { spans, width, temperature, factors }
    }

    /// Units of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Temperature of the Gumbel softmax.
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// The spans.
    pub fn spans(&self) -> &[HeadSpan] {
        &self.spans
    }

    /// Activations of row-major logits. `noise` is Gumbel noise for each unit; the cells at tanh
    /// units are ignored.
    pub fn forward(&self, logits: &[f32], noise: &[f32], out: &mut [f32]) {
        forward(self, logits, noise, out);
    }

    /// The gradient of the logits from the activations and their gradient, in place of the
    /// latter.
    pub fn backward(&self, activations: &[f32], gradient: &mut [f32]) {
        backward(self, activations, gradient);
    }
}

vectorised! {
    fn forward(heads: &Heads, logits: &[f32], noise: &[f32], out: &mut [f32]) {
        let rows = logits.chunks_exact(heads.width).zip(noise.chunks_exact(heads.width));
        for ((logits, noise), out) in rows.zip(out.chunks_exact_mut(heads.width)) {
            for ((out, (&logit, &noise)), &factor) in
                out.iter_mut().zip(logits.iter().zip(noise)).zip(&heads.factors)
            {
                *out = (logit + noise) * factor;
            }
            for span in &heads.spans {
                let units = span.start..span.start + span.width;
                if span.softmax {
                    let units = &mut out[units];
                    let highest = units.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
                    units.iter_mut().for_each(|unit| *unit -= highest);
                } else {
                    for at in units {
                        out[at] = (2.0 * logits[at]).clamp(-30.0, 30.0);
                    }
                }
            }
            for unit in out.iter_mut() {
                *unit = math::exp(*unit);
            }
            for span in &heads.spans {
                let units = &mut out[span.start..span.start + span.width];
                if span.softmax {
                    let scale = 1.0 / units.iter().sum::<f32>();
                    units.iter_mut().for_each(|unit| *unit *= scale);
                } else {
                    units.iter_mut().for_each(|unit| *unit = 1.0 - 2.0 / (*unit + 1.0));
                }
            }
        }
    }
}

vectorised! {
    fn backward(heads: &Heads, activations: &[f32], gradient: &mut [f32]) {
        let inverse = 1.0 / heads.temperature;
        let rows = activations.chunks_exact(heads.width);
        for (active, gradient) in rows.zip(gradient.chunks_exact_mut(heads.width)) {
            for span in &heads.spans {
                let units = span.start..span.start + span.width;
                let (active, gradient) = (&active[units.clone()], &mut gradient[units]);
                if span.softmax {
                    let mean: f32 = active.iter().zip(&*gradient).map(|(y, g)| y * g).sum();
                    for (gradient, &y) in gradient.iter_mut().zip(active) {
                        *gradient = inverse * y * (*gradient - mean);
                    }
                } else {
                    for (gradient, &y) in gradient.iter_mut().zip(active) {
                        *gradient *= 1.0 - y * y;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> Heads {
        let span = |start, width, softmax| HeadSpan { start, width, softmax };
        Heads::new(
            vec![span(0, 1, false), span(1, 3, true), span(4, 2, true), span(6, 1, false)],
            7,
            0.2,
        )
    }

    fn cells(salt: usize) -> Vec<f32> {
        (0..14).map(|at| ((at * 5 + salt * 11) % 13) as f32 / 13.0 - 0.5).collect()
    }

    fn plain(logits: &[f64], noise: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; logits.len()];
        for row in 0..2 {
            for span in heads().spans() {
                let at = |unit: usize| row * 7 + span.start + unit;
                if span.softmax {
                    let weights: Vec<f64> = (0..span.width)
                        .map(|u| ((logits[at(u)] + noise[at(u)]) / 0.2).exp())
                        .collect();
                    let sum: f64 = weights.iter().sum();
                    (0..span.width).for_each(|u| out[at(u)] = weights[u] / sum);
                } else {
                    out[at(0)] = logits[at(0)].tanh();
                }
            }
        }
        out
    }

    #[test]
    fn activations_and_gradients_agree_with_the_plain_form() {
        let (logits, noise, weights) = (cells(1), cells(2), cells(3));
        let doubles = |cells: &[f32]| cells.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let (x, g, w) = (doubles(&logits), doubles(&noise), doubles(&weights));
        let mut out = vec![0.0; 14];
        heads().forward(&logits, &noise, &mut out);
        for (ours, exact) in out.iter().zip(plain(&x, &g)) {
            assert!((f64::from(*ours) - exact).abs() < 1e-6);
        }
        let loss = |x: &[f64]| plain(x, &g).iter().zip(&w).map(|(y, w)| y * w).sum::<f64>();
        let mut gradient = weights.clone();
        heads().backward(&out, &mut gradient);
        for at in 0..14 {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[at] += by;
                loss(&x)
            };
            let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((f64::from(gradient[at]) - numeric).abs() < 1e-5, "{} {numeric}", gradient[at]);
        }
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let mut out = vec![0.0; 14];
        let logits: Vec<f32> = (0..14).map(|at| if at % 2 == 0 { 1e6 } else { -1e6 }).collect();
        heads().forward(&logits, &[16.6; 14], &mut out);
        assert!(out.iter().all(|x| x.is_finite() && x.abs() <= 1.0 + 1e-6), "{out:?}");
    }
}
