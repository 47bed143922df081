//! The update on the CPU: every gradient written out, no allocation in a step.

use crate::Tvae;
use crate::batch::Batch;
use crate::network::{Autoencoder, Decoder, SIGMA_BOUNDS};
use neural::kernels::{
    HeadSpan, LikelihoodSums, RowLikelihood, add_column_sums, add_rows, draw_latent, fill_rows,
    latent_backward, relu, relu_dropout_backward, scatter_rows,
};
use neural::training::NamedParts;
use neural::{Adam, Dense, Parameter, Threads, step_all};

/// Losses of one update.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Losses {
    /// Negative log likelihood of a row, times the loss factor.
    pub reconstruction: f64,
    /// Divergence of the latent vector of a row from the standard normal.
    pub divergence: f64,
}

/// The networks in training, with every buffer that a step needs.
#[derive(Debug)]
pub(crate) struct FusedTrainer {
    pub model: Autoencoder,
    likelihood: RowLikelihood,
    place_units: Vec<u32>,
    onehots: usize,
    factor: f64,
    adam: Adam,
    threads: Threads,
    /// Whether training rows are multiplied as dense rows instead of gathered.
    dense_rows: bool,
    /// Dense training rows, where those are used.
    rows: Vec<f32>,
    /// Activations of each hidden layer of the encoder.
    encoder: Vec<Vec<f32>>,
    /// Means and logarithms of variances of each row.
    statistics: Vec<f32>,
    /// Latent vectors, then the activations of each hidden layer of the decoder.
    decoder: Vec<Vec<f32>>,
    /// Logits, then their gradient.
    logits: Vec<f32>,
    /// What flows back to the outputs of a layer, and to its inputs.
    down: Vec<f32>,
    up: Vec<f32>,
    halves: [LikelihoodSums; 2],
}

/// Gathering the weights of a training row costs as much per unit that is not 0 as multiplying
/// the dense row costs for this many units.
const DENSE_UNITS: usize = 5;

/// Adam as the source sets it.
pub(crate) fn optimiser(recipe: &Tvae) -> Adam {
    Adam {
        rate: recipe.learning_rate as f32,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: recipe.weight_decay as f32,
    }
}

impl FusedTrainer {
    /// `place_units` are the units of the places of a row.
    pub(crate) fn new(
        recipe: &Tvae,
        model: Autoencoder,
        spans: Vec<HeadSpan>,
        place_units: &[u32],
        threads: &Threads,
    ) -> Self {
        let width = model.decoder.output.outputs();
        let onehots = spans.iter().filter(|span| span.softmax).count();
        let dense_rows = width <= DENSE_UNITS * (place_units.len() + onehots);
        Self {
            likelihood: RowLikelihood::new(spans, width),
            place_units: place_units.to_vec(),
            onehots,
            factor: recipe.loss_factor,
            adam: optimiser(recipe),
            threads: threads.clone(),
            dense_rows,
            rows: Vec::new(),
            encoder: vec![Vec::new(); model.encoder.len()],
            statistics: Vec::new(),
            decoder: vec![Vec::new(); model.decoder.layers.len() + 1],
            logits: Vec::new(),
            down: Vec::new(),
            up: Vec::new(),
            halves: Default::default(),
            model,
        }
    }

    /// The same with training rows as dense rows or gathered, whatever is faster.
    #[cfg(test)]
    pub(crate) fn with_dense_rows(mut self, dense_rows: bool) -> Self {
        self.dense_rows = dense_rows;
        self
    }

    /// One update; `step` counts from 1.
    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Losses {
        let losses = self.gradients(batch);
        let named = self.model.named_mut();
        let parameters = named.into_iter().map(|(_, parameter)| parameter).collect();
        step_all(parameters, &self.adam, step, &self.threads);
        let (least, most) = SIGMA_BOUNDS;
        for sigma in &mut self.model.decoder.sigma.value {
            *sigma = sigma.clamp(least, most);
        }
        losses
    }

    /// Fills the gradient of every parameter.
    pub(crate) fn gradients(&mut self, batch: &Batch) -> Losses {
        self.encode(batch);
        self.decode(batch);
        let reconstruction = self.likelihood_backward(batch);
        self.decoder_backward(batch.rows);
        let divergence = self.encoder_backward(batch);
        let rows = batch.rows as f64;
        Losses {
            reconstruction: self.factor * reconstruction / rows,
            divergence: divergence / rows,
        }
    }

    fn encode(&mut self, batch: &Batch) {
        if self.dense_rows {
            self.fill_dense_rows(batch);
        }
        let (threads, layers) = (self.threads.count(), &self.model.encoder);
        for (at, layer) in layers.iter().enumerate() {
            let (before, rest) = self.encoder.split_at_mut(at);
            let out = &mut rest[0];
            match before.last() {
                Some(inputs) => layer.forward(inputs, out, batch.rows, threads),
                None if self.dense_rows => layer.forward(&self.rows, out, batch.rows, threads),
                None => gather(layer, batch, &self.place_units, self.onehots, out),
            }
            relu(out);
        }
        let last = &self.encoder[layers.len() - 1];
        self.model.latent.forward(last, &mut self.statistics, batch.rows, threads);
    }

    fn fill_dense_rows(&mut self, batch: &Batch) {
        let width = self.model.decoder.output.outputs();
        self.rows.clear();
        self.rows.resize(batch.rows * width, 0.0);
        for (row, out) in self.rows.chunks_exact_mut(width).enumerate() {
            for (unit, value) in units(batch, row, &self.place_units, self.onehots) {
                out[unit] = value;
            }
        }
    }

    fn decode(&mut self, batch: &Batch) {
        let (threads, units) = (self.threads.count(), self.model.latent_units());
        self.decoder[0].resize(batch.rows * units, 0.0);
        draw_latent(&self.statistics, &batch.noise, &mut self.decoder[0], units);
        for (at, layer) in self.model.decoder.layers.iter().enumerate() {
            let (before, rest) = self.decoder.split_at_mut(at + 1);
            layer.forward(&before[at], &mut rest[0], batch.rows, threads);
            relu(&mut rest[0]);
        }
        let last = &self.decoder[self.decoder.len() - 1];
        self.model.decoder.output.forward(last, &mut self.logits, batch.rows, threads);
    }

    /// Turns the logits into their gradient; returns the loss, summed over the rows. The two halves
    /// of the rows are added up apart, at any number of threads.
    fn likelihood_backward(&mut self, batch: &Batch) -> f64 {
        let Self { likelihood, logits, halves, threads, model, .. } = self;
        let scale = (self.factor / batch.rows as f64) as f32;
        let middle = batch.rows / 2;
        let (first, second) = logits.split_at_mut(middle * model.decoder.output.outputs());
        let (first_places, second_places) = batch.places.split_at(middle * self.place_units.len());
        let (first_hot, second_hot) = batch.hot.split_at(middle * self.onehots);
        let sigma = &mut model.decoder.sigma;
        let [one, other] = halves;
        for sums in [&mut *one, &mut *other] {
            sums.loss = 0.0;
            sums.deviations.fill(0.0);
        }
        let deviations = &sigma.value;
        threads.join(
            || likelihood.backward(first, (first_places, first_hot), deviations, scale, one),
            || likelihood.backward(second, (second_places, second_hot), deviations, scale, other),
        );
        let sums = one.deviations.iter().zip(&other.deviations);
        for (gradient, (one, other)) in sigma.gradient.iter_mut().zip(sums) {
            *gradient = one + other;
        }
        one.loss + other.loss
    }

    /// From the gradient of the logits to that of the latent vectors, in `down`.
    fn decoder_backward(&mut self, rows: usize) {
        let threads = self.threads.count();
        let Decoder { layers, output, .. } = &mut self.model.decoder;
        output.backward(&self.decoder[layers.len()], &self.logits, rows, threads);
        output.input_gradient(&self.logits, &mut self.down, rows, threads);
        for (at, layer) in layers.iter_mut().enumerate().rev() {
            relu_dropout_backward(&mut self.down, &self.decoder[at + 1], 1.0);
            layer.backward(&self.decoder[at], &self.down, rows, threads);
            layer.input_gradient(&self.down, &mut self.up, rows, threads);
            std::mem::swap(&mut self.up, &mut self.down);
        }
    }

    /// From the gradient of the latent vectors, in `down`, to that of the encoder; returns the
    /// divergence, summed over the rows.
    fn encoder_backward(&mut self, batch: &Batch) -> f64 {
        let (threads, rows) = (self.threads.count(), batch.rows);
        let (units, scale) = (self.model.latent_units(), (1.0 / rows as f64) as f32);
        let mut divergence = 0.0;
        self.up.resize(self.statistics.len(), 0.0);
        latent_backward(
            &self.statistics,
            &batch.noise,
            &self.down,
            scale,
            units,
            &mut self.up,
            &mut divergence,
        );
        let Autoencoder { encoder, latent, .. } = &mut self.model;
        let last = encoder.len() - 1;
        latent.backward(&self.encoder[last], &self.up, rows, threads);
        latent.input_gradient(&self.up, &mut self.down, rows, threads);
        for (at, layer) in encoder.iter_mut().enumerate().rev() {
            relu_dropout_backward(&mut self.down, &self.encoder[at], 1.0);
            match at.checked_sub(1) {
                Some(before) => {
                    layer.backward(&self.encoder[before], &self.down, rows, threads);
                    layer.input_gradient(&self.down, &mut self.up, rows, threads);
                    std::mem::swap(&mut self.up, &mut self.down);
                }
                None if self.dense_rows => {
                    layer.backward(&self.rows, &self.down, rows, threads);
                }
                None => scatter(layer, batch, &self.place_units, self.onehots, &self.down),
            }
        }
        divergence
    }
}

impl NamedParts for FusedTrainer {
    fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        self.model.named_mut()
    }
}

/// The units of a row that are not 0, with their values.
fn units<'a>(
    batch: &'a Batch,
    row: usize,
    place_units: &'a [u32],
    onehots: usize,
) -> impl Iterator<Item = (usize, f32)> + 'a {
    let places = &batch.places[row * place_units.len()..(row + 1) * place_units.len()];
    let hot = &batch.hot[row * onehots..(row + 1) * onehots];
    let places = place_units.iter().zip(places).map(|(&unit, &place)| (unit as usize, place));
    places.chain(hot.iter().map(|&unit| (unit as usize, 1.0)))
}

/// [`Dense::forward`] over rows that are never built.
fn gather(layer: &Dense, batch: &Batch, place_units: &[u32], onehots: usize, out: &mut Vec<f32>) {
    out.resize(batch.rows * layer.outputs(), 0.0);
    fill_rows(out, &layer.bias.value, &[], &[]);
    for (row, out) in out.chunks_exact_mut(layer.outputs()).enumerate() {
        add_rows(out, &layer.weight.value, units(batch, row, place_units, onehots));
    }
}

/// The gradients of [`gather`].
fn scatter(
    layer: &mut Dense,
    batch: &Batch,
    place_units: &[u32],
    onehots: usize,
    gradient: &[f32],
) {
    layer.weight.gradient.fill(0.0);
    for (row, gradient) in gradient.chunks_exact(layer.outputs()).enumerate() {
        let units = units(batch, row, place_units, onehots);
        scatter_rows(&mut layer.weight.gradient, gradient, units);
    }
    layer.bias.gradient.fill(0.0);
    add_column_sums(&mut layer.bias.gradient, gradient);
}
