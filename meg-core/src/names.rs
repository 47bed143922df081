/// Below this likeness a name is no slip of the pen: `suppress` is no help for `shuffle`.
const ALIKE: f64 = 0.75;
/// The likeness of names that differ by one letter, which is much in short ones.
const ONE_LETTER: f64 = 0.9;

/// The known name that is most like `name` (Jaro and Winkler's likeness, or one letter more, less
/// or other; small and capital letters alike), when one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|other| (likeness(&lower, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

fn likeness(one: &str, other: &str) -> f64 {
    let likeness = strsim::jaro_winkler(one, other);
    let near = one.chars().count() > 1 && strsim::damerau_levenshtein(one, other) == 1;
    if near { likeness.max(ONE_LETTER) } else { likeness }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["drop", "suppress", "hash", "noise", "columns", "name", "ssn", "k"];
        for (name, expected) in [
            ("hsh", Some("hash")),
            ("Supress", Some("suppress")),
            ("colum", Some("columns")),
            ("sn", Some("ssn")),
            ("snn", Some("ssn")),
            ("kk", Some("k")),
            ("shuffle", None),
            ("ag", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
