use crate::ENTRY;
use crate::codec::Codec;
use crate::network::Generator;
use crate::settings::VanillaGan;
use meg_core::{
    Artifact, Chunks, Error, Fitted, Observer, Rejection, Result, Rng, SampleContext,
    SampleRequest, Seed, Synthesizer, Table, sample_by_rejection,
};
use neural::Randomness;
use neural::training::check_output;
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// A trained generator with all that sampling needs. The discriminator is not kept.
#[derive(Debug)]
pub(crate) struct FittedVanillaGan {
    pub recipe: VanillaGan,
    pub codec: Codec,
    pub generator: Generator,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: VanillaGan,
    codec: Codec,
}

/// Rows drawn at a time.
const CHUNK: usize = 500;

impl FittedVanillaGan {
    fn draw(
        &self,
        rows: usize,
        rng: &mut Rng,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Table> {
        let seed = Seed(rng.next_u64());
        let mut records = Vec::new();
        if self.codec.width() > 0 {
            let chunks = Chunks { rows, size: CHUNK, threads, seed };
            let chunk = |rows, stream| self.records(rows, stream);
            chunks.draw(observer, chunk, |cells| records.extend(cells))?;
        }
        self.codec.decode(&records, rows, seed, threads)
    }

    /// Records of so many rows.
    fn records(&self, rows: usize, stream: Rng) -> Result<Vec<f32>> {
        let mut noise = vec![0.0; rows * self.recipe.noise_dim];
        Randomness::new(stream).normals(&mut noise);
        let records = self.generator.records(noise, rows);
        check_output("generator", &records)?;
        Ok(records)
    }
}

impl Fitted for FittedVanillaGan {
    /// Conditions are met by rejection alone.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
            self.draw(rows, rng, threads, observer)
        })
    }

    fn save(&self) -> Result<Artifact> {
        let state = State { recipe: self.recipe.clone(), codec: self.codec.clone() };
        let mut artifact = Artifact::new(ENTRY.name, self.codec.schema(), &state)?;
        artifact.tensors = self.generator.tensors();
        Ok(artifact)
    }
}

/// Rebuilds a saved model; sizes and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, codec } = artifact.state()?;
    recipe.check()?;
    codec.check(&recipe)?;
    if *codec.schema() != artifact.schema {
        return Err(Error::Artifact("schema and codec do not fit together".into()));
    }
    let generator = Generator::from_artifact(artifact, &recipe, codec.width())?;
    Ok(Box::new(FittedVanillaGan { recipe, codec, generator }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Silent, conformance};

    #[test]
    fn rows_do_not_depend_on_threads_and_chunks_differ() {
        let table = conformance::mixed_table(200, 1);
        let recipe = VanillaGan { layers_dim: 8, noise_dim: 4, ..VanillaGan::default() };
        let codec = Codec::fit(&recipe, &table, Seed(1), 1).unwrap();
        let generator = Generator::new(&recipe, codec.width(), &mut Seed(1).stream("init"));
        let model = FittedVanillaGan { recipe, codec, generator };
        conformance::check_chunks(CHUNK, |rows, rng, threads| {
            model.draw(rows, rng, threads, &mut Silent)
        });
    }
}
