use super::parse::Reader;
use meg_core::{ColumnKind, DataError, Error, Result, Schema};
use std::collections::HashMap;

/// What is to be done to a table; the written form is `rules.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Columns by which people could be recognised together.
    pub quasi_identifiers: Vec<String>,
    /// Groups of fewer rows than this count as too small.
    pub k: u64,
    /// The rules; a column is in one of them at most. Columns in none are kept.
    pub rules: Vec<Rule>,
}

/// One method for some columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// What becomes of their cells.
    pub method: Method,
}

/// What becomes of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// The column goes.
    Drop,
    /// Every cell becomes missing.
    Suppress,
    /// A keyed hash takes its place.
    Hash {
        /// Hexadecimal digits, 8 to 64.
        digits: usize,
        /// Where else equal values get equal hashes.
        links: Links,
    },
    /// All but the last characters are replaced.
    KeepLast {
        /// Characters that stay.
        characters: usize,
        /// What takes the place of each other character.
        fill: char,
    },
    /// Something coarser takes its place.
    Generalise(Generalise),
    /// A normal draw is added to a number or, in days, to a moment.
    Noise {
        /// The standard deviation.
        size: NoiseSize,
        /// Results below this number become it.
        least: Option<f64>,
        /// Results above this number become it.
        most: Option<f64>,
    },
    /// Another text of the same shape takes its place.
    Fake {
        /// Equal values in any column of the rule get equal fakes.
        shared: bool,
    },
}

/// Where equal values get equal hashes. The key must be the same in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Links {
    /// In columns of the same name, in any table.
    Column,
    /// In the columns of the rule, and in those of any rule with the same list of columns.
    Rule,
    /// In all columns that are hashed in the domain of this name, in any rule and table.
    Domain(String),
}

/// How a cell is made coarser.
#[derive(Debug, Clone, PartialEq)]
pub enum Generalise {
    /// Bins of this width that begin at its multiples.
    Width(f64),
    /// Bins between these numbers, and one at either side.
    Bins(Vec<f64>),
    /// The first year of the decade of a moment, as a number.
    Decade,
    /// The year of a moment, as a number.
    Year,
    /// The year and month of a moment, as `1989-05`.
    Month,
    /// The first characters of a text, at least one; a text that is no longer becomes missing.
    Prefix(usize),
    /// The group of a value in a hierarchy.
    Hierarchy {
        /// Name of the file.
        file: String,
        /// One-based level: the column of the file after that of the values.
        level: usize,
    },
}

/// The standard deviation of noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoiseSize {
    /// In the unit of the column; days for moments.
    Absolute(f64),
    /// As a share of the column's own standard deviation.
    Share(f64),
}

impl Rules {
    /// Reads `rules.toml`.
    ///
    /// # Errors
    /// A recipe error that names the rule and the key, with the nearest known one where a name is
    /// unknown.
    pub fn from_toml(text: &str) -> Result<Self> {
        Reader::read(text)
    }

    /// Names of the files of hierarchies, as they are written.
    pub fn hierarchy_files(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| match &rule.method {
            Method::Generalise(Generalise::Hierarchy { file, .. }) => Some(file.as_str()),
            _ => None,
        })
    }

    /// Whether a rule needs a secret key: without one, whoever knows the seed can hash a known value
    /// or draw the same noise again and take it off.
    pub fn needs_key(&self) -> bool {
        let needs = |method: &Method| matches!(method, Method::Hash { .. } | Method::Noise { .. });
        self.rules.iter().any(|rule| needs(&rule.method))
    }

    /// Whether a key makes a difference: hashes and noise need one, fakes are drawn under it.
    pub fn uses_key(&self) -> bool {
        let uses = |method: &Method| {
            matches!(method, Method::Hash { .. } | Method::Noise { .. } | Method::Fake { .. })
        };
        self.rules.iter().any(|rule| uses(&rule.method))
    }

    /// Checks that every named column is there and of a kind that its method can treat.
    ///
    /// # Errors
    /// A recipe error for an unknown column or one in two rules, a data error for one of another
    /// kind.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let mut seen = HashMap::new();
        for (number, rule) in (1..).zip(&self.rules) {
            for name in &rule.columns {
                let spec = &schema.columns[find(schema, name, &format!("rule {number}: columns"))?];
                if let Some(other) = seen.insert(name, number) {
                    let key = format!("rule {number}: columns");
                    let problem = format!("the column {name:?} is in rule {other} already");
                    return Err(Error::Recipe { key, problem });
                }
                rule.method.check_kind(&spec.kind).map_err(|needed| {
                    DataError::new(format!(
                        "`{}` needs {needed}, and the column is of kind \"{}\"",
                        rule.method.name(),
                        spec.kind.name()
                    ))
                    .column(name)
                    .advice("choose another method, or correct the column's kind in schema.toml")
                })?;
            }
        }
        for name in &self.quasi_identifiers {
            find(schema, name, "quasi_identifiers")?;
        }
        Ok(())
    }
}

fn find(schema: &Schema, name: &str, key: &str) -> Result<usize> {
    schema.position(name).ok_or_else(|| {
        let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
        let problem = super::parse::unknown(&format!("no column {name:?}"), name, &names);
        Error::Recipe { key: key.into(), problem }
    })
}

impl Method {
    /// The name used in `rules.toml`.
    pub const fn name(&self) -> &'static str {
        match self {
            Method::Drop => "drop",
            Method::Suppress => "suppress",
            Method::Hash { .. } => "hash",
            Method::KeepLast { .. } => "keep_last",
            Method::Generalise(_) => "generalise",
            Method::Noise { .. } => "noise",
            Method::Fake { .. } => "fake",
        }
    }

    /// `Err` with the kinds that the method needs.
    fn check_kind(&self, kind: &ColumnKind) -> std::result::Result<(), &'static str> {
        let number = matches!(kind, ColumnKind::Number { .. });
        let moment = matches!(kind, ColumnKind::Datetime { .. });
        let (fits, needed) = match self {
            Method::Drop | Method::Suppress | Method::Hash { .. } => (true, "any kind"),
            Method::KeepLast { .. }
            | Method::Fake { .. }
            | Method::Generalise(Generalise::Prefix(_) | Generalise::Hierarchy { .. }) => {
                (!number && !moment, "a category, an identifier or text")
            }
            Method::Generalise(Generalise::Width(_) | Generalise::Bins(_)) => (number, "a number"),
            Method::Generalise(Generalise::Decade | Generalise::Year | Generalise::Month) => {
                (moment, "a datetime")
            }
            Method::Noise { least: None, most: None, .. } => {
                (number || moment, "a number or a datetime")
            }
            Method::Noise { .. } => (number, "a number where it has `least` or `most`"),
        };
        if fits { Ok(()) } else { Err(needed) }
    }
}
