use crate::marginal::{Marginal, marginals};
use meg_core::{
    Artifact, Column, ColumnKind, ColumnSpec, Error, FitContext, Fitted, MISSING, Rejection,
    Result, Rng, SampleContext, SampleRequest, Schema, Synthesizer, Table, sample_by_rejection,
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transforms::fresh_identifiers;

meg_core::recipe! {
    /// Draws uniform noise.
    pub struct Uniform {}
}

impl Synthesizer for Uniform {
    fn fit(&self, train: &Table, _: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        let marginals = marginals(train)?;
        let columns = marginals.iter().map(|marginal| Range::of(marginal, train.rows())).collect();
        Ok(Box::new(FittedUniform { schema: train.schema().clone(), columns }))
    }
}

/// All that is kept of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Range {
    /// `None` when every cell is missing.
    Number {
        range: Option<(f64, f64)>,
        missing: f64,
    },
    Levels {
        codes: Vec<u32>,
        missing: f64,
    },
    Identifier,
}

impl Range {
    fn of(marginal: &Marginal, rows: usize) -> Self {
        match marginal {
            Marginal::Identifier => Range::Identifier,
            Marginal::Numbers { values, missing, .. } => Range::Number {
                range: values.first().copied().zip(values.last().copied()),
                missing: *missing as f64 / rows as f64,
            },
            Marginal::Codes { codes, counts } => {
                let missing = codes.iter().position(|&code| code == MISSING);
                Range::Levels {
                    codes: codes.iter().copied().filter(|&code| code != MISSING).collect(),
                    missing: missing.map_or(0.0, |at| counts[at] as f64 / rows as f64),
                }
            }
        }
    }

    /// Whether a range read from a file can be drawn from.
    fn is_sound(&self, spec: &ColumnSpec) -> bool {
        match self {
            Range::Identifier => spec.kind == ColumnKind::Identifier,
            Range::Number { range, missing } => {
                let ordered =
                    |(least, most): (f64, f64)| least <= most && (most - least).is_finite();
                spec.is_numeric() && (0.0..=1.0).contains(missing) && range.is_none_or(ordered)
            }
            Range::Levels { codes, missing } => {
                spec.is_category()
                    && (0.0..=1.0).contains(missing)
                    && (!codes.is_empty() || *missing == 1.0)
            }
        }
    }

    fn draw(&self, spec: &ColumnSpec, rows: usize, rng: &mut Rng) -> Column {
        match self {
            Range::Identifier => fresh_identifiers(&spec.name, rows, rng),
            Range::Number { range, missing } => {
                let number = |_| match range {
                    Some((least, most)) if !rng.random_bool(*missing) => {
                        let drawn = least + (most - least) * rng.random::<f64>();
                        spec.snap(drawn).clamp(*least, *most)
                    }
                    _ => f64::NAN,
                };
                Column::Numbers((0..rows).map(number).collect())
            }
            Range::Levels { codes, missing } => {
                let level = |_| {
                    if rng.random_bool(*missing) {
                        MISSING
                    } else {
                        codes[rng.random_range(0..codes.len())]
                    }
                };
                Column::Codes((0..rows).map(level).collect())
            }
        }
    }
}

#[derive(Debug)]
struct FittedUniform {
    schema: Arc<Schema>,
    columns: Vec<Range>,
}

impl Fitted for FittedUniform {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let rng = &mut ctx.rng;
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, _| {
            let columns = self.columns.iter().zip(&self.schema.columns);
            let columns = columns.map(|(range, spec)| range.draw(spec, rows, rng)).collect();
            Table::new(self.schema.clone(), columns)
        })
    }

    fn save(&self) -> Result<Artifact> {
        Artifact::new(crate::UNIFORM.name, &self.schema, &self.columns)
    }
}

pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let columns: Vec<Range> = artifact.state()?;
    let fits = columns.len() == artifact.schema.columns.len()
        && columns.iter().zip(&artifact.schema.columns).all(|(range, spec)| range.is_sound(spec));
    if !fits {
        return Err(Error::Artifact("the ranges of the columns are damaged".into()));
    }
    Ok(Box::new(FittedUniform { schema: Arc::new(artifact.schema.clone()), columns }))
}
