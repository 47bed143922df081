//! What differs under differential privacy: ranges, structure and counts are all drawn by
//! mechanisms that are charged to one budget.
//!
//! Two tables are neighbours when they have the same number of rows and differ in one of them. The
//! schema, the number of rows and the settings are public.

mod budget;
mod counts;
mod greedy;
mod mechanism;
mod ranges;

pub(crate) use budget::{Budget, Guarantee};
pub(crate) use counts::noisy;
pub(crate) use greedy::{Limits, greedy};
pub(crate) use ranges::{coders, undeclared};

#[cfg(test)]
mod guarantee_tests;
