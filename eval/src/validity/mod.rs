//! Rules that hold in real rows: ranges, known levels, unique keys, columns that decide others, and
//! declared constraints.

mod constraints;
mod rules;

use crate::{
    Comparison, Group, Metric, Score,
    fidelity::{by_column, unobserved},
    numbers::observed,
    score::{Gap, Kind, Reading, mean},
    tables::reference_rows,
};
pub use constraints::{broken_rows, constraint_scores};
use meg_core::{Column, ColumnKind, MISSING, Table};
use std::collections::BTreeSet;

const BOUNDARY: Kind = Kind::similarity("boundary_adherence");
const CATEGORY: Kind = Kind::similarity("category_adherence");
const KEYS: Kind = Kind::similarity("key_uniqueness");

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
///   where no rule was found, and where no synthetic row has a level of A that real rows have.
/// - `constraint_violations`: the share of synthetic rows that break one of the schema's constraints,
///   then each constraint; see [`constraint_scores`].
///
/// In 0..=1. Undefined without a synthetic row and where either side has no observed cell. Source: the
/// diagnostic report of SDMetrics, which counts missing cells as out of bounds where the real column
/// has none.
#[derive(Debug)]
pub(crate) struct Validity;

impl Metric for Validity {
    fn name(&self) -> &'static str {
        BOUNDARY.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![BOUNDARY.name, CATEGORY.name, KEYS.name, rules::KIND.name, constraints::KIND.name]
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
        scores.extend(rules::scores(comparison));
        scores.extend(constraint_scores(comparison, &comparison.train.schema().constraints));
        scores
    }
}

fn boundary(real: &[f64], synthetic: &[f64]) -> Reading {
    let rows = (real.len(), synthetic.len());
    let (real, synthetic) = (observed(real), observed(synthetic));
    let value = match unobserved(&real, &synthetic, rows) {
        Some(gap) => Err(gap),
        None => Ok(inside(&synthetic, real[0], real[real.len() - 1])),
    };
    Reading::new(value, real.len(), synthetic.len())
}

fn inside(cells: &[f64], least: f64, most: f64) -> f64 {
    let inside = cells.iter().filter(|cell| (least..=most).contains(*cell)).count();
    inside as f64 / cells.len() as f64
}

fn category(real: &[u32], synthetic: &[u32]) -> Reading {
    let observed = |codes: &[u32]| -> Vec<u32> {
        codes.iter().copied().filter(|&code| code != MISSING).collect()
    };
    let rows = (real.len(), synthetic.len());
    let (real, synthetic) = (observed(real), observed(synthetic));
    let known: BTreeSet<u32> = real.iter().copied().collect();
    let value = match unobserved(&real, &synthetic, rows) {
        Some(gap) => Err(gap),
        None => {
            let inside = synthetic.iter().filter(|code| known.contains(code)).count();
            Ok(inside as f64 / synthetic.len() as f64)
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
    let of =
        |table: &Table| -> Vec<Reading> { columns.iter().map(|&at| unique(table, at)).collect() };
    let together = |readings: &[Reading], rows: usize| {
        let labelled = columns.iter().zip(readings).map(|(&at, own)| (name(at).to_owned(), own));
        mean("columns", labelled, (train.rows(), rows))
    };
    let holdout = reference_rows(comparison);
    let theirs = holdout.as_deref().map(of);
    let ours = of(synthetic);
    let reference = theirs.as_ref().and_then(|readings| together(readings, 0).ok());
    let all = Score::new(&KEYS, &[], together(&ours, synthetic.rows()));
    let mut scores = vec![all.with_reference(reference)];
    for (part, (&at, reading)) in columns.iter().zip(ours).enumerate() {
        let reference = theirs.as_ref().and_then(|readings| readings[part].ok());
        scores.push(Score::new(&KEYS, &[name(at)], reading).with_reference(reference));
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, Schema, Seed};

    #[test]
    fn keys_stand_beside_those_of_unseen_rows() {
        let schema = Schema::new(vec![ColumnSpec::new("id", ColumnKind::Identifier)]).unwrap();
        let table = |cells: [&str; 4]| {
            let cells = cells.map(|cell| Some(cell.to_owned())).to_vec();
            Table::new(schema.clone(), vec![Column::Texts(cells)]).unwrap()
        };
        let comparison = Comparison {
            train: &table(["a", "b", "c", "d"]),
            holdout: Some(&table(["e", "f", "f", "g"])),
            synthetic: &table(["h", "h", "h", "i"]),
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        for score in keys(&comparison) {
            assert_eq!((score.value, score.reference), (Some(0.5), Some(0.75)), "{score:?}");
        }
    }

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(boundary(&[1.0, 3.0], &[0.0, 1.0, 3.0, f64::NAN]).ok(), Some(2.0 / 3.0));
        assert_eq!(boundary(&[2.0], &[2.0, 3.0]).ok(), Some(0.5));
        assert_eq!(boundary(&[f64::NAN], &[2.0]).ok(), None);
        assert_eq!(category(&[0, 1], &[1, 2, MISSING, 0]).ok(), Some(2.0 / 3.0));
    }
}
