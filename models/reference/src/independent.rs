use crate::marginal::{Marginal, marginals};
use meg_core::{
    Artifact, Column, Condition, ConditionValue, Error, FitContext, Fitted, Rejection, Result, Rng,
    SampleContext, SampleRequest, Schema, Synthesizer, Table, sample_by_rejection,
};
use rand::seq::SliceRandom;
use std::sync::Arc;
use transforms::fresh_identifiers;

meg_core::recipe! {
    /// Draws every column on its own.
    pub struct Independent {}
}

impl Synthesizer for Independent {
    fn fit(&self, train: &Table, _: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        let (schema, columns) = (train.schema().clone(), marginals(train)?);
        Ok(Box::new(FittedIndependent { schema, columns }))
    }
}

#[derive(Debug)]
struct FittedIndependent {
    schema: Arc<Schema>,
    columns: Vec<Marginal>,
}

impl Fitted for FittedIndependent {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        self.check_numbers(&request.conditions)?;
        let rng = &mut ctx.rng;
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, _| {
            let columns = self.columns.iter().zip(&self.schema.columns);
            let columns = columns.map(|(marginal, spec)| match marginal {
                Marginal::Identifier => fresh_identifiers(&spec.name, rows, rng),
                marginal => shuffled(marginal, rows, rng),
            });
            Table::new(self.schema.clone(), columns.collect())
        })
    }

    fn save(&self) -> Result<Artifact> {
        Artifact::new(crate::INDEPENDENT.name, &self.schema, &self.columns)
    }
}

impl FittedIndependent {
    /// Numbers are drawn from the training rows: another one would be waited for in vain.
    fn check_numbers(&self, conditions: &[Condition]) -> Result<()> {
        for condition in conditions {
            let ConditionValue::Number(asked) = condition.value else { continue };
            let spec = &self.schema.columns[condition.column];
            if let Marginal::Numbers { values, .. } = &self.columns[condition.column]
                && !values.contains(&asked)
            {
                return Err(Error::Rejected(format!(
                    "condition on {:?}: the training rows never hold {}, and the model draws no other values",
                    spec.name,
                    spec.text(asked).unwrap_or_default()
                )));
            }
        }
        Ok(())
    }
}

pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let schema = Arc::new(artifact.schema.clone());
    let columns: Vec<Marginal> = artifact.state()?;
    let fits = columns.len() == schema.columns.len()
        && columns.iter().zip(&schema.columns).all(|(marginal, spec)| marginal.is_sound(spec));
    if !fits {
        return Err(Error::Artifact("the counts of the columns are damaged".into()));
    }
    Ok(Box::new(FittedIndependent { schema, columns }))
}

fn shuffled(marginal: &Marginal, rows: usize, rng: &mut Rng) -> Column {
    match marginal {
        Marginal::Numbers { values, counts, missing } => {
            let missing = std::iter::repeat_n(f64::NAN, *missing);
            Column::Numbers(passes(expand(values, counts).chain(missing).collect(), rows, rng))
        }
        Marginal::Codes { codes, counts } => {
            Column::Codes(passes(expand(codes, counts).collect(), rows, rng))
        }
        Marginal::Identifier => unreachable!("identifiers are regenerated"),
    }
}

fn expand<T: Copy>(values: &[T], counts: &[usize]) -> impl Iterator<Item = T> {
    values.iter().zip(counts).flat_map(|(&value, &count)| std::iter::repeat_n(value, count))
}

/// Whole shuffled passes over the cells, so that as many rows as in training are exactly the
/// training column in a new order.
fn passes<T: Copy>(mut cells: Vec<T>, rows: usize, rng: &mut Rng) -> Vec<T> {
    let mut drawn = Vec::with_capacity(rows);
    while drawn.len() < rows {
        cells.shuffle(rng);
        drawn.extend(cells.iter().copied().take(rows - drawn.len()));
    }
    drawn
}
