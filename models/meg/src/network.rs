//! The networks of the ensemble: sizes, weights, and the forward pass that training, validation,
//! sampling and densities share.

use crate::codec::TableCodec;
use crate::masks::Mask;
use meg_core::{Rng, parallel};
use neural::kernels::{
    Matrix, MatrixMut, add_cells, add_table_rows, fill_rows, multiply, relu, relu_dropout,
};
use rand::Rng as _;
use rand_distr::StandardNormal;
use std::ops::Range;

/// Sizes of one generator: embeddings of its context, a hidden layer, a residual hidden layer, and
/// a softmax over the codes of its column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// Sizes (numbers of codes) of the columns in its context.
    pub context: Vec<usize>,
    /// Cells of an embedding.
    pub embedding: usize,
    /// Units of each hidden layer.
    pub hidden: usize,
    /// Codes of its own column.
    pub codes: usize,
}

/// The parts of a generator's weights, which lie behind each other in one slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// First layer, (context x embedding) rows of `hidden`.
    First,
    /// Its bias.
    FirstBias,
    /// Residual layer, `hidden` rows of `hidden`.
    Second,
    /// Its bias.
    SecondBias,
    /// Output layer, `hidden` rows of `codes`.
    Output,
    /// Its bias.
    OutputBias,
}

impl Part {
    /// All parts, in the order of the slice.
    pub(crate) const ALL: [Part; 6] = [
        Part::First,
        Part::FirstBias,
        Part::Second,
        Part::SecondBias,
        Part::Output,
        Part::OutputBias,
    ];

    /// Biases do not decay.
    pub(crate) fn is_bias(self) -> bool {
        matches!(self, Part::FirstBias | Part::SecondBias | Part::OutputBias)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::First => "first",
            Part::FirstBias => "first_bias",
            Part::Second => "second",
            Part::SecondBias => "second_bias",
            Part::Output => "output",
            Part::OutputBias => "output_bias",
        }
    }
}

impl Shape {
    /// Rows and columns of a part; a bias is one row.
    pub(crate) fn size(&self, part: Part) -> (usize, usize) {
        match part {
            Part::First => (self.context.len() * self.embedding, self.hidden),
            Part::FirstBias | Part::SecondBias => (1, self.hidden),
            Part::Second => (self.hidden, self.hidden),
            Part::Output => (self.hidden, self.codes),
            Part::OutputBias => (1, self.codes),
        }
    }

    /// Where a part lies among the weights.
    pub(crate) fn range(&self, part: Part) -> Range<usize> {
        let mut start = 0;
        for other in Part::ALL {
            let (rows, columns) = self.size(other);
            if other == part {
                return start..start + rows * columns;
            }
            start += rows * columns;
        }
        unreachable!("all parts are listed")
    }

    /// The rows of the first layer that belong to one column of the context.
    pub(crate) fn slot(&self, slot: usize) -> Range<usize> {
        let cells = self.embedding * self.hidden;
        slot * cells..(slot + 1) * cells
    }

    /// Number of weights.
    pub(crate) fn weights(&self) -> usize {
        self.range(Part::OutputBias).end
    }
}

/// The ensemble without its weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// The generators in the order in which rows are made.
    pub masks: Vec<Mask>,
    /// Their sizes.
    pub shapes: Vec<Shape>,
    /// Per generator, the generators that make its context.
    pub parents: Vec<Vec<usize>>,
    /// Cells of an embedding.
    pub embedding: usize,
}

impl Layout {
    pub(crate) fn new(
        masks: Vec<Mask>,
        codec: &TableCodec,
        embedding: usize,
        hidden: usize,
    ) -> Self {
        let mut maker = vec![usize::MAX; codec.columns().len()];
        masks.iter().enumerate().for_each(|(at, mask)| maker[mask.output] = at);
        let shapes = masks.iter().map(|mask| Shape {
            context: mask.context.iter().map(|&column| codec.size(column)).collect(),
            embedding,
            hidden,
            codes: codec.size(mask.output),
        });
        let shapes = shapes.collect();
        let parents = masks.iter().map(|mask| mask.context.iter().map(|&at| maker[at]).collect());
        let parents = parents.collect();
        Self { masks, shapes, parents, embedding }
    }
}

/// All weights of the ensemble: per generator its own, and the embedding of its column that the
/// generators after it share.
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
    /// waves over their ranks.
    pub(crate) fn new(
        layout: &Layout,
        codec: &TableCodec,
        counts: &[Vec<u64>],
        rng: &mut Rng,
    ) -> Self {
        let embeddings = layout
            .masks
            .iter()
            .map(|mask| embedding(&codec.ranks(mask.output), layout.embedding, rng));
        let embeddings = embeddings.collect();
        let generators = layout.shapes.iter().zip(counts).map(|(shape, counts)| {
            let mut weights = vec![0.0; shape.weights()];
            for (part, sd) in [
                (Part::First, (2.0 / shape.size(Part::First).0.max(1) as f32).sqrt()),
                (Part::Second, 0.7 * (2.0 / shape.hidden as f32).sqrt()),
                (Part::Output, 0.01),
            ] {
                for weight in &mut weights[shape.range(part)] {
                    *weight = sd * rng.sample::<f32, _>(StandardNormal);
                }
            }
            // Half a row more for each code: a code of the validation rows alone has a share too.
            let total = counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
            for (bias, &count) in weights[shape.range(Part::OutputBias)].iter_mut().zip(counts) {
                *bias = ((count as f64 + 0.5) / total).ln() as f32;
            }
            weights
        });
        Self { generators: generators.collect(), embeddings }
    }
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

/// Computes the logits of one generator for rows whose context has these codes, one slice per
/// column of the context. Codes enter through the products of their embeddings with the first
/// layer, of which there are far fewer than rows.
pub(crate) fn forward(
    shape: &Shape,
    weights: &[f32],
    embeddings: &[&[f32]],
    context: &[&[u16]],
    rows: usize,
    dropout: Option<Dropout<'_>>,
    out: &mut Activations,
) {
    let hidden = shape.hidden;
    let part = |part: Part| &weights[shape.range(part)];
    for cells in [&mut out.first, &mut out.second, &mut out.sum] {
        cells.resize(rows * hidden, 0.0);
    }
    out.logits.resize(rows * shape.codes, 0.0);
    fill_rows(&mut out.first, part(Part::FirstBias), &[], &[]);
    let first = part(Part::First);
    for (slot, (&embedding, &codes)) in embeddings.iter().zip(context).enumerate() {
        let size = shape.context[slot];
        out.table.resize(size * hidden, 0.0);
        product(
            &mut out.table,
            0.0,
            embedding,
            &first[shape.slot(slot)],
            [size, shape.embedding, hidden],
        );
        add_table_rows(&mut out.first, hidden, &out.table, codes);
    }
    activate(&mut out.first, dropout, 0);
    fill_rows(&mut out.second, part(Part::SecondBias), &[], &[]);
    product(&mut out.second, 1.0, &out.first, part(Part::Second), [rows, hidden, hidden]);
    activate(&mut out.second, dropout, rows * hidden);
    add_cells(&mut out.sum, &out.first, &out.second);
    fill_rows(&mut out.logits, part(Part::OutputBias), &[], &[]);
    product(&mut out.logits, 1.0, &out.sum, part(Part::Output), [rows, hidden, shape.codes]);
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

/// How often each code of each generator's column occurs in these rows.
pub(crate) fn counts(
    layout: &Layout,
    codes: &crate::codec::Codes,
    rows: &[u32],
    threads: usize,
) -> Vec<Vec<u64>> {
    parallel::map(threads, layout.masks.len(), |at| {
        let mut counts = vec![0; layout.shapes[at].codes];
        let column = &codes.columns[layout.masks[at].output];
        rows.iter().for_each(|&row| counts[usize::from(column[row as usize])] += 1);
        counts
    })
}
