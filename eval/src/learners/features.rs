use crate::tables::is_modelled;
use meg_core::{Column, ColumnKind, MISSING, Table};

/// Levels of a category that get an indicator of their own; the rest share one.
const KEPT_LEVELS: usize = 50;

/// The same in the CTGAN paper's features, which have no such limit: more would not fit into memory.
const MOST_LEVELS: usize = 1_000;

/// Scaled values are cut here, so that one absurd synthetic number cannot overflow a learner.
const LIMIT: f64 = 100.0;

/// Columns as numbers, in one of two ways.
///
/// [`Features::fit`]: fitted on the real training rows and used for every source, so that learners of real and of
/// synthetic rows see the same features. Numbers: missing cells become the training median, plus
/// an indicator where training cells are missing. Categories: an indicator per level that occurs in
/// training; of more than 50 such levels the 50 most frequent, the rest together as "other". A
/// level that training lacks sets no indicator (or "other"). Everything is then standardised by its
/// mean and standard deviation over the training rows; what is constant there is left out.
///
/// [`Features::as_in_ctgan`]: those of the CTGAN paper's evaluation. Numbers that are not negative
/// and reach 1 000 become `ln(max(x, 0.01))`, others are spread over 0 to 5; categories of two
/// levels and ordered ones become their code, others an indicator per level; nothing is
/// standardised. The paper's tables have no missing cells: they are treated as above here.
#[derive(Debug)]
pub(crate) struct Features {
    raw: Vec<Raw>,
    /// How each raw feature is scaled, `None` where it is constant.
    scales: Vec<Option<Scale>>,
}

#[derive(Debug, Clone, Copy)]
enum Scale {
    /// Minus the first, over the second.
    Line(f64, f64),
    /// The natural logarithm, of 0.01 at least.
    Logarithm,
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
    Number {
        column: usize,
        median: f64,
    },
    Missing {
        column: usize,
    },
    Level {
        column: usize,
        code: u32,
    },
    /// The code, or this one where the cell is missing.
    Code {
        column: usize,
        usual: u32,
    },
    Other {
        column: usize,
        kept: Vec<bool>,
    },
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
        let raw = raw_features(train, target, |column| {
            let levels = train.schema().columns[column].levels().len();
            of_codes(column, levels, train.codes(column), KEPT_LEVELS)
        });
        let rows = train.rows() as f64;
        let scale = |feature: &Raw| {
            let values = || (0..train.rows()).map(|row| feature.value(train, row));
            let mean = values().sum::<f64>() / rows;
            let sd = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
            (sd.is_finite() && sd > 0.0 && varies(values())).then_some(Scale::Line(mean, sd))
        };
        let scales = raw.iter().map(scale).collect();
        Self { raw, scales }
    }

    /// The columns but this one, as the CTGAN paper's evaluation has them.
    pub(crate) fn as_in_ctgan(train: &Table, target: usize) -> Self {
        let raw = raw_features(train, Some(target), |column| as_code_or_levels(train, column));
        let scale = |feature: &Raw| {
            let values = || (0..train.rows()).map(|row| feature.value(train, row));
            let least = values().fold(f64::INFINITY, f64::min);
            let most = values().fold(f64::NEG_INFINITY, f64::max);
            match feature {
                _ if !varies(values()) || !(most - least).is_finite() => None,
                Raw::Number { .. } if least >= 0.0 && most >= 1e3 => Some(Scale::Logarithm),
                Raw::Number { .. } => Some(Scale::Line(least, (most - least) / 5.0)),
                _ => Some(Scale::Line(0.0, 1.0)),
            }
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
        let used: Vec<(&Raw, Scale)> = self
            .raw
            .iter()
            .zip(&self.scales)
            .filter_map(|(raw, scale)| Some((raw, (*scale)?)))
            .collect();
        let mut values = Vec::with_capacity(rows.len() * used.len());
        for &row in rows {
            values
                .extend(used.iter().map(|(feature, scale)| scale.apply(feature.value(table, row))));
        }
        Design { rows: rows.len(), width: used.len(), values }
    }
}

impl Scale {
    fn apply(self, value: f64) -> f64 {
        let scaled = match self {
            Self::Line(from, length) => (value - from) / length,
            Self::Logarithm => value.max(0.01).ln(),
        };
        scaled.clamp(-LIMIT, LIMIT)
    }
}

impl Raw {
    fn column(&self) -> usize {
        match self {
            Raw::Number { column, .. }
            | Raw::Missing { column }
            | Raw::Level { column, .. }
            | Raw::Code { column, .. }
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
            Raw::Code { column, usual } => {
                let code = table.codes(*column)[row];
                f64::from(if code == MISSING { *usual } else { code })
            }
            Raw::Other { column, kept } => {
                let code = table.codes(*column)[row];
                indicator(code != MISSING && !kept[code as usize])
            }
        }
    }
}

/// The features of all columns but the target, those of categories as told.
fn raw_features(
    train: &Table,
    target: Option<usize>,
    of_category: impl Fn(usize) -> Vec<Raw>,
) -> Vec<Raw> {
    (0..train.columns().len())
        .filter(|&column| Some(column) != target && is_modelled(train, column))
        .flat_map(|column| match &train.columns()[column] {
            Column::Numbers(cells) => of_numbers(column, cells),
            _ => of_category(column),
        })
        .collect()
}

fn varies(mut values: impl Iterator<Item = f64>) -> bool {
    let first = values.next();
    values.any(|value| Some(value) != first)
}

fn as_code_or_levels(train: &Table, column: usize) -> Vec<Raw> {
    let spec = &train.schema().columns[column];
    let (codes, levels) = (train.codes(column), spec.levels().len());
    let is_ordered = matches!(spec.kind, ColumnKind::Category { ordered: true, .. });
    if levels > 2 && !is_ordered {
        return of_codes(column, levels, codes, MOST_LEVELS);
    }
    let mut counts = vec![0usize; levels];
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
    let most = (0..levels).fold(0, |best, at| if counts[at] > counts[best] { at } else { best });
    let mut features = vec![Raw::Code { column, usual: most as u32 }];
    if codes.contains(&MISSING) {
        features.push(Raw::Missing { column });
    }
    features
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

fn of_codes(column: usize, levels: usize, codes: &[u32], most: usize) -> Vec<Raw> {
    let mut counts = vec![0usize; levels];
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
    let mut seen: Vec<usize> = (0..levels).filter(|&level| counts[level] > 0).collect();
    // The sort is stable: of equally frequent levels the first in the schema are kept.
    seen.sort_by_key(|&level| std::cmp::Reverse(counts[level]));
    let many = seen.len() > most;
    seen.truncate(most);
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
        let features = of_codes(0, 100, &codes, KEPT_LEVELS);
        assert_eq!(features.len(), KEPT_LEVELS + 1);
        let Some(Raw::Other { kept, .. }) = features.last() else {
            panic!("no indicator for the rest")
        };
        assert!(kept[..50].iter().all(|kept| *kept) && kept[50..].iter().all(|kept| !kept));
    }

    #[test]
    fn the_papers_features_are_logarithms_fives_codes_and_indicators() {
        let ordered = ColumnKind::Category {
            levels: ["low", "mid", "high"].map(str::to_owned).to_vec(),
            ordered: true,
        };
        let schema = Schema::new(vec![
            ColumnSpec::number("gain", 0),
            ColumnSpec::number("age", 0),
            ColumnSpec::category("sex", ["f", "m"]),
            ColumnSpec::new("grade", ordered),
            ColumnSpec::category("job", ["a", "b", "c"]),
            ColumnSpec::category("y", ["n", "y"]),
        ])
        .unwrap();
        let codes = |codes: [u32; 3]| Column::Codes(codes.to_vec());
        let columns = vec![
            Column::Numbers(vec![0.0, 5.0, 2_000.0]),
            Column::Numbers(vec![20.0, 40.0, 70.0]),
            codes([0, 1, 0]),
            codes([0, 1, 2]),
            codes([0, 1, 2]),
            codes([0, 0, 1]),
        ];
        let train = Table::new(schema, columns).unwrap();
        let design = Features::as_in_ctgan(&train, 5).design(&train, &[0, 1]);
        let want = [0.01f64.ln(), 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        assert_eq!(design.values[..7], want);
        assert_eq!(design.values[7..], [5f64.ln(), 2.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
    }
}
