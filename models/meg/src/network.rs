//! The networks of the ensemble: sizes, weights, and the forward pass that training, validation,
//! sampling and densities share.

use crate::codec::TableCodec;
use crate::masks::Plan;
use meg_core::{Result, Rng, TrainingState, parallel};
use neural::kernels::{
    Matrix, MatrixMut, add_cells, add_table_rows, fill_rows, multiply, relu, relu_dropout,
};
use rand::Rng as _;
use rand_distr::StandardNormal;
use std::ops::Range;

/// Sizes of one generator: embeddings of its context, a hidden layer, a residual hidden layer, and
/// for each of its columns a softmax over the column's codes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// Rows of the embeddings of all columns that it ever sees.
    pub context: Vec<usize>,
    /// Cells of an embedding.
    pub embedding: usize,
    /// Units of each hidden layer.
    pub hidden: usize,
    /// The columns that it makes.
    pub heads: Vec<Head>,
}

/// One column that a generator makes. Hidden layers are shared by all of them; the bias of the
/// first one is the column's own and so tells the network which column is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    /// Place of the column in the order of the ensemble.
    pub place: usize,
    /// Codes of the column.
    pub codes: usize,
    /// Places of the columns in its context.
    pub parents: Vec<usize>,
    /// Where these stand in the context of the generator.
    pub slots: Vec<usize>,
    /// Where the weights of its own begin, but for the first head.
    start: usize,
}

/// The parts of a generator's weights, which lie behind each other in one slice: shared ones, and
/// those of each head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// First layer, (context x embedding) rows of `hidden`.
    First,
    /// Its bias for one head.
    FirstBias(usize),
    /// Residual layer, `hidden` rows of `hidden`.
    Second,
    /// Its bias.
    SecondBias,
    /// Output layer of one head, `hidden` rows of `codes`.
    Output(usize),
    /// Its bias.
    OutputBias(usize),
}

impl Part {
    /// Biases do not decay.
    pub(crate) fn is_bias(self) -> bool {
        matches!(self, Part::FirstBias(_) | Part::SecondBias | Part::OutputBias(_))
    }

    pub(crate) fn name(self) -> String {
        match self {
            Part::First => "first".into(),
            Part::FirstBias(head) => format!("first_bias{head}"),
            Part::Second => "second".into(),
            Part::SecondBias => "second_bias".into(),
            Part::Output(head) => format!("output{head}"),
            Part::OutputBias(head) => format!("output_bias{head}"),
        }
    }
}

impl Shape {
    /// All parts, in the order of the slice.
    pub(crate) fn parts(&self) -> Vec<Part> {
        use Part::{First, FirstBias, Output, OutputBias, Second, SecondBias};
        let mut parts = vec![First, FirstBias(0), Second, SecondBias, Output(0), OutputBias(0)];
        let others = 1..self.heads.len();
        parts.extend(others.flat_map(|head| [FirstBias(head), Output(head), OutputBias(head)]));
        parts
    }

    /// Rows and columns of a part; a bias is one row.
    pub(crate) fn size(&self, part: Part) -> (usize, usize) {
        match part {
            Part::First => (self.context.len() * self.embedding, self.hidden),
            Part::FirstBias(_) | Part::SecondBias => (1, self.hidden),
            Part::Second => (self.hidden, self.hidden),
            Part::Output(head) => (self.hidden, self.heads[head].codes),
            Part::OutputBias(head) => (1, self.heads[head].codes),
        }
    }

    /// Where a part lies among the weights.
    pub(crate) fn range(&self, part: Part) -> Range<usize> {
        let hidden = self.hidden;
        let second = self.context.len() * self.embedding * hidden + hidden;
        let output = |head: usize| match head {
            0 => second + hidden * hidden + hidden,
            _ => self.heads[head].start + hidden,
        };
        let start = match part {
            Part::First => 0,
            Part::FirstBias(0) => second - hidden,
            Part::FirstBias(head) => self.heads[head].start,
            Part::Second => second,
            Part::SecondBias => second + hidden * hidden,
            Part::Output(head) => output(head),
            Part::OutputBias(head) => output(head) + hidden * self.heads[head].codes,
        };
        let (rows, columns) = self.size(part);
        start..start + rows * columns
    }

    /// The rows of the first layer that belong to one column of the context.
    pub(crate) fn slot(&self, slot: usize) -> Range<usize> {
        let cells = self.embedding * self.hidden;
        slot * cells..(slot + 1) * cells
    }

    /// Number of weights.
    pub(crate) fn weights(&self) -> usize {
        self.range(Part::OutputBias(self.heads.len() - 1)).end
    }

    /// Lays the weights of the heads out behind each other.
    fn lay_out(mut self) -> Self {
        for head in 1..self.heads.len() {
            self.heads[head].start = self.range(Part::OutputBias(head - 1)).end;
        }
        self
    }
}

/// One member of the ensemble without its weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// The masks that it was made from.
    pub plan: Plan,
    /// Codes of the column at each place of the order.
    pub codes: Vec<usize>,
    /// Sizes of the generators.
    pub shapes: Vec<Shape>,
    /// For each place, the generator and the head that make it.
    pub makers: Vec<(usize, usize)>,
    /// Cells of an embedding.
    pub embedding: usize,
    /// Names of the columns, by place.
    pub names: Vec<String>,
}

impl Layout {
    /// The networks for these masks, which must have been checked.
    pub(crate) fn new(plan: Plan, codec: &TableCodec, embedding: usize, hidden: usize) -> Self {
        let mut place = vec![usize::MAX; codec.columns().len()];
        plan.order.iter().enumerate().for_each(|(at, &column)| place[column] = at);
        let codes: Vec<usize> = plan.order.iter().map(|&column| codec.size(column)).collect();
        let rows = |at: usize| codes[at] + usize::from(plan.dynamic);
        let shapes = plan.generators.iter().map(|mask| {
            let mut seen: Vec<usize> = Vec::new();
            let heads = mask.outputs.iter().map(|output| {
                let parents: Vec<usize> = output.context.iter().map(|&at| place[at]).collect();
                let slots = parents.iter().map(|parent| {
                    seen.iter().position(|other| other == parent).unwrap_or_else(|| {
                        seen.push(*parent);
                        seen.len() - 1
                    })
                });
                let slots = slots.collect();
                let place = place[output.column];
                Head { place, codes: codes[place], parents, slots, start: 0 }
            });
            let heads = heads.collect();
            let context = seen.into_iter().map(rows).collect();
            Shape { context, embedding, hidden, heads }.lay_out()
        });
        let shapes: Vec<Shape> = shapes.collect();
        let makers = makers(&shapes, codes.len());
        let columns = &codec.schema().columns;
        let names = plan.order.iter().map(|&column| columns[column].name.clone()).collect();
        Self { plan, shapes, makers, embedding, codes, names }
    }

    /// The network that sees all columns of a layout and makes one column more, of two codes.
    pub(crate) fn judging(of: &Layout, plan: Plan, hidden: usize) -> Self {
        let (seen, embedding) = (&of.codes, of.embedding);
        let place = seen.len();
        let all: Vec<usize> = (0..place).collect();
        let head = Head { place, codes: 2, parents: all.clone(), slots: all, start: 0 };
        let context = seen.clone();
        let shapes = vec![Shape { context, embedding, hidden, heads: vec![head] }];
        let codes: Vec<usize> = seen.iter().copied().chain([2]).collect();
        let makers = makers(&shapes, codes.len());
        let names = of.names.iter().cloned().chain(["real or drawn".into()]).collect();
        Self { plan, shapes, makers, embedding, codes, names }
    }

    /// What a generator is called in a message: by its columns.
    pub(crate) fn generator_name(&self, at: usize) -> String {
        let of = |head: &Head| format!("{:?}", self.names[head.place]);
        let made: Vec<String> = self.shapes[at].heads.iter().map(of).collect();
        format!("the generator of {}", made.join(", "))
    }

    /// What the embedding of a place is called in a message.
    pub(crate) fn embedding_name(&self, place: usize) -> String {
        format!("the embedding of {:?}", self.names[place])
    }

    /// Rows of the embedding of the column at a place: its codes, and with dynamic masks one more
    /// for a hidden cell.
    pub(crate) fn embedding_rows(&self, place: usize) -> usize {
        self.codes[place] + usize::from(self.plan.dynamic)
    }

    /// By place, the rank of each row of its embedding, where it has one.
    pub(crate) fn ranks(&self, codec: &TableCodec) -> Vec<Vec<Option<f32>>> {
        let of = |&column: &usize| {
            let mut ranks = codec.ranks(column);
            ranks.extend(self.plan.dynamic.then_some(None));
            ranks
        };
        self.plan.order.iter().map(of).collect()
    }

    /// Number of weights, embeddings included.
    pub(crate) fn weights(&self) -> usize {
        let embeddings = (0..self.codes.len()).map(|at| self.embedding_rows(at) * self.embedding);
        embeddings.chain(self.shapes.iter().map(Shape::weights)).sum()
    }

    /// The head that makes a place, and its generator.
    pub(crate) fn maker(&self, place: usize) -> (usize, &Head) {
        let (generator, head) = self.makers[place];
        (generator, &self.shapes[generator].heads[head])
    }
}

fn makers(shapes: &[Shape], places: usize) -> Vec<(usize, usize)> {
    let mut makers = vec![(0, 0); places];
    for (generator, shape) in shapes.iter().enumerate() {
        shape.heads.iter().enumerate().for_each(|(at, head)| makers[head.place] = (generator, at));
    }
    makers
}

/// All weights of a member: per generator its own, and per place the embedding of its column that
/// all generators share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub generators: Vec<Vec<f32>>,
    pub embeddings: Vec<Vec<f32>>,
}

/// Highest frequency, in half waves over a column, of the embedding of an ordered code.
const FREQUENCIES: Range<f32> = 0.25..4.25;

impl Weights {
    /// Weights to begin with: He et al. (2015) for the hidden layers, next to nothing for the
    /// output layer, whose bias is the logarithm of the training shares; ordered codes begin as
    /// waves over their ranks. `ranks` ([`Layout::ranks`]) and `counts` ([`counts`]) are by place.
    pub(crate) fn new(
        layout: &Layout,
        ranks: &[Vec<Option<f32>>],
        counts: &[Vec<u64>],
        rng: &mut Rng,
    ) -> Self {
        let width = layout.embedding;
        let embeddings = ranks.iter().map(|ranks| embedding(ranks, width, rng)).collect();
        let generators = layout.shapes.iter().map(|shape| initial(shape, counts, rng)).collect();
        Self { generators, embeddings }
    }
}

impl Weights {
    /// Writes all weights into a checkpoint.
    pub(crate) fn save(&self, prefix: &str, state: &mut TrainingState) {
        for (name, cells) in self.named(prefix) {
            state.put_tensor(name, &[cells.len()], cells.to_vec());
        }
    }

    /// Reads what [`Weights::save`] wrote over weights of the same sizes.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when a tensor is missing or does not fit.
    pub(crate) fn restore(&mut self, prefix: &str, state: &TrainingState) -> Result<()> {
        let names: Vec<String> = self.named(prefix).into_iter().map(|(name, _)| name).collect();
        let all = self.generators.iter_mut().chain(&mut self.embeddings);
        for (name, cells) in names.iter().zip(all) {
            let tensor = state.tensor(name, &[cells.len()])?;
            cells.copy_from_slice(&tensor.data);
        }
        Ok(())
    }

    /// Zeros of the sizes of a layout.
    pub(crate) fn zeros(layout: &Layout) -> Self {
        let width = layout.embedding;
        let embedding = |place: usize| vec![0.0; layout.embedding_rows(place) * width];
        Self {
            generators: layout.shapes.iter().map(|shape| vec![0.0; shape.weights()]).collect(),
            embeddings: (0..layout.codes.len()).map(embedding).collect(),
        }
    }

    fn named(&self, prefix: &str) -> Vec<(String, &Vec<f32>)> {
        let generators = self.generators.iter().enumerate();
        let generators = generators.map(|(at, cells)| (format!("{prefix}generator{at}"), cells));
        let embeddings = self.embeddings.iter().enumerate();
        let embeddings = embeddings.map(|(at, cells)| (format!("{prefix}embedding{at}"), cells));
        generators.chain(embeddings).collect()
    }
}

/// First weights of a generator; `counts` by place.
fn initial(shape: &Shape, counts: &[Vec<u64>], rng: &mut Rng) -> Vec<f32> {
    let mut weights = vec![0.0; shape.weights()];
    for part in shape.parts() {
        let sd = match part {
            Part::First => (2.0 / shape.size(part).0.max(1) as f32).sqrt(),
            Part::Second => 0.7 * (2.0 / shape.hidden as f32).sqrt(),
            Part::Output(_) => 0.01,
            _ => continue,
        };
        for weight in &mut weights[shape.range(part)] {
            *weight = sd * rng.sample::<f32, _>(StandardNormal);
        }
    }
    for (at, head) in shape.heads.iter().enumerate() {
        let counts = &counts[head.place];
        // Half a row more for each code: a code of the validation rows alone has a share too.
        let total = counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
        let bias = &mut weights[shape.range(Part::OutputBias(at))];
        for (bias, &count) in bias.iter_mut().zip(counts) {
            *bias = ((count as f64 + 0.5) / total).ln() as f32;
        }
    }
    weights
}

fn embedding(ranks: &[Option<f32>], width: usize, rng: &mut Rng) -> Vec<f32> {
    let waves: Vec<(f32, f32)> = (0..width)
        .map(|_| (rng.random_range(FREQUENCIES), rng.random_range(0.0..std::f32::consts::TAU)))
        .collect();
    let mut cells = Vec::with_capacity(ranks.len() * width);
    for rank in ranks {
        for &(frequency, phase) in &waves {
            cells.push(match rank {
                Some(u) => 1.4 * (std::f32::consts::PI * frequency * u + phase).sin(),
                None => rng.sample(StandardNormal),
            });
        }
    }
    cells
}

/// The cells that a generator computes for a batch of rows.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    /// Products of the embeddings of one column with its rows of the first layer.
    pub table: Vec<f32>,
    /// After the first layer.
    pub first: Vec<f32>,
    /// After the residual layer, without what it is added to.
    pub second: Vec<f32>,
    /// Their sum.
    pub sum: Vec<f32>,
    /// One logit per row and code.
    pub logits: Vec<f32>,
}

/// Which hidden units are silent in a training step: a byte for each unit of both layers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout<'a> {
    /// Random bytes, first layer first.
    pub dice: &'a [u8],
    /// Bytes below it silence their unit.
    pub silent: u8,
    /// What the others are multiplied by.
    pub scale: f32,
}

/// Computes the logits of one head of a generator for rows whose context has these codes, one slice
/// per column of the head's context. Codes enter through the products of their embeddings with the
/// first layer, of which there are far fewer than rows.
pub(crate) fn forward(
    (shape, head): (&Shape, usize),
    weights: &[f32],
    embeddings: &[&[f32]],
    context: &[&[u16]],
    rows: usize,
    dropout: Option<Dropout<'_>>,
    out: &mut Activations,
) {
    let (hidden, codes) = (shape.hidden, shape.heads[head].codes);
    let part = |part: Part| &weights[shape.range(part)];
    for cells in [&mut out.first, &mut out.second, &mut out.sum] {
        cells.resize(rows * hidden, 0.0);
    }
    out.logits.resize(rows * codes, 0.0);
    fill_rows(&mut out.first, part(Part::FirstBias(head)), &[], &[]);
    let first = part(Part::First);
    let slots = shape.heads[head].slots.iter();
    for (&slot, (&embedding, &seen)) in slots.zip(embeddings.iter().zip(context)) {
        let size = shape.context[slot];
        out.table.resize(size * hidden, 0.0);
        product(
            &mut out.table,
            0.0,
            embedding,
            &first[shape.slot(slot)],
            [size, shape.embedding, hidden],
        );
        add_table_rows(&mut out.first, hidden, &out.table, seen);
    }
    activate(&mut out.first, dropout, 0);
    fill_rows(&mut out.second, part(Part::SecondBias), &[], &[]);
    product(&mut out.second, 1.0, &out.first, part(Part::Second), [rows, hidden, hidden]);
    activate(&mut out.second, dropout, rows * hidden);
    add_cells(&mut out.sum, &out.first, &out.second);
    fill_rows(&mut out.logits, part(Part::OutputBias(head)), &[], &[]);
    product(&mut out.logits, 1.0, &out.sum, part(Part::Output(head)), [rows, hidden, codes]);
}

/// `out = keep * out + left * right` for row-major matrices of `[m, k]` and `[k, n]` cells.
pub(crate) fn product(
    out: &mut [f32],
    keep: f32,
    left: &[f32],
    right: &[f32],
    [m, k, n]: [usize; 3],
) {
    let out = &mut MatrixMut::new(out, m, n);
    multiply(out, keep, Matrix::new(left, m, k), Matrix::new(right, k, n), 1);
}

fn activate(cells: &mut [f32], dropout: Option<Dropout<'_>>, from: usize) {
    match dropout {
        None => relu(cells),
        Some(Dropout { dice, silent, scale }) => relu_dropout(cells, &dice[from..], silent, scale),
    }
}

/// How often each code of the column at each place occurs in these rows.
pub(crate) fn counts(
    layout: &Layout,
    codes: &crate::codec::Codes,
    rows: &[u32],
    threads: usize,
) -> Vec<Vec<u64>> {
    parallel::map(threads, layout.codes.len(), |at| {
        let mut counts = vec![0; layout.codes[at]];
        let column = &codes.columns[layout.plan.order[at]];
        rows.iter().for_each(|&row| counts[usize::from(column[row as usize])] += 1);
        counts
    })
}
