//! Trainings that are stopped, kept as bytes and taken up again, for models with checkpoints.

use super::mixed_table;
use crate::{
    Checkpoint, CheckpointSink, Control, Error, Event, FitContext, Identity, Kernels, ModelEntry,
    Observer, Phase, Result, Seed, Table, TrainingState,
};
use serde_json::json;
use std::num::NonZeroU64;

/// A short training of a model, to be interrupted in every way.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    /// The model.
    pub entry: &'a ModelEntry,
    /// Settings that make [`Training::updates`] updates of [`Training::table`].
    pub recipe: &'a str,
    /// Settings under which the training diverges.
    pub diverges: &'a str,
    /// Rows of the table that it learns from.
    pub rows: usize,
    /// Updates of the whole training; at least 10.
    pub updates: u64,
}

/// How one run of the training goes.
#[derive(Debug, Clone, Copy)]
struct Way {
    kernels: Kernels,
    threads: usize,
    seed: u64,
}

type Files = (Vec<u8>, Vec<u8>);

const NEVER: u64 = u64::MAX;
const RARELY: u64 = 1_000_000;
const ONE_THREAD: Way = Way { kernels: Kernels::Fused, threads: 1, seed: 5 };
const WAYS: [Way; 3] = [
    ONE_THREAD,
    // A model that works ahead on a second thread must keep the state before that work.
    Way { threads: 2, ..ONE_THREAD },
    Way { kernels: Kernels::Plain, ..ONE_THREAD },
];

impl Training<'_> {
    /// Every promise of a training that can be resumed.
    ///
    /// # Panics
    /// At the first one that is broken.
    pub fn check(&self) {
        for way in WAYS {
            self.resumes_to_the_same_bytes(way);
        }
        let table = self.table();
        let states = |way| self.train(&table, way, NEVER, 2, None).1;
        assert!(states(WAYS[0]) == states(WAYS[1]), "threads change the states");
        for way in [WAYS[0], WAYS[2]] {
            self.wrong_states_are_refused(way);
            self.what_is_not_finite_is_named(way);
        }
    }

    /// The kernels are really switched: both ways end close to each other, not in the same bytes.
    ///
    /// # Panics
    /// When the settings differ, or the weights do not.
    pub fn check_plain_is_another_computation(&self) {
        let (fused, plain) = (self.files(Kernels::Fused), self.files(Kernels::Plain));
        assert!(fused.0 == plain.0, "the settings depend on the kernels");
        assert!(fused.1 != plain.1, "the weights should differ by rounding");
    }

    /// The table of the training.
    pub fn table(&self) -> Table {
        mixed_table(self.rows, 3)
    }

    /// The files of the whole training with these kernels, as bytes: settings, tensors.
    ///
    /// # Panics
    /// When it fails.
    pub fn files(&self, kernels: Kernels) -> (Vec<u8>, Vec<u8>) {
        let way = Way { kernels, ..ONE_THREAD };
        self.train(&self.table(), way, NEVER, RARELY, None).0.expect("the fit succeeds")
    }

    /// The states that the whole training keeps, one every so many updates.
    ///
    /// # Panics
    /// When it fails.
    pub fn states(&self, kernels: Kernels, every: u64) -> Vec<TrainingState> {
        let way = Way { kernels, ..ONE_THREAD };
        let (end, states) = self.train(&self.table(), way, NEVER, every, None);
        end.expect("the fit succeeds");
        states
    }

    /// What becomes of a training that goes on from a state.
    ///
    /// # Errors
    /// Those of the fit.
    pub fn resumed(&self, kernels: Kernels, state: TrainingState) -> Result<(Vec<u8>, Vec<u8>)> {
        let way = Way { kernels, ..ONE_THREAD };
        self.train(&self.table(), way, NEVER, RARELY, Some(state)).0
    }

    fn resumes_to_the_same_bytes(&self, way: Way) {
        let table = self.table();
        let (whole, states) = self.train(&table, way, NEVER, 2, None);
        let whole = whole.expect("the fit succeeds");
        let kept: Vec<u64> = states.iter().map(|state| state.step).collect();
        let expected: Vec<u64> = (1..self.updates).filter(|step| step % 2 == 0).collect();
        assert_eq!(kept, expected, "every second update is kept, and there are {}", self.updates);
        let other = Way { threads: 3 - way.threads, ..way };
        for at in [1, self.updates / 3, self.updates / 3 + 1, self.updates / 2, self.updates] {
            let state = self.interrupted(&table, way, at);
            let (resumed, _) = self.train(&table, other, NEVER, RARELY, Some(state));
            assert!(resumed.unwrap() == whole, "{way:?} interrupted at {at}: other bytes");
        }
        for state in states {
            let at = state.step;
            let (resumed, _) = self.train(&table, way, NEVER, RARELY, Some(state));
            assert!(resumed.unwrap() == whole, "{way:?} kept at {at}: other bytes");
        }
        assert!(self.interrupted_again_and_again(&table, way) == whole, "{way:?}: other bytes");
    }

    fn interrupted_again_and_again(&self, table: &Table, way: Way) -> Files {
        let mut state = self.interrupted(table, way, 1);
        for at in 2..=self.updates + 1 {
            match self.train(table, way, at, RARELY, Some(state)) {
                (Ok(files), _) => return files,
                (Err(Error::Interrupted), mut states) => {
                    state = states.pop().expect("an interrupted training keeps its state");
                }
                (Err(error), _) => panic!("{error}"),
            }
        }
        panic!("more than {} updates", self.updates)
    }

    fn wrong_states_are_refused(&self, way: Way) {
        let table = self.table().select_columns(&[1, 4, 5, 11]).expect("the columns are there");
        let good = self.interrupted(&table, way, 3);
        let refused = |what: &str, table: &Table, way, damage: &dyn Fn(&mut TrainingState)| {
            let mut state = good.clone();
            damage(&mut state);
            let (end, _) = self.train(table, way, NEVER, RARELY, Some(state));
            assert!(matches!(end, Err(Error::Checkpoint(_))), "{what}: {end:?}");
        };
        refused("another seed", &table, Way { seed: 6, ..way }, &|_| ());
        refused("a longer training", &table, way, &|state| state.step = self.updates + 1);
        let narrow = self.table().select_columns(&[0, 1, 2]).expect("the columns are there");
        refused("another table", &narrow, way, &|_| ());
        for name in good.tensors.keys() {
            refused(name, &table, way, &|state| drop(state.tensors.remove(name)));
        }
        // Not of each tensor again: every fit encodes the table first.
        for name in good.tensors.keys().step_by(9) {
            let tensor = |state: &mut TrainingState, damage: &dyn Fn(&mut crate::Tensor)| {
                damage(state.tensors.get_mut(name).expect("it has a name of the state"));
            };
            refused(name, &table, way, &|state| tensor(state, &|tensor| tensor.shape.push(1)));
            refused(name, &table, way, &|state| tensor(state, &|tensor| tensor.data[0] = f32::NAN));
        }
        for name in good.parts.keys() {
            refused(name, &table, way, &|state| drop(state.parts.remove(name)));
            refused(name, &table, way, &|state| {
                state.parts.insert(name.clone(), json!("x"));
            });
        }
    }

    /// A weight is named, whether the loss shows it or not.
    fn what_is_not_finite_is_named(&self, way: Way) {
        let diverging = Training { recipe: self.diverges, ..*self };
        match diverging.train(&self.table(), way, NEVER, RARELY, None).0 {
            Err(Error::Training { step, problem }) => {
                assert!(step > 0 && problem.contains(" holds "), "step {step}: {problem}");
            }
            other => panic!("a divergence gave {:?}", other.map(|_| "a model")),
        }
    }

    fn interrupted(&self, table: &Table, way: Way, at: u64) -> TrainingState {
        let (end, mut states) = self.train(table, way, at, RARELY, None);
        assert!(matches!(end, Err(Error::Interrupted)), "not interrupted at update {at}");
        assert_eq!(states.len(), 1, "one state, that of the interruption");
        states.pop().expect("there is one")
    }

    /// Trains until an update; the files, if it came to its end, and the states kept.
    fn train(
        &self,
        table: &Table,
        way: Way,
        until: u64,
        every: u64,
        resume: Option<TrainingState>,
    ) -> (Result<Files>, Vec<TrainingState>) {
        let recipe = (self.entry.recipe)(self.recipe).expect("the recipe is valid");
        let mut states = Vec::new();
        let mut keep = |state| {
            states.push(through_bytes(state));
            Ok(())
        };
        let mut observer = Until { until, done: 0 };
        let every = NonZeroU64::new(every).expect("not 0");
        let context = FitContext::new(Seed(way.seed), &mut observer);
        let checkpoints = Some(CheckpointSink { every, keep: &mut keep });
        let (kernels, threads) = (way.kernels, way.threads);
        let mut ctx = FitContext { kernels, threads, checkpoints, resume, ..context };
        let fitted = recipe.synthesizer.fit(table, &mut ctx);
        (fitted.and_then(|model| model.save()?.to_bytes()), states)
    }
}

/// Interrupts after an update.
struct Until {
    until: u64,
    done: u64,
}

impl Observer for Until {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { phase: Phase::Train, done, .. } = event {
            self.done = *done;
        }
    }

    fn control(&mut self) -> Control {
        if self.done >= self.until { Control::Abort } else { Control::Continue }
    }
}

/// As a file would keep it.
fn through_bytes(state: TrainingState) -> TrainingState {
    let identity = Identity {
        version: "1".into(),
        model: "any".into(),
        recipe: json!({}),
        table: "t".into(),
        seed: 5,
        device: "cpu".into(),
        kernels: "fused".into(),
        base: None,
    };
    let bytes = Checkpoint { identity, state }.to_bytes().expect("a state becomes bytes");
    Checkpoint::from_bytes(&bytes).expect("the bytes of a state are read").state
}
