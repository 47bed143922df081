use crate::{parallel, tables::is_modelled};
use meg_core::{Column, Table};
use std::ops::Range;

/// Rows whose distances are bounded together.
const LANES: usize = 32;

/// Rows that stay in the nearest cache while a block of queries passes over them.
const TILE: usize = 64 * LANES;

/// Queries that one thread looks up at a time.
const QUERIES: usize = 64;

/// Columns after which a block is given up if no row in it can be near enough.
const CHECKED: usize = 4;

/// Coarse place of a missing number: 0 from another, at least 1 from any observed one.
const MISSING_PLACE: f32 = 1e9;

/// Gower's distance with the ranges of the training rows.
///
/// The mean over columns of: for numbers `min(|x - y| / range, 1)`, for categories 0 if equal and 1
/// if not, for one missing cell 1, for two missing cells 0. A range of 0 leaves equal or not equal.
/// Source: Gower (1971), with the ranges cut at 1 for rows outside the training range.
///
/// Searches are exact. Rows are kept twice: in doubles, which decide, and as single floats in
/// blocks of 32 rows, column after column, whose sums (less their rounding) are a lower bound that
/// the compiler computes for many rows at once. Categories come before numbers, and the most
/// telling column of each kind first, because a block is given up as soon as all sums are too large.
#[derive(Debug)]
pub(crate) struct Space {
    categories: Vec<usize>,
    numbers: Vec<Axis>,
}

/// A number column.
#[derive(Debug)]
struct Axis {
    column: usize,
    /// Smallest training cell; NaN where none is observed.
    least: f64,
    /// One over the range of the training cells.
    scale: f64,
    constant: bool,
}

/// Rows of a table, row after row, in the order of a [`Space`]'s columns.
#[derive(Debug)]
pub(crate) struct Points {
    rows: usize,
    codes: Vec<u32>,
    numbers: Vec<f64>,
    /// Blocks of `LANES` rows, in each column after column.
    coarse: Vec<f32>,
}

/// The nearest rows so far, nearest first, of equally near ones the first; distances are not yet
/// divided by the number of columns.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    wanted: usize,
    found: Vec<(f64, u32)>,
}

impl Best {
    pub(crate) fn of(wanted: usize) -> Self {
        Self { wanted, found: Vec::with_capacity(wanted + 1) }
    }

    /// Distance of the neighbour at this place, from 0; infinite where there is none.
    pub(crate) fn distance(&self, place: usize) -> f64 {
        self.found.get(place).map_or(f64::INFINITY, |found| found.0)
    }

    /// Rows of the neighbours, nearest first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> {
        self.found.iter().map(|found| found.1 as usize)
    }

    /// A row must be nearer than this.
    fn limit(&self) -> f64 {
        self.distance(self.wanted - 1)
    }

    fn insert(&mut self, distance: f64, row: usize) {
        let place = self.found.partition_point(|found| found.0 <= distance);
        self.found.insert(place, (distance, row as u32));
        self.found.truncate(self.wanted);
    }
}

impl Space {
    /// All compared columns.
    pub(crate) fn fit(train: &Table) -> Self {
        let modelled: Vec<usize> =
            (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
        Self::of(train, &modelled)
    }

    /// These columns.
    pub(crate) fn of(train: &Table, columns: &[usize]) -> Self {
        let (mut categories, mut numbers) = (Vec::new(), Vec::new());
        for &at in columns {
            match &train.columns()[at] {
                Column::Numbers(cells) => numbers.push((spread(cells), at)),
                _ => categories.push((disagreement(train, at), at)),
            }
        }
        categories.sort_by(|a, b| b.0.total_cmp(&a.0));
        numbers.sort_by(|a, b| b.0.total_cmp(&a.0));
        let categories = categories.into_iter().map(|(_, at)| at).collect();
        let numbers = numbers.into_iter().map(|(_, at)| Axis::new(train, at)).collect();
        Self { categories, numbers }
    }

    /// Number of columns that are compared.
    pub(crate) fn columns(&self) -> usize {
        self.categories.len() + self.numbers.len()
    }

    pub(crate) fn points(&self, table: &Table, rows: &[usize]) -> Points {
        let mut codes = Vec::with_capacity(rows.len() * self.categories.len());
        let mut numbers = Vec::with_capacity(rows.len() * self.numbers.len());
        for &row in rows {
            codes.extend(self.categories.iter().map(|&at| table.codes(at)[row]));
            numbers.extend(self.numbers.iter().map(|axis| table.numbers(axis.column)[row]));
        }
        let blocks = rows.len().div_ceil(LANES);
        let mut coarse = vec![0.0; blocks * LANES * self.columns()];
        for (at, &row) in rows.iter().enumerate() {
            let block = &mut coarse[at / LANES * LANES * self.columns()..];
            for (column, place) in self.coarse(table, row).enumerate() {
                block[column * LANES + at % LANES] = place;
            }
        }
        Points { rows: rows.len(), codes, numbers, coarse }
    }

    /// The distance between two rows, not divided by the number of columns.
    pub(crate) fn sum(&self, (a, i): (&Points, usize), (b, j): (&Points, usize)) -> f64 {
        let codes =
            |points: &'_ Points, row: usize| row * self.categories.len()..points.codes.len();
        let own = &a.codes[codes(a, i)][..self.categories.len()];
        let other = &b.codes[codes(b, j)][..self.categories.len()];
        // Counting mismatches as whole numbers makes rows that differ in other categories, but in
        // as many, tie exactly.
        let mismatches = own.iter().zip(other).filter(|(own, other)| own != other).count();
        let width = self.numbers.len();
        let own = &a.numbers[i * width..][..width];
        let other = &b.numbers[j * width..][..width];
        let pairs = own.iter().zip(other).zip(&self.numbers);
        pairs.fold(mismatches as f64, |sum, ((own, other), axis)| {
            sum + number_distance(*own, *other, axis.scale)
        })
    }

    /// Looks through `range` of `points` for rows nearer to the queries at `from..`, one for each of
    /// `best`.
    pub(crate) fn search(
        &self,
        (queries, from): (&Points, usize),
        points: &Points,
        range: Range<usize>,
        best: &mut [Best],
    ) {
        let mut tile = range.start / LANES * LANES;
        let mut query = vec![0.0; self.columns()];
        while tile < range.end {
            let rows = tile.max(range.start)..(tile + TILE).min(range.end);
            for (at, best) in best.iter_mut().enumerate() {
                let row = from + at;
                let block = &queries.coarse[row / LANES * LANES * self.columns()..];
                for (column, place) in query.iter_mut().enumerate() {
                    *place = block[column * LANES + row % LANES];
                }
                self.search_tile((queries, row, &query), points, rows.clone(), best);
            }
            tile += TILE;
        }
    }

    fn search_tile(
        &self,
        (queries, row, place): (&Points, usize, &[f32]),
        points: &Points,
        range: Range<usize>,
        best: &mut Best,
    ) {
        let columns = self.columns();
        for block in range.start / LANES..range.end.div_ceil(LANES) {
            let limit = best.limit();
            if limit == 0.0 {
                return;
            }
            let coarse = &points.coarse[block * LANES * columns..][..LANES * columns];
            let Some(sums) = self.bounds(place, coarse, self.coarse_limit(limit)) else { continue };
            let first = block * LANES;
            for other in first.max(range.start)..(first + LANES).min(range.end) {
                if f64::from(sums[other - first]) > self.coarse_limit(best.limit()) {
                    continue;
                }
                let sum = self.sum((queries, row), (points, other));
                if sum < best.limit() {
                    best.insert(sum, other);
                }
            }
        }
    }

    /// What a sum of single floats may reach although the sum of doubles is below the limit.
    fn coarse_limit(&self, limit: f64) -> f64 {
        let (columns, numbers) = (self.columns() as f64, self.numbers.len() as f64);
        // Each place is rounded by 2e-7 of a range, each addition by 6e-8 of the sum.
        limit + numbers * (5e-7 + 1e-7 * columns)
    }

    /// Sums of the coarse distances to the rows of a block; `None` when all are above the limit.
    fn bounds(&self, query: &[f32], coarse: &[f32], limit: f64) -> Option<[f32; LANES]> {
        let mut sums = [0.0f32; LANES];
        let limit = limit as f32 * (1.0 + 1e-6);
        let none_left = |sums: &[f32; LANES]| !sums.iter().any(|sum| *sum <= limit);
        let categories = self.categories.len();
        let columns = query.iter().zip(coarse.as_chunks::<LANES>().0).enumerate();
        for (column, (own, others)) in columns {
            if column > 0 && column % CHECKED == 0 && none_left(&sums) {
                return None;
            }
            if column < categories {
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum += if own == other { 0.0 } else { 1.0 };
                }
            } else {
                for (sum, other) in sums.iter_mut().zip(others) {
                    let distance = (own - other).abs();
                    *sum += if distance < 1.0 { distance } else { 1.0 };
                }
            }
        }
        (!none_left(&sums)).then_some(sums)
    }

    fn coarse(&self, table: &Table, row: usize) -> impl Iterator<Item = f32> {
        let categories = self.categories.iter().map(move |&at| table.codes(at)[row] as f32);
        let numbers =
            self.numbers.iter().map(move |axis| axis.place(table.numbers(axis.column)[row]));
        categories.chain(numbers)
    }
}

impl Axis {
    fn new(train: &Table, column: usize) -> Self {
        let cells = train.numbers(column);
        let half = half_range(cells);
        // A range of 0 becomes a factor so large that any difference exceeds 1; it is finite, so
        // that no difference at all stays 0.
        let scale = (0.5 / half).min(f64::MAX);
        let least = cells.iter().copied().fold(f64::NAN, f64::min);
        Self { column, least, scale, constant: half == 0.0 }
    }

    /// The cell in ranges above the smallest training cell, cut where distances are 1 anyway: the
    /// difference of two places is never more than the distance, but for rounding.
    fn place(&self, cell: f64) -> f32 {
        if cell.is_nan() {
            MISSING_PLACE
        } else if self.constant {
            if cell == self.least { 0.0 } else { 2.0 }
        } else {
            ((cell - self.least) * self.scale).clamp(-2.0, 3.0) as f32
        }
    }
}

impl Points {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

/// The `wanted` nearest points of each query.
pub(crate) fn nearest(
    space: &Space,
    queries: &Points,
    points: &Points,
    wanted: usize,
    threads: usize,
) -> Vec<Best> {
    let block = |block: usize| {
        let from = block * QUERIES;
        let mut best = vec![Best::of(wanted); QUERIES.min(queries.rows() - from)];
        space.search((queries, from), points, 0..points.rows(), &mut best);
        best
    };
    let blocks = queries.rows().div_ceil(QUERIES);
    parallel::map(threads, blocks, block).into_iter().flatten().collect()
}

fn number_distance(x: f64, y: f64, scale: f64) -> f64 {
    let distance = (x - y).abs() * scale;
    if distance < 1.0 {
        distance
    } else if x.is_nan() && y.is_nan() {
        0.0
    } else {
        1.0
    }
}

/// Half of the range, which is finite whatever the cells are.
fn half_range(cells: &[f64]) -> f64 {
    let least = cells.iter().copied().fold(f64::INFINITY, f64::min);
    let most = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // No observed cell at all gives minus infinity: any two observed cells are then compared by
    // equality, as with a range of 0.
    (most / 2.0 - least / 2.0).max(0.0)
}

/// The chance that two training rows differ.
fn disagreement(train: &Table, column: usize) -> f64 {
    let levels = train.schema().columns[column].levels().len();
    let mut counts = vec![0usize; levels + 1];
    train.codes(column).iter().for_each(|&code| counts[(code as usize).min(levels)] += 1);
    let rows = train.rows().max(1) as f64;
    1.0 - counts.iter().map(|&count| (count as f64 / rows).powi(2)).sum::<f64>()
}

/// About how far apart two training rows are: the standard deviation over half of the range.
fn spread(cells: &[f64]) -> f64 {
    let observed = || cells.iter().filter(|cell| !cell.is_nan());
    let count = observed().count().max(1) as f64;
    let mean = observed().sum::<f64>() / count;
    let variance = observed().map(|cell| (cell - mean).powi(2)).sum::<f64>() / count;
    let spread = variance.sqrt() / half_range(cells);
    if spread.is_finite() { spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, MISSING, Schema, Seed};
    use rand::Rng as _;

    #[test]
    fn every_kind_of_cell_has_its_distance() {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::number("constant", None).nullable(),
            ColumnSpec::number("unobserved", None).nullable(),
            ColumnSpec::category("c", ["a", "b"]).nullable(),
        ])
        .unwrap();
        let table = |cells: [Vec<f64>; 3], codes: Vec<u32>| {
            let mut columns: Vec<Column> = cells.into_iter().map(Column::Numbers).collect();
            columns.push(Column::Codes(codes));
            Table::new(schema.clone(), columns).unwrap()
        };
        let nan = f64::NAN;
        let train = table([vec![0.0, 10.0], vec![5.0, 5.0], vec![nan, nan]], vec![0, 1]);
        let space = Space::fit(&train);
        let sum = |x: f64, constant: f64, unobserved: f64, code: u32| {
            let query = table([vec![x], vec![constant], vec![unobserved]], vec![code]);
            let (points, query) = (space.points(&train, &[0]), space.points(&query, &[0]));
            let mut best = [Best::of(1)];
            space.search((&query, 0), &points, 0..1, &mut best);
            assert_eq!(best[0].distance(0), space.sum((&query, 0), (&points, 0)));
            best[0].distance(0)
        };
        assert_eq!(sum(0.0, 5.0, nan, 0), 0.0);
        assert_eq!(sum(2.5, 5.0, nan, 0), 0.25);
        assert_eq!(sum(99.0, 5.0, nan, 0), 1.0);
        assert_eq!(sum(nan, 5.0, nan, 0), 1.0);
        assert_eq!(sum(0.0, 5.1, nan, 0), 1.0);
        assert_eq!(sum(0.0, 5.0, 7.0, 0), 1.0);
        assert_eq!(sum(0.0, 5.0, nan, 1), 1.0);
        assert_eq!(sum(0.0, 5.0, nan, MISSING), 1.0);
        assert_eq!(sum(nan, 5.1, 7.0, MISSING), 4.0);
    }

    /// Random rows with repeated cells, missing cells and cells outside the training range.
    fn random(rows: usize, purpose: &str) -> Table {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::number("y", None).nullable(),
            ColumnSpec::category("c", ["a", "b", "d"]).nullable(),
            ColumnSpec::category("e", ["a", "b"]),
        ])
        .unwrap();
        let mut rng = Seed(1).stream(purpose);
        let mut number = || match rng.random_range(0..9) {
            0 => f64::NAN,
            1 => rng.random_range(-1e3..1e3),
            2 => f64::from(rng.random_range(0..4)),
            _ => rng.random(),
        };
        let x = (0..rows).map(|_| number()).collect();
        let y = (0..rows).map(|_| number()).collect();
        let c = (0..rows).map(|_| [0, 1, 2, MISSING][rng.random_range(0..4)]).collect();
        let e = (0..rows).map(|_| rng.random_range(0..2)).collect();
        let columns =
            vec![Column::Numbers(x), Column::Numbers(y), Column::Codes(c), Column::Codes(e)];
        Table::new(schema, columns).unwrap()
    }

    #[test]
    fn the_search_is_exact() {
        let (train, other) = (random(2_500, "train"), random(70, "other"));
        let space = Space::fit(&train);
        let all = |table: &Table| space.points(table, &(0..table.rows()).collect::<Vec<_>>());
        let (points, queries) = (all(&train), all(&other));
        let range = 37..2_411;
        let mut best = vec![Best::of(5); 60];
        space.search((&queries, 10), &points, range.clone(), &mut best);
        for (at, best) in best.iter().enumerate() {
            let mut sums: Vec<(f64, usize)> = range
                .clone()
                .map(|row| (space.sum((&queries, at + 10), (&points, row)), row))
                .collect();
            sums.sort_by(|a, b| a.0.total_cmp(&b.0));
            let want: Vec<usize> = sums[..5].iter().map(|found| found.1).collect();
            assert_eq!(best.rows().collect::<Vec<_>>(), want, "query {at}");
            assert_eq!(best.distance(4), sums[4].0);
        }
    }
}
