//! One schema for several files of one table: metrics compare categories by their codes, so real
//! and synthetic rows must be read under the same list of levels.

use datasets::{ReadOptions, infer_schema_with, read_table_with};
use meg_core::{Column, ColumnKind, ColumnSpec, DataError, Result, Schema};
use std::collections::BTreeSet;
use std::path::Path;

/// Above so many different values, a column that one file shows as text and another as numbers is
/// left out of all comparisons instead of becoming a huge category.
const MOST_LEVELS: usize = 1_000;

/// Infers the schema that all of these files obey; the columns are those of the first file.
///
/// # Errors
/// When a file cannot be read or lacks a column of the first.
pub fn common_schema(files: &[&Path], options: &ReadOptions) -> Result<Schema> {
    let infer = |file: &&Path| infer_schema_with(file, options);
    let schemas = files.iter().map(infer).collect::<Result<Vec<_>>>()?;
    let Some(first) = schemas.first() else {
        return Err(DataError::new("there is no file to infer a schema from").into());
    };
    let columns = first
        .columns
        .iter()
        .map(|column| {
            let specs = files
                .iter()
                .zip(&schemas)
                .map(|(file, schema)| find(file, schema, &column.name))
                .collect::<Result<Vec<_>>>()?;
            merge(&Files { files, schemas: &schemas, options }, &specs)
        })
        .collect::<Result<Vec<_>>>()?;
    Schema::new(columns)
}

fn find<'a>(file: &Path, schema: &'a Schema, name: &str) -> Result<&'a ColumnSpec> {
    schema.columns.iter().find(|column| column.name == name).ok_or_else(|| {
        DataError::new("the column is in the training rows but not in this file")
            .file(file.display().to_string())
            .column(name)
            .advice(format!(
                "compare tables with the same columns: leave it out with `--drop {name:?}`"
            ))
            .into()
    })
}

/// The files, each with the schema of it alone.
struct Files<'a> {
    files: &'a [&'a Path],
    schemas: &'a [Schema],
    options: &'a ReadOptions,
}

fn merge(files: &Files<'_>, specs: &[&ColumnSpec]) -> Result<ColumnSpec> {
    let kinds: Vec<&ColumnKind> = specs.iter().map(|spec| &spec.kind).collect();
    let mut merged = specs[0].clone();
    merged.nullable = specs.iter().any(|spec| spec.nullable);
    merged.kind = match alike(&kinds) {
        Some(kind) => kind,
        None => by_values(files, specs)?,
    };
    Ok(merged)
}

/// The kind that covers kinds of one sort; `None` when they are of several.
fn alike(kinds: &[&ColumnKind]) -> Option<ColumnKind> {
    for untouched in [ColumnKind::Identifier, ColumnKind::Text] {
        // Metrics look at neither, so one file in which the column looks like a key decides.
        if kinds.contains(&&untouched) {
            return Some(untouched);
        }
    }
    let same = |kind: &&&ColumnKind| kind.name() == kinds[0].name();
    if !kinds.iter().all(|kind| same(&kind)) {
        return None;
    }
    match kinds[0] {
        ColumnKind::Number { .. } => {
            let decimals = kinds.iter().map(|kind| match kind {
                ColumnKind::Number { decimals } => *decimals,
                _ => None,
            });
            // Open precision in one file is open precision in all.
            let most = decimals.collect::<Option<Vec<u8>>>().and_then(|all| all.into_iter().max());
            Some(ColumnKind::Number { decimals: most })
        }
        ColumnKind::Category { ordered, .. } => {
            let levels: BTreeSet<&String> = kinds
                .iter()
                .flat_map(|kind| match kind {
                    ColumnKind::Category { levels, .. } => levels.as_slice(),
                    _ => &[],
                })
                .collect();
            let levels = levels.into_iter().cloned().collect();
            Some(ColumnKind::Category { levels, ordered: *ordered })
        }
        kind => kinds.iter().all(|other| other == &kind).then(|| kind.clone()),
    }
}

/// Reads the column of every file as text and decides by what is there.
fn by_values(files: &Files<'_>, specs: &[&ColumnSpec]) -> Result<ColumnKind> {
    let texts = files
        .files
        .iter()
        .zip(files.schemas)
        .map(|(file, schema)| values(file, schema, &specs[0].name, files.options))
        .collect::<Result<Vec<_>>>()?;
    // A file without any value has nothing to say about the kind.
    let telling: Vec<&ColumnKind> = specs
        .iter()
        .zip(&texts)
        .filter(|(_, values)| !values.is_empty())
        .map(|(spec, _)| &spec.kind)
        .collect();
    if let Some(kind) = (!telling.is_empty()).then(|| alike(&telling)).flatten() {
        return Ok(kind);
    }
    let levels: BTreeSet<String> = texts.into_iter().flatten().collect();
    if levels.len() > MOST_LEVELS {
        return Ok(ColumnKind::Text);
    }
    Ok(ColumnKind::Category { levels: levels.into_iter().collect(), ordered: false })
}

fn values(
    file: &Path,
    schema: &Schema,
    name: &str,
    options: &ReadOptions,
) -> Result<BTreeSet<String>> {
    let mut schema = schema.clone();
    let at = schema.find(name)?;
    schema.columns[at].kind = ColumnKind::Text;
    match &read_table_with(file, Some(&schema), options)?.columns()[at] {
        Column::Texts(cells) => Ok(cells.iter().flatten().cloned().collect()),
        _ => Ok(BTreeSet::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(decimals: impl Into<Option<u8>>) -> ColumnKind {
        ColumnKind::Number { decimals: decimals.into() }
    }

    fn category(levels: &[&str]) -> ColumnKind {
        ColumnSpec::category("x", levels.iter().copied()).kind
    }

    fn check(kinds: &[ColumnKind], expected: Option<ColumnKind>) {
        assert_eq!(alike(&kinds.iter().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn values_decide_where_the_kinds_differ() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        // A grade that happens to be all numbers in one file, a column that happens to be empty.
        let a = file("a.csv", "grade,seen,x\n1,2020-01-31,1\n2,2020-02-28,2\n");
        let b = file("b.csv", "grade,seen,x\n1,,1.5\nA,,\n");
        let schema = common_schema(&[&a, &b], &ReadOptions::default()).unwrap();
        assert_eq!(schema.columns[0].levels(), ["1", "2", "A"]);
        assert!(matches!(schema.columns[1].kind, ColumnKind::Datetime { .. }));
        assert!(schema.columns[1].nullable);
        assert_eq!(schema.columns[2].kind, number(1));
        for path in [&a, &b] {
            read_table_with(path, Some(&schema), &ReadOptions::default()).unwrap();
        }
        let c = file("c.csv", "grade,x\n1,1\n");
        let message = common_schema(&[&a, &c], &ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains("c.csv") && message.contains("\"seen\""), "{message}");
    }

    #[test]
    fn kinds_of_one_sort_are_joined() {
        check(&[number(0), number(2)], Some(number(2)));
        check(&[number(0), number(None)], Some(number(None)));
        check(&[category(&["b", "a"]), category(&["c"])], Some(category(&["a", "b", "c"])));
        check(&[number(0), ColumnKind::Identifier], Some(ColumnKind::Identifier));
        check(&[number(0), category(&["a"])], None);
    }
}
