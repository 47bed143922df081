use super::hierarchy::Hierarchy;
use super::rules::Generalise;
use super::texts::{Texts, category, coded};
use super::width::Width;
use meg_core::{Column, ColumnKind, DataError, Error, Result, Table, datetime};
use std::collections::{BTreeMap, BTreeSet};

/// A coarser column in the place of one.
///
/// # Errors
/// A data error when a value is not in the hierarchy, a number has no bin of its width, or a moment
/// has no year. Values are not told: they are what masking is to hide.
pub(super) fn generalise(
    table: &Table,
    at: usize,
    how: &Generalise,
    hierarchies: &BTreeMap<String, Hierarchy>,
) -> Result<(ColumnKind, Column)> {
    match how {
        Generalise::Width(width) => {
            let bins_of_width = Width::new(*width);
            let bin = |(row, &cell): (usize, &f64)| match cell.is_nan() {
                true => Ok(0),
                false => bins_of_width.bin(cell).ok_or_else(|| too_far(table, row, at)),
            };
            let known: Vec<i64> =
                table.numbers(at).iter().enumerate().map(bin).collect::<Result<_>>()?;
            Ok(bins(table.numbers(at), |row, _| known[row], |bin| bins_of_width.name(bin)))
        }
        Generalise::Bins(edges) => {
            let bin = |_, cell: f64| edges.partition_point(|edge| *edge <= cell) as i64;
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
            Ok(category(&prefixes(&Texts::of(table, at), *characters)))
        }
        Generalise::Hierarchy { file, level } => {
            let hierarchy = hierarchies
                .get(file)
                .ok_or_else(|| Error::Request(format!("the hierarchy {file:?} was not read")))?;
            Ok(category(&groups(table, at, file, hierarchy, *level)?))
        }
    }
}

fn too_far(table: &Table, row: usize, at: usize) -> Error {
    DataError::new("the number is more than 2^53 times the width of the bins")
        .row(row as u64 + 1)
        .column(&table.schema().columns[at].name)
        .advice("raise `width`, or use `bins`")
        .into()
}

/// The first characters. A text that is no longer would show whole: it becomes missing.
fn prefixes(texts: &Texts<'_>, characters: usize) -> Vec<Option<String>> {
    let longer = |text: &&String| text.chars().nth(characters).is_some();
    let prefix = |text: &String| text.chars().take(characters).collect();
    texts.cells.iter().map(|cell| cell.as_ref().filter(longer).map(prefix)).collect()
}

/// Numbers as an ordered category of the bins that occur; `bin` takes row and cell.
fn bins(
    cells: &[f64],
    bin: impl Fn(usize, f64) -> i64,
    name: impl Fn(i64) -> String,
) -> (ColumnKind, Column) {
    let bins: Vec<Option<i64>> =
        cells.iter().enumerate().map(|(row, &c)| (!c.is_nan()).then(|| bin(row, c))).collect();
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
            .map_err(|_| Error::data("a moment has no year that can be printed")),
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
                .advice("look the row up, and add a line for its value to the hierarchy")
                .into()),
        },
    };
    Texts::of(table, at).cells.into_iter().enumerate().map(group).collect()
}
