use super::pieces::Piece;
use meg_core::{
    Column, ColumnKind, ColumnSpec, Constraint, DataError, Error, MISSING, Result, Role, Schema,
    Table,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// What was learned from the training rows, beyond the schema.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// For each constraint of combinations in the order of the schema, the combinations of the
    /// training rows as codes, sorted; a missing cell is `None`.
    pub combinations: Vec<Vec<Vec<Option<u32>>>>,
    /// Positions of the columns that also stand on their own, for rows in which they cannot be
    /// derived.
    pub apart: Vec<usize>,
    /// Positions of the totals that can be missing beside all of their parts.
    pub silent: Vec<usize>,
}

/// A way to rewrite tables of one schema into tables without constraints, and back.
#[derive(Debug, Clone)]
pub struct Rewriting {
    pub(super) schema: Arc<Schema>,
    pub(super) inner: Arc<Schema>,
    pub(super) pieces: Vec<Piece>,
    pub(super) facts: Facts,
    /// What a cell may be in any row.
    pub(super) bounds: Vec<(f64, f64)>,
    /// What is declared for each column itself.
    pub(super) declared: Vec<(f64, f64)>,
    pub(super) order: Vec<usize>,
    /// Columns of each constraint of combinations.
    pub(super) groups: Vec<Vec<usize>>,
}

impl Rewriting {
    /// Learns what has to be known of the training rows. That these obey the constraints is a
    /// promise of [`Table`].
    ///
    /// # Errors
    /// A data error when there is no row.
    pub fn learn(train: &Table) -> Result<Self> {
        if train.rows() == 0 {
            return Err(Error::data("there are no training rows"));
        }
        let schema = train.schema();
        let mut facts = Facts {
            combinations: groups(schema).iter().map(|group| combinations(train, group)).collect(),
            ..Facts::default()
        };
        for (at, spec) in schema.columns.iter().enumerate() {
            if stands_apart(train, at) {
                facts.apart.push(at);
            }
            let is_silent = |parts: Vec<usize>| {
                (0..train.rows()).any(|row| {
                    train.columns()[at].is_missing(row)
                        && parts.iter().all(|&part| !train.columns()[part].is_missing(row))
                })
            };
            if spec.nullable && schema.parts(at).is_some_and(is_silent) {
                facts.silent.push(at);
            }
        }
        Self::new(schema.clone(), facts)
    }

    /// The rewriting that these facts stand for.
    ///
    /// # Errors
    /// An artifact error when the facts do not fit the schema.
    pub fn new(schema: Arc<Schema>, facts: Facts) -> Result<Self> {
        schema.check()?;
        check_facts(&schema, &facts)?;
        let (bounds, order, groups) = (schema.bounds()?, schema.building_order()?, groups(&schema));
        let pieces = Piece::all(&schema, &facts, &groups);
        let mut specs: Vec<ColumnSpec> = Vec::new();
        let names: HashSet<&str> = schema.columns.iter().map(|spec| spec.name.as_str()).collect();
        for piece in &pieces {
            let mut spec = piece.spec(&schema, &facts, &groups);
            let keeps_its_name =
                !matches!(piece, Piece::Apart(_) | Piece::Silent(_) | Piece::Combination(_));
            let taken = |name: &str| {
                (!keeps_its_name && names.contains(name)) || specs.iter().any(|s| s.name == name)
            };
            while taken(&spec.name) {
                spec.name.push('\'');
            }
            specs.push(spec);
        }
        let inner = Arc::new(Schema::new(specs)?);
        let declared = schema.declared_bounds();
        Ok(Self { schema, inner, pieces, facts, bounds, declared, order, groups })
    }

    /// What was learned.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The schema of the tables that are rewritten.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The schema of rewritten tables; it has no constraints.
    pub fn inner_schema(&self) -> &Arc<Schema> {
        &self.inner
    }

    /// Rewrites a table.
    ///
    /// # Errors
    /// A data error when the schema is another one, a combination was not among the training rows,
    /// or a difference is too large for a number; it names row and column.
    pub fn rewrite(&self, table: &Table) -> Result<Table> {
        if table.schema() != &self.schema {
            return Err(Error::data("the table has another schema than the training rows"));
        }
        let columns = self.pieces.iter().map(|piece| self.rewrite_piece(*piece, table));
        Table::new(self.inner.clone(), columns.collect::<Result<_>>()?)
    }

    /// The rows whose combinations were all among the training rows: those that can be rewritten.
    ///
    /// # Errors
    /// A data error when the schema is another one.
    pub(super) fn known_rows(&self, table: &Table) -> Result<Vec<usize>> {
        if table.schema() != &self.schema {
            return Err(Error::data("the table has another schema than the training rows"));
        }
        let groups = || self.groups.iter().zip(&self.facts.combinations);
        let known = |row: &usize| {
            let seen = |(columns, seen): (&Vec<usize>, &Vec<Vec<Option<u32>>>)| {
                seen.binary_search(&combination(table, columns, *row)).is_ok()
            };
            groups().all(seen)
        };
        Ok((0..table.rows()).filter(known).collect())
    }

    pub(super) fn rewrite_piece(&self, piece: Piece, table: &Table) -> Result<Column> {
        let rows = 0..table.rows();
        Ok(match piece {
            Piece::Plain(at) | Piece::Apart(at) => table.columns()[at].clone(),
            Piece::Logarithm(at) => {
                Column::Numbers(table.numbers(at).iter().map(|cell| cell.ln()).collect())
            }
            Piece::Difference(at) => {
                let lows = self.schema.lows(at);
                let unit = difference_unit(&self.schema, at);
                let high = table.numbers(at);
                let spec = piece.spec(&self.schema, &self.facts, &self.groups);
                let difference = |row: usize| {
                    let low = highest(&lows, row, |low, row| table.numbers(low)[row]);
                    spec.snap((high[row] - low) / unit)
                };
                Column::Numbers(rows.map(difference).collect())
            }
            Piece::Silent(at) => {
                let missing = table.numbers(at).iter().map(|cell| u32::from(cell.is_nan()));
                Column::Codes(missing.collect())
            }
            Piece::Combination(group) => {
                let columns = &self.groups[group];
                let seen = &self.facts.combinations[group];
                let code = |row: usize| {
                    seen.binary_search(&combination(table, columns, row))
                        .map(|code| code as u32)
                        .map_err(|_| self.unseen(table, columns, row))
                };
                Column::Codes(rows.map(code).collect::<Result<_>>()?)
            }
        })
    }

    fn unseen(&self, table: &Table, columns: &[usize], row: usize) -> Error {
        let name = |at: usize| &self.schema.columns[at].name;
        let cells: Vec<String> =
            columns.iter().map(|&at| table.text(row, at).unwrap_or_default()).collect();
        DataError::new("no training row has this combination")
            .row(row as u64 + 1)
            .column(columns.iter().map(|&at| name(at).as_str()).collect::<Vec<_>>().join(", "))
            .value(cells.join(", "))
            .into()
    }
}

/// The largest of the low cells that are there; NaN when none is.
pub(super) fn highest(lows: &[usize], row: usize, cell: impl Fn(usize, usize) -> f64) -> f64 {
    lows.iter().map(|&low| cell(low, row)).fold(f64::NAN, f64::max)
}

/// What one unit of a difference stands for: 1 for numbers, the finest resolution of the formats
/// in seconds for moments.
pub(super) fn difference_unit(schema: &Schema, high: usize) -> f64 {
    let specs = std::iter::once(high).chain(schema.lows(high)).map(|at| &schema.columns[at]);
    let steps = specs.filter_map(|spec| match spec.kind {
        ColumnKind::Datetime { .. } => spec.step(),
        _ => None,
    });
    steps.reduce(f64::min).unwrap_or(1.0)
}

/// The role of a column that stands for several.
pub(super) fn joint_role<'a>(specs: impl Iterator<Item = &'a ColumnSpec>) -> Role {
    let roles: Vec<Role> = specs.map(|spec| spec.role).collect();
    [Role::Target, Role::Sensitive]
        .into_iter()
        .find(|role| roles.contains(role))
        .unwrap_or_default()
}

fn groups(schema: &Schema) -> Vec<Vec<usize>> {
    let groups = schema.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Combinations { columns } => {
            Some(columns.iter().filter_map(|name| schema.position(name)).collect())
        }
        _ => None,
    });
    groups.collect()
}

pub(super) fn combination(table: &Table, columns: &[usize], row: usize) -> Vec<Option<u32>> {
    let codes = columns.iter().map(|&at| table.codes(at)[row]);
    codes.map(|code| (code != MISSING).then_some(code)).collect()
}

fn combinations(table: &Table, columns: &[usize]) -> Vec<Vec<Option<u32>>> {
    let mut seen: Vec<_> = (0..table.rows()).map(|row| combination(table, columns, row)).collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

/// Whether a derived column has rows in which it cannot be derived and yet may have a value.
fn stands_apart(train: &Table, at: usize) -> bool {
    let schema = train.schema();
    let spec = &schema.columns[at];
    let nullable = |at: &usize| schema.columns[*at].nullable;
    let missing = |at: &usize, row: usize| train.columns()[*at].is_missing(row);
    let (lows, parts) = (schema.lows(at), schema.parts(at));
    let (possible, lacking): (bool, Box<dyn Fn(usize) -> bool>) = match parts {
        Some(parts) => (
            parts.iter().any(nullable),
            Box::new(move |row| parts.iter().any(|part| missing(part, row))),
        ),
        None if lows.is_empty() => return false,
        None => (
            lows.iter().all(nullable),
            Box::new(move |row| lows.iter().all(|low| missing(low, row))),
        ),
    };
    let seen = || (0..train.rows()).any(|row| !missing(&at, row) && lacking(row));
    possible && (!spec.nullable || seen())
}

fn check_facts(schema: &Schema, facts: &Facts) -> Result<()> {
    let groups = groups(schema);
    let fits = |combination: &Vec<Option<u32>>, group: &Vec<usize>| {
        combination.len() == group.len()
            && combination.iter().zip(group).all(|(code, &at)| match code {
                Some(code) => (*code as usize) < schema.columns[at].levels().len(),
                None => schema.columns[at].nullable,
            })
    };
    let sound = facts.combinations.len() == groups.len()
        && facts.combinations.iter().zip(&groups).all(|(seen, group)| {
            !seen.is_empty()
                && seen.is_sorted_by(|a, b| a < b)
                && seen.iter().all(|combination| fits(combination, group))
        })
        && facts.apart.is_sorted_by(|a, b| a < b)
        && facts.apart.iter().all(|&at| {
            at < schema.columns.len() && (schema.parts(at).is_some() || !schema.lows(at).is_empty())
        })
        && facts.silent.is_sorted_by(|a, b| a < b)
        && facts.silent.iter().all(|&at| {
            at < schema.columns.len() && schema.parts(at).is_some() && schema.columns[at].nullable
        });
    if sound {
        return Ok(());
    }
    Err(Error::Artifact("what is kept for the constraints of the schema is damaged".into()))
}
