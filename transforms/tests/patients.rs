//! The preset of the vanilla GAN on Synthea's patients table, beside the rows that its source
//! prints.

mod data;

use meg_core::{Column, ColumnSpec, MISSING, Schema, Seed, Table};
use std::collections::BTreeSet;
use transforms::{TablePreset, TableTransform};

/// The patients table, or nothing where it is not there. No cell of it is quoted.
fn patients() -> Option<Table> {
    let text = data::read("patients/patients.csv")?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let column = |at: usize| -> Vec<&str> { rows.iter().map(|row| row[at]).collect() };
    let numeric = ["HEALTHCARE_EXPENSES", "HEALTHCARE_COVERAGE", "LAT", "LON"];
    let (mut specs, mut columns) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let cells = column(at);
        if numeric.contains(name) {
            specs.push(ColumnSpec::number(*name, None));
            columns.push(Column::Numbers(cells.iter().map(|cell| cell.parse().unwrap()).collect()));
        } else {
            let levels: BTreeSet<&str> = cells.iter().copied().filter(|c| !c.is_empty()).collect();
            let levels: Vec<&str> = levels.into_iter().collect();
            let code = |cell: &&str| levels.binary_search(cell).map_or(MISSING, |code| code as u32);
            columns.push(Column::Codes(cells.iter().map(code).collect()));
            specs.push(ColumnSpec::category(*name, levels).nullable());
        }
    }
    Some(Table::new(Schema::new(specs).unwrap(), columns).unwrap())
}

fn fit(table: &Table, preset: &str) -> TableTransform {
    (TablePreset::find(preset).unwrap().plan)().fit(table, Seed(1), 2).unwrap()
}

fn encode(transform: &TableTransform, table: &Table) -> Vec<Vec<f64>> {
    let parts = transform.encode(table, Seed(2), 2).unwrap();
    let numbers = |part: &Vec<Column>| match part.as_slice() {
        [Column::Numbers(cells)] => cells.clone(),
        other => panic!("one column of numbers, not {other:?}"),
    };
    parts.iter().map(numbers).collect()
}

/// Columns of the source's final print, in its order.
const PRINTED: [&str; 11] = [
    "MARITAL",
    "RACE",
    "ETHNICITY",
    "GENDER",
    "BIRTHPLACE",
    "CITY",
    "STATE",
    "COUNTY",
    "ZIP",
    "HEALTHCARE_EXPENSES",
    "HEALTHCARE_COVERAGE",
];
/// The rows that both prints show.
const ROWS: [usize; 10] = [0, 1, 2, 3, 4, 1166, 1167, 1168, 1169, 1170];

/// What the source prints of a column after the transform, and what our rows hold.
fn check(transform: &TableTransform, encoded: &[Vec<f64>], name: &str, printed: &[f64]) {
    let at = transform.schema().find(name).unwrap();
    for (row, printed) in ROWS.iter().zip(printed) {
        let ours = encoded[at][*row];
        assert!((ours - printed).abs() < 2e-6, "{name}, row {row}: {ours}, printed {printed}");
    }
}

#[test]
fn the_first_print_of_the_transformed_table_is_reproduced() {
    let Some(table) = patients() else { return };
    let transform = fit(&table, "patients-gan-as-printed");
    let names: Vec<_> = transform.schema().columns.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, PRINTED);
    let encoded = encode(&transform, &table);
    let check = |name, printed: &[f64]| check(&transform, &encoded, name, printed);
    let (married, single) = (0.334507, 1.773476);
    check(
        "MARITAL",
        &[married, married, married, married, -1.275676, married, single, single, married, married],
    );
    let white = 0.461541;
    check("RACE", &[white, white, white, white, white, -2.207146, white, white, white, white]);
    check(
        "HEALTHCARE_EXPENSES",
        &[
            -0.819522, 0.259373, -0.111865, 0.426979, -0.111865, 1.398831, 0.585251, 1.275817,
            1.016430, 1.275817,
        ],
    );
    let low = -0.187952;
    check("HEALTHCARE_COVERAGE", &[low, low, low, low, low, low, low, 5.320497, low, low]);
}

/// The source's final print has other numbers. They are those of the power transform applied a
/// second time to its own result, as when a notebook's cell is run twice.
#[test]
fn the_final_print_is_the_transform_run_twice() {
    let Some(table) = patients() else { return };
    let mut plan = (TablePreset::find("patients-gan-as-printed").unwrap().plan)();
    for steps in [&mut plan.numbers, &mut plan.categories] {
        let again = [steps[steps.len() - 2].clone(), steps[steps.len() - 1].clone()];
        steps.extend(again);
    }
    let transform = plan.fit(&table, Seed(1), 2).unwrap();
    let encoded = encode(&transform, &table);
    let printed: [[f64; 11]; 5] = [
        [
            0.323410, 0.462029, -3.059874, 1.040975, 0.080041, -0.953186, 0.0, -0.603714,
            -0.329374, -0.852459, -0.187952,
        ],
        [
            0.323410, 0.462029, 0.326811, 1.040975, -0.781806, 1.009515, 0.0, -0.108844, 1.084032,
            0.178401, -0.187952,
        ],
        [
            0.323410, 0.462029, 0.326811, 1.040975, 1.086562, -0.953186, 0.0, -0.603714, -0.240309,
            -0.201706, -0.187952,
        ],
        [
            0.323410, 0.462029, 0.326811, -0.960637, 1.596780, 0.025263, 0.0, -0.108844, 0.798438,
            0.359778, -0.187952,
        ],
        [
            -1.266799, 0.462029, 0.326811, 1.040975, 0.627873, -1.276494, 0.0, 1.132069, 1.059763,
            -0.201706, -0.187952,
        ],
    ];
    for (at, name) in PRINTED.iter().enumerate() {
        let column: Vec<f64> = printed.iter().map(|row| row[at]).collect();
        check(&transform, &encoded, name, &column);
    }
}

#[test]
fn our_preset_brings_every_row_back() {
    let Some(table) = patients() else { return };
    let transform = fit(&table, "patients-gan");
    let parts = transform.encode(&table, Seed(2), 2).unwrap();
    assert_eq!(parts, transform.encode(&table, Seed(2), 1).unwrap());
    let written = serde_json::to_string(&transform).unwrap();
    let read: TableTransform = serde_json::from_str(&written).unwrap();
    read.check().unwrap();
    assert_eq!(read, transform);
    let back = read.decode(parts, Seed(3), 2).unwrap();
    for name in PRINTED {
        let (at, from) = (back.schema().find(name).unwrap(), table.schema().find(name).unwrap());
        match (&back.columns()[at], &table.columns()[from]) {
            (Column::Codes(back), Column::Codes(cells)) => assert_eq!(back, cells, "{name}"),
            (Column::Numbers(back), Column::Numbers(cells)) => {
                let half = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max) / 40.0;
                let far = back.iter().zip(cells).map(|(x, y)| (x - y).abs());
                let far = far.fold(0.0, f64::max);
                assert!(far <= half + 0.01, "{name}: half a bin is {half}, but {far}");
            }
            _ => panic!("{name}: another storage"),
        }
    }
}

/// What the source's own bins lose: the cells at the minimum, 1 and 28 of them.
#[test]
fn the_printed_pipeline_loses_the_smallest_numbers() {
    let Some(table) = patients() else { return };
    let transform = fit(&table, "patients-gan-as-printed");
    let encoded = encode(&transform, &table);
    for (name, lost) in [("HEALTHCARE_EXPENSES", 1), ("HEALTHCARE_COVERAGE", 28)] {
        let at = transform.schema().find(name).unwrap();
        assert_eq!(encoded[at].iter().filter(|cell| cell.is_nan()).count(), lost, "{name}");
    }
    let parts = transform.encode(&table, Seed(2), 2).unwrap();
    let error = transform.decode(parts, Seed(3), 2).unwrap_err().to_string();
    assert!(error.contains("HEALTHCARE_") && error.contains("not nullable"), "{error}");
}
