use super::impute::impute;
use super::layout::{Facts, Rewriting};
use super::pieces::Piece;
use super::restore::Restored;
use crate::rejection::by_rejection;
use meg_core::{
    Artifact, Condition, ConditionValue, Error, FitContext, Fitted, Masks, Observer, Result, Role,
    SampleContext, SampleRequest, Schema, Sheet, Synthesizer, Table,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Any recipe, made to keep the constraints of the training schema: it is trained on rewritten
/// rows, and what it draws is restored. Without constraints it is the recipe itself.
#[derive(Debug)]
pub struct Constrained {
    inner: Box<dyn Synthesizer>,
}

impl Constrained {
    /// Wraps a recipe.
    pub fn new(inner: Box<dyn Synthesizer>) -> Self {
        Self { inner }
    }
}

impl Synthesizer for Constrained {
    fn check(&self) -> Result<()> {
        self.inner.check()
    }

    fn named_columns(&self) -> Vec<(&'static str, &str)> {
        self.inner.named_columns()
    }

    fn is_private(&self) -> bool {
        self.inner.is_private()
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        if train.schema().constraints.is_empty() {
            return self.inner.fit(train, ctx);
        }
        let rewriting = Rewriting::learn(train)?;
        self.check_named(&rewriting)?;
        tell_of_derived_target(train.schema(), ctx.observer);
        if self.is_private() {
            tell_of_what_is_not_private(&rewriting, ctx.observer);
        }
        let inner = self.inner.fit(&rewriting.rewrite(train)?, ctx);
        let inner = inner.map_err(|error| explained(error, &rewriting))?;
        Ok(Box::new(FittedConstrained { inner, rewriting }))
    }

    /// The rows are rewritten as those of the first training were; one that cannot be, because its
    /// combination was not among them, is an error.
    fn fit_further(
        &self,
        model: &Artifact,
        rows: &Table,
        ctx: &mut FitContext<'_>,
    ) -> Result<Box<dyn Fitted>> {
        if model.schema.constraints.is_empty() {
            return self.inner.fit_further(model, rows, ctx);
        }
        let Opened { inner, rewriting } = open(model)?;
        self.check_named(&rewriting)?;
        let inner = self.inner.fit_further(&inner, &rewriting.rewrite(rows)?, ctx);
        let inner = inner.map_err(|error| explained(error, &rewriting))?;
        Ok(Box::new(FittedConstrained { inner, rewriting }))
    }
}

impl Constrained {
    /// Refuses settings that name a column which the model never sees as it is: they would be taken
    /// for settings of what stands in its place.
    fn check_named(&self, rewriting: &Rewriting) -> Result<()> {
        for (key, name) in self.inner.named_columns() {
            let Some(at) = rewriting.schema.position(name) else { continue };
            if rewriting.find(Piece::Plain(at)).is_some() {
                continue;
            }
            let seen = rewriting.pieces.iter().find(|piece| rewriting.stands_for(**piece, at));
            let seen = seen.map_or("the parts of the sum".to_owned(), |p| rewriting.describe(*p));
            let problem = format!(
                "the column {name:?} cannot be set: under the constraints of the schema the model learns {seen} in its place; leave the column out of the setting, or take its constraints out of schema.toml"
            );
            return Err(Error::Recipe { key: key.into(), problem });
        }
        Ok(())
    }
}

/// Says what a column is that the user never declared, or not so.
fn explained(error: Error, rewriting: &Rewriting) -> Error {
    let Error::Data(mut data) = error else { return error };
    let named = data.column.as_ref().and_then(|name| rewriting.inner.position(name));
    match named.map(|at| rewriting.pieces[at]) {
        None | Some(Piece::Plain(_)) => {}
        Some(piece) => {
            let what = rewriting.describe(piece);
            data.problem += &format!(" (under the constraints of the schema the column is {what})");
        }
    }
    Error::Data(data)
}

/// Rewriting looks at the rows themselves, which no budget pays for.
fn tell_of_what_is_not_private(rewriting: &Rewriting, observer: &mut dyn Observer) {
    let Facts { combinations, apart, silent } = rewriting.facts();
    if !combinations.is_empty() {
        observer.note(
            "the combinations that the schema declares are kept as they are in the training rows: the privacy budget says nothing of them",
        );
    }
    if !apart.is_empty() || !silent.is_empty() {
        observer.note(
            "which cells can be missing together was looked up in the training rows: the privacy budget says nothing of it",
        );
    }
}

/// A total is no column of the rewritten rows, not even where it is the target.
fn tell_of_derived_target(schema: &Schema, observer: &mut dyn Observer) {
    for (at, spec) in schema.columns.iter().enumerate() {
        if spec.role == Role::Target && schema.parts(at).is_some() {
            observer.note(&format!(
                "the target {:?} is the total of a sum: the model learns its parts and is told of no target",
                spec.name
            ));
        }
    }
}

/// Rebuilds a fitted model that [`Constrained`] may have made; `load` is the inner model's.
///
/// # Errors
/// An artifact error when it is damaged.
pub fn load(
    artifact: &Artifact,
    load: fn(&Artifact) -> Result<Box<dyn Fitted>>,
) -> Result<Box<dyn Fitted>> {
    if artifact.schema.constraints.is_empty() {
        return load(artifact);
    }
    let Opened { inner, rewriting } = open(artifact)?;
    Ok(Box::new(FittedConstrained { inner: load(&inner)?, rewriting }))
}

/// The parts of an artifact whose schema has constraints.
struct Opened {
    /// The inner model's own artifact.
    inner: Artifact,
    rewriting: Rewriting,
}

fn open(artifact: &Artifact) -> Result<Opened> {
    let saved: Saved = artifact.state()?;
    let rewriting = Rewriting::new(Arc::new(artifact.schema.clone()), saved.constraints)?;
    let schema = match saved.inner_schema {
        Some(schema) => {
            schema.check()?;
            rewriting.check_columns(&schema).map_err(|error| Error::Artifact(error.to_string()))?;
            schema
        }
        None => rewriting.inner_schema().as_ref().clone(),
    };
    let inner = Artifact {
        model: artifact.model.clone(),
        schema,
        state: saved.state,
        tensors: artifact.tensors.clone(),
    };
    Ok(Opened { inner, rewriting })
}

#[derive(Debug)]
struct FittedConstrained {
    inner: Box<dyn Fitted>,
    rewriting: Rewriting,
}

/// The state of an artifact whose schema has constraints.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    constraints: Facts,
    /// The schema of the rows that the inner model makes, which may leave open the decimals of
    /// numbers. Files of older versions lack it: theirs is that of the rewritten training rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inner_schema: Option<Schema>,
    /// The inner model's own state.
    state: serde_json::Value,
}

impl Fitted for FittedConstrained {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let Split { inner, rest } = self.split(request)?;
        let mut moved = vec![0; self.rewriting.schema.columns.len()];
        let mut drawn_rows = 0;
        let mut draw = |rows: usize, ctx: &mut SampleContext<'_>| {
            let request = SampleRequest { rows, conditions: inner.clone() };
            let Restored { table, moved: more } =
                self.rewriting.restore(&self.inner.sample(&request, ctx)?)?;
            moved.iter_mut().zip(more).for_each(|(all, more)| *all += more);
            drawn_rows += table.rows();
            Ok(table)
        };
        let table = if rest.is_empty() {
            draw(request.rows, ctx)?
        } else {
            let request = SampleRequest { rows: request.rows, conditions: rest };
            by_rejection(&request, ctx, draw)?
        };
        self.tell(&moved, drawn_rows, ctx.observer);
        Ok(table)
    }

    /// The density of the rows as the inner model learns them: of the logarithm of a positive column,
    /// of a difference, of a combination; totals do not count. What the constraints do to drawn rows
    /// (a value beyond them is moved) is left out. Minus infinity for a combination that no training
    /// row has.
    fn log_density(&self, rows: &Table, threads: usize) -> Result<Option<Vec<f64>>> {
        let known = self.rewriting.known_rows(rows)?;
        let rewritten = self.rewriting.rewrite(&rows.select_rows(&known))?;
        let Some(of_known) = self.inner.log_density(&rewritten, threads)? else { return Ok(None) };
        let mut densities = vec![f64::NEG_INFINITY; rows.rows()];
        for (&row, density) in known.iter().zip(of_known) {
            densities[row] = density;
        }
        Ok(Some(densities))
    }

    fn impute(&self, rows: &Table, ctx: &mut SampleContext<'_>) -> Result<Option<Table>> {
        impute(self.inner.as_ref(), &self.rewriting, rows, ctx)
    }

    /// What the inner model tells, in the names of the rewritten columns.
    fn describe(&self) -> Vec<Sheet> {
        self.inner.describe()
    }

    /// Its masks, in the names of the rewritten columns too.
    fn masks(&self) -> Option<Masks> {
        self.inner.masks()
    }

    fn save(&self) -> Result<Artifact> {
        let inner = self.inner.save()?;
        let saved = Saved {
            constraints: self.rewriting.facts().clone(),
            inner_schema: Some(inner.schema),
            state: inner.state,
        };
        let mut artifact = Artifact::new(&inner.model, self.rewriting.schema(), &saved)?;
        artifact.tensors = inner.tensors;
        Ok(artifact)
    }
}

/// The conditions that the inner model can be asked to meet, and those left to rejection.
struct Split {
    inner: Vec<Condition>,
    rest: Vec<Condition>,
}

impl FittedConstrained {
    fn split(&self, request: &SampleRequest) -> Result<Split> {
        let rewriting = &self.rewriting;
        let mut split = Split { inner: Vec::new(), rest: Vec::new() };
        for condition in &request.conditions {
            self.check_bounds(condition)?;
            let grouped = rewriting.groups.iter().any(|group| group.contains(&condition.column));
            if grouped {
                continue;
            }
            let unchanged = rewriting.find(Piece::Plain(condition.column));
            let logarithm = rewriting
                .find(Piece::Logarithm(condition.column))
                .filter(|_| condition.value == ConditionValue::Missing);
            match unchanged.or(logarithm) {
                Some(column) => split.inner.push(Condition { column, value: condition.value }),
                None => split.rest.push(condition.clone()),
            }
        }
        for group in 0..rewriting.groups.len() {
            self.split_group(group, &request.conditions, &mut split)?;
        }
        Ok(split)
    }

    /// One combination left is a level to ask for; several are waited for.
    fn split_group(&self, group: usize, all: &[Condition], split: &mut Split) -> Result<()> {
        let members = &self.rewriting.groups[group];
        let asked: Vec<Condition> =
            all.iter().filter(|one| members.contains(&one.column)).cloned().collect();
        if asked.is_empty() {
            return Ok(());
        }
        let meets = |combination: &Vec<Option<u32>>| {
            combination.iter().zip(members).all(|(code, at)| {
                asked.iter().filter(|one| one.column == *at).all(|one| match one.value {
                    ConditionValue::Level(level) => *code == Some(level),
                    ConditionValue::Missing => code.is_none(),
                    ConditionValue::Number(_) => false,
                })
            })
        };
        let seen = self.rewriting.facts.combinations[group].iter().enumerate();
        let fitting: Vec<usize> =
            seen.filter(|(_, combination)| meets(combination)).map(|(code, _)| code).collect();
        match fitting[..] {
            [] => Err(Error::Request(format!(
                "no training row has this combination of {}, and the schema allows no others",
                asked.iter().map(|one| self.shown(one)).collect::<Vec<_>>().join(", ")
            ))),
            [only] => {
                if let Some(column) = self.rewriting.find(Piece::Combination(group)) {
                    let value = ConditionValue::Level(only as u32);
                    split.inner.push(Condition { column, value });
                }
                Ok(())
            }
            _ => {
                split.rest.extend(asked);
                Ok(())
            }
        }
    }

    fn check_bounds(&self, condition: &Condition) -> Result<()> {
        let (least, most) = self.rewriting.bounds[condition.column];
        match condition.value {
            ConditionValue::Number(number) if number < least || number > most => {
                Err(Error::Request(format!(
                    "condition on {:?}: the constraints of the schema leave no such value",
                    self.rewriting.schema.columns[condition.column].name
                )))
            }
            _ => Ok(()),
        }
    }

    fn shown(&self, condition: &Condition) -> String {
        let spec = &self.rewriting.schema.columns[condition.column];
        let value = match condition.value {
            ConditionValue::Level(code) => {
                spec.levels().get(code as usize).cloned().unwrap_or_default()
            }
            ConditionValue::Number(number) => number.to_string(),
            ConditionValue::Missing => String::new(),
        };
        format!("{}={value}", spec.name)
    }

    fn tell(&self, moved: &[u64], rows: usize, observer: &mut dyn Observer) {
        for (spec, &cells) in self.rewriting.schema.columns.iter().zip(moved) {
            if cells > 0 {
                observer.note(&format!(
                    "{cells} of {rows} drawn cells of {:?} lay beyond what the constraints allow; they hold the nearest allowed value",
                    spec.name
                ));
            }
        }
    }
}
