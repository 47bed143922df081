//! All metrics on tables whose answers are known.

mod chance;
mod common;
mod detection;
mod edges;
mod golden;
mod laws;
mod likelihood;
mod order;
mod people;
mod robust;
mod selftest;
mod small_holdout;
mod threads;
mod utility;
