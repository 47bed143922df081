use crate::conditions::{ConditionSpace, EmpiricalConditions};
use crate::network::{Generator, heads};
use crate::{Ctgan, ENTRY};
use meg_core::{
    Artifact, Condition, ConditionValue, Error, Fitted, MISSING, Observer, Rejection, Result, Rng,
    SampleContext, SampleRequest, Seed, Synthesizer, Table, sample_by_rejection,
};
use neural::Randomness;
use neural::kernels::Heads;
use neural::training::check_output;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use transforms::{Encoded, TableEncoder};

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

impl Fitted for FittedCtgan {
    /// The first condition on a category sets the conditional vector of every row; rejection
    /// makes it, and all others, exact.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        self.encoder.check_conditions(&request.conditions)?;
        let fixed = self.fixed_unit(&request.conditions)?;
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
            self.draw(rows, fixed, rng, threads, observer)
        })
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
        let sampler = RowSampler::new(self, fixed);
        let seed = Seed(rng.next_u64());
        self.encoder.draw(rows, seed, threads, observer, |rows, rng| sampler.fill(rows, rng))
    }
}

/// Draws chunks of rows from the generator.
struct RowSampler<'a> {
    model: &'a FittedCtgan,
    fixed: Option<u32>,
    conditions: EmpiricalConditions,
    heads: Heads,
    no_noise: Vec<f32>,
}

impl<'a> RowSampler<'a> {
    fn new(model: &'a FittedCtgan, fixed: Option<u32>) -> Self {
        let encoder = &model.encoder;
        Self {
            model,
            fixed,
            conditions: model.space.empirical(),
            // The largest of logits with Gumbel noise is a draw from their softmax at temperature
            // 1, whatever the temperature of training.
            heads: heads(encoder.spans(), encoder.width(), 1.0),
            no_noise: vec![0.0; TableEncoder::CHUNK * encoder.width()],
        }
    }

    /// Fills blank rows; gives the rest of the stream back.
    fn fill(&self, encoded: &mut Encoded, rng: Rng) -> Result<Rng> {
        let mut randomness = Randomness::new(rng);
        let units = self.probabilities(encoded.rows, &mut randomness)?;
        self.draw_units(&units, encoded, &mut randomness);
        Ok(randomness.rng)
    }

    /// The generator's rows: probabilities in one-hot spans, places elsewhere.
    fn probabilities(&self, rows: usize, randomness: &mut Randomness) -> Result<Vec<f32>> {
        let FittedCtgan { recipe, generator, .. } = self.model;
        let condition = |_| self.fixed.or_else(|| self.conditions.draw(&mut randomness.rng));
        let conditions: Vec<u32> = (0..rows).filter_map(condition).collect();
        let mut buffer = vec![0.0; rows * generator.stride()];
        for row in buffer.chunks_exact_mut(generator.stride()) {
            randomness.normals(&mut row[..recipe.embedding_dim]);
        }
        let logits = generator.sample_logits(&mut buffer, &conditions, 1);
        check_output("generator", &logits)?;
        let mut out = vec![0.0; logits.len()];
        self.heads.forward(&logits, &self.no_noise[..logits.len()], &mut out);
        Ok(out)
    }

    /// Draws one unit of each one-hot span and copies the places.
    fn draw_units(&self, units: &[f32], encoded: &mut Encoded, randomness: &mut Randomness) {
        let mut points = vec![0.0; encoded.hot.len()];
        randomness.uniforms(&mut points);
        let mut places = encoded.places.iter_mut();
        let mut hot = encoded.hot.iter_mut().zip(points);
        for row in units.chunks_exact(self.heads.width()) {
            for span in self.heads.spans() {
                let cells = &row[span.start..span.start + span.width];
                if span.softmax {
                    if let Some((hot, point)) = hot.next() {
                        *hot = (span.start + drawn(cells, point)) as u32;
                    }
                } else {
                    cells.iter().zip(places.by_ref()).for_each(|(&cell, place)| *place = cell);
                }
            }
        }
    }
}

/// The unit whose part of the cumulated probabilities the point in (0, 1) falls into.
fn drawn(probabilities: &[f32], point: f32) -> usize {
    let mut left = point;
    let inside = |&probability: &f32| {
        left -= probability;
        left < 0.0
    };
    // The sum may end a rounding error below 1: such a point belongs to the likeliest unit, which
    // has the most of the error.
    probabilities.iter().position(inside).unwrap_or_else(|| {
        let all = 0..probabilities.len();
        all.max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::conformance;
    use transforms::{Activation, EncoderOptions};

    fn model() -> FittedCtgan {
        let table = conformance::mixed_table(400, 1);
        let encoder = TableEncoder::fit(
            &table,
            &EncoderOptions::default(),
            Seed(1),
            1,
            &mut meg_core::Silent,
        )
        .unwrap();
        let encoded = encoder.encode(&table, Seed(1), 1).unwrap();
        let space = ConditionSpace::new(&encoder, &encoded);
        let recipe = Ctgan { embedding_dim: 8, generator_dim: vec![16], ..Ctgan::default() };
        let mut rng = Seed(1).stream("init");
        let generator = Generator::new(&recipe, space.width(), encoder.width(), &mut rng);
        FittedCtgan { recipe, encoder, space, generator }
    }

    #[test]
    fn units_are_drawn_by_their_probabilities_and_places_are_kept() {
        let model = model();
        let sampler = RowSampler::new(&model, None);
        let (rows, width) = (20_000, model.encoder.width());
        // The same row again and again: probabilities 1/2, 1/4, 1/8 ..., the last one twice.
        let mut row = vec![0.0; width];
        for span in model.encoder.spans() {
            for (at, cell) in row[span.start..span.start + span.width].iter_mut().enumerate() {
                *cell = match span.activation {
                    Activation::Tanh => span.column as f32 * 0.1,
                    Activation::Softmax => 0.5f32.powi((at + 1).min(span.width - 1) as i32),
                };
            }
        }
        let mut encoded = model.encoder.blank(rows);
        let mut randomness = Randomness::new(Seed(2).stream("units"));
        sampler.draw_units(&row.repeat(rows), &mut encoded, &mut randomness);
        let mut counts = vec![0.0; width];
        encoded.hot.iter().for_each(|&unit| counts[unit as usize] += 1.0);
        for span in model.encoder.spans() {
            for unit in span.start..span.start + span.width {
                let seen = counts[unit] / rows as f32;
                let expected = if span.activation == Activation::Tanh { 0.0 } else { row[unit] };
                assert!((seen - expected).abs() < 0.012, "unit {unit}: {seen} for {expected}");
            }
        }
        for at in [0, rows - 1] {
            for (&unit, &place) in encoded.place_units.iter().zip(encoded.places(at)) {
                assert!(place == row[unit as usize] && place != 0.0);
            }
        }
    }

    #[test]
    fn rounding_never_draws_a_unit_without_a_chance() {
        assert_eq!(drawn(&[0.25, 0.25, 0.5], 0.24), 0);
        assert_eq!(drawn(&[0.25, 0.25, 0.5], 0.25), 1);
        assert_eq!(drawn(&[0.0, 0.999_999, 0.0], 0.999_999_9), 1);
    }

    #[test]
    fn rows_do_not_depend_on_threads_and_chunks_differ() {
        let model = model();
        conformance::check_chunks(TableEncoder::CHUNK, |rows, rng, threads| {
            model.draw(rows, None, rng, threads, &mut meg_core::Silent)
        });
    }
}
