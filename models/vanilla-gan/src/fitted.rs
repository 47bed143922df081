use crate::ENTRY;
use crate::codec::Codec;
use crate::network::Generator;
use crate::settings::VanillaGan;
use meg_core::{
    Artifact, Error, Event, Fitted, Observer, Phase, Rejection, Result, Rng, SampleContext,
    SampleRequest, Seed, Synthesizer, Table, parallel, sample_by_rejection,
};
use neural::Randomness;
use neural::training::all_finite;
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
/// Chunks drawn between two words to the observer, for each thread.
const CHUNKS_PER_THREAD: usize = 8;

impl FittedVanillaGan {
    /// Chunks are drawn from streams of their own, which follow from their position, so that the
    /// rows do not depend on how many threads share the chunks.
    fn draw(
        &self,
        rows: usize,
        rng: &mut Rng,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Table> {
        let seed = Seed(rng.next_u64());
        let mut records = Vec::new();
        let chunks = if self.codec.width() > 0 { rows.div_ceil(CHUNK) } else { 0 };
        let mut first = 0;
        while first < chunks {
            let count = (chunks - first).min(threads.max(1) * CHUNKS_PER_THREAD);
            let drawn = parallel::map(threads, count, |ahead| {
                let at = first + ahead;
                self.records(CHUNK.min(rows - at * CHUNK), seed.stream(&format!("chunk/{at}")))
            });
            for cells in drawn {
                records.extend(cells?);
            }
            first += count;
            observer.step(Phase::Sample, rows.min(first * CHUNK) as u64, &[])?;
        }
        self.codec.decode(&records, rows, seed, threads)
    }

    /// Records of so many rows.
    ///
    /// Weights that are finite but damaged may overflow; from NaN a row would still be drawn.
    fn records(&self, rows: usize, stream: Rng) -> Result<Vec<f32>> {
        let mut noise = vec![0.0; rows * self.recipe.noise_dim];
        Randomness::new(stream).normals(&mut noise);
        let records = self.generator.records(noise, rows);
        if all_finite(&records) {
            return Ok(records);
        }
        Err(Error::Artifact(
            "the generator's output is not finite: its weights are damaged; train it anew".into(),
        ))
    }
}

impl Fitted for FittedVanillaGan {
    /// Conditions are met by rejection alone.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        let total = request.rows as u64;
        ctx.observer.event(&Event::Start { phase: Phase::Sample, total: Some(total) });
        let table =
            sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
                self.draw(rows, rng, threads, observer)
            })?;
        ctx.observer.event(&Event::End { phase: Phase::Sample });
        Ok(table)
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
        let draw = |threads| {
            let mut rng = Seed(3).stream("sample");
            model.draw(5 * CHUNK + 7, &mut rng, threads, &mut Silent).unwrap()
        };
        let one = draw(1);
        assert_eq!(one.rows(), 5 * CHUNK + 7);
        assert_eq!(one, draw(3));
        let rows = |chunk: usize| (chunk * CHUNK..(chunk + 1) * CHUNK).collect::<Vec<_>>();
        assert_ne!(one.select_rows(&rows(0)), one.select_rows(&rows(1)));
    }
}
