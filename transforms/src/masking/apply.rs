use super::fake::{Real, fake};
use super::generalise::generalise;
use super::hash::{Key, hash};
use super::hierarchy::Hierarchy;
use super::report::Report;
use super::rules::{Method, NoiseSize, Rule, Rules};
use super::texts::{Texts, category, column_of};
use crate::scaling::moments;
use meg_core::{
    Column, ColumnKind, ColumnSpec, DataError, Error, Result, Rng, Schema, Seed, Table,
};
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

/// What rules need besides the table.
#[derive(Debug, Clone)]
pub struct Means<'a> {
    /// The secret of keyed hashes and of noise. Fakes depend on it too where it is given.
    pub key: Option<&'a Key>,
    /// Hierarchies by the name of their file in the rules.
    pub hierarchies: &'a BTreeMap<String, Hierarchy>,
    /// The source of noise and fakes.
    pub seed: Seed,
}

/// A masked table, and what was done to it.
#[derive(Debug)]
pub struct Masked {
    /// The table. Columns that were generalised or hashed are of another kind; constraints that
    /// speak of a masked column are left out.
    pub table: Table,
    /// What was changed.
    pub report: Report,
}

impl Rules {
    /// Masks a table.
    ///
    /// # Errors
    /// Those of [`Rules::check`]; a request error without a key that is needed; a data error when a
    /// value is not in its hierarchy, two hashes are equal, no fake can be found, noise is too small
    /// to change anything or too large for a number.
    pub fn apply(&self, table: &Table, means: &Means<'_>) -> Result<Masked> {
        self.check(table.schema())?;
        let real = Real::new(self.hidden(table).iter().flat_map(Texts::present));
        let mut masked: BTreeMap<usize, (ColumnKind, Column)> = BTreeMap::new();
        for rule in &self.rules {
            let at = rule.columns.iter().map(|name| table.schema().find(name));
            let at = at.collect::<Result<Vec<usize>>>()?;
            if rule.method != Method::Drop {
                masked.extend(at.iter().copied().zip(mask(rule, table, &at, &real, means)?));
            }
        }
        let after = table_of(self, table, masked)?;
        let report = Report::new(self, table, &after, &self.telling(table))?;
        Ok(Masked { table: after, report })
    }

    /// The method for a column, if a rule names it.
    pub(super) fn method(&self, column: &str) -> Option<&Method> {
        let rule = self.rules.iter().find(|rule| rule.columns.iter().any(|name| name == column));
        rule.map(|rule| &rule.method)
    }

    /// The columns of which no value may show: all that are masked, but for those in which coarser
    /// or noisy values are meant to be near the real ones.
    fn hidden<'a>(&self, table: &'a Table) -> Vec<Texts<'a>> {
        self.texts_where(table, |spec| {
            let method = self.method(&spec.name);
            let near = matches!(method, Some(Method::Generalise(_) | Method::Noise { .. }));
            method.is_some() && !near
        })
    }

    /// The values that would tell something where a kept cell contained them: texts of all masked
    /// columns. Numbers are in others by chance.
    fn telling(&self, table: &Table) -> Real {
        let masked = |spec: &ColumnSpec| self.method(&spec.name).is_some() && !spec.is_numeric();
        Real::new(self.texts_where(table, masked).iter().flat_map(Texts::present))
    }

    fn texts_where<'a>(
        &self,
        table: &'a Table,
        wanted: impl Fn(&ColumnSpec) -> bool,
    ) -> Vec<Texts<'a>> {
        let columns = table.schema().columns.iter().enumerate();
        columns.filter(|(_, spec)| wanted(spec)).map(|(at, _)| Texts::of(table, at)).collect()
    }
}

/// The new kinds and cells of the columns of one rule.
fn mask(
    rule: &Rule,
    table: &Table,
    at: &[usize],
    real: &Real,
    means: &Means<'_>,
) -> Result<Vec<(ColumnKind, Column)>> {
    let texts = || at.iter().map(|&at| Texts::of(table, at)).collect::<Vec<_>>();
    let spec = |at: usize| &table.schema().columns[at];
    let stream = |purpose: &str| secret_stream(means, purpose, &rule.columns);
    let rewritten = |cells: Vec<Vec<Option<String>>>| -> Vec<(ColumnKind, Column)> {
        at.iter().zip(cells).map(|(&at, cells)| retold(spec(at), cells)).collect()
    };
    Ok(match &rule.method {
        Method::Drop => Vec::new(),
        Method::Suppress => at.iter().map(|&at| suppressed(spec(at), table.rows())).collect(),
        Method::Hash { digits, links } => {
            rewritten(hash(&texts(), key(means, "hash")?, *digits, links)?)
        }
        Method::KeepLast { characters, fill } => {
            let hide = |text: &str| keep_last(text, *characters, *fill);
            rewritten(texts().iter().map(|texts| column_of(texts, hide)).collect())
        }
        Method::Fake { shared } => rewritten(fake(&texts(), real, *shared, &mut stream("fake"))?),
        Method::Generalise(how) => at
            .iter()
            .map(|&at| generalise(table, at, how, means.hierarchies))
            .collect::<Result<_>>()?,
        Method::Noise { size, least, most } => {
            key(means, "noise")?;
            let mut rng = stream("noise");
            at.iter()
                .map(|&at| {
                    let range = (least.unwrap_or(f64::MIN), most.unwrap_or(f64::MAX));
                    let cells = noisy(spec(at), table.numbers(at), *size, range, &mut rng)?;
                    Ok((spec(at).kind.clone(), Column::Numbers(cells)))
                })
                .collect::<Result<_>>()?
        }
    })
}

fn key<'a>(means: &Means<'a>, method: &str) -> Result<&'a Key> {
    let problem = || Error::Request(format!("a rule with `{method}` needs a secret key"));
    means.key.ok_or_else(problem)
}

/// The generator of one rule. Noise that anybody can draw again is noise that anybody can take off:
/// the key, where there is one, makes the stream as secret as itself.
fn secret_stream(means: &Means<'_>, purpose: &str, columns: &[String]) -> Rng {
    let purpose = format!("mask {purpose} {}", columns.join("\n"));
    let secret = means.key.map_or(String::new(), |key| key.hash("stream", &purpose, 64));
    means.seed.stream(&format!("{purpose}\n{secret}"))
}

/// Texts in the place of a column: a category stays one, numbers become identifiers.
fn retold(spec: &ColumnSpec, cells: Vec<Option<String>>) -> (ColumnKind, Column) {
    match spec.kind {
        ColumnKind::Category { .. } => category(&cells),
        ColumnKind::Text => (ColumnKind::Text, Column::Texts(cells)),
        _ => (ColumnKind::Identifier, Column::Texts(cells)),
    }
}

/// A column without cells. Levels would still tell the values; it becomes a number, as a column of
/// missing cells is when its schema is inferred.
fn suppressed(spec: &ColumnSpec, rows: usize) -> (ColumnKind, Column) {
    let kind = match &spec.kind {
        ColumnKind::Number { .. } | ColumnKind::Datetime { .. } => spec.kind.clone(),
        _ => ColumnKind::Number { decimals: Some(0) },
    };
    (kind, Column::Numbers(vec![f64::NAN; rows]))
}

fn keep_last(text: &str, characters: usize, fill: char) -> String {
    let count = text.chars().count();
    let hidden = if count <= characters { count } else { count - characters };
    let kept = text.chars().skip(hidden);
    std::iter::repeat_n(fill, hidden).chain(kept).collect()
}

fn noisy(
    spec: &ColumnSpec,
    cells: &[f64],
    size: NoiseSize,
    (least, most): (f64, f64),
    rng: &mut Rng,
) -> Result<Vec<f64>> {
    let sd = noise_deviation(spec, cells, size)?;
    let bounds = (spec.snap_up(least), spec.snap_down(most));
    let noisy = cells
        .iter()
        .map(|cell| {
            // Drawn for missing cells too, so that these do not shift the noise of others.
            let draw: f64 = StandardNormal.sample(rng);
            let value = spec.snap(cell + draw * sd);
            if value.is_nan() { value } else { value.max(bounds.0).min(bounds.1) }
        })
        .collect();
    Ok(noisy)
}

/// The standard deviation of noise in the unit of the cells. Noise that rounding takes off again
/// hides nothing and is refused.
fn noise_deviation(spec: &ColumnSpec, cells: &[f64], size: NoiseSize) -> Result<f64> {
    let present: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    let moment = matches!(spec.kind, ColumnKind::Datetime { .. });
    let sd = match size {
        NoiseSize::Absolute(sd) if moment => sd * 86_400.0,
        NoiseSize::Absolute(sd) => sd,
        NoiseSize::Share(share) => share * moments(&present).1,
    };
    let refuse = |problem: &str, advice: &str| {
        Err(DataError::new(problem).column(&spec.name).advice(advice).into())
    };
    if !sd.is_finite() {
        return refuse(
            "the standard deviation of the noise is too large for a number",
            "lower `sd` or `share`, or choose `suppress`",
        );
    }
    if !present.is_empty() && (sd == 0.0 || sd < 0.5 * spec.step().unwrap_or(0.0)) {
        return refuse(
            "the noise is smaller than half a step of the column's values: rounding would leave most of them as they are",
            "raise `sd` or `share`, or choose `suppress`; a share of a constant column is no noise at all",
        );
    }
    Ok(sd)
}

/// The table with masked columns in the places of the real ones.
fn table_of(
    rules: &Rules,
    table: &Table,
    mut masked: BTreeMap<usize, (ColumnKind, Column)>,
) -> Result<Table> {
    let (mut specs, mut columns) = (Vec::new(), Vec::new());
    for (at, (spec, column)) in table.iter().enumerate() {
        let mut spec = spec.clone();
        let column = match (rules.method(&spec.name), masked.remove(&at)) {
            (Some(Method::Drop), _) => continue,
            (_, Some((kind, column))) => {
                spec.kind = kind;
                // Suppressed cells and texts too short for their prefix are missing now.
                spec.nullable |= (0..column.len()).any(|row| column.is_missing(row));
                column
            }
            (_, None) => column.clone(),
        };
        specs.push(spec);
        columns.push(column);
    }
    if specs.is_empty() {
        return Err(Error::Request("the rules drop every column".into()));
    }
    let untouched =
        table.schema().constraints.iter().filter(|constraint| {
            constraint.columns().iter().all(|name| rules.method(name).is_none())
        });
    let schema = Schema::new(specs)?.with_constraints(untouched.cloned().collect())?;
    Table::new(schema, columns)
}
