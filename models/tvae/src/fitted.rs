use crate::network::{Decoder, head_spans};
use crate::{ENTRY, Tvae};
use meg_core::{
    Artifact, Error, Fitted, Observer, Rejection, Result, Rng, SampleContext, SampleRequest, Seed,
    Synthesizer, Table, sample_by_rejection,
};
use neural::Randomness;
use neural::kernels::Heads;
use neural::training::check_output;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use transforms::{Encoded, TableEncoder};

/// A trained decoder with all that sampling needs. The encoder network is not kept.
#[derive(Debug)]
pub(crate) struct FittedTvae {
    pub recipe: Tvae,
    pub encoder: TableEncoder,
    pub decoder: Decoder,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: Tvae,
    encoder: TableEncoder,
}

impl Fitted for FittedTvae {
    /// Conditions are met by rejection alone: the model has no place for them.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        self.encoder.check_conditions(&request.conditions)?;
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
            self.draw(rows, rng, threads, observer)
        })
    }

    fn save(&self) -> Result<Artifact> {
        let state = State { recipe: self.recipe.clone(), encoder: self.encoder.clone() };
        let mut artifact = Artifact::new(ENTRY.name, self.encoder.schema(), &state)?;
        artifact.tensors = self.decoder.tensors();
        Ok(artifact)
    }
}

impl FittedTvae {
    fn draw(
        &self,
        rows: usize,
        rng: &mut Rng,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Table> {
        let sampler = RowSampler::new(self);
        let seed = Seed(rng.next_u64());
        self.encoder.draw(rows, seed, threads, observer, |rows, rng| sampler.draw(rows, rng))
    }
}

/// Draws chunks of rows from the decoder.
struct RowSampler<'a> {
    model: &'a FittedTvae,
    heads: Heads,
    no_noise: Vec<f32>,
}

impl<'a> RowSampler<'a> {
    fn new(model: &'a FittedTvae) -> Self {
        let width = model.encoder.width();
        let heads = Heads::new(head_spans(&model.encoder), width, 1.0);
        Self { model, heads, no_noise: vec![0.0; TableEncoder::CHUNK * width] }
    }

    /// Fills blank rows from draws of the latent vector; gives the rest of the stream back.
    fn draw(&self, encoded: &mut Encoded, rng: Rng) -> Result<Rng> {
        let mut randomness = Randomness::new(rng);
        let mut latent = vec![0.0; encoded.rows * self.model.recipe.embedding_dim];
        randomness.normals(&mut latent);
        let logits = self.model.decoder.logits(latent, encoded.rows);
        check_output("decoder", &logits)?;
        self.fill(&logits, encoded, &mut randomness);
        Ok(randomness.rng)
    }

    /// Turns logits into places with noise and one unit of each one-hot span.
    fn fill(&self, logits: &[f32], encoded: &mut Encoded, randomness: &mut Randomness) {
        let width = self.heads.width();
        let mut cells = vec![0.0; logits.len()];
        self.heads.forward(logits, &self.no_noise[..logits.len()], &mut cells);
        randomness.normals(&mut encoded.places);
        let sigma = &self.model.decoder.sigma.value;
        for (row, places) in encoded.places.chunks_exact_mut(sigma.len().max(1)).enumerate() {
            let units = encoded.place_units.iter().zip(sigma);
            for (place, (&unit, &sigma)) in places.iter_mut().zip(units) {
                let mean = cells[row * width + unit as usize];
                *place = (mean + sigma * *place).clamp(-1.0, 1.0);
            }
        }
        let mut points = vec![0.0; if self.model.recipe.draw { encoded.hot.len() } else { 0 }];
        randomness.uniforms(&mut points);
        let spans = self.heads.spans().iter().filter(|span| span.softmax);
        let rows = (0..logits.len() / width).flat_map(|row| {
            spans.clone().map(move |span| (row * width + span.start, span.start, span.width))
        });
        for (at, (hot, (first, start, units))) in encoded.hot.iter_mut().zip(rows).enumerate() {
            let unit = match points.get(at) {
                Some(&point) => drawn(&cells[first..first + units], point),
                // Of the logits, not of their tanh as in the library, whose ties beyond 9 go to the
                // first (models.md 3).
                None => likeliest(&logits[first..first + units]),
            };
            *hot = (start + unit) as u32;
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
    probabilities.iter().position(inside).unwrap_or_else(|| likeliest(probabilities))
}

/// The first of the largest cells.
fn likeliest(cells: &[f32]) -> usize {
    (0..cells.len()).rev().max_by(|&a, &b| cells[a].total_cmp(&cells[b])).unwrap_or(0)
}

/// Rebuilds a saved TVAE; sizes and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, encoder } = artifact.state()?;
    recipe.check()?;
    encoder.check()?;
    if *encoder.schema().as_ref() != artifact.schema {
        return Err(Error::Artifact("schema and encoder do not fit together".into()));
    }
    let places = encoder.blank(0).place_units.len();
    let decoder = Decoder::from_artifact(artifact, &recipe, encoder.width(), places)?;
    Ok(Box::new(FittedTvae { recipe, encoder, decoder }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Autoencoder;
    use meg_core::{Silent, conformance};
    use transforms::{Activation, EncoderOptions};

    fn model(draw: bool) -> FittedTvae {
        let table = conformance::mixed_table(400, 1);
        let options = EncoderOptions::default();
        let encoder = TableEncoder::fit(&table, &options, Seed(1), 1, &mut Silent).unwrap();
        let places = encoder.blank(0).place_units.len();
        let recipe = Tvae { embedding_dim: 8, decompress_dims: vec![16], draw, ..Tvae::default() };
        let mut rng = Seed(1).stream("init");
        let mut model = Autoencoder::new(&recipe, encoder.width(), places, &mut rng);
        for (at, sigma) in model.decoder.sigma.value.iter_mut().enumerate() {
            *sigma = 0.02 + 0.1 * at as f32;
        }
        FittedTvae { recipe, encoder, decoder: model.decoder }
    }

    /// Logits of one row: 12 and 11 at the last two units of a span (their tanh is the same in
    /// `f32`), less at the others; places with a mean of tanh(1/2).
    fn logits(model: &FittedTvae) -> Vec<f32> {
        let mut row = vec![0.5; model.encoder.width()];
        for span in model.encoder.spans() {
            if span.activation == Activation::Softmax {
                let units = &mut row[span.start..span.start + span.width];
                units.fill(0.0);
                units.iter_mut().rev().zip([12.0, 11.0]).for_each(|(unit, logit)| *unit = logit);
            }
        }
        row
    }

    fn filled(model: &FittedTvae, rows: usize) -> Encoded {
        let mut encoded = model.encoder.blank(rows);
        let mut randomness = Randomness::new(Seed(2).stream("units"));
        // No more rows at once than a chunk has.
        let mut sampler = RowSampler::new(model);
        sampler.no_noise = vec![0.0; rows * model.encoder.width()];
        sampler.fill(&logits(model).repeat(rows), &mut encoded, &mut randomness);
        encoded
    }

    #[test]
    fn the_likeliest_unit_is_that_of_the_logits() {
        let model = model(false);
        let encoded = filled(&model, 50);
        let spans = model.encoder.spans().iter();
        let last: Vec<u32> = spans
            .filter(|span| span.activation == Activation::Softmax)
            .map(|span| (span.start + span.width - 1) as u32)
            .collect();
        for row in 0..50 {
            assert_eq!(encoded.hot_units(row), last);
        }
        assert_eq!(likeliest(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn drawn_units_have_their_probabilities_and_places_their_spread() {
        let model = model(true);
        let rows = 20_000;
        let encoded = filled(&model, rows);
        let softmax = |span: &&transforms::Span| span.activation == Activation::Softmax;
        for (at, span) in model.encoder.spans().iter().filter(softmax).enumerate() {
            if span.width < 2 {
                continue;
            }
            let last = (span.start + span.width - 1) as u32;
            let seen = (0..rows).filter(|&row| encoded.hot_units(row)[at] == last).count();
            // 1 / (1 + 1/e), the other units being e^-12 each.
            let seen = seen as f64 / rows as f64;
            assert!((seen - 0.731_06).abs() < 0.013, "span {at}: {seen}");
        }
        let sigma = &model.decoder.sigma.value;
        for (at, &sigma) in sigma.iter().enumerate() {
            let cells: Vec<f32> = (0..rows).map(|row| encoded.places(row)[at]).collect();
            let mean = cells.iter().sum::<f32>() / rows as f32;
            let square = cells.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / rows as f32;
            assert!(cells.iter().all(|cell| cell.abs() <= 1.0));
            // Cells are cut at 1, which shows where sigma is large.
            if sigma < 0.15 {
                assert!((mean - 0.5f32.tanh()).abs() < 0.005, "place {at}: mean {mean}");
                assert!((square.sqrt() / sigma - 1.0).abs() < 0.03, "place {at}: {square}");
            }
        }
    }

    #[test]
    fn rows_do_not_depend_on_threads_and_chunks_differ() {
        let model = model(true);
        conformance::check_chunks(TableEncoder::CHUNK, |rows, rng, threads| {
            model.draw(rows, rng, threads, &mut Silent)
        });
    }
}
