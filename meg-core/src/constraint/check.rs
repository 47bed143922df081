use super::{Constraint, bounds};
use crate::{ColumnKind, ColumnSpec, DataError, Error, Result, Schema};
use std::collections::HashSet;

/// Checks that the constraints name columns of fitting kinds and can hold together.
///
/// # Errors
/// A data error that names the column and the constraint.
pub(crate) fn check(schema: &Schema) -> Result<()> {
    let mut combined = HashSet::new();
    for constraint in &schema.constraints {
        names(schema, constraint)?;
        kinds(schema, constraint)?;
        if let Constraint::Combinations { columns } = constraint
            && let Some(twice) = columns.iter().find(|name| !combined.insert(name.as_str()))
        {
            let advice = "name all columns of both in one constraint";
            return Err(wrong(twice, constraint, "a column can be in one such constraint only")
                .advice(advice)
                .into());
        }
    }
    determined_once(schema)?;
    order(schema)?;
    bounds(schema).map(|_| ())
}

/// Positions of all columns, each after those that its value is built on: the high column of an
/// order after the low ones, a total after its parts.
///
/// # Errors
/// A data error when the constraints run in a circle.
pub(crate) fn order(schema: &Schema) -> Result<Vec<usize>> {
    let mut sorted = Vec::new();
    let mut waiting: Vec<(usize, Vec<usize>)> = Vec::new();
    for at in 0..schema.columns.len() {
        waiting.push((at, built_on(schema, at)));
    }
    while !waiting.is_empty() {
        let before = sorted.len();
        waiting.retain(|(at, needed)| {
            let ready = needed.iter().all(|other| sorted.contains(other));
            if ready {
                sorted.push(*at);
            }
            !ready
        });
        if sorted.len() == before {
            let name = &schema.columns[waiting[0].0].name;
            let problem = "the constraints on it run in a circle";
            return Err(DataError::new(problem)
                .column(name)
                .advice("columns that are always equal need one of them only")
                .into());
        }
    }
    Ok(sorted)
}

/// Positions of the columns that a column's value is built on.
fn built_on(schema: &Schema, at: usize) -> Vec<usize> {
    let name = &schema.columns[at].name;
    let needed = schema.constraints.iter().flat_map(|constraint| match constraint {
        Constraint::Order { low, high } if high == name => vec![low],
        Constraint::Sum { total, parts } if total == name => parts.iter().collect(),
        _ => Vec::new(),
    });
    needed.filter_map(|other| schema.position(other)).collect()
}

fn wrong(column: &str, constraint: &Constraint, problem: &str) -> DataError {
    DataError::new(format!("the constraint {constraint} cannot be kept: {problem}")).column(column)
}

fn names(schema: &Schema, constraint: &Constraint) -> Result<()> {
    let named = constraint.columns();
    let mut seen = HashSet::new();
    for name in &named {
        if schema.position(name).is_none() {
            let known: Vec<_> = schema.columns.iter().map(|column| column.name.as_str()).collect();
            return Err(wrong(name, constraint, "there is no such column")
                .advice(format!("the columns are: {}", known.join(", ")))
                .into());
        }
        if !seen.insert(name) {
            return Err(wrong(name, constraint, "the column is named twice").into());
        }
    }
    let enough = match constraint {
        Constraint::Combinations { columns } => columns.len() > 1,
        Constraint::Sum { parts, .. } => parts.len() > 1,
        _ => true,
    };
    if enough {
        return Ok(());
    }
    Err(Error::data(format!("the constraint {constraint} needs at least two columns")))
}

fn kinds(schema: &Schema, constraint: &Constraint) -> Result<()> {
    let spec = |name: &str| &schema.columns[schema.position(name).expect("names were checked")];
    let demand = |name: &str, fits: &dyn Fn(&ColumnSpec) -> bool, needed: &str| {
        let spec = spec(name);
        if fits(spec) {
            return Ok(());
        }
        let problem = format!("the column should be {needed}, but is {}", spec.kind.described());
        Err(Error::from(wrong(name, constraint, &problem)))
    };
    let number = |spec: &ColumnSpec| matches!(spec.kind, ColumnKind::Number { .. });
    match constraint {
        Constraint::Positive { column } => demand(column, &number, "a number"),
        Constraint::Range { column, least, most } => {
            demand(column, &ColumnSpec::is_numeric, "a number or a datetime")?;
            if least.is_none() && most.is_none() {
                return Err(wrong(column, constraint, "it has neither `least` nor `most`").into());
            }
            for bound in [least, most].into_iter().flatten() {
                if !bound.value(spec(column)).is_some_and(f64::is_finite) {
                    let problem = format!("the bound \"{bound}\" is not a value of the column");
                    let advice = "write a number for a number column, and a text in the column's format for a datetime";
                    return Err(wrong(column, constraint, &problem).advice(advice).into());
                }
            }
            Ok(())
        }
        Constraint::Order { low, high } => {
            demand(low, &ColumnSpec::is_numeric, "a number or a datetime")?;
            let kind = spec(low).kind.name();
            demand(high, &|spec| spec.kind.name() == kind, &format!("a {kind} as {low:?}"))
        }
        Constraint::Combinations { columns } => {
            columns.iter().try_for_each(|name| demand(name, &ColumnSpec::is_category, "a category"))
        }
        Constraint::Sum { total, parts } => std::iter::once(total)
            .chain(parts)
            .try_for_each(|name| demand(name, &number, "a number")),
    }
}

/// A total is one sum and nothing else; the high column of several orders lies above all of them.
fn determined_once(schema: &Schema) -> Result<()> {
    let mut totals = HashSet::new();
    for constraint in &schema.constraints {
        if let Constraint::Sum { total, .. } = constraint
            && !totals.insert(total)
        {
            return Err(wrong(total, constraint, "the column is the total of another sum").into());
        }
    }
    for constraint in &schema.constraints {
        if let Constraint::Order { high, .. } = constraint
            && totals.contains(high)
        {
            let advice = "give ranges to the parts, or leave one of the two constraints out";
            return Err(wrong(high, constraint, "the column is the total of a sum already")
                .advice(advice)
                .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constraints: &str, part: &str) {
        let columns = Schema::new(vec![
            ColumnSpec::number("a", 0),
            ColumnSpec::number("b", 0),
            ColumnSpec::number("c", 0),
            ColumnSpec::category("k", ["x"]),
            ColumnSpec::category("l", ["x"]),
            ColumnSpec::new("day", ColumnKind::Datetime { format: "%Y-%m-%d".into() }),
            ColumnSpec::new("id", ColumnKind::Identifier),
        ]);
        let text = columns.unwrap().to_toml() + constraints;
        let message = Schema::from_toml(&text).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(part), "{constraints}\n{message:?} should contain {part:?}");
    }

    fn rules(lines: &[&str]) -> String {
        lines
            .iter()
            .map(|line| format!("\n[[constraints]]\n{}\n", line.replace(';', "\n")))
            .collect()
    }

    #[test]
    fn mistakes_are_named() {
        for (lines, part) in [
            (&["rule = 'positive'; column = 'x'"][..], "there is no such column"),
            (&["rule = 'positive'; colum = 'a'"], "colum"),
            (&["rule = 'postive'; column = 'a'"], "positive"),
            (&["rule = 'positive'; column = 'day'"], "should be a number, but is a datetime"),
            (&["rule = 'range'; column = 'a'"], "range of \"a\" cannot be kept: it has neither"),
            (&["rule = 'positive'; column = 'id'"], "but is an identifier"),
            (&["rule = 'range'; column = 'a'; least = '3'"], "not a value of the column"),
            (&["rule = 'range'; column = 'day'; most = '3'"], "not a value of the column"),
            (&["rule = 'range'; column = 'a'; least = 3; most = 2"], "no value"),
            (&["rule = 'order'; low = 'a'; high = 'a'"], "named twice"),
            (&["rule = 'order'; low = 'a'; high = 'day'"], "should be a number as \"a\""),
            (
                &["rule = 'order'; low = 'a'; high = 'b'", "rule = 'order'; low = 'b'; high = 'a'"],
                "circle",
            ),
            (&["rule = 'combinations'; columns = ['k']"], "at least two"),
            (&["rule = 'combinations'; columns = ['k', 'a']"], "should be a category"),
            (
                &[
                    "rule = 'combinations'; columns = ['k', 'l']",
                    "rule = 'combinations'; columns = ['l', 'k']",
                ],
                "in one such constraint only",
            ),
            (&["rule = 'sum'; total = 'a'; parts = ['b']"], "at least two"),
            (
                &[
                    "rule = 'sum'; total = 'c'; parts = ['a', 'b']",
                    "rule = 'order'; low = 'a'; high = 'c'",
                ],
                "total of a sum already",
            ),
            (
                &[
                    "rule = 'sum'; total = 'c'; parts = ['a', 'b']",
                    "rule = 'positive'; column = 'c'",
                ],
                "ranges",
            ),
            (
                &[
                    "rule = 'order'; low = 'a'; high = 'b'",
                    "rule = 'range'; column = 'a'; least = 5",
                    "rule = 'range'; column = 'b'; most = 4",
                ],
                "no value",
            ),
        ] {
            check(&rules(lines), part);
        }
    }

    #[test]
    fn a_column_comes_after_those_it_is_built_on() {
        let schema = super::super::tests::schema();
        let order = order(&schema).unwrap();
        let place = |name: &str| order.iter().position(|&at| schema.columns[at].name == name);
        assert_eq!(order.len(), schema.columns.len());
        assert!(place("t") > place("p") && place("t") > place("q") && place("b") > place("a"));
    }
}
