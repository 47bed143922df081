use super::{Activation, Span};
use crate::kernels::{HeadSpan, Heads};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// [`Heads`] as an operation of candle: arguments are logits and noise, the noise gets no
/// gradient.
pub(super) struct KernelHeads(Heads);

/// The spans for the loop, and whether their softmax is the one with noise; `None` when the loop
/// lacks one of the activations or would need both kinds of softmax.
pub(super) fn kernel_spans(spans: &[Span]) -> Option<(Vec<HeadSpan>, bool)> {
    let has = |activation: Activation| spans.iter().any(|span| span.activation == activation);
    let both = has(Activation::Softmax) && has(Activation::GumbelSoftmax);
    if both || has(Activation::Sigmoid) || has(Activation::Linear) {
        return None;
    }
    let convert = |span: &Span| HeadSpan {
        start: span.start,
        width: span.width,
        softmax: span.activation.is_soft(),
    };
    Some((spans.iter().map(convert).collect(), has(Activation::GumbelSoftmax)))
}

impl KernelHeads {
    /// Activations of logits (rows x width); without noise it is 0.
    pub(super) fn apply(heads: &Heads, logits: &Tensor, noise: Option<&Tensor>) -> Result<Tensor> {
        let noise = match noise {
            Some(noise) => noise.detach().contiguous()?,
            None => logits.zeros_like()?,
        };
        logits.contiguous()?.apply_op2(&noise, KernelHeads(heads.clone()))
    }
}

impl CustomOp2 for KernelHeads {
    fn name(&self) -> &'static str {
        "span-heads"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        noise: &CpuStorage,
        noise_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (logits, noise) = (slice(logits, logits_layout)?, slice(noise, noise_layout)?);
        let mut out = vec![0.0; logits.len()];
        self.0.forward(logits, noise, &mut out);
        Ok((CpuStorage::F32(out), logits_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _logits: &Tensor,
        _noise: &Tensor,
        activations: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let backward = KernelHeadsBackward(&self.0);
        let sent = activations.apply_op2_no_bwd(&gradient.contiguous()?, &backward)?;
        Ok((Some(sent), None))
    }
}

/// Arguments are the activations and their gradient; the result is the gradient of the logits.
struct KernelHeadsBackward<'a>(&'a Heads);

impl CustomOp2 for KernelHeadsBackward<'_> {
    fn name(&self) -> &'static str {
        "span-heads-backward"
    }

    fn cpu_fwd(
        &self,
        activations: &CpuStorage,
        activations_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut sent = slice(gradient, gradient_layout)?.to_vec();
        self.0.backward(slice(activations, activations_layout)?, &mut sent);
        Ok((CpuStorage::F32(sent), gradient_layout.shape().clone()))
    }
}

/// The cells of a contiguous `f32` tensor.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(cells), Some((start, end))) => Ok(&cells[start..end]),
        _ => bail!("a contiguous f32 tensor is needed"),
    }
}
