//! One optimiser step of the whole ensemble, with gradients written out.

use crate::codec::{Codes, Targets};
use crate::ensemble::MemberView;
use crate::network::{Activations, Dropout, Head, Layout, Part, Shape, Weights, forward};
use crate::team;
use meg_core::{Error, Result, Rng, Seed, StreamPosition, TrainingState};
use neural::kernels::{
    AdamWCells, AdamWStep, Matrix, MatrixMut, adamw, add_column_sums, add_squares, multiply,
    relu_dropout_backward, softmax_rows, sum_rows_by_code,
};
use neural::training::first_not_finite;
use rand::RngCore;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The settings of the optimiser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optimiser {
    /// Steps over which the learning rate rises to its full height.
    pub warmup: u64,
    /// Share of each weight (biases apart) that one unit of learning rate takes away.
    pub decay: f64,
    /// Largest norm of the gradient of all weights together.
    pub clip: f64,
    /// Share of the old running average that is kept, at most.
    pub average: f64,
    /// Share of hidden units that are silent.
    pub dropout: f64,
}

impl Optimiser {
    /// The constants of a step; `steps` counts from 1.
    pub(crate) fn step(&self, steps: u64, rate: f64, norm: f64) -> AdamWStep {
        let step = steps as f64;
        let rate = rate * (step / self.warmup.max(1) as f64).min(1.0);
        AdamWStep {
            // A norm that is no number has stopped the step; 0 is one.
            clip: (self.clip / norm.max(1e-30)).min(1.0) as f32,
            rate: (rate / (1.0 - BETA1.powf(step))) as f32,
            root: (1.0 / (1.0 - BETA2.powf(step)).sqrt()) as f32,
            beta1: BETA1 as f32,
            beta2: BETA2 as f32,
            epsilon: EPSILON,
            shrink: (rate * self.decay) as f32,
            keep: self.average.min((step + 1.0) / (step + 10.0)) as f32,
        }
    }

    /// The bytes below which dice silence a unit, and what the others are multiplied by.
    pub(crate) fn silence(&self) -> (u8, f32) {
        let silent = (self.dropout * 256.0).round() as u8;
        (silent, 256.0 / (256.0 - f32::from(silent)))
    }
}

/// A step that was not made, because a gradient is not finite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NotFinite {
    /// The loss of the step.
    pub loss: f64,
    /// A sentence about the gradient.
    pub tensor: String,
}

/// The mean loss of a step.
pub(crate) type Stepped = std::result::Result<f64, NotFinite>;

impl NotFinite {
    /// Looks for the gradient that made the norm no number.
    pub(crate) fn of<'g>(
        loss: f64,
        gradients: impl Iterator<Item = (String, &'g [f32])> + Clone,
    ) -> Self {
        let of = gradients.clone().map(|(name, cells)| (format!("the gradient of {name}"), cells));
        let tensor = first_not_finite(of).unwrap_or_else(|| {
            let largest = |cells: &[f32]| cells.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let all = gradients.map(|(name, cells)| (largest(cells), name));
            let most = all.max_by(|a, b| a.0.total_cmp(&b.0));
            let (cell, name) = most.unwrap_or_default();
            format!("the gradient of {name} holds {cell}, of which there is no square")
        });
        Self { loss, tensor }
    }

    /// The error of the update with this number.
    pub(crate) fn at(self, step: u64) -> Error {
        let Self { loss, tensor } = self;
        let problem = format!("the loss is {loss} and {tensor}; lower the learning rate");
        Error::Training { step, problem }
    }
}

/// What a checkpoint keeps of a trainer beside tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Streams {
    /// By generator.
    dropout: Vec<StreamPosition>,
    masks: StreamPosition,
}

impl Streams {
    pub(crate) fn of<'r>(dropout: impl Iterator<Item = &'r Rng>, ranks: &Ranks) -> Self {
        let dropout = dropout.map(StreamPosition::of).collect();
        Self { dropout, masks: StreamPosition::of(&ranks.rng) }
    }

    /// Moves these streams to where they stood.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for streams of another training.
    pub(crate) fn restore<'r>(
        &self,
        dropout: impl ExactSizeIterator<Item = &'r mut Rng>,
        ranks: &mut Ranks,
    ) -> Result<()> {
        if self.dropout.len() != dropout.len() {
            return Err(Error::Checkpoint(
                "it has another number of generators than the table asks for".into(),
            ));
        }
        self.masks.restore(&mut ranks.rng)?;
        self.dropout.iter().zip(dropout).try_for_each(|(position, rng)| position.restore(rng))
    }
}

/// The tensors of a weight in a checkpoint. A gradient is made anew by every step.
pub(crate) const LEARNED_PARTS: [&str; 4] = ["value", "first", "second", "average"];

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f32 = 1e-8;

/// Weights in training.
#[derive(Debug)]
pub(crate) struct Trainer {
    pub layout: Arc<Layout>,
    targets: Arc<[Targets]>,
    optimiser: Optimiser,
    generators: Vec<GeneratorState>,
    embeddings: Vec<Learned>,
    /// Per place, who sees its column.
    children: Vec<Vec<Child>>,
    scratch: Vec<Scratch>,
    /// The codes of the batch, per place.
    batch: Vec<Vec<u16>>,
    ranks: Ranks,
    steps: u64,
}

/// A head that sees a column, and as which one of its context.
#[derive(Debug)]
struct Child {
    generator: usize,
    head: usize,
    parent: usize,
}

/// With dynamic masks: per place and row of the batch, when the cell would be made.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// Empty without dynamic masks.
    places: Vec<Vec<u16>>,
    rng: Rng,
}

impl Ranks {
    pub(crate) fn new(layout: &Layout, seed: Seed) -> Self {
        let places = if layout.plan.dynamic { layout.codes.len() } else { 0 };
        Self { places: vec![Vec::new(); places], rng: seed.stream("meg/masks") }
    }

    /// A random order of the columns for every row: whatever number of columns is seen, and
    /// whichever they are, all are as likely as in sampling in random order.
    pub(crate) fn draw(&mut self, rows: usize) {
        if self.places.is_empty() {
            return;
        }
        let mut order: Vec<u16> = (0..self.places.len() as u16).collect();
        self.places.iter_mut().for_each(Vec::clear);
        for _ in 0..rows {
            order.shuffle(&mut self.rng);
            self.places.iter_mut().zip(&order).for_each(|(ranks, &rank)| ranks.push(rank));
        }
    }

    /// What heads see in training.
    pub(crate) fn sight(&self) -> Sight<'_> {
        if self.places.is_empty() { Sight::All } else { Sight::Ranks(&self.places) }
    }
}

/// What the heads see of the columns in their contexts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sight<'a> {
    /// Every cell.
    All,
    /// Columns that come earlier in the order.
    Earlier,
    /// Cells of a lower rank in their row.
    Ranks(&'a [Vec<u16>]),
}

/// A weight with its gradient, what Adam remembers of it, and its running average.
#[derive(Debug)]
struct Learned {
    value: Vec<f32>,
    gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
}

/// One masked generator in training, with an Adam state of its own.
#[derive(Debug)]
struct GeneratorState {
    weights: Learned,
    dropout: Rng,
    /// Per head, the gradient at the first layer, before its activation: what the embeddings need.
    deltas: Vec<Vec<f32>>,
    loss: f64,
    /// The loss of each head in scoring.
    losses: Vec<f64>,
}

#[derive(Debug, Default)]
struct Scratch {
    activations: Activations,
    normalisers: Vec<f32>,
    dice: Vec<u8>,
    /// Gradient of the sum of both hidden layers, and of the residual one.
    sum: Vec<f32>,
    second: Vec<f32>,
    /// Sums of the delta by code.
    sums: Vec<f32>,
    /// The codes of a context, hidden ones replaced.
    veiled: Vec<Vec<u16>>,
}

/// Below so many products per step a second thread costs more than it brings.
const PRODUCTS_PER_THREAD: usize = 2_000_000;

impl Trainer {
    pub(crate) fn new(
        layout: Arc<Layout>,
        targets: Arc<[Targets]>,
        optimiser: Optimiser,
        weights: Weights,
        seed: Seed,
        batch: usize,
        threads: usize,
    ) -> Self {
        let of_shape = |shape: &Shape| -> usize {
            shape.heads.iter().map(|head| shape.hidden * (shape.hidden + head.codes)).sum()
        };
        let products: usize = layout.shapes.iter().map(of_shape).sum();
        let threads = threads.clamp(1, 1 + products * batch / PRODUCTS_PER_THREAD);
        let generators = weights.generators.into_iter().zip(&layout.shapes).enumerate();
        let generators = generators.map(|(at, (value, shape))| GeneratorState {
            weights: Learned::new(value),
            dropout: seed.stream(&format!("meg/dropout/{at}")),
            deltas: vec![Vec::new(); shape.heads.len()],
            loss: 0.0,
            losses: vec![0.0; shape.heads.len()],
        });
        let generators = generators.collect();
        let places = layout.codes.len();
        let ranks = Ranks::new(&layout, seed);
        Self {
            children: children(&layout),
            layout,
            targets,
            optimiser,
            generators,
            embeddings: weights.embeddings.into_iter().map(Learned::new).collect(),
            scratch: (0..threads).map(|_| Scratch::default()).collect(),
            batch: vec![Vec::new(); places],
            ranks,
            steps: 0,
        }
    }

    /// One step on these rows; the mean loss of the rows in nats, summed over the columns. A
    /// gradient that is not finite changes no weight.
    ///
    /// # Errors
    /// [`NotFinite`], which names it.
    pub(crate) fn step(&mut self, codes: &Codes, rows: &[u32], rate: f64) -> Stepped {
        self.gather(codes, rows);
        self.learn(None, rate)
    }

    /// One step on rows given as codes by place, each of which counts as its weight says, which may
    /// be negative; the mean of the weighted losses.
    ///
    /// # Errors
    /// As for [`Trainer::step`].
    pub(crate) fn step_on(&mut self, batch: &[Vec<u16>], weights: &[f32], rate: f64) -> Stepped {
        self.batch.clone_from_slice(batch);
        self.learn(Some(weights), rate)
    }

    fn learn(&mut self, weights: Option<&[f32]>, rate: f64) -> Stepped {
        let rows = self.batch[0].len();
        self.ranks.draw(rows);
        self.steps += 1;
        let loss = self.gradients(rows, weights);
        let norm = self.norm();
        if !norm.is_finite() {
            let gradients: Vec<_> =
                self.named().map(|(name, one)| (name, &*one.gradient)).collect();
            return Err(NotFinite::of(loss, gradients.into_iter()));
        }
        let step = self.optimiser.step(self.steps, rate, norm);
        self.update(&step);
        Ok(loss)
    }

    /// For one network of two codes: how much likelier it takes code 1 for each row, given as codes
    /// by place, in nats, without dropout.
    pub(crate) fn log_odds(&mut self, batch: &[Vec<u16>]) -> Vec<f32> {
        let layout = Arc::clone(&self.layout);
        let (shape, state) = (&layout.shapes[0], &self.generators[0]);
        let head = &shape.heads[0];
        let mut odds = Vec::with_capacity(batch[0].len());
        for from in (0..batch[0].len()).step_by(SCORED_TOGETHER) {
            let rows = SCORED_TOGETHER.min(batch[0].len() - from);
            let context: Vec<&[u16]> =
                head.parents.iter().map(|&at| &batch[at][from..from + rows]).collect();
            let tables: Vec<&[f32]> =
                head.parents.iter().map(|&at| &*self.embeddings[at].average).collect();
            let out = &mut self.scratch[0].activations;
            let weights = &state.weights.average;
            forward((shape, 0), weights, &tables, &context, rows, None, out);
            odds.extend(out.logits.chunks_exact(2).map(|pair| pair[1] - pair[0]));
        }
        odds
    }

    /// The weights as they are now, to draw rows from.
    pub(crate) fn view(&self) -> MemberView<'_> {
        MemberView {
            layout: &self.layout,
            generators: self.generators.iter().map(|state| &*state.weights.value).collect(),
            embeddings: self.embeddings.iter().map(|learned| &*learned.value).collect(),
        }
    }

    /// The running averages of all weights.
    pub(crate) fn averages(&self) -> Weights {
        let average = |learned: &Learned| learned.average.clone();
        Weights {
            generators: self.generators.iter().map(|state| average(&state.weights)).collect(),
            embeddings: self.embeddings.iter().map(average).collect(),
        }
    }

    /// Overwrites these weights with the running averages: for those who keep the best ones of many.
    pub(crate) fn copy_averages(&self, weights: &mut Weights) {
        for (state, kept) in self.generators.iter().zip(&mut weights.generators) {
            kept.copy_from_slice(&state.weights.average);
        }
        for (learned, kept) in self.embeddings.iter().zip(&mut weights.embeddings) {
            kept.copy_from_slice(&learned.average);
        }
    }

    /// Goes on from these weights; what Adam remembers stays.
    pub(crate) fn go_back(&mut self, weights: &Weights) {
        for (state, saved) in self.generators.iter_mut().zip(&weights.generators) {
            state.weights.go_back(saved);
        }
        for (learned, saved) in self.embeddings.iter_mut().zip(&weights.embeddings) {
            learned.go_back(saved);
        }
    }

    /// A sentence about the first weight, gradient, moment or average that is not finite.
    pub(crate) fn not_finite(&self) -> Option<String> {
        let parts = self.named().flat_map(|(name, learned)| {
            let parts = [
                ("weight", &learned.value),
                ("gradient", &learned.gradient),
                ("first moment", &learned.first),
                ("second moment", &learned.second),
                ("running average", &learned.average),
            ];
            parts.map(|(part, cells)| (format!("the {part} of {name}"), &**cells))
        });
        first_not_finite(parts)
    }

    /// Writes all that decides the steps to come.
    ///
    /// # Errors
    /// When a part cannot be written.
    pub(crate) fn save(&self, prefix: &str, state: &mut TrainingState) -> Result<()> {
        let dropout = self.generators.iter().map(|one| &one.dropout);
        let streams = Streams::of(dropout, &self.ranks);
        state.put(&format!("{prefix}streams"), &streams)?;
        for (name, cells) in self.kept(prefix) {
            state.put_tensor(name, &[cells.len()], cells.to_vec());
        }
        Ok(())
    }

    /// Reads what [`Trainer::save`] wrote after so many steps.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when a part is missing or does not fit.
    pub(crate) fn restore(
        &mut self,
        prefix: &str,
        state: &TrainingState,
        steps: u64,
    ) -> Result<()> {
        let streams: Streams = state.part(&format!("{prefix}streams"))?;
        let dropout = self.generators.iter_mut().map(|one| &mut one.dropout);
        streams.restore(dropout, &mut self.ranks)?;
        self.steps = steps;
        let generators = self.generators.iter_mut().map(|state| &mut state.weights);
        for (at, learned) in generators.enumerate() {
            learned.read(&format!("{prefix}generator{at}"), state)?;
        }
        for (at, learned) in self.embeddings.iter_mut().enumerate() {
            learned.read(&format!("{prefix}embedding{at}"), state)?;
        }
        Ok(())
    }

    /// All weights with what they are called in a message.
    fn named(&self) -> impl Iterator<Item = (String, &Learned)> {
        let generators = self.generators.iter().enumerate();
        let generators =
            generators.map(|(at, state)| (self.layout.generator_name(at), &state.weights));
        let embeddings = self.embeddings.iter().enumerate();
        generators.chain(embeddings.map(|(place, one)| (self.layout.embedding_name(place), one)))
    }

    /// The tensors of a checkpoint by name.
    fn kept(&self, prefix: &str) -> Vec<(String, &[f32])> {
        let generators = self.generators.iter().map(|state| &state.weights).enumerate();
        let generators = generators.map(|(at, one)| (format!("{prefix}generator{at}"), one));
        let embeddings = self.embeddings.iter().enumerate();
        let embeddings = embeddings.map(|(at, one)| (format!("{prefix}embedding{at}"), one));
        let all = generators.chain(embeddings);
        all.flat_map(|(name, one)| {
            let parts = [&one.value, &one.first, &one.second, &one.average];
            let named = LEARNED_PARTS.iter().zip(parts);
            named.map(|(part, cells)| (format!("{name}.{part}"), &**cells)).collect::<Vec<_>>()
        })
        .collect()
    }

    /// The mean negative log-likelihood of these rows under the running averages, in nats, by place.
    pub(crate) fn scores(&mut self, codes: &Codes, rows: &[u32]) -> Vec<f64> {
        let mut totals = vec![0.0; self.layout.codes.len()];
        for part in rows.chunks(SCORED_TOGETHER) {
            self.gather(codes, part);
            let (layout, batch, embeddings) = (&*self.layout, &self.batch, &self.embeddings);
            let sight = if layout.plan.dynamic { Sight::Earlier } else { Sight::All };
            team::each(&mut self.scratch, &mut self.generators, |scratch, at, state| {
                let shape = &layout.shapes[at];
                for (at, head) in shape.heads.iter().enumerate() {
                    let tables: Vec<&[f32]> =
                        head.parents.iter().map(|&at| &*embeddings[at].average).collect();
                    let Scratch { activations, normalisers, veiled, .. } = scratch;
                    let context = context(layout, head, batch, sight, veiled);
                    let average = &state.weights.average;
                    let rows = part.len();
                    forward((shape, at), average, &tables, &context, rows, None, activations);
                    state.losses[at] = negative_log_likelihood(
                        &mut activations.logits,
                        head.codes,
                        &batch[head.place],
                        normalisers,
                    );
                }
            });
            for (state, shape) in self.generators.iter().zip(&self.layout.shapes) {
                for (head, loss) in shape.heads.iter().zip(&state.losses) {
                    totals[head.place] += loss;
                }
            }
        }
        totals.iter_mut().for_each(|total| *total /= rows.len() as f64);
        totals
    }

    fn gather(&mut self, codes: &Codes, rows: &[u32]) {
        for (&column, batch) in self.layout.plan.order.iter().zip(&mut self.batch) {
            let column = &codes.columns[column];
            batch.clear();
            batch.extend(rows.iter().map(|&row| column[row as usize]));
        }
    }

    /// Fills the gradients of all weights; returns the mean loss.
    fn gradients(&mut self, rows: usize, weights: Option<&[f32]>) -> f64 {
        let (layout, batch, targets) = (&*self.layout, &self.batch, &self.targets);
        let (embeddings, silence) = (&self.embeddings, self.optimiser.silence());
        let sight = self.ranks.sight();
        team::each(&mut self.scratch, &mut self.generators, |scratch, at, state| {
            let shape = &layout.shapes[at];
            state.begin(shape);
            let mut veiled = std::mem::take(&mut scratch.veiled);
            for (at, head) in shape.heads.iter().enumerate() {
                let tables: Vec<&[f32]> =
                    head.parents.iter().map(|&at| &*embeddings[at].value).collect();
                let example = Example {
                    context: &context(layout, head, batch, sight, &mut veiled),
                    own: &batch[head.place],
                    targets: &targets[head.place],
                    weights,
                };
                state.backward((shape, at), &tables, &example, rows, silence, scratch);
            }
            scratch.veiled = veiled;
        });
        let (generators, children) = (&self.generators, &self.children);
        team::each(&mut self.scratch, &mut self.embeddings, |scratch, place, learned| {
            learned.gradient.fill(0.0);
            let mut veiled = std::mem::take(&mut scratch.veiled);
            for child in &children[place] {
                let (shape, state) =
                    (&layout.shapes[child.generator], &generators[child.generator]);
                let head = &shape.heads[child.head];
                let slot = head.slots[child.parent];
                let codes = seen(layout, (place, head.place), batch, sight, &mut veiled);
                let sums = scratch.sums_by_code(shape, slot, &state.deltas[child.head], codes);
                let weights = &state.weights.value[shape.slot(slot)];
                let (size, width, hidden) = (shape.context[slot], shape.embedding, shape.hidden);
                multiply(
                    &mut MatrixMut::new(&mut learned.gradient, size, width),
                    1.0,
                    Matrix::new(sums, size, hidden),
                    Matrix::new(weights, width, hidden).transposed(),
                    1,
                );
            }
            scratch.veiled = veiled;
        });
        self.generators.iter().map(|state| state.loss).sum::<f64>() / rows as f64
    }

    fn norm(&self) -> f64 {
        let all = self.generators.iter().map(|state| &state.weights).chain(&self.embeddings);
        let mut sum = 0.0;
        for learned in all {
            add_squares(&learned.gradient, &mut sum);
        }
        sum.sqrt()
    }

    fn update(&mut self, step: &AdamWStep) {
        let layout = &*self.layout;
        let bias_step = AdamWStep { shrink: 0.0, ..*step };
        team::each(&mut self.scratch, &mut self.generators, |_, at, state| {
            for part in layout.shapes[at].parts() {
                let step = if part.is_bias() { &bias_step } else { step };
                state.weights.update(layout.shapes[at].range(part), step);
            }
        });
        team::each(&mut self.scratch, &mut self.embeddings, |_, _, learned| {
            learned.update(0..learned.value.len(), step);
        });
    }
}

/// Who sees the column at each place.
fn children(layout: &Layout) -> Vec<Vec<Child>> {
    let mut children: Vec<Vec<Child>> = layout.codes.iter().map(|_| Vec::new()).collect();
    for (generator, shape) in layout.shapes.iter().enumerate() {
        for (at, head) in shape.heads.iter().enumerate() {
            for (parent, &place) in head.parents.iter().enumerate() {
                children[place].push(Child { generator, head: at, parent });
            }
        }
    }
    children
}

/// The codes of the columns in a head's context, as it sees them.
pub(crate) fn context<'a>(
    layout: &Layout,
    head: &Head,
    batch: &'a [Vec<u16>],
    sight: Sight<'_>,
    veiled: &'a mut Vec<Vec<u16>>,
) -> Vec<&'a [u16]> {
    veiled.resize_with(head.parents.len().max(veiled.len()), Vec::new);
    let parents = head.parents.iter().zip(veiled.iter_mut());
    parents.map(|(&at, veiled)| veil(layout, (at, head.place), batch, sight, veiled)).collect()
}

/// The codes of one column as one head sees them.
fn seen<'a>(
    layout: &Layout,
    places: (usize, usize),
    batch: &'a [Vec<u16>],
    sight: Sight<'_>,
    veiled: &'a mut Vec<Vec<u16>>,
) -> &'a [u16] {
    veiled.resize_with(veiled.len().max(1), Vec::new);
    veil(layout, places, batch, sight, &mut veiled[0])
}

/// The codes of the column at place `parent` as the head of place `own` sees them. A cell that it
/// does not see has the code behind those of the column.
fn veil<'a>(
    layout: &Layout,
    (parent, own): (usize, usize),
    batch: &'a [Vec<u16>],
    sight: Sight<'_>,
    veiled: &'a mut Vec<u16>,
) -> &'a [u16] {
    let cells = &batch[parent];
    let hidden = layout.codes[parent] as u16;
    veiled.clear();
    match sight {
        Sight::All => return cells,
        Sight::Earlier if parent < own => return cells,
        Sight::Earlier => veiled.resize(cells.len(), hidden),
        Sight::Ranks(ranks) => {
            let earlier = ranks[parent].iter().zip(&ranks[own]).map(|(parent, own)| parent < own);
            let cells = cells.iter().zip(earlier);
            veiled.extend(cells.map(|(&cell, seen)| if seen { cell } else { hidden }));
        }
    }
    veiled
}

#[cfg(test)]
impl Trainer {
    /// As many threads as a large table would get.
    pub(crate) fn set_threads(&mut self, threads: usize) {
        self.scratch.resize_with(threads, Scratch::default);
    }

    /// The gradients of the last step, of generators and of embeddings.
    pub(crate) fn all_gradients(&self) -> (Vec<&[f32]>, Vec<&[f32]>) {
        let generators = self.generators.iter().map(|state| &*state.weights.gradient);
        let embeddings = self.embeddings.iter().map(|learned| &*learned.gradient);
        (generators.collect(), embeddings.collect())
    }
}

/// Validation rows that go through the networks together.
pub(crate) const SCORED_TOGETHER: usize = 1_024;

impl Learned {
    fn new(value: Vec<f32>) -> Self {
        let zeros = || vec![0.0; value.len()];
        let (gradient, first, second) = (zeros(), zeros(), zeros());
        Self { average: value.clone(), value, gradient, first, second }
    }

    fn go_back(&mut self, saved: &[f32]) {
        self.value.copy_from_slice(saved);
        self.average.copy_from_slice(saved);
    }

    fn read(&mut self, name: &str, state: &TrainingState) -> Result<()> {
        let [value, first, second, average] = LEARNED_PARTS.map(|part| format!("{name}.{part}"));
        let shape = [self.value.len()];
        self.value.copy_from_slice(&state.tensor(&value, &shape)?.data);
        self.first.copy_from_slice(&state.tensor(&first, &shape)?.data);
        self.second.copy_from_slice(&state.squares(&second, &shape)?.data);
        self.average.copy_from_slice(&state.tensor(&average, &shape)?.data);
        Ok(())
    }

    fn update(&mut self, cells: std::ops::Range<usize>, step: &AdamWStep) {
        let cells = AdamWCells {
            value: &mut self.value[cells.clone()],
            gradient: &self.gradient[cells.clone()],
            first: &mut self.first[cells.clone()],
            second: &mut self.second[cells.clone()],
            average: &mut self.average[cells],
        };
        adamw(cells, step);
    }
}

/// What one generator is shown: its context, and the codes of its own column that it should make.
struct Example<'a> {
    context: &'a [&'a [u16]],
    own: &'a [u16],
    targets: &'a Targets,
    /// How much each row counts; equally where there are none.
    weights: Option<&'a [f32]>,
}

impl GeneratorState {
    /// Clears what the heads add up.
    fn begin(&mut self, shape: &Shape) {
        self.loss = 0.0;
        if shape.heads.len() > 1 {
            self.weights.gradient.fill(0.0);
        }
    }

    /// Adds loss and gradients of one head. The loss is the cross-entropy against the soft targets,
    /// summed over the rows; the gradient is that of its mean.
    fn backward(
        &mut self,
        (shape, at): (&Shape, usize),
        embeddings: &[&[f32]],
        example: &Example<'_>,
        rows: usize,
        (silent, scale): (u8, f32),
        scratch: &mut Scratch,
    ) {
        let head = &shape.heads[at];
        let (hidden, codes) = (shape.hidden, head.codes);
        // A generator of one column overwrites what it has of the last step.
        let keep = if shape.heads.len() > 1 { 1.0 } else { 0.0 };
        scratch.dice.resize(2 * rows * hidden, 0);
        if silent > 0 {
            self.dropout.fill_bytes(&mut scratch.dice);
        }
        let Scratch { activations, normalisers, dice, sum, second, .. } = scratch;
        let dropout = Some(Dropout { dice, silent, scale });
        let value = &self.weights.value;
        forward((shape, at), value, embeddings, example.context, rows, dropout, activations);
        let logits = &mut activations.logits;
        self.loss += cross_entropy(logits, codes, example, normalisers);

        let gradient = &mut self.weights.gradient;
        let weights = |part| &value[shape.range(part)];
        let wide = Matrix::new(logits, rows, codes);
        transposed_product(
            &mut gradient[shape.range(Part::Output(at))],
            keep,
            &activations.sum,
            logits,
            [rows, hidden, codes],
        );
        sum_columns(&mut gradient[shape.range(Part::OutputBias(at))], 0.0, logits);
        sum.resize(rows * hidden, 0.0);
        let output = Matrix::new(weights(Part::Output(at)), hidden, codes).transposed();
        multiply(&mut MatrixMut::new(sum, rows, hidden), 0.0, wide, output, 1);

        second.clear();
        second.extend_from_slice(sum);
        relu_dropout_backward(second, &activations.second, scale);
        transposed_product(
            &mut gradient[shape.range(Part::Second)],
            keep,
            &activations.first,
            second,
            [rows, hidden, hidden],
        );
        sum_columns(&mut gradient[shape.range(Part::SecondBias)], keep, second);

        let delta = &mut self.deltas[at];
        delta.clear();
        delta.extend_from_slice(sum);
        let residual = Matrix::new(weights(Part::Second), hidden, hidden).transposed();
        let cells = &mut MatrixMut::new(delta, rows, hidden);
        multiply(cells, 1.0, Matrix::new(second, rows, hidden), residual, 1);
        relu_dropout_backward(delta, &activations.first, scale);
        sum_columns(&mut gradient[shape.range(Part::FirstBias(at))], 0.0, delta);
        let first = shape.range(Part::First).start;
        let slots = head.slots.iter();
        for (&slot, (&embedding, &own)) in slots.zip(embeddings.iter().zip(example.context)) {
            let sums = scratch.sums_by_code(shape, slot, delta, own);
            let cells = shape.slot(slot);
            let part = &mut gradient[first + cells.start..first + cells.end];
            let sizes = [shape.context[slot], shape.embedding, hidden];
            transposed_product(part, keep, embedding, sums, sizes);
        }
    }
}

impl Scratch {
    /// The delta of a generator, summed over the rows of each code of one column of its context.
    fn sums_by_code(&mut self, shape: &Shape, slot: usize, delta: &[f32], codes: &[u16]) -> &[f32] {
        self.sums.clear();
        self.sums.resize(shape.context[slot] * shape.hidden, 0.0);
        sum_rows_by_code(&mut self.sums, shape.hidden, delta, codes);
        &self.sums
    }
}

/// `out = keep * out + leftᵀ * right` for row-major `left` of `[rows, m]` and `right` of
/// `[rows, n]` cells.
fn transposed_product(
    out: &mut [f32],
    keep: f32,
    left: &[f32],
    right: &[f32],
    [rows, m, n]: [usize; 3],
) {
    let left = Matrix::new(left, rows, m).transposed();
    multiply(&mut MatrixMut::new(out, m, n), keep, left, Matrix::new(right, rows, n), 1);
}

fn sum_columns(sums: &mut [f32], keep: f32, cells: &[f32]) {
    if keep == 0.0 {
        sums.fill(0.0);
    }
    add_column_sums(sums, cells);
}

/// Turns logits into the gradient of the mean cross-entropy; returns the sum of the
/// cross-entropies.
fn cross_entropy(
    logits: &mut [f32],
    codes: usize,
    example: &Example<'_>,
    normalisers: &mut Vec<f32>,
) -> f64 {
    let rows = example.own.len();
    let band = |row: usize| example.targets.band(usize::from(example.own[row]));
    let weight = |row: usize| example.weights.map_or(1.0, |weights| weights[row]);
    let mut wanted = 0.0;
    for row in 0..rows {
        let (start, weights) = band(row);
        let from = row * codes + start;
        let logits = &logits[from..from + weights.len()];
        let sum = logits.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
        wanted += f64::from(weight(row)) * f64::from(sum);
    }
    normalisers.resize(rows, 0.0);
    let share = 1.0 / rows as f32;
    softmax_rows(logits, codes, share, normalisers);
    for row in 0..rows {
        let (start, weights) = band(row);
        let from = row * codes + start;
        for (cell, weight) in logits[from..from + weights.len()].iter_mut().zip(weights) {
            *cell -= share * weight;
        }
    }
    if let Some(weights) = example.weights {
        for (cells, weight) in logits.chunks_exact_mut(codes).zip(weights) {
            cells.iter_mut().for_each(|cell| *cell *= weight);
        }
    }
    let normalisers = normalisers.iter().enumerate();
    normalisers.map(|(row, &x)| f64::from(weight(row)) * f64::from(x)).sum::<f64>() - wanted
}

/// The sum over rows of minus the log-probability of each row's own code. The logits are spent.
pub(crate) fn negative_log_likelihood(
    logits: &mut [f32],
    codes: usize,
    own: &[u16],
    normalisers: &mut Vec<f32>,
) -> f64 {
    let wanted = own.iter().enumerate().map(|(row, &code)| logits[row * codes + usize::from(code)]);
    let wanted: f64 = wanted.map(f64::from).sum();
    normalisers.resize(own.len(), 0.0);
    softmax_rows(logits, codes, 1.0, normalisers);
    normalisers.iter().map(|&x| f64::from(x)).sum::<f64>() - wanted
}
