//! The same step as plain candle expressions with automatic gradients: the path on CUDA, the one
//! that `Kernels::Plain` asks for, and the oracle that the fused path is tested against.

use crate::Tgan;
use crate::batch::Batch;
use crate::columns::{Output, Step};
use crate::fused::{Losses, SHARE_FLOOR, optimiser};
use crate::lane::width;
use crate::network::{Discriminator, Generator};
use candle_core::{DType, Result as TensorResult, Tensor};
use meg_core::{Device, Result, TrainingState};
use neural::kernels::right_share;
use neural::layers::activation::{leaky_relu, sigmoid, softmax};
use neural::layers::loss::{binary_cross_entropy_to, marginal_divergence};
use neural::layers::{
    Gradients, Named, Optimiser, ParameterStore, Segments, closeness, host_cells, host_tensor,
    scalar,
};
use neural::training::Lasting;
use neural::{tensor_device, tensor_error};
use std::collections::HashMap;

/// The networks in training on any candle device. Parameters have the names and shapes of the
/// networks' own.
#[derive(Debug)]
pub(crate) struct PlainTrainer {
    recipe: Tgan,
    steps: Vec<Step>,
    /// Shapes and, at the end, the weights that are read back.
    generator: Generator,
    store: ParameterStore,
    /// Positions in the store, by name.
    places: HashMap<String, usize>,
    /// Of the generator, and of the discriminator.
    optimisers: [Optimiser; 2],
    segments: Segments,
}

impl PlainTrainer {
    /// `precision` is `F32`, or `F64` in the tests, where rounding is to be out of the way.
    pub(crate) fn new(
        recipe: &Tgan,
        steps: &[Step],
        mut generator: Generator,
        mut critic: Discriminator,
        device: Device,
        precision: DType,
    ) -> Result<Self> {
        let device = tensor_device(device)?;
        let mut made = || -> TensorResult<_> {
            let mut named = generator.named_mut();
            let generators = named.len();
            named.extend(critic.named_mut());
            let store = ParameterStore::of_parameters(named, precision, &device)?;
            let entries = store.entries();
            let group = |part: &[Named]| Optimiser::new().group(part, optimiser(recipe));
            let optimisers = [group(&entries[..generators])?, group(&entries[generators..])?];
            let shared = steps.iter().filter(|step| step.output != Output::Place);
            let shared: Vec<_> = shared.map(|step| (step.start, step.width)).collect();
            let segments = Segments::new(&shared, width(steps), precision, &device)?;
            Ok((store, optimisers, segments))
        };
        let (store, optimisers, segments) = made().map_err(tensor_error)?;
        let names = store.entries().iter().enumerate();
        let places = names.map(|(at, entry)| (entry.name.clone(), at)).collect();
        let (recipe, steps) = (recipe.clone(), steps.to_vec());
        Ok(Self { recipe, steps, generator, store, places, optimisers, segments })
    }

    /// One update of both networks.
    pub(crate) fn update(&mut self, batch: &Batch) -> Result<Losses> {
        let mut run = || -> TensorResult<Losses> {
            let (losses, gradients) = self.gradients(batch)?;
            for (optimiser, gradients) in self.optimisers.iter_mut().zip(&gradients) {
                optimiser.step(gradients)?;
            }
            Ok(losses)
        };
        run().map_err(tensor_error)
    }

    /// Losses, and the gradients of the generator's and of the discriminator's parameters.
    pub(crate) fn gradients(&self, batch: &Batch) -> TensorResult<(Losses, [Gradients; 2])> {
        let units = width(&self.steps);
        let real = self.tensor(&batch.real, (batch.rows, units))?;
        let rows = self.generate(batch)?;
        let generated_logits = self.logits(&rows, batch, 1)?;
        let real_logits = self.logits(&real, batch, 0)?;
        let adversarial = binary_cross_entropy_to(&generated_logits, 1.0)?;
        let divergence = marginal_divergence(&self.segments, &rows, &real, SHARE_FLOOR)?;
        let told = binary_cross_entropy_to(&generated_logits, 0.0)?;
        let missed = binary_cross_entropy_to(&real_logits, 1.0)?;
        let discriminator =
            (told.affine(0.5, 0.0)? + missed.affine(0.5 * self.recipe.real_weight, 0.0)?)?;
        let right = right_share(&host_cells(&real_logits)?, true)
            + right_share(&host_cells(&generated_logits)?, false);
        let losses = Losses {
            adversarial: scalar(&adversarial)?,
            divergence: scalar(&divergence)?,
            discriminator: scalar(&discriminator)?,
            accuracy: 0.5 * right,
        };
        let weighted = divergence.affine(self.recipe.divergence_weight, 0.0)?;
        let [generator, critic] = &self.optimisers;
        let generators = self.generator.clone().named_mut().len();
        let (first, second) = self.store.entries().split_at(generators);
        let both = [
            self.cut(generator, &(adversarial + weighted)?, first)?,
            self.cut(critic, &discriminator, second)?,
        ];
        Ok((losses, both))
    }

    /// Reads the trained generator back.
    pub(crate) fn generator(mut self) -> Result<Generator> {
        self.store.read_back(self.generator.named_mut())?;
        Ok(self.generator)
    }

    /// Gradients of a loss with weight decay, cut.
    fn cut(
        &self,
        optimiser: &Optimiser,
        loss: &Tensor,
        parameters: &[Named],
    ) -> TensorResult<Gradients> {
        let mut loss = loss.clone();
        for entry in parameters {
            let squares = entry.var.sqr()?.sum_all()?;
            loss = (loss + squares.affine(0.5 * self.recipe.weight_decay, 0.0)?)?;
        }
        let mut gradients = optimiser.gradients(&loss)?;
        gradients.clip_values(self.recipe.clip_gradient)?;
        Ok(gradients)
    }

    /// Generated rows, rows x units.
    fn generate(&self, batch: &Batch) -> TensorResult<Tensor> {
        let (rows, units) = (batch.rows, self.recipe.lstm_dim);
        let noise = self.tensor(&batch.noise, (rows, self.recipe.noise_dim))?;
        let base = noise
            .matmul(self.value("generator.noise"))?
            .broadcast_add(self.value("generator.bias"))?;
        let zeros = Tensor::zeros((rows, units), self.store.dtype(), self.store.device())?;
        let (mut hidden, mut cell, mut context) = (zeros.clone(), zeros.clone(), zeros);
        let start = self.value("generator.start").unsqueeze(0)?;
        let mut features = start.broadcast_as((rows, start.dim(1)?))?;
        let (mut states, mut outputs) = (Vec::new(), Vec::new());
        for (at, step) in self.steps.iter().enumerate() {
            let inputs = Tensor::cat(&[&features, &context, &hidden], 1)?;
            let gates = (inputs.matmul(self.value("generator.lstm"))? + &base)?;
            let gate = |number: usize| gates.narrow(1, number * units, units);
            let kept = sigmoid(&gate(2)?.affine(1.0, 1.0)?)?.mul(&cell)?;
            cell = (kept + sigmoid(&gate(0)?)?.mul(&gate(1)?.tanh()?)?)?;
            hidden = sigmoid(&gate(3)?)?.mul(&cell.tanh()?)?;
            states.push(hidden.clone());
            let own = self.linear(&format!("generator.step{at}.features"), &hidden)?.tanh()?;
            let logits = self.linear(&format!("generator.step{at}.output"), &own)?;
            let output = match step.output {
                Output::Place => logits.tanh()?,
                _ => softmax(&logits)?,
            };
            outputs.push(output.clone());
            if at + 1 == self.steps.len() {
                break;
            }
            features = self.next_features(at, step.output, &own, &output)?;
            context = self.context(at, &states)?;
        }
        Tensor::cat(&outputs, 1)
    }

    fn next_features(
        &self,
        at: usize,
        kind: Output,
        features: &Tensor,
        output: &Tensor,
    ) -> TensorResult<Tensor> {
        let name = format!("generator.step{at}.next");
        match kind {
            Output::Place => Ok(features.clone()),
            Output::Shares => self.linear(&name, output),
            Output::Levels => {
                let levels = output.detach().argmax(1)?;
                let rows = self.value(&format!("{name}.weight")).index_select(&levels, 0)?;
                rows.broadcast_add(self.value(&format!("{name}.bias")))
            }
        }
    }

    fn context(&self, at: usize, states: &[Tensor]) -> TensorResult<Tensor> {
        let logits = self.value(&format!("generator.step{at}.attention")).unsqueeze(0)?;
        let weights = softmax(&logits)?.reshape((states.len(), 1, 1))?;
        Tensor::stack(states, 0)?.broadcast_mul(&weights)?.sum(0)
    }

    /// One logit per row; `part` says which of the dropout masks is taken.
    fn logits(&self, rows: &Tensor, batch: &Batch, part: usize) -> TensorResult<Tensor> {
        let mut active = rows.clone();
        for (at, masks) in batch.masks.iter().enumerate() {
            let name = format!("discriminator.layer{at}");
            let features = self.linear(&name, &active)?;
            let joined = match self.recipe.diversity_kernels {
                0 => features,
                kernels => {
                    let sides = (batch.rows, kernels, self.recipe.diversity_dim);
                    let projected = self.linear(&format!("{name}.diversity"), &features)?;
                    let close = closeness(&projected.reshape(sides)?)?;
                    Tensor::cat(&[&features, &close], 1)?
                }
            };
            let centred = joined.broadcast_sub(&joined.mean_keepdim(0)?)?;
            let variance = centred.sqr()?.mean_keepdim(0)?;
            let normalised = centred.broadcast_div(&variance.affine(1.0, 1e-5)?.sqrt()?)?;
            let shifted = normalised.broadcast_add(self.value(&format!("{name}.shift")))?;
            let mask = self.tensor(&masks[part], shifted.dims2()?)?;
            active = leaky_relu(&shifted.mul(&mask)?, 0.2)?;
        }
        self.linear("discriminator.output", &active)
    }

    fn value(&self, name: &str) -> &Tensor {
        self.store.entries()[self.places[name]].var.as_tensor()
    }

    /// `inputs * weight + bias` of the layer of this name.
    fn linear(&self, name: &str, inputs: &Tensor) -> TensorResult<Tensor> {
        let weight = self.value(&format!("{name}.weight"));
        inputs.matmul(weight)?.broadcast_add(self.value(&format!("{name}.bias")))
    }

    fn tensor(&self, cells: &[f32], shape: (usize, usize)) -> TensorResult<Tensor> {
        host_tensor(cells.to_vec(), shape, self.store.dtype(), self.store.device())
    }
}

impl Lasting for PlainTrainer {
    /// Gradients are not kept between updates here; one that is not finite reaches weight and
    /// moments at once.
    fn not_finite(&mut self) -> Result<Option<String>> {
        if let Some(phrase) = self.store.not_finite()? {
            return Ok(Some(phrase));
        }
        let [generator, critic] = &self.optimisers;
        Ok(generator.not_finite()?.or(critic.not_finite()?))
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        self.store.save("", &mut state.tensors)?;
        let [generator, critic] = &self.optimisers;
        generator.save("", state)?;
        // Both have taken as many steps; the names of the moments differ.
        state.parts.remove("steps");
        critic.save("", state)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.store.load("", |name, shape| state.tensor(name, shape))?;
        self.optimisers.iter_mut().try_for_each(|optimiser| optimiser.load("", state))
    }
}
