//! What must hold between the cells of a row beyond the kinds of its columns.

mod bounds;
mod check;

pub(crate) use bounds::{bounds, declared, lows, parts};
pub(crate) use check::{check, order};

use crate::{Column, ColumnKind, ColumnSpec, DataError, Result, Schema, datetime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One constraint, declared as `[[constraints]]` in `schema.toml`. It says nothing of a row in
/// which one of its cells is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Constraint {
    /// A number is above zero.
    Positive {
        /// The number column.
        column: String,
    },
    /// A number or moment lies in a range, bounds included.
    Range {
        /// The number or datetime column.
        column: String,
        /// The least value; none when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least: Option<Bound>,
        /// The greatest value; none when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<Bound>,
    },
    /// One column is never above another: `low <= high`.
    Order {
        /// The smaller column.
        low: String,
        /// The larger column, of the same kind (two numbers or two datetimes).
        high: String,
    },
    /// The values of several category columns occur together only as they do in the training rows.
    Combinations {
        /// The category columns, at least two.
        columns: Vec<String>,
    },
    /// A number is the sum of others, up to the decimals it is written with.
    Sum {
        /// The number column that holds the sum.
        total: String,
        /// The number columns that are summed, at least two.
        parts: Vec<String>,
    },
}

/// A bound as it is written: a number, or a moment in its column's format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    /// For a number column.
    Number(f64),
    /// For a datetime column.
    Text(String),
}

impl Bound {
    /// The bound as the column stores its cells; `None` when it is not of the column's kind.
    pub fn value(&self, spec: &ColumnSpec) -> Option<f64> {
        match (self, &spec.kind) {
            (Bound::Number(number), ColumnKind::Number { .. }) => Some(*number),
            (Bound::Text(text), ColumnKind::Datetime { format }) => datetime::parse(text, format),
            _ => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Number(number) => write!(f, "{number}"),
            Bound::Text(text) => f.write_str(text),
        }
    }
}

impl Constraint {
    /// Names of the columns that it speaks of.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Constraint::Positive { column } | Constraint::Range { column, .. } => vec![column],
            Constraint::Order { low, high } => vec![low, high],
            Constraint::Combinations { columns } => columns.iter().map(String::as_str).collect(),
            Constraint::Sum { total, parts } => {
                std::iter::once(total).chain(parts).map(String::as_str).collect()
            }
        }
    }

    /// The column that is blamed when the constraint does not hold.
    fn judged(&self) -> &str {
        match self {
            Constraint::Order { high, .. } => high,
            other => other.columns().first().copied().unwrap_or_default(),
        }
    }

    /// The rows in which it does not hold, in order. Combinations hold in any table: they are
    /// learned from the training rows.
    ///
    /// # Errors
    /// A request error when a column is not in the schema.
    ///
    /// # Panics
    /// When the columns are not stored as the schema says.
    pub fn broken_rows(&self, schema: &Schema, columns: &[Column]) -> Result<Vec<usize>> {
        let rows = 0..columns.first().map_or(0, Column::len);
        let cells = |name: &str| schema.find(name).map(|at| numbers(&columns[at]));
        let spec = |name: &str| schema.find(name).map(|at| &schema.columns[at]);
        // A comparison with NaN is false, which is what a missing cell asks for.
        Ok(match self {
            Constraint::Combinations { .. } => Vec::new(),
            Constraint::Positive { column } => {
                let cells = cells(column)?;
                rows.filter(|&row| cells[row] <= 0.0).collect()
            }
            Constraint::Range { column, least, most } => {
                let (cells, spec) = (cells(column)?, spec(column)?);
                let least = least.as_ref().and_then(|bound| bound.value(spec));
                let most = most.as_ref().and_then(|bound| bound.value(spec));
                let outside = |cell: f64| {
                    least.is_some_and(|least| cell < least) || most.is_some_and(|most| cell > most)
                };
                rows.filter(|&row| outside(cells[row])).collect()
            }
            Constraint::Order { low, high } => {
                let (low, high) = (cells(low)?, cells(high)?);
                rows.filter(|&row| high[row] < low[row]).collect()
            }
            Constraint::Sum { total, parts } => {
                let spec = spec(total)?;
                let total = cells(total)?;
                let parts = parts.iter().map(|part| cells(part)).collect::<Result<Vec<_>>>()?;
                let differs = |row: usize| {
                    let cells: Vec<f64> = parts.iter().map(|part| part[row]).collect();
                    !total[row].is_nan() && !is_sum(spec, total[row], &cells)
                };
                rows.filter(|&row| differs(row)).collect()
            }
        })
    }

    /// The first row in which it does not hold, as an error.
    pub(crate) fn violation(&self, schema: &Schema, columns: &[Column]) -> Option<DataError> {
        let broken = self.broken_rows(schema, columns).ok()?;
        let row = *broken.first()?;
        let shown = |name: &str| {
            let at = schema.position(name)?;
            crate::table::cell_text(&schema.columns[at], &columns[at], row)
        };
        let judged = self.judged();
        let others = self.columns().into_iter().filter(|name| *name != judged);
        let others: Vec<String> =
            others.filter_map(|name| Some(format!("{name:?} is {}", shown(name)?))).collect();
        let beside =
            if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
        let (many, advice) = match broken.len() {
            1 => (String::new(), "correct the row or leave it out"),
            rows => {
                let all = columns.first().map_or(0, Column::len);
                let many = format!("; of {all} rows it is broken in {rows}, first here");
                (many, "correct the rows or leave them out")
            }
        };
        Some(
            DataError::new(format!("the constraint {self} does not hold{beside}{many}"))
                .row(row as u64 + 1)
                .column(judged)
                .value(shown(judged).unwrap_or_default())
                .advice(format!("{advice}, or remove the constraint from the schema")),
        )
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constraint::Positive { column } => write!(f, "{column:?} > 0"),
            Constraint::Range { column, least: None, most: None } => {
                write!(f, "range of {column:?}")
            }
            Constraint::Range { column, least, most } => {
                if let Some(least) = least {
                    write!(f, "{least} <= ")?;
                }
                write!(f, "{column:?}")?;
                most.as_ref().map_or(Ok(()), |most| write!(f, " <= {most}"))
            }
            Constraint::Order { low, high } => write!(f, "{low:?} <= {high:?}"),
            Constraint::Combinations { columns } => write!(f, "combinations of {columns:?}"),
            Constraint::Sum { total, parts } => {
                let parts: Vec<String> = parts.iter().map(|part| format!("{part:?}")).collect();
                write!(f, "{total:?} = {}", parts.join(" + "))
            }
        }
    }
}

/// Whether a total is the sum of its parts, or that sum rounded to the total's decimals. Each part
/// is off its decimal by half a unit in the last place and each addition adds as much; where that
/// leaves open to which side a sum is rounded, either is right. Always with a missing part.
fn is_sum(spec: &ColumnSpec, total: f64, parts: &[f64]) -> bool {
    let sum: f64 = parts.iter().sum();
    let size: f64 = parts.iter().map(|part| part.abs()).sum();
    if sum.is_nan() || size.is_infinite() {
        return sum.is_nan() || total == sum;
    }
    let noise = 2.0 * f64::EPSILON * (parts.len() as f64 + 1.0) * size;
    let near = |sum: f64| (total - sum).abs() <= noise;
    near(sum) || [sum - noise, sum, sum + noise].into_iter().any(|sum| near(spec.snap(sum)))
}

fn numbers(column: &Column) -> &[f64] {
    match column {
        Column::Numbers(cells) => cells,
        _ => panic!("a constraint on numbers names a column of another kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MISSING, Table};

    /// `a <= b`, `t = p + q`, `p > 0`, `q` in a range, a day before another, fixed pairs.
    pub(super) fn schema() -> Schema {
        let day = |name| ColumnSpec::new(name, ColumnKind::Datetime { format: "%Y-%m-%d".into() });
        let text = r#"
            [[constraints]]
            rule = "order"
            low = "a"
            high = "b"

            [[constraints]]
            rule = "sum"
            total = "t"
            parts = ["p", "q"]

            [[constraints]]
            rule = "positive"
            column = "p"

            [[constraints]]
            rule = "range"
            column = "q"
            least = -1
            most = 10.5

            [[constraints]]
            rule = "range"
            column = "born"
            least = "1900-01-01"

            [[constraints]]
            rule = "combinations"
            columns = ["city", "county"]
        "#;
        let columns = Schema::new(vec![
            ColumnSpec::number("a", 0),
            ColumnSpec::number("b", 1).nullable(),
            ColumnSpec::number("t", 1),
            ColumnSpec::number("p", 1),
            ColumnSpec::number("q", 2),
            day("born"),
            ColumnSpec::category("city", ["x", "y"]).nullable(),
            ColumnSpec::category("county", ["u", "v"]),
        ])
        .unwrap();
        Schema::from_toml(&(columns.to_toml() + text)).unwrap()
    }

    fn table(row: [f64; 6]) -> Result<Table> {
        let cells = row.map(|cell| Column::Numbers(vec![cell]));
        let codes = [Column::Codes(vec![MISSING]), Column::Codes(vec![1])];
        Table::new(schema(), cells.into_iter().chain(codes).collect())
    }

    #[test]
    fn declarations_survive_being_written() {
        let schema = schema();
        assert_eq!(schema.constraints.len(), 6);
        assert_eq!(Schema::from_toml(&schema.to_toml()).unwrap(), schema);
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
        let plain = Schema::new(schema.columns).unwrap();
        assert!(!plain.to_toml().contains("constraints"), "older readers stay able to read it");
    }

    #[test]
    fn constraints_go_with_the_columns_that_they_speak_of() {
        let kept =
            table([1.0, 1.0, 3.5, 1.5, 2.0, 0.0]).unwrap().select_columns(&[3, 1, 0]).unwrap();
        let left: Vec<String> = kept.schema().constraints.iter().map(ToString::to_string).collect();
        assert_eq!(left, ["\"a\" <= \"b\"", "\"p\" > 0"]);
    }

    #[test]
    fn a_table_that_breaks_a_constraint_cannot_be_made() {
        let good = [1.0, 1.0, 3.5, 1.5, 2.0, 0.0];
        table(good).unwrap();
        // A missing cell breaks nothing; a total may be written with fewer decimals.
        table([1.0, f64::NAN, 3.5, 1.5, 2.0, 0.0]).unwrap();
        table([1.0, 1.0, 3.6, 1.5, 2.06, 0.0]).unwrap();
        for (at, value, parts) in [
            (1, 0.9, ["\"a\" <= \"b\"", "column \"b\": value \"0.9\"", "\"a\" is 1"]),
            (2, 3.6, ["\"t\" = \"p\" + \"q\"", "value \"3.6\"", "\"p\" is 1.5"]),
            (3, 0.0, ["\"t\" = ", "row 1", "help:"]),
            (4, 10.6, ["does not hold", "row 1", "help:"]),
            (5, -3e9, ["1900-01-01 <= \"born\"", "column \"born\"", "value \"18"]),
        ] {
            let mut row = good;
            row[at] = if at == 5 { (value / 86_400.0_f64).round() * 86_400.0 } else { value };
            let message = table(row).unwrap_err().to_string();
            for part in parts {
                assert!(message.contains(part), "{message:?} should contain {part:?}");
            }
        }
        let mut row = [1.0, 1.0, 2.0, 0.0, 2.0, 0.0];
        assert!(table(row).unwrap_err().to_string().contains("\"p\" > 0"));
        row = [1.0, 1.0, 12.1, 1.5, 10.6, 0.0];
        assert!(table(row).unwrap_err().to_string().contains("-1 <= \"q\" <= 10.5"));
    }

    #[test]
    fn a_broken_constraint_says_in_how_many_rows() {
        let schema = Schema::new(vec![ColumnSpec::number("x", 0)]).unwrap();
        let positive = Constraint::Positive { column: "x".into() };
        let schema = schema.with_constraints(vec![positive]).unwrap();
        let message = |cells: Vec<f64>| {
            Table::new(schema.clone(), vec![Column::Numbers(cells)]).unwrap_err().to_string()
        };
        let many = message(vec![1.0, 0.0, 2.0, -3.0]);
        assert!(many.contains("row 2") && many.contains("of 4 rows it is broken in 2"), "{many}");
        let one = message(vec![1.0, 0.0]);
        assert!(one.contains("row 2") && !one.contains("broken in"), "{one}");
    }

    #[test]
    fn a_sum_is_right_to_the_last_decimal() {
        let cents = ColumnSpec::number("t", 2);
        for (total, right) in [(12_345_678.90, true), (12_345_678.91, false)] {
            assert_eq!(is_sum(&cents, total, &[6_000_000.0, 6_345_678.9]), right, "{total}");
        }
        // Off by a cent in any one of a thousand; right for all, though doubles add up unevenly.
        for row in 0..1_000u32 {
            let parts = [f64::from(row * 7_919) / 100.0, f64::from(row * 104_729) / 100.0, -0.07];
            let sum = (i64::from(row) * (7_919 + 104_729) - 7) as f64;
            for off in [-1.0, 0.0, 1.0] {
                assert_eq!(is_sum(&cents, (sum + off) / 100.0, &parts), off == 0.0, "row {row}");
            }
        }
        // A tie, on which doubles fall to either side, and a sum that is none.
        let tenths = ColumnSpec::number("t", 1);
        for (total, right) in [(0.3, true), (0.4, true), (0.2, false)] {
            assert_eq!(is_sum(&tenths, total, &[0.25, 0.1]), right, "{total}");
        }
        assert!(is_sum(&tenths, 0.4, &[0.26, 0.1]) && !is_sum(&tenths, 0.3, &[0.26, 0.1]));
        assert!(is_sum(&tenths, 7.0, &[0.26, f64::NAN]));
        let open = ColumnSpec::number("t", None);
        assert!(is_sum(&open, 0.3, &[0.1, 0.2]) && !is_sum(&open, 0.300_000_1, &[0.1, 0.2]));
    }
}
