//! All columns together.

mod curves;
mod manifold;
mod mixed;
mod pca;
mod sliced;

pub(crate) use manifold::Manifold;
pub(crate) use pca::Components;
pub(crate) use sliced::SlicedWasserstein;
