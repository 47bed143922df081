//! The benchmark harness: which models there are, what a run consists of, how one cell of it is
//! computed in a process of its own, how results are kept and how they are reported.
//!
//! The story of a run reads in this order: [`plan`] (what the user wrote), [`resolve`] (what it
//! means), [`cell`] (one dataset x model x seed), [`child`] (a cell behind a process wall), [`run`]
//! (all of them), [`store`] (the folder of results), [`report`] (tables for people and programs).
//! Nothing here prints or ends the process; only the binary's `cli` modules do.

pub mod beside;
pub mod cell;
pub mod checkpoint;
pub mod child;
pub mod common_schema;
pub mod curves;
pub mod details;
pub mod files;
pub mod judged;
pub mod leaks;
pub mod machine;
pub mod memory;
pub mod message;
pub mod plan;
pub mod published;
pub mod record;
pub mod registry;
pub mod report;
pub mod resolve;
pub mod run;
pub mod store;
pub mod truth;
pub mod twin;
pub mod units;

use meg_core::ModelEntry;

/// All models, in report order: the yardsticks first. A new model is one line here.
pub const MODELS: &[ModelEntry] = &[
    reference::COPY,
    reference::HOLDOUT,
    reference::SMOTE,
    reference::INDEPENDENT,
    reference::UNIFORM,
    bayes_net::CHOW_LIU,
    bayes_net::KDB,
    bayes_net::PRIV_BAYES,
    ctgan::ENTRY,
    tvae::ENTRY,
    table_gan::ENTRY,
    tgan::ENTRY,
    vanilla_gan::ENTRY,
    meg::ENTRY,
    meg::MUG,
    meg::CLASSIC,
];

/// Version of this crate, part of every cell's key: other code may give other values.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
