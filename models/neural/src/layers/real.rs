use candle_core::{CpuStorage, DType, Layout, Result, Tensor, WithDType, bail};
use std::ops::{AddAssign, DivAssign, SubAssign};

/// Numbers of the loops on the CPU.
pub(super) trait Real: WithDType + PartialOrd + AddAssign + SubAssign + DivAssign {
    fn exp(self) -> Self;
    fn ln(self) -> Self;

    /// The cells of a contiguous tensor.
    fn cells<'a>((storage, layout): (&'a CpuStorage, &Layout)) -> Result<&'a [Self]> {
        match layout.contiguous_offsets() {
            Some((start, end)) => Ok(&storage.as_slice::<Self>()?[start..end]),
            None => bail!("a contiguous tensor is needed"),
        }
    }
}

impl Real for f32 {
    fn exp(self) -> Self {
        f32::exp(self)
    }
    fn ln(self) -> Self {
        f32::ln(self)
    }
}

impl Real for f64 {
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
}

/// Whether the loops take this tensor.
pub(super) fn fits(cells: &Tensor) -> bool {
    cells.device().is_cpu() && matches!(cells.dtype(), DType::F32 | DType::F64)
}
