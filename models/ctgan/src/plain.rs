//! The same updates as plain candle expressions with automatic gradients: the path on CUDA, the one
//! that `Kernels::Plain` asks for, and the oracle that the fused path is tested against.

use crate::Ctgan;
use crate::batch::{Batches, CriticBatch, GeneratorBatch, GeneratorInput};
use crate::conditions::ConditionSpace;
use crate::fused::{CriticLosses, GeneratorLosses, LEAK, optimisers};
use crate::network::{Critic, Generator};
use crate::state::{critic_names, generator_names, is_variance, running_names};
use candle_core::{DType, Device as TensorDevice, Shape, Tensor, Var, bail};
use meg_core::{Device, Result, TrainingState};
use neural::kernels::{HeadSpan, Heads};
use neural::layers::activation::relu;
use neural::layers::{Activation, Span, SpanHeads, host_cells, scalar};
use neural::training::{Lasting, first_not_finite};
use neural::{Adam, Parameter, tensor_device, tensor_error};
use transforms::Encoded;

/// The networks in training on any candle device.
pub(crate) struct PlainTrainer {
    /// Shapes and, at the end, the weights that are read back.
    template: Generator,
    generator: Vec<Trained>,
    critic: Vec<Trained>,
    /// Running mean and variance of each generator layer.
    running: Vec<(Tensor, Tensor)>,
    heads: SpanHeads,
    pac: usize,
    penalty: f64,
    adam: [Adam; 2],
    device: TensorDevice,
    /// `F32`, or `F64` in the tests, where rounding is to be out of the way.
    precision: DType,
}

/// A weight with the moments of Adam.
struct Trained {
    value: Var,
    first: Tensor,
    second: Tensor,
}

fn read(tensor: &Tensor) -> Result<Vec<f32>> {
    host_cells(tensor).map_err(tensor_error)
}

impl PlainTrainer {
    pub(crate) fn new(
        recipe: &Ctgan,
        mut generator: Generator,
        mut critic: Critic,
        heads: Heads,
        device: Device,
        precision: DType,
    ) -> Result<Self> {
        let device = tensor_device(device)?;
        let trained = |parameters: Vec<&mut Parameter>| -> candle_core::Result<Vec<Trained>> {
            let trained = |parameter: &mut Parameter| Trained::new(parameter, &device, precision);
            parameters.into_iter().map(trained).collect()
        };
        let statistics =
            |cells: &[f32]| Tensor::from_slice(cells, cells.len(), &device)?.to_dtype(precision);
        let running = generator.layers.iter().map(|(_, norm)| {
            Ok((statistics(&norm.running_mean)?, statistics(&norm.running_variance)?))
        });
        let running = running.collect::<candle_core::Result<_>>().map_err(tensor_error)?;
        let heads = span_heads(&heads, precision, &device).map_err(tensor_error)?;
        Ok(Self {
            running,
            generator: trained(generator.parameters_mut()).map_err(tensor_error)?,
            critic: trained(critic.parameters_mut()).map_err(tensor_error)?,
            template: generator,
            heads,
            pac: recipe.pac,
            penalty: recipe.gradient_penalty,
            adam: optimisers(recipe),
            device,
            precision,
        })
    }

    /// One update of the generator and those of the discriminator before it. `number` counts the
    /// updates of the generator from 1.
    pub(crate) fn update(
        &mut self,
        encoded: &Encoded,
        space: &ConditionSpace,
        batches: &Batches,
        number: u64,
    ) -> Result<(CriticLosses, GeneratorLosses)> {
        let mut losses = CriticLosses::default();
        let count = batches.critic.len() as u64;
        for (batch, step) in batches.critic.iter().zip((number - 1) * count + 1..) {
            losses = self.critic_step(encoded, batch, step)?;
        }
        Ok((losses, self.generator_step(space, &batches.generator, number)?))
    }

    pub(crate) fn critic_step(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
        step: u64,
    ) -> Result<CriticLosses> {
        let mut run = || -> candle_core::Result<CriticLosses> {
            let (losses, gradients) = self.critic_gradients(encoded, batch)?;
            update(&mut self.critic, &gradients, &self.adam[1], step)?;
            Ok(losses)
        };
        run().map_err(tensor_error)
    }

    pub(crate) fn generator_step(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
        step: u64,
    ) -> Result<GeneratorLosses> {
        let mut run = || -> candle_core::Result<GeneratorLosses> {
            let (losses, gradients) = self.generator_gradients(space, batch)?;
            update(&mut self.generator, &gradients, &self.adam[0], step)?;
            Ok(losses)
        };
        run().map_err(tensor_error)
    }

    /// Reads the trained generator back.
    pub(crate) fn generator(self) -> Result<Generator> {
        let mut generator = self.template;
        for (parameter, trained) in generator.parameters_mut().into_iter().zip(&self.generator) {
            parameter.value = read(trained.value.as_tensor())?;
        }
        for ((_, norm), (mean, variance)) in generator.layers.iter_mut().zip(&self.running) {
            norm.running_mean = read(mean)?;
            norm.running_variance = read(variance)?;
        }
        Ok(generator)
    }

    /// Everything that lasts from update to update, by name.
    fn tensors(&self) -> Vec<(String, &Tensor)> {
        let mut all = Vec::new();
        let critic = critic_names(self.critic.len()).into_iter().zip(&self.critic);
        let generator = generator_names(self.running.len()).into_iter().zip(&self.generator);
        for (name, trained) in critic.chain(generator) {
            let moments = [("first", &trained.first), ("second", &trained.second)];
            all.push((name.clone(), trained.value.as_tensor()));
            all.extend(moments.map(|(part, tensor)| (format!("{name}.{part}"), tensor)));
        }
        let names = running_names(self.running.len());
        for ([mean_name, variance_name], (mean, variance)) in names.into_iter().zip(&self.running) {
            all.push((mean_name, mean));
            all.push((variance_name, variance));
        }
        all
    }

    /// Cells as a tensor on the device, in the precision of the training.
    fn tensor(&self, cells: &[f32], shape: impl Into<Shape>) -> candle_core::Result<Tensor> {
        Tensor::from_slice(cells, shape.into(), &self.device)?.to_dtype(self.precision)
    }

    /// Losses and gradients of the discriminator, in the order of its parameters.
    pub(crate) fn critic_gradients(
        &mut self,
        encoded: &Encoded,
        batch: &CriticBatch,
    ) -> candle_core::Result<(CriticLosses, Vec<Tensor>)> {
        let packs = batch.mix.len();
        let (_, generated) = self.generate(&batch.generator)?;
        let generated = self.with_conditions(&generated.detach(), &batch.generator.units)?;
        let real = self.with_conditions(&self.dense_rows(encoded, &batch.rows)?, &batch.units)?;
        let mix = self.tensor(&batch.mix, (packs, 1))?;
        let mixed = generated.add(&real.sub(&generated)?.broadcast_mul(&mix)?)?;
        let masks = |group: usize| self.masks(&batch.masks, group, packs);
        let (real_scores, _) = self.scores(&real, masks(0)?)?;
        let (generated_scores, _) = self.scores(&generated, masks(1)?)?;
        let (_, slopes) = self.scores(&mixed, masks(2)?)?;
        let wasserstein = (generated_scores.mean_all()? - real_scores.mean_all()?)?;
        let norm = self.input_gradient(&slopes)?.sqr()?.sum(1)?.affine(1.0, 1e-12)?.sqrt()?;
        let penalty = (norm.affine(1.0, -1.0)?.sqr()?.mean_all()? * self.penalty)?;
        let losses =
            CriticLosses { wasserstein: scalar(&wasserstein)?, penalty: scalar(&penalty)? };
        Ok((losses, gradients(&(wasserstein + penalty)?, &self.critic)?))
    }

    /// Losses and gradients of the generator, in the order of its parameters.
    pub(crate) fn generator_gradients(
        &mut self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
    ) -> candle_core::Result<(GeneratorLosses, Vec<Tensor>)> {
        let (logits, rows) = self.generate(&batch.generator)?;
        let packed = self.with_conditions(&rows, &batch.generator.units)?;
        let masks = self.masks(&batch.masks, 0, packed.dim(0)?)?;
        let adversarial = self.scores(&packed, masks)?.0.mean_all()?.neg()?;
        let cross_entropy = self.cross_entropy(space, batch, &logits)?;
        let losses = GeneratorLosses {
            adversarial: scalar(&adversarial)?,
            cross_entropy: scalar(&cross_entropy)?,
        };
        Ok((losses, gradients(&(adversarial + cross_entropy)?, &self.generator)?))
    }

    fn generator_value(&self, at: usize) -> &Tensor {
        self.generator[at].value.as_tensor()
    }

    fn critic_value(&self, at: usize) -> &Tensor {
        self.critic[at].value.as_tensor()
    }

    /// `inputs * dense + onehot[unit] + bias` with the parameters from `at` on.
    fn linear(
        &self,
        at: usize,
        inputs: &Tensor,
        units: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let out = inputs.matmul(self.generator_value(at))?;
        let out = match units {
            Some(units) => out.add(&self.generator_value(at + 1).index_select(units, 0)?)?,
            None => out,
        };
        out.broadcast_add(self.generator_value(at + 2))
    }

    /// Logits and activated rows in training mode.
    fn generate(&mut self, input: &GeneratorInput) -> candle_core::Result<(Tensor, Tensor)> {
        let rows = input.gumbel.len() / self.heads.width();
        let mut hidden = self.tensor(&input.noise, (rows, input.noise.len() / rows))?;
        let units = match input.units.len() {
            0 => None,
            count => Some(Tensor::from_slice(&input.units, count, &self.device)?),
        };
        for layer in 0..self.running.len() {
            let cells = self.linear(5 * layer, &hidden, units.as_ref())?;
            let mean = cells.mean_keepdim(0)?;
            let centred = cells.broadcast_sub(&mean)?;
            let variance = centred.sqr()?.mean_keepdim(0)?;
            let normalised = centred.broadcast_div(&variance.affine(1.0, 1e-5)?.sqrt()?)?;
            let scaled = normalised
                .broadcast_mul(self.generator_value(5 * layer + 3))?
                .broadcast_add(self.generator_value(5 * layer + 4))?;
            let active = relu(&scaled)?;
            let unbiased = rows as f64 / (rows - 1).max(1) as f64;
            let (running_mean, running_variance) = &mut self.running[layer];
            let blend = |old: &Tensor, new: &Tensor, factor: f64| {
                old.affine(0.9, 0.0)?.add(&new.detach().squeeze(0)?.affine(0.1 * factor, 0.0)?)
            };
            *running_mean = blend(running_mean, &mean, 1.0)?;
            *running_variance = blend(running_variance, &variance, unbiased)?;
            hidden = Tensor::cat(&[&hidden, &active], 1)?;
        }
        let logits = self.linear(5 * self.running.len(), &hidden, units.as_ref())?;
        let noise = self.tensor(&input.gumbel, logits.shape())?;
        let rows = self.heads.forward(&logits, Some(&noise))?;
        Ok((logits, rows))
    }

    fn dense_rows(&self, encoded: &Encoded, rows: &[usize]) -> candle_core::Result<Tensor> {
        let width = self.heads.width();
        let mut cells = vec![0.0; rows.len() * width];
        for (&row, out) in rows.iter().zip(cells.chunks_exact_mut(width)) {
            encoded.write_row(row, out);
        }
        self.tensor(&cells, (rows.len(), width))
    }

    /// Packs of rows, then packs of their one-hot conditions, side by side: the order of the
    /// first layer's two weights.
    fn with_conditions(&self, rows: &Tensor, units: &[u32]) -> candle_core::Result<Tensor> {
        let (count, width) = rows.dims2()?;
        let packs = count / self.pac;
        let packed = rows.reshape((packs, self.pac * width))?;
        let conditions = self.critic_value(1).dim(0)? / self.pac;
        if conditions == 0 {
            return Ok(packed);
        }
        let mut onehot = vec![0.0f32; count * conditions];
        for (row, &unit) in units.iter().enumerate() {
            onehot[row * conditions + unit as usize] = 1.0;
        }
        let onehot = self.tensor(&onehot, (packs, self.pac * conditions))?;
        Tensor::cat(&[&packed, &onehot], 1)
    }

    fn masks(
        &self,
        masks: &[Vec<f32>],
        group: usize,
        packs: usize,
    ) -> candle_core::Result<Vec<Tensor>> {
        let layer = |(at, mask): (usize, &Vec<f32>)| {
            let units = self.critic_value(if at == 0 { 2 } else { 2 * at + 2 }).dim(0)?;
            let cells = &mask[group * packs * units..(group + 1) * packs * units];
            self.tensor(cells, (packs, units))
        };
        masks.iter().enumerate().map(layer).collect()
    }

    /// The first layer's weight over rows and conditions.
    fn first_weight(&self) -> candle_core::Result<Tensor> {
        match self.critic_value(1).dim(0)? {
            0 => Ok(self.critic_value(0).clone()),
            _ => Tensor::cat(&[self.critic_value(0), self.critic_value(1)], 0),
        }
    }

    /// Scores of packs, and the slopes of every hidden unit, dropout included.
    fn scores(
        &self,
        packs: &Tensor,
        masks: Vec<Tensor>,
    ) -> candle_core::Result<(Tensor, Vec<Tensor>)> {
        let mut hidden = packs.clone();
        let mut slopes = Vec::new();
        for (layer, mask) in masks.into_iter().enumerate() {
            let (weight, bias) = match layer {
                0 => (self.first_weight()?, self.critic_value(2)),
                _ => (self.critic_value(2 * layer + 1).clone(), self.critic_value(2 * layer + 2)),
            };
            let cells = hidden.matmul(&weight)?.broadcast_add(bias)?;
            let positive = cells.detach().gt(0f32)?.to_dtype(self.precision)?;
            let slope = positive.affine(f64::from(1.0 - LEAK), f64::from(LEAK))?.mul(&mask)?;
            hidden = cells.mul(&slope)?;
            slopes.push(slope);
        }
        let output = self.critic.len() - 2;
        let scores = hidden.matmul(self.critic_value(output))?;
        Ok((scores.broadcast_add(self.critic_value(output + 1))?, slopes))
    }

    /// The gradient of the score with respect to its pack, as an expression of the weights.
    fn input_gradient(&self, slopes: &[Tensor]) -> candle_core::Result<Tensor> {
        let output = self.critic_value(self.critic.len() - 2).t()?;
        let mut sent = slopes[slopes.len() - 1].broadcast_mul(&output)?;
        for layer in (1..slopes.len()).rev() {
            sent = sent.matmul(&self.critic_value(2 * layer + 1).t()?)?.mul(&slopes[layer - 1])?;
        }
        sent.matmul(&self.first_weight()?.t()?)
    }

    /// Mean over rows of the cross entropy of the span that the row's condition speaks of.
    fn cross_entropy(
        &self,
        space: &ConditionSpace,
        batch: &GeneratorBatch,
        logits: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let Some(segments) = self.heads.segments() else {
            return Tensor::zeros((), self.precision, &self.device);
        };
        let (rows, width) = logits.dims2()?;
        let spans = segments.spans();
        let mut wanted = vec![0.0; rows * width];
        let mut asked = vec![0.0; rows * spans.len()];
        for (row, &condition) in batch.conditions.iter().enumerate() {
            let span = space.span(condition);
            let Ok(segment) = spans.binary_search(&span) else {
                bail!("the condition on the units {span:?} is no span of the row");
            };
            wanted[row * width + span.0 + condition.level] = 1.0;
            asked[row * spans.len() + segment] = 1.0;
        }
        let wanted = self.tensor(&wanted, (rows, width))?;
        let asked = self.tensor(&asked, (rows, spans.len()))?;
        let sum = segments.cross_entropy(logits, &wanted)?.mul(&asked)?.sum_all()?;
        sum / batch.conditions.len().max(1) as f64
    }
}

impl Lasting for PlainTrainer {
    /// Gradients are not kept between updates here; one that is not finite reaches weight and
    /// moments at once.
    fn not_finite(&mut self) -> Result<Option<String>> {
        for (name, tensor) in self.tensors() {
            let found = first_not_finite([(name, &read(tensor)?[..])]);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        for (name, tensor) in self.tensors() {
            state.put_tensor(name, tensor.dims(), read(tensor)?);
        }
        Ok(())
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        let (device, precision) = (self.device.clone(), self.precision);
        let kept = |name: &str, like: &Tensor| -> Result<Tensor> {
            let cells = match is_variance(name) {
                true => &state.squares(name, like.dims())?.data,
                false => &state.tensor(name, like.dims())?.data,
            };
            let tensor = Tensor::from_slice(cells, like.dims(), &device);
            tensor.and_then(|tensor| tensor.to_dtype(precision)).map_err(tensor_error)
        };
        for (name, trained) in critic_names(self.critic.len())
            .into_iter()
            .zip(&mut self.critic)
            .chain(generator_names(self.running.len()).into_iter().zip(&mut self.generator))
        {
            let value = kept(&name, trained.value.as_tensor())?;
            trained.first = kept(&format!("{name}.first"), &trained.first)?;
            trained.second = kept(&format!("{name}.second"), &trained.second)?;
            trained.value = Var::from_tensor(&value).map_err(tensor_error)?;
        }
        for ([mean_name, variance_name], (mean, variance)) in
            running_names(self.running.len()).into_iter().zip(&mut self.running)
        {
            *mean = kept(&mean_name, mean)?;
            *variance = kept(&variance_name, variance)?;
        }
        Ok(())
    }
}

impl Trained {
    fn new(
        parameter: &Parameter,
        device: &TensorDevice,
        precision: DType,
    ) -> candle_core::Result<Self> {
        let value = Tensor::from_slice(&parameter.value, parameter.shape.as_slice(), device)?
            .to_dtype(precision)?;
        Ok(Self {
            first: value.zeros_like()?,
            second: value.zeros_like()?,
            value: Var::from_tensor(&value)?,
        })
    }
}

fn update(
    trained: &mut [Trained],
    gradients: &[Tensor],
    adam: &Adam,
    step: u64,
) -> candle_core::Result<()> {
    let (rate, root) = adam.corrections(step);
    let (beta1, beta2) = (f64::from(adam.beta1), f64::from(adam.beta2));
    for (weight, gradient) in trained.iter_mut().zip(gradients) {
        let value = weight.value.as_detached_tensor();
        if value.elem_count() == 0 {
            continue;
        }
        let gradient = gradient.add(&value.affine(f64::from(adam.weight_decay), 0.0)?)?;
        weight.first = weight.first.affine(beta1, 0.0)?.add(&gradient.affine(1.0 - beta1, 0.0)?)?;
        let square = gradient.sqr()?.affine(1.0 - beta2, 0.0)?;
        weight.second = weight.second.affine(beta2, 0.0)?.add(&square)?;
        let scale = weight.second.sqrt()?.affine(f64::from(root), f64::from(adam.epsilon))?;
        weight.value.set(&value.sub(&weight.first.div(&scale)?.affine(f64::from(rate), 0.0)?)?)?;
    }
    Ok(())
}

fn gradients(loss: &Tensor, trained: &[Trained]) -> candle_core::Result<Vec<Tensor>> {
    let store = loss.backward()?;
    let of = |weight: &Trained| match store.get(&weight.value) {
        Some(gradient) => Ok(gradient.detach()),
        // A table without categories has no conditions, and no weights for them.
        None if weight.value.elem_count() == 0 => weight.value.zeros_like(),
        None => bail!("no gradient reaches a weight of {:?}", weight.value.dims()),
    };
    trained.iter().map(of).collect()
}

/// The heads as tensor operations, all spans at once.
fn span_heads(
    heads: &Heads,
    precision: DType,
    device: &TensorDevice,
) -> candle_core::Result<SpanHeads> {
    let span = |head: &HeadSpan| Span {
        start: head.start,
        width: head.width,
        activation: if head.softmax { Activation::GumbelSoftmax } else { Activation::Tanh },
    };
    let spans: Vec<Span> = heads.spans().iter().map(span).collect();
    let temperature = f64::from(heads.temperature());
    Ok(SpanHeads::new(&spans, heads.width(), temperature, precision, device)?.as_expression())
}
