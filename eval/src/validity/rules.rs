//! Columns whose level decides that of another, found in the real rows.

use crate::{
    Comparison, Score,
    score::{Gap, Goal, Kind, Reading, listed, mean_for},
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

/// The score of all rules that were found, then of each.
///
/// A rule that no synthetic row is about, because none has a level that real rows have in its left
/// column, is undefined. Where real rows lead to expect some that is the generator's loss, and the
/// mean over the rules has no value either: leaving such a rule out would praise a generator for
/// losing what decides.
pub(super) fn scores(comparison: &Comparison<'_>) -> Vec<Score> {
    let Comparison { train, synthetic, .. } = *comparison;
    let rows = (train.rows(), synthetic.rows());
    if synthetic.rows() == 0 {
        let gap = Gap::undefined("there is no synthetic row");
        return vec![Score::new(&KIND, &[], Reading::new(Err(gap), rows.0, rows.1))];
    }
    let holdout = reference_rows(comparison);
    let rules = mined(train, comparison.holdout.filter(|table| table.rows() > 0));
    if rules.is_empty() {
        let gap = Gap::undefined("no column of levels decides another in the real rows");
        return vec![Score::new(&KIND, &[], Reading::new(Err(gap), rows.0, rows.1))];
    }
    let name = |at: usize| train.schema().columns[at].name.as_str();
    let readings = |table: &Table| -> Vec<Reading> {
        rules.iter().map(|rule| rule.reading(name(rule.deciding), train, table)).collect()
    };
    let text = |rule: &Rule| format!("{} decides {}", name(rule.deciding), name(rule.decided));
    let together = |readings: &[Reading]| {
        let labelled = rules.iter().map(text).zip(readings);
        mean_for(Goal::Minimize, "rules", labelled, rows)
    };
    let ours = readings(synthetic);
    let theirs = holdout.as_deref().map(readings);
    let all = together(&ours);
    let note = broken_most(rules.iter().map(text).zip(&ours));
    // Without a value the reason of the mean stands; with one, what it leaves out is said first.
    let left_out = all.note.clone().filter(|note| note.starts_with("mean over"));
    let note = [left_out, Some(note)].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let reference = theirs.as_deref().and_then(|readings| together(readings).ok());
    let mut scores = vec![Score::new(&KIND, &[], all.note(Some(note))).with_reference(reference)];
    for (at, (rule, reading)) in rules.iter().zip(ours).enumerate() {
        let reference = theirs.as_ref().and_then(|readings| readings[at].ok());
        let columns = [name(rule.deciding), name(rule.decided)];
        scores.push(Score::new(&KIND, &columns, reading).with_reference(reference));
    }
    scores
}

/// The rules and how often they are broken, the worst first.
fn broken_most<'a>(rules: impl Iterator<Item = (String, &'a Reading)>) -> String {
    let mut broken: Vec<(f64, String)> =
        rules.filter_map(|(text, reading)| Some((reading.ok()?, text))).collect();
    broken.sort_by(|a, b| b.0.total_cmp(&a.0));
    let text = |(share, text): &(f64, String)| format!("{text} (broken in {:.1} %)", 100.0 * share);
    listed(&broken.iter().map(text).collect::<Vec<_>>())
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

    /// The share of synthetic rows that break it, or why there is none.
    fn reading(&self, deciding: &str, train: &Table, synthetic: &Table) -> Reading {
        let rows = (train.rows(), synthetic.rows());
        let value = self.broken(synthetic).ok_or_else(|| {
            let reason =
                format!("no synthetic row has a level of {deciding:?} that real rows have");
            // Each real row has one.
            Gap::absent(reason, (rows.0, rows.0), rows.1)
        });
        Reading::new(value, rows.0, rows.1)
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

    fn schema() -> Schema {
        Schema::new(vec![
            ColumnSpec::category("town", ["a", "b", "c", "d"]),
            ColumnSpec::category("land", ["x", "y"]),
            ColumnSpec::category("free", ["n", "j"]),
        ])
        .unwrap()
    }

    /// 300 rows in which the town decides the land, but for the first ones.
    fn table(broken: usize, town: impl Fn(u32) -> u32) -> Table {
        let towns: Vec<u32> = (0..300).map(|row| row % 3).collect();
        let land = |(row, town): (usize, &u32)| u32::from(*town == 2) ^ u32::from(row < broken);
        let land = towns.iter().enumerate().map(land).collect();
        let free = (0..300).map(|row| row / 3 % 2).collect();
        let towns = towns.into_iter().map(town).collect();
        let columns = [towns, land, free].map(Column::Codes).to_vec();
        Table::new(schema(), columns).unwrap()
    }

    fn scored(train: &Table, synthetic: &Table) -> Vec<Score> {
        scores(&Comparison {
            train,
            holdout: Some(train),
            synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        })
    }

    #[test]
    fn a_rule_is_found_and_its_breaking_counted() {
        let train = table(0, |town| town);
        let scores = scored(&train, &table(30, |town| town));
        let score = &scores[0];
        assert_eq!((score.value, score.reference), (Some(0.1), Some(0.0)));
        assert_eq!(score.reason.as_deref(), Some("town decides land (broken in 10.0 %)"));
        assert_eq!(
            (scores.len(), &scores[1].columns[..]),
            (2, &["town".into(), "land".into()][..])
        );
        assert_eq!((scores[1].value, scores[1].reference), (Some(0.1), Some(0.0)));
    }

    #[test]
    fn a_rule_that_no_synthetic_row_is_about_is_lost() {
        let train = table(0, |town| town);
        let elsewhere = table(0, |_| 3);
        let scores = scored(&train, &elsewhere);
        for score in &scores {
            assert_eq!((score.value, score.status), (None, crate::Status::Undefined));
        }
        assert!(scores[0].reason.as_ref().unwrap().contains("lost rules: town decides land"));
        assert!(scores[1].reason.as_ref().unwrap().contains("level of \"town\""));
        // Two rows may miss a level by chance.
        let few = scored(&train, &elsewhere.select_rows(&[0, 1]));
        assert!(!few[0].reason.as_ref().unwrap().contains("lost"), "{:?}", few[0]);
    }
}
