//! Writing tables.

use crate::{
    read::{extension, unknown_format},
    store,
};
use meg_core::{ColumnKind, Result, Table};
use polars::prelude::{Column as Series, DataFrame, ParquetWriter, PolarsResult};
use std::{io, path::Path};

/// Writes CSV or Parquet (by the extension): to a temporary name first, synced, then renamed.
///
/// In CSV a missing cell is empty and numbers have the decimals of their column. In Parquet whole
/// numbers are 64-bit integers, other numbers doubles, and categories, identifiers, texts and
/// datetimes (in their format) text.
///
/// # Errors
/// A data error that names the file.
pub fn write_table(path: &Path, table: &Table) -> Result<()> {
    match extension(path).as_deref() {
        Some("csv") => store::replace(path, |writer| write_csv(writer, table)),
        Some("parquet") => store::replace(path, |writer| write_parquet(writer, table)),
        _ => Err(unknown_format(path)),
    }
}

/// Writes a table as CSV.
///
/// # Errors
/// Those of the writer.
pub fn write_csv(writer: impl io::Write, table: &Table) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(writer);
    writer.write_record(table.schema().columns.iter().map(|column| &column.name))?;
    for row in 0..table.rows() {
        for column in 0..table.columns().len() {
            writer.write_field(table.text(row, column).unwrap_or_default())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()
}

/// Writes a table as Parquet.
///
/// # Errors
/// Those of the writer.
pub fn write_parquet(writer: impl io::Write, table: &Table) -> io::Result<()> {
    let mut frame = frame(table).map_err(io::Error::other)?;
    ParquetWriter::new(writer).finish(&mut frame).map_err(io::Error::other)?;
    Ok(())
}

fn frame(table: &Table) -> PolarsResult<DataFrame> {
    let columns = (0..table.columns().len()).map(|at| series(table, at)).collect();
    DataFrame::new(table.rows(), columns)
}

fn series(table: &Table, at: usize) -> Series {
    let spec = &table.schema().columns[at];
    let name = spec.name.as_str().into();
    match spec.kind {
        ColumnKind::Number { decimals } => {
            let cells = table.numbers(at);
            // Beyond 2^53 a double is no longer surely the whole number that was meant.
            if decimals == Some(0) && cells.iter().all(|cell| cell.is_nan() || cell.abs() < 9.0e15)
            {
                let cells: Vec<Option<i64>> =
                    cells.iter().map(|cell| (!cell.is_nan()).then_some(*cell as i64)).collect();
                Series::new(name, cells)
            } else {
                let cells: Vec<Option<f64>> =
                    cells.iter().map(|cell| (!cell.is_nan()).then_some(*cell)).collect();
                Series::new(name, cells)
            }
        }
        _ => {
            let cells: Vec<Option<String>> =
                (0..table.rows()).map(|row| table.text(row, at)).collect();
            Series::new(name, cells)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_table;
    use meg_core::{Column, ColumnSpec, MISSING, Schema};

    fn table() -> Table {
        let day = ColumnSpec::new("day", ColumnKind::Datetime { format: "%Y-%m-%d".into() });
        let schema = Schema::new(vec![
            ColumnSpec::number("age", 0).nullable(),
            ColumnSpec::number("weight, kg", 1),
            ColumnSpec::number("exact", None),
            ColumnSpec::category("sex", ["F", "\"M\", male\nor so"]).nullable(),
            day.nullable(),
            ColumnSpec::new("note", ColumnKind::Text).nullable(),
        ])
        .unwrap();
        let columns = vec![
            Column::Numbers(vec![f64::NAN, 41.0]),
            Column::Numbers(vec![80.5, -0.1]),
            Column::Numbers(vec![0.1 + 0.2, 1e-300]),
            Column::Codes(vec![1, MISSING]),
            Column::Numbers(vec![86_400.0, f64::NAN]),
            Column::Texts(vec![None, Some("é, \"x\"".into())]),
        ];
        Table::new(schema, columns).unwrap()
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["t.csv", "t.parquet", "T.CSV"] {
            let path = folder.path().join(name);
            write_table(&path, &table()).unwrap();
            assert_eq!(read_table(&path, Some(table().schema())).unwrap(), table(), "{name}");
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 3, "temporary files are left: {left:?}");
    }

    #[test]
    fn a_column_of_missing_cells_alone_keeps_its_rows() {
        let schema = Schema::new(vec![ColumnSpec::number("x", 0).nullable()]).unwrap();
        let table =
            Table::new(schema, vec![Column::Numbers(vec![f64::NAN, 1.0, f64::NAN])]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.csv");
        write_table(&path, &table).unwrap();
        assert_eq!(read_table(&path, None).unwrap(), table);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("no/such/t.csv"), folder.path().join("t.xlsx")] {
            let message = write_table(&path, &table()).unwrap_err().to_string();
            assert!(message.contains(&path.display().to_string()), "{message}");
        }
        let taken = folder.path().join("taken.csv");
        std::fs::create_dir(&taken).unwrap();
        assert!(write_table(&taken, &table()).unwrap_err().to_string().contains("folder"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_in_both_formats() {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(write_csv(full(), &table()).is_err());
        assert!(write_parquet(full(), &table()).is_err());
    }

    #[test]
    fn a_failed_write_keeps_the_older_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "old").unwrap();
        let failed = store::replace(&path, |writer| {
            io::Write::write_all(writer, b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("t.csv") && message.contains("the disk is full"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
