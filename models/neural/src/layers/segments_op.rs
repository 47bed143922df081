use super::real::Real;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail,
};
use std::ops::Range;
use std::sync::Arc;

/// Start and width of each segment.
pub(super) type Spans = Arc<[(usize, usize)]>;

/// The softmax within each segment, 0 outside, as one loop with its own gradient.
pub(super) fn softmax(logits: &Tensor, spans: &Spans) -> Result<Tensor> {
    logits.contiguous()?.apply_op1(Softmax(spans.clone()))
}

/// `log sum exp` of each segment, likewise: rows x segments.
pub(super) fn log_sum_exp(logits: &Tensor, spans: &Spans) -> Result<Tensor> {
    logits.contiguous()?.apply_op1(LogSumExp(spans.clone()))
}

/// Runs a loop for the type of its first argument.
macro_rules! by_type {
    ($storage:expr, $name:ident($($arg:expr),*)) => {
        match $storage {
            CpuStorage::F32(_) => $name::<f32>($($arg),*),
            CpuStorage::F64(_) => $name::<f64>($($arg),*),
            _ => bail!("segments are of f32 or f64"),
        }
    };
}

struct Softmax(Spans);

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "segment-softmax"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = by_type!(logits, softmax_rows(&self.0, logits, layout))?;
        Ok((out, layout.shape().clone()))
    }

    fn bwd(&self, _logits: &Tensor, shares: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        shares.apply_op2_no_bwd(&gradient, &SoftmaxBackward(self.0.clone())).map(Some)
    }
}

/// Arguments are the shares and their gradient.
struct SoftmaxBackward(Spans);

impl CustomOp2 for SoftmaxBackward {
    fn name(&self) -> &'static str {
        "segment-softmax-backward"
    }

    fn cpu_fwd(
        &self,
        shares: &CpuStorage,
        shares_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shares = (shares, shares_layout);
        let gradient = (gradient, gradient_layout);
        let out = by_type!(shares.0, softmax_rows_backward(&self.0, shares, gradient))?;
        Ok((out, shares_layout.shape().clone()))
    }
}

struct LogSumExp(Spans);

impl CustomOp1 for LogSumExp {
    fn name(&self) -> &'static str {
        "segment-log-sum-exp"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = by_type!(logits, log_sum_exp_rows(&self.0, logits, layout))?;
        Ok((out, Shape::from((layout.shape().dims2()?.0, self.0.len()))))
    }

    fn bwd(&self, logits: &Tensor, sums: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let backward = LogSumExpBackward(self.0.clone());
        logits.apply_op3_no_bwd(sums, &gradient, &backward).map(Some)
    }
}

/// Arguments are the logits, `log sum exp` and its gradient.
struct LogSumExpBackward(Spans);

impl CustomOp3 for LogSumExpBackward {
    fn name(&self) -> &'static str {
        "segment-log-sum-exp-backward"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        sums: &CpuStorage,
        sums_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = (logits, logits_layout);
        let (sums, gradient) = ((sums, sums_layout), (gradient, gradient_layout));
        let out = by_type!(logits.0, log_sum_exp_rows_backward(&self.0, logits, sums, gradient))?;
        Ok((out, logits_layout.shape().clone()))
    }
}

fn softmax_rows<T: Real>(
    spans: &Spans,
    logits: &CpuStorage,
    layout: &Layout,
) -> Result<CpuStorage> {
    let (cells, width) = rows::<T>((logits, layout))?;
    let mut out = vec![T::zero(); cells.len()];
    for (logits, out) in cells.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        for units in spans.iter().map(units) {
            let (logits, out) = (&logits[units.clone()], &mut out[units]);
            let highest = highest(logits);
            let mut sum = T::zero();
            for (out, &logit) in out.iter_mut().zip(logits) {
                *out = (logit - highest).exp();
                sum += *out;
            }
            out.iter_mut().for_each(|share| *share /= sum);
        }
    }
    Ok(T::to_cpu_storage_owned(out))
}

fn softmax_rows_backward<T: Real>(
    spans: &Spans,
    shares: (&CpuStorage, &Layout),
    gradient: (&CpuStorage, &Layout),
) -> Result<CpuStorage> {
    let ((shares, width), (gradient, _)) = (rows::<T>(shares)?, rows::<T>(gradient)?);
    let mut out = vec![T::zero(); shares.len()];
    let both = shares.chunks_exact(width).zip(gradient.chunks_exact(width));
    for ((shares, gradient), out) in both.zip(out.chunks_exact_mut(width)) {
        for units in spans.iter().map(units) {
            let (shares, gradient) = (&shares[units.clone()], &gradient[units.clone()]);
            let mut mean = T::zero();
            for (&share, &sent) in shares.iter().zip(gradient) {
                mean += share * sent;
            }
            for ((out, &share), &sent) in out[units].iter_mut().zip(shares).zip(gradient) {
                *out = share * (sent - mean);
            }
        }
    }
    Ok(T::to_cpu_storage_owned(out))
}

fn log_sum_exp_rows<T: Real>(
    spans: &Spans,
    logits: &CpuStorage,
    layout: &Layout,
) -> Result<CpuStorage> {
    let (cells, width) = rows::<T>((logits, layout))?;
    let mut out = Vec::with_capacity(cells.len() / width.max(1) * spans.len());
    for logits in cells.chunks_exact(width) {
        for units in spans.iter().map(units) {
            let logits = &logits[units];
            let highest = highest(logits);
            let mut sum = T::zero();
            for &logit in logits {
                sum += (logit - highest).exp();
            }
            out.push(highest + sum.ln());
        }
    }
    Ok(T::to_cpu_storage_owned(out))
}

fn log_sum_exp_rows_backward<T: Real>(
    spans: &Spans,
    logits: (&CpuStorage, &Layout),
    sums: (&CpuStorage, &Layout),
    gradient: (&CpuStorage, &Layout),
) -> Result<CpuStorage> {
    let (cells, width) = rows::<T>(logits)?;
    let ((sums, count), (gradient, _)) = (rows::<T>(sums)?, rows::<T>(gradient)?);
    let mut out = vec![T::zero(); cells.len()];
    let per_segment = sums.chunks_exact(count).zip(gradient.chunks_exact(count));
    let per_unit = cells.chunks_exact(width).zip(out.chunks_exact_mut(width));
    for ((logits, out), (sums, gradient)) in per_unit.zip(per_segment) {
        for (units, (&sum, &sent)) in spans.iter().map(units).zip(sums.iter().zip(gradient)) {
            for (out, &logit) in out[units.clone()].iter_mut().zip(&logits[units]) {
                *out = (logit - sum).exp() * sent;
            }
        }
    }
    Ok(T::to_cpu_storage_owned(out))
}

fn units(&(start, width): &(usize, usize)) -> Range<usize> {
    start..start + width
}

fn highest<T: Real>(cells: &[T]) -> T {
    cells.iter().fold(cells[0], |most, &cell| if cell > most { cell } else { most })
}

/// The cells of a contiguous matrix and the width of its rows.
fn rows<'a, T: Real>(matrix: (&'a CpuStorage, &Layout)) -> Result<(&'a [T], usize)> {
    let (_, width) = matrix.1.shape().dims2()?;
    Ok((T::cells(matrix)?, width))
}
