use super::heads_op::{KernelHeads, kernel_spans};
use super::{Segments, activation::sigmoid, host_tensor};
use crate::Randomness;
use crate::kernels::Heads;
use candle_core::{DType, Device, Result, Tensor, bail};

/// What becomes of the logits of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The logits themselves.
    Linear,
    /// tanh of each.
    Tanh,
    /// Sigmoid of each.
    Sigmoid,
    /// Softmax over the span, at temperature 1.
    Softmax,
    /// Softmax of `(logit + Gumbel noise) / temperature` over the span (Jang et al. 2017, eq. 2).
    GumbelSoftmax,
}

/// Neighbouring output units with one activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First unit.
    pub start: usize,
    /// Number of units.
    pub width: usize,
    /// Their activation.
    pub activation: Activation,
}

/// The output activations of a generator of rows, all spans of a row at once: on the CPU in `f32`
/// one loop with a hand-written gradient (for tanh and one kind of softmax), elsewhere a number
/// of tensor operations that does not grow with the number of spans.
#[derive(Debug, Clone)]
pub struct SpanHeads {
    width: usize,
    temperature: f64,
    /// The activation that all units share, if they do.
    single: Option<Activation>,
    masks: Masks,
    segments: Option<Segments>,
    kernel: Option<Heads>,
    dtype: DType,
    device: Device,
}

/// Per unit (1 x width), 1 where the activation is in force; `None` where it is nowhere.
#[derive(Debug, Clone)]
struct Masks {
    linear: Option<Tensor>,
    tanh: Option<Tensor>,
    sigmoid: Option<Tensor>,
    gumbel: Option<Tensor>,
    /// What each logit is multiplied by before the softmax.
    factors: Tensor,
}

impl SpanHeads {
    /// Heads over rows of `width` units, each in exactly one span.
    ///
    /// # Errors
    /// When the spans do not cover the row in order, one is empty, or the temperature of the
    /// Gumbel softmax is not above 0.
    pub fn new(
        spans: &[Span],
        width: usize,
        temperature: f64,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        check(spans, width, temperature)?;
        let soft = spans.iter().filter(|span| span.activation.is_soft());
        let soft: Vec<(usize, usize)> = soft.map(|span| (span.start, span.width)).collect();
        let segments = match soft.is_empty() {
            true => None,
            false => Some(Segments::new(&soft, width, dtype, device)?),
        };
        let on_cpu = device.is_cpu() && dtype == DType::F32;
        let kernel = kernel_spans(spans).filter(|_| on_cpu).map(|(spans, gumbel)| {
            Heads::new(spans, width, if gumbel { temperature as f32 } else { 1.0 })
        });
        let first = spans[0].activation;
        let single = Some(first).filter(|_| spans.iter().all(|span| span.activation == first));
        let masks = Masks::new(spans, width, temperature, dtype, device)?;
        let device = device.clone();
        Ok(Self { width, temperature, single, masks, segments, kernel, dtype, device })
    }

    /// The same heads as tensor operations with automatic gradients on every device: the oracle of
    /// the loops.
    pub fn as_expression(self) -> Self {
        Self { kernel: None, segments: self.segments.map(Segments::as_expression), ..self }
    }

    /// Units of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Temperature of the Gumbel softmax.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// The spans with a softmax of either kind, in order; `None` when there are none.
    pub fn segments(&self) -> Option<&Segments> {
        self.segments.as_ref()
    }

    /// Gumbel noise for so many rows (rows x width). The uniform behind it stays within
    /// `[2^-24, 1 - 2^-24]`, so the noise is finite, in `[-2.9, 16.7]`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn noise(&self, rows: usize, randomness: &mut Randomness) -> Result<Tensor> {
        let mut cells = vec![0.0; rows * self.width];
        randomness.gumbels(&mut cells);
        host_tensor(cells, (rows, self.width), self.dtype, &self.device)
    }

    /// Logits to activations, rows x width. Gumbel spans need `noise` of the same shape; its cells
    /// at other units are ignored.
    ///
    /// # Errors
    /// When the noise is missing or the shapes disagree.
    pub fn forward(&self, logits: &Tensor, noise: Option<&Tensor>) -> Result<Tensor> {
        let (_, width) = logits.dims2()?;
        if width != self.width {
            bail!("heads over {} units got logits of {:?}", self.width, logits.dims());
        }
        let noise = match (&self.masks.gumbel, noise) {
            (None, _) => None,
            (Some(_), None) => bail!("the Gumbel softmax needs noise"),
            (Some(_), Some(noise)) if noise.dims() != logits.dims() => {
                bail!("noise of {:?} for logits of {:?}", noise.dims(), logits.dims())
            }
            (Some(_), noise) => noise,
        };
        match &self.kernel {
            Some(kernel) => KernelHeads::apply(kernel, logits, noise),
            None => self.expression(logits, noise),
        }
    }

    /// The form for every device and type.
    fn expression(&self, logits: &Tensor, noise: Option<&Tensor>) -> Result<Tensor> {
        let masks = &self.masks;
        match self.single {
            Some(Activation::Linear) => return Ok(logits.clone()),
            Some(Activation::Tanh) => return logits.tanh(),
            Some(Activation::Sigmoid) => return sigmoid(logits),
            _ => {}
        }
        let masked = |cells: Result<Tensor>, mask: &Tensor| cells?.broadcast_mul(mask);
        let mut parts = Vec::new();
        if let Some(mask) = &masks.linear {
            parts.push(masked(Ok(logits.clone()), mask)?);
        }
        if let Some(mask) = &masks.tanh {
            parts.push(masked(logits.tanh(), mask)?);
        }
        if let Some(mask) = &masks.sigmoid {
            parts.push(masked(sigmoid(logits), mask)?);
        }
        if let Some(segments) = &self.segments {
            let noisy = match (&masks.gumbel, noise) {
                (Some(mask), Some(noise)) => (logits + noise.broadcast_mul(mask)?)?,
                _ => logits.clone(),
            };
            parts.push(segments.softmax(&noisy.broadcast_mul(&masks.factors)?)?);
        }
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Ok(logits.clone()) };
        parts.try_fold(first, |sum, part| sum + part)
    }
}

impl Activation {
    /// Whether the units of a span share one unit of mass.
    pub fn is_soft(self) -> bool {
        matches!(self, Activation::Softmax | Activation::GumbelSoftmax)
    }
}

impl Masks {
    fn new(
        spans: &[Span],
        width: usize,
        temperature: f64,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let cells = |of: &dyn Fn(&Span) -> f32| {
            let cells = spans.iter().flat_map(|span| std::iter::repeat_n(of(span), span.width));
            host_tensor(cells.collect(), (1, width), dtype, device)
        };
        let mask = |activation: Activation| match spans.iter().any(|s| s.activation == activation) {
            false => Ok(None),
            true => cells(&|span| f32::from(span.activation == activation)).map(Some),
        };
        Ok(Self {
            linear: mask(Activation::Linear)?,
            tanh: mask(Activation::Tanh)?,
            sigmoid: mask(Activation::Sigmoid)?,
            gumbel: mask(Activation::GumbelSoftmax)?,
            factors: cells(&|span| match span.activation {
                Activation::GumbelSoftmax => (1.0 / temperature) as f32,
                _ => 1.0,
            })?,
        })
    }
}

fn check(spans: &[Span], width: usize, temperature: f64) -> Result<()> {
    if !(temperature > 0.0 && temperature.is_finite()) {
        bail!("a temperature of {temperature} is not above 0");
    }
    let mut free = 0;
    for span in spans {
        if span.start != free || span.width == 0 {
            bail!("the span of {} units from {} does not follow {free}", span.width, span.start);
        }
        free += span.width;
    }
    if free != width || width == 0 {
        bail!("the spans cover {free} units of {width}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, largest_difference, normal_tensor, normal_var};
    use crate::layers::activation;
    use Activation::{GumbelSoftmax, Linear, Sigmoid, Softmax, Tanh};
    use candle_core::Var;
    use meg_core::Seed;

    const CTGAN: [Activation; 5] = [Tanh, GumbelSoftmax, GumbelSoftmax, Tanh, GumbelSoftmax];
    const TGAN: [Activation; 5] = [Tanh, Softmax, Softmax, Tanh, Softmax];
    const MIXED: [Activation; 5] = [Sigmoid, Softmax, GumbelSoftmax, Linear, GumbelSoftmax];
    const PLACES: [Activation; 5] = [Sigmoid, Tanh, Linear, Sigmoid, Tanh];
    const TEMPERATURE: f64 = 0.2;

    fn spans(activations: [Activation; 5]) -> Vec<Span> {
        let widths = [1, 4, 2, 1, 3];
        let mut start = 0;
        let mut span = |(activation, width)| {
            start += width;
            Span { start: start - width, width, activation }
        };
        activations.into_iter().zip(widths).map(&mut span).collect()
    }

    fn heads(activations: [Activation; 5], dtype: DType) -> SpanHeads {
        SpanHeads::new(&spans(activations), 11, TEMPERATURE, dtype, &Device::Cpu).unwrap()
    }

    /// The plain form: one narrow per span.
    fn narrowed(activations: [Activation; 5], logits: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let part = |span: &Span| {
            let cells = logits.narrow(1, span.start, span.width)?;
            match span.activation {
                Linear => Ok(cells),
                Tanh => cells.tanh(),
                Sigmoid => activation::sigmoid(&cells),
                Softmax => activation::softmax(&cells),
                GumbelSoftmax => {
                    let noisy = (cells + noise.narrow(1, span.start, span.width)?)?;
                    activation::softmax(&(noisy / TEMPERATURE)?)
                }
            }
        };
        Tensor::cat(&spans(activations).iter().map(part).collect::<Result<Vec<_>>>()?, 1)
    }

    fn noise() -> Tensor {
        let noise =
            heads(CTGAN, DType::F64).noise(3, &mut Randomness::new(Seed(5).stream("noise")));
        noise.unwrap()
    }

    #[test]
    fn the_expression_agrees_with_one_narrow_per_span_and_with_central_differences() {
        let (logits, noise) = (normal_var(&[3, 11], 1), noise());
        for activations in [CTGAN, TGAN, MIXED, PLACES, [Linear; 5], [Tanh; 5], [Sigmoid; 5]] {
            let heads = heads(activations, DType::F64).as_expression();
            let out = heads.forward(&logits, Some(&noise)).unwrap();
            let expected = narrowed(activations, &logits, &noise).unwrap();
            assert!(largest_difference(&out, &expected) < 1e-7, "{activations:?}");
            gradient_check(&[("logits", &logits)], 1e-7, || heads.forward(&logits, Some(&noise)));
        }
    }

    #[test]
    fn the_loop_on_the_cpu_agrees_with_the_expression_in_value_and_gradient() {
        let single = |tensor: &Tensor| tensor.to_dtype(DType::F32).unwrap();
        let logits = Var::from_tensor(&single(&normal_tensor(&[3, 11], 1))).unwrap();
        let weights = single(&normal_tensor(&[3, 11], 2));
        let noise = single(&noise());
        for activations in [CTGAN, TGAN, [Tanh; 5]] {
            let heads = heads(activations, DType::F32);
            assert!(heads.kernel.is_some());
            let gradient = |out: &Tensor| {
                let loss = out.mul(&weights).unwrap().sum_all().unwrap();
                loss.backward().unwrap().get(&logits).unwrap().clone()
            };
            let fast = heads.forward(&logits, Some(&noise)).unwrap();
            let slow = heads.expression(&logits, Some(&noise)).unwrap();
            assert!(largest_difference(&fast, &slow) < 1e-6, "{activations:?}");
            let (fast, slow) = (gradient(&fast), gradient(&slow));
            assert!(largest_difference(&fast, &slow) < 1e-5, "{activations:?}");
            // Views that are not contiguous reach the loop too.
            let view = Var::from_tensor(&logits.t().unwrap().contiguous().unwrap()).unwrap();
            let out = heads.forward(&view.t().unwrap(), Some(&noise)).unwrap();
            let sent = out.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
            let sent = sent.get(&view).unwrap().t().unwrap();
            assert!(largest_difference(&sent, &fast) < 1e-6);
        }
    }

    #[test]
    fn the_gumbel_softmax_draws_each_level_as_often_as_the_softmax_says() {
        let span = Span { start: 0, width: 3, activation: GumbelSoftmax };
        let heads = SpanHeads::new(&[span], 3, 0.2, DType::F32, &Device::Cpu).unwrap();
        let rows = 40_000;
        let shares = [0.6f32, 0.3, 0.1];
        let logits: Vec<f32> = shares.iter().map(|share| share.ln()).collect();
        let logits = Tensor::from_vec(logits, (1, 3), &Device::Cpu).unwrap();
        let logits = logits.broadcast_as((rows, 3)).unwrap();
        let noise = heads.noise(rows, &mut Randomness::new(Seed(1).stream("noise"))).unwrap();
        let out = heads.forward(&logits, Some(&noise)).unwrap();
        let mut counts = [0usize; 3];
        for level in out.argmax(1).unwrap().to_vec1::<u32>().unwrap() {
            counts[level as usize] += 1;
        }
        for (count, share) in counts.into_iter().zip(shares) {
            assert!((count as f32 / rows as f32 - share).abs() < 0.01, "{counts:?}");
        }
    }

    #[test]
    fn extreme_logits_and_noise_stay_finite() {
        for dtype in [DType::F32, DType::F64] {
            for activations in [CTGAN, MIXED] {
                let heads = heads(activations, dtype);
                let far = [1e6, -1e6].repeat(17);
                let logits = Tensor::from_slice(&far[..33], (3, 11), &Device::Cpu).unwrap();
                let logits = Var::from_tensor(&logits.to_dtype(dtype).unwrap()).unwrap();
                let noise = noise().to_dtype(dtype).unwrap();
                let out = heads.forward(&logits, Some(&noise)).unwrap();
                let sent = out.sum_all().unwrap().backward().unwrap();
                for tensor in [&out, sent.get(&logits).unwrap()] {
                    assert!(cells(tensor).unwrap().iter().all(|x| x.is_finite()));
                }
            }
        }
    }

    #[test]
    fn wrong_spans_and_missing_noise_are_refused() {
        let at = |start, width| Span { start, width, activation: Tanh };
        let new = |spans: &[Span], temperature: f64| {
            SpanHeads::new(spans, 4, temperature, DType::F32, &Device::Cpu)
        };
        assert!(new(&[at(0, 2), at(3, 1)], 0.2).is_err(), "a gap");
        assert!(new(&[at(0, 3)], 0.2).is_err(), "too narrow");
        assert!(new(&[at(0, 4)], 0.0).is_err(), "no temperature");
        let heads = heads(CTGAN, DType::F32);
        let logits = Tensor::zeros((2, 11), DType::F32, &Device::Cpu).unwrap();
        assert!(heads.forward(&logits, None).unwrap_err().to_string().contains("needs noise"));
        let short = logits.narrow(0, 0, 1).unwrap();
        assert!(heads.forward(&logits, Some(&short)).is_err());
        let narrow = logits.narrow(1, 0, 10).unwrap();
        assert!(heads.forward(&narrow, Some(&logits)).is_err());
    }
}
