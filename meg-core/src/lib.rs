//! The vocabulary that every generator of synthetic tables here shares.
//!
//! A [`Schema`] says what a table may hold, a [`Table`] always obeys its schema, a [`Seed`] is the
//! only source of randomness, a [`Synthesizer`] is a recipe that turns training rows into a
//! [`Fitted`] model, an [`Artifact`] is that model as plain data, and an [`Observer`] hears what
//! happens meanwhile. The crate does no input or output, reads no clock and never prints.

mod artifact;
mod checkpoint;
mod chunks;
mod conditions;
pub mod conformance;
mod constraint;
pub mod datetime;
mod error;
mod instructions;
mod masks;
mod model;
mod names;
mod observer;
pub mod parallel;
mod recipe;
mod schema;
mod seed;
mod sheet;
mod table;
mod tensors;

pub use artifact::Artifact;
pub use checkpoint::{Checkpoint, Identity, TrainingState};
pub use chunks::Chunks;
pub use conditions::{Condition, ConditionValue, Rejection, SampleRequest, sample_by_rejection};
pub use constraint::{Bound, Constraint};
pub use error::{DataError, Error, ErrorKind, Result};
pub use instructions::Instructions;
pub use masks::{GeneratorMask, Masks};
pub use model::{
    CheckpointSink, Device, FitContext, Fitted, Kernels, ModelEntry, SampleContext, Synthesizer,
    Variant, cannot_go_on,
};
pub use names::{nearest, nearest_few};
pub use observer::{Control, Event, Observer, Phase, Silent};
pub use recipe::{Recipe, Setting, Settings, out_of_range};
pub use schema::{ColumnKind, ColumnSpec, Role, Schema, round_to};
pub use seed::{Rng, Seed, StreamPosition};
pub use sheet::Sheet;
pub use table::{Column, MISSING, Table};
pub use tensors::Tensor;

#[doc(hidden)]
pub use serde;
