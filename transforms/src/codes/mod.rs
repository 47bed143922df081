//! Codes of levels: into numbers, into fewer codes, and into units of a network.

mod missing_level;
mod ordinal;
mod rare;
mod units;

pub use missing_level::MissingLevel;
pub use ordinal::{LevelOrder, Ordinal};
pub use rare::GroupRare;
pub use units::{BinaryCode, HashedCode, OneHot, SmoothedOneHot, UnitCode};

use meg_core::{DataError, Error, MISSING};

/// A data error about one code; the row is zero-based here and one-based in the message.
fn code_error(row: usize, code: u32, problem: &str) -> Error {
    let value = if code == MISSING { "missing".to_owned() } else { format!("level {code}") };
    DataError::new(problem)
        .row(row as u64 + 1)
        .value(value)
        .advice("encode rows of the training table, or fit on a table in which the level occurs")
        .into()
}

/// How often each code occurs, by code; missing cells are left out.
fn counts(codes: &[u32]) -> Vec<u64> {
    let observed = || codes.iter().copied().filter(|&code| code != MISSING);
    let mut counts = vec![0; observed().max().map_or(0, |most| most as usize + 1)];
    observed().for_each(|code| counts[code as usize] += 1);
    counts
}
