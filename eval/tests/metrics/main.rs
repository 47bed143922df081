//! All metrics on tables whose answers are known.

mod common;
mod golden;
