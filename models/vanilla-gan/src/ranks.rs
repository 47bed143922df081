use serde::{Deserialize, Serialize};
use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::SQRT_2;

/// The numbers that a column's codes have, each with its share of the rows, laid side by side on the
/// line from 0 to 1, and from there to the normal: a column whose rows are spread over their shares
/// is standard normal, however its codes are distributed.
///
/// Law: a number comes back from any place within its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ranks {
    /// Ascending.
    numbers: Vec<f64>,
    /// Where the share of each begins, and 1.
    edges: Vec<f64>,
}

/// Shares are kept this far from 0 and 1, where the normal has no finite quantile.
const EDGE: f64 = 1e-7;

impl Ranks {
    /// Of the numbers of all rows; at least one, none missing.
    pub(crate) fn fit(cells: &[f64]) -> Self {
        let mut sorted = cells.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (mut numbers, mut edges) = (Vec::new(), Vec::new());
        for (at, &number) in sorted.iter().enumerate() {
            if numbers.last() != Some(&number) {
                numbers.push(number);
                edges.push(at as f64 / sorted.len() as f64);
            }
        }
        edges.push(1.0);
        Self { numbers, edges }
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// Position of a training number.
    pub(crate) fn position(&self, number: f64) -> usize {
        self.numbers.partition_point(|&known| known < number)
    }

    /// A place of the number at this position; `point` in (0, 1) says where in its share.
    pub(crate) fn place(&self, position: usize, point: f32) -> f32 {
        let (low, high) = (self.edges[position], self.edges[position + 1]);
        let share = (low + f64::from(point) * (high - low)).clamp(EDGE, 1.0 - EDGE);
        (-SQRT_2 * erfc_inv(2.0 * share)) as f32
    }

    /// The number whose share a finite place lies in.
    pub(crate) fn number(&self, place: f32) -> f64 {
        let share = 0.5 * erfc(-f64::from(place) / SQRT_2);
        let inner = &self.edges[1..self.numbers.len()];
        self.numbers[inner.partition_point(|&edge| edge <= share)]
    }

    /// Whether ranks read from a file can be used.
    pub(crate) fn is_sound(&self) -> bool {
        let increasing = |xs: &[f64]| xs.windows(2).all(|pair| pair[0] < pair[1]);
        !self.numbers.is_empty()
            && self.edges.len() == self.numbers.len() + 1
            && self.numbers.iter().all(|number| number.is_finite())
            && increasing(&self.numbers)
            && increasing(&self.edges)
            && self.edges[0] == 0.0
            && self.edges[self.numbers.len()] == 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_from_anywhere_within_its_share() {
        let cells: Vec<f64> = (0..1_000).map(|row| f64::from(row % 7 * (row % 3)) - 1.0).collect();
        let ranks = Ranks::fit(&cells);
        assert!(ranks.is_sound());
        for &cell in &cells {
            let position = ranks.position(cell);
            for point in [1e-3, 0.5, 0.999] {
                assert_eq!(ranks.number(ranks.place(position, point)), cell);
            }
        }
        assert_eq!((ranks.number(-1e30), ranks.number(1e30)), (-1.0, 11.0));
    }

    #[test]
    fn spread_rows_are_standard_normal() {
        let cells = [[0.0; 90].as_slice(), &[1.0; 9], &[5.0]].concat();
        let ranks = Ranks::fit(&cells);
        let points = (0..1_000).map(|at| (at as f32 + 0.5) / 1_000.0);
        let places: Vec<f64> = cells
            .iter()
            .flat_map(|&cell| points.clone().map(move |point| (cell, point)))
            .map(|(cell, point)| f64::from(ranks.place(ranks.position(cell), point)))
            .collect();
        let count = places.len() as f64;
        let mean = places.iter().sum::<f64>() / count;
        let square = places.iter().map(|x| x * x).sum::<f64>() / count;
        assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 5e-3, "{mean} {square}");
    }

    #[test]
    fn one_number_is_always_drawn() {
        let ranks = Ranks::fit(&[3.0, 3.0]);
        assert!(ranks.is_sound() && ranks.count() == 1);
        assert_eq!((ranks.number(-8.0), ranks.number(8.0)), (3.0, 3.0));
    }
}
