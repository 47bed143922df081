//! How near the synthetic table comes to the law of the real one: columns, then pairs.

mod contingency;
mod correlation;
mod ks;
mod missing;
mod shape;
mod trend;
mod tv;

pub(crate) use missing::MissingSimilarity;
pub(crate) use shape::Shape;
pub(crate) use trend::Trend;
