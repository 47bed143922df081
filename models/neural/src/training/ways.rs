use super::Lasting;
use meg_core::{Device, FitContext, Kernels, Result, TrainingState};

/// Two ways of the same updates, which a model holds against each other in its tests.
#[derive(Debug)]
pub enum Ways<F, P> {
    /// Hand-written gradients, on the CPU.
    Fused(Box<F>),
    /// candle, on other devices and where this way is asked for.
    Plain(Box<P>),
}

/// Whether a fit is to take the way of [`Ways::Fused`].
pub fn is_fused(ctx: &FitContext<'_>) -> bool {
    (ctx.device, ctx.kernels) == (Device::Cpu, Kernels::Fused)
}

impl<F: Lasting, P: Lasting> Ways<F, P> {
    fn lasting(&mut self) -> &mut dyn Lasting {
        match self {
            Self::Fused(trainer) => &mut **trainer,
            Self::Plain(trainer) => &mut **trainer,
        }
    }
}

impl<F: Lasting, P: Lasting> Lasting for Ways<F, P> {
    fn not_finite(&mut self) -> Result<Option<String>> {
        self.lasting().not_finite()
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        self.lasting().save(state)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.lasting().restore(state)
    }
}
