//! Bins of a number column.

use crate::coding::Within;
use meg_core::{ColumnKind, ColumnSpec, Rng, datetime};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Closed ranges of numbers in ascending order that do not overlap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bins(Vec<(f64, f64)>);

/// Beyond so many steps the numbers of a bin are as good as continuous.
const MANY_STEPS: f64 = 1e15;

impl Bins {
    /// Bins of equal width between two numbers that the column can hold, at most `count` of them:
    /// fewer where the column has fewer values there.
    pub(crate) fn uniform(spec: &ColumnSpec, least: f64, most: f64, count: usize) -> Self {
        // Halves and products before differences: the width of a huge range is infinite.
        let edge = |at: usize| {
            let share = at as f64 / count as f64;
            if at == count { most } else { least * (1.0 - share) + most * share }
        };
        let mut bins = Vec::with_capacity(count);
        let Some(step) = step(spec) else {
            if least == most {
                return Self(vec![(least, most)]);
            }
            bins.extend((0..count).map(|at| (edge(at), edge(at + 1))));
            bins.retain(|(lower, upper)| lower < upper);
            return Self(bins);
        };
        // With a step the bins are the numbers that the column can hold, so that none belongs to
        // two bins and all numbers of a bin are equally likely.
        let mut next = least;
        for at in 1..=count {
            let upper = floor_to(spec, edge(at), step).min(most);
            if upper >= next {
                bins.push((next, upper));
                next = spec.snap(upper + step);
                if next <= upper {
                    // The step vanishes beside so large a number.
                    next = upper.next_up();
                }
            }
        }
        Self(bins)
    }

    /// [`Bins::uniform`] over the range of the cells.
    pub(crate) fn uniform_over(spec: &ColumnSpec, cells: &[f64], count: usize) -> Self {
        let present = || cells.iter().copied().filter(|cell| !cell.is_nan());
        let Some(least) = present().reduce(f64::min) else { return Self(Vec::new()) };
        let most = present().fold(least, f64::max);
        Self::uniform(spec, least, most, count)
    }

    /// Bins of about equally many cells, from the smallest to the largest value of each. A value
    /// as frequent as a bin stands alone, so that there may be up to twice as many bins.
    pub(crate) fn quantiles(cells: &[f64], count: usize) -> Self {
        let mut sorted: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let runs: Vec<&[f64]> = sorted.chunk_by(|a, b| a == b).collect();
        let full = if runs.len() <= count { 1 } else { sorted.len().div_ceil(count) };
        let mut bins: Vec<(f64, f64)> = Vec::new();
        let mut held = full;
        for run in runs {
            if held >= full || run.len() >= full {
                bins.push((run[0], run[0]));
                held = run.len();
            } else {
                bins.last_mut().expect("the first run opened a bin").1 = run[0];
                held += run.len();
            }
        }
        Self(bins)
    }

    /// Number of bins.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The bin of a number: the first that does not end before it; numbers above all belong to
    /// the last.
    pub(crate) fn place(&self, number: f64) -> usize {
        self.0.partition_point(|&(_, upper)| upper < number).min(self.0.len().saturating_sub(1))
    }

    /// Whether the number lies between the ends of the first and the last bin.
    pub(crate) fn covers(&self, number: f64) -> bool {
        match (self.0.first(), self.0.last()) {
            (Some(&(least, _)), Some(&(_, most))) => (least..=most).contains(&number),
            _ => false,
        }
    }

    /// A number of the bin.
    pub(crate) fn number(
        &self,
        spec: &ColumnSpec,
        bin: usize,
        within: Within,
        rng: &mut Rng,
    ) -> f64 {
        let (least, most) = self.0[bin];
        if least == most {
            return least;
        }
        if within == Within::Centre {
            return spec.snap(least / 2.0 + most / 2.0).clamp(least, most);
        }
        match step(spec).map(|step| (step, ((most - least) / step).round())) {
            Some((step, steps)) if steps < MANY_STEPS => {
                let drawn = rng.random_range(0..=steps as u64) as f64;
                spec.snap(least + step * drawn).clamp(least, most)
            }
            _ => {
                let share: f64 = rng.random();
                spec.snap(least * (1.0 - share) + most * share).clamp(least, most)
            }
        }
    }

    /// Whether bins read from a file are in order.
    pub(crate) fn is_sound(&self) -> bool {
        self.0.iter().all(|(least, most)| least.is_finite() && most.is_finite() && least <= most)
            && self.0.windows(2).all(|pair| pair[0].1 <= pair[1].0)
    }
}

/// The distance of neighbouring numbers of a column; none where the precision is open.
pub(crate) fn step(spec: &ColumnSpec) -> Option<f64> {
    match &spec.kind {
        ColumnKind::Number { decimals: Some(decimals) } => Some(10f64.powi(-i32::from(*decimals))),
        ColumnKind::Datetime { format } => Some(datetime::resolution(format)),
        _ => None,
    }
}

/// The largest number that the column can hold and that is not above.
fn floor_to(spec: &ColumnSpec, number: f64, step: f64) -> f64 {
    let snapped = spec.snap(number);
    if snapped > number { spec.snap(snapped - step) } else { snapped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn uniform_bins_of_whole_numbers_share_no_number() {
        let spec = ColumnSpec::number("n", 0);
        let bins = Bins::uniform(&spec, 0.0, 9.0, 3);
        assert_eq!(bins.0, [(0.0, 3.0), (4.0, 6.0), (7.0, 9.0)]);
        let few = Bins::uniform(&spec, 0.0, 2.0, 15);
        assert_eq!(few.0, [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]);
        assert_eq!(Bins::uniform(&spec, 5.0, 5.0, 15).0, [(5.0, 5.0)]);
    }

    #[test]
    fn every_training_number_lies_in_the_bin_of_its_place() {
        let (open, fine) = (ColumnSpec::number("x", None), ColumnSpec::number("x", 2));
        let cells: Vec<f64> = (0..500).map(|at| f64::from(at * at % 1_009) / 4.0 - 60.0).collect();
        for bins in [
            Bins::uniform_over(&open, &cells, 15),
            Bins::uniform_over(&fine, &cells, 15),
            Bins::quantiles(&cells, 15),
        ] {
            assert!(bins.is_sound() && (10..=30).contains(&bins.len()), "{bins:?}");
            for &cell in &cells {
                let (least, most) = bins.0[bins.place(cell)];
                assert!((least..=most).contains(&cell), "{cell} is not in {least}..={most}");
            }
        }
    }

    #[test]
    fn a_frequent_value_is_a_quantile_bin_of_its_own() {
        let mut cells = vec![0.0; 900];
        cells.extend((1..=100).map(f64::from));
        let bins = Bins::quantiles(&cells, 10);
        assert_eq!(bins.0[0], (0.0, 0.0));
        assert_eq!(bins.0[1], (1.0, 100.0));
        assert_eq!(Bins::quantiles(&[3.0, 1.0, 3.0], 10).0, [(1.0, 1.0), (3.0, 3.0)]);
    }

    #[test]
    fn numbers_of_a_bin_are_drawn_evenly_and_can_be_held() {
        let spec = ColumnSpec::number("n", 1);
        let bins = Bins(vec![(0.0, 0.3), (0.4, 9.0)]);
        let mut rng = Seed(1).stream("bins");
        let mut counts = [0; 4];
        for _ in 0..8_000 {
            let drawn = bins.number(&spec, 0, Within::Uniform, &mut rng);
            assert_eq!(spec.snap(drawn), drawn);
            counts[(drawn * 10.0).round() as usize] += 1;
        }
        // 2 000 of each are expected, with a standard error of 39.
        assert!(counts.iter().all(|count| (1_883..=2_117).contains(count)), "{counts:?}");
        assert_eq!(bins.number(&spec, 1, Within::Centre, &mut rng), 4.7);
    }

    #[test]
    fn huge_and_tiny_ranges_have_sound_bins() {
        for (spec, least, most) in [
            (ColumnSpec::number("x", None), -f64::MAX, f64::MAX),
            (ColumnSpec::number("x", None), 1.0, 1.0 + f64::EPSILON),
            (ColumnSpec::number("x", 0), -1e300, 1e300),
            (ColumnSpec::number("x", 0), 1e17, 1e17 + 64.0),
        ] {
            let bins = Bins::uniform(&spec, least, most, 15);
            assert!(bins.len() > 0 && bins.is_sound(), "{bins:?}");
            assert_eq!((bins.0[0].0, bins.0[bins.len() - 1].1), (least, most));
            let mut rng = Seed(1).stream("bins");
            for bin in 0..bins.len() {
                let drawn = bins.number(&spec, bin, Within::Uniform, &mut rng);
                assert!(bins.covers(drawn), "{drawn}");
            }
        }
    }
}
