use super::hierarchy::Hierarchy;
use super::rules::Generalise;
use super::texts::{Texts, category, coded, column_of};
use meg_core::{Column, ColumnKind, DataError, Error, Result, Table, datetime, round_to};
use std::collections::{BTreeMap, BTreeSet};

/// A coarser column in the place of one.
///
/// # Errors
/// A data error when a value is not in the hierarchy, or a moment has no year.
pub(super) fn generalise(
    table: &Table,
    at: usize,
    how: &Generalise,
    hierarchies: &BTreeMap<String, Hierarchy>,
) -> Result<(ColumnKind, Column)> {
    match how {
        Generalise::Width(width) => Ok(bins(
            table.numbers(at),
            |cell| (cell / width).floor() as i64,
            |bin| {
                let edge = |bin: i64| round_to(bin as f64 * width, 9);
                format!("{} to under {}", edge(bin), edge(bin + 1))
            },
        )),
        Generalise::Bins(edges) => {
            let bin = |cell: f64| edges.partition_point(|edge| *edge <= cell) as i64;
            Ok(bins(table.numbers(at), bin, |bin| {
                match (edges.get((bin - 1) as usize), edges.get(bin as usize)) {
                    (None, Some(most)) => format!("under {most}"),
                    (Some(least), None) => format!("{least} and over"),
                    (least, most) => {
                        format!("{} to under {}", least.unwrap_or(&0.0), most.unwrap_or(&0.0))
                    }
                }
            }))
        }
        Generalise::Decade => years(table, at, 10.0),
        Generalise::Year => years(table, at, 1.0),
        Generalise::Month => {
            let cells = parts(table, at, "%Y-%m")?;
            let levels: BTreeSet<&String> = cells.iter().flatten().collect();
            let levels = levels.into_iter().cloned().collect();
            Ok(coded(&cells, levels, true))
        }
        Generalise::Prefix(characters) => {
            let prefix = |text: &str| text.chars().take(*characters).collect();
            Ok(category(&column_of(&Texts::of(table, at), prefix)))
        }
        Generalise::Hierarchy { file, level } => {
            let hierarchy = hierarchies
                .get(file)
                .ok_or_else(|| Error::Request(format!("the hierarchy {file:?} was not read")))?;
            Ok(category(&groups(table, at, file, hierarchy, *level)?))
        }
    }
}

/// Numbers as an ordered category of the bins that occur.
fn bins(
    cells: &[f64],
    bin: impl Fn(f64) -> i64,
    name: impl Fn(i64) -> String,
) -> (ColumnKind, Column) {
    let bins: Vec<Option<i64>> =
        cells.iter().map(|&cell| (!cell.is_nan()).then(|| bin(cell))).collect();
    let occurring: BTreeSet<i64> = bins.iter().flatten().copied().collect();
    let names: Vec<Option<String>> = bins.into_iter().map(|bin| bin.map(&name)).collect();
    coded(&names, occurring.into_iter().map(&name).collect(), true)
}

/// The first year of each moment's span of so many years, as a number.
fn years(table: &Table, at: usize, span: f64) -> Result<(ColumnKind, Column)> {
    let year = |cell: &Option<String>| match cell {
        None => Ok(f64::NAN),
        Some(year) => year
            .parse::<f64>()
            .map(|year| (year / span).floor() * span)
            .map_err(|_| Error::data(format!("{year:?} is no year"))),
    };
    let years = parts(table, at, "%Y")?.iter().map(year).collect::<Result<_>>()?;
    Ok((ColumnKind::Number { decimals: Some(0) }, Column::Numbers(years)))
}

/// A part of each moment.
fn parts(table: &Table, at: usize, format: &str) -> Result<Vec<Option<String>>> {
    let part = |(row, &cell): (usize, &f64)| {
        if cell.is_nan() {
            return Ok(None);
        }
        datetime::print(cell, format).map(Some).ok_or_else(|| {
            let error = DataError::new("the moment cannot be printed").row(row as u64 + 1);
            error.column(&table.schema().columns[at].name).into()
        })
    };
    table.numbers(at).iter().enumerate().map(part).collect()
}

fn groups(
    table: &Table,
    at: usize,
    file: &str,
    hierarchy: &Hierarchy,
    level: usize,
) -> Result<Vec<Option<String>>> {
    let name = &table.schema().columns[at].name;
    if level > hierarchy.levels() {
        let problem = format!("level {level} is asked for, and {file} has {}", hierarchy.levels());
        return Err(DataError::new(problem).column(name).into());
    }
    let group = |(row, cell): (usize, Option<String>)| match cell {
        None => Ok(None),
        Some(text) => match hierarchy.group(&text, level) {
            Some(group) => Ok(Some(group.to_owned())),
            None => Err(DataError::new(format!("the value is not in the hierarchy {file}"))
                .row(row as u64 + 1)
                .column(name)
                .value(text)
                .advice("add a line for it to the hierarchy")
                .into()),
        },
    };
    Texts::of(table, at).cells.into_iter().enumerate().map(group).collect()
}
