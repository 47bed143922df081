use crate::{Column, Constraint, DataError, Error, Result, constraint, datetime};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What a table may hold: its columns, in order. The written form is `schema.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The columns, in table order.
    pub columns: Vec<ColumnSpec>,
    /// What must hold within each row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
}

/// One column: name, kind, whether cells may be missing, and its part in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenColumn", into = "WrittenColumn")]
pub struct ColumnSpec {
    /// Unique name.
    pub name: String,
    /// What the cells are.
    pub kind: ColumnKind,
    /// Whether cells may be missing.
    pub nullable: bool,
    /// The column's part.
    pub role: Role,
}

/// What the cells of a column are.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    /// A number; `decimals: Some(0)` is an integer, `None` leaves the precision open.
    Number {
        /// Digits after the point.
        decimals: Option<u8>,
    },
    /// One of a fixed list of levels.
    Category {
        /// The levels, all different.
        levels: Vec<String>,
        /// Whether the list is in a meaningful order.
        ordered: bool,
    },
    /// A moment, held as seconds since 1970-01-01T00:00:00.
    Datetime {
        /// `strftime` format of the text.
        format: String,
    },
    /// A key. Never modelled: regenerated as fresh unique values.
    Identifier,
    /// Free text. Refused by every model of tables.
    Text,
}

/// The part a column plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An ordinary column.
    #[default]
    Feature,
    /// What a predictive model would predict.
    Target,
    /// What must not be learned about a person.
    Sensitive,
}

impl ColumnKind {
    /// The name used in `schema.toml`.
    pub const fn name(&self) -> &'static str {
        match self {
            ColumnKind::Number { .. } => "number",
            ColumnKind::Category { .. } => "category",
            ColumnKind::Datetime { .. } => "datetime",
            ColumnKind::Identifier => "identifier",
            ColumnKind::Text => "text",
        }
    }

    /// The name with its article, for sentences.
    pub const fn described(&self) -> &'static str {
        match self {
            ColumnKind::Number { .. } => "a number",
            ColumnKind::Category { .. } => "a category",
            ColumnKind::Datetime { .. } => "a datetime",
            ColumnKind::Identifier => "an identifier",
            ColumnKind::Text => "free text",
        }
    }
}

impl ColumnSpec {
    /// A feature without missing cells.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind, nullable: false, role: Role::Feature }
    }

    /// A number with so many digits after the point.
    pub fn number(name: impl Into<String>, decimals: impl Into<Option<u8>>) -> Self {
        Self::new(name, ColumnKind::Number { decimals: decimals.into() })
    }

    /// A category with these levels, in no meaningful order.
    pub fn category<S: Into<String>>(
        name: impl Into<String>,
        levels: impl IntoIterator<Item = S>,
    ) -> Self {
        let levels = levels.into_iter().map(Into::into).collect();
        Self::new(name, ColumnKind::Category { levels, ordered: false })
    }

    /// The same column, with missing cells allowed.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same column in another role.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The levels of a category, none for other kinds.
    pub fn levels(&self) -> &[String] {
        match &self.kind {
            ColumnKind::Category { levels, .. } => levels,
            _ => &[],
        }
    }

    /// Whether the cells are held as numbers (numbers and datetimes).
    pub fn is_numeric(&self) -> bool {
        matches!(self.kind, ColumnKind::Number { .. } | ColumnKind::Datetime { .. })
    }

    /// Whether the cells are held as level codes.
    pub fn is_category(&self) -> bool {
        matches!(self.kind, ColumnKind::Category { .. })
    }

    /// The nearest value that this numeric column can hold: decimals for numbers, the format's
    /// resolution and the years that can be printed for datetimes. Never the negative zero, which
    /// would be printed as another cell than 0.
    pub fn snap(&self, value: f64) -> f64 {
        let near = match &self.kind {
            ColumnKind::Number { decimals: Some(decimals) } => round_to(value, *decimals),
            ColumnKind::Datetime { format } => {
                let step = datetime::resolution(format);
                let (least, most) = datetime::printable(format);
                (value / step).round().clamp((least / step).ceil(), (most / step).floor()) * step
            }
            _ => value,
        };
        near + 0.0
    }

    /// Whether this numeric column can hold the value, but for the last bits of arithmetic.
    pub fn holds(&self, value: f64) -> bool {
        (self.snap(value) - value).abs() <= 4.0 * f64::EPSILON * value.abs()
    }

    /// A value of this numeric column as it is written to a file; `None` where it is missing or
    /// cannot be printed.
    pub fn text(&self, value: f64) -> Option<String> {
        match &self.kind {
            _ if value.is_nan() => None,
            ColumnKind::Datetime { format } => datetime::print(value, format),
            ColumnKind::Number { decimals: Some(decimals) } => {
                Some(format!("{value:.*}", usize::from(*decimals)))
            }
            _ => Some(shortest(value)),
        }
    }

    /// The distance between neighbouring values of this numeric column; `None` where the precision
    /// is open.
    pub fn step(&self) -> Option<f64> {
        match &self.kind {
            ColumnKind::Number { decimals } => {
                decimals.map(|decimals| 1.0 / 10f64.powi(i32::from(decimals)))
            }
            ColumnKind::Datetime { format } => Some(datetime::resolution(format)),
            _ => None,
        }
    }

    /// The least value that this numeric column can hold and that is not below `value`.
    pub fn snap_up(&self, value: f64) -> f64 {
        let near = self.snap(value);
        if near >= value { near } else { self.snap(near + self.step().unwrap_or(0.0)) }
    }

    /// The greatest value that this numeric column can hold and that is not above `value`.
    pub fn snap_down(&self, value: f64) -> f64 {
        let near = self.snap(value);
        if near <= value { near } else { self.snap(near - self.step().unwrap_or(0.0)) }
    }
}

impl Schema {
    /// A schema of these columns.
    ///
    /// # Errors
    /// When a rule of [`Schema::check`] is broken.
    pub fn new(columns: Vec<ColumnSpec>) -> Result<Self> {
        Self { columns, constraints: Vec::new() }.with_constraints(Vec::new())
    }

    /// The same columns under these constraints.
    ///
    /// # Errors
    /// When a rule of [`Schema::check`] is broken.
    pub fn with_constraints(self, constraints: Vec<Constraint>) -> Result<Self> {
        let schema = Self { constraints, ..self };
        schema.check()?;
        Ok(schema)
    }

    /// The same columns without constraints: of rows that need not keep them.
    #[must_use]
    pub fn without_constraints(&self) -> Self {
        Self { columns: self.columns.clone(), constraints: Vec::new() }
    }

    /// The columns that are kept, and those constraints that speak of these alone.
    ///
    /// # Errors
    /// When no column is left, or when the constraints that are left cannot hold without those that
    /// are not.
    pub fn select(&self, keep: impl Fn(&ColumnSpec) -> bool) -> Result<Self> {
        let kept = Self::new(self.columns.iter().filter(|spec| keep(spec)).cloned().collect())?;
        let still =
            |one: &&Constraint| one.columns().iter().all(|name| kept.position(name).is_some());
        let constraints = self.constraints.iter().filter(still).cloned().collect();
        kept.with_constraints(constraints)
    }

    /// The first cell that breaks a constraint, as an error with its one-based row.
    pub fn violation(&self, columns: &[Column]) -> Option<DataError> {
        self.constraints.iter().find_map(|constraint| constraint.violation(self, columns))
    }

    /// The least and the greatest value that each column may hold in any row under all constraints
    /// together, in the column's own resolution. Bounds pass from column to column where cells
    /// cannot be missing. Columns without numbers have the widest bounds.
    ///
    /// # Errors
    /// When the constraints cannot hold together.
    pub fn bounds(&self) -> Result<Vec<(f64, f64)>> {
        constraint::bounds(self)
    }

    /// The same without what other columns ask for: bounds that are declared for the column itself.
    pub fn declared_bounds(&self) -> Vec<(f64, f64)> {
        constraint::declared(self)
    }

    /// Positions of the low columns of all orders in which this column is the high one.
    pub fn lows(&self, column: usize) -> Vec<usize> {
        constraint::lows(self, column)
    }

    /// Positions of the parts of which this column is the total.
    pub fn parts(&self, column: usize) -> Option<Vec<usize>> {
        constraint::parts(self, column)
    }

    /// Positions of all columns, each after those that a constraint builds its value on: the high
    /// column of an order after the low ones, a total after its parts.
    ///
    /// # Errors
    /// When the constraints run in a circle.
    pub fn building_order(&self) -> Result<Vec<usize>> {
        constraint::order(self)
    }

    /// Checks that there is a column, that names are unique and not empty, that levels are unique,
    /// that at most one column is the target, and that the constraints name columns of fitting
    /// kinds and can hold together.
    ///
    /// # Errors
    /// A data error that names the column.
    pub fn check(&self) -> Result<()> {
        if self.columns.is_empty() {
            return Err(Error::data("the schema has no column"));
        }
        let mut names = HashSet::new();
        for column in &self.columns {
            let fail = |problem: String| Err(DataError::new(problem).column(&column.name).into());
            if column.name.is_empty() {
                return Err(Error::data("a column has an empty name"));
            }
            if !names.insert(&column.name) {
                return fail("the name occurs twice".into());
            }
            if let ColumnKind::Datetime { format } = &column.kind {
                datetime::check(format).map_err(|error| error.column(&column.name))?;
            }
            if let ColumnKind::Category { levels, .. } = &column.kind {
                let mut seen = HashSet::new();
                if let Some(twice) = levels.iter().find(|level| !seen.insert(*level)) {
                    return fail(format!("the level {twice:?} occurs twice"));
                }
            }
        }
        if self.columns.iter().filter(|column| column.role == Role::Target).count() > 1 {
            return Err(Error::data("more than one column has the role \"target\""));
        }
        if self.constraints.is_empty() { Ok(()) } else { constraint::check(self) }
    }

    /// Reads `schema.toml`.
    ///
    /// # Errors
    /// When the text is not a schema; the message carries line and column of the text where it is
    /// not even written as one, else the column of the table.
    pub fn from_toml(text: &str) -> Result<Self> {
        let written: WrittenSchema =
            toml::from_str(text).map_err(|error| Error::data(error.to_string()))?;
        let columns = written.columns.into_iter().map(ColumnSpec::try_from);
        let columns = columns.collect::<Result<_, String>>().map_err(Error::data)?;
        let schema = Self { columns, constraints: written.constraints };
        schema.check()?;
        Ok(schema)
    }

    /// Writes `schema.toml`.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a schema is plain data")
    }

    /// Position of the column of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Position of the column of this name.
    ///
    /// # Errors
    /// A request error that lists the names there are.
    pub fn find(&self, name: &str) -> Result<usize> {
        self.position(name).ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::Request(format!("no column {name:?}; there are: {}", names.join(", ")))
        })
    }

    /// Position of the target column.
    pub fn target(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.role == Role::Target)
    }

    /// Refuses free text, which no model of tables can learn.
    ///
    /// # Errors
    /// A data error with the ways out.
    pub fn check_modelable(&self) -> Result<()> {
        match self.columns.iter().find(|column| column.kind == ColumnKind::Text) {
            None => Ok(()),
            Some(column) => Err(DataError::new("free text cannot be modelled as a table column")
                .column(&column.name)
                .advice("drop the column, or declare it as kind = \"identifier\" in schema.toml to have fresh unique values in its place")
                .into()),
        }
    }
}

/// The fewest digits that tell a number from all others, with an exponent where it would have many
/// zeros: other readers take `0.0000000000000000012` for 0, and digits that nobody knows would fill
/// the place of those of `1e300`.
fn shortest(value: f64) -> String {
    let size = value.abs();
    let plain = size == 0.0 || (1e-5..1e16).contains(&size);
    if plain { value.to_string() } else { format!("{value:e}") }
}

/// Rounds to so many digits after the point.
pub fn round_to(value: f64, decimals: u8) -> f64 {
    let scale = 10f64.powi(i32::from(decimals));
    let scaled = value * scale;
    // Beyond 2^53 every double is a whole number already, and scaling could overflow.
    if scaled.abs() < 9.0e15 { scaled.round() / scale } else { value }
}

/// The schema before its columns are understood, so that a mistake in one is blamed on its name:
/// the parser of TOML would place it at the first of all columns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSchema {
    columns: Vec<WrittenColumn>,
    #[serde(default)]
    constraints: Vec<Constraint>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    name: String,
    kind: WrittenKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "is_default")]
    ordered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    nullable: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenKind {
    Number,
    Category,
    Datetime,
    Identifier,
    Text,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<ColumnSpec> for WrittenColumn {
    fn from(column: ColumnSpec) -> Self {
        let mut written = WrittenColumn {
            name: column.name,
            kind: WrittenKind::Text,
            decimals: None,
            levels: None,
            ordered: false,
            format: None,
            nullable: column.nullable,
            role: column.role,
        };
        written.kind = match column.kind {
            ColumnKind::Number { decimals } => {
                written.decimals = decimals;
                WrittenKind::Number
            }
            ColumnKind::Category { levels, ordered } => {
                written.levels = Some(levels);
                written.ordered = ordered;
                WrittenKind::Category
            }
            ColumnKind::Datetime { format } => {
                written.format = Some(format);
                WrittenKind::Datetime
            }
            ColumnKind::Identifier => WrittenKind::Identifier,
            ColumnKind::Text => WrittenKind::Text,
        };
        written
    }
}

impl TryFrom<WrittenColumn> for ColumnSpec {
    type Error = String;

    fn try_from(written: WrittenColumn) -> Result<Self, String> {
        let name = &written.name;
        let only_for = |key: &str, present: bool, kind: WrittenKind, of: &str| {
            if present && written.kind != kind {
                Err(format!("column {name:?}: `{key}` belongs to kind = \"{of}\" only"))
            } else {
                Ok(())
            }
        };
        only_for("decimals", written.decimals.is_some(), WrittenKind::Number, "number")?;
        only_for("levels", written.levels.is_some(), WrittenKind::Category, "category")?;
        only_for("ordered", written.ordered, WrittenKind::Category, "category")?;
        only_for("format", written.format.is_some(), WrittenKind::Datetime, "datetime")?;
        if written.decimals.is_some_and(|decimals| decimals > 15) {
            return Err(format!("column {name:?}: `decimals` should be in 0..=15"));
        }
        let kind = match written.kind {
            WrittenKind::Number => ColumnKind::Number { decimals: written.decimals },
            WrittenKind::Category => ColumnKind::Category {
                levels: written
                    .levels
                    .ok_or_else(|| format!("column {name:?}: a category needs `levels`, as levels = [\"F\", \"M\"]\n  help: `meg schema infer` lists the values that occur"))?,
                ordered: written.ordered,
            },
            WrittenKind::Datetime => ColumnKind::Datetime {
                format: written
                    .format
                    .ok_or_else(|| format!("column {name:?}: a datetime needs `format`, as format = \"%Y-%m-%d\""))?,
            },
            WrittenKind::Identifier => ColumnKind::Identifier,
            WrittenKind::Text => ColumnKind::Text,
        };
        Ok(ColumnSpec { name: written.name, kind, nullable: written.nullable, role: written.role })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_many_zeros_are_written_with_an_exponent() {
        let open = ColumnSpec::number("x", None);
        for (number, text) in [
            (1e-5, "0.00001"),
            (9.9e-6, "9.9e-6"),
            (-1e-7, "-1e-7"),
            (9e15, "9000000000000000"),
            (1e16, "1e16"),
            (0.0, "0"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(open.text(number).as_deref(), Some(text));
            assert_eq!(text.parse::<f64>().unwrap(), number);
        }
        assert_eq!(ColumnSpec::number("x", 8).text(1e-7).as_deref(), Some("0.00000010"));
    }

    #[test]
    fn decimals_hold_at_any_size() {
        let cents = ColumnSpec::number("x", 2);
        assert!(cents.holds(12_345_678.91) && cents.holds(4_429_583_677_743.95));
        assert!(!cents.holds(12_345_678.914) && !cents.holds(0.001));
        let day = ColumnSpec::new("d", ColumnKind::Datetime { format: "%Y-%m-%d".into() });
        assert!(day.holds(86_400.0) && !day.holds(86_401.0));
    }

    #[test]
    fn the_written_form_round_trips() {
        let mut day = ColumnSpec::new("day", ColumnKind::Datetime { format: "%Y-%m-%d".into() });
        day.nullable = true;
        let schema = Schema::new(vec![
            ColumnSpec::number("age", 0),
            ColumnSpec::number("weight", None).nullable(),
            ColumnSpec::category("sex", ["F", "M"]).role(Role::Target),
            day,
            ColumnSpec::new("id", ColumnKind::Identifier),
        ])
        .unwrap();
        assert_eq!(Schema::from_toml(&schema.to_toml()).unwrap(), schema);
    }

    #[test]
    fn mistakes_in_a_written_schema_are_named() {
        for (text, part) in [
            ("columns = []", "no column"),
            ("[[columns]]\nname = \"a\"\nkind = \"nombre\"", "nombre"),
            ("[[columns]]\nname = \"a\"\nkind = \"category\"", "needs `levels`"),
            ("[[columns]]\nname = \"a\"\nkind = \"text\"\ndecimals = 2", "`decimals` belongs to"),
            ("[[columns]]\nname = \"a\"\nkind = \"text\"\nnullabel = true", "nullabel"),
            ("[[columns]]\nname = \"a\"\nkind = \"category\"\nlevels = [\"x\", \"x\"]", "twice"),
        ] {
            let message = Schema::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message:?} should contain {part:?}");
            // A place in the text is told by the parser alone, which knows it.
            assert!(!message.contains("needs") || !message.contains("line 1"), "{message:?}");
        }
    }

    #[test]
    fn rounding_keeps_huge_values() {
        assert_eq!(round_to(1334.8799999999999, 2), 1334.88);
        assert_eq!(round_to(-2.5, 0), -3.0);
        assert_eq!(round_to(1e300, 9), 1e300);
    }
}
