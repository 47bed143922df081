//! Layers, heads, losses and optimiser on candle, for any of its devices, in `f32` and (for the
//! tests) `f64`.
//!
//! Every gradient here is tested against central differences ([`crate::check`]). Operations whose
//! gradients candle has wrong or lacks are avoided; `tests/candle_traps.rs` lists them and shows
//! that each is still wrong. Functions return candle's error; [`crate::tensor_error`] turns it
//! into that of the workspace.

pub mod activation;
mod averages;
mod batch_norm;
mod blocks;
mod conv;
mod critic;
mod dropout;
mod gradients;
mod heads;
mod heads_op;
mod image_norm;
mod images;
mod images_op;
mod initial;
mod linear;
pub mod loss;
mod lstm;
mod minibatch;
mod minibatch_op;
mod optimiser;
mod real;
mod residual;
mod segments;
mod segments_op;
mod store;

pub use averages::{MovingAverage, WeightAverage};
pub use batch_norm::{BatchNorm, BatchNormSettings};
pub use blocks::{ConvBlock, ConvTransposeBlock, Nonlinearity};
pub use conv::{Conv2d, ConvShape, ConvTranspose2d, Padding};
pub use critic::{LeakyCritic, gradient_penalty, mix_rows};
pub use dropout::Dropout;
pub use gradients::Gradients;
pub use heads::{Activation, Span, SpanHeads};
pub use image_norm::ImageNorm;
pub use images::{ImageConv, ImageDeconv, KernelThreads};
pub use initial::Initial;
pub use linear::Linear;
pub use lstm::{Lstm, LstmInitial, LstmState};
pub use minibatch::{MinibatchDiscrimination, closeness};
pub use optimiser::Optimiser;
pub use residual::Residual;
pub use segments::Segments;
pub use store::{Named, ParameterStore};

/// Whether a network learns or is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics (which also move the running ones) and dropout.
    Training,
    /// Running statistics, no dropout.
    Sampling,
}

/// Host values as a tensor of the given type.
///
/// # Errors
/// When shape and values disagree, or those of the device.
pub fn host_tensor(
    values: Vec<f32>,
    shape: impl Into<candle_core::Shape>,
    dtype: candle_core::DType,
    device: &candle_core::Device,
) -> candle_core::Result<candle_core::Tensor> {
    candle_core::Tensor::from_vec(values, shape, device)?.to_dtype(dtype)
}

/// The cells of a tensor on the host, row-major.
///
/// # Errors
/// Those of the device.
pub fn host_cells(tensor: &candle_core::Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()
}

/// The one value of a tensor on the host.
///
/// # Errors
/// When it has not exactly one, or those of the device.
pub fn scalar(tensor: &candle_core::Tensor) -> candle_core::Result<f64> {
    tensor.to_dtype(candle_core::DType::F64)?.to_scalar()
}
