//! What heads see of their contexts.

use crate::network::{Head, Layout};
use meg_core::{Rng, Seed};
use rand::seq::SliceRandom;

/// With dynamic masks: per place and row of the batch, when the cell would be made.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// Empty without dynamic masks.
    places: Vec<Vec<u16>>,
    pub(super) rng: Rng,
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
pub(super) fn seen<'a>(
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
