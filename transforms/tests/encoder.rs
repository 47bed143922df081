//! Laws of the table encoder.

use meg_core::{Column, ColumnSpec, SampleRequest, Schema, Seed, Silent, Table, conformance};
use proptest::prelude::*;
use transforms::{Activation, DecodedRows, Encoded, EncoderOptions, TableEncoder};

fn fit(table: &Table, options: &EncoderOptions) -> TableEncoder {
    TableEncoder::fit(table, options, Seed(1), 1, &mut Silent).unwrap()
}

fn dense(encoded: &Encoded) -> Vec<f32> {
    let mut units = vec![0.0; encoded.rows * encoded.width];
    for row in 0..encoded.rows {
        encoded.write_row(row, &mut units[row * encoded.width..(row + 1) * encoded.width]);
    }
    units
}

fn round_trip(table: &Table) -> Table {
    let encoder = fit(table, &EncoderOptions::default());
    let encoded = encoder.encode(table, Seed(2), 1).unwrap();
    encoder.decode(&dense(&encoded), table.rows(), &mut Seed(3).stream("decode")).unwrap()
}

#[test]
fn every_kind_of_column_comes_back() {
    let table = conformance::mixed_table(500, 1);
    let back = round_trip(&table);
    assert_eq!(back.schema(), table.schema());
    for ((spec, cells), (_, decoded)) in table.iter().zip(back.iter()) {
        match (cells, decoded) {
            (Column::Codes(cells), Column::Codes(decoded)) => assert_eq!(cells, decoded),
            (Column::Numbers(cells), Column::Numbers(decoded)) => {
                let unit = if spec.name == "day" { 86_400.0 } else { 0.02 };
                for (cell, decoded) in cells.iter().zip(decoded) {
                    assert_eq!(cell.is_nan(), decoded.is_nan(), "{}", spec.name);
                    let away = (cell - decoded).abs();
                    assert!(cell.is_nan() || away <= unit, "{}: {cell} {decoded}", spec.name);
                }
            }
            (Column::Texts(cells), Column::Texts(decoded)) => {
                assert!(decoded.iter().all(|fresh| !cells.contains(fresh)));
            }
            _ => panic!("{}: another storage", spec.name),
        }
    }
}

#[test]
fn the_encoding_does_not_depend_on_threads() {
    let table = conformance::mixed_table(300, 4);
    let options = EncoderOptions::default();
    let one = TableEncoder::fit(&table, &options, Seed(1), 1, &mut Silent).unwrap();
    let two = TableEncoder::fit(&table, &options, Seed(1), 2, &mut Silent).unwrap();
    assert_eq!(one, two);
    assert_eq!(one.encode(&table, Seed(2), 1).unwrap(), two.encode(&table, Seed(2), 2).unwrap());
    let written = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<TableEncoder>(&written).unwrap(), one);
}

#[test]
fn spans_cover_every_unit_once_and_rows_are_one_hot() {
    let table = conformance::mixed_table(200, 2);
    let encoder = fit(&table, &EncoderOptions::default());
    let mut next = 0;
    for span in encoder.spans() {
        assert_eq!(span.start, next);
        next += span.width;
    }
    assert_eq!(next, encoder.width());
    let encoded = encoder.encode(&table, Seed(2), 1).unwrap();
    for row in dense(&encoded).chunks(encoder.width()) {
        for span in encoder.spans() {
            let units = &row[span.start..span.start + span.width];
            match span.activation {
                Activation::Softmax => assert_eq!(units.iter().sum::<f32>(), 1.0),
                Activation::Tanh => assert!(units[0].abs() <= 0.99),
            }
        }
    }
}

#[test]
fn parts_of_encoded_rows_decode_to_the_same_table_as_dense_rows() {
    let table = conformance::mixed_table(300, 5);
    let encoder = fit(&table, &EncoderOptions::default());
    let whole = round_trip(&table);
    let mut rows = DecodedRows::new(&encoder);
    assert_eq!(DecodedRows::new(&encoder).into_table().unwrap().rows(), 0);
    for part in [0..120, 120..300] {
        let rows_of_part = table.select_rows(&part.collect::<Vec<_>>());
        let encoded = encoder.encode(&rows_of_part, Seed(2), 1).unwrap();
        rows.push(encoder.decode_cells(&encoded, &mut Seed(3).stream("decode")).unwrap());
    }
    assert_eq!(rows.rows(), 300);
    let joined = rows.into_table().unwrap();
    for (at, (spec, cells)) in whole.iter().enumerate() {
        // Modes are drawn anew and identifiers are made anew.
        match (cells, &joined.columns()[at]) {
            (Column::Numbers(a), Column::Numbers(b)) => {
                let unit = if spec.name == "day" { 86_400.0 } else { 0.02 };
                let same = |(a, b): (&f64, &f64)| a.is_nan() && b.is_nan() || (a - b).abs() <= unit;
                assert!(a.iter().zip(b).all(same), "{}", spec.name);
            }
            (Column::Codes(a), Column::Codes(b)) => assert_eq!(a, b),
            (a, b) => assert_eq!(a.len(), b.len()),
        }
    }
}

#[test]
fn rows_of_another_layout_are_refused() {
    let table = conformance::mixed_table(100, 6);
    let encoder = fit(&table, &EncoderOptions::default());
    let mut rng = Seed(3).stream("decode");
    assert_eq!(encoder.decode_cells(&encoder.blank(4), &mut rng).unwrap()[0].len(), 4);
    let mut outside = encoder.blank(4);
    outside.hot[0] = encoder.width() as u32;
    assert!(encoder.decode_cells(&outside, &mut rng).is_err());
    let mut short = encoder.blank(4);
    short.places.pop();
    assert!(encoder.decode_cells(&short, &mut rng).is_err());
}

#[test]
fn decoded_numbers_keep_range_and_decimals_unless_told_otherwise() {
    let schema = Schema::new(vec![ColumnSpec::number("x", 1)]).unwrap();
    let cells = (0..200).map(|row| f64::from(row) / 10.0).collect();
    let table = Table::new(schema, vec![Column::Numbers(cells)]).unwrap();
    let decode = |options: &EncoderOptions| {
        let encoder = fit(&table, options);
        let mut units = vec![0.0; encoder.width() * 2];
        units[0] = 1.0;
        units[1] = 1.0;
        units[encoder.width()] = -0.987_654;
        units[encoder.width() + 1] = 1.0;
        encoder.decode(&units, 2, &mut Seed(1).stream("decode")).unwrap().numbers(0).to_vec()
    };
    let kept = decode(&EncoderOptions::default());
    assert!(kept.iter().all(|x| (0.0..=19.9).contains(x) && (x * 10.0).fract().abs() < 1e-9));
    let free = decode(&EncoderOptions { round: false, clip: false, ..EncoderOptions::default() });
    assert!(free.iter().any(|x| !(0.0..=19.9).contains(x)), "{free:?}");
    assert!(free.iter().any(|x| (x * 10.0 - (x * 10.0).round()).abs() > 1e-6), "{free:?}");
}

#[test]
fn too_many_levels_and_unseen_values_are_refused() {
    let levels = (0..50).map(|level| format!("l{level}"));
    let schema = Schema::new(vec![ColumnSpec::category("c", levels)]).unwrap();
    let table = Table::new(schema.clone(), vec![Column::Codes((0..40).collect())]).unwrap();
    let options = EncoderOptions { max_levels: 39, ..EncoderOptions::default() };
    let error = TableEncoder::fit(&table, &options, Seed(1), 1, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("column \"c\": 40 different levels"), "{error}");
    let other = Table::new(schema, vec![Column::Codes(vec![3, 45])]).unwrap();
    let error = fit(&table, &EncoderOptions::default()).encode(&other, Seed(1), 1).unwrap_err();
    assert!(error.to_string().contains("row 2: column \"c\""), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_come_back_within_single_precision_of_their_range(
        cells in prop::collection::vec(prop_oneof![
            4 => (-1e3f64..1e3).prop_map(|x| (x * 100.0).round() / 100.0),
            1 => Just(f64::NAN),
            1 => Just(7.0),
        ], 1..200)
    ) {
        let schema = Schema::new(vec![ColumnSpec::number("x", 2).nullable()]).unwrap();
        let table = Table::new(schema, vec![Column::Numbers(cells.clone())]).unwrap();
        let back = round_trip(&table);
        let encoder = fit(&table, &EncoderOptions::default());
        let encoded = encoder.encode(&table, Seed(2), 1).unwrap();
        for (row, (x, y)) in cells.iter().zip(back.numbers(0)).enumerate() {
            prop_assert_eq!(x.is_nan(), y.is_nan());
            let cut = encoded.place_units.len() == 1 && encoded.places(row)[0].abs() >= 0.99;
            prop_assert!(x.is_nan() || cut || (x - y).abs() <= 0.01 + 1e-9, "{} {}", x, y);
        }
    }
}

#[test]
fn numbers_that_are_never_decoded_are_refused_at_once() {
    let schema =
        Schema::new(vec![ColumnSpec::number("visits", 0), ColumnSpec::number("one", 1)]).unwrap();
    let visits = (0..200).map(|row| f64::from(row % 40)).collect();
    let columns = vec![Column::Numbers(visits), Column::Numbers(vec![1.5; 200])];
    let table = Table::new(schema, columns).unwrap();
    let check = |clip: bool, column: &str, value: &str| {
        let options = EncoderOptions { clip, ..EncoderOptions::default() };
        let encoder = TableEncoder::fit(&table, &options, Seed(1), 1, &mut Silent).unwrap();
        let request = SampleRequest::rows(1).with(table.schema(), column, value).unwrap();
        encoder.check_conditions(&request.conditions).map_err(|error| error.to_string())
    };
    let message = check(true, "visits", "-5").unwrap_err();
    assert!(message.contains("\"visits\"") && message.contains("from 0 to 39"), "{message}");
    assert!(check(true, "visits", "40").is_err() && check(true, "one", "1.4").is_err());
    for (clip, column, value) in
        [(true, "visits", "39"), (false, "visits", "-5"), (false, "one", "1.5")]
    {
        check(clip, column, value).unwrap();
    }
}
