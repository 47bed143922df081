use crate::tables::is_modelled;
use meg_core::{Column, MISSING, Table};

/// Levels of a category that get an indicator of their own; the rest share one.
const KEPT_LEVELS: usize = 50;

/// Standardised values are cut here, so that one absurd synthetic number cannot overflow a learner.
const LIMIT: f64 = 100.0;

/// Columns as numbers.
///
/// Fitted on the real training rows and used for every source, so that learners of real and of
/// synthetic rows see the same features. Numbers: missing cells become the training median, plus
/// an indicator where training cells are missing. Categories: an indicator per level that occurs in
/// training; of more than 50 such levels the 50 most frequent, the rest together as "other". A
/// level that training lacks sets no indicator (or "other"). Everything is then standardised by its
/// mean and standard deviation over the training rows; what is constant there is left out.
#[derive(Debug)]
pub(crate) struct Features {
    raw: Vec<Raw>,
    /// Mean and standard deviation of each raw feature, `None` where it is constant.
    scales: Vec<Option<(f64, f64)>>,
}

/// Rows of features, row-major.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) values: Vec<f64>,
}

/// One feature before it is standardised.
#[derive(Debug)]
enum Raw {
    Number { column: usize, median: f64 },
    Missing { column: usize },
    Level { column: usize, code: u32 },
    Other { column: usize, kept: Vec<bool> },
}

impl Design {
    /// Some of the rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.width);
        for &row in rows {
            values.extend_from_slice(&self.values[row * self.width..][..self.width]);
        }
        Self { rows: rows.len(), width: self.width, values }
    }

    /// These rows, then the others.
    pub(crate) fn concat(mut self, others: &Self) -> Self {
        self.values.extend_from_slice(&others.values);
        self.rows += others.rows;
        self
    }
}

impl Features {
    /// The columns but this one.
    pub(crate) fn fit(train: &Table, target: Option<usize>) -> Self {
        let raw: Vec<Raw> = (0..train.columns().len())
            .filter(|&column| Some(column) != target && is_modelled(train, column))
            .flat_map(|column| match &train.columns()[column] {
                Column::Numbers(cells) => of_numbers(column, cells),
                _ => {
                    let levels = train.schema().columns[column].levels().len();
                    of_codes(column, levels, train.codes(column))
                }
            })
            .collect();
        let rows = train.rows() as f64;
        let scale = |feature: &Raw| {
            let values = || (0..train.rows()).map(|row| feature.value(train, row));
            let mean = values().sum::<f64>() / rows;
            let sd = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
            let first = values().next();
            let varies = values().any(|value| Some(value) != first);
            Some((mean, sd)).filter(|_| varies && sd.is_finite() && sd > 0.0)
        };
        let scales = raw.iter().map(scale).collect();
        Self { raw, scales }
    }

    /// The column behind each feature of a design.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let used = self.raw.iter().zip(&self.scales).filter(|(_, scale)| scale.is_some());
        used.map(|(raw, _)| raw.column()).collect()
    }

    /// The features of these rows.
    pub(crate) fn design(&self, table: &Table, rows: &[usize]) -> Design {
        let used: Vec<(&Raw, (f64, f64))> = self
            .raw
            .iter()
            .zip(&self.scales)
            .filter_map(|(raw, scale)| Some((raw, (*scale)?)))
            .collect();
        let mut values = Vec::with_capacity(rows.len() * used.len());
        for &row in rows {
            values.extend(used.iter().map(|(feature, (mean, sd))| {
                ((feature.value(table, row) - mean) / sd).clamp(-LIMIT, LIMIT)
            }));
        }
        Design { rows: rows.len(), width: used.len(), values }
    }
}

impl Raw {
    fn column(&self) -> usize {
        match self {
            Raw::Number { column, .. }
            | Raw::Missing { column }
            | Raw::Level { column, .. }
            | Raw::Other { column, .. } => *column,
        }
    }

    fn value(&self, table: &Table, row: usize) -> f64 {
        let indicator = |holds: bool| f64::from(u8::from(holds));
        match self {
            Raw::Number { column, median } => {
                let cell = table.numbers(*column)[row];
                if cell.is_nan() { *median } else { cell }
            }
            Raw::Missing { column } => indicator(table.columns()[*column].is_missing(row)),
            Raw::Level { column, code } => indicator(table.codes(*column)[row] == *code),
            Raw::Other { column, kept } => {
                let code = table.codes(*column)[row];
                indicator(code != MISSING && !kept[code as usize])
            }
        }
    }
}

fn of_numbers(column: usize, cells: &[f64]) -> Vec<Raw> {
    let mut observed: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    if observed.is_empty() {
        return Vec::new();
    }
    observed.sort_unstable_by(f64::total_cmp);
    let middle = observed.len() / 2;
    let median = match observed.len() % 2 {
        0 => observed[middle - 1] / 2.0 + observed[middle] / 2.0,
        _ => observed[middle],
    };
    let mut features = vec![Raw::Number { column, median }];
    if observed.len() < cells.len() {
        features.push(Raw::Missing { column });
    }
    features
}

fn of_codes(column: usize, levels: usize, codes: &[u32]) -> Vec<Raw> {
    let mut counts = vec![0usize; levels];
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
    let mut seen: Vec<usize> = (0..levels).filter(|&level| counts[level] > 0).collect();
    // The sort is stable: of equally frequent levels the first in the schema are kept.
    seen.sort_by_key(|&level| std::cmp::Reverse(counts[level]));
    let many = seen.len() > KEPT_LEVELS;
    seen.truncate(KEPT_LEVELS);
    let mut features: Vec<Raw> =
        seen.iter().map(|&level| Raw::Level { column, code: level as u32 }).collect();
    if many {
        let mut kept = vec![false; levels];
        seen.iter().for_each(|&level| kept[level] = true);
        features.push(Raw::Other { column, kept });
    }
    if codes.contains(&MISSING) {
        features.push(Raw::Missing { column });
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, Schema};

    #[test]
    fn features_are_those_of_the_training_rows() {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::category("c", ["a", "b", "never"]),
            ColumnSpec::category("y", ["n", "y"]),
        ])
        .unwrap();
        let table = |x: Vec<f64>, c: Vec<u32>| {
            let y = vec![0; c.len()];
            let columns = vec![Column::Numbers(x), Column::Codes(c), Column::Codes(y)];
            Table::new(schema.clone(), columns).unwrap()
        };
        let train = table(vec![1.0, 3.0, f64::NAN, f64::NAN], vec![0, 0, 0, 1]);
        let features = Features::fit(&train, Some(2));
        let design = features.design(&table(vec![1e300], vec![2]), &[0]);
        // x, x missing, c = a, c = b; the unseen level is neither.
        assert_eq!((design.rows, design.width), (1, 4));
        assert_eq!(design.values[0], LIMIT);
        assert!(design.values[2] < 0.0 && design.values[3] < 0.0);
    }

    #[test]
    fn rare_levels_share_one_indicator() {
        let codes: Vec<u32> = (0..60).chain(0..10).collect();
        let features = of_codes(0, 100, &codes);
        assert_eq!(features.len(), KEPT_LEVELS + 1);
        let Some(Raw::Other { kept, .. }) = features.last() else {
            panic!("no indicator for the rest")
        };
        assert!(kept[..50].iter().all(|kept| *kept) && kept[50..].iter().all(|kept| !kept));
    }
}
