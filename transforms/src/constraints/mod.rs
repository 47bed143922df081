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
//! Law: `restore(rewrite(t)) = t`, exactly where a column has decimals or is a date, and to a
//! relative 1e-12 where its precision is open; and every restored table obeys its constraints,
//! after rounding too. Where the parts of a total sum to a tie of its decimals, the total may come
//! back rounded to the other side. What the bounds of one column ask of another passes through
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

mod layout;
mod model;
mod pieces;
mod restore;
mod room;

pub use layout::{Facts, Rewriting};
pub use model::{Constrained, load};
pub use restore::Restored;
