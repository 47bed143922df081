//! The same update as plain candle expressions with automatic gradients: the path on CUDA, the one
//! that `Kernels::Plain` asks for, and the oracle that the fused path is tested against.

use crate::Tvae;
use crate::batch::Batch;
use crate::fused::{Losses, optimiser};
use crate::network::{Autoencoder, Decoder, SIGMA_BOUNDS};
use candle_core::{DType, Tensor};
use meg_core::{Device, Result, TrainingState};
use neural::kernels::HeadSpan;
use neural::layers::activation::relu;
use neural::layers::loss::{gaussian_divergence, gaussian_likelihood, span_cross_entropy};
use neural::layers::{Gradients, Optimiser, ParameterStore, Segments, host_tensor, scalar};
use neural::training::Lasting;
use neural::{tensor_device, tensor_error};

/// The networks in training on any candle device. Parameters have the names and shapes of
/// [`Autoencoder::named_mut`].
#[derive(Debug)]
pub(crate) struct PlainTrainer {
    /// Shapes and, at the end, the weights that are read back.
    template: Autoencoder,
    store: ParameterStore,
    optimiser: Optimiser,
    segments: Segments,
    place_units: Vec<u32>,
    /// The same on the device.
    place_index: Tensor,
    factor: f64,
}

impl PlainTrainer {
    /// `precision` is `F32`, or `F64` in the tests, where rounding is to be out of the way.
    pub(crate) fn new(
        recipe: &Tvae,
        mut model: Autoencoder,
        spans: &[HeadSpan],
        place_units: &[u32],
        device: Device,
        precision: DType,
    ) -> Result<Self> {
        let device = tensor_device(device)?;
        let width = model.decoder.output.outputs();
        let mut made = || -> candle_core::Result<(ParameterStore, Optimiser, Segments, Tensor)> {
            let store = ParameterStore::of_parameters(model.named_mut(), precision, &device)?;
            let optimiser = Optimiser::new().group(store.trainable(), optimiser(recipe))?;
            let onehots = spans.iter().filter(|span| span.softmax);
            let onehots: Vec<_> = onehots.map(|span| (span.start, span.width)).collect();
            let segments = Segments::new(&onehots, width, precision, &device)?;
            let index = Tensor::from_slice(place_units, place_units.len(), &device)?;
            Ok((store, optimiser, segments, index))
        };
        let (store, optimiser, segments, place_index) = made().map_err(tensor_error)?;
        let (place_units, factor) = (place_units.to_vec(), recipe.loss_factor);
        Ok(Self { template: model, store, optimiser, segments, place_units, place_index, factor })
    }

    /// One update.
    pub(crate) fn update(&mut self, batch: &Batch) -> Result<Losses> {
        let mut run = || -> candle_core::Result<Losses> {
            let (losses, gradients) = self.gradients(batch)?;
            self.optimiser.step(&gradients)?;
            if !self.place_units.is_empty() {
                let sigma = &self.store.entries()[self.store.entries().len() - 1].var;
                let (least, most) = SIGMA_BOUNDS;
                sigma.set(&sigma.as_detached_tensor().clamp(least, most)?)?;
            }
            Ok(losses)
        };
        run().map_err(tensor_error)
    }

    /// Losses and the gradient of every parameter.
    pub(crate) fn gradients(&self, batch: &Batch) -> candle_core::Result<(Losses, Gradients)> {
        let rows = self.dense_rows(batch)?;
        let (encoder, decoder) = (self.template.encoder.len(), self.template.decoder.layers.len());
        let mut hidden = rows.clone();
        for layer in 0..encoder {
            hidden = relu(&self.linear(2 * layer, &hidden)?)?;
        }
        let units = self.template.latent_units();
        let statistics = self.linear(2 * encoder, &hidden)?;
        let mean = statistics.narrow(1, 0, units)?;
        let log_variance = statistics.narrow(1, units, units)?;
        let noise = self.tensor(batch.noise.clone(), (batch.rows, units))?;
        let deviation = log_variance.affine(0.5, 0.0)?.exp()?;
        let mut hidden = (&mean + deviation.mul(&noise)?)?;
        for layer in 0..decoder {
            hidden = relu(&self.linear(2 * (encoder + 1 + layer), &hidden)?)?;
        }
        let logits = self.linear(2 * (encoder + 1 + decoder), &hidden)?;
        let mut likelihood = span_cross_entropy(&self.segments, &logits, &rows)?;
        if !self.place_units.is_empty() {
            let targets = rows.index_select(&self.place_index, 1)?;
            let means = logits.index_select(&self.place_index, 1)?.tanh()?;
            let sigma = self.value(2 * (encoder + decoder + 2));
            let places = gaussian_likelihood(&targets, &means, sigma)?.sum_all()?;
            likelihood = (likelihood + (places / batch.rows as f64)?)?;
        }
        let reconstruction = likelihood.affine(self.factor, 0.0)?;
        let divergence = gaussian_divergence(&mean, &log_variance)?;
        let losses =
            Losses { reconstruction: scalar(&reconstruction)?, divergence: scalar(&divergence)? };
        Ok((losses, self.optimiser.gradients(&(reconstruction + divergence)?)?))
    }

    /// Reads the trained decoder back.
    pub(crate) fn decoder(mut self) -> Result<Decoder> {
        self.store.read_back(self.template.named_mut())?;
        Ok(self.template.decoder)
    }

    fn value(&self, at: usize) -> &Tensor {
        self.store.entries()[at].var.as_tensor()
    }

    /// `inputs * weight + bias` with the parameters from `at` on.
    fn linear(&self, at: usize, inputs: &Tensor) -> candle_core::Result<Tensor> {
        inputs.matmul(self.value(at))?.broadcast_add(self.value(at + 1))
    }

    fn dense_rows(&self, batch: &Batch) -> candle_core::Result<Tensor> {
        let width = self.template.decoder.output.outputs();
        let (places, onehots) = (self.place_units.len(), self.segments.spans().len());
        let mut cells = vec![0.0; batch.rows * width];
        for (row, cells) in cells.chunks_exact_mut(width).enumerate() {
            let places = &batch.places[row * places..(row + 1) * places];
            for (&unit, &place) in self.place_units.iter().zip(places) {
                cells[unit as usize] = place;
            }
            for &unit in &batch.hot[row * onehots..(row + 1) * onehots] {
                cells[unit as usize] = 1.0;
            }
        }
        self.tensor(cells, (batch.rows, width))
    }

    fn tensor(&self, cells: Vec<f32>, shape: (usize, usize)) -> candle_core::Result<Tensor> {
        host_tensor(cells, shape, self.store.dtype(), self.store.device())
    }
}

impl Lasting for PlainTrainer {
    /// Gradients are not kept between updates here; one that is not finite reaches weight and
    /// moments at once.
    fn not_finite(&mut self) -> Result<Option<String>> {
        match self.store.not_finite()? {
            Some(phrase) => Ok(Some(phrase)),
            None => self.optimiser.not_finite(),
        }
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        self.store.save("", &mut state.tensors)?;
        self.optimiser.save("", state)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.store.load("", |name, shape| state.tensor(name, shape))?;
        self.optimiser.load("", state)
    }
}
