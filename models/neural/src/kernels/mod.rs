//! Loops over `f32` slices, compiled for AVX-512, AVX2 and the plain instruction set, and chosen
//! at run time. Every reduction runs in one fixed order, so that results do not depend on threads.

mod adam;
mod autoencoder;
mod batch_norm;
mod closeness;
mod critic;
mod gather;
mod heads;
mod images;
mod leaky_norm;
mod math;
mod perceptron;
mod product;
mod recurrent;

pub use adam::{AdamStep, adam};
pub use autoencoder::{LikelihoodSums, RowLikelihood, draw_latent, latent_backward};
pub use batch_norm::{
    BatchNorm, BatchStatistics, batch_norm_relu, batch_norm_relu_backward, batch_norm_relu_frozen,
};
pub use closeness::{closeness, closeness_backward};
pub use critic::{leaky_dropout, right_share, scale_by};
pub use gather::{
    add_column_squares, add_column_sums, add_rows, fill_rows, scatter_rows, transpose,
};
pub use heads::{HeadSpan, Heads};
pub use images::{ImageGeometry, convolve, convolve_back, weight_gradient};
pub use leaky_norm::{LeakyNorm, Moments};
pub use math::{gumbel_of_uniform, normals_of_uniforms};
pub use perceptron::{
    AdamWCells, AdamWStep, adamw, add_cells, add_squares, add_table_rows, relu, relu_dropout,
    relu_dropout_backward, softmax_rows, sum_rows_by_code,
};
pub use product::{Matrix, MatrixMut, multiply};
pub use recurrent::{
    lstm_cell, lstm_cell_backward, mix_states, mix_states_backward, softmax_rows_backward, tanh,
    tanh_backward,
};

/// Defines a function whose body is compiled three times. The copies agree to the bit: none may
/// fuse or reorder what the body says.
///
/// The body must be free of `unsafe`; the only unsafe step is calling the copy for an instruction
/// set after asking the processor for it.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            fn body($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
                fn avx512($($arg: $type),*) {
                    body($($arg),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) {
                    body($($arg),*);
                }
                // SAFETY: the processor was asked for exactly these features.
                match $crate::kernels::instructions() {
                    meg_core::Instructions::Avx512 => return unsafe { avx512($($arg),*) },
                    meg_core::Instructions::Avx2 => return unsafe { avx2($($arg),*) },
                    meg_core::Instructions::Portable => {}
                }
            }
            body($($arg),*);
        }
    };
}
pub(crate) use vectorised;

/// The copies to run: those for the instructions of this processor.
#[cfg(all(target_arch = "x86_64", not(test)))]
pub(crate) fn instructions() -> meg_core::Instructions {
    meg_core::Instructions::detected()
}

/// The same, unless a test asks for narrower ones.
#[cfg(all(target_arch = "x86_64", test))]
pub(crate) use copies::instructions;

#[cfg(all(target_arch = "x86_64", test))]
mod copies;
