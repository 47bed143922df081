/// Below this likeness a name is no slip of the pen: `suppress` is no help for `shuffle`.
const ALIKE: f64 = 0.75;
/// The likeness of names that differ by one letter, which is much in short ones.
const ONE_LETTER: f64 = 0.9;

/// The known name that is most like `name` (Jaro and Winkler's likeness, or one letter more, less
/// or other; small and capital letters alike), when one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_few(name, known, 1).pop()
}

/// The known names that are like `name`, `most` of them at most, the most like first; of equally
/// like ones the last that is known comes first.
pub fn nearest_few<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let likeness = |other: &str| likeness(&lower, &other.to_lowercase());
    let mut alike: Vec<(f64, &str)> = known
        .into_iter()
        .map(|other| (likeness(other), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.reverse();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike.truncate(most);
    alike.into_iter().map(|(_, other)| other).collect()
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
    fn several_names_come_with_the_most_like_first() {
        let known = ["tree_auc", "tree_f1", "boost_auc", "shape", "tree_aux"];
        assert_eq!(nearest_few("tre_auc", known, 2), ["tree_auc", "tree_aux"]);
        assert_eq!(nearest_few("shap", known, 5), ["shape"]);
        assert!(nearest_few("zzz", known, 5).is_empty());
    }

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
