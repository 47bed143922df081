use super::*;
use meg_core::{CheckpointSink, Control, Observer, Seed, Silent};
use std::num::NonZeroU64;

/// Halves a weight at every update; the loss is the weight.
#[derive(Debug, PartialEq)]
struct Halving {
    weight: f32,
    /// From this update on the weight is NaN, and the loss hides it.
    breaks: u64,
    /// From this update on the loss is NaN too.
    shows: u64,
}

impl Halving {
    fn new() -> Self {
        Self { weight: 1.0, breaks: u64::MAX, shows: u64::MAX }
    }
}

impl Trainee for Halving {
    fn step(&mut self, number: u64) -> Result<Losses> {
        self.weight = if number >= self.breaks { f32::NAN } else { self.weight / 2.0 };
        let loss = if number >= self.shows { f64::NAN } else { 0.5f64.powi(number as i32) };
        Ok(vec![("loss", loss)])
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        Ok(first_not_finite([("the weight of the test", &[self.weight][..])]))
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        state.put_tensor("weight", &[1], vec![self.weight]);
        Ok(())
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.weight = state.tensor("weight", &[1])?.data[0];
        Ok(())
    }
}

fn failure(mut trainee: Halving, steps: u64) -> (u64, String) {
    let mut silent = Silent;
    let mut ctx = FitContext::new(Seed(1), &mut silent);
    match TrainingLoop::new(steps).run(&mut trainee, &mut ctx) {
        Err(Error::Training { step, problem }) => (step, problem),
        other => panic!("a weight that is not finite gave {other:?}"),
    }
}

#[test]
fn what_is_not_finite_is_named_with_its_step() {
    let at_a_loss = Halving { breaks: 7, shows: 9, ..Halving::new() };
    let (step, problem) = failure(at_a_loss, 1_000);
    assert_eq!(step, 9);
    assert!(problem.contains("loss is NaN") && problem.contains("weight of the test holds NaN"));
    let (step, problem) = failure(Halving { breaks: 7, ..Halving::new() }, 1_000);
    assert_eq!(step, 100, "found by the check of every 100 updates");
    assert!(problem.contains("the weight of the test holds NaN"), "{problem}");
    let (step, _) = failure(Halving { breaks: 7, ..Halving::new() }, 20);
    assert_eq!(step, 20, "found by the check at the end");
}

/// Interrupts after an update.
struct Interrupts(u64, u64);

impl Observer for Interrupts {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { done, .. } = event {
            self.1 = *done;
        }
    }

    fn control(&mut self) -> Control {
        if self.1 >= self.0 { Control::Abort } else { Control::Continue }
    }
}

/// Runs to the end or the interruption; returns the last update, the weight and the states kept.
fn run(
    observer: &mut dyn Observer,
    every: u64,
    resume: Option<TrainingState>,
) -> (Result<u64>, f32, Vec<TrainingState>) {
    let mut states = Vec::new();
    let mut keep = |state| {
        states.push(state);
        Ok(())
    };
    let every = NonZeroU64::new(every).unwrap();
    let checkpoints = Some(CheckpointSink { every, keep: &mut keep });
    let context = FitContext::new(Seed(1), observer);
    let mut ctx = FitContext { checkpoints, resume, ..context };
    let mut trainee = Halving::new();
    // The loss halves: 2^-8 of update 8 is the last that gains more than 0.01 over the best before
    // it, 2^-6 of update 6.
    let mut rule = Patience::new("loss", 3, 0.01);
    let end = TrainingLoop::new(50).until(&mut rule).run(&mut trainee, &mut ctx);
    (end, trainee.weight, states)
}

#[test]
fn states_are_kept_when_due_and_when_interrupted_and_the_stop_rule_goes_on() {
    let (end, weight, states) = run(&mut Silent, 4, None);
    let end = end.unwrap();
    assert_eq!(end, 11, "updates 9, 10 and 11 gain too little");
    assert_eq!(states.iter().map(|state| state.step).collect::<Vec<_>>(), [4, 8]);
    for at in 1..=end {
        let (interrupted, _, mut states) = run(&mut Interrupts(at, 0), 1_000, None);
        assert!(matches!(interrupted, Err(Error::Interrupted)));
        assert_eq!(states.iter().map(|state| state.step).collect::<Vec<_>>(), [at]);
        let (again, same, _) = run(&mut Silent, 1_000, states.pop());
        assert_eq!((again.unwrap(), same), (end, weight), "resumed at {at}");
    }
}

/// Collects notes, and interrupts like the other.
struct Listens(Interrupts, Vec<String>);

impl Observer for Listens {
    fn event(&mut self, event: &Event<'_>) {
        self.0.event(event);
        if let Event::Note { text } = event {
            self.1.push((*text).to_owned());
        }
    }

    fn control(&mut self) -> Control {
        self.0.control()
    }
}

/// A full disk at update 4 is told of, and the state of update 8 is kept; at an interruption it is
/// the end.
#[test]
fn a_state_that_cannot_be_kept_ends_the_training_only_where_it_is_all_that_is_left() {
    let run = |interrupt: u64, full: u64| {
        let mut kept = Vec::new();
        let mut keep = |state: TrainingState| {
            if state.step == full {
                return Err(Error::data("the disk is full"));
            }
            kept.push(state.step);
            Ok(())
        };
        let mut observer = Listens(Interrupts(interrupt, 0), Vec::new());
        let every = NonZeroU64::new(4).unwrap();
        let context = FitContext::new(Seed(1), &mut observer);
        let checkpoints = Some(CheckpointSink { every, keep: &mut keep });
        let mut ctx = FitContext { checkpoints, ..context };
        let end = TrainingLoop::new(10).run(&mut Halving::new(), &mut ctx);
        (end, kept, observer.1)
    };
    let (end, kept, notes) = run(u64::MAX, 4);
    assert_eq!((end.unwrap(), kept), (10, vec![8]));
    assert!(matches!(&notes[..], [note] if note.contains("update 4") && note.contains("full")));
    let (end, kept, notes) = run(6, 6);
    assert!(matches!(end, Err(Error::Data(_))), "{end:?}");
    assert_eq!((kept, notes), (vec![4], Vec::new()));
    let (end, ..) = run(8, 8);
    assert!(matches!(end, Err(Error::Data(_))), "due and interrupted: {end:?}");
}

#[test]
fn a_state_of_a_longer_training_is_refused() {
    let mut state = TrainingState::at(51);
    state.put_tensor("weight", &[1], vec![1.0]);
    let (end, ..) = run(&mut Silent, 10, Some(state));
    assert!(matches!(end, Err(Error::Checkpoint(_))), "{end:?}");
}

/// Knows no checkpoints.
struct Forgetful;

impl Trainee for Forgetful {
    fn step(&mut self, _: u64) -> Result<Losses> {
        Ok(Vec::new())
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

#[test]
fn a_model_without_checkpoints_says_so() {
    let mut silent = Silent;
    let mut ctx = FitContext::new(Seed(1), &mut silent);
    let mut state = TrainingState::at(0);
    state.put(ENDED_PART, &false).unwrap();
    ctx.resume = Some(state);
    let error = TrainingLoop::new(5).run(&mut Forgetful, &mut ctx).unwrap_err();
    assert!(error.to_string().contains("keeps no checkpoints"), "{error}");
}

/// Knows by itself when it is done, and tells of every update.
struct Countdown(u64);

impl Trainee for Countdown {
    fn step(&mut self, _: u64) -> Result<Losses> {
        self.0 -= 1;
        Ok(Vec::new())
    }

    fn finished(&self) -> bool {
        self.0 == 0
    }

    fn notes(&mut self) -> Vec<String> {
        vec![format!("{} to go", self.0)]
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        state.put("left", &self.0)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.0 = state.part("left")?;
        Ok(())
    }
}

#[test]
fn a_model_that_knows_when_it_is_done_is_asked() {
    let run = |interrupt: u64, resume: Option<TrainingState>| {
        let mut kept = Vec::new();
        let mut keep = |state: TrainingState| {
            kept.push(state);
            Ok(())
        };
        let mut observer = Listens(Interrupts(interrupt, 0), Vec::new());
        let context = FitContext::new(Seed(1), &mut observer);
        let checkpoints = Some(CheckpointSink { every: NonZeroU64::MIN, keep: &mut keep });
        let mut ctx = FitContext { checkpoints, resume, ..context };
        let end = TrainingLoop::until_finished().run(&mut Countdown(3), &mut ctx);
        (end, kept, observer.1)
    };
    let (end, kept, notes) = run(u64::MAX, None);
    assert_eq!(end.unwrap(), 3);
    assert_eq!(kept.len(), 2, "there is nothing to go on with behind the last update");
    assert_eq!(notes, ["2 to go", "1 to go", "0 to go"]);
    let (end, mut kept, _) = run(3, None);
    assert!(matches!(end, Err(Error::Interrupted)));
    let (end, _, notes) = run(u64::MAX, kept.pop());
    assert_eq!((end.unwrap(), notes), (3, Vec::new()), "nothing is left to do");
}
