use meg_core::ColumnSpec;
use serde::{Deserialize, Serialize};

/// How finely numbers are divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberOptions {
    /// Bins of a column, at most.
    pub bins: usize,
    /// A column with at most so many distinct values has no bins at all.
    pub atoms: usize,
    /// Training rows behind every atom and bin, at least.
    pub least_rows: usize,
}

/// A number column as ordered cells: atoms (single values) and bins (ranges of values).
///
/// A bin knows a few of its quantiles and draws between them. No more values of the training rows
/// are kept than that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberCodec {
    /// In rising order. One number is an atom; more are the quantiles of a bin, equally spaced in
    /// probability, its ends included.
    cells: Vec<Vec<f64>>,
    /// Whether there is one more code, the last, for missing cells.
    missing: bool,
}

/// Rows behind each stretch between two kept quantiles, at least.
const ROWS_PER_STRETCH: usize = 5;
/// Stretches of a bin, at most.
const STRETCHES: usize = 4;
/// Rows per bin, at least.
const ROWS_PER_BIN: usize = 20;
/// Rows per value that make a column of few distinct values one of atoms alone, on average.
const ROWS_PER_ATOM: usize = 10;
/// Share of the rows that makes a value an atom among bins.
const HEAVY: f64 = 0.005;

impl NumberCodec {
    pub(crate) fn fit(spec: &ColumnSpec, column: &[f64], options: NumberOptions) -> Self {
        let mut sorted: Vec<f64> = column.iter().copied().filter(|cell| !cell.is_nan()).collect();
        let missing = sorted.len() < column.len();
        sorted.sort_unstable_by(f64::total_cmp);
        // One zero: -0.0 and 0.0 are the same value.
        sorted.iter_mut().for_each(|cell| *cell += 0.0);
        let distinct = sorted.chunk_by(|a, b| a == b).count();
        let few = distinct <= options.atoms && sorted.len() >= ROWS_PER_ATOM * distinct;
        let mut cells: Vec<Vec<f64>> = if few {
            sorted.chunk_by(|a, b| a == b).map(|run| vec![run[0]]).collect()
        } else {
            divide(&sorted, options, resolution(spec))
        };
        join_small(&mut cells, &sorted, options.least_rows, 0.5 * resolution(spec));
        Self { cells, missing }
    }

    /// Number of codes.
    pub(crate) fn size(&self) -> usize {
        self.cells.len() + usize::from(self.missing)
    }

    /// The code of a cell; NaN is missing. `None` when the value lies in no atom and in no bin, or
    /// when no training cell was missing.
    pub(crate) fn encode(&self, value: f64) -> Option<usize> {
        if value.is_nan() {
            return self.missing.then_some(self.cells.len());
        }
        let at = self.cells.partition_point(|cell| cell[cell.len() - 1] < value);
        let cell = self.cells.get(at)?;
        (cell[0] <= value).then_some(at)
    }

    /// The code of the atom or bin that is nearest to a value, the lower one of two; `None` for
    /// missing, and where no training cell had a value.
    pub(crate) fn nearest(&self, value: f64) -> Option<usize> {
        if value.is_nan() {
            return None;
        }
        let distance = |cell: &[f64]| (cell[0] - value).max(value - cell[cell.len() - 1]).max(0.0);
        // The first cell that does not end below the value, and the one before it.
        let at = self.cells.partition_point(|cell| cell[cell.len() - 1] < value);
        let near = at.saturating_sub(1)..(at + 1).min(self.cells.len());
        near.min_by(|&a, &b| distance(&self.cells[a]).total_cmp(&distance(&self.cells[b])))
    }

    /// The value at a place in [0, 1) among those of this code; an atom needs no place.
    pub(crate) fn cell(&self, spec: &ColumnSpec, code: usize, place: impl FnOnce() -> f64) -> f64 {
        let Some(cell) = self.cells.get(code) else { return f64::NAN };
        let stretches = cell.len() - 1;
        if stretches == 0 {
            return cell[0];
        }
        let place = place() * stretches as f64;
        let at = (place as usize).min(stretches - 1);
        let value = cell[at] + (place - at as f64) * (cell[at + 1] - cell[at]);
        // The ends of a bin lie half a step outside of its values; a tie must not leave the bin.
        let half = 0.5 * resolution(spec);
        let value = value.max(cell[0] + 0.5 * half).min(cell[stretches] - 0.5 * half);
        spec.snap(value)
    }

    /// Logarithm of the density of a value within its code: of the probability of the value where
    /// the column has a step (decimals, days), else per unit of the column. 0 for an atom.
    pub(crate) fn log_density(&self, spec: &ColumnSpec, code: usize, value: f64) -> f64 {
        let Some(cell) = self.cells.get(code) else { return 0.0 };
        let stretches = (cell.len() - 1) as f64;
        if stretches == 0.0 {
            return 0.0;
        }
        let half = 0.5 * resolution(spec);
        if half == 0.0 {
            let inside = |pair: &&[f64]| pair[0] <= value && value <= pair[1];
            // A stretch without width holds a repeated value: its density is taken over the
            // smallest difference that numbers of this size can have.
            let width = |pair: &[f64]| (pair[1] - pair[0]).max(value.abs().max(1e-300) * 1e-15);
            let sum: f64 = cell.windows(2).filter(inside).map(|pair| 1.0 / width(pair)).sum();
            return (sum / stretches).ln();
        }
        let below = |x: f64| -> f64 {
            let part = |pair: &[f64]| {
                let width = pair[1] - pair[0];
                if width > 0.0 {
                    ((x - pair[0]) / width).clamp(0.0, 1.0)
                } else {
                    f64::from(u8::from(x > pair[0]))
                }
            };
            cell.windows(2).map(part).sum::<f64>() / stretches
        };
        (below(value + half) - below(value - half)).max(f64::MIN_POSITIVE).ln()
    }

    /// The place of each code between the lowest (0) and the highest (1); `None` for missing.
    pub(crate) fn ranks(&self) -> Vec<Option<f32>> {
        let last = self.cells.len().saturating_sub(1).max(1) as f32;
        let ranks = (0..self.cells.len()).map(|at| Some(at as f32 / last));
        ranks.chain(self.missing.then_some(None)).collect()
    }

    /// Runs of neighbouring bins, as ranges of codes, without an atom between them and without a gap
    /// that is wider than the two bins on either side together: what lies beyond such a gap is
    /// another mode.
    pub(crate) fn bin_runs(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, cell) in self.cells.iter().enumerate() {
            if cell.len() > 1 {
                match runs.last_mut() {
                    Some(run) if run.end == at && !self.wide_gap(at) => run.end += 1,
                    _ => runs.push(at..at + 1),
                }
            }
        }
        runs
    }

    /// Whether the gap before this bin, which follows another one, is a wide one.
    fn wide_gap(&self, at: usize) -> bool {
        let low = |at: usize| self.cells[at][0];
        let high = |at: usize| self.cells[at][self.cells[at].len() - 1];
        let is_bin = |at: usize| self.cells.get(at).is_some_and(|cell| cell.len() > 1);
        let before = (at > 1 && is_bin(at - 2)).then(|| high(at - 1) - low(at - 2));
        let after = is_bin(at + 1).then(|| high(at + 1) - low(at));
        let extent = before.unwrap_or(0.0).max(after.unwrap_or(0.0));
        (before.is_some() || after.is_some()) && low(at) - high(at - 1) > extent
    }

    /// Number of bins.
    pub(crate) fn bins(&self) -> usize {
        self.cells.iter().filter(|cell| cell.len() > 1).count()
    }

    /// Whether a codec read from a file can be used.
    pub(crate) fn is_sound(&self, spec: &ColumnSpec) -> bool {
        let numbers = || self.cells.iter().flatten();
        spec.is_numeric()
            && (1..=usize::from(u16::MAX)).contains(&self.size())
            && (!self.missing || spec.nullable)
            && self.cells.iter().all(|cell| !cell.is_empty() && cell.len() <= STRETCHES + 1)
            && self.cells.iter().all(|cell| cell.len() > 1 || spec.holds(cell[0]))
            && numbers().all(|number| number.is_finite())
            && numbers().zip(numbers().skip(1)).all(|(low, high)| rises(*low, *high))
    }
}

/// Whether edges rise, up to the last bit: where two bins meet, half a step above the one value and
/// half a step below the next are computed apart (19.6 + 0.05, 19.7 - 0.05).
fn rises(low: f64, high: f64) -> bool {
    low <= high || low - high <= 1e-12 * low.abs().max(high.abs())
}

/// The smallest difference between two cells of this column; 0 where there is none.
fn resolution(spec: &ColumnSpec) -> f64 {
    spec.step().unwrap_or(0.0)
}

/// Atoms for heavy values, bins of about equal count for the stretches between them.
fn divide(sorted: &[f64], options: NumberOptions, resolution: f64) -> Vec<Vec<f64>> {
    let rows = sorted.len();
    let bins = options.bins.min(rows / ROWS_PER_BIN.max(options.least_rows)).max(1);
    let per_bin = rows as f64 / bins as f64;
    let heavy = per_bin.max(HEAVY * rows as f64);
    let mut cells = Vec::new();
    // The first row of the stretch since the last atom, and the first row after it.
    let (mut start, mut at) = (0, 0);
    for run in sorted.chunk_by(|a, b| a == b) {
        if run.len() as f64 >= heavy {
            bins_of(&sorted[start..at], per_bin, resolution, &mut cells);
            cells.push(vec![run[0]]);
            start = at + run.len();
        }
        at += run.len();
    }
    bins_of(&sorted[start..], per_bin, resolution, &mut cells);
    cells
}

/// Joins each cell with too few rows to its smaller neighbour: a bin over both, without inner
/// quantiles.
fn join_small(cells: &mut Vec<Vec<f64>>, sorted: &[f64], least: usize, half: f64) {
    if least <= 1 {
        return;
    }
    let below = |edge: f64| sorted.partition_point(|&value| value < edge);
    let up_to = |edge: f64| sorted.partition_point(|&value| value <= edge);
    let rows = |cell: &[f64]| up_to(cell[cell.len() - 1]) - below(cell[0]);
    let edges = |cell: &[f64]| match cell {
        [value] => (value - half, value + half),
        _ => (cell[0], cell[cell.len() - 1]),
    };
    let mut counts: Vec<usize> = cells.iter().map(|cell| rows(cell)).collect();
    while let Some(at) = counts.iter().position(|&count| count < least)
        && cells.len() > 1
    {
        let neighbour = |next: usize| counts.get(next).copied().unwrap_or(usize::MAX);
        let left = at.checked_sub(1).map_or(usize::MAX, neighbour);
        let first = if left <= neighbour(at + 1) { at - 1 } else { at };
        let (low, high) = (edges(&cells[first]).0, edges(&cells[first + 1]).1);
        cells[first] = vec![low, high];
        cells.remove(first + 1);
        counts[first] += counts.remove(first + 1);
    }
    // Inner quantiles tell of rows too.
    let few = |cell: &Vec<f64>| cell.len() > 2 && rows(cell) < least * (cell.len() - 1);
    for cell in cells.iter_mut().filter(|cell| few(cell)) {
        *cell = vec![cell[0], cell[cell.len() - 1]];
    }
}

/// Cuts a stretch where a gap is wider than the two bins' worth of rows on either side of it, so
/// that no bin spans the void between two modes, and each part into bins.
fn bins_of(stretch: &[f64], per_bin: f64, resolution: f64, cells: &mut Vec<Vec<f64>>) {
    let window = (2.0 * per_bin).ceil() as usize;
    let mut start = 0;
    for at in window..stretch.len().saturating_sub(window) {
        let gap = stretch[at] - stretch[at - 1];
        let before = stretch[at - 1] - stretch[at - window];
        let after = stretch[at - 1 + window] - stretch[at];
        if gap > before.max(after) && at - start >= window {
            bins_of_part(&stretch[start..at], per_bin, resolution, cells);
            start = at;
        }
    }
    bins_of_part(&stretch[start..], per_bin, resolution, cells);
}

/// Cuts a part of a stretch into bins of at least `per_bin` rows; equal values stay together, and a rest of
/// less than half a bin joins the last one.
fn bins_of_part(stretch: &[f64], per_bin: f64, resolution: f64, cells: &mut Vec<Vec<f64>>) {
    let mut ends = Vec::new();
    let (mut start, mut at) = (0, 0);
    for run in stretch.chunk_by(|a, b| a == b) {
        at += run.len();
        if (at - start) as f64 >= per_bin {
            ends.push(at);
            start = at;
        }
    }
    if start < at {
        if ((at - start) as f64) < 0.5 * per_bin {
            ends.pop();
        }
        ends.push(at);
    }
    let half = 0.5 * resolution;
    let bins: Vec<&[f64]> = ends
        .iter()
        .scan(0, |start, &end| Some(&stretch[std::mem::replace(start, end)..end]))
        .collect();
    let mut low = stretch.first().map_or(0.0, |lowest| lowest - half);
    for (at, bin) in bins.iter().enumerate() {
        let (high, next) = match bins.get(at + 1) {
            Some(next) => edges(bin, next, resolution),
            None => (bin[bin.len() - 1] + half, 0.0),
        };
        cells.push(quantiles(bin, low, high));
        low = next;
    }
}

/// Where a bin ends and the next one begins, half a step away from every value that the column can
/// hold. Bins that are wider than the gap between them meet in its middle, so that a new value
/// there has a bin; others hold a few repeated values and keep to them.
fn edges(bin: &[f64], next: &[f64], resolution: f64) -> (f64, f64) {
    let (low, high) = (bin[bin.len() - 1], next[0]);
    let gap = high - low;
    if gap > low - bin[0] || gap > next[next.len() - 1] - high {
        return (low + 0.5 * resolution, high - 0.5 * resolution);
    }
    let middle = if resolution == 0.0 {
        low + 0.5 * gap
    } else {
        let free = (gap / resolution).round() - 1.0;
        low + resolution * ((0.5 * free).floor() + 0.5)
    };
    (middle, middle)
}

fn quantiles(values: &[f64], low: f64, high: f64) -> Vec<f64> {
    let stretches = (values.len() / ROWS_PER_STRETCH).clamp(1, STRETCHES);
    let inner = (1..stretches).map(|part| {
        let at = part * values.len() / stretches;
        0.5 * (values[at - 1] + values[at])
    });
    std::iter::once(low).chain(inner).chain(std::iter::once(high)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    const OPTIONS: NumberOptions = NumberOptions { bins: 256, atoms: 128, least_rows: 1 };

    fn spread(rows: usize) -> Vec<f64> {
        (0..rows).map(|row| ((row * 7919) % rows) as f64 / 8.0).collect()
    }

    #[test]
    fn few_values_are_atoms_and_come_back_as_they_were() {
        let spec = ColumnSpec::number("x", 1).nullable();
        let column: Vec<f64> =
            (0..400).map(|row| if row % 7 == 0 { f64::NAN } else { f64::from(row % 4) }).collect();
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        assert_eq!((codec.size(), codec.bins()), (5, 0));
        let mut rng = Seed(1).stream("test");
        for &cell in &column {
            let back = codec.cell(&spec, codec.encode(cell).unwrap(), || rng.random());
            assert!(back == cell || (back.is_nan() && cell.is_nan()));
        }
        assert_eq!(codec.encode(0.5), None);
    }

    /// Such a codec was saved and refused when it was read again.
    #[test]
    fn edges_that_miss_each_other_by_the_last_bit_are_sound() {
        let spec = ColumnSpec::number("x", 1);
        let column: Vec<f64> =
            (0..10_000).map(|row| f64::from(150 + (row * 7_919) % 220) / 10.0).collect();
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        let edges: Vec<f64> = codec.cells.iter().flatten().copied().collect();
        assert!(edges.windows(2).any(|pair| pair[0] > pair[1]), "no edge is off: no test");
        assert!(codec.is_sound(&spec));
    }

    #[test]
    fn heavy_values_split_the_bins_and_every_cell_returns_to_its_code() {
        let spec = ColumnSpec::number("x", None);
        let mut column = spread(10_000);
        column.iter_mut().step_by(5).for_each(|cell| *cell = 600.0);
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        assert!(codec.cells.contains(&vec![600.0]) && codec.bins() > 180, "{}", codec.bins());
        let runs = codec.bin_runs();
        assert_eq!(runs.len(), 2);
        let atom = codec.encode(600.0).unwrap();
        assert!(runs[0].end == atom && runs[1].start == atom + 1);
        let mut rng = Seed(1).stream("test");
        for &cell in &column {
            let code = codec.encode(cell).unwrap();
            let drawn = codec.cell(&spec, code, || rng.random());
            assert_eq!(codec.encode(drawn), Some(code), "{cell} {drawn}");
        }
    }

    #[test]
    fn bins_hold_equal_shares_and_few_training_values() {
        let spec = ColumnSpec::number("x", None);
        let column = spread(20_000);
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        let mut counts = vec![0; codec.size()];
        column.iter().for_each(|&cell| counts[codec.encode(cell).unwrap()] += 1);
        assert!(counts.iter().all(|&count| (40..160).contains(&count)), "{counts:?}");
        assert!(codec.cells.iter().flatten().count() < 20_000 / 10);
    }

    #[test]
    fn draws_keep_decimals_range_and_the_equal_chances_of_whole_numbers() {
        let spec = ColumnSpec::number("x", 0);
        let column: Vec<f64> = (0..30_000).map(|row| f64::from(row % 1_000)).collect();
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        let mut rng = Seed(2).stream("test");
        let mut counts = vec![0u32; 1_000];
        for &cell in column.iter().cycle().take(300_000) {
            let drawn = codec.cell(&spec, codec.encode(cell).unwrap(), || rng.random());
            counts[drawn as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (200..400).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_value_in_no_cell_has_a_nearest_one() {
        let spec = ColumnSpec::number("x", 0).nullable();
        let column: Vec<f64> = (0..600).map(|row| f64::from(row % 3) * 10.0).collect();
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        let near = |value: f64| codec.nearest(value);
        let expected = [(-5.0, 0), (0.0, 0), (4.0, 0), (5.0, 0), (6.0, 1), (17.0, 2), (1e300, 2)];
        assert!(expected.iter().all(|&(value, code)| near(value) == Some(code)));
        assert_eq!(near(f64::NAN), None);
        let bins = NumberCodec::fit(&spec, &spread(10_000), OPTIONS);
        for value in spread(10_000) {
            assert_eq!(bins.nearest(value), bins.encode(value));
        }
        let void = NumberCodec::fit(&spec, &[f64::NAN; 5], OPTIONS);
        assert_eq!(void.nearest(1.0), None);
    }

    #[test]
    fn densities_sum_to_one_over_the_values_of_a_bin() {
        let spec = ColumnSpec::number("x", 0);
        let column: Vec<f64> = (0..30_000).map(|row| f64::from(row % 1_000).powi(2)).collect();
        let codec = NumberCodec::fit(&spec, &column, OPTIONS);
        let code = codec.encode(100.0 * 100.0).unwrap();
        let sum: f64 = (0..1_000_000)
            .map(f64::from)
            .filter(|&x| codec.encode(x) == Some(code))
            .map(|x| codec.log_density(&spec, code, x).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn modes_far_apart_are_runs_of_their_own_and_even_lumps_are_not() {
        let spec = ColumnSpec::number("x", None);
        let mut column = spread(8_000);
        column.iter_mut().step_by(2).for_each(|cell| *cell += 2_000.0);
        assert_eq!(NumberCodec::fit(&spec, &column, OPTIONS).bin_runs().len(), 2);
        let lumps: Vec<f64> = (0..20_000).map(|row| f64::from(row % 250) * 5.0).collect();
        let codec = NumberCodec::fit(&spec, &lumps, OPTIONS);
        assert_eq!((codec.bins(), codec.bin_runs().len()), (250, 1));
        let mut rng = Seed(3).stream("test");
        assert!((0..250).all(|code| codec.cell(&spec, code, || rng.random()) == 5.0 * code as f64));
    }

    #[test]
    fn small_columns_get_few_bins() {
        let spec = ColumnSpec::number("x", None);
        let codec = NumberCodec::fit(&spec, &spread(215), OPTIONS);
        assert_eq!(codec.bins(), 10);
        assert_eq!(NumberCodec::fit(&spec, &spread(1), OPTIONS).size(), 1);
        assert_eq!(NumberCodec::fit(&spec, &spread(2), OPTIONS).size(), 1);
    }

    #[test]
    fn cells_of_few_rows_are_joined() {
        let spec = ColumnSpec::number("x", 0);
        let mut column: Vec<f64> = vec![1.0; 100];
        column.extend([2.0; 3].iter().chain(&[3.0; 2]).chain(&[9.0; 60]).chain(&[40.0]));
        let of =
            |least_rows| NumberCodec::fit(&spec, &column, NumberOptions { least_rows, ..OPTIONS });
        assert_eq!(of(1).cells, [vec![1.0], vec![2.0], vec![3.0], vec![9.0], vec![40.0]]);
        assert_eq!(of(5).cells, [vec![1.0], vec![1.5, 3.5], vec![8.5, 40.5]]);
        assert_eq!(of(1_000).cells, [vec![0.5, 40.5]]);
        let wide: Vec<f64> = spread(4_000);
        for (least_rows, bins) in [(1, 200), (100, 40)] {
            let codec = NumberCodec::fit(&spec, &wide, NumberOptions { least_rows, ..OPTIONS });
            let mut rows = vec![0; codec.size()];
            wide.iter().for_each(|&x| rows[codec.encode(x).unwrap()] += 1);
            assert!(rows.len() <= bins && rows.iter().all(|&rows| rows >= least_rows), "{rows:?}");
        }
    }
}
