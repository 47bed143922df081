//! Members that make the same columns in the same order, combined before a code is drawn.

use crate::network::{Activations, Layout, Weights, forward};
use neural::kernels::softmax_rows;

/// A member and its weights, wherever they lie.
#[derive(Debug, Clone)]
pub(crate) struct MemberView<'a> {
    pub layout: &'a Layout,
    pub generators: Vec<&'a [f32]>,
    pub embeddings: Vec<&'a [f32]>,
}

impl<'a> MemberView<'a> {
    pub(crate) fn new(layout: &'a Layout, weights: &'a Weights) -> Self {
        Self {
            layout,
            generators: weights.generators.iter().map(|cells| &**cells).collect(),
            embeddings: weights.embeddings.iter().map(|cells| &**cells).collect(),
        }
    }

    /// The logits of the column at a place, rows x codes, in `scratch.activations.logits`. `made`
    /// has the codes of the columns that are made; only dynamic masks can do without one that they
    /// ask for.
    fn logits<'c>(
        &self,
        place: usize,
        rows: usize,
        made: &impl Fn(usize) -> Option<&'c [u16]>,
        scratch: &mut Scratch,
    ) {
        let layout = self.layout;
        let (generator, at) = layout.makers[place];
        let shape = &layout.shapes[generator];
        let parents = &shape.heads[at].parents;
        let hidden: Vec<Vec<u16>> = parents
            .iter()
            .map(|&parent| match made(parent) {
                Some(_) => Vec::new(),
                None => vec![layout.codes[parent] as u16; rows],
            })
            .collect();
        let context: Vec<&[u16]> =
            parents.iter().zip(&hidden).map(|(&at, hidden)| made(at).unwrap_or(hidden)).collect();
        let tables: Vec<&[f32]> = parents.iter().map(|&at| self.embeddings[at]).collect();
        let weights = self.generators[generator];
        forward((shape, at), weights, &tables, &context, rows, None, &mut scratch.activations);
    }
}

/// Cells that the work on one chunk of rows needs again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub activations: Activations,
    normalisers: Vec<f32>,
    mixed: Vec<f32>,
}

/// All members with their weights.
#[derive(Debug, Clone)]
pub(crate) struct Ensemble<'a> {
    pub members: Vec<MemberView<'a>>,
    /// By place: the weight of each member. Not looked at where there is one.
    pub mixing: &'a [Vec<f32>],
    /// What logits are divided by.
    pub temperature: f32,
}

impl Ensemble<'_> {
    /// What all members have in common: the order, the codes, whether masks are dynamic.
    pub(crate) fn layout(&self) -> &Layout {
        self.members[0].layout
    }

    /// The probabilities of the codes of the column at a place, rows x codes: the weighted mean of
    /// those of the members, so that one draw is made and not the mean of several.
    pub(crate) fn chances<'c, 's>(
        &self,
        place: usize,
        rows: usize,
        made: impl Fn(usize) -> Option<&'c [u16]>,
        scratch: &'s mut Scratch,
    ) -> &'s mut [f32] {
        let codes = self.layout().codes[place];
        let weight = |at: usize| if self.members.len() > 1 { self.mixing[place][at] } else { 1.0 };
        let active: Vec<usize> = (0..self.members.len()).filter(|&at| weight(at) > 0.0).collect();
        let several = active.len() > 1;
        let mut mixed = std::mem::take(&mut scratch.mixed);
        mixed.clear();
        mixed.resize(if several { rows * codes } else { 0 }, 0.0);
        for at in active {
            self.members[at].logits(place, rows, &made, scratch);
            let logits = &mut scratch.activations.logits;
            if self.temperature != 1.0 {
                logits.iter_mut().for_each(|logit| *logit /= self.temperature);
            }
            scratch.normalisers.resize(rows, 0.0);
            softmax_rows(logits, codes, 1.0, &mut scratch.normalisers);
            if several {
                let weight = weight(at);
                mixed.iter_mut().zip(&*logits).for_each(|(sum, chance)| *sum += weight * chance);
            }
        }
        scratch.mixed = mixed;
        if several { &mut scratch.mixed } else { &mut scratch.activations.logits }
    }
}
