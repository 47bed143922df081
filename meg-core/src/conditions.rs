use crate::{
    Column, ColumnKind, DataError, Error, Event, MISSING, Observer, Phase, Result, Schema, Table,
    datetime,
};

/// How many rows to draw, and what must hold for each of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleRequest {
    /// Number of rows, exactly.
    pub rows: usize,
    /// Conditions, all of which hold for every row.
    pub conditions: Vec<Condition>,
}

/// One condition: a column has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Position of the column.
    pub column: usize,
    /// The value.
    pub value: ConditionValue,
}

/// The value of a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ConditionValue {
    /// The code of a level.
    Level(u32),
    /// A number, or seconds since 1970-01-01T00:00:00.
    Number(f64),
    /// The cell is missing.
    Missing,
}

impl SampleRequest {
    /// So many rows, without conditions.
    pub fn rows(rows: usize) -> Self {
        Self { rows, conditions: Vec::new() }
    }

    /// Adds `column = value`; an empty value asks for a missing cell.
    ///
    /// # Errors
    /// When the column is unknown, of a kind that cannot be conditioned on, conditioned on twice,
    /// or the value is none of its levels or has more decimals than the column.
    pub fn with(mut self, schema: &Schema, column: &str, value: &str) -> Result<Self> {
        let at = schema.find(column)?;
        if self.conditions.iter().any(|condition| condition.column == at) {
            return Err(Error::Request(format!("two conditions name the column {column:?}")));
        }
        let value = ConditionValue::parse(schema, at, value)?;
        self.conditions.push(Condition { column: at, value });
        Ok(self)
    }
}

impl ConditionValue {
    fn parse(schema: &Schema, column: usize, text: &str) -> Result<Self> {
        let spec = &schema.columns[column];
        let fail =
            |problem: String| Error::Request(format!("condition on {:?}: {problem}", spec.name));
        if let ColumnKind::Category { levels, .. } = &spec.kind
            && let Some(code) = levels.iter().position(|level| level == text)
        {
            return Ok(ConditionValue::Level(code as u32));
        }
        if text.is_empty() {
            return if spec.nullable {
                Ok(ConditionValue::Missing)
            } else {
                Err(fail("an empty value asks for a missing cell, but none is ever missing".into()))
            };
        }
        match &spec.kind {
            ColumnKind::Category { levels, .. } => {
                let shown: Vec<_> = levels.iter().take(20).map(String::as_str).collect();
                let more = if levels.len() > 20 { ", …" } else { "" };
                Err(fail(format!("no level {text:?}; there are: {}{more}", shown.join(", "))))
            }
            ColumnKind::Number { .. } => match text.parse::<f64>() {
                Ok(number) if number.is_finite() && !spec.holds(number) => {
                    let near = spec.snap(number);
                    Err(fail(format!(
                        "no value of the column has as many decimals as {text}; the nearest is {near}"
                    )))
                }
                Ok(number) if number.is_finite() => Ok(ConditionValue::Number(spec.snap(number))),
                _ => Err(fail(format!("{text:?} is not a number"))),
            },
            ColumnKind::Datetime { format } => datetime::parse(text, format)
                .map(ConditionValue::Number)
                .ok_or_else(|| fail(format!("{text:?} does not match the format {format:?}"))),
            ColumnKind::Identifier | ColumnKind::Text => Err(fail(format!(
                "a column of kind \"{}\" cannot be conditioned on",
                spec.kind.name()
            ))),
        }
    }
}

impl Condition {
    /// Whether the row meets the condition.
    pub fn holds(&self, table: &Table, row: usize) -> bool {
        match (&table.columns()[self.column], self.value) {
            (Column::Codes(cells), ConditionValue::Level(code)) => cells[row] == code,
            (Column::Codes(cells), ConditionValue::Missing) => cells[row] == MISSING,
            (Column::Numbers(cells), ConditionValue::Number(number)) => cells[row] == number,
            (Column::Numbers(cells), ConditionValue::Missing) => cells[row].is_nan(),
            _ => false,
        }
    }
}

/// The bound of a rejection loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// Rows drawn per round, at least.
    pub batch: usize,
    /// Rows drawn in all, at most, for each row that was asked for.
    pub draws_per_row: usize,
}

impl Default for Rejection {
    fn default() -> Self {
        Self { batch: 1_000, draws_per_row: 1_000 }
    }
}

/// Draws rows with `draw` until enough of them meet the request's conditions.
///
/// Tells the observer when sampling begins and ends, and the acceptance rate as an
/// [`Event::Acceptance`].
///
/// # Errors
/// [`Error::Rejected`] with the acceptance rate when the bound is reached.
pub fn sample_by_rejection(
    request: &SampleRequest,
    bound: Rejection,
    observer: &mut dyn Observer,
    draw: impl FnMut(usize, &mut dyn Observer) -> Result<Table>,
) -> Result<Table> {
    let total = Some(request.rows as u64);
    observer.event(&Event::Start { phase: Phase::Sample, total });
    let table = rounds(request, bound, observer, draw)?;
    observer.event(&Event::End { phase: Phase::Sample });
    Ok(table)
}

fn rounds(
    request: &SampleRequest,
    bound: Rejection,
    observer: &mut dyn Observer,
    mut draw: impl FnMut(usize, &mut dyn Observer) -> Result<Table>,
) -> Result<Table> {
    if request.conditions.is_empty() {
        return draw(request.rows, observer);
    }
    let limit = bound.draws_per_row.saturating_mul(request.rows.max(bound.batch));
    let mut kept: Option<Table> = None;
    let (mut drawn, mut have) = (0usize, 0usize);
    while kept.is_none() || have < request.rows {
        if drawn >= limit {
            return Err(Error::Rejected(format!(
                "the conditions were met by {have} of {drawn} drawn rows, {} were asked for; relax a condition or ask for fewer rows",
                request.rows
            )));
        }
        // The yield so far says how many rows the rest will take; a fifth more saves a round.
        let missing = request.rows - have;
        let wanted = (missing.saturating_mul(drawn).saturating_mul(6) / 5)
            .checked_div(have)
            .unwrap_or(missing);
        let size = wanted.clamp(bound.batch, 50 * bound.batch).min(limit - drawn);
        let batch = draw(size, observer)?;
        let holds =
            |&row: &usize| request.conditions.iter().all(|condition| condition.holds(&batch, row));
        let rows: Vec<usize> = (0..batch.rows()).filter(holds).collect();
        drawn += batch.rows();
        have += rows.len();
        let found = batch.select_rows(&rows);
        kept = Some(match kept {
            None => found,
            Some(table) => table.concat(found)?,
        });
        if observer.control() == crate::Control::Abort {
            return Err(Error::Interrupted);
        }
    }
    observer.event(&Event::Acceptance { drawn: drawn as u64, kept: have as u64 });
    let first: Vec<usize> = (0..request.rows).collect();
    Ok(kept.ok_or_else(|| DataError::new("no round was drawn"))?.select_rows(&first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnSpec, Silent};

    fn schema() -> Schema {
        Schema::new(vec![
            ColumnSpec::category("sex", ["F", "M"]).nullable(),
            ColumnSpec::number("age", 0),
        ])
        .unwrap()
    }

    fn draw(rows: usize) -> Result<Table> {
        let codes = (0..rows).map(|row| (row % 2) as u32).collect();
        let ages = (0..rows).map(|row| (row % 10) as f64).collect();
        Table::new(schema(), vec![Column::Codes(codes), Column::Numbers(ages)])
    }

    #[test]
    fn every_row_meets_every_condition() {
        let request = SampleRequest::rows(37)
            .with(&schema(), "sex", "M")
            .unwrap()
            .with(&schema(), "age", "3")
            .unwrap();
        let table =
            sample_by_rejection(&request, Rejection::default(), &mut Silent, |rows, _| draw(rows))
                .unwrap();
        assert_eq!(table.rows(), 37);
        assert!(
            table.codes(0).iter().all(|&code| code == 1)
                && table.numbers(1).iter().all(|&age| age == 3.0)
        );
    }

    #[test]
    fn an_impossible_condition_ends_with_its_acceptance_rate() {
        let request = SampleRequest::rows(1).with(&schema(), "sex", "").unwrap();
        let bound = Rejection { batch: 10, draws_per_row: 5 };
        let error =
            sample_by_rejection(&request, bound, &mut Silent, |rows, _| draw(rows)).unwrap_err();
        assert!(error.to_string().contains("0 of 50 drawn rows"), "{error}");
    }

    #[test]
    fn conditions_are_checked_against_the_schema() {
        let check = |column: &str, value: &str, part: &str| {
            let message =
                SampleRequest::rows(1).with(&schema(), column, value).unwrap_err().to_string();
            assert!(message.contains(part), "{message:?} should contain {part:?}");
        };
        check("sexe", "F", "no column \"sexe\"");
        check("sex", "X", "no level \"X\"; there are: F, M");
        check("age", "old", "not a number");
        check("age", "", "ever missing");
        check("age", "30.5", "as many decimals as 30.5; the nearest is 31");
        SampleRequest::rows(1).with(&schema(), "age", "30.0").unwrap();
    }
}
