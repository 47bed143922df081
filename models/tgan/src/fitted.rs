use crate::columns::{Columns, Step};
use crate::lane::{Lane, width};
use crate::network::Generator;
use crate::{ENTRY, Tgan};
use meg_core::{
    Artifact, Chunks, Column, Error, Fitted, Observer, Rejection, Result, Rng, SampleContext,
    SampleRequest, Seed, Synthesizer, Table, sample_by_rejection,
};
use neural::Randomness;
use neural::training::check_output;
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// A trained generator with all that sampling needs. The discriminator is not kept.
#[derive(Debug)]
pub(crate) struct FittedTgan {
    pub recipe: Tgan,
    pub columns: Columns,
    pub steps: Vec<Step>,
    pub generator: Generator,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: Tgan,
    columns: Columns,
}

/// Rows that go through the generator together.
const CHUNK: usize = 200;

impl Fitted for FittedTgan {
    /// Conditions are met by rejection alone: the model has no place for them.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
            self.draw(rows, rng, threads, observer)
        })
    }

    fn save(&self) -> Result<Artifact> {
        let state = State { recipe: self.recipe.clone(), columns: self.columns.clone() };
        let mut artifact = Artifact::new(ENTRY.name, self.columns.schema(), &state)?;
        artifact.tensors = self.generator.tensors();
        Ok(artifact)
    }
}

impl FittedTgan {
    fn draw(
        &self,
        rows: usize,
        rng: &mut Rng,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Table> {
        let chunks = Chunks { rows, size: CHUNK, threads, seed: Seed(rng.next_u64()) };
        let mut columns = Vec::new();
        let chunk = |rows, stream| self.chunk(rows, stream);
        chunks.draw(observer, chunk, |part| append(&mut columns, part))?;
        let schema = self.columns.schema().clone();
        if columns.is_empty() { Table::empty(schema) } else { Table::new(schema, columns) }
    }

    /// The cells of the rows of one chunk.
    fn chunk(&self, rows: usize, stream: Rng) -> Result<Vec<Column>> {
        let mut randomness = Randomness::new(stream);
        let mut units = vec![0.0; rows * width(&self.steps)];
        if !self.steps.is_empty() {
            let mut noise = vec![0.0; rows * self.recipe.noise_dim];
            randomness.normals(&mut noise);
            Lane::default().forward(&self.generator, &self.steps, &noise, &mut units, false);
        }
        check_output("generator", &units)?;
        Ok(self.columns.decode(&units, rows, &mut randomness.rng))
    }
}

fn append(columns: &mut Vec<Column>, part: Vec<Column>) {
    if columns.is_empty() {
        *columns = part;
        return;
    }
    for (column, part) in columns.iter_mut().zip(part) {
        match (column, part) {
            (Column::Numbers(cells), Column::Numbers(part)) => cells.extend(part),
            (Column::Codes(cells), Column::Codes(part)) => cells.extend(part),
            (Column::Texts(cells), Column::Texts(part)) => cells.extend(part),
            _ => unreachable!("a column is always decoded to the same storage"),
        }
    }
}

/// Rebuilds a saved TGAN; sizes and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, columns } = artifact.state()?;
    recipe.check()?;
    columns.check()?;
    if *columns.schema() != artifact.schema {
        return Err(Error::Artifact("schema and columns do not fit together".into()));
    }
    let steps = columns.steps();
    let generator = Generator::from_artifact(artifact, &recipe, &steps)?;
    Ok(Box::new(FittedTgan { recipe, columns, steps, generator }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::conformance::{check_chunks, mixed_table};
    use meg_core::{FitContext, Silent};

    fn model() -> FittedTgan {
        let recipe = Tgan { noise_dim: 8, lstm_dim: 16, feature_dim: 12, ..Tgan::default() };
        let mut silent = Silent;
        let mut ctx = FitContext::new(Seed(1), &mut silent);
        let columns = Columns::fit(&recipe, &mixed_table(400, 1), &mut ctx).unwrap();
        let steps = columns.steps();
        let generator = Generator::new(&recipe, &steps, &mut Seed(1).stream("init"));
        FittedTgan { recipe, columns, steps, generator }
    }

    #[test]
    fn rows_do_not_depend_on_threads_and_chunks_differ() {
        let model = model();
        check_chunks(CHUNK, |rows, rng, threads| model.draw(rows, rng, threads, &mut Silent));
    }

    /// Sampling keeps one step's buffers, training those of all steps.
    #[test]
    fn rows_are_those_of_the_training_pass() {
        let model = model();
        let mut noise = vec![0.0; 30 * 8];
        Randomness::new(Seed(1).stream("noise")).normals(&mut noise);
        let run = |keep| {
            let mut rows = vec![0.0; 30 * width(&model.steps)];
            Lane::default().forward(&model.generator, &model.steps, &noise, &mut rows, keep);
            rows
        };
        assert_eq!(run(true), run(false));
    }
}
