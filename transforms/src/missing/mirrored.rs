use super::MirrorFlags;
use crate::rejection::by_rejection;
use meg_core::{
    Artifact, Column, Condition, ConditionValue, Error, FitContext, Fitted, MISSING, Result,
    SampleContext, SampleRequest, Schema, Synthesizer, Table,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Any recipe, made to keep columns that say whether another one is missing, as `TSH measured` of the
/// thyroid tables: they are found in the training rows, the model learns the others, and what it
/// draws gets the flags that its missing cells ask for. Without such columns, and for recipes that
/// promise privacy (finding the flags is a look at the rows), it is the recipe itself.
#[derive(Debug)]
pub struct Mirrored {
    inner: Box<dyn Synthesizer>,
}

impl Mirrored {
    /// Wraps a recipe.
    pub fn new(inner: Box<dyn Synthesizer>) -> Self {
        Self { inner }
    }
}

impl Synthesizer for Mirrored {
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
        if self.inner.is_private() {
            return self.inner.fit(train, ctx);
        }
        let flags = MirrorFlags::find_for_models(train);
        if flags.flags().is_empty() {
            return self.inner.fit(train, ctx);
        }
        let named: Vec<String> =
            flags.flags().iter().map(|flag| format!("{:?} of {:?}", flag.flag, flag.of)).collect();
        ctx.observer.note(&format!(
            "columns that say whether another is missing are kept that way, and not learned: {}",
            named.join(", ")
        ));
        let inner = self.inner.fit(&flags.strip(train)?, ctx)?;
        Ok(Box::new(FittedMirrored { inner, flags, schema: train.schema().clone() }))
    }

    /// The flags are those of the first training; a row in which one of them is wrong is an error.
    fn fit_further(
        &self,
        model: &Artifact,
        rows: &Table,
        ctx: &mut FitContext<'_>,
    ) -> Result<Box<dyn Fitted>> {
        if !has_flags(model) {
            return self.inner.fit_further(model, rows, ctx);
        }
        let Opened { inner, flags } = open(model)?;
        let inner = self.inner.fit_further(&inner, &flags.strip(rows)?, ctx)?;
        Ok(Box::new(FittedMirrored { inner, flags, schema: Arc::new(model.schema.clone()) }))
    }
}

/// Rebuilds a fitted model that [`Mirrored`] may have made; `load` is the inner model's.
///
/// # Errors
/// An artifact error when it is damaged.
pub fn load(
    artifact: &Artifact,
    load: impl Fn(&Artifact) -> Result<Box<dyn Fitted>>,
) -> Result<Box<dyn Fitted>> {
    if !has_flags(artifact) {
        return load(artifact);
    }
    let Opened { inner, flags } = open(artifact)?;
    let schema = Arc::new(artifact.schema.clone());
    Ok(Box::new(FittedMirrored { inner: load(&inner)?, flags, schema }))
}

fn has_flags(artifact: &Artifact) -> bool {
    artifact.state.get("mirror_flags").is_some()
}

/// The parts of an artifact of a table with flags.
struct Opened {
    /// The inner model's own artifact.
    inner: Artifact,
    flags: MirrorFlags,
}

fn open(artifact: &Artifact) -> Result<Opened> {
    let Saved { mirror_flags: flags, state } = artifact.state()?;
    flags.check(&artifact.schema)?;
    let is_flag = |name: &str| flags.flags().iter().any(|flag| flag.flag == name);
    let inner = Artifact {
        model: artifact.model.clone(),
        schema: artifact.schema.select(|spec| !is_flag(&spec.name))?,
        state,
        tensors: artifact.tensors.clone(),
    };
    Ok(Opened { inner, flags })
}

#[derive(Debug)]
struct FittedMirrored {
    inner: Box<dyn Fitted>,
    flags: MirrorFlags,
    /// Of the training rows, flags included.
    schema: Arc<Schema>,
}

/// The state of an artifact of a table with flags.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    mirror_flags: MirrorFlags,
    /// The inner model's own state.
    state: serde_json::Value,
}

impl Fitted for FittedMirrored {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let Split { inner, waits } = self.split(request)?;
        let draw = |rows: usize, ctx: &mut SampleContext<'_>| {
            let request = SampleRequest { rows, conditions: inner.clone() };
            let drawn = self.inner.sample(&request, ctx)?;
            self.flags.restore(&drawn, &self.whole(drawn.schema())?)
        };
        match waits.is_empty() {
            true => draw(request.rows, ctx),
            false => {
                by_rejection(&SampleRequest { rows: request.rows, conditions: waits }, ctx, draw)
            }
        }
    }

    fn log_density(&self, rows: &Table, threads: usize) -> Result<Option<Vec<f64>>> {
        let Some(mut densities) = self.inner.log_density(&self.flags.without(rows)?, threads)?
        else {
            return Ok(None);
        };
        for (flag, of, [present, missing]) in self.places()? {
            let (says, of) = (rows.codes(flag), &rows.columns()[of]);
            for (row, density) in densities.iter_mut().enumerate() {
                let right = if of.is_missing(row) { missing } else { present };
                if says[row] != right {
                    *density = f64::NEG_INFINITY;
                }
            }
        }
        Ok(Some(densities))
    }

    /// A flag that is there stays as it is: it tells of the cell before it was filled in.
    fn impute(&self, rows: &Table, ctx: &mut SampleContext<'_>) -> Result<Option<Table>> {
        let Some(filled) = self.inner.impute(&self.flags.without(rows)?, ctx)? else {
            return Ok(None);
        };
        let mut columns = Vec::with_capacity(rows.columns().len());
        for (at, spec) in rows.schema().columns.iter().enumerate() {
            columns.push(match filled.schema().position(&spec.name) {
                Some(at) => filled.columns()[at].clone(),
                None => rows.columns()[at].clone(),
            });
        }
        for (flag, of, [present, missing]) in self.places()? {
            if let Column::Codes(cells) = &mut columns[flag] {
                for (row, cell) in cells.iter_mut().enumerate().filter(|(_, c)| **c == MISSING) {
                    *cell = if rows.columns()[of].is_missing(row) { missing } else { present };
                }
            }
        }
        Table::new(rows.schema().clone(), columns).map(Some)
    }

    fn describe(&self) -> Vec<meg_core::Sheet> {
        self.inner.describe()
    }

    fn masks(&self) -> Option<meg_core::Masks> {
        self.inner.masks()
    }

    fn save(&self) -> Result<Artifact> {
        let inner = self.inner.save()?;
        let saved = Saved { mirror_flags: self.flags.clone(), state: inner.state };
        let mut artifact = Artifact::new(&inner.model, &self.whole(&inner.schema)?, &saved)?;
        artifact.tensors = inner.tensors;
        Ok(artifact)
    }
}

/// The conditions that the inner model can be asked to meet, and those of the whole table that are
/// waited for.
struct Split {
    inner: Vec<Condition>,
    waits: Vec<Condition>,
}

impl FittedMirrored {
    /// The schema of a whole table around the columns of the inner model, which may leave the decimals
    /// of numbers open.
    fn whole(&self, inner: &Schema) -> Result<Schema> {
        let spec = |spec: &meg_core::ColumnSpec| match inner.position(&spec.name) {
            Some(at) => inner.columns[at].clone(),
            None => spec.clone(),
        };
        Schema::new(self.schema.columns.iter().map(spec).collect())?
            .with_constraints(inner.constraints.clone())
    }

    /// For each flag its position, that of the column it speaks of, and its codes where that is
    /// present and where it is missing.
    fn places(&self) -> Result<Vec<(usize, usize, [u32; 2])>> {
        let place = |flag: &super::MirrorFlag| {
            let (at, of) = (self.schema.find(&flag.flag)?, self.schema.find(&flag.of)?);
            let (present, missing) = flag.codes(self.schema.columns[at].levels())?;
            Ok((at, of, [present, missing]))
        };
        self.flags.flags().iter().map(place).collect()
    }

    /// A flag that says "missing" asks for a missing cell; one that says "there" is waited for, because
    /// no condition asks for just any value.
    fn split(&self, request: &SampleRequest) -> Result<Split> {
        let places = self.places()?;
        let is_flag = |at: usize| places.iter().any(|(flag, ..)| *flag == at);
        let within = |at: usize| at - (0..at).filter(|&before| is_flag(before)).count();
        let mut split = Split { inner: Vec::new(), waits: Vec::new() };
        for condition in &request.conditions {
            let asked = |of: usize| request.conditions.iter().find(|one| one.column == of);
            let found = places.iter().find(|(flag, ..)| *flag == condition.column);
            let Some(&(flag, of, [present, missing])) = found else {
                let column = within(condition.column);
                split.inner.push(Condition { column, value: condition.value });
                continue;
            };
            let is_missing = |one: &Condition| one.value == ConditionValue::Missing;
            match (condition.value, asked(of).map(is_missing)) {
                // The condition on the other column asks for the same.
                (ConditionValue::Level(code), Some(true)) if code == missing => {}
                (ConditionValue::Level(code), Some(false)) if code == present => {}
                (ConditionValue::Level(code), None) if code == missing => {
                    let asked = Condition { column: within(of), value: ConditionValue::Missing };
                    if !split.inner.contains(&asked) {
                        split.inner.push(asked);
                    }
                }
                (ConditionValue::Level(code), None) if code == present => {
                    split.waits.push(condition.clone());
                }
                _ => {
                    let columns = &self.schema.columns;
                    return Err(Error::Request(format!(
                        "condition on {:?}: no row can meet it, because the column says whether {:?} is missing",
                        columns[flag].name, columns[of].name
                    )));
                }
            }
        }
        Ok(split)
    }
}
