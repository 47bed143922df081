//! Constraints kept by construction: a table is rewritten into columns that may hold anything, a
//! model learns and draws these, and restoring them gives rows in which every constraint holds.
//!
//! | constraint | what the model sees | restored as |
//! |---|---|---|
//! | positive | the natural logarithm | its exponential, at least the smallest positive value of the column's decimals |
//! | range | the column as it is | the nearest value within the range |
//! | order `low <= high` | `low`, and `high - low` in the place of `high` (days, say, for dates) | `low` plus the difference, which counts as 0 where it is negative |
//! | combinations | one category, whose levels are the combinations of the training rows | its cells |
//! | sum | the parts | the total is their sum, rounded to its decimals |
//!
//! Law: every restored table obeys its constraints, after rounding too, and `restore(rewrite(t)) = t`
//!
//! - exactly for columns that are kept as they are, for dates, and for positive or high columns with
//!   decimals as long as they and the low cells of their row are below 10^13 units of their last
//!   decimal (10^11 with two decimals);
//! - otherwise for positive columns, that is with open precision or beyond, to a relative 1e-12: the
//!   logarithm of a large or a tiny number keeps three digits less than the number, and numbers below
//!   1e-300 may lose more;
//! - otherwise for high columns to 1e-12 of the largest of the cells that orders link in that row, not
//!   of the cell itself: beside a low cell of -1e20 nothing is left of a high cell of 1, because the
//!   model learns their difference in double precision;
//! - for totals of open precision to the last digits of the largest part.
//!
//! Where the parts of a total sum to a tie of its decimals, the total may come back rounded to the
//! other side. What the bounds of one column ask of another passes through
//! orders row by row, where both cells are there, so that several constraints on one column hold
//! together.
//!
//! **Missing cells.** A constraint says nothing of a row in which one of its cells is missing. A
//! missing high cell is a missing difference. Where the low cell of an order, or a part of a sum,
//! can be missing while the high cell or the total is there, the model sees the latter in a column
//! of its own besides. A total that can be missing beside all of its parts has a flag. A missing
//! cell is a value like others in a combination.
//!
//! A saved model holds the combinations of the columns that are declared as such, which is what the
//! declaration asks for; nothing else of the training rows enters.

mod impute;
mod layout;
mod model;
mod pieces;
mod restore;
mod room;

pub use layout::{Facts, Rewriting};
pub use model::{Constrained, load};
pub use restore::Restored;
