use super::texts::{Texts, column_of};
use meg_core::{DataError, Error, Result, Rng};
use rand::Rng as _;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Tries before a fake may be one character longer than the text it stands for.
const TRIES: usize = 100;
/// Characters that a fake may be longer, at most.
const LONGER: usize = 20;
/// Real values of fewer characters than this may occur inside a fake by chance.
const TELLING: usize = 4;

/// The real values that no fake may show.
pub(super) struct Real {
    values: HashSet<String>,
    /// Numbers of characters of the values that are long enough to tell something.
    lengths: BTreeSet<usize>,
}

impl Real {
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let values: HashSet<String> = values.map(str::to_owned).collect();
        let lengths = values.iter().map(|value| value.chars().count());
        let lengths = lengths.filter(|length| *length >= TELLING).collect();
        Self { values, lengths }
    }

    /// Whether a text is a real value or contains one of at least four characters.
    fn shows(&self, text: &str) -> bool {
        self.values.contains(text) || self.tells(text)
    }

    /// Whether a text contains a real value of at least four characters.
    pub(super) fn tells(&self, text: &str) -> bool {
        let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        ends.push(text.len());
        let count = ends.len() - 1;
        self.lengths.range(..=count).any(|&length| {
            (0..=count - length)
                .any(|start| self.values.contains(&text[ends[start]..ends[start + length]]))
        })
    }
}

/// Fakes for the texts of the columns of one rule: random characters in the places of the real
/// ones, digits for digits, capitals for capitals, small letters for other letters. They are drawn
/// without a look at the letters, so that nothing but the shape of a value can be read from them.
///
/// # Errors
/// A data error when the bound of the rejection loop is reached.
pub(super) fn fake(
    columns: &[Texts<'_>],
    real: &Real,
    shared: bool,
    rng: &mut Rng,
) -> Result<Vec<Vec<Option<String>>>> {
    let mut known: HashMap<(usize, String), String> = HashMap::new();
    let mut taken = HashSet::new();
    let mut faked = Vec::new();
    for (at, texts) in columns.iter().enumerate() {
        let scope = if shared { 0 } else { at };
        for (row, text) in texts.cells.iter().enumerate() {
            let Some(text) = text else { continue };
            if let Entry::Vacant(place) = known.entry((scope, text.clone())) {
                let fake = draw(text, real, &mut taken, rng);
                place.insert(fake.ok_or_else(|| not_found(row, texts.name))?);
            }
        }
        faked.push(column_of(texts, |text| known[&(scope, text.to_owned())].clone()));
    }
    Ok(faked)
}

/// A fake for one text; `None` when the bound of the loop is reached.
fn draw(text: &str, real: &Real, taken: &mut HashSet<String>, rng: &mut Rng) -> Option<String> {
    (0..TRIES * (LONGER + 1)).find_map(|attempt| {
        let mut fake: String = text.chars().map(|character| like(character, rng)).collect();
        fake.extend((0..attempt / TRIES).map(|_| letter(b'a', 26, rng)));
        (!real.shows(&fake) && taken.insert(fake.clone())).then_some(fake)
    })
}

/// The value itself is what must not show, in a message either.
fn not_found(row: usize, column: &str) -> Error {
    let problem =
        format!("no fake was found in {} tries that is not real or taken", TRIES * (LONGER + 1));
    DataError::new(problem)
        .row(row as u64 + 1)
        .column(column)
        .advice("choose `hash`, `suppress` or `drop` for the column")
        .into()
}

fn like(character: char, rng: &mut Rng) -> char {
    match character {
        _ if character.is_numeric() => letter(b'0', 10, rng),
        _ if character.is_uppercase() => letter(b'A', 26, rng),
        _ if character.is_alphabetic() => letter(b'a', 26, rng),
        _ => character,
    }
}

fn letter(first: u8, count: u8, rng: &mut Rng) -> char {
    char::from(first + rng.random_range(0..count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    fn texts<'a>(cells: &[&str]) -> Texts<'a> {
        let cells = cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned()));
        Texts { name: "x", cells: cells.collect() }
    }

    #[test]
    fn fakes_keep_the_shape_and_stand_for_one_value_each() {
        let columns = [texts(&["José-12", "Ab", "", "José-12"]), texts(&["Ab", "Zz", "Q", "Zz"])];
        let real = Real::new(columns.iter().flat_map(Texts::present));
        let faked = fake(&columns, &real, true, &mut Seed(1).stream("fake")).unwrap();
        let [first, second] = &faked[..] else { panic!("two columns") };
        assert_eq!(first[0], first[3]);
        assert_eq!(
            (&first[2], &first[1]),
            (&None, &second[0]),
            "shared, and missing stays missing"
        );
        let shape = first[0].as_deref().unwrap().as_bytes();
        assert!(shape.len() == 7 && shape[0].is_ascii_uppercase() && shape[4] == b'-');
        assert!(shape[3].is_ascii_lowercase() && shape[6].is_ascii_digit());
        let distinct: HashSet<_> = faked.iter().flatten().flatten().collect();
        assert_eq!(distinct.len(), 4);
        let apart = fake(&columns, &real, false, &mut Seed(1).stream("fake")).unwrap();
        assert_ne!(apart[0][1], apart[1][0]);
    }

    #[test]
    fn where_every_text_of_the_shape_is_real_fakes_grow() {
        let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
        let columns = [texts(&digits.iter().map(String::as_str).collect::<Vec<_>>())];
        let real = Real::new(columns[0].present());
        let faked = fake(&columns, &real, false, &mut Seed(1).stream("fake")).unwrap();
        let distinct: HashSet<&String> = faked[0].iter().flatten().collect();
        assert_eq!(distinct.len(), 10);
        assert!(distinct.iter().all(|fake| fake.len() == 2 && !digits.contains(fake)));
    }

    #[test]
    fn no_fake_shows_a_real_value_inside() {
        let real = Real::new(["1234", "é77é", "99"].into_iter());
        for (text, shown) in [
            ("x1234y", true),
            ("1234", true),
            ("x1235y", false),
            ("aé77éb", true),
            ("99", true),
            ("199", false),
        ] {
            assert_eq!(real.shows(text), shown, "{text}");
        }
    }
}
