//! An interrupted training goes on to the same bytes; a wrong or damaged state is an error.

use meg_core::conformance::mixed_table;
use meg_core::{
    Checkpoint, CheckpointSink, Control, Error, Event, FitContext, Identity, Kernels, Observer,
    Phase, Result, Seed, Table, TrainingState,
};
use serde_json::json;
use std::num::NonZeroU64;

/// 5 updates in each of 3 epochs, the last of 30 rows.
const RECIPE: &str = "epochs = 3\nbatch_size = 40\nchannels = 3\nnoise_dim = 6";

/// Interrupts after an update.
struct Until(u64, u64);

impl Observer for Until {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { phase: Phase::Train, done, .. } = event {
            self.1 = *done;
        }
    }

    fn control(&mut self) -> Control {
        if self.1 >= self.0 { Control::Abort } else { Control::Continue }
    }
}

#[derive(Clone, Copy)]
struct Way {
    kernels: Kernels,
    threads: usize,
    seed: u64,
}

const FUSED: Way = Way { kernels: Kernels::Fused, threads: 1, seed: 5 };
const PLAIN: Way = Way { kernels: Kernels::Plain, ..FUSED };

type Files = (Vec<u8>, Vec<u8>);

/// Trains until an update; returns the files, if it came to its end, and the states kept.
fn train(
    table: &Table,
    way: Way,
    until: u64,
    every: u64,
    resume: Option<TrainingState>,
) -> (Result<Files>, Vec<TrainingState>) {
    let recipe = (table_gan::ENTRY.recipe)(RECIPE).unwrap();
    let mut states = Vec::new();
    let mut keep = |state| {
        states.push(through_bytes(state));
        Ok(())
    };
    let mut observer = Until(until, 0);
    let every = NonZeroU64::new(every).unwrap();
    let context = FitContext::new(Seed(way.seed), &mut observer);
    let checkpoints = Some(CheckpointSink { every, keep: &mut keep });
    let (kernels, threads) = (way.kernels, way.threads);
    let mut ctx = FitContext { kernels, threads, checkpoints, resume, ..context };
    let fitted = recipe.synthesizer.fit(table, &mut ctx);
    (fitted.and_then(|model| model.save()?.to_bytes()), states)
}

/// As a file would keep it.
fn through_bytes(state: TrainingState) -> TrainingState {
    let identity = Identity {
        version: "1".into(),
        model: "table-gan".into(),
        recipe: json!({}),
        table: "t".into(),
        seed: 5,
        device: "cpu".into(),
        kernels: "fused".into(),
    };
    let bytes = Checkpoint { identity, state }.to_bytes().unwrap();
    Checkpoint::from_bytes(&bytes).unwrap().state
}

fn interrupted(table: &Table, way: Way, at: u64) -> TrainingState {
    let (end, mut states) = train(table, way, at, 1_000, None);
    assert!(matches!(end, Err(Error::Interrupted)), "{end:?}");
    assert_eq!(states.len(), 1, "one state, that of the interruption");
    states.pop().unwrap()
}

fn check(way: Way) {
    let table = mixed_table(190, 3);
    let (whole, states) = train(&table, way, u64::MAX, 2, None);
    let whole = whole.unwrap();
    let kept: Vec<u64> = states.iter().map(|state| state.step).collect();
    assert_eq!(kept, [2, 4, 6, 8, 10, 12, 14], "every second update");
    // The first, a middle one, the last of an epoch and the first of the next, the last.
    for at in [1, 7, 5, 6, 15] {
        let state = interrupted(&table, way, at);
        let (resumed, _) = train(&table, Way { threads: 2, ..way }, u64::MAX, 1_000, Some(state));
        assert!(resumed.unwrap() == whole, "interrupted at {at}: other bytes");
    }
    for state in states {
        let at = state.step;
        let (resumed, _) = train(&table, way, u64::MAX, 1_000, Some(state));
        assert!(resumed.unwrap() == whole, "kept at {at}: other bytes");
    }
    // Interrupted again after every update.
    let mut state = interrupted(&table, way, 1);
    let twice = (2..=16).find_map(|at| match train(&table, way, at, 1_000, Some(state.clone())) {
        (Ok(files), _) => Some(files),
        (Err(Error::Interrupted), mut states) => {
            state = states.pop().unwrap();
            None
        }
        (Err(error), _) => panic!("{error}"),
    });
    assert!(twice.unwrap() == whole, "interrupted again and again: other bytes");
}

#[test]
fn fused_training_resumes_to_the_same_bytes() {
    check(FUSED);
}

#[test]
fn plain_training_resumes_to_the_same_bytes() {
    check(PLAIN);
}

/// The kernels are really switched: both ways end close to each other, not in the same bytes.
#[test]
fn plain_training_is_another_computation() {
    let table = mixed_table(190, 3);
    let files = |way| train(&table, way, u64::MAX, 1_000, None).0.unwrap();
    let (fused, plain) = (files(FUSED), files(PLAIN));
    assert!(fused.0 == plain.0, "settings and codec do not depend on the kernels");
    assert!(fused.1 != plain.1, "the weights should differ by rounding");
}

#[test]
fn a_wrong_state_is_an_error() {
    let table = mixed_table(190, 3).select_columns(&[1, 4, 5, 11]).unwrap();
    for way in [FUSED, PLAIN] {
        let good = interrupted(&table, way, 3);
        let refused = |what: &str, way: Way, damage: &dyn Fn(&mut TrainingState)| {
            let mut state = good.clone();
            damage(&mut state);
            let (end, _) = train(&table, way, u64::MAX, 1_000, Some(state));
            assert!(matches!(end, Err(Error::Checkpoint(_))), "{what}: {end:?}");
        };
        refused("another seed", Way { seed: 6, ..way }, &|_| ());
        for name in good.tensors.keys() {
            refused(name, way, &|state| {
                state.tensors.remove(name).unwrap();
            });
        }
        for name in good.tensors.keys().step_by(9) {
            refused(name, way, &|state| {
                state.tensors.get_mut(name).unwrap().shape.push(1);
            });
            refused(name, way, &|state| {
                let cells = &mut state.tensors.get_mut(name).unwrap().data;
                *cells.first_mut().unwrap() = f32::NAN;
            });
        }
        for name in good.parts.keys() {
            refused(name, way, &|state| {
                state.parts.remove(name).unwrap();
            });
            refused(name, way, &|state| {
                state.parts.insert(name.clone(), json!("x"));
            });
        }
        refused("a longer training", way, &|state| state.step = 16);
    }
    // Without a target there is no classifier.
    let state = interrupted(&table, FUSED, 3);
    let narrow = table.select_columns(&[0, 1, 2]).unwrap();
    let (end, _) = train(&narrow, FUSED, u64::MAX, 1_000, Some(state));
    assert!(matches!(end, Err(Error::Checkpoint(_))), "{end:?}");
}

/// A weight is named, whether the loss shows it or not.
#[test]
fn what_is_not_finite_is_named() {
    let table = mixed_table(190, 3);
    let recipe = "epochs = 50\nbatch_size = 40\nchannels = 3\nlearning_rate = 1e30";
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let recipe = (table_gan::ENTRY.recipe)(recipe).unwrap();
        let mut observer = Until(u64::MAX, 0);
        let context = FitContext::new(Seed(1), &mut observer);
        let fitted = recipe.synthesizer.fit(&table, &mut FitContext { kernels, ..context });
        match fitted {
            Err(Error::Training { step, problem }) => {
                assert!(step > 0 && problem.contains(" holds "), "step {step}: {problem}");
            }
            other => panic!("a divergence gave {other:?}"),
        }
    }
}
