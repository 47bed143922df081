use super::{UnitCode, known};
use meg_core::{MISSING, Result, Rng};
use serde::{Deserialize, Serialize};

/// One unit per binary digit of the code: 17 units for 100 000 levels.
///
/// Law: comes back exactly. Units that spell a number beyond the last level are read as the
/// likeliest level, each unit taken for the probability of its digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryCode {
    levels: usize,
}

/// Probabilities are kept this far from 0 and 1, so that no logarithm is infinite.
const EDGE: f32 = 1e-6;

impl BinaryCode {
    /// For codes `0..levels`.
    pub fn new(levels: usize) -> Self {
        Self { levels }
    }

    /// Digits, the highest first; `free` are those below the digit `bit` of the largest code.
    fn free(units: &[f32], bit: usize) -> u32 {
        let width = units.len();
        (0..bit).filter(|&low| units[width - 1 - low] >= 0.5).map(|low| 1 << low).sum()
    }

    fn log_chance(units: &[f32], code: u32) -> f32 {
        let width = units.len();
        let digit = |bit: usize| {
            let chance = units[width - 1 - bit].clamp(EDGE, 1.0 - EDGE);
            if code >> bit & 1 == 1 { chance.ln() } else { (1.0 - chance).ln() }
        };
        (0..width).map(digit).sum()
    }
}

impl UnitCode for BinaryCode {
    fn levels(&self) -> usize {
        self.levels
    }

    fn width(&self) -> usize {
        let last = self.levels.saturating_sub(1) as u32;
        (u32::BITS - last.leading_zeros()) as usize
    }

    fn write(&self, code: u32, out: &mut [f32], _rng: &mut Rng) -> Result<()> {
        known(code, self.levels)?;
        let width = self.width();
        for (at, unit) in out.iter_mut().enumerate() {
            *unit = (code >> (width - 1 - at) & 1) as f32;
        }
        Ok(())
    }

    fn read(&self, units: &[f32]) -> u32 {
        if self.levels == 0 {
            return MISSING;
        }
        let width = self.width();
        let spelt = Self::free(units, width);
        if (spelt as usize) < self.levels {
            return spelt;
        }
        // The likeliest code up to `last` shares its digits with `last` down to one that is 1
        // there and 0 here; all digits below are free.
        let last = self.levels as u32 - 1;
        let mut best = last;
        for bit in (0..width).filter(|bit| last >> bit & 1 == 1) {
            let code = (last >> (bit + 1) << (bit + 1)) | Self::free(units, bit);
            if Self::log_chance(units, code) > Self::log_chance(units, best) {
                best = code;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_code_is_found_among_those_there_are() {
        // By trial of all codes, for units that spell numbers beyond the last one.
        for levels in [3usize, 5, 6, 11, 100] {
            let code = BinaryCode::new(levels);
            for case in 0..200u32 {
                let unit = |at: usize| {
                    let mixed = (case + 1).wrapping_mul(2_654_435_761) >> (3 * at as u32 % 20);
                    (mixed % 97) as f32 / 97.0
                };
                let units: Vec<f32> = (0..code.width()).map(unit).collect();
                let chance = |level: u32| BinaryCode::log_chance(&units, level);
                let most = (0..levels as u32).map(chance).fold(f32::NEG_INFINITY, f32::max);
                let read = code.read(&units);
                assert!((read as usize) < levels);
                assert!(chance(read) >= most - 1e-4, "{levels} {case}: {read}");
            }
        }
    }
}
