//! Constraints that were declared: how many rows break them.

use crate::{
    Comparison, Score,
    score::{Gap, Kind, Reading, listed},
    tables::reference_rows,
};
use meg_core::{Constraint, Result, Table};
use std::collections::BTreeSet;

pub(super) const KIND: Kind = Kind {
    name: "constraint_violations",
    goal: crate::Goal::Minimize,
    range: [Some(0.0), Some(1.0)],
};

/// The share of synthetic rows that break one of these constraints, then the share that breaks each
/// (its columns are named, and the reason gives it in words).
///
/// In 0..=1, lower is better; 0 is what a table has that obeys them. A row in which a cell of a
/// constraint is missing does not break it. Combinations are those of the training rows, so that
/// holdout rows may have others: the reference says how many. Undefined without constraints or rows.
///
/// A [`Table`] obeys the constraints of its schema, combinations excepted: to judge rows that may
/// break them, read them under a schema without, and hand the constraints in here.
pub fn constraint_scores(comparison: &Comparison<'_>, constraints: &[Constraint]) -> Vec<Score> {
    let Comparison { train, synthetic, .. } = *comparison;
    let holdout = reference_rows(comparison);
    let of = |table: &Table| -> Vec<Result<Vec<usize>>> {
        constraints.iter().map(|one| broken_rows(one, train, table)).collect()
    };
    let (ours, theirs) = (of(synthetic), holdout.as_deref().map(of));
    let rows = (train.rows(), synthetic.rows());
    let reading = |value| Reading::new(value, rows.0, rows.1);
    let all_of = |found: &[Result<Vec<usize>>], table: &Table| -> Result<f64, Gap> {
        let mut broken = BTreeSet::<usize>::new();
        for rows in found {
            let rows = rows.as_ref().map_err(|error| Gap::failed(error.to_string()))?;
            broken.extend(rows);
        }
        share(broken.len(), table.rows())
    };
    let any = match constraints.is_empty() {
        true => Err(Gap::undefined("the schema declares no constraint")),
        false => all_of(&ours, synthetic),
    };
    let reference = theirs.as_deref().zip(holdout.as_deref());
    let reference = reference.and_then(|(found, table)| all_of(found, table).ok());
    let note = worst(constraints, &ours);
    let own_reference = reference.filter(|_| any.is_ok());
    let mut scores =
        vec![Score::new(&KIND, &[], reading(any).note(note)).with_reference(own_reference)];
    for (at, (constraint, found)) in constraints.iter().zip(&ours).enumerate() {
        let value = all_of(std::slice::from_ref(found), synthetic);
        let reference = theirs.as_ref().zip(holdout.as_deref());
        let reference = reference
            .and_then(|(theirs, table)| all_of(std::slice::from_ref(&theirs[at]), table).ok());
        let reading = reading(value).note(Some(constraint.to_string()));
        let score = Score::new(&KIND, &constraint.columns(), reading);
        scores.push(score.with_reference(reference));
    }
    scores
}

fn share(broken: usize, rows: usize) -> Result<f64, Gap> {
    match rows {
        0 => Err(Gap::undefined("there is no synthetic row")),
        rows => Ok(broken as f64 / rows as f64),
    }
}

/// The constraints that are broken, most often broken first.
fn worst(constraints: &[Constraint], found: &[Result<Vec<usize>>]) -> Option<String> {
    let mut broken: Vec<(usize, String)> = constraints
        .iter()
        .zip(found)
        .filter_map(|(constraint, rows)| Some((rows.as_ref().ok()?.len(), constraint.to_string())))
        .filter(|(rows, _)| *rows > 0)
        .collect();
    broken.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    let named: Vec<String> =
        broken.into_iter().map(|(rows, text)| format!("{text} (broken in {rows} rows)")).collect();
    (!named.is_empty()).then(|| listed(&named))
}

/// The rows of a table that break a constraint, combinations being those of the training rows. A row
/// in which a cell of the constraint is missing does not break it.
///
/// # Errors
/// A request error when a column is not in the schema.
pub fn broken_rows(constraint: &Constraint, train: &Table, table: &Table) -> Result<Vec<usize>> {
    let Constraint::Combinations { columns } = constraint else {
        return constraint.broken_rows(table.schema(), table.columns());
    };
    let schema = train.schema();
    let at = columns.iter().map(|name| schema.find(name)).collect::<Result<Vec<usize>>>()?;
    let codes = |table: &Table, row: usize| -> Vec<u32> {
        at.iter().map(|&column| table.codes(column)[row]).collect()
    };
    let missing = |row: usize| at.iter().any(|&column| table.columns()[column].is_missing(row));
    let seen: BTreeSet<Vec<u32>> = (0..train.rows()).map(|row| codes(train, row)).collect();
    let rows = 0..table.rows();
    Ok(rows.filter(|&row| !missing(row) && !seen.contains(&codes(table, row))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, MISSING, Schema, Seed};

    fn table(low: [f64; 4], high: [f64; 4], town: [u32; 4], land: [u32; 4]) -> Table {
        let schema = Schema::new(vec![
            ColumnSpec::number("low", None),
            ColumnSpec::number("high", None).nullable(),
            ColumnSpec::category("town", ["a", "b"]).nullable(),
            ColumnSpec::category("land", ["x", "y"]),
        ])
        .unwrap();
        let numbers = [low, high].map(|cells| Column::Numbers(cells.to_vec()));
        let codes = [town, land].map(|cells| Column::Codes(cells.to_vec()));
        Table::new(schema, numbers.into_iter().chain(codes).collect()).unwrap()
    }

    #[test]
    fn rows_that_break_any_and_each_are_counted() {
        let train = table([1.0; 4], [2.0; 4], [0, 0, 1, 1], [0, 0, 1, 1]);
        let high = [1.0, f64::NAN, 9.0, 1.0];
        let synthetic = table([2.0; 4], high, [0, 1, MISSING, 1], [0, 0, 1, 0]);
        let constraints = [
            Constraint::Order { low: "low".into(), high: "high".into() },
            Constraint::Combinations { columns: vec!["town".into(), "land".into()] },
        ];
        let comparison = Comparison {
            train: &train,
            holdout: Some(&train),
            synthetic: &synthetic,
            truth: None,
            seed: Seed(1),
            threads: 1,
        };
        let scores = constraint_scores(&comparison, &constraints);
        let values: Vec<Option<f64>> = scores.iter().map(|score| score.value).collect();
        // Rows 1 and 4 break the order, rows 2 and 4 the combinations.
        assert_eq!(values, [Some(0.75), Some(0.5), Some(0.5)]);
        assert!(scores.iter().all(|score| score.reference == Some(0.0)));
        assert_eq!(scores[1].columns, ["low", "high"]);
        assert!(scores[0].reason.as_ref().unwrap().contains("broken in 2 rows"));
    }

    #[test]
    fn nothing_declared_and_nothing_to_judge_have_no_value() {
        let train = table([1.0; 4], [2.0; 4], [0; 4], [0; 4]);
        let none = train.select_rows(&[]);
        let unknown = [Constraint::Positive { column: "other".into() }];
        let positive = [Constraint::Positive { column: "low".into() }];
        for (synthetic, constraints, status) in [
            (&train, &[][..], crate::Status::Undefined),
            (&none, &positive[..], crate::Status::Undefined),
            (&train, &unknown[..], crate::Status::Failed),
        ] {
            let comparison = Comparison {
                train: &train,
                holdout: None,
                synthetic,
                truth: None,
                seed: Seed(1),
                threads: 1,
            };
            for score in constraint_scores(&comparison, constraints) {
                assert_eq!((score.value, score.status), (None, status), "{score:?}");
            }
        }
    }
}
