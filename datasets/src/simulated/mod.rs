//! Tables made here, whose law is known: the truth that a generator should find.

mod asia;
mod bif;
mod clinic;
mod mixture;
mod network;

pub use clinic::{clinic, clinic_log_probability, clinic_risk};
pub use mixture::{Mixture, mixture};
pub use network::{Network, Node};
