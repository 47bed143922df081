//! One optimiser step of the whole ensemble, with gradients written out.

mod generator;
mod loss;
mod optimiser;
mod sight;

use crate::codec::{Codes, Targets};
use crate::ensemble::MemberView;
use crate::network::{Layout, Part, Shape, Weights, forward};
use crate::team;
use generator::{Example, GeneratorState, Learned, Scratch};
use loss::negative_log_likelihood;
use meg_core::{Error, Result, Rng, Seed, StreamPosition, TrainingState};
use neural::kernels::{AdamWStep, Matrix, MatrixMut, add_squares, multiply};
use neural::training::first_not_finite;
pub(crate) use optimiser::{NotFinite, Optimiser, Stepped};
use serde::{Deserialize, Serialize};
use sight::seen;
pub(crate) use sight::{Ranks, Sight, context};
use std::sync::Arc;

/// Validation rows that go through the networks together.
pub(crate) const SCORED_TOGETHER: usize = 1_024;

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
            for (at, head) in shape.heads.iter().enumerate() {
                if let Some(sharing) = targets[head.place].sharing() {
                    let output = &mut state.weights.gradient[shape.range(Part::Output(at))];
                    sharing.apply(output, &mut scratch.sums);
                }
            }
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
