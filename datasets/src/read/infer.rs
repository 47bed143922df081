//! What the columns of an unknown table are. [`super::infer_schema`] states the rules.

use super::raw::{Cells, Raw, RawColumn};
use super::typed::without_noise;
use meg_core::{ColumnKind, ColumnSpec, Result, Schema, datetime};
use std::{borrow::Cow, collections::HashSet};

/// Formats of dates and times that are recognised.
const FORMATS: [&str; 8] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
];
/// How far, as a share of the value, printing a double may miss the number that was meant. Real
/// digits, such as those of coordinates, lie above it.
const NOISE: f64 = 1e-12;
/// Most decimals that are proposed; beyond them the precision stays open.
const MOST_DECIMALS: u8 = 9;
/// The longest text of a whole number that a double holds exactly.
const LONGEST_WHOLE: usize = 15;
/// A text column of different values only is an identifier from here on.
const IDENTIFIER_ROWS: usize = 50;
/// Up to so many levels a text column is a category whatever the number of rows.
const CATEGORY_LEVELS: usize = 1_000;

/// From more different numbers or dates on, a column with other texts among them is suspicious.
const STRANGE_FROM: usize = 20;

/// Proposes a schema.
pub(super) fn schema(raw: &Raw) -> Result<Schema> {
    Schema::new(raw.columns.iter().map(|column| spec(raw, column)).collect::<Result<_>>()?)
}

fn spec(raw: &Raw, column: &RawColumn) -> Result<ColumnSpec> {
    let kind = match &column.cells {
        Cells::Numbers(cells) => number_kind(column, cells)?,
        Cells::Text(_) => text_kind(raw, column)?,
    };
    let mut spec = ColumnSpec::new(&column.name, kind);
    spec.nullable = raw.texts(column).any(|cell| cell.is_none());
    Ok(spec)
}

fn number_kind(column: &RawColumn, cells: &[f64]) -> Result<ColumnKind> {
    let present: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    let decimals = decimals(&present);
    let whole = decimals == Some(0);
    Ok(if whole && named_like_a_key(&column.name) && all_different(&present) {
        ColumnKind::Identifier
    } else {
        ColumnKind::Number { decimals }
    })
}

fn text_kind(raw: &Raw, column: &RawColumn) -> Result<ColumnKind> {
    let present: Vec<Cow<'_, str>> = raw.texts(column).flatten().collect();
    if present.is_empty() {
        return Ok(ColumnKind::Number { decimals: Some(0) });
    }
    if let Some(numbers) = as_numbers(&present) {
        check_finite(raw, column)?;
        return number_kind(column, &numbers);
    }
    if let Some(format) = date_format(&present) {
        return Ok(ColumnKind::Datetime { format: format.to_owned() });
    }
    let levels: HashSet<&str> = present.iter().map(AsRef::as_ref).collect();
    check_strangers(raw, column, &present, &levels)?;
    if levels.len() == present.len() && levels.len() > IDENTIFIER_ROWS {
        return Ok(ColumnKind::Identifier);
    }
    if levels.len() > CATEGORY_LEVELS && 2 * levels.len() > present.len() {
        return Ok(ColumnKind::Text);
    }
    let mut levels: Vec<String> = levels.into_iter().map(str::to_owned).collect();
    levels.sort_unstable();
    Ok(ColumnKind::Category { levels, ordered: false })
}

/// The numbers, when every text is one and nothing is lost by reading it as one.
fn as_numbers(texts: &[Cow<'_, str>]) -> Option<Vec<f64>> {
    let number = |text: &Cow<'_, str>| {
        let text = text.trim();
        if is_code(text) { None } else { text.parse::<f64>().ok() }
    };
    let numbers: Vec<f64> = texts.iter().map(number).collect::<Option<_>>()?;
    // Words such as `inf` parse as numbers too; a column of them alone is a category.
    numbers.iter().any(|number| number.is_finite()).then_some(numbers)
}

/// Whether the text is of digits that are no quantity: leading zeros, or too many for a double.
fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    whole && (digits.len() > LONGEST_WHOLE || leading_zeros(text) >= 1)
}

/// How many zeros stand before the first digit that counts of a whole number.
pub(super) fn leading_zeros(text: &str) -> usize {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let zeros = digits.bytes().take_while(|&byte| byte == b'0').count();
    // The zero of `0` itself counts.
    zeros.min(digits.len() - 1)
}

/// Refuses `inf` and `NaN` among numbers: whether they mean a missing cell is not ours to guess.
fn check_finite(raw: &Raw, column: &RawColumn) -> Result<()> {
    let finite = |text: &str| text.trim().parse::<f64>().is_ok_and(f64::is_finite);
    let bad = raw.texts(column).enumerate().find_map(|(row, cell)| {
        let cell = cell?;
        (!finite(&cell)).then_some((row, cell))
    });
    match bad {
        None => Ok(()),
        Some((row, text)) => Err(raw
            .error(row, &column.name, "the number is not finite")
            .advice(format!(
                "leave the cell empty, or declare the text as a missing marker (`--missing {text:?}`)"
            ))
            .value(text)
            .into()),
    }
}

/// Refuses a column of numbers or dates with a few strangers among them, such as `NA`: read as a
/// category, every number would become a level of its own, and nobody would be told.
fn check_strangers(
    raw: &Raw,
    column: &RawColumn,
    present: &[Cow<'_, str>],
    levels: &HashSet<&str>,
) -> Result<()> {
    // Codes such as `04912` and `04912-1234`: beside them a number is a code too.
    let coded = levels.iter().any(|text| is_code(text.trim()));
    // `None` stands for numbers, a format for dates.
    let formats = std::iter::once(None).chain(FORMATS.map(Some));
    for format in formats {
        let fits = |text: &str| match format {
            None if coded => text.bytes().any(|byte| byte.is_ascii_digit()),
            None => text.trim().parse::<f64>().is_ok(),
            Some(format) => is_date(text, format),
        };
        let fitting = present.iter().filter(|text| fits(text)).count();
        let different = levels.iter().filter(|text| fits(text)).count();
        // A short list of codes (`1`, `2`, `3`, `more`) is a category.
        if different <= STRANGE_FROM || 5 * fitting < 4 * present.len() {
            continue;
        }
        let mut cells = raw.texts(column).enumerate();
        let found =
            cells.find_map(|(row, cell)| cell.filter(|cell| !fits(cell)).map(|cell| (row, cell)));
        if let Some((row, text)) = found {
            let kind = if format.is_none() { "numbers" } else { "dates" };
            let problem = format!("{fitting} cells of the column are {kind}, this one is not");
            let advice = format!(
                "if it marks a missing cell, say so (`--missing {text:?}`); else correct it, or leave the column out (`--drop {:?}`) and declare it by hand in a schema",
                column.name
            );
            return Err(raw.error(row, &column.name, problem).advice(advice).value(text).into());
        }
    }
    Ok(())
}

/// The fewest decimals that keep every number.
fn decimals(numbers: &[f64]) -> Option<u8> {
    let mut decimals = 0;
    for &number in numbers {
        while without_noise(number, decimals, NOISE).is_none() {
            decimals += 1;
            if decimals > MOST_DECIMALS {
                return None;
            }
        }
    }
    Some(decimals)
}

fn all_different(numbers: &[f64]) -> bool {
    let mut seen = HashSet::new();
    numbers.len() > 1 && numbers.iter().all(|number| seen.insert(number.to_bits()))
}

/// Whether a name says that the column is a key.
fn named_like_a_key(name: &str) -> bool {
    const WORDS: [&str; 7] = ["id", "ids", "ssn", "uuid", "guid", "key", "identifier"];
    let lower = name.to_lowercase();
    let last = lower.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or(&lower);
    WORDS.contains(&last) || (name.ends_with("Id") || name.ends_with("ID")) && name.len() > 2
}

/// The one format that all texts are written in; `None` when none or more than one fits.
fn date_format(texts: &[Cow<'_, str>]) -> Option<&'static str> {
    match fitting_formats(texts)[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// All known formats that all of these texts are written in.
pub(super) fn fitting_formats<T: AsRef<str>>(texts: &[T]) -> Vec<&'static str> {
    let fits = |format: &&str| texts.iter().all(|text| is_date(text.as_ref(), format));
    FORMATS.into_iter().filter(fits).collect()
}

/// Whether the text is a date that prints as it was written.
fn is_date(text: &str, format: &str) -> bool {
    let digit = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    digit
        && datetime::parse(text, format)
            .and_then(|seconds| datetime::print(seconds, format))
            .is_some_and(|printed| printed == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_ignore_the_noise_of_printing_but_keep_coordinates() {
        assert_eq!(decimals(&[1334.8799999999999, 927873.5300000022, 0.0]), Some(2));
        assert_eq!(decimals(&[41.33810923389566]), None);
        assert_eq!(decimals(&[1e300, -7.0]), Some(0));
        assert_eq!(decimals(&[0.000001]), Some(6));
        assert_eq!(decimals(&[]), Some(0));
    }

    #[test]
    fn zeros_before_a_number_are_counted() {
        for (text, zeros) in [("04912", 1), ("0", 0), ("000", 2), ("-07", 1), ("0.5", 0), ("", 0)] {
            assert_eq!(leading_zeros(text), zeros, "{text}");
        }
    }

    #[test]
    fn keys_are_known_by_name() {
        for name in ["id", "ID", "patient_id", "SSN", "record id", "PatientId", "row-key"] {
            assert!(named_like_a_key(name), "{name}");
        }
        for name in ["age", "paid", "humid", "monkey", "identity"] {
            assert!(!named_like_a_key(name), "{name}");
        }
    }

    #[test]
    fn day_and_month_are_told_apart_only_when_the_text_tells() {
        let texts = |texts: &[&'static str]| -> Vec<Cow<'static, str>> {
            texts.iter().map(|&text| Cow::Borrowed(text)).collect()
        };
        assert_eq!(date_format(&texts(&["01/02/2020", "31/01/2020"])), Some("%d/%m/%Y"));
        assert_eq!(date_format(&texts(&["01/02/2020", "01/31/2020"])), Some("%m/%d/%Y"));
        assert_eq!(date_format(&texts(&["01/02/2020", "03/04/2020"])), None);
        assert_eq!(date_format(&texts(&["2020-01-02"])), Some("%Y-%m-%d"));
        assert_eq!(date_format(&texts(&["2020/01/02"])), Some("%Y/%m/%d"));
        // With dots the day comes first everywhere.
        assert_eq!(date_format(&texts(&["14.03.1944", "01.02.1950"])), Some("%d.%m.%Y"));
        assert_eq!(date_format(&texts(&["14.13.1944"])), None);
        assert_eq!(date_format(&texts(&["2020-01-02T03:04:05"])), Some("%Y-%m-%dT%H:%M:%S"));
    }
}
