#![doc = include_str!("../README.md")]

mod copy;
mod independent;
mod marginal;
mod uniform;

pub use copy::Copy;
pub use independent::Independent;
pub use uniform::Uniform;

use meg_core::ModelEntry;

/// The training rows themselves.
pub const COPY: ModelEntry = ModelEntry::new::<Copy>("copy", "yardstick", copy::load);
/// The training columns, shuffled separately.
pub const INDEPENDENT: ModelEntry =
    ModelEntry::new::<Independent>("independent", "yardstick", independent::load);
/// Uniform noise within the range of every column.
pub const UNIFORM: ModelEntry = ModelEntry::new::<Uniform>("uniform", "yardstick", uniform::load);
