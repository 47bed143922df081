//! Dividing rows into training and holdout rows.

use crate::places::hex;
use meg_core::{Column, ColumnKind, Rng, Table};
use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Row numbers of the two parts, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Rows for the generator.
    pub train: Vec<usize>,
    /// Rows that the generator never sees.
    pub holdout: Vec<usize>,
}

impl Parts {
    /// SHA-256 (hex) over the row numbers of both parts.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.train, &self.holdout] {
            hash.update((part.len() as u64).to_le_bytes());
            for &row in part {
                hash.update((row as u64).to_le_bytes());
            }
        }
        hex(&hash.finalize())
    }
}

/// What becomes of equal rows. Identifiers and texts do not make rows different: no model learns
/// from them, and two copies of one row are often told apart by a running number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EqualRows {
    /// Each row goes where chance sends it, so that both parts are samples of one law. Training and
    /// holdout rows then have as many equal ones as fresh rows would.
    Apart,
    /// They stay on one side, so that the holdout part holds no row that the training part was
    /// shown. Where many rows are equal the parts then follow different laws: what is common in one
    /// is absent from the other.
    Together,
}

/// Holds out a share of each class of the target column (of all rows without one). A class too small
/// for one holdout row goes to the training part.
pub fn stratified(
    table: &Table,
    target: Option<usize>,
    holdout: f64,
    equal: EqualRows,
    rng: &mut Rng,
) -> Parts {
    let groups = match equal {
        EqualRows::Apart => (0..table.rows()).map(|row| vec![row]).collect(),
        EqualRows::Together => equal_rows(table),
    };
    let mut classes: BTreeMap<u32, Vec<Vec<usize>>> = BTreeMap::new();
    for group in groups {
        classes.entry(class(table, target, group[0])).or_default().push(group);
    }
    let sizes: Vec<usize> =
        classes.values().map(|groups| groups.iter().map(Vec::len).sum()).collect();
    let quotas = quotas(&sizes, holdout);
    let mut parts = Parts { train: Vec::new(), holdout: Vec::new() };
    for (mut groups, quota) in classes.into_values().zip(quotas) {
        groups.shuffle(rng);
        let mut taken = 0;
        for group in groups {
            // A group that does not fit any more trains; a smaller one after it may still fit.
            if taken + group.len() <= quota {
                taken += group.len();
                parts.holdout.extend(group);
            } else {
                parts.train.extend(group);
            }
        }
    }
    parts.train.sort_unstable();
    parts.holdout.sort_unstable();
    parts
}

fn class(table: &Table, target: Option<usize>, row: usize) -> u32 {
    match target.map(|target| &table.columns()[target]) {
        Some(Column::Codes(codes)) => codes[row],
        _ => 0,
    }
}

/// Holdout rows of each class: its share rounded down, and what is then missing of the whole
/// table's share one by one to the largest remainders. A share below one row is none.
fn quotas(sizes: &[usize], holdout: f64) -> Vec<usize> {
    let share = |size: usize| size as f64 * holdout;
    let mut quotas: Vec<usize> = sizes.iter().map(|&size| share(size).floor() as usize).collect();
    let whole = share(sizes.iter().sum()).round() as usize;
    let mut order: Vec<usize> = (0..sizes.len()).filter(|&class| quotas[class] > 0).collect();
    order.sort_by(|&a, &b| share(sizes[b]).fract().total_cmp(&share(sizes[a]).fract()));
    let missing = whole.saturating_sub(quotas.iter().sum());
    for class in order.into_iter().take(missing) {
        quotas[class] += 1;
    }
    quotas
}

/// The rows in groups of equal ones, in the order of their first rows.
fn equal_rows(table: &Table) -> Vec<Vec<usize>> {
    let columns = telling(table);
    let texts: Vec<HashMap<&str, u64>> = columns.iter().map(|column| numbered(column)).collect();
    let mut places: HashMap<Vec<u64>, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut key = Vec::with_capacity(columns.len());
    for row in 0..table.rows() {
        key.clear();
        key.extend(columns.iter().zip(&texts).map(|(column, texts)| match column {
            // Adding zero turns -0 into 0, which equals it.
            Column::Numbers(cells) if cells[row].is_nan() => u64::MAX,
            Column::Numbers(cells) => (cells[row] + 0.0).to_bits(),
            Column::Codes(cells) => u64::from(cells[row]),
            Column::Texts(cells) => cells[row].as_deref().map_or(u64::MAX, |text| texts[text]),
        }));
        match places.get(key.as_slice()) {
            Some(&place) => groups[place].push(row),
            None => {
                places.insert(key.clone(), groups.len());
                groups.push(vec![row]);
            }
        }
    }
    groups
}

/// The columns that make rows different: all but identifiers and texts, or all where nothing else
/// is there.
fn telling(table: &Table) -> Vec<&Column> {
    let silent = |kind: &ColumnKind| matches!(kind, ColumnKind::Identifier | ColumnKind::Text);
    let columns = table.columns().iter().zip(&table.schema().columns);
    let chosen: Vec<&Column> =
        columns.filter(|(_, spec)| !silent(&spec.kind)).map(|(column, _)| column).collect();
    if chosen.is_empty() { table.columns().iter().collect() } else { chosen }
}

fn numbered(column: &Column) -> HashMap<&str, u64> {
    let mut numbers = HashMap::new();
    if let Column::Texts(cells) = column {
        for text in cells.iter().flatten() {
            let next = numbers.len() as u64;
            numbers.entry(text.as_str()).or_insert(next);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, MISSING, Schema, Seed};
    use rand::Rng as _;

    fn table(values: &[f64], classes: &[u32]) -> Table {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None),
            ColumnSpec::category("class", ["a", "b", "c"]).nullable(),
        ])
        .unwrap();
        let columns = vec![Column::Numbers(values.to_vec()), Column::Codes(classes.to_vec())];
        Table::new(schema, columns).unwrap()
    }

    fn split(table: &Table, seed: u64) -> Parts {
        stratified(table, Some(1), 0.2, EqualRows::Together, &mut Seed(seed).stream("split"))
    }

    #[test]
    fn classes_keep_their_shares_and_small_ones_train() {
        let values: Vec<f64> = (0..203).map(f64::from).collect();
        let classes: Vec<u32> = (0..203)
            .map(|row| match row {
                0..=99 => 0,
                100..=149 => 1,
                150..=151 => 2,
                _ => MISSING,
            })
            .collect();
        let table = table(&values, &classes);
        let parts = split(&table, 1);
        assert_eq!((parts.train.len(), parts.holdout.len()), (162, 41));
        let held = |class| parts.holdout.iter().filter(|&&row| classes[row] == class).count();
        assert_eq!((held(0), held(1), held(2), held(MISSING)), (20, 10, 0, 11));
        let mut all = [parts.train.clone(), parts.holdout.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..203).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let table = table(&values, &[0; 50]);
        assert_eq!(split(&table, 1), split(&table, 1));
        assert_eq!(split(&table, 1).hash(), split(&table, 1).hash());
        assert_ne!(split(&table, 1).hash(), split(&table, 2).hash());
    }

    #[test]
    fn equal_rows_stay_on_one_side() {
        let values: Vec<f64> = (0..100).map(|row| f64::from(row / 4)).collect();
        let table = table(&values, &[0; 100]);
        let parts = split(&table, 3);
        assert_eq!(parts.holdout.len(), 20);
        for &row in &parts.holdout {
            assert!(parts.train.iter().all(|&other| values[other] != values[row]));
        }
    }

    /// Both parts then have the law of the table, and the holdout part as many rows that equal a
    /// training row as fresh rows would have.
    #[test]
    fn equal_rows_part_by_chance() {
        let mut rng = Seed(9).stream("rows");
        let values: Vec<f64> = (0..4_000).map(|_| f64::from(rng.random_range(0..8))).collect();
        let table = table(&values, &[0; 4_000]);
        let mut rng = Seed(1).stream("split");
        let parts = stratified(&table, Some(1), 0.2, EqualRows::Apart, &mut rng);
        assert_eq!(parts.holdout.len(), 800);
        for value in 0..8 {
            let of = |rows: &[usize]| {
                let equal = rows.iter().filter(|&&row| values[row] == f64::from(value)).count();
                equal as f64 / rows.len() as f64
            };
            let [train, holdout] = [&parts.train, &parts.holdout].map(|rows| of(rows));
            assert!((train - 0.125).abs() < 0.02 && (holdout - 0.125).abs() < 0.04, "{value}");
        }
    }

    fn of_kind(kind: ColumnKind, values: Option<Vec<f64>>) -> Table {
        let keys = (0..100).map(|row| Some(format!("k{row}"))).collect();
        let mut specs = vec![ColumnSpec { kind, ..ColumnSpec::number("key", None) }];
        let mut columns = vec![Column::Texts(keys)];
        if let Some(values) = values {
            specs.push(ColumnSpec::number("x", None));
            columns.push(Column::Numbers(values));
        }
        Table::new(Schema::new(specs).unwrap(), columns).unwrap()
    }

    #[test]
    fn a_running_number_does_not_make_rows_different() {
        let values: Vec<f64> = (0..100).map(|row| f64::from(row / 4)).collect();
        for kind in [ColumnKind::Identifier, ColumnKind::Text] {
            let groups = equal_rows(&of_kind(kind.clone(), Some(values.clone())));
            assert_eq!((groups.len(), groups[0].as_slice()), (25, &[0, 1, 2, 3][..]));
            // Nothing else is left to compare.
            assert_eq!(equal_rows(&of_kind(kind, None)).len(), 100);
        }
    }
}
