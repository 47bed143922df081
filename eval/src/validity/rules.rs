//! Columns whose level decides that of another, found in the real rows.

use crate::{
    Comparison, Score,
    score::{Gap, Goal, Kind, Reading, listed},
    tables::reference_rows,
};
use meg_core::{MISSING, Table};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KIND: Kind =
    Kind { name: "rule_violations", goal: Goal::Reference, range: [Some(0.0), Some(1.0)] };

/// Share of real rows, training and holdout, that a rule must hold for.
const HOLDS: f64 = 0.995;

/// A rule is of no interest if guessing the most frequent level does as well.
const FREQUENT: f64 = 0.95;

/// Training rows per level of the deciding column at least, on average: a key decides everything.
const ROWS_PER_LEVEL: usize = 10;

/// The table-wide score of all rules that were found.
pub(super) fn score(comparison: &Comparison<'_>) -> Score {
    let Comparison { train, synthetic, .. } = *comparison;
    let reading = |value| Reading::new(value, train.rows(), synthetic.rows());
    if synthetic.rows() == 0 {
        let gap = Gap::undefined("there is no synthetic row");
        return Score::new(&KIND, &[], reading(Err(gap)));
    }
    let holdout = reference_rows(comparison);
    let rules = mined(train, comparison.holdout.filter(|table| table.rows() > 0));
    let mean = |table: &Table| -> Option<f64> {
        let shares: Vec<f64> = rules.iter().filter_map(|rule| rule.broken(table)).collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    };
    let value = match rules.is_empty() {
        true => Err(Gap::undefined("no column of levels decides another in the real rows")),
        false => mean(synthetic).ok_or_else(|| {
            Gap::undefined("no synthetic row has a level that decides another in the real rows")
        }),
    };
    let name = |at: usize| train.schema().columns[at].name.as_str();
    let mut broken: Vec<(f64, String)> = rules
        .iter()
        .filter_map(|rule| {
            let text = format!("{} decides {}", name(rule.deciding), name(rule.decided));
            Some((rule.broken(synthetic)?, text))
        })
        .collect();
    broken.sort_by(|a, b| b.0.total_cmp(&a.0));
    let texts: Vec<String> = broken
        .iter()
        .map(|(share, text)| format!("{text} (broken in {:.1} %)", 100.0 * share))
        .collect();
    let note = (!texts.is_empty()).then(|| listed(&texts));
    Score::new(&KIND, &[], reading(value).note(note))
        .with_reference(holdout.as_deref().and_then(mean))
}

/// The level of one column by that of another; missing is a level.
#[derive(Debug)]
struct Rule {
    deciding: usize,
    decided: usize,
    levels: BTreeMap<u32, u32>,
}

impl Rule {
    /// The most frequent level of the one column for each of the other.
    fn of(train: &Table, deciding: usize, decided: usize) -> Self {
        let mut counts = BTreeMap::<u32, BTreeMap<u32, usize>>::new();
        for (a, b) in train.codes(deciding).iter().zip(train.codes(decided)) {
            *counts.entry(*a).or_default().entry(*b).or_default() += 1;
        }
        let most = |counts: BTreeMap<u32, usize>| {
            let first = counts.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a });
            first.map_or(MISSING, |(level, _)| level)
        };
        let levels = counts.into_iter().map(|(level, counts)| (level, most(counts))).collect();
        Self { deciding, decided, levels }
    }

    /// The share of rows that break it, of those whose deciding level is known.
    fn broken(&self, table: &Table) -> Option<f64> {
        let pairs = table.codes(self.deciding).iter().zip(table.codes(self.decided));
        let known = pairs.filter_map(|(a, b)| Some((self.levels.get(a)?, b)));
        let (mut all, mut broken) = (0usize, 0usize);
        for (want, got) in known {
            all += 1;
            broken += usize::from(want != got);
        }
        (all > 0).then(|| broken as f64 / all as f64)
    }
}

fn mined(train: &Table, holdout: Option<&Table>) -> Vec<Rule> {
    let categories: Vec<usize> =
        (0..train.columns().len()).filter(|&at| train.schema().columns[at].is_category()).collect();
    let levels = |at: usize| train.codes(at).iter().collect::<BTreeSet<_>>().len();
    let counts: BTreeMap<usize, usize> = categories.iter().map(|&at| (at, levels(at))).collect();
    let most_frequent = |at: usize| {
        let mut counts = BTreeMap::<u32, usize>::new();
        train.codes(at).iter().for_each(|&code| *counts.entry(code).or_default() += 1);
        counts.values().max().map_or(1.0, |&most| most as f64 / train.rows() as f64)
    };
    let telling: Vec<usize> =
        categories.iter().copied().filter(|&at| most_frequent(at) < FREQUENT).collect();
    let few: Vec<usize> = categories
        .iter()
        .copied()
        .filter(|at| counts[at] > 1 && counts[at] * ROWS_PER_LEVEL <= train.rows())
        .collect();
    let pairs = few.iter().flat_map(|&a| telling.iter().map(move |&b| (a, b)));
    pairs
        .filter(|(a, b)| a != b)
        .map(|(a, b)| Rule::of(train, a, b))
        .filter(|rule| {
            let holds =
                |table: &Table| rule.broken(table).is_some_and(|share| share <= 1.0 - HOLDS);
            holds(train) && holdout.is_none_or(holds)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Schema, Seed};

    #[test]
    fn a_rule_is_found_and_its_breaking_counted() {
        let schema = Schema::new(vec![
            ColumnSpec::category("town", ["a", "b", "c"]),
            ColumnSpec::category("land", ["x", "y"]),
            ColumnSpec::category("free", ["n", "j"]),
        ])
        .unwrap();
        let table = |broken: usize| {
            let town: Vec<u32> = (0..300).map(|row| row % 3).collect();
            let land = |(row, town): (usize, &u32)| u32::from(*town == 2) ^ u32::from(row < broken);
            let land = town.iter().enumerate().map(land).collect();
            let free = (0..300).map(|row| row / 3 % 2).collect();
            let columns = [town, land, free].map(Column::Codes).to_vec();
            Table::new(schema.clone(), columns).unwrap()
        };
        let (train, synthetic) = (table(0), table(30));
        let comparison = Comparison {
            train: &train,
            holdout: Some(&train),
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let score = score(&comparison);
        assert_eq!((score.value, score.reference), (Some(0.1), Some(0.0)));
        assert_eq!(score.reason.as_deref(), Some("town decides land (broken in 10.0 %)"));
    }
}
