use super::{code_error, counts};
use crate::column::{ColumnTransform, Parts, into_codes};
use meg_core::{Column, Error, MISSING, Result, Rng};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Levels with few training rows share one code; the code decodes to one of them, drawn with the
/// training frequencies.
///
/// Laws: levels with a code of their own come back exactly; a rare level comes back as a rare
/// level, and the frequencies of rare levels are kept in expectation. Kept levels are numbered from
/// 0 in their order, the group comes after them. A level that never occurs in training counts as
/// rare where there is a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRare {
    /// The level of each new code.
    kept: Vec<u32>,
    /// The levels of the group.
    rare: Vec<u32>,
    /// Training rows of the levels of the group, as running sums.
    sums: Vec<u64>,
}

impl GroupRare {
    /// Fits to codes: levels with fewer than `below` training rows share a code.
    pub fn fit(codes: &[u32], below: u64) -> Self {
        let counts = counts(codes);
        let seen = || (0..counts.len() as u32).filter(|&code| counts[code as usize] > 0);
        let is_rare = |code: &u32| counts[*code as usize] < below;
        let rare: Vec<u32> = seen().filter(is_rare).collect();
        let mut sum = 0;
        let sums = rare.iter().map(|&code| {
            sum += counts[code as usize];
            sum
        });
        Self { sums: sums.collect(), kept: seen().filter(|code| !is_rare(code)).collect(), rare }
    }

    /// Number of codes after grouping.
    pub fn levels(&self) -> usize {
        self.kept.len() + usize::from(!self.rare.is_empty())
    }

    fn draw(&self, rng: &mut Rng) -> u32 {
        let total = *self.sums.last().expect("a group has a level");
        let drawn = rng.random_range(0..total);
        self.rare[self.sums.partition_point(|&sum| sum <= drawn)]
    }
}

impl ColumnTransform for GroupRare {
    fn encode(&self, cells: Column, _rng: &mut Rng) -> Result<Parts> {
        let mut cells = into_codes(cells)?;
        let group = if self.rare.is_empty() { MISSING } else { self.kept.len() as u32 };
        let most = self.kept.iter().copied().max().map_or(0, |most| most as usize + 1);
        let mut codes = vec![group; most];
        for (new, &code) in self.kept.iter().enumerate() {
            codes[code as usize] = new as u32;
        }
        for (row, cell) in cells.iter_mut().enumerate() {
            if *cell == MISSING {
                continue;
            }
            let code = codes.get(*cell as usize).copied().unwrap_or(group);
            if code == MISSING {
                return Err(code_error(row, *cell, "it never occurs in the training rows"));
            }
            *cell = code;
        }
        Ok(Column::Codes(cells).into())
    }

    fn decode(&self, parts: Parts, rng: &mut Rng) -> Result<Column> {
        let mut cells = into_codes(parts.alone()?)?;
        for (row, cell) in cells.iter_mut().enumerate() {
            if *cell == MISSING {
                continue;
            }
            *cell = match self.kept.get(*cell as usize) {
                Some(&level) => level,
                None if (*cell as usize) < self.levels() => self.draw(rng),
                None => return Err(code_error(row, *cell, "there are fewer groups")),
            };
        }
        Ok(Column::Codes(cells))
    }

    fn check(&self) -> Result<()> {
        let mut all: Vec<u32> = self.kept.iter().chain(&self.rare).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        let sound = all.len() == count
            && all.last().is_none_or(|&most| most < 1 << 30)
            && self.sums.len() == self.rare.len()
            && self.sums.first().is_none_or(|&first| first > 0)
            && self.sums.windows(2).all(|pair| pair[0] < pair[1]);
        if sound { Ok(()) } else { Err(Error::Artifact("the groups of levels are damaged".into())) }
    }
}
