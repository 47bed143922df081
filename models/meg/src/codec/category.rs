use meg_core::{ColumnKind, ColumnSpec, MISSING};
use serde::{Deserialize, Serialize};

/// A category column: a code for each frequent level, one for all rare levels together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CategoryCodec {
    /// The level of each code, in rising order; [`MISSING`] stands for missing cells.
    levels: Vec<u32>,
    /// The levels behind the last code, in rising order.
    rare: Vec<u32>,
    /// Training rows of each rare level.
    rare_counts: Vec<u64>,
}

impl CategoryCodec {
    /// Levels beyond the `most` most frequent share a code, and so do those of fewer than `least`
    /// rows, with as many of the next rarest as it takes to have `least` rows together. Levels that
    /// no training row has get no code.
    pub(crate) fn fit(spec: &ColumnSpec, column: &[u32], most: usize, least: usize) -> Self {
        let mut counts = vec![0u64; spec.levels().len() + 1];
        let missing = spec.levels().len();
        for &code in column {
            counts[if code == MISSING { missing } else { code as usize }] += 1;
        }
        let mut seen: Vec<usize> = (0..counts.len()).filter(|&at| counts[at] > 0).collect();
        // Missing cells keep a code of their own, however few.
        seen.sort_by_key(|&at| (at != missing, std::cmp::Reverse(counts[at]), at));
        let least = least as u64;
        let frequent = seen.partition_point(|&at| at == missing || counts[at] >= least);
        let mut kept = if seen.len() > most { frequent.min(most - 1) } else { frequent };
        let first = usize::from(seen.first() == Some(&missing));
        let behind = |kept: usize| seen[kept..].iter().map(|&at| counts[at]).sum::<u64>();
        while (1..least).contains(&behind(kept)) && kept > first {
            kept -= 1;
        }
        let mut rare = seen.split_off(kept);
        seen.sort_unstable();
        rare.sort_unstable();
        let level = |&at: &usize| if at == missing { MISSING } else { at as u32 };
        Self {
            levels: seen.iter().map(level).collect(),
            rare_counts: rare.iter().map(|&at| counts[at]).collect(),
            rare: rare.iter().map(level).collect(),
        }
    }

    /// Number of codes.
    pub(crate) fn size(&self) -> usize {
        self.levels.len() + usize::from(!self.rare.is_empty())
    }

    /// The code of a level; `None` for one that no training row has.
    pub(crate) fn encode(&self, level: u32) -> Option<usize> {
        let rare = || self.rare.binary_search(&level).ok().map(|_| self.levels.len());
        self.levels.binary_search(&level).ok().or_else(rare)
    }

    /// The code of missing cells, where there are any.
    pub(crate) fn missing_code(&self) -> Option<usize> {
        self.levels.binary_search(&MISSING).ok()
    }

    /// The level at a place in [0, 1) among those of this code: rare levels by their training
    /// counts. A level with a code of its own needs no place.
    pub(crate) fn cell(&self, code: usize, place: impl FnOnce() -> f64) -> u32 {
        if let Some(&level) = self.levels.get(code) {
            return level;
        }
        let sum: u64 = self.rare_counts.iter().sum();
        // Rounding could reach the sum itself.
        let mut rest = ((place() * sum as f64) as u64).min(sum - 1);
        for (&level, &count) in self.rare.iter().zip(&self.rare_counts) {
            if rest < count {
                return level;
            }
            rest -= count;
        }
        unreachable!("the draw lies below the sum of the counts")
    }

    /// Logarithm of the share of a level within its code.
    pub(crate) fn log_share(&self, level: u32) -> f64 {
        match self.rare.binary_search(&level) {
            Ok(at) => {
                let sum: u64 = self.rare_counts.iter().sum();
                (self.rare_counts[at] as f64 / sum as f64).ln()
            }
            Err(_) => 0.0,
        }
    }

    /// The place of each code between the first (0) and the last (1) level of an ordered category;
    /// `None` for missing, for rare levels, and for a category without order.
    pub(crate) fn ranks(&self, spec: &ColumnSpec) -> Vec<Option<f32>> {
        let ordered = matches!(spec.kind, ColumnKind::Category { ordered: true, .. });
        let last = spec.levels().len().saturating_sub(1).max(1) as f32;
        let place = |&level: &u32| (ordered && level != MISSING).then_some(level as f32 / last);
        let mut ranks: Vec<_> = self.levels.iter().map(place).collect();
        ranks.resize(self.size(), None);
        ranks
    }

    /// Whether a codec read from a file can be used.
    pub(crate) fn is_sound(&self, spec: &ColumnSpec) -> bool {
        let rising = |levels: &[u32]| levels.windows(2).all(|pair| pair[0] < pair[1]);
        let known = |level: &u32| {
            if *level == MISSING { spec.nullable } else { (*level as usize) < spec.levels().len() }
        };
        let sum = self.rare_counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count));
        spec.is_category()
            && (1..=usize::from(u16::MAX)).contains(&self.size())
            && rising(&self.levels)
            && rising(&self.rare)
            && self.levels.iter().chain(&self.rare).all(known)
            && self.rare.iter().all(|level| self.levels.binary_search(level).is_err())
            && self.rare.len() == self.rare_counts.len()
            && !self.rare.contains(&MISSING)
            && self.rare_counts.iter().all(|&count| count > 0)
            && sum.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    #[test]
    fn rare_levels_share_a_code_and_return_by_their_counts() {
        let spec = ColumnSpec::category("c", ["a", "b", "c", "d", "never"]).nullable();
        let column = [[0u32; 50].as_slice(), &[MISSING; 30], &[1; 12], &[2; 3], &[3; 1]].concat();
        let codec = CategoryCodec::fit(&spec, &column, 3, 1);
        assert_eq!(codec.size(), 3);
        let codes: Vec<_> =
            [0, MISSING, 1, 2, 3, 4].iter().map(|&level| codec.encode(level)).collect();
        assert_eq!(codes, [Some(0), Some(1), Some(2), Some(2), Some(2), None]);
        let mut rng = Seed(1).stream("test");
        let drawn: Vec<u32> = (0..16_000).map(|_| codec.cell(2, || rng.random())).collect();
        for (level, share) in [(1, 12.0), (2, 3.0), (3, 1.0)] {
            let seen = drawn.iter().filter(|&&code| code == level).count() as f64 / 1_000.0;
            assert!((seen - share).abs() < 0.4, "level {level}: {seen} for {share}");
            assert!((codec.log_share(level).exp() - share / 16.0).abs() < 1e-12);
        }
        assert_eq!(codec.cell(1, || 0.5), MISSING);
        assert!(codec.is_sound(&spec));
    }

    #[test]
    fn levels_of_few_rows_are_drawn_together_or_not_at_all() {
        let spec = ColumnSpec::category("c", ["a", "b", "c", "d"]);
        let column = [[0u32; 50].as_slice(), &[1; 12], &[2; 3], &[3; 1]].concat();
        let codes = |least: usize| -> Vec<Option<usize>> {
            let codec = CategoryCodec::fit(&spec, &column, 256, least);
            assert!(codec.is_sound(&spec));
            (0..4).map(|level| codec.encode(level)).collect()
        };
        assert_eq!(codes(1), [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(codes(4), [Some(0), Some(1), Some(2), Some(2)]);
        // Four rows together are too few: the next rarest level joins them.
        assert_eq!(codes(5), [Some(0), Some(1), Some(1), Some(1)]);
        assert_eq!(codes(1_000), [Some(0); 4]);
    }

    #[test]
    fn only_ordered_levels_have_a_place() {
        let mut spec = ColumnSpec::category("c", ["low", "mid", "high"]);
        let codec = CategoryCodec::fit(&spec, &[0, 1, 2], 256, 1);
        assert_eq!(codec.ranks(&spec), [None; 3]);
        let levels = spec.levels().to_vec();
        spec.kind = ColumnKind::Category { levels, ordered: true };
        assert_eq!(codec.ranks(&spec), [Some(0.0), Some(0.5), Some(1.0)]);
    }
}
