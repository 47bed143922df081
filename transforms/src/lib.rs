//! Reversible column transforms and the table encoder.
//!
//! Law of every transform: decoding what was encoded gives the value back, within the tolerance
//! that its documentation states.

pub mod constraints;
mod densities;
mod encoder;
mod identifiers;
mod kmeans;
pub mod masking;
mod mixture;
mod modes;

pub use encoder::{
    Activation, CategorySlot, DecodedRows, Encoded, EncoderOptions, Span, TableEncoder,
};
pub use identifiers::fresh_identifiers;
pub use mixture::VariationalMixture;
pub use modes::ModeNormalizer;
