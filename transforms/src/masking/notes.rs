use super::fake::Real;
use super::report::ColumnReport;
use super::rules::{Generalise, Method, Rules};
use meg_core::{Column, ColumnKind, Constraint, Role, Table};
use std::collections::{HashMap, HashSet};

/// What is known of a masking when it is reported on.
pub(super) struct Notes<'a> {
    pub(super) rules: &'a Rules,
    pub(super) before: &'a Table,
    pub(super) after: &'a Table,
    pub(super) columns: &'a [ColumnReport],
    /// Values that no kept cell should contain.
    pub(super) telling: &'a Real,
}

impl Notes<'_> {
    /// What a reader has to know, a sentence each.
    pub(super) fn all(&self) -> Vec<String> {
        let mut notes = self.recoverable();
        notes.extend(self.of_methods());
        notes.extend(self.of_quasi_identifiers());
        notes.extend(self.left_as_they_were());
        notes.extend(self.columns.iter().filter_map(|column| self.telling_apart(column)));
        notes.extend(self.columns.iter().filter_map(unchanged));
        notes.extend(self.short_texts());
        notes.extend(self.showing());
        notes.push("Rows keep their order: whoever has the original table, or another one in its order, can match them by position.".into());
        let lost = self.before.schema().constraints.len() - self.after.schema().constraints.len();
        notes.extend((lost > 0).then(|| {
            format!("{lost} constraints of the schema speak of masked columns and are left out.")
        }));
        notes
    }

    fn of_methods(&self) -> Vec<String> {
        let used = |is: fn(&Method) -> bool| self.rules.rules.iter().any(|rule| is(&rule.method));
        let mut notes = Vec::new();
        let mut say = |when: bool, text: &str| notes.extend(when.then(|| text.to_owned()));
        say(
            used(|method| matches!(method, Method::Hash { .. })),
            "Keyed hashing is pseudonymisation, not anonymity: whoever holds the key can hash a known value and find its rows, and equal values stay linked. Keep the key secret, or destroy it.",
        );
        say(
            used(|method| matches!(method, Method::Fake { .. })),
            "A fake stands for the same real value throughout and keeps its length and shape: rows of one person stay linked, and a rare shape can be recognised.",
        );
        say(
            used(|method| {
                matches!(
                    method,
                    Method::KeepLast { .. } | Method::Generalise(Generalise::Prefix(_))
                )
            }),
            "The characters that are kept are real.",
        );
        say(
            used(|method| matches!(method, Method::Noise { .. })),
            "Noise hides single values, not averages, and extreme values stay extreme. Whoever holds the key can take it off.",
        );
        notes
    }

    fn of_quasi_identifiers(&self) -> Vec<String> {
        let named = &self.rules.quasi_identifiers;
        let gone = |name: &&String| self.after.schema().position(name).is_none();
        let gone: Vec<&str> = named.iter().filter(gone).map(String::as_str).collect();
        let mut notes = Vec::new();
        if !gone.is_empty() {
            let gone = gone.join(", ");
            notes.push(format!("Quasi-identifiers that are dropped do not count: {gone}."));
        }
        notes.push(if named.is_empty() {
            "No quasi-identifiers are named, so that nothing is known of how rare the remaining rows are.".into()
        } else {
            "Group sizes say how rare rows are in the quasi-identifiers alone: other columns, and what somebody knows from elsewhere, can still tell people apart.".into()
        });
        notes
    }

    /// Masked columns whose real values follow from columns that are kept, by the schema's
    /// constraints.
    fn recoverable(&self) -> Vec<String> {
        let mut notes = self.totals_and_parts();
        for constraint in &self.before.schema().constraints {
            if let Constraint::Combinations { columns } = constraint {
                notes.extend(columns.iter().filter_map(|name| self.told_by_others(name, columns)));
            }
        }
        notes
    }

    /// A sum with one masked cell tells it. What one sum tells may leave one unknown cell in another.
    fn totals_and_parts(&self) -> Vec<String> {
        let schema = self.before.schema();
        let masked = |name: &&str| self.rules.method(name).is_some();
        let sums = schema.constraints.iter().filter(|one| matches!(one, Constraint::Sum { .. }));
        let mut told: Vec<&str> = Vec::new();
        let mut notes = Vec::new();
        let mut waiting: Vec<&Constraint> = sums.collect();
        loop {
            let before = waiting.len();
            waiting.retain(|sum| {
                let columns = sum.columns();
                let hidden: Vec<&str> =
                    columns.into_iter().filter(|name| masked(name) && !told.contains(name)).collect();
                let [only] = hidden[..] else { return true };
                notes.push(format!(
                    "Column {only:?} is masked in vain: by the constraint {sum} the other columns tell its real values. Mask another of these columns too.",
                ));
                told.push(only);
                false
            });
            if waiting.len() == before {
                return notes;
            }
        }
    }

    /// Rows in which the other columns of a combination, as they are after masking, occur with one
    /// real value of a masked column only.
    fn told_by_others(&self, name: &str, columns: &[String]) -> Option<String> {
        self.rules.method(name)?;
        let schema = self.after.schema();
        let hides = |name: &str| match self.rules.method(name) {
            // Whoever sees a hash or a fake learns nothing of which real value it stands for.
            None | Some(Method::KeepLast { .. } | Method::Generalise(_)) => false,
            Some(_) => true,
        };
        let others = columns.iter().map(String::as_str);
        let others: Vec<&str> = others.filter(|other| *other != name && !hides(other)).collect();
        if others.is_empty() {
            return None;
        }
        // Its own coarser value helps.
        let own = (!hides(name)).then_some(name);
        let places: Vec<usize> =
            others.iter().copied().chain(own).filter_map(|name| schema.position(name)).collect();
        let at = self.before.schema().position(name)?;
        let key = |row: usize| -> Vec<Option<String>> {
            places.iter().map(|&place| self.after.text(row, place)).collect()
        };
        let cells: Vec<(Vec<Option<String>>, String)> = (0..self.before.rows())
            .filter_map(|row| Some((key(row), self.before.text(row, at)?)))
            .collect();
        let mut values: HashMap<&Vec<Option<String>>, HashSet<&str>> = HashMap::new();
        for (key, value) in &cells {
            values.entry(key).or_default().insert(value);
        }
        let told = cells.iter().filter(|(key, _)| values[key].len() == 1).count();
        (told > 0).then(|| {
            format!(
                "Column {name:?} is masked in vain in {told} of {} cells: by the declared combinations one real value only goes with what is left in {}. Mask that too.",
                cells.len(),
                others.iter().map(|other| format!("{other:?}")).collect::<Vec<_>>().join(", ")
            )
        })
    }

    /// Columns that look sensitive and are in no rule.
    fn left_as_they_were(&self) -> Vec<String> {
        let kept = self.before.iter().filter(|(spec, _)| self.rules.method(&spec.name).is_none());
        let why = kept.filter_map(|(spec, column)| match (&spec.kind, spec.role, column) {
            (_, Role::Sensitive, _) => Some((spec, "is declared as sensitive")),
            (ColumnKind::Identifier, ..) => Some((spec, "is an identifier")),
            (_, _, Column::Texts(_)) => Some((spec, "is free text")),
            _ => None,
        });
        why.map(|(spec, why)| {
            format!("Column {:?} {why} and is kept as it is: no rule names it.", spec.name)
        })
        .collect()
    }

    /// Columns whose real or coarser values are so many that a value alone stands for fewer than
    /// `k` rows on average, and that group sizes leave out.
    fn telling_apart(&self, column: &ColumnReport) -> Option<String> {
        // A kept identifier was named already.
        let spec = &self.before.schema().columns[self.before.schema().position(&column.column)?];
        if spec.kind == ColumnKind::Identifier && self.rules.method(&column.column).is_none() {
            return None;
        }
        let real = match self.rules.method(&column.column) {
            None | Some(Method::KeepLast { .. } | Method::Generalise(_)) => true,
            Some(_) => false,
        };
        let declared = self.rules.quasi_identifiers.contains(&column.column);
        let many = column.distinct_after as u64 * self.rules.k > column.cells as u64;
        (real && !declared && many).then(|| {
            format!(
                "Column {:?} still has {} different values in {} cells and is no quasi-identifier: it can tell people apart, and group sizes leave it out.",
                column.column, column.distinct_after, column.cells
            )
        })
    }

    /// Texts that a prefix would have shown whole.
    fn short_texts(&self) -> Vec<String> {
        let schema = self.before.schema();
        let prefixes = schema.columns.iter().enumerate().filter_map(|(at, spec)| {
            let method = self.rules.method(&spec.name)?;
            let Method::Generalise(Generalise::Prefix(characters)) = method else { return None };
            let now = &self.after.columns()[self.after.schema().position(&spec.name)?];
            let lost = |row: &usize| {
                now.is_missing(*row) && !self.before.columns()[at].is_missing(*row)
            };
            let lost = (0..self.before.rows()).filter(lost).count();
            (lost > 0).then(|| {
                format!(
                    "{lost} cells of column {:?} have no more than {characters} characters and became missing: their prefix would have shown them whole.",
                    spec.name
                )
            })
        });
        prefixes.collect()
    }

    /// Kept cells that contain a value of a masked column.
    fn showing(&self) -> Vec<String> {
        let schema = self.before.schema();
        let kept = schema
            .columns
            .iter()
            .enumerate()
            .filter(|(_, spec)| !spec.is_numeric() && self.rules.method(&spec.name).is_none());
        let counted = kept.filter_map(|(at, spec)| {
            let mut known: HashMap<String, bool> = HashMap::new();
            let cells = (0..self.before.rows()).filter_map(|row| self.before.text(row, at));
            let shows = |text: &String| {
                *known.entry(text.clone()).or_insert_with(|| self.telling.tells(text))
            };
            let cells = cells.filter(shows).count();
            (cells > 0).then(|| {
                format!(
                    "{cells} cells of column {:?}, which is kept, contain a value of a masked column.",
                    spec.name
                )
            })
        });
        counted.collect()
    }
}

/// Cells that the method of their column left alone, such as a text whose hidden characters were
/// the fill already.
fn unchanged(column: &ColumnReport) -> Option<String> {
    let same = column.cells - column.changed;
    (column.method != "kept" && same > 0).then(|| {
        format!(
            "{same} of {} cells of column {:?} are what they were: `{}` changed nothing in them.",
            column.cells, column.column, column.method
        )
    })
}
