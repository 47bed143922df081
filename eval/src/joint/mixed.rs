use crate::{numbers::mean_and_sd, parallel, tables::is_modelled};
use meg_core::{Column, MISSING, Table};

/// Rows that one thread looks at a time.
const BLOCK: usize = 64;

/// The space in which rows are compared: Euclid's distance with numbers in standard deviations of
/// the training rows, and 1 added to its square for each category that differs.
///
/// A missing number stands at the mean and differs in a category of its own. That is the distance
/// between one-hot rows whose indicators are scaled by the root of 1/2. Numbers that are constant
/// in training are left out.
#[derive(Debug)]
pub(super) struct Space {
    columns: Vec<Axis>,
}

#[derive(Debug)]
enum Axis {
    Number { column: usize, mean: f64, sd: f64 },
    Presence { column: usize },
    Category { column: usize },
}

/// Rows in the space, row after row.
#[derive(Debug)]
pub(super) struct Points {
    rows: usize,
    /// Numbers and codes of a row.
    widths: [usize; 2],
    numbers: Vec<f64>,
    codes: Vec<u32>,
}

impl Space {
    pub(super) fn fit(train: &Table) -> Self {
        let mut columns = Vec::new();
        for column in (0..train.columns().len()).filter(|&at| is_modelled(train, at)) {
            let Column::Numbers(cells) = &train.columns()[column] else {
                columns.push(Axis::Category { column });
                continue;
            };
            let observed: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
            if train.schema().columns[column].nullable {
                columns.push(Axis::Presence { column });
            }
            if observed.iter().any(|cell| *cell != observed[0]) {
                let (mean, sd) = mean_and_sd(&observed);
                if sd.is_finite() && sd > 0.0 {
                    columns.push(Axis::Number { column, mean, sd });
                }
            }
        }
        Self { columns }
    }

    /// Whether there is nothing to compare.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    pub(super) fn points(&self, table: &Table, rows: &[usize]) -> Points {
        let (mut numbers, mut codes) = (Vec::new(), Vec::new());
        for &row in rows {
            for axis in &self.columns {
                match axis {
                    Axis::Number { column, mean, sd } => {
                        let cell = table.numbers(*column)[row];
                        // Far outside, differences of squares would overflow.
                        let place = ((cell - mean) / sd).clamp(-1e6, 1e6);
                        numbers.push(if cell.is_nan() { 0.0 } else { place });
                    }
                    Axis::Presence { column } => {
                        codes.push(u32::from(table.columns()[*column].is_missing(row)));
                    }
                    Axis::Category { column } => codes.push(table.codes(*column)[row]),
                }
            }
        }
        let count = rows.len().max(1);
        let widths = [numbers.len() / count, codes.len() / count];
        Points { rows: rows.len(), widths, numbers, codes }
    }
}

impl Points {
    fn number(&self, row: usize) -> &[f64] {
        &self.numbers[row * self.widths[0]..][..self.widths[0]]
    }

    fn code(&self, row: usize) -> &[u32] {
        &self.codes[row * self.widths[1]..][..self.widths[1]]
    }

    /// The square of the distance.
    pub(super) fn squared(&self, row: usize, others: &Self, other: usize) -> f64 {
        let numbers = self.number(row).iter().zip(others.number(other));
        let codes = self.code(row).iter().zip(others.code(other));
        let squares: f64 = numbers.map(|(a, b)| (a - b) * (a - b)).sum();
        squares + codes.filter(|(a, b)| a != b).count() as f64
    }

    /// The squares of the distances from each row to all of `others`, summed up by `look`.
    pub(super) fn each<T: Send>(
        &self,
        others: &Self,
        threads: usize,
        look: impl Fn(usize, &[f64]) -> T + Sync,
    ) -> Vec<T> {
        let block = |block: usize| -> Vec<T> {
            let mut squares = vec![0.0; others.rows];
            (block * BLOCK..self.rows.min((block + 1) * BLOCK))
                .map(|row| {
                    for (other, square) in squares.iter_mut().enumerate() {
                        *square = self.squared(row, others, other);
                    }
                    look(row, &squares)
                })
                .collect()
        };
        parallel::map(threads, self.rows.div_ceil(BLOCK), block).into_iter().flatten().collect()
    }

    /// The squares of the distances from each row to the mean of all, where a category's mean is the
    /// vector of its shares.
    pub(super) fn squared_from(&self, centre: &Centre) -> Vec<f64> {
        let one = |row: usize| {
            let numbers = self.number(row).iter().zip(&centre.numbers);
            let squares: f64 = numbers.map(|(a, b)| (a - b) * (a - b)).sum();
            // Half of |e_c - p|^2 = 1 - 2 p_c + sum p^2.
            let codes = self.code(row).iter().zip(&centre.shares).map(|(&code, shares)| {
                let own = shares.get(code_at(code, shares.len())).copied().unwrap_or(0.0);
                (1.0 - 2.0 * own + shares.iter().map(|share| share * share).sum::<f64>()) / 2.0
            });
            squares + codes.sum::<f64>()
        };
        (0..self.rows).map(one).collect()
    }

    pub(super) fn centre(&self) -> Centre {
        let rows = self.rows as f64;
        let [width, columns] = self.widths;
        let mut numbers = vec![0.0; width];
        for row in 0..self.rows {
            numbers.iter_mut().zip(self.number(row)).for_each(|(sum, value)| *sum += value / rows);
        }
        let shares = (0..columns).map(|column| {
            let own = self.codes.iter().skip(column).step_by(columns);
            let most =
                own.clone().filter(|code| **code != MISSING).max().map_or(0, |code| code + 1);
            let mut shares = vec![0.0; most as usize + 1];
            let last = shares.len();
            own.for_each(|&code| shares[code_at(code, last)] += 1.0 / rows);
            shares
        });
        Centre { numbers, shares: shares.collect() }
    }
}

/// Place of a code among shares whose last place is that of missing cells; codes that the shares do
/// not know have none.
fn code_at(code: u32, places: usize) -> usize {
    match code {
        MISSING => places - 1,
        code if (code as usize) < places - 1 => code as usize,
        _ => usize::MAX,
    }
}

/// The mean of some points.
#[derive(Debug)]
pub(super) struct Centre {
    numbers: Vec<f64>,
    shares: Vec<Vec<f64>>,
}
