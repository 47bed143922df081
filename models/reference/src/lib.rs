#![doc = include_str!("../README.md")]

mod copy;
mod holdout;
mod independent;
mod marginal;
mod neighbours;
mod smote;
mod uniform;

pub use copy::Copy;
pub use holdout::Holdout;
pub use independent::Independent;
pub use smote::Smote;
pub use uniform::Uniform;

use meg_core::ModelEntry;

/// The training rows themselves.
pub const COPY: ModelEntry = ModelEntry::new::<Copy>("copy", "yardstick", copy::load);
/// The training columns, shuffled separately.
pub const INDEPENDENT: ModelEntry =
    ModelEntry::new::<Independent>("independent", "yardstick", independent::load);
/// Uniform noise within the range of every column.
pub const UNIFORM: ModelEntry = ModelEntry::new::<Uniform>("uniform", "yardstick", uniform::load);
/// Real rows that no model saw. Its recipe cannot be fitted: the benchmark takes the rows itself.
pub const HOLDOUT: ModelEntry = ModelEntry::new::<Holdout>("holdout", "yardstick", holdout::load);
/// Points between neighbouring training rows.
pub const SMOTE: ModelEntry = ModelEntry::new::<Smote>(
    "smote",
    "yardstick, after Chawla et al. 2002, SMOTE, JAIR 16, 321-357",
    smote::load,
);
