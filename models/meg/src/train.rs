//! Fitting: codes, masks, the rows that decide when to stop, and one member after the other.

use crate::Meg;
use crate::codec::TableCodec;
use crate::course;
use crate::fitted::{FittedMeg, Member};
use crate::learner::Way;
use crate::masks::Columns;
use crate::mixing;
use crate::record::TrainingRecord;
use crate::schedule::{Origin, Task, Trained, Training};
use meg_core::{Event, FitContext, Phase, Result, Seed, Table};
use neural::TrainingLoop;
use rand::seq::SliceRandom;

/// Rows of a validation set that say something, at least.
const LEAST_VALIDATION: usize = 2;
/// Fits codec, masks and networks.
pub(crate) fn fit(recipe: &Meg, train: &Table, ctx: &mut FitContext<'_>) -> Result<FittedMeg> {
    ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
    let codec = TableCodec::fit(train, recipe.codec_options(), ctx.threads)?;
    let codes = codec.encode(train, ctx.threads);
    let options = recipe.mask_options(ctx.seed, ctx.threads);
    let columns = Columns::new(&codec, &codes, &options);
    let split = Split::new(recipe, codes.rows, ctx.seed);
    ctx.observer.event(&Event::End { phase: Phase::Encode });
    let (device, kernels, threads) = (ctx.device, ctx.kernels, ctx.threads);
    let task = Task {
        recipe,
        codec: &codec,
        codes: &codes,
        origin: Origin::New { columns: &columns, options },
        split: &split,
        seed: ctx.seed,
        way: Way { device, kernels, threads },
    };
    let mut training = Training::new(task)?;
    let updates = TrainingLoop::until_finished().run(&mut training, ctx)?;
    let learned = training.conclude(updates, ctx.observer)?;
    let unseen = rows_unseen(recipe, &learned, &split);
    let choices: Vec<Vec<usize>> = learned.iter().map(|one| one.learned.choice.clone()).collect();
    let members: Vec<Vec<Member>> = learned.into_iter().map(Trained::members).collect();
    let shares = mixing::weights(&members, &choices, &codes, unseen, ctx.threads);
    let states: Vec<usize> = members.iter().map(Vec::len).collect();
    let mixing = mixing::spread(&shares, &choices, &states);
    let members = members.into_iter().flatten().collect();
    let record = TrainingRecord {
        seed: ctx.seed.0,
        rows: codes.rows as u64,
        held_out: unseen.len() as u64,
        updates,
    };
    Ok(FittedMeg { recipe: recipe.clone(), codec, members, mixing, trainings: vec![Some(record)] })
}

/// The held-out rows, where no member has learned from them in the end.
fn rows_unseen<'a>(recipe: &Meg, learned: &[Trained], split: &'a Split) -> &'a [u32] {
    let twice = |one: &Trained| course::is_learned_twice(recipe, &one.layout, split);
    match learns_from_all(recipe, split) && learned.iter().any(twice) {
        true => &[],
        false => &split.held,
    }
}

/// Whether a second training is on all rows: but where several members are to be mixed by the
/// held-out rows of a large table, which then stay unseen.
pub(crate) fn learns_from_all(recipe: &Meg, split: &Split) -> bool {
    split.small || recipe.members == 1
}

/// The training rows, in random order: those held out, and the others. The same for all members,
/// so that their weights can be told from rows that none of them was trained on.
#[derive(Debug)]
pub(crate) struct Split {
    pub held: Vec<u32>,
    pub rows: Vec<u32>,
    /// Few enough rows for folds instead.
    pub small: bool,
}

impl Split {
    pub(crate) fn new(recipe: &Meg, rows: usize, seed: Seed) -> Self {
        let mut rows: Vec<u32> = (0..rows as u32).collect();
        rows.shuffle(&mut seed.stream("meg/split"));
        let enough = rows.len() >= LEAST_VALIDATION * recipe.folds;
        let small = rows.len() < recipe.fold_below && recipe.folds > 1 && enough;
        let held = (recipe.validation * rows.len() as f64) as usize;
        let held = if held < LEAST_VALIDATION { 0 } else { held.min(recipe.max_validation) };
        let rest = rows.split_off(held);
        Self { held: rows, rows: rest, small }
    }

    /// All rows, in the same order.
    pub(crate) fn all(&self) -> Vec<u32> {
        [&*self.held, &*self.rows].concat()
    }
}
