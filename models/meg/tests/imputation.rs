//! Missing cells are filled by the law of the other cells of their row.

use meg_core::conformance::fit;
use meg_core::{
    Column, ColumnSpec, Event, Fitted, MISSING, Observer, Role, SampleContext, Schema, Seed,
    Silent, Table,
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

/// Collects notes.
#[derive(Default)]
struct Notes(Vec<String>);

impl Observer for Notes {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Note { text } = event {
            self.0.push((*text).to_owned());
        }
    }
}

/// An unseen number is taken for its neighbour, an unseen level tells nothing; both stay, and both
/// are told of.
#[test]
fn cells_unlike_all_training_cells_stay_and_the_nearest_stands_for_a_number() {
    let train = table(5_000, 1, 0.1);
    let mut specs = train.schema().columns.clone();
    specs[2] = ColumnSpec::category("copy", ["no", "yes", "never"]).nullable();
    let schema = Schema::new(specs).unwrap();
    let train = Table::new(schema.clone(), train.columns().to_vec()).unwrap();
    for masks in ["", "masks = \"dynamic\""] {
        let model = fit(&meg::ENTRY, masks, &train, 1);
        // 500 rows with x far above all training rows, and 500 with x in the void, nearer to 10;
        // where x is far above, the copy is of a level that was never seen.
        let x: Vec<f64> = (0..1_000).map(|row| if row < 500 { 1e6 } else { 6.0 }).collect();
        let copy = (0..1_000).map(|row| if row < 500 { 2 } else { 1 }).collect();
        let columns = vec![
            Column::Codes(vec![MISSING; 1_000]),
            Column::Numbers(x.clone()),
            Column::Codes(copy),
        ];
        let rows = Table::new(schema.clone(), columns).unwrap();
        let mut notes = Notes::default();
        let rng = Seed(4).stream("impute");
        let mut ctx = SampleContext { rng, threads: 1, observer: &mut notes };
        let filled = model.impute(&rows, &mut ctx).unwrap().unwrap();
        assert!(filled.numbers(1) == x && filled.codes(2) == rows.codes(2));
        let yes =
            |from: usize| filled.codes(0)[from..from + 500].iter().filter(|&&y| y == 1).count();
        assert!(yes(0) > 450 && yes(500) > 450, "{} and {} of 500", yes(0), yes(500));
        let told = |name: &str| notes.0.iter().find(|note| note.contains(name)).unwrap();
        let (x, copy) = (told("\"x\""), told("\"copy\""));
        assert!(x.starts_with("1000 cells") && x.contains("row 1") && x.contains("nearest"), "{x}");
        assert!(copy.starts_with("500 cells") && copy.contains("tells nothing"), "{copy}");
    }
}
