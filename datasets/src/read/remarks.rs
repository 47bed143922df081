//! What a person should look at before a model learns from a table whose schema was guessed.

use super::infer::{fitting_formats, leading_zeros};
use meg_core::{Column, ColumnKind, ColumnSpec, Role, Table, datetime};
use std::collections::HashSet;

/// A table of fewer rows teaches little beyond these rows themselves.
const FEW_ROWS: usize = 30;
/// A category with at least so many levels ...
const MANY_LEVELS: usize = 20;
/// ... which stand for fewer rows than this on average is a list of single people.
const FEW_CELLS: usize = 5;

/// Remarks on a table that was read under a guessed schema, a sentence or two each, with the ways
/// out: few rows, identifiers and free text, dates of which day and month cannot be told apart or
/// that are written as numbers, targets of two numbers, and categories whose levels look like names
/// or identify somebody.
pub fn remarks(table: &Table) -> Vec<String> {
    let mut told = Vec::new();
    if table.rows() < FEW_ROWS {
        told.push(format!(
            "the table has {} row{} only: whatever is learned from so few is mostly these rows themselves",
            table.rows(),
            if table.rows() == 1 { "" } else { "s" }
        ));
    }
    told.extend(table.iter().filter_map(|(spec, column)| on_column(spec, column)));
    told
}

fn on_column(spec: &ColumnSpec, column: &Column) -> Option<String> {
    let name = &spec.name;
    if let Some(formats) = ambiguous_dates(spec, column) {
        return Some(format!(
            "column {name:?} looks like dates of which day and month cannot be told apart, and is no datetime for that; correct it in the schema to kind = \"datetime\" with format = {}",
            formats.iter().map(|format| format!("{format:?}")).collect::<Vec<_>>().join(" or ")
        ));
    }
    if let Column::Numbers(cells) = column {
        return on_numbers(spec, cells);
    }
    let leave = format!("leave it out with `--drop {name:?}`");
    match &spec.kind {
        ColumnKind::Identifier => Some(format!(
            "column {name:?} looks like an identifier (its values are all different): models put fresh unique values in its place (`meg twin` wants that declared); {leave}, or correct its kind in the schema"
        )),
        ColumnKind::Text if is_of_codes(column) => Some(format!(
            "column {name:?} is of codes with leading zeros (zip codes, keys), of too many different values for a category, and models refuse it as text; {leave}, shorten it with `meg mask` (method = \"generalise\", prefix = 3), or declare it as kind = \"identifier\""
        )),
        ColumnKind::Text => Some(format!(
            "column {name:?} looks like free text (too many different values for a category), which models refuse; {leave}, or correct its kind in the schema"
        )),
        ColumnKind::Category { levels, .. } => {
            let cells = (0..column.len()).filter(|&row| !column.is_missing(row)).count();
            let rare = levels.len() >= MANY_LEVELS && cells < FEW_CELLS * levels.len();
            let why = match (named_like_a_person(name) && levels.len() >= MANY_LEVELS, rare) {
                (true, _) => "is named like what identifies people",
                (false, true) => "has levels that stand for few rows each",
                _ => return None,
            };
            Some(format!(
                "column {name:?} {why}: its {} levels are real values, which schema, model and synthetic rows would show; {leave}, mask it with `meg mask`, or declare it as kind = \"identifier\"",
                levels.len()
            ))
        }
        _ => None,
    }
}

fn on_numbers(spec: &ColumnSpec, cells: &[f64]) -> Option<String> {
    let name = &spec.name;
    if spec.kind != (ColumnKind::Number { decimals: Some(0) }) {
        return None;
    }
    let present: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    if !present.is_empty() && present.iter().all(|&cell| is_a_day(cell)) {
        return Some(format!(
            "column {name:?} looks like days written as numbers (20240131), between which models would draw numbers that are none; correct it in the schema to kind = \"datetime\" with format = \"%Y%m%d\""
        ));
    }
    let values: HashSet<u64> = present.iter().map(|cell| cell.to_bits()).collect();
    (spec.role == Role::Target && values.len() == 2).then(|| {
        format!(
            "the target {name:?} is a number of two values, so that rows are divided without regard to it and no classifier is scored; correct it in the schema to kind = \"category\" with its levels"
        )
    })
}

/// Whether a number reads as a day of the years 1900 to 2099, as 20240131.
fn is_a_day(number: f64) -> bool {
    (19_000_101.0..=20_991_231.0).contains(&number)
        && datetime::parse(&number.to_string(), "%Y%m%d").is_some()
}

/// The formats, at least two, that all texts of the column fit.
fn ambiguous_dates(spec: &ColumnSpec, column: &Column) -> Option<Vec<&'static str>> {
    let formats = match column {
        Column::Codes(_) => fitting_formats(spec.levels()),
        Column::Texts(cells) => fitting_formats(&cells.iter().flatten().collect::<Vec<_>>()),
        Column::Numbers(_) => return None,
    };
    let some = matches!(column, Column::Texts(_)) || !spec.levels().is_empty();
    (some && formats.len() > 1).then_some(formats)
}

/// Whether all cells are digits, and one has a zero before them.
fn is_of_codes(column: &Column) -> bool {
    let Column::Texts(cells) = column else { return false };
    let digits = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    cells.iter().flatten().all(digits) && cells.iter().flatten().any(|t| leading_zeros(t) > 0)
}

/// Whether a word of the column's name says that it identifies somebody.
fn named_like_a_person(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "name",
        "firstname",
        "lastname",
        "surname",
        "forename",
        "maiden",
        "patient",
        "person",
        "email",
        "mail",
        "phone",
        "address",
        "street",
        "ssn",
    ];
    let lower = name.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Schema;

    fn on_levels(name: &str, levels: Vec<String>, rows: usize) -> Vec<String> {
        let codes = (0..rows).map(|row| (row % levels.len()) as u32).collect();
        let schema = Schema::new(vec![ColumnSpec::category(name, levels)]).unwrap();
        remarks(&Table::new(schema, vec![Column::Codes(codes)]).unwrap())
    }

    fn numbered(word: &str, count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{word} {at}")).collect()
    }

    #[test]
    fn categories_that_identify_people_are_spoken_of() {
        let check = |name: &str, levels: usize, rows: usize, part: Option<&str>| {
            let told = on_levels(name, numbered("Ada", levels), rows);
            match part {
                None => assert!(told.is_empty(), "{told:?}"),
                Some(part) => assert!(told.len() == 1 && told[0].contains(part), "{told:?}"),
            }
        };
        check("name", 48, 2_000, Some("named like"));
        check("last_name", 48, 2_000, Some("meg mask"));
        check("whatever", 48, 200, Some("stand for few rows"));
        check("town", 48, 2_000, None);
        check("surname_known", 2, 2_000, None);
        check("sex", 2, 5, Some("5 rows only"));
    }

    #[test]
    fn days_and_classes_written_as_numbers_are_spoken_of() {
        let on = |cells: &[f64], role| {
            let spec = ColumnSpec::number("seen", 0).role(role);
            let table = Table::new(
                Schema::new(vec![spec]).unwrap(),
                vec![Column::Numbers(cells.repeat(30))],
            );
            remarks(&table.unwrap()).join("\n")
        };
        let days = [20_240_131.0, 19_991_231.0, 20_240_229.0];
        assert!(on(&days, Role::Feature).contains("%Y%m%d"));
        assert!(on(&[20_240_131.0, 20_240_230.0], Role::Feature).is_empty());
        assert!(on(&[0.0, 1.0], Role::Target).contains("number of two values"));
        assert!(on(&[0.0, 1.0, 2.0], Role::Target).is_empty());
        assert!(on(&[0.0, 1.0], Role::Feature).is_empty());
    }

    #[test]
    fn dates_without_a_day_above_twelve_are_spoken_of() {
        let days = |most: usize| -> Vec<String> {
            (1..=most).map(|day| format!("{day:02}/03/2020")).collect()
        };
        let told = on_levels("seen", days(12), 200);
        assert!(told.len() == 1 && told[0].contains("cannot be told apart"), "{told:?}");
        assert!(told[0].contains("\"%d/%m/%Y\" or \"%m/%d/%Y\""), "{told:?}");
        assert!(on_levels("seen", days(13), 200).is_empty());
        let texts = |cells: &[&str]| {
            let schema = Schema::new(vec![ColumnSpec::new("seen", ColumnKind::Text)]).unwrap();
            let cells = cells.iter().map(|cell| Some((*cell).to_owned())).collect();
            remarks(&Table::new(schema, vec![Column::Texts(cells)]).unwrap()).join("\n")
        };
        assert!(texts(&["01/02/2020", "03/04/2020"]).contains("cannot be told apart"));
        assert!(texts(&["a note", "03/04/2020"]).contains("free text"));
        assert!(texts(&["04912", "12345"]).contains("leading zeros"));
        assert!(texts(&["4912", "12345"]).contains("free text"));
    }
}
