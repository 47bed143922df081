//! The same steps as plain candle expressions with automatic gradients: the path on CUDA, the one
//! that `Kernels::Plain` asks for, and the oracle that the written-out gradients are tested against.
//!
//! Batches, dice and settings are those of [`Trainer`](crate::trainer::Trainer); the two differ by
//! rounding alone.

use crate::codec::{Codes, Targets};
use crate::network::{Layout, Part, Shape, Weights};
use crate::sharing::Sharing;
use crate::trainer::{
    LEARNED_PARTS, NotFinite, Optimiser, Ranks, SCORED_TOGETHER, Sight, Streams, context,
};
use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device as TensorDevice, Tensor, Var};
use meg_core::{Device, Result, Rng, Seed, TrainingState};
use neural::kernels::AdamWStep;
use neural::layers::activation::relu;
use neural::training::{first_not_finite, on_deep_stack};
use neural::{tensor_device, tensor_error};
use rand::RngCore;
use std::sync::Arc;

/// Weights in training on any candle device.
pub(crate) struct PlainTrainer {
    layout: Arc<Layout>,
    targets: Arc<[Targets]>,
    /// By place, what the codes share of their gradients.
    sharing: Vec<Option<Tensor>>,
    optimiser: Optimiser,
    /// Each in one row of cells, in the order of [`Shape::parts`].
    generators: Vec<Trained>,
    /// By place, code after code.
    embeddings: Vec<Trained>,
    /// Per generator, the dice of its dropout.
    dropout: Vec<Rng>,
    ranks: Ranks,
    steps: u64,
    device: TensorDevice,
}

/// A weight with what Adam remembers of it, and its running average.
struct Trained {
    value: Var,
    first: Tensor,
    second: Tensor,
    average: Tensor,
    /// 1 where the weight decays, 0 for a bias.
    decays: Tensor,
}

/// Weights as a pass looks at them: those in training, or their averages.
struct Seen<'a> {
    generators: Vec<&'a Tensor>,
    embeddings: Vec<&'a Tensor>,
}

impl std::fmt::Debug for PlainTrainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainTrainer").field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl PlainTrainer {
    /// # Errors
    /// Those of the device.
    pub(crate) fn new(
        layout: Arc<Layout>,
        targets: Arc<[Targets]>,
        optimiser: Optimiser,
        weights: Weights,
        seed: Seed,
        device: Device,
    ) -> Result<Self> {
        let device = tensor_device(device)?;
        let generators = weights.generators.iter().zip(&layout.shapes);
        let generators: Vec<Trained> = generators
            .map(|(cells, shape)| Trained::new(cells, &decaying(shape), &device))
            .collect::<candle_core::Result<_>>()
            .map_err(tensor_error)?;
        let embeddings = weights.embeddings.iter();
        let embeddings = embeddings
            .map(|cells| Trained::new(cells, &vec![1.0; cells.len()], &device))
            .collect::<candle_core::Result<_>>()
            .map_err(tensor_error)?;
        let sharing = targets.iter().map(|one| {
            let matrix = |one: &Sharing| {
                Tensor::from_slice(one.matrix(), (one.codes(), one.codes()), &device)
            };
            one.sharing().map(matrix).transpose()
        });
        let sharing = sharing.collect::<candle_core::Result<_>>().map_err(tensor_error)?;
        let stream = |at: usize| seed.stream(&format!("meg/dropout/{at}"));
        Ok(Self {
            dropout: (0..layout.shapes.len()).map(stream).collect(),
            ranks: Ranks::new(&layout, seed),
            layout,
            targets,
            sharing,
            optimiser,
            generators,
            embeddings,
            steps: 0,
            device,
        })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// As [`Trainer::step`](crate::trainer::Trainer::step).
    pub(crate) fn step(
        &mut self,
        codes: &Codes,
        rows: &[u32],
        rate: f64,
        number: u64,
    ) -> Result<f64> {
        let batch = gathered(&self.layout, codes, rows);
        self.learn(&batch, None, rate, number)
    }

    /// As [`Trainer::step_on`](crate::trainer::Trainer::step_on).
    pub(crate) fn step_on(
        &mut self,
        batch: &[Vec<u16>],
        weights: &[f32],
        rate: f64,
        number: u64,
    ) -> Result<f64> {
        self.learn(batch, Some(weights), rate, number)
    }

    fn learn(
        &mut self,
        batch: &[Vec<u16>],
        weights: Option<&[f32]>,
        rate: f64,
        number: u64,
    ) -> Result<f64> {
        self.ranks.draw(batch[0].len());
        self.steps += 1;
        let gradients = on_deep_stack(|| self.gradients(batch, weights))?;
        let (loss, gradients) = gradients.map_err(tensor_error)?;
        let norm = norm(&gradients).map_err(tensor_error)?;
        if !norm.is_finite() {
            return Err(self.wrong_gradient(loss, &gradients)?.at(number));
        }
        let step = self.optimiser.step(self.steps, rate, norm);
        let all = self.generators.iter_mut().chain(&mut self.embeddings);
        for (trained, gradient) in all.zip(&gradients) {
            trained.update(gradient, &step).map_err(tensor_error)?;
        }
        Ok(loss)
    }

    /// The mean loss and its gradients, generators first.
    pub(crate) fn gradients(
        &mut self,
        batch: &[Vec<u16>],
        weights: Option<&[f32]>,
    ) -> candle_core::Result<(f64, Vec<Tensor>)> {
        let rows = batch[0].len();
        let layout = Arc::clone(&self.layout);
        let weights = weights.map(|weights| Tensor::from_slice(weights, rows, &self.device));
        let weights = weights.transpose()?;
        let mut losses = Vec::new();
        for (at, shape) in layout.shapes.iter().enumerate() {
            for (number, head) in shape.heads.iter().enumerate() {
                let masks = self.dice(at, rows, shape.hidden)?;
                let seen = Seen::values(self);
                let sight = self.ranks.sight();
                let logits = self.logits(&seen, (at, number), batch, sight, Some(masks))?;
                let wanted = self.wanted(head.place, head.codes, &batch[head.place])?;
                let picked = logits.mul(&wanted)?.sum(D::Minus1)?;
                let each = logits.log_sum_exp(D::Minus1)?.sub(&picked)?;
                let each = match &weights {
                    Some(weights) => each.mul(weights)?,
                    None => each,
                };
                losses.push(each.mean_all()?);
            }
        }
        let total = Tensor::stack(&losses, 0)?.sum_all()?;
        let store = total.backward()?;
        let generators = self.generators.iter().zip(&layout.shapes);
        let generators =
            generators.map(|(trained, shape)| self.shared(shape, trained.gradient(&store)?));
        let embeddings = self.embeddings.iter().map(|trained| trained.gradient(&store));
        let gradients = generators.chain(embeddings).collect::<candle_core::Result<_>>()?;
        Ok((f64::from(total.to_scalar::<f32>()?), gradients))
    }

    /// The gradient of a generator, shared out among the codes of its columns.
    fn shared(&self, shape: &Shape, gradient: Tensor) -> candle_core::Result<Tensor> {
        let sharing = |part: Part| match part {
            Part::Output(head) => self.sharing[shape.heads[head].place].as_ref(),
            _ => None,
        };
        let parts = shape.parts();
        if parts.iter().all(|&part| sharing(part).is_none()) {
            return Ok(gradient);
        }
        let cells = |&part: &Part| {
            let range = shape.range(part);
            let cells = gradient.narrow(0, range.start, range.len())?;
            let Some(sharing) = sharing(part) else { return Ok(cells) };
            cells.reshape(shape.size(part))?.matmul(sharing)?.flatten_all()
        };
        Tensor::cat(&parts.iter().map(cells).collect::<candle_core::Result<Vec<_>>>()?, 0)
    }

    /// What both hidden layers are multiplied by: 0 for silent units. The dice are those of the
    /// written-out steps.
    fn dice(&mut self, at: usize, rows: usize, hidden: usize) -> candle_core::Result<[Tensor; 2]> {
        let (silent, scale) = self.optimiser.silence();
        let mut dice = vec![0u8; 2 * rows * hidden];
        if silent > 0 {
            self.dropout[at].fill_bytes(&mut dice);
        }
        let kept = |&byte: &u8| if byte < silent { 0.0 } else { scale };
        let masks: Vec<f32> = dice.iter().map(kept).collect();
        let (first, second) = masks.split_at(rows * hidden);
        let mask = |cells: &[f32]| Tensor::from_slice(cells, (rows, hidden), &self.device);
        Ok([mask(first)?, mask(second)?])
    }

    /// The soft targets of a column, rows x codes.
    fn wanted(&self, place: usize, codes: usize, own: &[u16]) -> candle_core::Result<Tensor> {
        let mut cells = vec![0.0f32; own.len() * codes];
        for (row, &code) in cells.chunks_exact_mut(codes).zip(own) {
            let (start, weights) = self.targets[place].band(usize::from(code));
            row[start..start + weights.len()].copy_from_slice(weights);
        }
        Tensor::from_vec(cells, (own.len(), codes), &self.device)
    }

    /// The logits of one head, rows x codes.
    fn logits(
        &self,
        seen: &Seen<'_>,
        (at, number): (usize, usize),
        batch: &[Vec<u16>],
        sight: Sight<'_>,
        masks: Option<[Tensor; 2]>,
    ) -> candle_core::Result<Tensor> {
        let (layout, weights) = (&*self.layout, seen.generators[at]);
        let shape = &layout.shapes[at];
        let head = &shape.heads[number];
        let part = |part: Part| {
            let range = shape.range(part);
            weights.narrow(0, range.start, range.len())?.reshape(shape.size(part))
        };
        let rows = batch[0].len();
        let mut first = part(Part::FirstBias(number))?.broadcast_as((rows, shape.hidden))?;
        let mut veiled = Vec::new();
        let codes = context(layout, head, batch, sight, &mut veiled);
        let mut inputs = Vec::new();
        let mut layers = Vec::new();
        for ((&parent, &slot), codes) in head.parents.iter().zip(&head.slots).zip(codes) {
            let codes: Vec<u32> = codes.iter().map(|&code| u32::from(code)).collect();
            let codes = Tensor::from_vec(codes, rows, &self.device)?;
            let table = seen.embeddings[parent];
            let table = table.reshape((shape.context[slot], shape.embedding))?;
            inputs.push(table.index_select(&codes, 0)?);
            let cells = shape.slot(slot);
            let layer = weights.narrow(0, cells.start, cells.len())?;
            layers.push(layer.reshape((shape.embedding, shape.hidden))?);
        }
        if !inputs.is_empty() {
            let product = Tensor::cat(&inputs, 1)?.matmul(&Tensor::cat(&layers, 0)?)?;
            first = first.add(&product)?;
        }
        let silenced = |cells: Tensor, mask: Option<&Tensor>| match mask {
            Some(mask) => cells.mul(mask),
            None => Ok(cells),
        };
        let masks = masks.as_ref();
        let first = silenced(relu(&first)?, masks.map(|masks| &masks[0]))?;
        let second = first.matmul(&part(Part::Second)?)?.broadcast_add(&part(Part::SecondBias)?)?;
        let second = silenced(relu(&second)?, masks.map(|masks| &masks[1]))?;
        let logits = first.add(&second)?.matmul(&part(Part::Output(number))?)?;
        logits.broadcast_add(&part(Part::OutputBias(number))?)
    }

    /// As [`Trainer::scores`](crate::trainer::Trainer::scores).
    pub(crate) fn scores(&self, codes: &Codes, rows: &[u32]) -> Result<Vec<f64>> {
        let layout = &*self.layout;
        let seen = Seen::averages(self);
        let sight = if layout.plan.dynamic { Sight::Earlier } else { Sight::All };
        let mut totals = vec![0.0; layout.codes.len()];
        for part in rows.chunks(SCORED_TOGETHER) {
            let batch = gathered(layout, codes, part);
            for (at, shape) in layout.shapes.iter().enumerate() {
                for (number, head) in shape.heads.iter().enumerate() {
                    let sum = || -> candle_core::Result<f64> {
                        let logits = self.logits(&seen, (at, number), &batch, sight, None)?;
                        let own = batch[head.place].iter().map(|&code| u32::from(code));
                        let own = Tensor::from_iter(own, &self.device)?.unsqueeze(1)?;
                        let picked = logits.gather(&own, 1)?.squeeze(1)?;
                        let each = logits.log_sum_exp(D::Minus1)?.sub(&picked)?;
                        each.to_dtype(DType::F64)?.sum_all()?.to_scalar()
                    };
                    totals[head.place] += sum().map_err(tensor_error)?;
                }
            }
        }
        totals.iter_mut().for_each(|total| *total /= rows.len() as f64);
        Ok(totals)
    }

    /// As [`Trainer::log_odds`](crate::trainer::Trainer::log_odds).
    pub(crate) fn log_odds(&self, batch: &[Vec<u16>]) -> Result<Vec<f32>> {
        let seen = Seen::averages(self);
        let odds = || -> candle_core::Result<Vec<f32>> {
            let logits = self.logits(&seen, (0, 0), batch, Sight::All, None)?;
            let code = |code: usize| logits.narrow(1, code, 1)?.squeeze(1);
            code(1)?.sub(&code(0)?)?.to_vec1()
        };
        odds().map_err(tensor_error)
    }

    /// The weights as they are now.
    pub(crate) fn current(&self) -> Result<Weights> {
        self.read(|trained| trained.value.as_tensor())
    }

    /// The running averages of all weights.
    pub(crate) fn averages(&self) -> Result<Weights> {
        self.read(|trained| &trained.average)
    }

    fn read(&self, of: impl Fn(&Trained) -> &Tensor) -> Result<Weights> {
        let read = |trained: &Trained| cells(of(trained));
        Ok(Weights {
            generators: self.generators.iter().map(read).collect::<Result<_>>()?,
            embeddings: self.embeddings.iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// Goes on from these weights; what Adam remembers stays.
    pub(crate) fn go_back(&mut self, weights: &Weights) -> Result<()> {
        let device = self.device.clone();
        let trained = self.generators.iter_mut().chain(&mut self.embeddings);
        for (trained, cells) in trained.zip(weights.generators.iter().chain(&weights.embeddings)) {
            trained.go_back(cells, &device).map_err(tensor_error)?;
        }
        Ok(())
    }

    /// A sentence about the first weight, moment or average that is not finite. Gradients are not
    /// kept: one that is not finite ends the step that made it.
    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        for (name, trained) in self.named() {
            let parts = [
                ("weight", trained.value.as_tensor()),
                ("first moment", &trained.first),
                ("second moment", &trained.second),
                ("running average", &trained.average),
            ];
            for (part, tensor) in parts {
                let found = first_not_finite([(format!("the {part} of {name}"), &*cells(tensor)?)]);
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    fn wrong_gradient(&self, loss: f64, gradients: &[Tensor]) -> Result<NotFinite> {
        let names: Vec<String> = self.named().map(|(name, _)| name).collect();
        let gradients = gradients.iter().map(cells).collect::<Result<Vec<_>>>()?;
        Ok(NotFinite::of(loss, names.into_iter().zip(gradients.iter().map(|cells| &**cells))))
    }

    /// All weights with what they are called in a message.
    fn named(&self) -> impl Iterator<Item = (String, &Trained)> {
        let generators = self.generators.iter().enumerate();
        let generators = generators.map(|(at, one)| (self.layout.generator_name(at), one));
        let embeddings = self.embeddings.iter().enumerate();
        generators.chain(embeddings.map(|(place, one)| (self.layout.embedding_name(place), one)))
    }

    /// As [`Trainer::save`](crate::trainer::Trainer::save).
    pub(crate) fn save(&self, prefix: &str, state: &mut TrainingState) -> Result<()> {
        let streams = Streams::of(self.dropout.iter(), &self.ranks);
        state.put(&format!("{prefix}streams"), &streams)?;
        let generators = self.generators.iter().enumerate();
        let generators = generators.map(|(at, one)| (format!("{prefix}generator{at}"), one));
        let embeddings = self.embeddings.iter().enumerate();
        let embeddings = embeddings.map(|(at, one)| (format!("{prefix}embedding{at}"), one));
        for (name, one) in generators.chain(embeddings) {
            let parts = [one.value.as_tensor(), &one.first, &one.second, &one.average];
            for (part, tensor) in LEARNED_PARTS.iter().zip(parts) {
                state.put_tensor(format!("{name}.{part}"), tensor.dims(), cells(tensor)?);
            }
        }
        Ok(())
    }

    /// As [`Trainer::restore`](crate::trainer::Trainer::restore).
    pub(crate) fn restore(
        &mut self,
        prefix: &str,
        state: &TrainingState,
        steps: u64,
    ) -> Result<()> {
        let streams: Streams = state.part(&format!("{prefix}streams"))?;
        streams.restore(self.dropout.iter_mut(), &mut self.ranks)?;
        self.steps = steps;
        let device = self.device.clone();
        for (at, one) in self.generators.iter_mut().enumerate() {
            one.restore(&format!("{prefix}generator{at}"), state, &device)?;
        }
        for (at, one) in self.embeddings.iter_mut().enumerate() {
            one.restore(&format!("{prefix}embedding{at}"), state, &device)?;
        }
        Ok(())
    }
}

impl<'a> Seen<'a> {
    fn values(trainer: &'a PlainTrainer) -> Self {
        let of = |trained: &'a Trained| trained.value.as_tensor();
        Self {
            generators: trainer.generators.iter().map(of).collect(),
            embeddings: trainer.embeddings.iter().map(of).collect(),
        }
    }

    fn averages(trainer: &'a PlainTrainer) -> Self {
        let of = |trained: &'a Trained| &trained.average;
        Self {
            generators: trainer.generators.iter().map(of).collect(),
            embeddings: trainer.embeddings.iter().map(of).collect(),
        }
    }
}

/// 1 for the cells of a generator's weights that decay.
fn decaying(shape: &Shape) -> Vec<f32> {
    let mut decays = vec![0.0; shape.weights()];
    for part in shape.parts().into_iter().filter(|part| !part.is_bias()) {
        decays[shape.range(part)].fill(1.0);
    }
    decays
}

/// The codes of rows, by place.
fn gathered(layout: &Layout, codes: &Codes, rows: &[u32]) -> Vec<Vec<u16>> {
    let of = |&column: &usize| -> Vec<u16> {
        rows.iter().map(|&row| codes.columns[column][row as usize]).collect()
    };
    layout.plan.order.iter().map(of).collect()
}

fn cells(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_vec1().map_err(tensor_error)
}

/// The norm of all gradients together.
fn norm(gradients: &[Tensor]) -> candle_core::Result<f64> {
    let squares = gradients.iter().map(|gradient| gradient.sqr()?.sum_all());
    let squares = squares.collect::<candle_core::Result<Vec<_>>>()?;
    let squares: Vec<f32> = Tensor::stack(&squares, 0)?.to_vec1()?;
    Ok(squares.into_iter().map(f64::from).sum::<f64>().sqrt())
}

impl Trained {
    fn new(cells: &[f32], decays: &[f32], device: &TensorDevice) -> candle_core::Result<Self> {
        let value = Tensor::from_slice(cells, cells.len(), device)?;
        Ok(Self {
            first: value.zeros_like()?,
            second: value.zeros_like()?,
            average: value.clone(),
            decays: Tensor::from_slice(decays, decays.len(), device)?,
            value: Var::from_tensor(&value)?,
        })
    }

    fn gradient(&self, store: &GradStore) -> candle_core::Result<Tensor> {
        match store.get(&self.value) {
            Some(gradient) => Ok(gradient.detach()),
            // The embedding of a column that no other one sees.
            None => self.value.zeros_like(),
        }
    }

    /// The formula of `neural::kernels::adamw`.
    fn update(&mut self, gradient: &Tensor, step: &AdamWStep) -> candle_core::Result<()> {
        let AdamWStep { clip, rate, root, beta1, beta2, epsilon, shrink, keep } = *step;
        let [clip, rate, root, epsilon] = [clip, rate, root, epsilon].map(f64::from);
        let scaled = |tensor: &Tensor, factor: f32| tensor.affine(f64::from(factor), 0.0);
        let gradient = gradient.affine(clip, 0.0)?;
        self.first = scaled(&self.first, beta1)?.add(&scaled(&gradient, 1.0 - beta1)?)?;
        self.second = scaled(&self.second, beta2)?.add(&scaled(&gradient.sqr()?, 1.0 - beta2)?)?;
        let value = self.value.as_detached_tensor();
        let scale = self.second.sqrt()?.affine(root, epsilon)?;
        let change = self.first.affine(rate, 0.0)?.div(&scale)?;
        let change = change.add(&scaled(&value.mul(&self.decays)?, shrink)?)?;
        let value = value.sub(&change)?;
        self.average = scaled(&self.average, keep)?.add(&scaled(&value, 1.0 - keep)?)?;
        self.value.set(&value)
    }

    fn go_back(&mut self, cells: &[f32], device: &TensorDevice) -> candle_core::Result<()> {
        self.average = Tensor::from_slice(cells, cells.len(), device)?;
        self.value.set(&self.average)
    }

    fn restore(&mut self, name: &str, state: &TrainingState, device: &TensorDevice) -> Result<()> {
        let shape = [self.value.elem_count()];
        let tensor = |cells: &[f32]| Tensor::from_slice(cells, cells.len(), device);
        let [value, first, second, average] = LEARNED_PARTS.map(|part| format!("{name}.{part}"));
        let value = tensor(&state.tensor(&value, &shape)?.data).map_err(tensor_error)?;
        self.value.set(&value).map_err(tensor_error)?;
        self.first = tensor(&state.tensor(&first, &shape)?.data).map_err(tensor_error)?;
        self.second = tensor(&state.squares(&second, &shape)?.data).map_err(tensor_error)?;
        self.average = tensor(&state.tensor(&average, &shape)?.data).map_err(tensor_error)?;
        Ok(())
    }
}
