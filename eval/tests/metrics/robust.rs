//! Tables that break other libraries: every score is a value in its range or a reason.

use crate::common::chosen;
use eval::{Comparison, METRICS, Status, evaluate_with};
use meg_core::{
    Column, ColumnKind, ColumnSpec, Constraint, MISSING, Role, Schema, Seed, Silent, Table,
};
use rand::Rng as _;
use std::sync::Arc;

fn schema(target: bool) -> Arc<Schema> {
    let role = if target { Role::Target } else { Role::Feature };
    let day = ColumnKind::Datetime { format: "%Y-%m-%d".into() };
    Arc::new(
        Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::number("constant", 0).nullable(),
            ColumnSpec::number("empty", None).nullable(),
            ColumnSpec::category("c", ["a", "b", "unseen"]).nullable().role(Role::Sensitive),
            ColumnSpec::category("y", ["no", "yes"]).nullable().role(role),
            ColumnSpec::new("day", day).nullable(),
            ColumnSpec::new("id", ColumnKind::Identifier).nullable(),
        ])
        .unwrap(),
    )
}

/// A constant and an empty column, missing cells, a level that does not occur.
fn plain(rows: usize, shift: usize) -> Vec<Column> {
    let cell = |row: usize| ((row * 37 + shift * 11) % 101) as f64 / 7.0;
    let x = |row: usize| if row % 9 == shift % 9 { f64::NAN } else { cell(row) };
    let c = |row: usize| if row % 11 == 3 { MISSING } else { (row % 2) as u32 };
    vec![
        Column::Numbers((0..rows).map(x).collect()),
        Column::Numbers(vec![4.0; rows]),
        Column::Numbers(vec![f64::NAN; rows]),
        Column::Codes((0..rows).map(c).collect()),
        Column::Codes((0..rows).map(|row| u32::from(cell(row) > 7.0)).collect()),
        Column::Numbers((0..rows).map(|row| (row % 13) as f64 * 86_400.0).collect()),
        Column::Texts((0..rows).map(|row| Some(format!("{shift}-{row}"))).collect()),
    ]
}

/// The same with missing cells in every column.
fn with_gaps(rows: usize, shift: usize) -> Table {
    let gap = |row: usize, at: usize| (row + at).is_multiple_of(4);
    let columns = plain(rows, shift).into_iter().enumerate().map(|(at, column)| match column {
        Column::Numbers(mut cells) => {
            let missing = cells.iter_mut().enumerate().filter(|(row, _)| gap(*row, at));
            missing.for_each(|(_, cell)| *cell = f64::NAN);
            Column::Numbers(cells)
        }
        Column::Codes(mut cells) => {
            let missing = cells.iter_mut().enumerate().filter(|(row, _)| gap(*row, at));
            missing.for_each(|(_, cell)| *cell = MISSING);
            Column::Codes(cells)
        }
        Column::Texts(mut cells) => {
            let missing = cells.iter_mut().enumerate().filter(|(row, _)| gap(*row, at));
            missing.for_each(|(_, cell)| *cell = None);
            Column::Texts(cells)
        }
    });
    Table::new(schema(true), columns.collect()).unwrap()
}

fn changed(rows: usize, at: usize, column: Column) -> Table {
    let mut columns = plain(rows, 2);
    columns[at] = column;
    Table::new(schema(true), columns).unwrap()
}

fn check(what: &str, train: &Table, holdout: Option<&Table>, synthetic: &Table) {
    let comparison =
        Comparison { train, holdout, synthetic, truth: None, seed: Seed(1), threads: 2 };
    for score in evaluate_with(METRICS, &comparison, &mut Silent).unwrap() {
        let inside = |value: f64| {
            value.is_finite()
                && score.range[0].is_none_or(|least| value >= least - 1e-12)
                && score.range[1].is_none_or(|most| value <= most + 1e-12)
        };
        assert!(score.status != Status::Failed, "{what}: {score:?}");
        assert_eq!(score.value.is_some(), score.status == Status::Ok, "{what}: {score:?}");
        assert!(score.value.is_some() || score.reason.is_some(), "{what}: {score:?}");
        let ends = score.interval.into_iter().flatten();
        for value in score.value.into_iter().chain(score.reference).chain(ends) {
            assert!(inside(value) || score.name.starts_with("position"), "{what}: {score:?}");
            assert!(value.is_finite(), "{what}: {score:?}");
        }
        assert!(score.interval.is_none_or(|[low, high]| low <= high), "{what}: {score:?}");
        let is_share = |share: f64| share > 0.0 && share <= 1.0;
        assert!(score.least_leak.is_none_or(is_share), "{what}: {score:?}");
    }
}

const ROWS: usize = 120;

/// Not one cell in the whole table.
fn unobserved(rows: usize) -> Table {
    let columns = plain(rows, 0).into_iter().map(|column| match column {
        Column::Numbers(cells) => Column::Numbers(vec![f64::NAN; cells.len()]),
        Column::Codes(cells) => Column::Codes(vec![MISSING; cells.len()]),
        Column::Texts(cells) => Column::Texts(vec![None; cells.len()]),
    });
    Table::new(schema(true), columns.collect()).unwrap()
}

fn table(rows: usize, shift: usize) -> Table {
    Table::new(schema(true), plain(rows, shift)).unwrap()
}

/// Shuffled and rounded rows break constraints that hold in every row.
#[test]
fn constraints_stop_no_score() {
    let rows = |purpose: &str| {
        let mut rng = Seed(6).stream(purpose);
        let order = Constraint::Order { low: "low".into(), high: "high".into() };
        let positive = Constraint::Positive { column: "share".into() };
        let specs = [("low", None), ("high", None), ("share", None), ("x", Some(0))];
        let specs = specs.map(|(name, decimals)| ColumnSpec::number(name, decimals));
        let schema = Schema::new(specs.to_vec()).unwrap();
        let low: Vec<f64> = (0..300).map(|_| rng.random::<f64>() * 10.0).collect();
        let high = low.iter().map(|low| low + rng.random::<f64>()).collect();
        // The training shares are whole numbers, to which the synthetic ones are rounded.
        let share = (0..300).map(|row| match purpose {
            "synthetic" => 0.3,
            _ => f64::from(row % 5 + 1),
        });
        let share = share.collect();
        let x = (0..300).map(|_| f64::from(rng.random_range(0..50))).collect();
        let columns = [low, high, share, x].map(Column::Numbers).to_vec();
        Table::new(schema.with_constraints(vec![order, positive]).unwrap(), columns).unwrap()
    };
    let [train, holdout, synthetic] = ["train", "holdout", "synthetic"].map(rows);
    let scores = chosen(&["joint", "detection"], [&train, &holdout, &synthetic]);
    let failed: Vec<_> = scores.iter().filter(|score| score.status == Status::Failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let value = |name: &str| scores.iter().find(|score| score.name == name).unwrap();
    assert!(value("position_trend").value.is_some(), "{:?}", value("position_trend"));
    let rounded = value("detection_boost_rounded_auc");
    assert!(!rounded.reason.as_deref().unwrap_or("").contains("changes no"), "{rounded:?}");
}

#[test]
fn columns_of_every_kind_of_trouble() {
    let (train, holdout) = (table(ROWS, 0), table(ROWS, 1));
    for (what, synthetic) in [
        ("plain", table(ROWS, 2)),
        ("x constant", changed(ROWS, 0, Column::Numbers(vec![1.0; ROWS]))),
        ("x all missing", changed(ROWS, 0, Column::Numbers(vec![f64::NAN; ROWS]))),
        ("x huge", changed(ROWS, 0, Column::Numbers(vec![1.7e308; ROWS]))),
        ("constant moved", changed(ROWS, 1, Column::Numbers(vec![5.0; ROWS]))),
        ("empty filled", changed(ROWS, 2, Column::Numbers(vec![5.0; ROWS]))),
        ("c unseen only", changed(ROWS, 3, Column::Codes(vec![2; ROWS]))),
        ("c all missing", changed(ROWS, 3, Column::Codes(vec![MISSING; ROWS]))),
        ("c without b", changed(ROWS, 3, Column::Codes(vec![0; ROWS]))),
        ("y one class", changed(ROWS, 4, Column::Codes(vec![1; ROWS]))),
        ("y all missing", changed(ROWS, 4, Column::Codes(vec![MISSING; ROWS]))),
        ("day all missing", changed(ROWS, 5, Column::Numbers(vec![f64::NAN; ROWS]))),
        ("id all missing", changed(ROWS, 6, Column::Texts(vec![None; ROWS]))),
        ("gaps everywhere", with_gaps(ROWS, 2)),
        ("nothing observed", unobserved(ROWS)),
    ] {
        check(what, &train, Some(&holdout), &synthetic);
        check(&format!("{what}, as training rows"), &synthetic, Some(&holdout), &train);
    }
}

#[test]
fn tables_of_every_size() {
    for train in [0, 1, 5, ROWS] {
        for synthetic in [0, 1, 5, 60] {
            for holdout in [None, Some(0), Some(5), Some(ROWS)] {
                let what = format!("{train}, {holdout:?}, {synthetic} rows");
                let holdout = holdout.map(|rows| table(rows, 1));
                check(&what, &table(train, 0), holdout.as_ref(), &table(synthetic, 2));
            }
        }
    }
}

#[test]
fn gaps_in_every_column_of_every_table() {
    let (train, holdout) = (with_gaps(ROWS, 0), with_gaps(ROWS, 1));
    check("gaps", &train, Some(&holdout), &with_gaps(ROWS, 2));
    check("gaps, 5 rows", &train, Some(&holdout), &with_gaps(5, 2));
    check("gaps, nothing else", &unobserved(ROWS), Some(&unobserved(ROWS)), &unobserved(ROWS));
}

#[test]
fn tables_of_one_column() {
    for column in 0..schema(true).columns.len() {
        let one = |shift: usize| table(ROWS, shift).select_columns(&[column]).unwrap();
        check(&format!("column {column} alone"), &one(0), Some(&one(1)), &one(2));
        let constant = one(2).select_rows(&[0; ROWS]);
        check(&format!("column {column} alone, one cell"), &one(0), Some(&one(1)), &constant);
        check(
            &format!("column {column} alone, no row"),
            &one(0),
            Some(&one(1)),
            &one(2).select_rows(&[]),
        );
    }
}

#[test]
fn a_table_without_a_target() {
    let of = |shift: usize| Table::new(schema(false), plain(ROWS, shift)).unwrap();
    check("no target", &of(0), Some(&of(1)), &of(2));
}
