//! Training a saved ensemble further: its codes, masks and weights, and rows to learn from.

use crate::Meg;
use crate::course;
use crate::fitted::{FittedMeg, Member};
use crate::learner::Way;
use crate::mixing;
use crate::record::{self, TrainingRecord};
use crate::schedule::{Origin, Task, Trained, Training};
use crate::train::Split;
use meg_core::{Error, Event, FitContext, Observer, Phase, Result, Seed, Table};
use neural::TrainingLoop;
use serde::Serialize;

/// Settings that codes, masks, networks and held-out rows were made by.
const FIXED: [&str; 15] = [
    "masks",
    "groups",
    "members",
    "order",
    "label",
    "max_context",
    "bins",
    "atoms",
    "levels",
    "embedding",
    "hidden",
    "validation",
    "max_validation",
    "hidden_context",
    "least_rows",
];

/// Goes on with every member of a saved ensemble, until held-out rows are no likelier for it. The
/// optimiser begins anew (a saved model holds no moments), and so does its warm-up.
///
/// The rows that decide when to stop are drawn by the seed of the first training, so that the same
/// table holds out the same rows: none of them was ever learned from.
pub(crate) fn fit(
    recipe: &Meg,
    base: FittedMeg,
    rows: &Table,
    ctx: &mut FitContext<'_>,
) -> Result<FittedMeg> {
    check_fixed(recipe, &base.recipe, &FIXED)?;
    ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
    let codes = base.codec.encode_further(rows, ctx.threads, ctx.observer)?;
    let mut trainings = record::before(base.trainings.clone());
    let first = trainings[0].as_ref();
    let split = Split::new(recipe, codes.rows, first.map_or(ctx.seed, |one| Seed(one.seed)));
    check_rows(&base, &split, codes.rows)?;
    tell_of_seen_rows(first, &split, ctx.observer);
    ctx.observer.event(&Event::End { phase: Phase::Encode });
    let (device, kernels, threads) = (ctx.device, ctx.kernels, ctx.threads);
    let task = Task {
        recipe,
        codec: &base.codec,
        codes: &codes,
        origin: Origin::Saved(&base.members),
        split: &split,
        // The same seed again must not bring the same batches again.
        seed: ctx.seed.derive(&format!("meg/further/{}", trainings.len())),
        way: Way { device, kernels, threads },
    };
    let mut training = Training::new(task)?;
    let updates = TrainingLoop::until_finished().run(&mut training, ctx)?;
    let learned = training.conclude(updates, ctx.observer)?;
    // Each state of the saved model is a member of its own now.
    let members = learned.into_iter().flat_map(Trained::members);
    let members: Vec<Vec<Member>> = members.map(|one| vec![one]).collect();
    let held = &split.held;
    let mixing = if held.is_empty() {
        base.mixing
    } else {
        let places = members[0][0].layout.codes.len();
        let choices = vec![vec![0; places]; members.len()];
        mixing::weights(&members, &choices, &codes, held, threads)
    };
    let members = members.into_iter().flatten().collect();
    trainings.push(Some(TrainingRecord {
        seed: ctx.seed.0,
        rows: codes.rows as u64,
        held_out: held.len() as u64,
        updates,
    }));
    Ok(FittedMeg { recipe: recipe.clone(), codec: base.codec, members, mixing, trainings })
}

/// Refuses another value of a setting that the saved model was made by.
pub(crate) fn check_fixed<R: Serialize>(recipe: &R, saved: &R, fixed: &[&str]) -> Result<()> {
    let values = |recipe: &R| serde_json::to_value(recipe).expect("settings are plain data");
    let (asked, saved) = (values(recipe), values(saved));
    match fixed.iter().find(|&&key| asked[key] != saved[key]) {
        None => Ok(()),
        Some(&key) => Err(Error::Recipe {
            key: key.into(),
            problem: format!(
                "the saved model was made with {}, and further training cannot change it to {}; leave it as it is, or fit anew",
                saved[key], asked[key]
            ),
        }),
    }
}

/// A small table was learned from as a whole: none of its rows can say when to stop.
fn check_rows(base: &FittedMeg, split: &Split, rows: usize) -> Result<()> {
    if !course::takes_folds(base.layout(), split) {
        return Ok(());
    }
    Err(Error::Request(format!(
        "{rows} rows are too few to train a saved model further: tables of fewer than `fold_below` ({}) rows are learned from as a whole, so that no row of theirs can say when to stop\n  help: fit anew on all rows, which takes seconds; or, where none of these rows was in an earlier training, hold some of them out with folds=1",
        base.recipe.fold_below
    )))
}

fn tell_of_seen_rows(first: Option<&TrainingRecord>, split: &Split, observer: &mut dyn Observer) {
    if split.held.is_empty() || first.is_some_and(|one| one.held_out > 0) {
        return;
    }
    let why = match first {
        None => "the saved model does not say by which seed its first training held rows out",
        Some(_) => {
            "the first training ended with all of its rows, held-out ones too (snapshots=1 leaves those out)"
        }
    };
    observer.note(&format!(
        "{why}: where rows of it are among these, some that now decide when to stop were learned from, and training may go on for too long"
    ));
}
