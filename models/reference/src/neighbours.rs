//! The nearest rows of a table of mixed columns.

use meg_core::{Column, Table};

/// Rows as points of a metric space. Each column adds to the distance of two rows: numbers their
/// difference over the column's range, categories 0 or 1, a missing cell 1 to any other and 0 to
/// another missing one (Gower 1971, as a sum). Identifiers count for nothing.
#[derive(Debug)]
pub(crate) struct Points {
    /// Numbers over their range, row by row; NaN is missing.
    numbers: Vec<f32>,
    /// Codes, row by row.
    codes: Vec<u32>,
    number_columns: usize,
    code_columns: usize,
}

impl Points {
    /// All rows of a table.
    pub(crate) fn of(table: &Table) -> Self {
        let numeric: Vec<(&[f64], f64, f64)> = table
            .columns()
            .iter()
            .filter_map(|column| match column {
                Column::Numbers(cells) => Some(scaled(cells)),
                _ => None,
            })
            .collect();
        let coded: Vec<&[u32]> = table
            .columns()
            .iter()
            .filter_map(|column| match column {
                Column::Codes(cells) => Some(&cells[..]),
                _ => None,
            })
            .collect();
        let mut numbers = Vec::with_capacity(table.rows() * numeric.len());
        let mut codes = Vec::with_capacity(table.rows() * coded.len());
        for row in 0..table.rows() {
            let place = |(cells, least, scale): &(&[f64], f64, f64)| {
                ((cells[row] / 2.0 - least / 2.0) * scale) as f32
            };
            numbers.extend(numeric.iter().map(place));
            codes.extend(coded.iter().map(|cells| cells[row]));
        }
        Self { numbers, codes, number_columns: numeric.len(), code_columns: coded.len() }
    }

    /// The distance of two rows, from 0 to the number of columns.
    pub(crate) fn distance(&self, a: usize, b: usize) -> f32 {
        let numbers =
            |row: usize| &self.numbers[row * self.number_columns..][..self.number_columns];
        let codes = |row: usize| &self.codes[row * self.code_columns..][..self.code_columns];
        let gap = |(&x, &y): (&f32, &f32)| match (x.is_nan(), y.is_nan()) {
            (false, false) => (x - y).abs(),
            (x, y) => f32::from(u8::from(x != y)),
        };
        let numbers: f32 = numbers(a).iter().zip(numbers(b)).map(gap).sum();
        let codes = codes(a).iter().zip(codes(b)).filter(|(x, y)| x != y).count();
        numbers + codes as f32
    }
}

/// The cells, half of their least, and what to multiply halves by so that the range is 1. Halves,
/// because the width of a huge range is infinite.
fn scaled(cells: &[f64]) -> (&[f64], f64, f64) {
    let present = || cells.iter().copied().filter(|cell| !cell.is_nan());
    let least = present().fold(f64::INFINITY, f64::min);
    let most = present().fold(f64::NEG_INFINITY, f64::max);
    let half = most / 2.0 - least / 2.0;
    (cells, least, if half > 0.0 { 1.0 / half } else { 0.0 })
}

/// A vantage-point tree (Yianilos 1993) over some rows: each inner node splits the rest at the
/// median distance from one of them, so that a search can leave out the half that the triangle
/// inequality rules out.
#[derive(Debug)]
pub(crate) struct Neighbours {
    /// The rows in the order of the tree: a vantage point, its inner half, its outer half.
    rows: Vec<u32>,
    /// For each place of a vantage point the median distance.
    radius: Vec<f32>,
}

/// So few rows are looked at one by one.
const LEAF: usize = 16;
/// What rounding may take from the triangle inequality.
const SLACK: f32 = 1e-4;

impl Neighbours {
    /// A tree over these rows.
    pub(crate) fn new(points: &Points, mut rows: Vec<u32>) -> Self {
        let mut radius = vec![0.0; rows.len()];
        let mut open = vec![(0, rows.len())];
        let mut distances: Vec<(f32, u32)> = Vec::new();
        while let Some((from, to)) = open.pop() {
            if to - from <= LEAF {
                continue;
            }
            let vantage = rows[from];
            distances.clear();
            distances.extend(
                rows[from + 1..to]
                    .iter()
                    .map(|&row| (points.distance(vantage as usize, row as usize), row)),
            );
            let middle = distances.len() / 2;
            // Ties by row, so that the tree does not depend on the way of selecting.
            distances
                .select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            radius[from] = distances[middle].0;
            for (place, &(_, row)) in rows[from + 1..to].iter_mut().zip(&distances) {
                *place = row;
            }
            open.push((from + 1, from + 1 + middle));
            open.push((from + 1 + middle, to));
        }
        Self { rows, radius }
    }

    /// Up to `count` rows nearest to a row, itself left out, the nearest first; of equally near
    /// ones those that come first in the table.
    pub(crate) fn nearest(&self, points: &Points, row: usize, count: usize) -> Vec<u32> {
        let mut best: Vec<(f32, u32)> = Vec::with_capacity(count + 1);
        self.search(points, row, count, 0, self.rows.len(), &mut best);
        best.into_iter().map(|(_, row)| row).collect()
    }

    fn search(
        &self,
        points: &Points,
        row: usize,
        count: usize,
        from: usize,
        to: usize,
        best: &mut Vec<(f32, u32)>,
    ) {
        let meet = |other: u32, best: &mut Vec<(f32, u32)>| {
            let distance = points.distance(row, other as usize);
            let found = (distance, other);
            let before = |known: &(f32, u32)| {
                known.0.total_cmp(&found.0).then(known.1.cmp(&found.1)).is_lt()
            };
            if other as usize != row && (best.len() < count || !best.last().is_some_and(before)) {
                best.insert(best.partition_point(before), found);
                best.truncate(count);
            }
            distance
        };
        if to - from <= LEAF {
            self.rows[from..to].iter().for_each(|&other| {
                meet(other, best);
            });
            return;
        }
        let distance = meet(self.rows[from], best);
        let (radius, middle) = (self.radius[from], from + 1 + (to - from - 1) / 2);
        let halves = [(from + 1, middle, distance - radius), (middle, to, radius - distance)];
        // The half in which the row itself lies comes first: what it finds rules out more.
        let order = if distance < radius { [0, 1] } else { [1, 0] };
        for (from, to, gap) in order.map(|half| halves[half]) {
            let worst = best.last().filter(|_| best.len() == count).map_or(f32::INFINITY, |b| b.0);
            if gap <= worst + SLACK {
                self.search(points, row, count, from, to, best);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::conformance::mixed_table;

    #[test]
    fn the_tree_finds_what_looking_at_every_row_finds() {
        let table = mixed_table(600, 3);
        let points = Points::of(&table);
        let rows: Vec<u32> = (0..600).filter(|row| row % 5 != 0).collect();
        let tree = Neighbours::new(&points, rows.clone());
        for row in 0..600 {
            let mut all: Vec<(f32, u32)> = rows
                .iter()
                .filter(|&&other| other as usize != row)
                .map(|&other| (points.distance(row, other as usize), other))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let expected: Vec<u32> = all[..7].iter().map(|(_, row)| *row).collect();
            assert_eq!(tree.nearest(&points, row, 7), expected, "row {row}");
        }
    }

    #[test]
    fn distances_are_a_metric() {
        let points = Points::of(&mixed_table(40, 4));
        for (a, b, c) in (0..64_000).map(|at| (at % 40, at / 40 % 40, at / 1_600)) {
            let (ab, bc, ac) =
                (points.distance(a, b), points.distance(b, c), points.distance(a, c));
            assert!(ab == points.distance(b, a) && (a != b || ab == 0.0));
            assert!(ac <= ab + bc + 1e-5, "{a} {b} {c}: {ac} > {ab} + {bc}");
        }
    }

    #[test]
    fn equal_rows_and_few_rows_are_no_trouble() {
        let table = mixed_table(1, 1);
        let points = Points::of(&table.select_rows(&[0; 100]));
        let tree = Neighbours::new(&points, (0..100).collect());
        assert_eq!(tree.nearest(&points, 2, 4), [0, 1, 3, 4]);
        let alone = Neighbours::new(&points, vec![5]);
        assert!(alone.nearest(&points, 5, 3).is_empty());
    }
}
