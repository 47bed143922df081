//! Fitting: codes, masks, the rows that decide when to stop, and one member after the other.

use crate::Meg;
use crate::codec::{Codes, TableCodec};
use crate::fitted::{FittedMeg, Member};
use crate::learn::{Learned, Material};
use crate::masks::{self, Columns, LabelPlace, MaskOptions};
use crate::mixing;
use crate::network::{Layout, Weights};
use meg_core::{Event, FitContext, Phase, Result, Seed, Table};
use rand::seq::SliceRandom;

/// Nats by which held-out rows must be likelier for the target to be made last.
const CLEARLY: f64 = 0.02;
/// Rows of a validation set that say something, at least.
const LEAST_VALIDATION: usize = 2;
/// Weights of a member of which several can be trained at once.
const FOLDED_WEIGHTS: usize = 3_000_000;

/// Fits codec, masks and networks.
pub(crate) fn fit(recipe: &Meg, train: &Table, ctx: &mut FitContext<'_>) -> Result<FittedMeg> {
    ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
    let codec = TableCodec::fit(train, recipe.codec_options(), ctx.threads)?;
    let codes = codec.encode(train, ctx.threads);
    let options = recipe.mask_options(ctx.seed, ctx.threads);
    let columns = Columns::new(&codec, &codes, &options);
    let split = Split::new(recipe, &codes, ctx.seed);
    ctx.observer.event(&Event::End { phase: Phase::Encode });
    ctx.observer.event(&Event::Start { phase: Phase::Train, total: None });
    let task = Task { recipe, codec: &codec, codes: &codes, columns: &columns, split: &split };
    let mut learned = vec![task.first(&options, ctx)?];
    while let Some(before) = learned.last().filter(|last| !last.stopped)
        && learned.len() < recipe.members
    {
        let (number, steps) = (learned.len(), before.steps);
        let label = before.label;
        learned.push(task.member(&MaskOptions { label, number, ..options }, steps, ctx)?);
    }
    ctx.observer.event(&Event::End { phase: Phase::Train });
    let held = if learned.iter().all(|one| one.score.is_finite()) { &*split.held } else { &[] };
    let choices: Vec<Vec<usize>> = learned.iter().map(|one| one.choice.clone()).collect();
    let members: Vec<Vec<Member>> = learned.into_iter().map(Trained::members).collect();
    // Only tables in folds have several states of a member, and they hold no rows out.
    let first: Vec<&Member> = members.iter().map(|states| &states[0]).collect();
    let shares = mixing::weights(&first, &codes, held, ctx.threads);
    let states: Vec<usize> = members.iter().map(Vec::len).collect();
    let mixing = mixing::spread(&shares, &choices, &states);
    let members = members.into_iter().flatten().collect();
    Ok(FittedMeg { recipe: recipe.clone(), codec, members, mixing })
}

/// The training rows, in random order: those held out, and the others. The same for all members,
/// so that their weights can be told from rows that none of them was trained on.
pub(crate) struct Split {
    pub held: Vec<u32>,
    pub rows: Vec<u32>,
    /// Few enough rows for folds instead.
    pub small: bool,
}

impl Split {
    fn new(recipe: &Meg, codes: &Codes, seed: Seed) -> Self {
        let mut rows: Vec<u32> = (0..codes.rows as u32).collect();
        rows.shuffle(&mut seed.stream("meg/split"));
        let enough = codes.rows >= LEAST_VALIDATION * recipe.folds;
        let small = codes.rows < recipe.fold_below && recipe.folds > 1 && enough;
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

/// What all members of a fit have in common.
struct Task<'a> {
    recipe: &'a Meg,
    codec: &'a TableCodec,
    codes: &'a Codes,
    columns: &'a Columns,
    split: &'a Split,
}

/// A trained member.
struct Trained {
    layout: Layout,
    states: Vec<Weights>,
    choice: Vec<usize>,
    /// Nats per held-out row; infinite without such rows.
    score: f64,
    steps: u64,
    stopped: bool,
    label: LabelPlace,
}

impl Trained {
    /// A member of the ensemble for each state.
    fn members(self) -> Vec<Member> {
        let layout = self.layout;
        let member = |weights| Member { layout: layout.clone(), weights };
        self.states.into_iter().map(member).collect()
    }
}

impl Task<'_> {
    /// The first member, which decides where the target stands.
    fn first(&self, options: &MaskOptions, ctx: &mut FitContext<'_>) -> Result<Trained> {
        let auto = options.label == LabelPlace::Auto;
        let label = if auto { LabelPlace::First } else { options.label };
        let first = self.member(&MaskOptions { label, ..*options }, 0, ctx)?;
        let target = self.codec.schema().target().is_some_and(|at| self.codec.size(at) > 1);
        let choice = auto && target && first.layout.codes.len() > 1;
        if !choice || first.stopped || !first.score.is_finite() {
            return Ok(first);
        }
        let last = MaskOptions { label: LabelPlace::Last, ..*options };
        let last = self.member(&last, first.steps, ctx)?;
        if !last.stopped && last.score < first.score - CLEARLY {
            ctx.observer.note("the target is made last: held-out rows are likelier so");
            return Ok(last);
        }
        // Both trainings count, and a wish to end in the second one ends the fit.
        Ok(Trained { steps: last.steps, stopped: last.stopped, ..first })
    }

    /// Trains one member; `from` is the number of steps reported before.
    fn member(
        &self,
        options: &MaskOptions,
        from: u64,
        ctx: &mut FitContext<'_>,
    ) -> Result<Trained> {
        let recipe = self.recipe;
        let plan = masks::plan(self.codec, self.codes, self.columns, options);
        masks::check(&plan, self.codec)?;
        let layout = Layout::new(plan, self.codec, recipe.embedding, recipe.hidden);
        let targets = layout.plan.order.iter();
        let targets = targets.map(|&column| self.codec.targets(column, recipe.smoothing));
        let seed = match options.number {
            0 => ctx.seed,
            number => ctx.seed.derive(&format!("meg/member/{number}")),
        };
        let material = Material {
            recipe,
            codec: self.codec,
            codes: self.codes,
            layout: &layout,
            targets: targets.collect(),
            batch: recipe.batch(self.codes.rows),
            seed,
            threads: ctx.threads,
        };
        let fold = self.split.small && layout.weights() <= FOLDED_WEIGHTS;
        let learned = material.learn(self.split, fold, from, ctx.observer)?;
        let Learned { states, choice, score, steps, stopped } = learned;
        Ok(Trained { layout, states, choice, score, steps, stopped, label: options.label })
    }
}
