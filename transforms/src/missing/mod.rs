//! Missing cells: filled with a companion that says so, and columns that only repeat what is
//! missing.

mod indicator;
mod mirror;
mod mirrored;

pub use indicator::{Fill, NullIndicator};
pub use mirror::{MirrorFlag, MirrorFlags};
pub use mirrored::{Mirrored, load as load_mirrored};
