//! Masking of sensitive columns: what must not leave the house is dropped, hidden, replaced or made
//! coarser before a table is shared or learned from.
//!
//! | method | what becomes of a cell |
//! |---|---|
//! | `drop` | it goes, with its column |
//! | `suppress` | it becomes missing |
//! | `hash` | the first hexadecimal digits of HMAC-SHA-256 (RFC 2104, FIPS 180-4) under a secret key |
//! | `keep_last` | all but its last characters are replaced; a text that is no longer is replaced whole |
//! | `generalise` | a bin, a decade, a year, a month, a prefix (none of a text that is no longer), or its group in a hierarchy |
//! | `noise` | a normal draw is added |
//! | `fake` | another text of the same shape, which is none of the real ones |
//!
//! Laws: a missing cell stays missing, and becomes missing only where it is suppressed or is no
//! longer than the prefix that would be kept of it; equal cells of a column get equal hashes and fakes (in all
//! columns of a rule with `shared = true`), different cells different ones, or masking fails; no
//! fake equals a text of any column that is dropped, suppressed, hashed, shortened or faked (numbers
//! and moments as they are written), nor contains one of at least four characters. The same table, rules, key and seed give the same
//! bytes.
//!
//! [`Report`] says what was changed and what is left to recognise people by: the sizes of the
//! groups that share all quasi-identifiers (k-anonymity, Sweeney 2002).

mod apply;
mod fake;
mod generalise;
mod groups;
mod hash;
mod hierarchy;
mod notes;
mod parse;
mod report;
mod rules;
mod texts;
mod width;

pub use apply::{Masked, Means};
pub use groups::Groups;
pub use hash::Key;
pub use hierarchy::Hierarchy;
pub use report::{ColumnReport, Report};
pub use rules::{Generalise, Links, Method, NoiseSize, Rule, Rules};
