use crate::{
    Comparison, Group, Metric, Score,
    fidelity::Classes,
    power::{Law, Sizes, least_share},
    score::{Gap, Goal, Kind, Reading},
    significance::more_successes,
    tables::{is_modelled, reference_rows},
};
use meg_core::{Role, Table};
use std::collections::HashMap;

const LEAST: Kind = Kind { name: "k_map", goal: Goal::Reference, range: [Some(1.0), None] };
const SMALL: Kind = Kind::like_holdout("k_map_small_share");

/// People that must share a combination for nobody to stand out.
const K: usize = 5;

/// Classes of a number: its quarters.
const QUARTERS: usize = 4;

/// How many training rows a synthetic row could be about, by its quasi-identifiers.
///
/// Quasi-identifiers are all columns but the target and those marked sensitive (all columns, if none
/// is left), generalised: numbers to the quarters of the training cells, categories as they are,
/// missing as a class. `k_map`: the least number of training rows with the combination of a synthetic
/// row, over the combinations that occur among training rows; from 1 up. `k_map_small_share`: the
/// share of synthetic rows whose combination 1 to 4 training rows have, in 0..=1. Fresh rows have such
/// combinations too: both are read against the reference. A combination that no training row has
/// points at nobody. With many columns nearly every combination is rare, and both say little.
///
/// Undefined without rows; `k_map` where no combination occurs. Source: k-map (Sweeney 2002; El Emam
/// and Dankar 2008). synthcity's `k-map` counts clusters of k-means instead of combinations.
#[derive(Debug)]
pub(crate) struct KMap;

impl Metric for KMap {
    fn name(&self) -> &'static str {
        LEAST.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![LEAST.name, SMALL.name]
    }

    fn about(&self) -> &'static str {
        "How few training rows share the quasi-identifiers of a synthetic row."
    }

    fn group(&self) -> Group {
        Group::Privacy
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, .. } = *comparison;
        let columns = quasi_identifiers(train);
        let gap = match (train.rows(), synthetic.rows()) {
            _ if columns.is_empty() => Some(Gap::undefined("there is no column to compare")),
            (0, _) => Some(Gap::undefined("there is no training row")),
            (_, 0) => Some(Gap::undefined("there is no synthetic row")),
            _ => None,
        };
        let reading = |value| Reading::new(value, train.rows(), synthetic.rows());
        if let Some(gap) = gap {
            let reading = reading(Err(gap));
            return [LEAST, SMALL]
                .iter()
                .map(|kind| Score::new(kind, &[], reading.clone()))
                .collect();
        }
        let classes: Vec<(usize, Classes)> =
            columns.iter().map(|&at| (at, of(train, at))).collect();
        let mut sizes = HashMap::<Vec<u32>, usize>::new();
        for row in combinations(&classes, train) {
            *sizes.entry(row).or_default() += 1;
        }
        let found = |table: &Table| -> Vec<usize> {
            let rows = combinations(&classes, table);
            rows.into_iter().map(|row| sizes.get(&row).copied().unwrap_or(0)).collect()
        };
        let ours = found(synthetic);
        let theirs = reference_rows(comparison).map(|holdout| found(&holdout));
        let note = format!("by {} columns, numbers in quarters", columns.len());
        let share = Score::new(&SMALL, &[], reading(Ok(small(&ours))))
            .with_reference(theirs.as_deref().map(small));
        vec![
            Score::new(&LEAST, &[], reading(least(&ours)).note(Some(note)))
                .with_reference(theirs.as_deref().and_then(|sizes| least(sizes).ok())),
            match &theirs {
                Some(theirs) => share
                    .with_p_value(Some(more_successes(counts(&ours), counts(theirs))))
                    .with_least_leak(least_leak(&found(train), &ours, theirs)),
                None => share,
            },
        ]
    }
}

fn quasi_identifiers(train: &Table) -> Vec<usize> {
    let all = || (0..train.columns().len()).filter(|&at| is_modelled(train, at));
    let features: Vec<usize> =
        all().filter(|&at| train.schema().columns[at].role == Role::Feature).collect();
    if features.is_empty() { all().collect() } else { features }
}

fn of(train: &Table, column: usize) -> Classes {
    let levels = train.schema().columns[column].levels().len();
    Classes::quantiles(levels, &train.columns()[column], QUARTERS)
}

/// The classes of each row.
fn combinations(classes: &[(usize, Classes)], table: &Table) -> Vec<Vec<u32>> {
    let coded: Vec<_> =
        classes.iter().map(|(at, classes)| classes.assign(&table.columns()[*at])).collect();
    let row = |row: usize| coded.iter().map(|column| column.cells()[row]).collect();
    (0..table.rows()).map(row).collect()
}

fn least(sizes: &[usize]) -> Result<f64, Gap> {
    let occurring = sizes.iter().copied().filter(|&size| size > 0);
    let least = occurring.min();
    least.map(|least| least as f64).ok_or_else(|| {
        Gap::undefined("no training row has the quasi-identifiers of a synthetic one")
    })
}

fn small(sizes: &[usize]) -> f64 {
    let (small, rows) = counts(sizes);
    small as f64 / rows as f64
}

/// Rows with a small combination, of all.
fn counts(sizes: &[usize]) -> (usize, usize) {
    let small = sizes.iter().filter(|&&size| (1..K).contains(&size)).count();
    (small, sizes.len())
}

/// Copies have small combinations as often as training rows. (`k_map` has no such number: one row
/// decides it.)
fn least_leak(train: &[usize], ours: &[usize], theirs: &[usize]) -> Option<f64> {
    let plain = Law::successes(small(theirs) * theirs.len() as f64, theirs.len());
    let sizes = Sizes::new(ours.len(), Some(theirs.len()));
    least_share(plain, Law::share(small(train)), sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Schema, Seed};

    #[test]
    fn combinations_are_counted_by_hand() {
        let schema = Schema::new(vec![
            ColumnSpec::number("age", 0),
            ColumnSpec::category("sex", ["f", "m"]),
            ColumnSpec::category("ill", ["n", "y"]).role(Role::Sensitive),
        ])
        .unwrap();
        let table = |age: Vec<f64>, sex: Vec<u32>| {
            let ill = Column::Codes(vec![0; age.len()]);
            Table::new(schema.clone(), vec![Column::Numbers(age), Column::Codes(sex), ill]).unwrap()
        };
        // Eight rows of age 20 and two of 80, all but one female.
        let age = [vec![20.0; 8], vec![80.0; 2]].concat();
        let train = table(age, [vec![0; 8], vec![0, 1]].concat());
        let synthetic = table(vec![21.0, 80.0, 90.0, 20.0], vec![0, 0, 1, 1]);
        let comparison = Comparison {
            train: &train,
            holdout: Some(&train),
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let scores = KMap.score(&comparison);
        let value = |at: usize| scores[at].value;
        // The quarters are (-, 20), [20, -): 21 and female is in a group of nine with the others.
        let sizes = [9, 9, 1, 1];
        assert_eq!((value(0), value(1)), (Some(1.0), Some(small(&sizes))));
        assert!(scores[0].reason.as_ref().unwrap().starts_with("by 2 columns"));
    }
}
