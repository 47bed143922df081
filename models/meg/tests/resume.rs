//! An interrupted training goes on to the same bytes, at every place of every schedule; a wrong or
//! damaged state is an error, and a divergence names update and column.

use meg_core::conformance::Training;
use meg_core::{Event, FitContext, Kernels, Observer, Phase, Seed};

/// Updates of the whole fit, and all notes.
#[derive(Default)]
struct Counts(u64, Vec<String>);

impl Observer for Counts {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Step { phase: Phase::Train, done, .. } => self.0 = *done,
            Event::Note { text } => self.1.push((*text).to_owned()),
            _ => {}
        }
    }
}

/// A whole fit, and how many updates it takes.
fn counted(training: Training<'_>) -> (Training<'_>, Vec<String>) {
    let recipe = (training.entry.recipe)(training.recipe).unwrap();
    let mut counts = Counts::default();
    let mut ctx = FitContext::new(Seed(5), &mut counts);
    recipe.synthesizer.fit(&training.table(), &mut ctx).unwrap();
    (Training { updates: counts.0, ..training }, counts.1)
}

fn training(recipe: &'static str, rows: usize) -> Training<'static> {
    let diverges = "learning_rate = 1e30\nmax_steps = 60\nhidden = 4\nembedding = 4\nfolds = 2";
    Training { entry: &meg::ENTRY, recipe, diverges, rows, updates: 0 }
}

/// Folds, then all rows with several states, for both places of the target.
#[test]
fn a_training_in_folds_can_be_interrupted_and_resumed() {
    let recipe = "folds = 2\nmax_steps = 9\nleast_interval = 1\nmost_interval = 3\nhidden = 8\n\
        embedding = 4\nlearning_rate = 0.05\nsnapshots = 3\nwarmup = 1";
    let (training, notes) = counted(training(recipe, 120));
    assert!(training.updates > 30, "{} updates: no state on all rows", training.updates);
    training.check();
    let said = |words: &str| notes.iter().filter(|note| note.contains(words)).count();
    assert_eq!(said("target first: best validation loss over 2 folds"), 1, "{notes:?}");
    assert_eq!(said("target last: best validation loss over 2 folds"), 1, "{notes:?}");
    assert_eq!(said("the target is made"), 1, "{notes:?}");
}

/// Held-out rows with cuts of the rate and one state, for both places of the target.
#[test]
fn a_training_with_held_out_rows_can_be_interrupted_and_resumed() {
    let recipe = "folds = 1\nmax_steps = 14\nleast_interval = 1\nmost_interval = 2\nhidden = 8\n\
        embedding = 4\nlearning_rate = 0.3\npatience = 1\nwarmup = 1\nsnapshots = 1";
    let (training, notes) = counted(training(recipe, 150));
    assert!((10..28).contains(&training.updates), "{} updates: no rate was cut", training.updates);
    training.check();
    assert!(notes.iter().any(|note| note.starts_with("target last: best")), "{notes:?}");
}

/// Held-out rows, then all rows; with two members the held-out rows stay unseen, and mix them.
#[test]
fn a_second_training_on_all_rows_can_be_interrupted_and_resumed() {
    for (label, members) in [("auto", 1), ("last", 2)] {
        let recipe = format!(
            "folds = 1\nmax_steps = 9\nleast_interval = 1\nmost_interval = 2\nhidden = 8\n\
            embedding = 4\nlearning_rate = 0.05\nsnapshots = 3\nwarmup = 1\n\
            label = \"{label}\"\nmembers = {members}"
        );
        let (training, notes) = counted(training(recipe.leak(), 150));
        assert!(training.updates > 20, "{} updates: no second training", training.updates);
        training.check();
        let after = notes.iter().filter(|note| note.contains(", after "));
        assert_eq!(after.count(), 2, "{notes:?}");
    }
}

/// Two members of dynamic masks, each with an adversarial phase behind its held-out rows.
#[test]
fn members_and_their_adversarial_phase_can_be_interrupted_and_resumed() {
    let recipe = "folds = 1\nmax_steps = 3\nhidden = 4\nembedding = 2\nmasks = \"dynamic\"\n\
        members = 2\nlabel = \"last\"\nadversarial_steps = 2\nbatch_size = 16";
    let (training, notes) = counted(training(recipe, 80));
    assert_eq!(training.updates, 2 * (3 + 100 + 2));
    let members = |at: usize| notes.iter().any(|note| note.starts_with(&format!("member {at}: ")));
    assert!(members(1) && members(2) && !members(3), "{notes:?}");
    let files = training.files(Kernels::Fused);
    // All 210 states would take long: some of each stage.
    let states = training.states(Kernels::Fused, 1);
    for at in [0, 1, 2, 3, 50, 101, 103, 104, 105, 107, 108, 150, 206, 208] {
        let state = states[at].clone();
        let step = state.step;
        let resumed = training.resumed(Kernels::Fused, state).unwrap();
        assert!(resumed == files, "resumed at {step}: other bytes");
    }
}

/// The kernels are really switched, in the adversarial phase too.
#[test]
fn plain_training_is_another_computation() {
    let recipe = "folds = 1\nmax_steps = 3\nhidden = 4\nembedding = 2\nlabel = \"first\"\n\
        adversarial_steps = 2\nbatch_size = 16";
    let training = Training { updates: 105, ..training(recipe, 60) };
    let [fused, plain] = [Kernels::Fused, Kernels::Plain].map(|kernels| training.files(kernels));
    assert!(fused.0 == plain.0, "masks and codes do not depend on the kernels");
    assert!(fused.1 != plain.1, "the weights should differ by rounding");
}

#[test]
fn a_divergence_names_update_and_column() {
    let recipe = (meg::ENTRY.recipe)("learning_rate = 1e30\nfolds = 1").unwrap();
    let table = meg_core::conformance::mixed_table(200, 1);
    let mut silent = meg_core::Silent;
    let error = recipe.synthesizer.fit(&table, &mut FitContext::new(Seed(1), &mut silent));
    let text = error.unwrap_err().to_string();
    let names = ["age", "lab", "free", "sex", "town", "day", "ill"];
    assert!(names.iter().any(|name| text.contains(&format!("of \"{name}\" holds "))), "{text}");
    assert!(text.contains("step 2"), "{text}");
}
