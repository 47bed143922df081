//! One schema for several files of one table: metrics compare categories by their codes, so real
//! and synthetic rows must be read under the same list of levels.

use datasets::{infer_schema, read_table};
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
pub fn common_schema(files: &[&Path]) -> Result<Schema> {
    let schemas = files.iter().map(|file| infer_schema(file)).collect::<Result<Vec<_>>>()?;
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
            merge(files, &schemas, &specs)
        })
        .collect::<Result<Vec<_>>>()?;
    Schema::new(columns)
}

fn find<'a>(file: &Path, schema: &'a Schema, name: &str) -> Result<&'a ColumnSpec> {
    schema.columns.iter().find(|column| column.name == name).ok_or_else(|| {
        DataError::new("the column is in the training rows but not in this file")
            .file(file.display().to_string())
            .column(name)
            .advice("compare tables with the same columns, or pass a --schema of the shared ones")
            .into()
    })
}

fn merge(files: &[&Path], schemas: &[Schema], specs: &[&ColumnSpec]) -> Result<ColumnSpec> {
    let kinds: Vec<&ColumnKind> = specs.iter().map(|spec| &spec.kind).collect();
    let mut merged = specs[0].clone();
    merged.nullable = specs.iter().any(|spec| spec.nullable);
    merged.kind = match alike(&kinds) {
        Some(kind) => kind,
        None => by_values(files, schemas, specs)?,
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
fn by_values(files: &[&Path], schemas: &[Schema], specs: &[&ColumnSpec]) -> Result<ColumnKind> {
    let texts = files
        .iter()
        .zip(schemas)
        .map(|(file, schema)| values(file, schema, &specs[0].name))
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

fn values(file: &Path, schema: &Schema, name: &str) -> Result<BTreeSet<String>> {
    let mut schema = schema.clone();
    let at = schema.find(name)?;
    schema.columns[at].kind = ColumnKind::Text;
    match &read_table(file, Some(&schema))?.columns()[at] {
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
    fn kinds_of_one_sort_are_joined() {
        check(&[number(0), number(2)], Some(number(2)));
        check(&[number(0), number(None)], Some(number(None)));
        check(&[category(&["b", "a"]), category(&["c"])], Some(category(&["a", "b", "c"])));
        check(&[number(0), ColumnKind::Identifier], Some(ColumnKind::Identifier));
        check(&[number(0), category(&["a"])], None);
    }
}
