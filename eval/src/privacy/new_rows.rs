use crate::{
    Comparison, Group, Metric, Score, parallel,
    power::{Law, Sizes, least_share},
    score::{Gap, Kind, Reading},
    significance::more_successes,
    tables::{is_modelled, reference_rows},
};
use meg_core::{MISSING, Table};
use std::collections::HashMap;

const KIND: Kind = Kind::like_holdout("new_row_share");

/// A number matches within this share of the synthetic number's size.
const TOLERANCE: f64 = 0.01;

/// Rows that one thread looks up at a time.
const BLOCK: usize = 256;

/// The share of synthetic rows that no training row matches: equal in every category and missing
/// cell, and within 1 % of the synthetic number's size in every number.
///
/// In 0..=1. Noise has 1 and a copy 0, but tables of few categories have honest matches: best is the
/// value of the holdout rows. A number 0 is matched by 0 alone. Undefined without rows. Source:
/// `NewRowSynthesis` of SDMetrics, whose tolerance this is; it asks for each row in turn.
#[derive(Debug)]
pub(crate) struct NewRows;

impl Metric for NewRows {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn about(&self) -> &'static str {
        "The share of synthetic rows that match no training row, numbers within 1 %."
    }

    fn group(&self) -> Group {
        Group::Privacy
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, threads, .. } = *comparison;
        let index = Index::new(train);
        let value = match (train.rows(), synthetic.rows()) {
            (0, _) => Err(Gap::undefined("there is no training row")),
            (_, 0) => Err(Gap::undefined("there is no synthetic row")),
            _ if index.is_empty() => Err(Gap::undefined("there is no column to compare")),
            _ => Ok(index.new_share(synthetic, threads)),
        };
        let holdout = reference_rows(comparison).filter(|_| value.is_ok());
        let reference = holdout.as_deref().map(|holdout| index.new_share(holdout, threads));
        let reading = Reading::new(value, train.rows(), synthetic.rows());
        let score = Score::new(&KIND, &[], reading).with_reference(reference);
        vec![match (holdout, reference) {
            (Some(holdout), Some(new)) => {
                // A copy is no new row.
                let plain = Law::successes(new * holdout.rows() as f64, holdout.rows());
                let sizes = Sizes::new(synthetic.rows(), Some(holdout.rows()));
                let matched = |share: f64, table: &Table| {
                    let rows = table.rows();
                    (((1.0 - share) * rows as f64).round() as usize, rows)
                };
                let ours = score.value.map(|value| matched(value, synthetic));
                let p_value = ours.map(|ours| more_successes(ours, matched(new, &holdout)));
                score.with_p_value(p_value).with_least_leak(least_share(
                    plain,
                    Law::certain(0.0),
                    sizes,
                ))
            }
            _ => score,
        }]
    }
}

/// Training rows by what must be equal, and within that by their most telling number.
struct Index<'a> {
    train: &'a Table,
    categories: Vec<usize>,
    /// The column of most different cells first.
    numbers: Vec<usize>,
    rows: HashMap<Vec<u32>, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(train: &'a Table) -> Self {
        let columns = (0..train.columns().len()).filter(|&at| is_modelled(train, at));
        let (mut numbers, categories): (Vec<usize>, Vec<usize>) =
            columns.partition(|&at| train.schema().columns[at].is_numeric());
        numbers.sort_by_key(|&at| std::cmp::Reverse(distinct(train.numbers(at))));
        let mut index = Self { train, categories, numbers, rows: HashMap::new() };
        for row in 0..train.rows() {
            index.rows.entry(index.key(train, row)).or_default().push(row);
        }
        if let Some(&first) = index.numbers.first() {
            let cells = train.numbers(first);
            let sort = |rows: &mut Vec<usize>| rows.sort_by(|&a, &b| cells[a].total_cmp(&cells[b]));
            index.rows.values_mut().for_each(sort);
        }
        index
    }

    fn is_empty(&self) -> bool {
        self.categories.is_empty() && self.numbers.is_empty()
    }

    /// What must be equal: the levels, and which cells are missing.
    fn key(&self, table: &Table, row: usize) -> Vec<u32> {
        let codes = self.categories.iter().map(|&at| table.codes(at)[row]);
        let missing = self.numbers.iter().map(|&at| match table.numbers(at)[row].is_nan() {
            true => MISSING,
            false => 0,
        });
        codes.chain(missing).collect()
    }

    fn new_share(&self, table: &Table, threads: usize) -> f64 {
        let blocks = table.rows().div_ceil(BLOCK);
        let new = parallel::map(threads, blocks, |block| {
            let rows = block * BLOCK..table.rows().min((block + 1) * BLOCK);
            rows.filter(|&row| !self.matches(table, row)).count()
        });
        new.into_iter().sum::<usize>() as f64 / table.rows() as f64
    }

    fn matches(&self, table: &Table, row: usize) -> bool {
        let Some(candidates) = self.rows.get(&self.key(table, row)) else { return false };
        let Some(&first) = self.numbers.first() else { return true };
        let cells = self.train.numbers(first);
        let wanted = table.numbers(first)[row];
        // Cells of a missing number are alike: the key has seen to it.
        let from = match wanted.is_nan() {
            true => 0,
            false => {
                let least = wanted - TOLERANCE * wanted.abs();
                candidates.partition_point(|&other| cells[other] < least)
            }
        };
        let near = |at: usize, other: usize| {
            let (wanted, cell) = (table.numbers(at)[row], self.train.numbers(at)[other]);
            wanted.is_nan() || (cell - wanted).abs() <= TOLERANCE * wanted.abs()
        };
        candidates[from..]
            .iter()
            .take_while(|&&other| near(first, other) || cells[other] < wanted)
            .any(|&other| self.numbers.iter().all(|&at| near(at, other)))
    }
}

/// How many different cells there are.
fn distinct(cells: &[f64]) -> usize {
    let mut sorted = cells.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    sorted.len()
}

impl std::fmt::Debug for Index<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("groups", &self.rows.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Rng, Schema, Seed};
    use rand::Rng as _;

    fn table(rows: &[(f64, f64, u32)]) -> Table {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::number("y", None).nullable(),
            ColumnSpec::category("c", ["a", "b"]).nullable(),
        ])
        .unwrap();
        let columns = vec![
            Column::Numbers(rows.iter().map(|row| row.0).collect()),
            Column::Numbers(rows.iter().map(|row| row.1).collect()),
            Column::Codes(rows.iter().map(|row| row.2).collect()),
        ];
        Table::new(schema, columns).unwrap()
    }

    #[test]
    fn small_cases_by_hand() {
        const NAN: f64 = f64::NAN;
        let train = table(&[(100.0, -5.0, 0), (0.0, 1.0, 1), (NAN, 2.0, MISSING)]);
        let is_new = |row| Index::new(&train).new_share(&table(&[row]), 1) == 1.0;
        assert!(!is_new((100.5, -5.04, 0)) && is_new((102.0, -5.0, 0)) && is_new((100.0, -5.1, 0)));
        assert!(is_new((100.0, -5.0, 1)) && is_new((0.001, 1.0, 1)) && !is_new((0.0, 1.0, 1)));
        assert!(!is_new((NAN, 2.01, MISSING)) && is_new((0.0, 2.0, MISSING)));
        assert!(is_new((NAN, 2.0, 0)));
    }

    #[test]
    fn the_index_finds_what_comparing_all_rows_finds() {
        let mut rng = Seed(3).stream("rows");
        let draw = |rng: &mut Rng, rows: usize| -> Vec<(f64, f64, u32)> {
            let cell = |rng: &mut Rng| f64::from(rng.random_range(-30..30)) / 7.0;
            (0..rows).map(|_| (cell(rng), cell(rng), rng.random_range(0..2))).collect()
        };
        let (real, synthetic) = (draw(&mut rng, 400), draw(&mut rng, 300));
        let near = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * b.abs();
        let same = |a: &(f64, f64, u32), b: &(f64, f64, u32)| {
            near(a.0, b.0) && near(a.1, b.1) && a.2 == b.2
        };
        let new = synthetic.iter().filter(|own| !real.iter().any(|other| same(other, own))).count();
        let share = Index::new(&table(&real)).new_share(&table(&synthetic), 2);
        assert_eq!(share, new as f64 / 300.0);
        assert!(share > 0.5 && share < 1.0, "{share}");
    }
}
