use super::real;
use super::segments_op::{self, Spans};
use candle_core::{DType, Device, Result, Tensor, bail};

/// Neighbouring units of a row that belong together (the levels of a category, the modes of a
/// number), with operations on all of them at once: on the CPU one loop with its own gradient,
/// elsewhere a number of tensor operations that does not grow with the number of segments.
#[derive(Debug, Clone)]
pub struct Segments {
    spans: Spans,
    /// Width x segments: 1 where the unit belongs to the segment.
    membership: Tensor,
    /// 1 x width: 1 where the unit belongs to any segment.
    inside: Tensor,
    /// Per round of a tournament, the rival of each unit within its segment.
    rivals: Vec<Tensor>,
    /// Per unit, the first unit of its segment; itself outside of all.
    leader: Tensor,
    /// Per segment, its first unit.
    starts: Tensor,
    /// Whether the loop on the CPU is left out.
    expression: bool,
}

impl Segments {
    /// Segments `(start, width)` of rows of `width` units, in order and disjoint; units between
    /// them belong to none.
    ///
    /// # Errors
    /// When there is no segment, one is empty, or they overlap or leave the row.
    pub fn new(
        spans: &[(usize, usize)],
        width: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        check(spans, width)?;
        let count = spans.len();
        let mut membership = vec![0f32; width * count];
        let mut leader: Vec<u32> = (0..width as u32).collect();
        let mut last = leader.clone();
        for (at, &(start, span)) in spans.iter().enumerate() {
            for unit in start..start + span {
                membership[unit * count + at] = 1.0;
                leader[unit] = start as u32;
                last[unit] = (start + span - 1) as u32;
            }
        }
        let units = |cells: Vec<u32>| Tensor::from_vec(cells, width, device);
        let starts: Vec<u32> = spans.iter().map(|&(start, _)| start as u32).collect();
        let widest = spans.iter().map(|&(_, span)| span).max().unwrap_or(1);
        let mut rivals = Vec::new();
        let mut reach = 1;
        while reach < widest {
            let rival = |unit: usize| (unit as u32 + reach as u32).min(last[unit]);
            rivals.push(units((0..width).map(rival).collect())?);
            reach *= 2;
        }
        let membership = Tensor::from_vec(membership, (width, count), device)?.to_dtype(dtype)?;
        Ok(Self {
            inside: membership.sum(1)?.reshape((1, width))?,
            membership,
            rivals,
            leader: units(leader)?,
            starts: Tensor::from_vec(starts, count, device)?,
            spans: spans.into(),
            expression: false,
        })
    }

    /// The same segments as tensor operations with automatic gradients on every device: the oracle
    /// of the loop.
    pub fn as_expression(self) -> Self {
        Self { expression: true, ..self }
    }

    /// Start and width of each segment.
    pub fn spans(&self) -> &[(usize, usize)] {
        &self.spans
    }

    /// 1 x width: 1 at the units of segments, else 0.
    pub fn inside(&self) -> &Tensor {
        &self.inside
    }

    /// Sums over each segment: rows x width to rows x segments.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn sums(&self, cells: &Tensor) -> Result<Tensor> {
        cells.matmul(&self.membership)
    }

    /// The value of its segment at each unit, 0 outside: rows x segments to rows x width.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn spread(&self, values: &Tensor) -> Result<Tensor> {
        values.matmul(&self.membership.t()?)
    }

    /// Softmax within each segment, 0 outside: rows x width to the same.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn softmax(&self, logits: &Tensor) -> Result<Tensor> {
        self.check_width(logits)?;
        if !self.expression && real::fits(logits) {
            return segments_op::softmax(logits, &self.spans);
        }
        self.softmax_expression(logits)
    }

    fn softmax_expression(&self, logits: &Tensor) -> Result<Tensor> {
        let weights = self.weights(logits, &self.highest(logits)?)?;
        // Units outside have no sum to be divided by.
        let sums = self.spread(&self.sums(&weights)?)?;
        weights.div(&sums.broadcast_add(&self.inside.affine(-1.0, 1.0)?)?)
    }

    /// `log sum exp` of each segment: rows x width to rows x segments.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn log_sum_exp(&self, logits: &Tensor) -> Result<Tensor> {
        self.check_width(logits)?;
        if !self.expression && real::fits(logits) {
            return segments_op::log_sum_exp(logits, &self.spans);
        }
        self.log_sum_exp_expression(logits)
    }

    fn log_sum_exp_expression(&self, logits: &Tensor) -> Result<Tensor> {
        let highest = self.highest(logits)?;
        let sums = self.sums(&self.weights(logits, &highest)?)?;
        sums.log()? + highest.index_select(&self.starts, 1)?
    }

    /// The cross entropy of each segment's softmax: `log sum exp(logits) - sum targets * logits`,
    /// where `targets` (rows x width) holds one-hot or soft shares that sum to 1 in each segment;
    /// its cells outside are ignored. Rows x segments; nothing is averaged.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn cross_entropy(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        self.log_sum_exp(logits)? - self.sums(&logits.mul(targets)?)?
    }

    fn check_width(&self, cells: &Tensor) -> Result<()> {
        let (width, _) = self.membership.dims2()?;
        match cells.dims() {
            [_, own] if *own == width => Ok(()),
            shape => bail!("segments of rows of {width} units got {shape:?}"),
        }
    }

    /// The largest cell of its segment at each unit, as a constant; outside, the cell itself.
    ///
    /// A tournament: after the k-th round each unit knows the largest of the next 2^k cells, so
    /// the widest segment decides the number of rounds.
    fn highest(&self, cells: &Tensor) -> Result<Tensor> {
        let mut best = cells.detach();
        for rivals in &self.rivals {
            best = best.maximum(&best.index_select(rivals, 1)?)?;
        }
        best.index_select(&self.leader, 1)
    }

    /// `exp(logit - highest)` within segments, else 0.
    fn weights(&self, logits: &Tensor, highest: &Tensor) -> Result<Tensor> {
        logits.sub(highest)?.exp()?.broadcast_mul(&self.inside)
    }
}

fn check(spans: &[(usize, usize)], width: usize) -> Result<()> {
    if spans.is_empty() {
        bail!("segments need at least one span");
    }
    let mut free = 0;
    for &(start, span) in spans {
        if start < free || span == 0 || start + span > width {
            bail!("the span of {span} units from {start} overlaps, is empty or leaves {width}");
        }
        free = start + span;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, largest_difference, normal_tensor, normal_var};
    use crate::layers::activation;
    use candle_core::Var;

    /// Widths 3, 1, 5 and 2, with gaps at 0 and 4.
    const SPANS: [(usize, usize); 4] = [(1, 3), (5, 1), (6, 5), (11, 2)];

    fn segments() -> Segments {
        Segments::new(&SPANS, 14, DType::F64, &Device::Cpu).unwrap()
    }

    /// The plain form: one narrow per segment.
    fn narrowed(x: &Tensor, of: impl Fn(&Tensor) -> Result<Tensor>) -> Tensor {
        let parts = SPANS.iter().map(|&(start, width)| of(&x.narrow(1, start, width)?));
        Tensor::cat(&parts.collect::<Result<Vec<_>>>().unwrap(), 1).unwrap()
    }

    #[test]
    fn values_agree_with_the_plain_form() {
        let (all, x) = (segments(), normal_tensor(&[4, 14], 1).affine(3.0, 0.0).unwrap());
        let soft = all.softmax_expression(&x).unwrap();
        assert!(
            largest_difference(
                &narrowed(&soft, |part| Ok(part.clone())),
                &narrowed(&x, activation::softmax)
            ) < 1e-14
        );
        assert!(cells(&soft.narrow(1, 4, 1).unwrap()).unwrap().iter().all(|x| *x == 0.0));
        let lse = narrowed(&x, |part| part.log_sum_exp(1)?.unsqueeze(1));
        assert!(largest_difference(&all.log_sum_exp_expression(&x).unwrap(), &lse) < 1e-13);
        let top = narrowed(&x, |part| part.max_keepdim(1));
        let highest = all.highest(&x).unwrap().index_select(&all.starts, 1).unwrap();
        assert_eq!(cells(&highest).unwrap(), cells(&top).unwrap());
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let (all, x) = (segments(), normal_var(&[3, 14], 2));
        gradient_check(&[("x", &x)], 1e-8, || all.softmax(&x));
        gradient_check(&[("x", &x)], 1e-8, || all.log_sum_exp(&x));
        gradient_check(&[("x", &x)], 1e-8, || all.softmax_expression(&x));
        gradient_check(&[("x", &x)], 1e-8, || all.log_sum_exp_expression(&x));
        let turned = Var::from_tensor(&x.t().unwrap().contiguous().unwrap()).unwrap();
        gradient_check(&[("turned", &turned)], 1e-8, || all.softmax(&turned.t()?)?.t());
        gradient_check(&[("turned", &turned)], 1e-8, || all.log_sum_exp(&turned.t()?)?.t());
        let (targets, values) = (normal_var(&[3, 14], 3), normal_var(&[3, 4], 4));
        gradient_check(&[("x", &x), ("t", &targets)], 1e-8, || all.cross_entropy(&x, &targets));
        gradient_check(&[("values", &values)], 1e-8, || all.spread(&values)?.sqr());
    }

    #[test]
    fn the_loops_agree_with_the_expressions() {
        for dtype in [DType::F32, DType::F64] {
            let all = Segments::new(&SPANS, 14, dtype, &Device::Cpu).unwrap();
            let x = normal_tensor(&[4, 14], 5).affine(3.0, 0.0).unwrap().to_dtype(dtype).unwrap();
            let near = |one: Result<Tensor>, other: Result<Tensor>| {
                assert!(largest_difference(&one.unwrap(), &other.unwrap()) < 2e-6);
            };
            near(all.softmax(&x), all.softmax_expression(&x));
            near(all.log_sum_exp(&x), all.log_sum_exp_expression(&x));
        }
        let narrow = normal_tensor(&[4, 13], 5);
        assert!(segments().softmax(&narrow).unwrap_err().to_string().contains("14 units"));
        assert!(segments().log_sum_exp(&narrow).is_err());
    }

    #[test]
    fn segments_of_very_different_height_keep_their_digits() {
        let all = Segments::new(&[(0, 2), (2, 2)], 5, DType::F32, &Device::Cpu).unwrap();
        let x = Tensor::new(&[[1e4f32, 1e4, -1e4, -1e4, 88.0]], &Device::Cpu).unwrap();
        for soft in [all.softmax(&x), all.softmax_expression(&x)] {
            assert_eq!(cells(&soft.unwrap()).unwrap(), [0.5, 0.5, 0.5, 0.5, 0.0]);
        }
        let x = Tensor::new(&[[1e4f32, -1e4, -1e4, -1e4, 1e30]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[[0f32, 1.0, 1.0, 0.0, 0.0]], &Device::Cpu).unwrap();
        let entropy = cells(&all.cross_entropy(&x, &targets).unwrap()).unwrap();
        assert!((entropy[0] - 2e4).abs() < 1.0 && (entropy[1] - 2f64.ln()).abs() < 1e-3);
    }

    #[test]
    fn spans_that_overlap_or_leave_the_row_are_refused() {
        for spans in [&[][..], &[(0, 0)], &[(0, 3), (2, 2)], &[(3, 3)], &[(2, 1), (0, 1)]] {
            assert!(Segments::new(spans, 5, DType::F32, &Device::Cpu).is_err(), "{spans:?}");
        }
    }
}
