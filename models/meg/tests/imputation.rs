//! Missing cells are filled by the law of the other cells of their row.

use meg_core::conformance::fit;
use meg_core::{
    Column, ColumnSpec, Fitted, MISSING, Role, SampleContext, Schema, Seed, Silent, Table,
};
use rand::Rng as _;

/// `label` is 0 or 1; `x` lies near ten times the label; `copy` is the label in nine rows of ten.
/// A tenth of the cells of `x` and of `copy` is missing.
fn table(rows: usize, seed: u64, gaps: f64) -> Table {
    let mut rng = Seed(seed).stream("test");
    let (mut label, mut x, mut copy) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let own = rng.random_range(0..2u32);
        label.push(own);
        let place = 10.0 * f64::from(own) + rng.random_range(-1.0..1.0);
        x.push(if rng.random_bool(gaps) { f64::NAN } else { place });
        let other = if rng.random_bool(0.9) { own } else { 1 - own };
        copy.push(if rng.random_bool(gaps) { MISSING } else { other });
    }
    let specs = vec![
        ColumnSpec::category("label", ["no", "yes"]).role(Role::Target).nullable(),
        ColumnSpec::number("x", None).nullable(),
        ColumnSpec::category("copy", ["no", "yes"]).nullable(),
    ];
    let columns = vec![Column::Codes(label), Column::Numbers(x), Column::Codes(copy)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

fn impute(model: &dyn Fitted, rows: &Table, threads: usize) -> meg_core::Result<Table> {
    let rng = Seed(4).stream("impute");
    let mut ctx = SampleContext { rng, threads, observer: &mut Silent };
    model.impute(rows, &mut ctx).map(|table| table.expect("meg fills missing cells"))
}

#[test]
fn missing_cells_follow_earlier_and_later_columns() {
    let model = fit(&meg::ENTRY, "", &table(5_000, 1, 0.1), 1);
    // Training rows lack no label, so that only what is made after it can tell about it.
    let mut rows = table(1_000, 2, 0.1).columns().to_vec();
    let truth = table(1_000, 2, 0.1);
    rows[0] = Column::Codes(vec![MISSING; 1_000]);
    let rows = Table::new(truth.schema().clone(), rows).unwrap();
    let filled = impute(model.as_ref(), &rows, 1).unwrap();
    assert!(filled == impute(model.as_ref(), &rows, 3).unwrap(), "threads change the result");
    let (mut right, mut known) = (0, 0);
    for row in 0..1_000 {
        for column in 0..3 {
            assert!(!filled.columns()[column].is_missing(row), "row {row}, column {column}");
            let there = !rows.columns()[column].is_missing(row);
            assert!(!there || filled.text(row, column) == rows.text(row, column));
        }
        if !rows.columns()[1].is_missing(row) {
            known += 1;
            right += usize::from(filled.codes(0)[row] == truth.codes(0)[row]);
        }
    }
    assert!(right as f64 > 0.98 * f64::from(known), "{right} of {known} labels are right");
}

#[test]
fn cells_that_are_drawn_have_the_spread_of_the_law() {
    let model = fit(&meg::ENTRY, "", &table(5_000, 1, 0.1), 1);
    let mut rows = table(2_000, 3, 0.0).columns().to_vec();
    rows[2] = Column::Codes(vec![MISSING; 2_000]);
    let rows = Table::new(table(1, 1, 0.0).schema().clone(), rows).unwrap();
    let filled = impute(model.as_ref(), &rows, 2).unwrap();
    let agree = (0..2_000).filter(|&row| filled.codes(2)[row] == filled.codes(0)[row]).count();
    assert!((1_740..1_860).contains(&agree), "{agree} of 2000 for 1800");
}

#[test]
fn a_cell_unlike_all_training_cells_is_named() {
    let model = fit(&meg::ENTRY, "max_steps = 20", &table(500, 1, 0.1), 1);
    let mut rows = table(3, 3, 0.0).columns().to_vec();
    rows[0] = Column::Codes(vec![0, MISSING, 0]);
    rows[1] = Column::Numbers(vec![0.0, 1e6, 0.0]);
    let rows = Table::new(table(1, 1, 0.0).schema().clone(), rows).unwrap();
    let message = impute(model.as_ref(), &rows, 1).unwrap_err().to_string();
    assert!(
        message.contains("row 2") && message.contains("\"x\"") && message.contains("1000000"),
        "{message}"
    );
}
