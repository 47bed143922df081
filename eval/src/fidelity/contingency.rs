use super::association::{Absent, Associated};
use crate::{
    numbers::{observed, quantile_of_sorted},
    score::{Gap, Kind, Reading},
};
use meg_core::{Column, MISSING};

pub(super) const CONTINGENCY_SIMILARITY: Kind = Kind::similarity("contingency_similarity");

/// Equal-width bins of a numeric column.
const BINS: usize = 10;

/// Bins of equally many real cells, for shares and mutual information.
pub(super) const QUANTILE_BINS: usize = 20;

/// How the cells of one column are put into classes. Made from the training column alone: edges
/// taken from each table on its own would hide a column that was moved or stretched as a whole.
#[derive(Debug)]
pub(crate) enum Classes {
    /// Levels as they are, missing last.
    Levels(usize),
    /// Inner edges of half-open bins `[edge, next)`; the first and the last bin are open at the
    /// outside. Missing last.
    Edges(Vec<f64>),
    /// The real column is constant: below it, equal to it, above it, missing.
    Constant(f64),
    /// The real column has no observed cell: any cell, missing.
    Unobserved,
}

impl Classes {
    pub(super) fn of(levels: usize, real: &Column) -> Self {
        let Column::Numbers(cells) = real else { return Self::Levels(levels) };
        let least = cells.iter().copied().fold(f64::INFINITY, f64::min);
        let most = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if least > most {
            Self::Unobserved
        } else if least == most {
            Self::Constant(least)
        } else {
            // Halving first keeps the width finite over the whole range of doubles.
            let step = (most / 2.0 - least / 2.0) / BINS as f64 * 2.0;
            Self::Edges((1..BINS).map(|edge| least + step * edge as f64).collect())
        }
    }

    /// The same with so many bins of about equally many real cells; fewer where values repeat.
    pub(crate) fn quantiles(levels: usize, real: &Column, bins: usize) -> Self {
        let equal_width = Self::of(levels, real);
        let (Column::Numbers(cells), Self::Edges(_)) = (real, &equal_width) else {
            return equal_width;
        };
        let sorted = observed(cells);
        let mut edges: Vec<f64> =
            (1..bins).map(|edge| quantile_of_sorted(&sorted, edge as f64 / bins as f64)).collect();
        edges.dedup();
        Self::Edges(edges)
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Levels(levels) => levels + 1,
            Self::Edges(edges) => edges.len() + 2,
            Self::Constant(_) => 4,
            Self::Unobserved => 2,
        }
    }

    /// The class of each cell.
    pub(crate) fn assign(&self, column: &Column) -> Coded {
        let missing = self.count() as u32 - 1;
        let number = |cell: f64| match self {
            _ if cell.is_nan() => missing,
            Self::Edges(edges) => edges.partition_point(|&edge| edge <= cell) as u32,
            Self::Constant(real) => (cell >= *real) as u32 + (cell > *real) as u32,
            _ => 0,
        };
        let cells = match column {
            Column::Numbers(cells) => cells.iter().map(|&cell| number(cell)).collect(),
            Column::Codes(cells) => {
                cells.iter().map(|&code| if code == MISSING { missing } else { code }).collect()
            }
            Column::Texts(_) => Vec::new(),
        };
        Coded { cells, classes: self.count() }
    }
}

/// A column as classes.
#[derive(Debug)]
pub(crate) struct Coded {
    cells: Vec<u32>,
    classes: usize,
}

impl Coded {
    /// Rows of each class.
    pub(super) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.cells.iter().for_each(|&class| counts[class as usize] += 1);
        counts
    }

    pub(crate) fn cells(&self) -> &[u32] {
        &self.cells
    }
}

/// How many rows fall into each cell of the table of two columns; cells without rows are left out.
#[derive(Debug)]
pub(super) struct Contingency {
    /// Cell and rows, cells ascending.
    counts: Vec<(u64, u32)>,
    /// Classes of the second column.
    width: u64,
    rows: usize,
}

impl Contingency {
    pub(super) fn of(a: &Coded, b: &Coded) -> Self {
        let width = b.classes as u64;
        let keys =
            || a.cells.iter().zip(&b.cells).map(|(&a, &b)| u64::from(a) * width + u64::from(b));
        let rows = a.cells.len();
        let cells = a.classes as u64 * width;
        // A full table is fastest where it is not much larger than the number of rows.
        let counts = if cells <= 4 * rows as u64 + 1_024 {
            let mut full = vec![0u32; cells as usize];
            keys().for_each(|key| full[key as usize] += 1);
            let numbered = full.into_iter().enumerate().map(|(key, count)| (key as u64, count));
            numbered.filter(|(_, count)| *count > 0).collect()
        } else {
            let mut sorted: Vec<u64> = keys().collect();
            sorted.sort_unstable();
            sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
        };
        Self { counts, width, rows }
    }

    /// Cramer's V with the bias correction of Bergsma (2013), over the rows and columns that have
    /// counts; absent where a column has one class only, or too many for so few rows.
    ///
    /// `phi2 = max(0, chi2/n - (r-1)(k-1)/(n-1))`, `r' = r - (r-1)^2/(n-1)`, likewise `k'`,
    /// `V = sqrt(phi2 / min(r'-1, k'-1))`. Without the correction many classes look dependent
    /// however independent they are.
    pub(super) fn cramers_v(&self) -> Associated {
        let n = self.rows as f64;
        let rows = self.margin(|key| key / self.width);
        let columns = self.margin(|key| key % self.width);
        let (r, k) = (rows.len() as f64, columns.len() as f64);
        let found = |value| Associated { value, complete: self.rows, rows: self.rows };
        if rows.len() < 2 || columns.len() < 2 {
            return found(Err(Absent::Constant));
        }
        let of = |margin: &[(u64, u64)], class: u64| {
            margin.binary_search_by_key(&class, |(class, _)| *class).map_or(0, |at| margin[at].1)
        };
        // sum (O-E)^2/E = n (sum O^2/(row sum * column sum) - 1) needs no empty cells.
        let fit: f64 = self
            .counts
            .iter()
            .map(|&(key, count)| {
                let expected =
                    of(&rows, key / self.width) as f64 * of(&columns, key % self.width) as f64;
                f64::from(count).powi(2) / expected
            })
            .sum();
        let phi2 = (fit - 1.0 - (r - 1.0) * (k - 1.0) / (n - 1.0)).max(0.0);
        let corrected = |classes: f64| classes - (classes - 1.0).powi(2) / (n - 1.0);
        // With as many classes as rows the correction leaves nothing to divide by.
        let freedom = (corrected(r) - 1.0).min(corrected(k) - 1.0);
        found(if freedom > 0.0 { Ok((phi2 / freedom).sqrt()) } else { Err(Absent::Crowded) })
    }

    /// Mutual information over the geometric mean of the entropies, in 0..=1; absent where a column
    /// has one class only.
    pub(super) fn normalised_information(&self) -> Associated {
        let n = self.rows as f64;
        let rows = self.margin(|key| key / self.width);
        let columns = self.margin(|key| key % self.width);
        let found = |value| Associated { value, complete: self.rows, rows: self.rows };
        if rows.len() < 2 || columns.len() < 2 {
            return found(Err(Absent::Constant));
        }
        let entropy = |counts: &mut dyn Iterator<Item = u64>| -> f64 {
            counts.map(|count| count as f64 / n).map(|share| -share * share.ln()).sum()
        };
        let of_rows = entropy(&mut rows.iter().map(|cell| cell.1));
        let of_columns = entropy(&mut columns.iter().map(|cell| cell.1));
        let of_both = entropy(&mut self.counts.iter().map(|cell| u64::from(cell.1)));
        let information = (of_rows + of_columns - of_both).max(0.0);
        found(Ok((information / (of_rows * of_columns).sqrt()).min(1.0)))
    }

    fn margin(&self, class: impl Fn(u64) -> u64) -> Vec<(u64, u64)> {
        let mut parts: Vec<(u64, u64)> =
            self.counts.iter().map(|&(key, count)| (class(key), u64::from(count))).collect();
        parts.sort_unstable();
        parts
            .chunk_by(|a, b| a.0 == b.0)
            .map(|run| (run[0].0, run.iter().map(|(_, count)| count).sum()))
            .collect()
    }
}

/// `1 - 1/2 sum over cells of |P_R(a, b) - P_S(a, b)|` for a pair with a category.
///
/// In 0..=1, higher is better. Numbers are cut at the edges of 10 equal-width bins of the real
/// training column with open ends; missing is a class of its own. Undefined when a side has no row.
/// Source: `ContingencySimilarity` of SDMetrics; its quality report bins either table on its own
/// edges, which cannot see a column that was moved or stretched.
pub(super) fn contingency_similarity(real: &Contingency, synthetic: &Contingency) -> Reading {
    let value = match (real.rows, synthetic.rows) {
        (0, _) => Err(Gap::undefined("there is no real row")),
        (_, 0) => Err(Gap::undefined("there is no synthetic row")),
        _ => Ok((1.0 - total_variation(real, synthetic)).max(0.0)),
    };
    Reading::new(value, real.rows, synthetic.rows)
}

fn total_variation(a: &Contingency, b: &Contingency) -> f64 {
    let share = |count: u32, rows: usize| f64::from(count) / rows as f64;
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.counts.len() || j < b.counts.len() {
        let key_a = a.counts.get(i).map_or(u64::MAX, |cell| cell.0);
        let key_b = b.counts.get(j).map_or(u64::MAX, |cell| cell.0);
        let mut difference = 0.0;
        if key_a <= key_b {
            difference += share(a.counts[i].1, a.rows);
            i += 1;
        }
        if key_b <= key_a {
            difference -= share(b.counts[j].1, b.rows);
            j += 1;
        }
        sum += difference.abs();
    }
    sum / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(cells: &[f64]) -> Column {
        Column::Numbers(cells.to_vec())
    }

    #[test]
    fn bins_are_open_at_the_ends() {
        let classes = Classes::of(0, &numbers(&[0.0, 10.0, f64::NAN]));
        let cells = [-5.0, 0.0, 0.999, 1.0, 9.5, 10.0, 99.0, f64::NAN];
        assert_eq!(classes.assign(&numbers(&cells)).cells, [0, 0, 0, 1, 9, 9, 9, 10]);
    }

    #[test]
    fn a_constant_real_column_still_shows_other_values() {
        let classes = Classes::of(0, &numbers(&[3.0, 3.0]));
        assert_eq!(classes.assign(&numbers(&[2.0, 3.0, 4.0, f64::NAN])).cells, [0, 1, 2, 3]);
        let classes = Classes::of(0, &numbers(&[f64::NAN]));
        assert_eq!(classes.assign(&numbers(&[2.0, f64::NAN])).cells, [0, 1]);
    }

    #[test]
    fn full_and_sorted_counting_agree() {
        let cells: Vec<u32> = (0..600).map(|row| row * 7 % 40).collect();
        let few = Coded { cells: cells.clone(), classes: 41 };
        let many = Coded { cells, classes: 100_000 };
        let (full, sorted) = (Contingency::of(&few, &few), Contingency::of(&many, &many));
        assert_eq!(full.counts.len(), sorted.counts.len());
        assert!(
            (full.cramers_v().value.unwrap() - sorted.cramers_v().value.unwrap()).abs() < 1e-12
        );
        assert!(full.cramers_v().value.unwrap() > 0.9);
    }

    #[test]
    fn cramers_v_agrees_with_golden_values() {
        let expected: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/expected.json")).unwrap();
        let mut lines = include_str!("../../tests/golden/train.csv").lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let coded = |name: &str| {
            let at = names.iter().position(|column| *column == name).unwrap();
            let mut levels: Vec<&str> = rows.iter().map(|row| row[at]).collect();
            levels.sort_unstable();
            levels.dedup();
            let code = |row: &Vec<&str>| levels.binary_search(&row[at]).unwrap() as u32;
            Coded { cells: rows.iter().map(code).collect(), classes: levels.len() + 1 }
        };
        for (pair, want) in expected["cramers_v_bias_corrected_real"].as_object().unwrap() {
            let (a, b) = pair.split_once('|').unwrap();
            let got = Contingency::of(&coded(a), &coded(b)).cramers_v().value.unwrap();
            assert!((got - want.as_f64().unwrap()).abs() < 1e-9, "{pair}: {got}, expected {want}");
        }
    }
}
