//! How near the synthetic table comes to the law of the real one: columns, then pairs.

mod association;
mod columns;
mod contingency;
mod correlation;
mod coverage;
mod dependence;
mod divergence;
mod ks;
mod missing;
mod shape;
mod statistics;
mod trend;
mod tv;
mod wasserstein;

pub(crate) use columns::by_column;
pub(crate) use contingency::Classes;
pub(crate) use coverage::Coverage;
pub(crate) use dependence::Dependence;
pub(crate) use divergence::Divergences;
pub use divergence::chi_square_p;
pub(crate) use ks::unobserved;
pub(crate) use missing::MissingSimilarity;
pub(crate) use shape::Shape;
pub(crate) use statistics::Statistics;
pub(crate) use trend::Trend;
pub(crate) use wasserstein::{Wasserstein, half_distance};
