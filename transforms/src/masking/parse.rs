//! `rules.toml`, with errors that name the rule, the key and the nearest known one.

use super::rules::{Generalise, Links, Method, NoiseSize, Rule, Rules};
use meg_core::{Error, Result, nearest};
use serde::de::DeserializeOwned;
use toml::Table;

/// Methods with the keys of each, besides `columns` and `method`.
const METHODS: &[(&str, &[&str])] = &[
    ("drop", &[]),
    ("suppress", &[]),
    ("hash", &["digits", "shared", "domain"]),
    ("keep_last", &["characters", "fill"]),
    ("generalise", &["width", "bins", "to", "prefix", "hierarchy", "level"]),
    ("noise", &["sd", "share", "least", "most"]),
    ("fake", &["shared"]),
];

/// Groups below this size are counted when `k` is left out.
const USUAL_K: u64 = 5;

/// One table of the file, and what to call it in errors.
pub(super) struct Reader {
    table: Table,
    place: String,
}

impl Reader {
    pub(super) fn read(text: &str) -> Result<Rules> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| Error::Recipe {
            key: "rules".into(),
            problem: format!("not TOML: {error}"),
        })?;
        let mut top = Reader { table, place: String::new() };
        top.check_keys(&["quasi_identifiers", "k", "rules"])?;
        let quasi_identifiers = top.take("quasi_identifiers")?.unwrap_or_default();
        let k = top.take("k")?.unwrap_or(USUAL_K);
        if k < 1 {
            return Err(top.wrong("k", "should be at least 1"));
        }
        let tables: Vec<Table> = top.take("rules")?.unwrap_or_default();
        if tables.is_empty() {
            return Err(top.wrong("rules", "there is no rule; write at least one [[rules]]"));
        }
        let rules = (1..).zip(tables).map(|(number, table): (usize, Table)| {
            Reader { table, place: format!("rule {number}: ") }.rule()
        });
        Ok(Rules { quasi_identifiers, k, rules: rules.collect::<Result<_>>()? })
    }

    fn rule(&mut self) -> Result<Rule> {
        let names: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
        let Some(method) = self.take::<String>("method")? else {
            return Err(self.wrong("method", &format!("is missing; one of: {}", names.join(", "))));
        };
        let Some((_, keys)) = METHODS.iter().find(|(name, _)| *name == method) else {
            return Err(
                self.wrong("method", &unknown(&format!("no method {method:?}"), &method, &names))
            );
        };
        let known: Vec<&str> =
            ["columns", "method"].into_iter().chain(keys.iter().copied()).collect();
        self.check_keys(&known)?;
        let columns: Vec<String> = self.take("columns")?.unwrap_or_default();
        if columns.is_empty() {
            return Err(self.wrong("columns", "should name at least one column"));
        }
        Ok(Rule { columns, method: self.method(&method)? })
    }

    fn method(&mut self, name: &str) -> Result<Method> {
        Ok(match name {
            "drop" => Method::Drop,
            "suppress" => Method::Suppress,
            "hash" => self.hash()?,
            "keep_last" => {
                let Some(characters) = self.take("characters")? else {
                    return Err(self.wrong("characters", "is missing: how many of them stay"));
                };
                Method::KeepLast { characters, fill: self.take("fill")?.unwrap_or('*') }
            }
            "generalise" => Method::Generalise(self.generalise()?),
            "noise" => self.noise()?,
            _ => Method::Fake { shared: self.take("shared")?.unwrap_or(false) },
        })
    }

    fn hash(&mut self) -> Result<Method> {
        let digits = self.take("digits")?.unwrap_or(32);
        if !(8..=64).contains(&digits) {
            return Err(self.wrong("digits", &format!("should be in 8..=64, but is {digits}")));
        }
        let (shared, domain) = (self.take("shared")?, self.take::<String>("domain")?);
        if domain.as_deref() == Some("") {
            return Err(self.wrong("domain", "should be a name, as \"patient\""));
        }
        let links = match (shared, domain) {
            (Some(_), Some(_)) => {
                let problem = "does not go with `domain`, which links all columns of the rule";
                return Err(self.wrong("shared", problem));
            }
            (_, Some(domain)) => Links::Domain(domain),
            (Some(true), None) => Links::Rule,
            _ => Links::Column,
        };
        Ok(Method::Hash { digits, links })
    }

    fn generalise(&mut self) -> Result<Generalise> {
        let ways = ["width", "bins", "to", "prefix", "hierarchy"];
        let named: Vec<&str> =
            ways.into_iter().filter(|way| self.table.contains_key(*way)).collect();
        let [way] = named[..] else {
            let problem = "needs exactly one of `width`, `bins`, `to`, `prefix`, `hierarchy`";
            return Err(self.wrong("method", problem));
        };
        if way != "hierarchy" && self.table.contains_key("level") {
            return Err(self.wrong("level", "belongs to `hierarchy`"));
        }
        Ok(match way {
            "width" => Generalise::Width(self.positive("width")?),
            "bins" => {
                let bins: Vec<f64> = self.take("bins")?.unwrap_or_default();
                let rising = bins.is_sorted_by(|a, b| a < b) && bins.iter().all(|b| b.is_finite());
                if bins.is_empty() || !rising {
                    return Err(self.wrong("bins", "should be rising numbers, as [18, 40, 65]"));
                }
                Generalise::Bins(bins)
            }
            "to" => match self.take::<String>("to")?.as_deref() {
                Some("decade") => Generalise::Decade,
                Some("year") => Generalise::Year,
                Some("month") => Generalise::Month,
                _ => return Err(self.wrong("to", "should be \"decade\", \"year\" or \"month\"")),
            },
            "prefix" => match self.take("prefix")?.unwrap_or(0) {
                0 => {
                    return Err(
                        self.wrong("prefix", "should be at least 1; `suppress` leaves none")
                    );
                }
                characters => Generalise::Prefix(characters),
            },
            _ => {
                let level = self.take("level")?.unwrap_or(1);
                if level < 1 {
                    return Err(self.wrong("level", "should be at least 1"));
                }
                Generalise::Hierarchy { file: self.take("hierarchy")?.unwrap_or_default(), level }
            }
        })
    }

    fn noise(&mut self) -> Result<Method> {
        let size = match (self.table.contains_key("sd"), self.table.contains_key("share")) {
            (true, false) => NoiseSize::Absolute(self.positive("sd")?),
            (false, true) => NoiseSize::Share(self.positive("share")?),
            _ => return Err(self.wrong("method", "needs exactly one of `sd` and `share`")),
        };
        let (least, most) = (self.take("least")?, self.take("most")?);
        if matches!((least, most), (Some(least), Some(most)) if least > most) {
            return Err(self.wrong("least", "should not be above `most`"));
        }
        Ok(Method::Noise { size, least, most })
    }

    fn positive(&mut self, key: &str) -> Result<f64> {
        match self.take::<f64>(key)? {
            Some(number) if number > 0.0 && number.is_finite() => Ok(number),
            _ => Err(self.wrong(key, "should be a number above 0")),
        }
    }

    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        T::deserialize(value)
            .map(Some)
            .map_err(|error| self.wrong(key, &format!("{}{}", error.message(), example(key))))
    }

    fn check_keys(&self, known: &[&str]) -> Result<()> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(self.wrong(key, &unknown("unknown", key, known))),
        }
    }

    fn wrong(&self, key: &str, problem: &str) -> Error {
        Error::Recipe { key: format!("{}{key}", self.place), problem: problem.into() }
    }
}

/// How a key is written whose form is often mistaken.
fn example(key: &str) -> &'static str {
    match key {
        "columns" | "quasi_identifiers" => "; write a list, as [\"name\"]",
        "rules" => "; write [[rules]] in two brackets, once for each rule",
        "bins" => "; write a list, as [18, 40, 65]",
        _ => "",
    }
}

/// The problem of an unknown name, with the nearest known one.
pub(super) fn unknown(problem: &str, name: &str, known: &[&str]) -> String {
    let meant = nearest(name, known.iter().copied());
    let meant = meant.map_or("there".to_owned(), |name| format!("did you mean `{name}`? There"));
    format!("{problem}; {meant} are: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let text = r#"
            quasi_identifiers = ["age"]
            k = 3
            [[rules]]
            columns = ["a", "b"]
            method = "hash"
            shared = true
            [[rules]]
            columns = ["c"]
            method = "noise"
            sd = 2
            least = 0
            [[rules]]
            columns = ["d"]
            method = "generalise"
            bins = [0, 1.5]
        "#;
        let rules = Rules::from_toml(text).unwrap();
        assert_eq!((rules.k, rules.quasi_identifiers.len(), rules.rules.len()), (3, 1, 3));
        assert!(rules.needs_key());
        assert_eq!(rules.rules[0].method, Method::Hash { digits: 32, links: Links::Rule });
        let size = NoiseSize::Absolute(2.0);
        assert_eq!(rules.rules[1].method, Method::Noise { size, least: Some(0.0), most: None });
        assert_eq!(rules.rules[2].method, Method::Generalise(Generalise::Bins(vec![0.0, 1.5])));
    }

    #[test]
    fn mistakes_name_the_rule_the_key_and_the_nearest_known_one() {
        let rule = |lines: &str| format!("[[rules]]\ncolumns = ['a']\n{lines}");
        for (text, parts) in [
            (String::new(), ["rules", "no rule"]),
            ("kk = 2".into(), ["`kk`", "did you mean `k`"]),
            ("k = 0".into(), ["`k`", "at least 1"]),
            (rule("method = 'hsh'"), ["rule 1: method", "did you mean `hash`"]),
            (rule(""), ["rule 1: method", "is missing"]),
            (rule("method = 'hash'\ndigit = 9"), ["rule 1: digit", "did you mean `digits`"]),
            (rule("method = 'hash'\ndigits = 4"), ["rule 1: digits", "8..=64"]),
            (rule("method = 'hash'\nshared = 4"), ["rule 1: shared", "boolean"]),
            (rule("method = 'hash'\ndomain = ''"), ["rule 1: domain", "a name"]),
            (rule("method = 'hash'\nshared = true\ndomain = 'p'"), ["rule 1: shared", "`domain`"]),
            (rule("method = 'generalise'\nprefix = 0"), ["rule 1: prefix", "at least 1"]),
            (rule("method = 'fake'\nwidth = 4"), ["rule 1: width", "unknown"]),
            (rule("method = 'keep_last'"), ["rule 1: characters", "missing"]),
            (rule("method = 'generalise'"), ["rule 1: method", "exactly one"]),
            (rule("method = 'generalise'\nwidth = -1"), ["rule 1: width", "above 0"]),
            (rule("method = 'generalise'\nto = 'day'"), ["rule 1: to", "month"]),
            (rule("method = 'generalise'\nbins = [2, 1]"), ["rule 1: bins", "rising"]),
            (rule("method = 'noise'\nsd = 1\nshare = 1"), ["rule 1: method", "exactly one"]),
            (rule("method = 'shuffle'"), ["no method", "there are: drop"]),
            ("[rules]\nmethod = 'drop'".into(), ["rules", "[[rules]] in two brackets"]),
            ("[[rules]]\ncolumns = 'a'\nmethod = 'drop'".into(), ["columns", "as [\"name\"]"]),
            ("[[rules]]\nmethod = 'drop'".into(), ["rule 1: columns", "at least one"]),
        ] {
            let message = Rules::from_toml(&text).unwrap_err().to_string();
            for part in parts {
                assert!(message.contains(part), "{text}\n{message:?} should contain {part:?}");
            }
            assert!(!text.contains("shuffle") || !message.contains("did you mean"), "{message}");
        }
    }
}
