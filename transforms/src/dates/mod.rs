//! Moments as text, as one number and as parts. Text is parsed and printed by [`meg_core::datetime`]
//! in the column's own format.

mod number;
mod parts;
mod text;

pub use number::{DateNumber, DateUnit};
pub use parts::DateParts;
pub use text::DateText;
