//! All columns together.

mod curves;
mod manifold;
mod mixed;
mod pca;
mod projection;
mod sliced;

pub(crate) use manifold::Manifold;
pub(crate) use pca::Components;
pub use projection::{Projection, projection};
pub(crate) use sliced::SlicedWasserstein;
