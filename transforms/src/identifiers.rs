use meg_core::{Column, Rng};
use rand::Rng as _;

/// Fresh unique values for an identifier column: its name and 16 random hexadecimal digits.
/// They are drawn without a look at the training values, so that none can be a copy.
pub fn fresh_identifiers(name: &str, rows: usize, rng: &mut Rng) -> Column {
    Column::Texts((0..rows).map(|_| Some(format!("{name}-{:016x}", rng.random::<u64>()))).collect())
}
