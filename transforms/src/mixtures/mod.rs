//! The mixtures of TGAN and, as a column transform, of CTGAN.

mod em;
mod mode_places;
mod soft_modes;

pub use em::EmMixture;
pub use mode_places::ModePlaces;
pub use soft_modes::SoftModes;
