//! Plans for whole tables: which steps a column goes through, and which tables are taken.

use meg_core::{Column, ColumnKind, ColumnSpec, Constraint, Schema, Seed, Table};
use std::collections::BTreeMap;
use transforms::{
    BinInverse, BinRule, DateUnit, EncoderOptions, FittedStep, LevelOrder, Lowest, Step,
    TableEncoder, TablePlan,
};

const DAY: f64 = 86_400.0;

fn date() -> ColumnKind {
    ColumnKind::Datetime { format: "%Y-%m-%d".into() }
}

/// `low` is at most `high`, and `class` says whether `low` is above 49.
fn table() -> Table {
    let schema = Schema::new(vec![
        ColumnSpec::number("low", 0),
        ColumnSpec::number("high", 0),
        ColumnSpec::new("day", date()),
        ColumnSpec::category("class", ["a", "b"]),
    ]);
    let order = Constraint::Order { low: "low".into(), high: "high".into() };
    let schema = schema.unwrap().with_constraints(vec![order]).unwrap();
    let rows = || (0..100).map(f64::from);
    let columns = vec![
        Column::Numbers(rows().collect()),
        Column::Numbers(rows().map(|row| row + 5.0).collect()),
        Column::Numbers(rows().map(|row| row * DAY).collect()),
        Column::Codes((0..100).map(|row| u32::from(row > 49)).collect()),
    ];
    Table::new(schema, columns).unwrap()
}

fn plan() -> TablePlan {
    TablePlan {
        numbers: vec![Step::Standard],
        dates: vec![Step::Date { unit: DateUnit::Days }, Step::MinMax { low: 0.0, high: 1.0 }],
        categories: vec![Step::Ordinal { order: LevelOrder::Given, missing: None }],
        ..TablePlan::default()
    }
}

fn bins(rule: BinRule) -> Step {
    Step::Bins { rule, inverse: BinInverse::Centre, lowest: Lowest::Included }
}

#[test]
fn dates_have_steps_of_their_own_and_so_has_a_named_column() {
    let table = table();
    let own = BTreeMap::from([("high".to_owned(), vec![Step::Robust])]);
    let plan = TablePlan { columns: own, ..plan() };
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<TablePlan>(&written).unwrap(), plan);
    let fitted = plan.fit(&table, Seed(1), 2).unwrap();
    let steps: Vec<&[FittedStep]> = fitted.chains().iter().map(|chain| chain.steps()).collect();
    assert!(matches!(steps[0], [FittedStep::Standard(_)]), "{steps:?}");
    assert!(matches!(steps[1], [FittedStep::Robust(_)]), "{steps:?}");
    assert!(matches!(steps[2], [FittedStep::Date(_), FittedStep::MinMax(_)]), "{steps:?}");
    let parts = fitted.encode(&table, Seed(2), 1).unwrap();
    assert_eq!(fitted.decode(parts, Seed(3), 1).unwrap(), table);
    for (plan, part) in [
        (TablePlan { drop: vec!["high".into()], ..plan.clone() }, "has steps, but is dropped"),
        (TablePlan { columns: BTreeMap::from([("hgih".into(), vec![])]), ..plan }, "hgih"),
    ] {
        let error = plan.fit(&table, Seed(1), 1).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn bins_look_at_the_classes_of_the_target() {
    let table = table();
    let numbers = vec![bins(BinRule::MinimumDescription)];
    let plan = TablePlan { numbers, target: Some("class".into()), ..plan() };
    let fitted = plan.fit(&table, Seed(1), 2).unwrap();
    let FittedStep::Bins(low) = &fitted.chains()[0].steps()[0] else { panic!() };
    assert_eq!(low.edges(), [0.0, 49.5, 99.0]);
    let error = |target: Option<&str>| {
        let plan = TablePlan { target: target.map(str::to_owned), ..plan.clone() };
        plan.fit(&table, Seed(1), 1).unwrap_err().to_string()
    };
    assert!(
        error(None).contains("column \"low\": bins by minimum description length need a target")
    );
    assert!(error(Some("day")).contains("column \"day\": binning looks at the classes"));
    assert!(error(Some("calss")).contains("calss"));
}

#[test]
fn constraints_between_kept_columns_stay() {
    let table = table();
    let fitted = plan().fit(&table, Seed(1), 1).unwrap();
    assert_eq!(fitted.schema().constraints, table.schema().constraints);
    // Two bins of `low` and two of `high` put some low above its high.
    let numbers = vec![bins(BinRule::EqualWidth { bins: 2 })];
    let rough = TablePlan { numbers, ..plan() }.fit(&table, Seed(1), 1).unwrap();
    let mut parts = rough.encode(&table, Seed(2), 1).unwrap();
    parts[1] = vec![Column::Codes(vec![0; 100])];
    let error = rough.decode(parts, Seed(3), 1).unwrap_err().to_string();
    assert!(error.contains("low") && error.contains("high"), "{error}");
    let dropped = TablePlan { drop: vec!["low".into()], ..plan() };
    assert!(dropped.fit(&table, Seed(1), 1).unwrap().schema().constraints.is_empty());
}

/// The table with another specification of the column at `at`, in other cells where it needs them.
fn with(at: usize, spec: ColumnSpec) -> Table {
    let table = table();
    let mut specs = table.schema().columns.clone();
    specs[at] = spec;
    Table::new(Schema::new(specs).unwrap(), table.columns().to_vec()).unwrap()
}

#[test]
fn tables_whose_cells_mean_something_else_are_refused() {
    let table = table();
    let fitted = plan().fit(&table, Seed(1), 1).unwrap();
    let options = EncoderOptions::default();
    let encoder = TableEncoder::fit(&table, &options, Seed(1), 1, &mut meg_core::Silent).unwrap();
    for (foreign, part) in [
        (with(3, ColumnSpec::category("class", ["b", "a"])), "level 1 is \"b\", but was \"a\""),
        (with(3, ColumnSpec::category("class", ["a", "b", "c"])), "3 levels where training had 2"),
        (with(2, ColumnSpec::number("day", 0)), "of kind \"number\", but was of kind \"datetime\""),
    ] {
        let refused = [
            fitted.encode(&foreign, Seed(1), 1).unwrap_err().to_string(),
            encoder.encode(&foreign, Seed(1), 1).unwrap_err().to_string(),
        ];
        for error in refused {
            assert!(error.contains(part) && error.contains("column \""), "{error}");
        }
    }
    // The plan finds columns by name; the encoder goes by position.
    let renamed = with(0, ColumnSpec::number("lower", 0));
    let error = encoder.encode(&renamed, Seed(1), 1).unwrap_err().to_string();
    assert!(
        error.contains("column \"lower\": the training rows have the column \"low\""),
        "{error}"
    );
    let fewer = table.select_columns(&[0, 1, 2]).unwrap();
    let error = encoder.encode(&fewer, Seed(1), 1).unwrap_err().to_string();
    assert!(error.contains("3 columns where training had 4"), "{error}");
    let turned = table.select_columns(&[3, 2, 1, 0]).unwrap();
    assert_eq!(
        fitted.encode(&turned, Seed(1), 1).unwrap(),
        fitted.encode(&table, Seed(1), 1).unwrap()
    );
}
