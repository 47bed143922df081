//! The user's own files: what is accepted, what is refused and how.

use datasets::{
    ReadOptions, SchemaOf, column_names, infer_schema, infer_schema_with, read_table,
    read_table_with, remarks, write_table,
};
use meg_core::{ColumnKind, ColumnSpec, ErrorKind, Schema, Table};
use std::{fs, path::PathBuf, time::Instant};
use tempfile::TempDir;

/// A folder with one file in it.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(text: impl AsRef<[u8]>) -> meg_core::Result<Table> {
    let (_folder, path) = file("people.csv", text);
    read_table(&path, None)
}

fn read_as(text: &str, schema: &Schema) -> meg_core::Result<Table> {
    let (_folder, path) = file("people.csv", text);
    read_table(&path, Some(schema))
}

/// Asserts that the error is one of data, names the file and contains every part.
fn refused(result: meg_core::Result<Table>, parts: &[&str]) {
    let error = result.expect_err("the file should be refused");
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} should contain {part:?}");
    }
}

fn kinds(text: &str) -> Vec<(String, bool)> {
    let (_folder, path) = file("people.csv", text);
    let describe = |column: &ColumnSpec| {
        let kind = match &column.kind {
            ColumnKind::Number { decimals: Some(decimals) } => format!("number {decimals}"),
            ColumnKind::Number { decimals: None } => "number".into(),
            ColumnKind::Category { levels, .. } => format!("category {}", levels.join("|")),
            ColumnKind::Datetime { format } => format!("datetime {format}"),
            kind => kind.name().into(),
        };
        (kind, column.nullable)
    };
    infer_schema(&path).unwrap().columns.iter().map(describe).collect()
}

fn people() -> Schema {
    let day = ColumnKind::Datetime { format: "%Y-%m-%d".into() };
    Schema::new(vec![
        ColumnSpec::number("money", 2).nullable(),
        ColumnSpec::category("colour", ["red", "green"]),
        ColumnSpec::new("day", day),
    ])
    .unwrap()
}

#[test]
fn a_file_that_is_not_there() {
    refused(read_table("no/such.csv".as_ref(), None), &["no/such.csv", "no such file"]);
    refused(read_table("no/such.parquet".as_ref(), None), &["no/such.parquet", "no such file"]);
}

#[test]
fn a_folder_instead_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["folder.csv", "folder.parquet"] {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        refused(read_table(&path, None), &[name, "folder", "a file is needed"]);
    }
}

#[test]
fn an_unknown_ending() {
    let (_folder, path) = file("people.xlsx", "a\n1\n");
    refused(read_table(&path, None), &["people.xlsx", ".csv or .parquet"]);
}

#[test]
fn an_empty_file() {
    refused(read(""), &["people.csv", "the file is empty"]);
    refused(read("\n\n"), &["the file is empty"]);
    let (_folder, path) = file("people.parquet", "");
    refused(read_table(&path, None), &["people.parquet", "empty"]);
}

#[test]
fn a_header_without_rows() {
    refused(read("a,b\n"), &["people.csv", "no row"]);
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    refused(read("a,b\n1,2\n\n3\n"), &["people.csv", "line 4", "1 cells", "2 columns"]);
    refused(read("a,b\r\n1,2\r\n3,4,5\r\n"), &["line 3", "3 cells"]);
    // A quoted cell with a line break in it takes two lines.
    refused(read("a,b\n\"x\ny\",2\n3\n"), &["line 4", "1 cells"]);
}

#[test]
fn a_quote_that_is_never_closed() {
    refused(read("a,b\n1,2\n3,\"x\n5,6\n7,8\n"), &["line 3", "quote", "never closed"]);
    refused(read("a,b\n\"x,2\n3,4\n"), &["line 2", "1 cells", "quote"]);
    assert_eq!(read("a,b\n1,\"x\ny\"\n").unwrap().rows(), 1);
}

#[test]
fn a_repeated_or_empty_column_name() {
    refused(read("a,b,a\n1,2,3\n"), &["column \"a\"", "cells 1 and 3", "rename"]);
    refused(read(",b\n1,2\n"), &["line 1", "cell 1", "empty", "index=False"]);
}

#[test]
fn another_separator() {
    refused(read("a;b\n1;2\n"), &["people.csv", "';'", "commas"]);
}

#[test]
fn another_encoding() {
    refused(read(b"name\nJos\xE9\n"), &["people.csv", "line 2", "byte 8", "0xE9", "iconv"]);
    refused(read(b"\xFF\xFEa\0\n\0"), &["UTF-16", "iconv"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(read(b"\xEF\xBB\xBFa,b\n1,2\n").unwrap().schema().columns[0].name, "a");
}

#[test]
fn an_unknown_level_comes_with_the_nearest_one() {
    let text = "money,colour,day\n1,gren,2020-01-01\n";
    let parts = ["line 2", "column \"colour\"", "value \"gren\"", "nearest is \"green\"", "levels"];
    refused(read_as(text, &people()), &parts);
}

#[test]
fn text_in_a_number_column() {
    let text = "money,colour,day\n1,red,2020-01-01\nNA,red,2020-01-01\n";
    let parts = ["line 3", "column \"money\"", "value \"NA\"", "a number is needed", "--missing"];
    refused(read_as(text, &people()), &parts);
}

#[test]
fn numbers_that_are_not_finite() {
    for text in ["inf", "-Infinity", "NaN", "1e999"] {
        let text = format!("money,colour,day\n{text},red,2020-01-01\n");
        refused(read_as(&text, &people()), &["line 2", "column \"money\"", "not finite"]);
    }
    refused(read("x\n1\ninf\n"), &["line 3", "column \"x\"", "value \"inf\"", "not finite"]);
}

#[test]
fn the_noise_of_printing_is_rounded_away_and_real_digits_are_refused() {
    let text = "money,colour,day\n1334.8799999999999,red,2020-01-01\n";
    assert_eq!(read_as(text, &people()).unwrap().numbers(0), [1334.88]);
    let text = "money,colour,day\n8.099999,red,2020-01-01\n";
    assert_eq!(read_as(text, &people()).unwrap().numbers(0), [8.1]);
    for number in [44_295_836_777_430.95, 35_781_173_099_738.11] {
        let text = format!("money,colour,day\n{number},red,2020-01-01\n");
        let read = read_as(&text, &people()).unwrap().numbers(0)[0];
        assert!((read - number).abs() <= 1e-15 * number, "{read}");
    }
    for number in ["1334.885", "12345.678", "600000.005", "123456789012.125"] {
        let text = format!("money,colour,day\n{number},red,2020-01-01\n");
        let value = format!("value \"{number}\"");
        refused(read_as(&text, &people()), &[&value, "more than 2 digits", "decimals"]);
    }
}

#[test]
fn a_date_of_another_format() {
    let text = "money,colour,day\n1,red,01/02/2020\n";
    refused(read_as(text, &people()), &["line 2", "value \"01/02/2020\"", "%Y-%m-%d", "format"]);
}

#[test]
fn a_missing_cell_where_none_may_be() {
    let text = "money,colour,day\n,red,2020-01-01\n1,,2020-01-01\n";
    refused(read_as(text, &people()), &["line 3", "column \"colour\"", "missing", "nullable"]);
}

#[test]
fn columns_are_matched_by_name() {
    let table = read_as("day,colour,money\n2020-01-01,green,5\n", &people()).unwrap();
    assert_eq!((table.numbers(0)[0], table.codes(1)[0]), (5.0, 1));
    refused(
        read_as("money,day\n1,2020-01-01\n", &people()),
        &["column \"colour\"", "not in the file"],
    );
    let extra = "money,colour,day,x\n1,red,2020-01-01,7\n";
    refused(read_as(extra, &people()), &["column \"x\"", "not in the schema", "--drop \"x\""]);
    let (_folder, path) = file("people.csv", extra);
    let options = ReadOptions { drop: vec!["x".into()], ..ReadOptions::default() };
    assert_eq!(read_table_with(&path, Some(&people()), &options).unwrap().rows(), 1);
    let options = ReadOptions { drop: vec!["y".into()], ..ReadOptions::default() };
    let error = read_table_with(&path, None, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("there are: money, colour, day, x"), "{error}");
}

/// The schema of a trained model is in no file that its user could correct.
#[test]
fn rows_for_a_model_are_refused_without_advice_to_change_the_schema() {
    let options = ReadOptions { schema_of: SchemaOf::Model, ..ReadOptions::default() };
    for (text, part) in [
        ("money,day\n1,2020-01-01\n", "`meg model inspect` lists"),
        ("money,colour,day,x\n1,red,2020-01-01,7\n", "--drop \"x\""),
        ("money,colour,day\n1,,2020-01-01\n", "train a model anew"),
        ("money,colour,day\n1,blue,2020-01-01\n", "train a model anew"),
        ("money,colour,day\n1.234,red,2020-01-01\n", "train a model anew"),
        ("money,colour,day\n1,red,01/02/2020\n", "train a model anew"),
        ("money,colour,day\n?,red,2020-01-01\n", "--missing \"?\""),
    ] {
        let (_folder, path) = file("people.csv", text);
        let result = read_table_with(&path, Some(&people()), &options);
        let advice = result.expect_err(text).to_string();
        let advice = advice.split("help: ").nth(1).expect("every such error advises");
        assert!(advice.contains(part) && !advice.contains("schema"), "{text:?}: {advice}");
    }
}

#[test]
fn missing_markers_are_only_those_that_are_listed() {
    let text = "x,y\n1,NA\n,b\n";
    let (_folder, path) = file("people.csv", text);
    let plain = infer_schema(&path).unwrap();
    assert_eq!(plain.columns[1].levels(), ["NA", "b"]);
    assert!(plain.columns[0].nullable && !plain.columns[1].nullable);
    let options = ReadOptions { missing: vec!["NA".into()], ..ReadOptions::default() };
    let marked = infer_schema_with(&path, &options).unwrap();
    assert_eq!(marked.columns[1].levels(), ["b"]);
    let table = read_table_with(&path, None, &options).unwrap();
    assert!(table.columns()[1].is_missing(0) && table.columns()[0].is_missing(1));
}

/// As a category, every number beside an `NA` would become a level of its own.
#[test]
fn strangers_among_numbers_and_dates_are_refused_with_their_place() {
    let cell = |n: usize| if n == 40 { "NA".into() } else { format!("{}.5", n) };
    let numbers: String = (0..100).map(|n| format!("{n},{}\n", cell(n))).collect();
    let (_folder, path) = file("people.csv", format!("x,y\n{numbers}"));
    let parts = ["people.csv: line 42", "\"y\"", "\"NA\"", "99 cells", "--missing \"NA\""];
    refused(read_table(&path, None), &parts);
    let day =
        |n: usize| if n == 7 { "2024-02-30".into() } else { format!("2024-01-{:02}", n % 28 + 1) };
    let days: String = (0..100).map(|n| format!("{n},{}\n", day(n))).collect();
    let (_folder, path) = file("people.csv", format!("x,y\n{days}"));
    refused(
        read_table(&path, None),
        &["line 9", "\"2024-02-30\"", "99 cells of the column are dates"],
    );
    let codes: String = (0..100).map(|n| ["1\n", "2\n", "3\n", "more\n"][n % 4]).collect();
    assert_eq!(kinds(&format!("a\n{codes}"))[0].0, "category 1|2|3|more");
}

/// Zip codes: those without a zero in front are no numbers either.
#[test]
fn codes_with_leading_zeros_are_no_numbers() {
    let zips = |n: usize| format!("{:05}", 997 + 331 * (n % 40));
    let text: String = (0..200).map(|n| format!("{}\n", zips(n))).collect();
    let (kind, _) = &kinds(&format!("zip\n{text}"))[0];
    assert!(kind.starts_with("category 00997|01328|"), "{kind}");
    let (kind, _) = &kinds(&format!("zip\n04912-1234\n{text}"))[0];
    assert!(kind.contains("|04912-1234|"), "{kind}");
    let (_folder, path) = file("people.csv", format!("zip\nNA\n{text}"));
    refused(read_table(&path, None), &["line 2", "\"NA\"", "--missing \"NA\""]);
    let number = Schema::new(vec![ColumnSpec::number("zip", 0)]).unwrap();
    let (_folder, path) = file("people.csv", "zip\n12345\n04912\n");
    refused(
        read_table(&path, Some(&number)),
        &["people.csv: line 3", "\"04912\"", "leading zeros", "kind = \"category\""],
    );
    // Days and months are often written with a zero.
    let (_folder, path) = file("people.csv", "zip\n12\n04\n-03\n");
    assert_eq!(read_table(&path, Some(&number)).unwrap().numbers(0), [12.0, 4.0, -3.0]);
}

#[test]
fn kinds_are_inferred() {
    let header = "whole,money,code,place,day,stamp,word,none,id\n";
    let row = |n: usize| {
        format!(
            "{},{}.{:02},0{},{},2020-01-{:02},2020-01-01 00:00:{:02},{},,{}\n",
            n % 3,
            n,
            n % 100,
            n % 7,
            41.338_109_233_895_66 + n as f64 / 7.0,
            n % 28 + 1,
            n % 60,
            ["b", "", "a"][n % 3],
            1000 + n
        )
    };
    let text: String = std::iter::once(header.to_owned()).chain((0..200).map(row)).collect();
    let expected = [
        ("number 0", false),
        ("number 2", false),
        ("category 00|01|02|03|04|05|06", false),
        ("number", false),
        ("datetime %Y-%m-%d", false),
        ("datetime %Y-%m-%d %H:%M:%S", false),
        ("category a|b", true),
        ("number 0", true),
        ("identifier", false),
    ];
    let found = kinds(&text);
    for ((kind, nullable), expected) in found.iter().zip(expected) {
        assert_eq!((kind.as_str(), *nullable), expected);
    }
}

#[test]
fn levels_do_not_depend_on_the_order_of_the_rows() {
    assert_eq!(kinds("a\ny\nx\n\"x y\"\n"), kinds("a\n\"x y\"\nx\ny\n"));
}

#[test]
fn identifiers_and_texts_are_told_with_the_ways_out() {
    let rows = (0..3000).map(|n| format!("k{n},t{}\n", n % 2000));
    let text: String = std::iter::once("key,note\n".to_owned()).chain(rows).collect();
    let (_folder, path) = file("people.csv", text);
    let schema = infer_schema(&path).unwrap();
    assert_eq!(schema.columns[0].kind, ColumnKind::Identifier);
    assert_eq!(schema.columns[1].kind, ColumnKind::Text);
    let told = remarks(&read_table(&path, None).unwrap());
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("\"key\"") && told[0].contains("--drop"), "{}", told[0]);
    assert!(told[1].contains("\"note\"") && told[1].contains("free text"), "{}", told[1]);
}

#[test]
fn a_column_to_leave_out_may_be_absent_where_that_is_said() {
    let (_folder, path) = file("people.csv", "a,b\n1,2\n");
    assert_eq!(column_names(&path).unwrap(), ["a", "b"]);
    let mut options = ReadOptions { drop: vec!["a".into(), "c".into()], ..ReadOptions::default() };
    let message = read_table_with(&path, None, &options).unwrap_err().to_string();
    assert!(message.contains("\"c\" to leave out is not in"), "{message}");
    options.drop_absent = true;
    assert_eq!(read_table_with(&path, None, &options).unwrap().columns().len(), 1);
}

#[test]
fn text_after_a_closed_quote_is_refused() {
    for text in ["a,b\n1,\"Ba\"sel\n", "a,b\n1,\"Ba\" \n", "a,b\n\"x\"y,2\n"] {
        refused(read(text), &["people.csv", "line 2", "after a closed quote", "twice"]);
    }
    let table = read("a,b\n\"Ba\"\"sel\",\"x\"\r\n\"y, z\",u\"v\n").unwrap();
    assert_eq!(table.schema().columns[0].levels(), ["Ba\"sel", "y, z"]);
}

#[test]
fn whole_numbers_too_long_for_a_double_stay_text() {
    let kinds = kinds("a\n12345678901234567\n12345678901234568\n");
    assert_eq!(kinds[0].0, "category 12345678901234567|12345678901234568");
}

#[test]
fn quotes_carriage_returns_and_plain_text_give_the_same_cells() {
    let plain = read("a,b\n1,x y\n,z\n").unwrap();
    assert_eq!(read("a,b\r\n1,x y\r\n,z\r\n").unwrap(), plain);
    assert_eq!(read("\"a\",b\n\"1\",\"x y\"\n\"\",z").unwrap(), plain);
    assert_eq!(read("a,b\n1,x y\n\n,z\n\n").unwrap(), plain);
    assert_eq!(read("a,b\n1,x y\n,z").unwrap(), plain);
    let quoted = read("a\n\"x, \"\"y\"\"\nz\"\nw\n").unwrap();
    assert_eq!(quoted.text(0, 0).as_deref(), Some("x, \"y\"\nz"));
    // Blanks belong to a text, not to a number.
    let blanks = read("a,b\n 1, x\n").unwrap();
    assert_eq!((blanks.numbers(0)[0], blanks.text(0, 1).as_deref()), (1.0, Some(" x")));
}

#[test]
fn three_hundred_columns() {
    let line =
        |cell: &dyn Fn(usize) -> String| (0..300).map(cell).collect::<Vec<_>>().join(",") + "\n";
    let rows = (0..500).map(|row| line(&|column| (row * column % 17).to_string()));
    let text: String = std::iter::once(line(&|column| format!("c{column}"))).chain(rows).collect();
    let table = read(text).unwrap();
    assert_eq!((table.columns().len(), table.rows()), (300, 500));
    assert_eq!(table.numbers(299)[3], f64::from(3 * 299 % 17));
}

#[test]
fn a_hundred_thousand_different_texts_are_read_in_seconds() {
    let rows = (0..100_000).map(|n| format!("person-{n:08}-{},{}\n", n * 7919 % 100_003, n % 90));
    let text: String = std::iter::once("id,age\n".to_owned()).chain(rows).collect();
    let start = Instant::now();
    let table = read(text).unwrap();
    assert_eq!(table.schema().columns[0].kind, ColumnKind::Identifier);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn parquet_keeps_types_and_missing_cells() {
    let csv = "n,x,c,d,f\n1,0.5,a,2020-01-01,true\n,1.25,,2020-01-02,false\n";
    let table = read(csv).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_table(&path, &table).unwrap();
    assert_eq!(read_table(&path, None).unwrap(), table);
    assert_eq!(read_table(&path, Some(table.schema())).unwrap(), table);
    let wrong = Schema::new(vec![
        ColumnSpec::number("n", 0),
        ColumnSpec::number("x", 1),
        ColumnSpec::category("c", ["a"]).nullable(),
        table.schema().columns[3].clone(),
        table.schema().columns[4].clone(),
    ])
    .unwrap();
    refused(read_table(&path, Some(&wrong)), &["t.parquet", "row 2", "column \"n\"", "nullable"]);
}

#[test]
fn a_damaged_parquet_file_is_refused() {
    let (_folder, path) = file("t.parquet", "this is no parquet file at all");
    refused(read_table(&path, None), &["t.parquet", "Parquet"]);
}
