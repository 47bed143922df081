//! Names: the nearest one, and patterns with `*` and `?`.

/// The known name most like `name`, when one is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let alike = |other: &str| strsim::jaro_winkler(&lower, &other.to_lowercase());
    known
        .map(|other| (alike(other), other))
        .filter(|(score, _)| *score > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// Whether a name matches a pattern in which `*` stands for any text and `?` for one character.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Greedy, with one way back: to the last star, which then takes one character more.
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    p = star + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (pattern, name, expected) in [
            ("thyroid*", "thyroid-sick", true),
            ("thyroid*", "thyroid", true),
            ("*sick", "thyroid-sick", true),
            ("*s?ck*", "thyroid-sick", true),
            ("th*d", "thyroid-sick", false),
            ("a*b*c", "aXbXbc", true),
            ("?", "", false),
            ("*", "", true),
            ("car", "cart", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["thyroid", "patients", "adult"];
        assert_eq!(nearest("tyroid", known.into_iter()), Some("thyroid"));
        assert_eq!(nearest("Patient", known.into_iter()), Some("patients"));
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
