//! Attacks on the rows that the generator learned from, each beside the same attack on rows that it
//! never saw. What an attack finds is a leak; what it does not find may be found by a better one.

mod density;
mod game;
mod inference;
mod linkability;
mod membership;
mod risk;
mod singling;

pub(crate) use inference::Inference;
pub(crate) use linkability::Linkability;
pub(crate) use membership::Membership;
pub(crate) use singling::SinglingOut;
