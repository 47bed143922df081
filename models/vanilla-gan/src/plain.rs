//! The same update as plain candle expressions with automatic gradients: the path on CUDA, the one
//! that `Kernels::Plain` asks for, and the oracle that the fused path is tested against.

use crate::batch::Batch;
use crate::fused::{Losses, Turn, optimiser};
use crate::network::{AVERAGE, DROPPED, Discriminator, Generator, NETWORKS};
use crate::settings::VanillaGan;
use candle_core::{DType, Result as TensorResult, Tensor};
use meg_core::{Device, Result, TrainingState};
use neural::kernels::right_share;
use neural::layers::activation::relu;
use neural::layers::loss::binary_cross_entropy_to;
use neural::layers::{Optimiser, ParameterStore, WeightAverage, host_cells, host_tensor, scalar};
use neural::training::Lasting;
use neural::{Parameter, tensor_device, tensor_error};

/// The networks in training on any candle device. Parameters have the names and shapes of the
/// networks' own.
#[derive(Debug)]
pub(crate) struct PlainTrainer {
    recipe: VanillaGan,
    /// Shapes and, at the end, the weights that are read back.
    generator: Generator,
    /// The generator's parameters and the discriminator's.
    stores: [ParameterStore; 2],
    optimisers: [Optimiser; 2],
    /// Of the generator's parameters, if rows are drawn of it.
    average: Option<WeightAverage>,
}

const GENERATOR: usize = 0;
const DISCRIMINATOR: usize = 1;

impl PlainTrainer {
    /// `precision` is `F32`, or `F64` in the tests, where rounding is to be out of the way.
    pub(crate) fn new(
        recipe: &VanillaGan,
        mut generator: Generator,
        mut discriminator: Discriminator,
        device: Device,
        precision: DType,
    ) -> Result<Self> {
        let device = tensor_device(device)?;
        let made = |named: Vec<(String, &mut Parameter)>| -> TensorResult<_> {
            let store = ParameterStore::of_parameters(named, precision, &device)?;
            let adam = optimiser(recipe, Turn::Generator, 1).0;
            let optimiser = Optimiser::new().group(store.trainable(), adam)?;
            Ok((store, optimiser))
        };
        let (first, one) = made(generator.named_mut()).map_err(tensor_error)?;
        let (second, other) = made(discriminator.named_mut()).map_err(tensor_error)?;
        let average = (recipe.average > 0.0)
            .then(|| WeightAverage::new(first.trainable(), recipe.average))
            .transpose()
            .map_err(tensor_error)?;
        let (stores, optimisers) = ([first, second], [one, other]);
        Ok(Self { recipe: recipe.clone(), generator, stores, optimisers, average })
    }

    /// One update; `number` counts from 1.
    pub(crate) fn update(&mut self, batch: &Batch, number: u64) -> Result<Losses> {
        self.run(batch, number).map_err(tensor_error)
    }

    fn run(&mut self, batch: &Batch, number: u64) -> TensorResult<Losses> {
        let width = batch.real.len() / batch.rows;
        let real = self.tensor(&batch.real, (batch.rows, width))?;
        let logits = self.logits(&real, batch, 0)?;
        let right = right_share(&host_cells(&logits)?, true);
        let loss = binary_cross_entropy_to(&logits, 1.0)?;
        let real = self.learn(DISCRIMINATOR, &loss, Turn::Real, number)?;
        let records = self.records(batch, 0)?.detach();
        let logits = self.logits(&records, batch, 1)?;
        let right = right + right_share(&host_cells(&logits)?, false);
        let loss = binary_cross_entropy_to(&logits, 0.0)?;
        let fake = self.learn(DISCRIMINATOR, &loss, Turn::Fake, number)?;
        let records = self.records(batch, 1)?;
        let loss = binary_cross_entropy_to(&self.logits(&records, batch, 2)?, 1.0)?;
        let generator = self.learn(GENERATOR, &loss, Turn::Generator, number)?;
        if let Some(average) = &mut self.average {
            average.update()?;
        }
        Ok(Losses { real, fake, generator, accuracy: 0.5 * right })
    }

    fn learn(&mut self, of: usize, loss: &Tensor, turn: Turn, number: u64) -> TensorResult<f64> {
        let optimised = &mut self.optimisers[of];
        if let Some(settings) = optimised.settings_mut(0) {
            *settings = optimiser(&self.recipe, turn, number).0;
        }
        optimised.minimise(loss)?;
        scalar(loss)
    }

    fn records(&self, batch: &Batch, pass: usize) -> TensorResult<Tensor> {
        let mut cells = self.tensor(&batch.noise[pass], (batch.rows, self.recipe.noise_dim))?;
        let layers = self.layers(GENERATOR);
        for at in 0..layers {
            cells = self.linear(GENERATOR, at, &cells)?;
            cells = if at + 1 < layers { relu(&cells)? } else { cells };
        }
        Ok(cells)
    }

    fn logits(&self, records: &Tensor, batch: &Batch, pass: usize) -> TensorResult<Tensor> {
        let mut cells = records.clone();
        let layers = self.layers(DISCRIMINATOR);
        for at in 0..layers {
            cells = self.linear(DISCRIMINATOR, at, &cells)?;
            cells = if at + 1 < layers { relu(&cells)? } else { cells };
            if at < DROPPED && self.recipe.dropout > 0.0 {
                cells = cells.mul(&self.tensor(&batch.masks[pass][at], cells.dims2()?)?)?;
            }
        }
        Ok(cells)
    }

    /// Reads back the generator that rows are drawn by.
    pub(crate) fn generator(mut self) -> Result<Generator> {
        if let Some(average) = &mut self.average {
            average.swap().map_err(tensor_error)?;
        }
        self.stores[GENERATOR].read_back(self.generator.named_mut())?;
        Ok(self.generator)
    }

    fn networks(&self) -> impl Iterator<Item = (&'static str, &ParameterStore, &Optimiser)> {
        let pairs = self.stores.iter().zip(&self.optimisers);
        NETWORKS
            .into_iter()
            .zip(pairs)
            .map(|(network, (store, optimiser))| (network, store, optimiser))
    }

    fn layers(&self, of: usize) -> usize {
        self.stores[of].entries().len() / 2
    }

    fn linear(&self, of: usize, layer: usize, inputs: &Tensor) -> TensorResult<Tensor> {
        let value = |at: usize| self.stores[of].entries()[at].var.as_tensor();
        inputs.matmul(value(2 * layer))?.broadcast_add(value(2 * layer + 1))
    }

    fn tensor(&self, cells: &[f32], shape: (usize, usize)) -> TensorResult<Tensor> {
        let store = &self.stores[GENERATOR];
        host_tensor(cells.to_vec(), shape, store.dtype(), store.device())
    }
}

impl Lasting for PlainTrainer {
    /// Gradients are not kept between updates here; one that is not finite reaches weight and
    /// moments at once.
    fn not_finite(&mut self) -> Result<Option<String>> {
        for (network, store, optimiser) in self.networks() {
            let found = match store.not_finite()? {
                Some(phrase) => Some(phrase),
                None => optimiser.not_finite()?,
            };
            if let Some(phrase) = found {
                return Ok(Some(format!("{network}{phrase}")));
            }
        }
        Ok(None)
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        for (network, store, optimiser) in self.networks() {
            store.save(network, &mut state.tensors)?;
            optimiser.save(network, state)?;
        }
        self.average.as_ref().map_or(Ok(()), |average| average.save(AVERAGE, state))
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        let find = |name: &str, shape: &[usize]| state.tensor(name, shape);
        for (at, network) in NETWORKS.into_iter().enumerate() {
            self.stores[at].load(network, find)?;
            self.optimisers[at].load(network, state)?;
        }
        self.average.as_mut().map_or(Ok(()), |average| average.load(AVERAGE, state))
    }
}
