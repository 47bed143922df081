use crate::conditions::ConditionSpace;
use crate::network::{Generator, heads};
use crate::{Ctgan, ENTRY};
use meg_core::{
    Artifact, Condition, ConditionValue, Error, Event, Fitted, MISSING, Observer, Phase, Rejection,
    Result, Rng, SampleContext, SampleRequest, Synthesizer, Table, sample_by_rejection,
};
use neural::Randomness;
use rand::RngCore;
use rand::SeedableRng;
use serde::{Deserialize, Serialize};
use transforms::TableEncoder;

/// A trained generator with all that sampling needs. The discriminator is not kept.
#[derive(Debug)]
pub(crate) struct FittedCtgan {
    pub recipe: Ctgan,
    pub encoder: TableEncoder,
    pub space: ConditionSpace,
    pub generator: Generator,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: Ctgan,
    encoder: TableEncoder,
    conditions: ConditionSpace,
}

/// Rows that go through the generator together.
const CHUNK: usize = 1_000;

impl Fitted for FittedCtgan {
    /// The first condition on a category sets the conditional vector of every row; rejection
    /// makes it, and all others, exact.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let fixed = self.fixed_unit(&request.conditions)?;
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        let total = request.rows as u64;
        ctx.observer.event(&Event::Start { phase: Phase::Sample, total: Some(total) });
        let table =
            sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
                self.draw(rows, fixed, rng, threads, observer)
            })?;
        ctx.observer.event(&Event::End { phase: Phase::Sample });
        Ok(table)
    }

    fn save(&self) -> Result<Artifact> {
        let state = State {
            recipe: self.recipe.clone(),
            encoder: self.encoder.clone(),
            conditions: self.space.clone(),
        };
        let mut artifact = Artifact::new(ENTRY.name, self.encoder.schema(), &state)?;
        artifact.tensors = self.generator.tensors();
        Ok(artifact)
    }
}

impl FittedCtgan {
    fn fixed_unit(&self, conditions: &[Condition]) -> Result<Option<u32>> {
        for condition in conditions {
            let code = match condition.value {
                ConditionValue::Level(code) => code,
                ConditionValue::Missing => MISSING,
                ConditionValue::Number(_) => continue,
            };
            let level = self.encoder.level_position(condition.column, code);
            if let Some(unit) = level.and_then(|level| self.space.unit(condition.column, level)) {
                return Ok(Some(unit));
            }
            if self.encoder.categories().iter().any(|slot| slot.column == condition.column) {
                let spec = &self.encoder.schema().columns[condition.column];
                let level = spec.levels().get(code as usize).map_or("missing", String::as_str);
                return Err(Error::Rejected(format!(
                    "condition on {:?}: the training rows never hold {level:?}",
                    spec.name
                )));
            }
        }
        Ok(None)
    }

    fn draw(
        &self,
        rows: usize,
        fixed: Option<u32>,
        rng: &mut Rng,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Table> {
        let width = self.encoder.width();
        let mut randomness = Randomness::new(Rng::seed_from_u64(rng.next_u64()));
        let mut table = self.encoder.decode(&[], 0, rng)?;
        // Decoded chunk by chunk, so that only one chunk of units is ever held.
        let mut units = Vec::new();
        while table.rows() < rows {
            let chunk = (rows - table.rows()).min(CHUNK);
            units.resize(chunk * width, 0.0);
            if width > 0 {
                self.draw_units(&mut units, fixed, &mut randomness, threads);
            }
            table = table.concat(self.encoder.decode(&units, chunk, rng)?)?;
            observer.step(Phase::Sample, table.rows() as u64, &[])?;
        }
        Ok(table)
    }

    /// Logits plus Gumbel noise at one-hot spans, whose largest unit is then an exact draw, and
    /// tanh at places.
    fn draw_units(
        &self,
        out: &mut [f32],
        fixed: Option<u32>,
        randomness: &mut Randomness,
        threads: usize,
    ) {
        let stride = self.generator.stride();
        let rows = out.len() / self.encoder.width();
        let units: Vec<u32> = match fixed {
            _ if self.space.width() == 0 => Vec::new(),
            Some(unit) => vec![unit; rows],
            None => (0..rows).map(|_| self.space.draw_empirical(&mut randomness.rng)).collect(),
        };
        let mut noise = vec![0.0; rows * self.recipe.embedding_dim];
        randomness.normals(&mut noise);
        let mut buffer = vec![0.0; rows * stride];
        for (row, noise) in
            buffer.chunks_exact_mut(stride).zip(noise.chunks_exact(self.recipe.embedding_dim))
        {
            row[..noise.len()].copy_from_slice(noise);
        }
        let logits = self.generator.sample_logits(&mut buffer, &units, threads);
        randomness.gumbels(out);
        let heads = heads(self.encoder.spans(), self.encoder.width(), self.recipe.temperature);
        for (out, logits) in
            out.chunks_exact_mut(heads.width()).zip(logits.chunks_exact(heads.width()))
        {
            for span in heads.spans() {
                for at in span.start..span.start + span.width {
                    out[at] = if span.softmax { out[at] + logits[at] } else { logits[at].tanh() };
                }
            }
        }
    }
}

/// Rebuilds a saved CTGAN; sizes and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, encoder, conditions } = artifact.state()?;
    recipe.check()?;
    encoder.check()?;
    if *encoder.schema().as_ref() != artifact.schema || !conditions.fits(&encoder) {
        return Err(Error::Artifact("schema, encoder and conditions do not fit together".into()));
    }
    let generator =
        Generator::from_artifact(artifact, &recipe, conditions.width(), encoder.width())?;
    Ok(Box::new(FittedCtgan { recipe, encoder, space: conditions, generator }))
}
