//! Rules that hold in real rows: ranges, known levels, unique keys, columns that decide others.

use crate::{
    Comparison, Group, Metric, Score,
    fidelity::by_column,
    numbers::observed,
    score::{Gap, Goal, Kind, Reading, listed},
    tables::reference_rows,
};
use meg_core::{Column, ColumnKind, MISSING, Table};
use std::collections::{BTreeMap, BTreeSet};

const BOUNDARY: Kind = Kind::similarity("boundary_adherence");
const CATEGORY: Kind = Kind::similarity("category_adherence");
const KEYS: Kind = Kind::similarity("key_uniqueness");
const RULES: Kind =
    Kind { name: "rule_violations", goal: Goal::Reference, range: [Some(0.0), Some(1.0)] };

/// Share of real rows, training and holdout, that a rule must hold for.
const HOLDS: f64 = 0.995;

/// A rule is of no interest if guessing the most frequent level does as well.
const FREQUENT: f64 = 0.95;

/// Training rows per level of the deciding column at least, on average: a key decides everything.
const ROWS_PER_LEVEL: usize = 10;

/// Whether synthetic cells keep to what real cells keep to.
///
/// - `boundary_adherence` (numbers): the share of observed cells within the smallest and the largest
///   training cell. Fresh rows fall a little short of 1.
/// - `category_adherence`: the share of observed cells whose level occurs in training.
/// - `key_uniqueness` (identifiers): the share of cells that are not missing and no repetition.
/// - `rule_violations`: of the rules "the level of column A decides that of column B" that hold for
///   99.5 % of the training rows and of the holdout rows, the mean share of synthetic rows that break
///   them; best is that of the holdout rows. Rules that guessing B's most frequent level keeps in 95
///   of 100 rows, and columns A with a level for fewer than 10 rows each, are left out. Undefined
///   where no rule was found.
///
/// In 0..=1. Undefined without a synthetic row and where no training cell is observed. Source: the
/// diagnostic report of SDMetrics, which counts missing cells as out of bounds where the real column
/// has none.
#[derive(Debug)]
pub(crate) struct Validity;

impl Metric for Validity {
    fn name(&self) -> &'static str {
        BOUNDARY.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![BOUNDARY.name, CATEGORY.name, KEYS.name, RULES.name]
    }

    fn about(&self) -> &'static str {
        "Whether synthetic cells keep to the ranges, levels, keys and rules of the real ones."
    }

    fn group(&self) -> Group {
        Group::Validity
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let mut scores = by_column(
            comparison,
            &[BOUNDARY],
            |spec| spec.is_numeric(),
            |at, train, other| vec![boundary(train.numbers(at), other.numbers(at))],
        );
        scores.extend(by_column(
            comparison,
            &[CATEGORY],
            |spec| spec.is_category(),
            |at, train, other| vec![category(train.codes(at), other.codes(at))],
        ));
        scores.extend(keys(comparison));
        scores.push(rules(comparison));
        scores
    }
}

fn boundary(real: &[f64], synthetic: &[f64]) -> Reading {
    let none = synthetic.is_empty();
    let (real, synthetic) = (observed(real), observed(synthetic));
    let value = match (&real[..], none) {
        (_, true) => Err(Gap::undefined("there is no synthetic row")),
        ([], _) => Err(Gap::undefined("no real cell is observed")),
        ([least, ..], _) if synthetic.is_empty() => {
            Err(Gap::undefined(format!("no synthetic cell is observed ({least} is real)")))
        }
        ([least, .., most], _) => Ok(inside(&synthetic, *least, *most)),
        ([only], _) => Ok(inside(&synthetic, *only, *only)),
    };
    Reading::new(value, real.len(), synthetic.len())
}

fn inside(cells: &[f64], least: f64, most: f64) -> f64 {
    let inside = cells.iter().filter(|cell| (least..=most).contains(*cell)).count();
    inside as f64 / cells.len() as f64
}

fn category(real: &[u32], synthetic: &[u32]) -> Reading {
    let known: BTreeSet<u32> = real.iter().copied().filter(|&code| code != MISSING).collect();
    let cells = || synthetic.iter().filter(|&&code| code != MISSING);
    let value = match (known.is_empty(), synthetic.is_empty(), cells().count()) {
        (_, true, _) => Err(Gap::undefined("there is no synthetic row")),
        (true, ..) => Err(Gap::undefined("no real cell is observed")),
        (_, _, 0) => Err(Gap::undefined("no synthetic cell is observed")),
        (_, _, count) => {
            Ok(cells().filter(|code| known.contains(code)).count() as f64 / count as f64)
        }
    };
    Reading::new(value, real.len(), synthetic.len())
}

/// The mean over identifier columns, then each.
fn keys(comparison: &Comparison<'_>) -> Vec<Score> {
    let Comparison { train, synthetic, .. } = *comparison;
    let columns: Vec<usize> = (0..train.columns().len())
        .filter(|&at| matches!(train.schema().columns[at].kind, ColumnKind::Identifier))
        .collect();
    let unique = |table: &Table, at: usize| -> Reading {
        let Column::Texts(cells) = &table.columns()[at] else {
            let gap = Gap::undefined("the identifiers are no texts");
            return Reading::new(Err(gap), train.rows(), table.rows());
        };
        let distinct: BTreeSet<&String> = cells.iter().flatten().collect();
        let value = match cells.is_empty() {
            true => Err(Gap::undefined("there is no synthetic row")),
            false => Ok(distinct.len() as f64 / cells.len() as f64),
        };
        Reading::new(value, train.rows(), table.rows())
    };
    let name = |at: usize| train.schema().columns[at].name.as_str();
    let readings: Vec<Reading> = columns.iter().map(|&at| unique(synthetic, at)).collect();
    let labelled = columns.iter().zip(&readings).map(|(&at, own)| (name(at).to_owned(), own));
    let rows = (train.rows(), synthetic.rows());
    let mut scores = vec![Score::new(&KEYS, &[], crate::score::mean("columns", labelled, rows))];
    let single = columns.iter().zip(readings);
    scores.extend(single.map(|(&at, reading)| Score::new(&KEYS, &[name(at)], reading)));
    scores
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

fn rules(comparison: &Comparison<'_>) -> Score {
    let Comparison { train, synthetic, .. } = *comparison;
    let reading = |value| Reading::new(value, train.rows(), synthetic.rows());
    if synthetic.rows() == 0 {
        let gap = Gap::undefined("there is no synthetic row");
        return Score::new(&RULES, &[], reading(Err(gap)));
    }
    let holdout = reference_rows(comparison);
    let rules = mined(train, comparison.holdout.filter(|table| table.rows() > 0));
    let mean = |table: &Table| -> Option<f64> {
        let shares: Vec<f64> = rules.iter().filter_map(|rule| rule.broken(table)).collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    };
    let value = mean(synthetic)
        .ok_or_else(|| Gap::undefined("no column of levels decides another in the real rows"));
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
    Score::new(&RULES, &[], reading(value).note(note))
        .with_reference(holdout.as_deref().and_then(mean))
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
    use meg_core::{ColumnSpec, Schema, Seed};

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(boundary(&[1.0, 3.0], &[0.0, 1.0, 3.0, f64::NAN]).ok(), Some(2.0 / 3.0));
        assert_eq!(boundary(&[2.0], &[2.0, 3.0]).ok(), Some(0.5));
        assert_eq!(boundary(&[f64::NAN], &[2.0]).ok(), None);
        assert_eq!(category(&[0, 1], &[1, 2, MISSING, 0]).ok(), Some(2.0 / 3.0));
    }

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
        let score = rules(&comparison);
        assert_eq!((score.value, score.reference), (Some(0.1), Some(0.0)));
        assert_eq!(score.reason.as_deref(), Some("town decides land (broken in 10.0 %)"));
    }
}
