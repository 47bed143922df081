use super::{UnitCode, argmax, known};
use meg_core::{Error, MISSING, Result, Rng};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A few hashes of the code, each one-hot over its buckets: 3 hashes of 64 buckets tell 100 000
/// levels apart with 192 units, without the order that [`super::BinaryCode`] puts between levels.
///
/// Law: comes back exactly, because a salt is chosen under which no two levels agree in all
/// buckets. Buckets that no level has together are read as the likeliest level, each hash's units
/// taken for probabilities; that reads through all levels, so it is slow for many of them. There are
/// at most a million levels (2^20): the few bytes of a damaged file cannot ask for more memory than
/// the table of that many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct HashedCode {
    written: Written,
    /// The level of each tuple of buckets.
    known: HashMap<u64, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    levels: usize,
    hashes: usize,
    buckets: usize,
    salt: u64,
}

/// Salts that are tried before the levels count as too many.
const SALTS: u64 = 200;
/// Levels, at most.
const LEVELS: usize = 1 << 20;

impl HashedCode {
    /// For codes `0..levels`.
    ///
    /// # Errors
    /// A recipe error when hashes or buckets are out of range (1 to 8 hashes of 2 to 256 buckets),
    /// or too few to tell so many levels apart, or when there are more than 2^20 levels.
    pub fn new(levels: usize, hashes: usize, buckets: usize) -> Result<Self> {
        if !(1..=8).contains(&hashes) || !(2..=256).contains(&buckets) {
            let problem = format!(
                "should be 1 to 8 hashes of 2 to 256 buckets, but are {hashes} of {buckets}"
            );
            return Err(Error::Recipe { key: "hashes".into(), problem });
        }
        if levels > LEVELS {
            let problem =
                format!("should be at most {LEVELS}, but are {levels}; group rare levels");
            return Err(Error::Recipe { key: "levels".into(), problem });
        }
        let salts = (0..SALTS).map(|salt| Written { levels, hashes, buckets, salt });
        match salts.filter_map(|written| Self::try_from(written).ok()).next() {
            Some(code) => Ok(code),
            None => {
                let problem = format!(
                    "{hashes} hashes of {buckets} buckets cannot tell {levels} levels apart; take more of either"
                );
                Err(Error::Recipe { key: "buckets".into(), problem })
            }
        }
    }

    /// Buckets of a code, one per hash.
    fn buckets(&self, code: u32) -> impl Iterator<Item = usize> {
        let written = self.written;
        (0..written.hashes).map(move |hash| written.bucket(code, hash))
    }

    fn likeliest(&self, units: &[f32]) -> u32 {
        let log = |at: usize| units[at].max(1e-9).ln();
        let chance = |code: u32| -> f32 {
            self.buckets(code)
                .enumerate()
                .map(|(hash, bucket)| log(hash * self.written.buckets + bucket))
                .sum()
        };
        let mut best = (MISSING, f32::NEG_INFINITY);
        for code in 0..self.written.levels as u32 {
            let chance = chance(code);
            if chance > best.1 {
                best = (code, chance);
            }
        }
        best.0
    }
}

impl Written {
    fn bucket(&self, code: u32, hash: usize) -> usize {
        // Steps of splitmix64 (Steele, Lea and Flood 2014): each bit of code, hash and salt
        // reaches all others.
        let mut mixed = (u64::from(code) << 8 | hash as u64)
            .wrapping_add(self.salt.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % self.buckets as u64) as usize
    }

    /// Whether there are at least as many tuples of buckets as levels.
    fn has_room(&self) -> bool {
        let tuples = self.buckets.checked_pow(self.hashes as u32);
        tuples.is_none_or(|tuples| tuples >= self.levels)
    }

    /// All buckets of a code as one number: at most 8 bytes.
    fn key(buckets: impl Iterator<Item = usize>) -> u64 {
        buckets.fold(0, |key, bucket| key << 8 | bucket as u64)
    }
}

impl TryFrom<Written> for HashedCode {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let in_range = (1..=8).contains(&written.hashes) && (2..=256).contains(&written.buckets);
        if !in_range || written.levels > LEVELS || !written.has_room() {
            return Err("the hashed code is damaged".into());
        }
        let mut known = HashMap::new();
        for code in 0..written.levels as u32 {
            let buckets = (0..written.hashes).map(|hash| written.bucket(code, hash));
            if known.insert(Written::key(buckets), code).is_some() {
                return Err("two levels have the same buckets".into());
            }
        }
        Ok(Self { written, known })
    }
}

impl From<HashedCode> for Written {
    fn from(code: HashedCode) -> Self {
        code.written
    }
}

impl UnitCode for HashedCode {
    fn levels(&self) -> usize {
        self.written.levels
    }

    fn width(&self) -> usize {
        self.written.hashes * self.written.buckets
    }

    fn write(&self, code: u32, out: &mut [f32], _rng: &mut Rng) -> Result<()> {
        known(code, self.written.levels)?;
        out.fill(0.0);
        for (hash, bucket) in self.buckets(code).enumerate() {
            out[hash * self.written.buckets + bucket] = 1.0;
        }
        Ok(())
    }

    fn read(&self, units: &[f32]) -> u32 {
        let tops = units.chunks(self.written.buckets).map(argmax);
        match self.known.get(&Written::key(tops)) {
            Some(&code) => code,
            None => self.likeliest(units),
        }
    }
}
