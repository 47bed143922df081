//! Single columns of training and synthetic rows beside each other, as shares of classes.

use crate::curves::rounded;
use eval::Comparison;
use meg_core::{Column, ColumnKind, ColumnSpec, Table};
use serde::{Deserialize, Serialize};

/// Columns that are shown at most.
const COLUMNS: usize = 60;

/// Classes of a number, all of one width.
const BINS: usize = 20;

/// Levels that are shown at most; the rest is one class.
const LEVELS: usize = 12;

/// Share of the training cells that may lie before the first bin, and as many behind the last: a
/// single cell far out would leave one bin for all others.
const TAIL: f64 = 0.01;

/// How often each class of a column occurs, as shares of all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Name of the column.
    pub column: String,
    /// Names of the classes; a bin of a number is called by where it begins, and takes in what lies
    /// before the first or behind the last.
    pub classes: Vec<String>,
    /// Whether the classes are bins of a number or moment (the last may be that of missing cells).
    pub bins: bool,
    /// Shares among training rows.
    pub real: Vec<f64>,
    /// Shares among synthetic rows.
    pub synthetic: Vec<f64>,
}

/// The columns in table order, 60 at most, without identifiers and free text. Bins and levels are
/// those of the training rows.
pub fn columns(comparison: &Comparison<'_>) -> Vec<Beside> {
    let Comparison { train, synthetic, .. } = *comparison;
    if train.rows() == 0 || synthetic.rows() == 0 {
        return Vec::new();
    }
    let specs = train.schema().columns.iter().enumerate();
    specs.filter_map(|(at, spec)| beside(spec, at, [train, synthetic])).take(COLUMNS).collect()
}

fn beside(spec: &ColumnSpec, at: usize, tables: [&Table; 2]) -> Option<Beside> {
    let (mut classes, counts) = match &tables[0].columns()[at] {
        Column::Numbers(_) => bins(spec, tables.map(|table| table.numbers(at)))?,
        Column::Codes(_) => levels(spec, tables.map(|table| table.codes(at))),
        Column::Texts(_) => return None,
    };
    let missing = tables.map(|table| {
        let cells = &table.columns()[at];
        (0..table.rows()).filter(|&row| cells.is_missing(row)).count()
    });
    let any = missing.iter().any(|&count| count > 0);
    classes.extend(any.then(|| "missing".to_owned()));
    let shares = |side: usize| -> Vec<f64> {
        let all = counts[side].iter().copied().chain(any.then_some(missing[side]));
        all.map(|count| rounded(count as f64 / tables[side].rows() as f64)).collect()
    };
    Some(Beside {
        column: spec.name.clone(),
        bins: spec.is_numeric(),
        real: shares(0),
        synthetic: shares(1),
        classes,
    })
}

/// Where each bin begins, and the cells of both sides in it; `None` without an observed cell.
fn bins(spec: &ColumnSpec, sides: [&[f64]; 2]) -> Option<(Vec<String>, [Vec<usize>; 2])> {
    let mut sorted: Vec<f64> = sides[0].iter().copied().filter(|cell| !cell.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let cut = (TAIL * last as f64) as usize;
    let (low, high) = (sorted[cut], sorted[last - cut]);
    let width = (high - low) / BINS as f64;
    let bin = |cell: f64| match width > 0.0 {
        true => (((cell - low) / width).max(0.0) as usize).min(BINS - 1),
        false => 0,
    };
    let count = if width > 0.0 { BINS } else { 1 };
    let counts = sides.map(|cells| {
        let mut counts = vec![0; count];
        cells.iter().filter(|cell| !cell.is_nan()).for_each(|&cell| counts[bin(cell)] += 1);
        counts
    });
    let begins = |at: usize| written(spec, low + at as f64 * width);
    Some(((0..count).map(begins).collect(), counts))
}

fn written(spec: &ColumnSpec, value: f64) -> String {
    match spec.kind {
        ColumnKind::Number { decimals: None } => format!("{value:.3}"),
        _ => spec.text(spec.snap(value)).unwrap_or_else(|| value.to_string()),
    }
}

/// The levels most frequent among training rows, and the cells of both sides in each.
fn levels(spec: &ColumnSpec, sides: [&[u32]; 2]) -> (Vec<String>, [Vec<usize>; 2]) {
    let levels = spec.levels();
    let counted = sides.map(|codes| {
        let mut counts = vec![0; levels.len()];
        for &code in codes {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        counts
    });
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|&level| std::cmp::Reverse(counted[0][level]));
    let (shown, rest) = order.split_at(order.len().min(LEVELS));
    let mut classes: Vec<String> = shown.iter().map(|&level| levels[level].clone()).collect();
    if !rest.is_empty() {
        classes.push(format!("{} others", rest.len()));
    }
    let counts = counted.map(|counts| {
        let others: usize = rest.iter().map(|&level| counts[level]).sum();
        let shown = shown.iter().map(|&level| counts[level]);
        shown.chain((!rest.is_empty()).then_some(others)).collect()
    });
    (classes, counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{MISSING, Schema, Seed};

    fn table(numbers: Vec<f64>, codes: Vec<u32>) -> Table {
        let levels: Vec<String> = (0..15).map(|level| format!("l{level}")).collect();
        let specs = vec![
            ColumnSpec::number("x", 1).nullable(),
            ColumnSpec::category("c", levels).nullable(),
            ColumnSpec::new("id", ColumnKind::Identifier),
        ];
        let ids = (0..codes.len()).map(|row| Some(row.to_string())).collect();
        let columns = vec![Column::Numbers(numbers), Column::Codes(codes), Column::Texts(ids)];
        Table::new(Schema::new(specs).unwrap(), columns).unwrap()
    }

    #[test]
    fn shares_are_of_all_rows_and_classes_of_training_rows() {
        let mut numbers: Vec<f64> = (0..200).map(f64::from).collect();
        numbers[7] = 1e6;
        let codes = (0..200).map(|row| if row % 4 == 0 { 14 } else { row % 14 }).collect();
        let train = table(numbers, codes);
        let synthetic = table(vec![f64::NAN, -9.0, 5.0, 1e9], vec![MISSING, 14, 14, 0]);
        let comparison = Comparison {
            train: &train,
            holdout: None,
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let told = columns(&comparison);
        assert_eq!(told.len(), 2, "no identifiers");
        let [x, c] = &told[..] else { unreachable!() };
        assert!(x.bins && x.classes.len() == BINS + 1 && x.classes[0] == "1.0", "{x:?}");
        assert_eq!(x.classes.last().unwrap(), "missing");
        // What lies far out is in the outer bins, and the share of the missing cells is kept.
        assert_eq!((x.synthetic[0], x.synthetic[BINS - 1], x.synthetic[BINS]), (0.5, 0.25, 0.25));
        assert!((x.real.iter().sum::<f64>() - 1.0).abs() < 1e-3, "{x:?}");
        assert!(x.real[5] > 0.04 && x.real[5] < 0.06, "the outlier leaves bins to the others");
        assert_eq!((c.classes[0].as_str(), c.classes.len()), ("l14", LEVELS + 2));
        assert_eq!(c.classes[LEVELS], "3 others");
        assert_eq!((c.real[0], c.synthetic[0], c.synthetic[LEVELS + 1]), (0.25, 0.5, 0.25));
    }
}
