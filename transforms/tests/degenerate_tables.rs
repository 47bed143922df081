//! Tables and cells at the edge of what they can be, through the transforms that are no steps: each
//! passes or is refused with a reason.

use meg_core::{
    Bound, Column, ColumnKind, ColumnSpec, Constraint, MISSING, Schema, Seed, Table, datetime,
};
use transforms::constraints::Rewriting;
use transforms::masking::{Means, Rules};
use transforms::{
    BinaryCode, DateParts, DateText, EmMixture, HashedCode, MirrorFlags, ModeNormalizer, OneHot,
    Padding, SmoothedOneHot, SquareMatrix, Step, TablePlan, UnitCode, VariationalMixture,
    equal_width_edges, quantile_edges,
};

const TINY: f64 = 5e-324;

/// Finite and missing cells: what a `Table` can hold.
fn columns() -> Vec<(&'static str, Vec<f64>)> {
    let mut outlier = vec![1.0; 1_000];
    outlier[17] = 1e9;
    vec![
        ("one row", vec![3.5]),
        ("one missing row", vec![f64::NAN]),
        ("all missing", vec![f64::NAN; 20]),
        ("constant", vec![0.1; 50]),
        ("two values", (0..40).map(|row| f64::from(row % 2)).collect()),
        ("1e300", vec![1e300, 2e300, f64::NAN, 1e299]),
        ("both ends", vec![f64::MIN, 0.0, f64::MAX]),
        ("denormals", vec![TINY, 1e-310, 3e-315, 0.0]),
        ("an outlier among ones", outlier),
    ]
}

fn number_table(cells: &[f64]) -> Table {
    let schema = Schema::new(vec![ColumnSpec::number("x", None).nullable()]).unwrap();
    Table::new(schema, vec![Column::Numbers(cells.to_vec())]).unwrap()
}

#[test]
fn codes_of_a_hundred_thousand_levels_come_back_from_their_units() {
    let levels = 100_000;
    let codes: [Box<dyn UnitCode>; 4] = [
        Box::new(OneHot::new(levels)),
        Box::new(SmoothedOneHot::new(levels, 0.2).unwrap()),
        Box::new(BinaryCode::new(levels)),
        Box::new(HashedCode::new(levels, 5, 64).unwrap()),
    ];
    let mut rng = Seed(1).stream("units");
    for code in codes {
        let mut units = vec![0.0; code.width()];
        for level in [0, 1, 65_535, 65_536, levels as u32 - 1] {
            code.write(level, &mut units, &mut rng).unwrap();
            assert!(units.iter().all(|unit| unit.is_finite()), "{code:?}");
            assert_eq!(code.read(&units), level, "{code:?}");
        }
        assert!(code.write(MISSING, &mut units, &mut rng).is_err());
    }
}

#[test]
fn moments_of_any_size_come_back_or_are_refused_with_their_row() {
    let format = "%Y-%m-%d %H:%M:%S";
    let text = DateText::new(format).unwrap();
    let (least, most) = datetime::printable(format);
    for cells in [vec![], vec![f64::NAN; 3], vec![0.0], vec![least, most], vec![5.0; 9]] {
        let written = text.decode(&cells).unwrap();
        let back = text.encode(&written).unwrap();
        assert!(cells.iter().zip(&back).all(|(x, y)| x == y || (x.is_nan() && y.is_nan())));
    }
    for moment in [1e300, f64::INFINITY, f64::NEG_INFINITY, most + 1.0] {
        let error = text.decode(&[0.0, moment]).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains("cannot hold"), "{error}");
        let error = DateParts::encode(&[0.0, moment]).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains("-9999 to 9999"), "{error}");
    }
    for cells in [vec![], vec![f64::NAN; 3], vec![0.0; 5], vec![1.0, -1.0]] {
        let back = DateParts::decode(&DateParts::encode(&cells).unwrap()).unwrap();
        assert!(cells.iter().zip(&back).all(|(x, y)| x == y || (x.is_nan() && y.is_nan())));
    }
    // A denormal second is no second.
    assert_eq!(DateParts::decode(&DateParts::encode(&[TINY]).unwrap()).unwrap(), [0.0]);
    // Two digits stand for a hundred years.
    let short = DateText::new("%d/%m/%y").unwrap();
    assert_eq!(short.encode(&[Some("01/01/70".into())]).unwrap(), [0.0]);
    let error = short.decode(&[-86_400.0]).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("cannot hold"), "{error}");
}

#[test]
fn records_of_any_cells_come_back_from_their_square() {
    for (name, cells) in columns() {
        let record: Vec<f32> = cells.iter().map(|&cell| cell as f32).collect();
        for padding in [Padding::Zero, Padding::Repeat] {
            let square = SquareMatrix::smallest(record.len(), padding);
            let mut matrix = vec![0.0; square.side() * square.side()];
            square.write(&record, &mut matrix).unwrap();
            let mut back = vec![0.0; record.len()];
            square.read(&matrix, &mut back).unwrap();
            let same = |(x, y): (&f32, &f32)| x == y || (x.is_nan() && y.is_nan());
            assert!(record.iter().zip(&back).all(same), "{name}");
        }
    }
    let none = SquareMatrix::smallest(0, Padding::Repeat);
    none.write(&[], &mut []).unwrap();
}

#[test]
fn mixtures_of_any_two_values_have_finite_parameters() {
    for (name, cells) in columns() {
        let values: Vec<f64> = cells.into_iter().filter(|cell| !cell.is_nan()).collect();
        if values.iter().all(|value| *value == values[0]) {
            continue;
        }
        let mut rng = Seed(1).stream("mixture");
        let em = EmMixture::fit(&values, 5, &mut rng);
        let bayes = VariationalMixture::fit(&values, 10, &mut rng);
        let parameters = [&em.weights, &em.means, &em.deviations];
        let parameters = parameters.into_iter().chain([&bayes.weights, &bayes.means]);
        for parameter in parameters.chain([&bayes.deviations]) {
            assert!(parameter.iter().all(|x| x.is_finite()), "{name}: {parameter:?}");
        }
        let modes = ModeNormalizer::fit(&values, 10, 0.005, &mut rng);
        for &value in &values {
            let (mode, place) = modes.encode(value, &mut rng);
            assert!(place.abs() <= 0.99 && modes.decode(mode, place).is_finite(), "{name}");
        }
    }
}

#[test]
fn edges_of_no_value_are_refused() {
    for edges in [equal_width_edges(&[], 5), quantile_edges(&[], 5)] {
        assert!(edges.unwrap_err().to_string().contains("no value"));
    }
}

#[test]
fn a_plan_takes_every_column_that_a_table_can_hold() {
    for (name, cells) in columns() {
        let table = number_table(&cells);
        let plan = TablePlan { numbers: vec![Step::Standard], ..TablePlan::default() };
        for threads in [1, 2] {
            let made = plan.fit(&table, Seed(1), threads).and_then(|transform| {
                let encoded = transform.encode(&table, Seed(2), threads)?;
                transform.decode(encoded, Seed(3), threads)
            });
            let back = match made {
                Ok(back) => back,
                Err(error) => {
                    let error = error.to_string();
                    assert!(name == "both ends" && error.contains("column \"x\""), "{error}");
                    continue;
                }
            };
            let size = cells.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            for (x, y) in cells.iter().zip(back.numbers(0)) {
                let near = (x - y).abs() <= 1e-12 * size + 1e-320;
                assert!(near || (x.is_nan() && y.is_nan()), "{name}: {x} came back as {y}");
            }
        }
    }
}

#[test]
fn flags_of_strange_tables_are_none_or_come_back() {
    for (name, cells) in columns() {
        let flag = cells.iter().map(|cell| u32::from(cell.is_nan())).collect();
        let columns = vec![ColumnSpec::category("f", ["n", "y"]), ColumnSpec::number("x", None)];
        let [f, x] = columns.try_into().unwrap();
        let schema = Schema::new(vec![f, x.nullable()]).unwrap();
        let cells = vec![Column::Codes(flag), Column::Numbers(cells.clone())];
        let table = Table::new(schema, cells).unwrap();
        for flags in [MirrorFlags::find(&table), MirrorFlags::find_for_models(&table)] {
            flags.check(table.schema()).unwrap();
            let stripped = flags.strip(&table).unwrap();
            assert_eq!(flags.restore(&stripped, table.schema()).unwrap(), table, "{name}");
            assert!(flags.flags().is_empty() || name == "1e300", "{name}");
        }
    }
}

#[test]
fn constraints_hold_in_strange_tables() {
    for (name, cells) in columns() {
        // `low` is never above `high`; the range holds whatever there is.
        let low: Vec<f64> = cells.iter().map(|cell| cell.min(0.0)).collect();
        let columns =
            ["low", "high"].map(|name| ColumnSpec::number(name, None).nullable()).to_vec();
        let schema = Schema::new(columns).unwrap().with_constraints(vec![
            Constraint::Order { low: "low".into(), high: "high".into() },
            Constraint::Range {
                column: "high".into(),
                least: Some(Bound::Number(f64::MIN)),
                most: Some(Bound::Number(f64::MAX)),
            },
        ]);
        // `min` passes over NaN.
        let low = low.iter().zip(&cells).map(|(&l, c)| if c.is_nan() { f64::NAN } else { l });
        let cells = vec![Column::Numbers(low.collect()), Column::Numbers(cells)];
        let table = Table::new(schema.unwrap(), cells).unwrap();
        let rewriting = Rewriting::learn(&table).unwrap();
        let restored = rewriting.rewrite(&table).and_then(|inner| rewriting.restore(&inner));
        let restored = restored.unwrap_or_else(|error| panic!("{name}: {error}")).table;
        for row in 0..table.rows() {
            let (x, y) = (table.numbers(1)[row], restored.numbers(1)[row]);
            let size = table.numbers(0)[row].abs().max(x.abs());
            let near = (0.5 * x - 0.5 * y).abs() <= 1e-12 * size || (x.is_nan() && y.is_nan());
            assert!(near, "{name}: {x} came back as {y}");
        }
    }
}

#[test]
fn masking_takes_every_column_or_says_why_not() {
    let methods = [
        "method = \"drop\"",
        "method = \"suppress\"",
        "method = \"hash\"",
        "method = \"keep_last\"\ncharacters = 2",
        "method = \"generalise\"\nbins = [0, 1]",
        "method = \"generalise\"\nwidth = 10",
        "method = \"noise\"\nsd = 1.5",
        "method = \"noise\"\nshare = 0.5",
        "method = \"fake\"",
    ];
    let key = transforms::masking::Key::new(b"0123456789abcdef").unwrap();
    let hierarchies = std::collections::BTreeMap::new();
    for (name, cells) in columns() {
        let columns = vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::new("t", ColumnKind::Text).nullable(),
        ];
        let text = |cell: &f64| (!cell.is_nan()).then(|| cell.to_string());
        let texts = Column::Texts(cells.iter().map(text).collect());
        let table =
            Table::new(Schema::new(columns).unwrap(), vec![Column::Numbers(cells.clone()), texts])
                .unwrap();
        for method in methods {
            for column in ["x", "t"] {
                let rules = format!("[[rules]]\ncolumns = [{column:?}]\n{method}\n");
                let rules = Rules::from_toml(&rules).unwrap();
                let means = Means { key: Some(&key), hierarchies: &hierarchies, seed: Seed(1) };
                let case = format!("{name}, {column}: {method}");
                match rules.apply(&table, &means) {
                    Ok(masked) => assert_eq!(masked.table.rows(), cells.len(), "{case}"),
                    Err(error) => {
                        let error = error.to_string();
                        assert!(error.contains(&format!("{column:?}")), "{case}: {error}");
                        assert!(!error.contains("NaN"), "{case}: {error}");
                    }
                }
            }
        }
    }
}
