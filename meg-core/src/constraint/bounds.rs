use super::{Constraint, order};
use crate::{DataError, Result, Schema};

/// The least and the greatest value that each column may hold in any row, each a value that the
/// column can hold; infinities are left out, so that bounds are always finite. Columns that hold no
/// numbers have the widest bounds.
///
/// The bounds of one column bind another only where its cell can never be missing: a constraint
/// says nothing of rows in which one of its cells is.
///
/// # Errors
/// A data error when no value is left for a column in rows without missing cells, or when a total
/// is bounded more narrowly than its parts.
pub(crate) fn bounds(schema: &Schema) -> Result<Vec<(f64, f64)>> {
    let sorted = order(schema)?;
    let complete = passed_on(schema, &sorted, |_| true);
    for (spec, (least, most)) in schema.columns.iter().zip(&complete) {
        if least > most {
            let problem = "the constraints leave no value for it";
            return Err(DataError::new(problem).column(&spec.name).into());
        }
    }
    let certain = passed_on(schema, &sorted, |at| !schema.columns[at].nullable);
    totals_follow_their_parts(schema, &certain, &complete)?;
    Ok(certain)
}

/// The declared bounds, passed on through orders and sums by the columns that `speaks` holds for.
fn passed_on(schema: &Schema, sorted: &[usize], speaks: impl Fn(usize) -> bool) -> Vec<(f64, f64)> {
    let mut bounds = declared(schema);
    for &at in sorted {
        for low in lows(schema, at).into_iter().filter(|&low| speaks(low)) {
            bounds[at].0 = bounds[at].0.max(schema.columns[at].snap_up(bounds[low].0));
        }
        let parts = parts(schema, at).filter(|parts| parts.iter().all(|&part| speaks(part)));
        if let Some(parts) = parts {
            let least = parts.iter().map(|&part| bounds[part].0).sum::<f64>().max(f64::MIN);
            bounds[at].0 = bounds[at].0.max(schema.columns[at].snap(least));
        }
    }
    for &at in sorted.iter().rev().filter(|&&at| speaks(at)) {
        for low in lows(schema, at) {
            bounds[low].1 = bounds[low].1.min(schema.columns[low].snap_down(bounds[at].1));
        }
    }
    bounds
}

/// Positions of the low columns of all orders in which this is the high one.
pub(crate) fn lows(schema: &Schema, at: usize) -> Vec<usize> {
    let name = &schema.columns[at].name;
    let lows = schema.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Order { low, high } if high == name => schema.position(low),
        _ => None,
    });
    lows.collect()
}

/// Positions of the parts of which this column is the total.
pub(crate) fn parts(schema: &Schema, at: usize) -> Option<Vec<usize>> {
    let name = &schema.columns[at].name;
    schema.constraints.iter().find_map(|constraint| match constraint {
        Constraint::Sum { total, parts } if total == name => {
            Some(parts.iter().filter_map(|part| schema.position(part)).collect())
        }
        _ => None,
    })
}

/// The bounds that are written for each column itself, moved inwards to values that it can hold.
pub(crate) fn declared(schema: &Schema) -> Vec<(f64, f64)> {
    let mut bounds = vec![(f64::MIN, f64::MAX); schema.columns.len()];
    for constraint in &schema.constraints {
        let (column, least, most) = match constraint {
            Constraint::Positive { column } => (column, Some(f64::MIN_POSITIVE), None),
            Constraint::Range { column, least, most } => {
                let Some(at) = schema.position(column) else { continue };
                let spec = &schema.columns[at];
                let value = |bound: &super::Bound| bound.value(spec);
                (column, least.as_ref().and_then(value), most.as_ref().and_then(value))
            }
            _ => continue,
        };
        let Some(at) = schema.position(column) else { continue };
        let spec = &schema.columns[at];
        if let Some(least) = least {
            bounds[at].0 = bounds[at].0.max(spec.snap_up(least));
        }
        if let Some(most) = most {
            bounds[at].1 = bounds[at].1.min(spec.snap_down(most));
        }
    }
    bounds
}

/// A total is whatever its parts sum to: bounds on it must follow from theirs, in rows in which
/// other cells are missing too. `complete` are the bounds in rows without missing cells.
fn totals_follow_their_parts(
    schema: &Schema,
    certain: &[(f64, f64)],
    complete: &[(f64, f64)],
) -> Result<()> {
    let declared = declared(schema);
    for (at, spec) in schema.columns.iter().enumerate() {
        let Some(parts) = parts(schema, at) else { continue };
        let least = parts.iter().map(|&part| certain[part].0).sum::<f64>().max(f64::MIN);
        let most = parts.iter().map(|&part| certain[part].1).sum::<f64>().min(f64::MAX);
        if spec.snap(least) < declared[at].0 || spec.snap(most) > complete[at].1 {
            return Err(DataError::new(
                "the column is a total, and its parts may sum beyond the bounds declared for it",
            )
            .column(&spec.name)
            .advice(
                "give the parts ranges from which the total's bounds follow, or leave these out",
            )
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{ColumnSpec, Constraint, Schema, constraint::Bound};

    #[test]
    fn bounds_pass_through_orders_and_sums() {
        let names = ["a", "b", "c", "t", "p"];
        let columns = names.map(|name| ColumnSpec::number(name, u8::from(name == "a")));
        let order =
            |low: &str, high: &str| Constraint::Order { low: low.into(), high: high.into() };
        let least = |column: &str, least| Constraint::Range {
            column: column.into(),
            least: Some(Bound::Number(least)),
            most: None,
        };
        let most = |column: &str, most| Constraint::Range {
            column: column.into(),
            least: None,
            most: Some(Bound::Number(most)),
        };
        let schema = Schema::new(columns.to_vec())
            .and_then(|schema| {
                schema.with_constraints(vec![
                    order("a", "b"),
                    order("b", "c"),
                    least("a", 0.25),
                    most("c", 9.7),
                    Constraint::Positive { column: "p".into() },
                    Constraint::Sum { total: "t".into(), parts: vec!["a".into(), "p".into()] },
                ])
            })
            .unwrap();
        let bounds = schema.bounds().unwrap();
        assert_eq!(&bounds[..3], &[(0.3, 9.0), (1.0, 9.0), (1.0, 9.0)]);
        assert_eq!((bounds[4].0, bounds[3].0), (1.0, 1.0));
    }
}
