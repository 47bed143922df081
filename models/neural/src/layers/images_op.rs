//! The products of [`crate::kernels::ImageGeometry`] as operations of candle.

use super::heads_op::slice;
use crate::kernels::{self, ImageGeometry};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// The convolution of images (batch x side x side x channels) to places.
pub(super) fn convolve(
    images: &Tensor,
    weight: &Tensor,
    geometry: ImageGeometry,
    threads: usize,
) -> Result<Tensor> {
    let op = Product { geometry, threads, kind: Kind::Forward };
    images.contiguous()?.apply_op2(weight, op)
}

/// The transposed convolution of places to images.
pub(super) fn convolve_back(
    placed: &Tensor,
    weight: &Tensor,
    geometry: ImageGeometry,
    threads: usize,
) -> Result<Tensor> {
    let op = Product { geometry, threads, kind: Kind::Back };
    placed.contiguous()?.apply_op2(weight, op)
}

/// Which two of images, weight and places are multiplied.
#[derive(Clone, Copy)]
enum Kind {
    /// Images and weight to places.
    Forward,
    /// Places and weight to images.
    Back,
    /// Images and places to the weight.
    Weight,
}

#[derive(Clone, Copy)]
struct Product {
    geometry: ImageGeometry,
    threads: usize,
    kind: Kind,
}

impl Product {
    fn apply(&self, kind: Kind, one: &Tensor, other: &Tensor) -> Result<Tensor> {
        one.contiguous()?.apply_op2_no_bwd(&other.contiguous()?, &Self { kind, ..*self })
    }
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "image-product"
    }

    fn cpu_fwd(
        &self,
        one: &CpuStorage,
        one_layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Self { geometry, threads, .. } = self;
        let (one, other) = (slice(one, one_layout)?, slice(other, other_layout)?);
        let cells = match self.kind {
            Kind::Forward | Kind::Weight => geometry.image(),
            Kind::Back => geometry.placed(),
        };
        let batch = one.len() / cells;
        let other_cells = match self.kind {
            Kind::Weight => batch * geometry.placed(),
            Kind::Forward | Kind::Back => geometry.depth() * geometry.outputs,
        };
        if batch * cells != one.len() || other.len() != other_cells {
            bail!(
                "tensors of {:?} and {:?} for a convolution of {geometry:?}",
                one_layout.shape(),
                other_layout.shape()
            );
        }
        let ImageGeometry { side, channels, places, outputs, .. } = *geometry;
        let (out, shape): (Vec<f32>, Shape) = match self.kind {
            Kind::Forward => {
                let mut out = vec![0.0; batch * geometry.placed()];
                kernels::convolve(geometry, one, other, &mut out, *threads);
                (out, (batch, places, places, outputs).into())
            }
            Kind::Back => {
                let mut out = vec![0.0; batch * geometry.image()];
                kernels::convolve_back(geometry, one, other, &mut out, *threads);
                (out, (batch, side, side, channels).into())
            }
            Kind::Weight => {
                let mut out = vec![0.0; geometry.depth() * outputs];
                kernels::weight_gradient(geometry, one, other, &mut out, *threads);
                (out, (geometry.depth(), outputs).into())
            }
        };
        Ok((CpuStorage::F32(out), shape))
    }

    /// Gradients are computed only for arguments that somebody waits for.
    fn bwd(
        &self,
        one: &Tensor,
        weight: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let wanted = |tensor: &Tensor, kind, one: &Tensor, other: &Tensor| {
            tensor.track_op().then(|| self.apply(kind, one, other)).transpose()
        };
        match self.kind {
            Kind::Forward => Ok((
                wanted(one, Kind::Back, gradient, weight)?,
                wanted(weight, Kind::Weight, one, gradient)?,
            )),
            Kind::Back => Ok((
                wanted(one, Kind::Forward, gradient, weight)?,
                wanted(weight, Kind::Weight, gradient, one)?,
            )),
            Kind::Weight => bail!("the gradient of a weight has no gradient here"),
        }
    }
}
