use crate::tables::is_modelled;
use meg_core::{Column, Table};
use std::ops::Range;

/// Gower's distance with the ranges of the training rows.
///
/// The mean over columns of: for numbers `min(|x - y| / range, 1)`, for categories 0 if equal and 1
/// if not, for one missing cell 1, for two missing cells 0. A range of 0 leaves equal or not equal.
/// Source: Gower (1971), with the ranges cut at 1 for rows outside the training range.
///
/// Categories come before numbers, and the most telling column of each kind first, because the
/// search gives a row up as soon as its sum is too large.
#[derive(Debug)]
pub(super) struct Space {
    categories: Vec<usize>,
    numbers: Vec<usize>,
    /// One over the range of each number, in the order of `numbers`.
    scales: Vec<f64>,
}

/// Rows of a table, row after row, in the order of a [`Space`]'s columns.
#[derive(Debug)]
pub(super) struct Points {
    rows: usize,
    codes: Vec<u32>,
    numbers: Vec<f64>,
}

/// The two smallest distances so far, not yet divided by the number of columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best {
    pub(super) first: f64,
    pub(super) second: f64,
}

impl Best {
    pub(super) const NONE: Self = Self { first: f64::INFINITY, second: f64::INFINITY };
}

impl Space {
    pub(super) fn fit(train: &Table) -> Self {
        let modelled = (0..train.columns().len()).filter(|&at| is_modelled(train, at));
        let (mut categories, mut numbers) = (Vec::new(), Vec::new());
        for at in modelled {
            match &train.columns()[at] {
                Column::Numbers(cells) => numbers.push((spread(cells), at)),
                _ => categories.push((disagreement(train, at), at)),
            }
        }
        categories.sort_by(|a, b| b.0.total_cmp(&a.0));
        numbers.sort_by(|a, b| b.0.total_cmp(&a.0));
        let places = |columns: Vec<(f64, usize)>| columns.into_iter().map(|(_, at)| at).collect();
        let (categories, numbers): (_, Vec<usize>) = (places(categories), places(numbers));
        // A range of 0 becomes a factor so large that any difference exceeds 1; it is finite, so
        // that no difference at all stays 0.
        let scale = |&at: &usize| (0.5 / half_range(train.numbers(at))).min(f64::MAX);
        let scales = numbers.iter().map(scale).collect();
        Self { categories, numbers, scales }
    }

    /// Number of columns that are compared.
    pub(super) fn columns(&self) -> usize {
        self.categories.len() + self.numbers.len()
    }

    pub(super) fn points(&self, table: &Table, rows: &[usize]) -> Points {
        let mut codes = Vec::with_capacity(rows.len() * self.categories.len());
        let mut numbers = Vec::with_capacity(rows.len() * self.numbers.len());
        for &row in rows {
            codes.extend(self.categories.iter().map(|&at| table.codes(at)[row]));
            numbers.extend(self.numbers.iter().map(|&at| table.numbers(at)[row]));
        }
        Points { rows: rows.len(), codes, numbers }
    }

    /// Looks through `range` of `points` for rows nearer to the query. With `SECOND` the second
    /// nearest is kept exact too, otherwise only the nearest.
    pub(super) fn search<const SECOND: bool>(
        &self,
        (queries, query): (&Points, usize),
        points: &Points,
        range: Range<usize>,
        best: &mut Best,
    ) {
        let (codes, numbers) = (self.categories.len(), self.numbers.len());
        let own_codes = &queries.codes[query * codes..][..codes];
        let own_numbers = &queries.numbers[query * numbers..][..numbers];
        let limit = |best: &Best| if SECOND { best.second } else { best.first };
        'rows: for row in range {
            let bound = limit(best);
            if bound == 0.0 {
                return;
            }
            // Counting mismatches as whole numbers makes rows that differ in other categories, but
            // in as many, tie exactly.
            let mut mismatches = 0.0;
            for (own, other) in own_codes.iter().zip(&points.codes[row * codes..][..codes]) {
                if own != other {
                    mismatches += 1.0;
                    if mismatches >= bound {
                        continue 'rows;
                    }
                }
            }
            let mut sum: f64 = mismatches;
            let others = &points.numbers[row * numbers..][..numbers];
            for ((own, other), scale) in own_numbers.iter().zip(others).zip(&self.scales) {
                sum += number_distance(*own, *other, *scale);
                if sum >= bound {
                    continue 'rows;
                }
            }
            if sum >= bound {
                continue;
            }
            if sum < best.first {
                *best = Best { first: sum, second: best.first };
            } else {
                best.second = sum;
            }
        }
    }
}

impl Points {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
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
    use meg_core::{ColumnSpec, MISSING, Schema};

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
            let mut best = Best::NONE;
            let points = space.points(&train, &[0]);
            space.search::<true>((&space.points(&query, &[0]), 0), &points, 0..1, &mut best);
            best.first
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
}
