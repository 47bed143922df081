//! A saved model goes on learning: what it gains, what it keeps, and which rows it refuses.

use meg_core::conformance::{draw, fit, mixed_table};
use meg_core::{
    Artifact, CheckpointSink, Column, ColumnSpec, Control, Error, Event, FitContext, Fitted,
    ModelEntry, Observer, Phase, Result, Role, Schema, Seed, Silent, Table, TrainingState,
};
use rand::Rng as _;
use rand_distr::StandardNormal;
use std::num::NonZeroU64;

/// Collects notes, and may ask to finish or to abort after so many updates.
#[derive(Default)]
struct Ear {
    notes: Vec<String>,
    updates: u64,
    last: Option<(u64, Control)>,
}

impl Observer for Ear {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Note { text } => self.notes.push((*text).to_owned()),
            Event::Step { phase: Phase::Train, done, .. } => self.updates = *done,
            _ => {}
        }
    }

    fn control(&mut self) -> Control {
        match self.last {
            Some((after, wish)) if self.updates >= after => wish,
            _ => Control::Continue,
        }
    }
}

fn further(
    entry: &ModelEntry,
    base: &dyn Fitted,
    settings: &str,
    rows: &Table,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let (json, tensors) = base.save().unwrap().to_bytes().unwrap();
    let artifact = Artifact::from_bytes(&json, &tensors).unwrap();
    (entry.recipe)(settings)?.synthesizer.fit_further(&artifact, rows, ctx)
}

fn silently(base: &dyn Fitted, settings: &str, rows: &Table, seed: u64) -> Result<Box<dyn Fitted>> {
    let mut silent = Silent;
    further(&meg::ENTRY, base, settings, rows, &mut FitContext::new(Seed(seed), &mut silent))
}

fn bytes(model: &dyn Fitted) -> (Vec<u8>, Vec<u8>) {
    model.save().unwrap().to_bytes().unwrap()
}

fn trainings(model: &dyn Fitted) -> Vec<Vec<String>> {
    let sheets = model.describe();
    sheets.into_iter().find(|sheet| sheet.title == "trainings").expect("they are told").rows
}

/// `label` depends on `x`, `y` on both.
fn table(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("test");
    let (mut label, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let own = f64::from(rng.random_range(0..12));
        let sick = rng.random_bool(if own < 6.0 { 0.05 } else { 0.95 });
        label.push(u32::from(sick));
        x.push(own);
        let noise: f64 = rng.sample(StandardNormal);
        y.push(((own + 20.0 * f64::from(u8::from(sick)) + 0.3 * noise) * 10.0).round() / 10.0);
    }
    let specs = vec![
        ColumnSpec::category("label", ["no", "yes", "perhaps"]).role(Role::Target),
        ColumnSpec::number("x", 0),
        ColumnSpec::number("y", 1).nullable(),
    ];
    let columns = vec![Column::Codes(label), Column::Numbers(x), Column::Numbers(y)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

fn mean_density(model: &dyn Fitted, rows: &Table) -> f64 {
    let all = model.log_density(rows, 1).unwrap().expect("meg has densities");
    let known: Vec<f64> = all.into_iter().filter(|density| density.is_finite()).collect();
    assert!(known.len() as f64 > 0.95 * rows.rows() as f64);
    known.iter().sum::<f64>() / known.len() as f64
}

/// One state, so that the held-out rows of the first training stay unseen.
const SMALL: &str = "hidden = 16\nembedding = 8\nlabel = \"first\"\nsnapshots = 1\n";

fn settings(more: &str) -> String {
    format!("{SMALL}{more}")
}

#[test]
fn a_model_that_was_stopped_early_learns_the_rest() {
    let (train, fresh) = (table(3_000, 1), table(2_000, 2));
    let early = fit(&meg::ENTRY, &settings("max_steps = 40"), &train, 1);
    let model = silently(early.as_ref(), &settings("max_steps = 460"), &train, 1).unwrap();
    let whole = fit(&meg::ENTRY, &settings("max_steps = 500"), &train, 1);
    let [early_nats, nats, whole_nats] =
        [&early, &model, &whole].map(|model| mean_density(model.as_ref(), &fresh));
    assert!(nats > early_nats + 0.3, "{early_nats} nats before, {nats} after");
    // Another way there (Adam begins anew, other batches), as near to the end.
    assert!((nats - whole_nats).abs() < 0.1, "{nats} nats in two parts, {whole_nats} in one");
    assert!(bytes(model.as_ref()) != bytes(whole.as_ref()));
    assert_eq!(trainings(early.as_ref()), [["1", "1", "3000", "300", "40"]]);
    let told = trainings(model.as_ref());
    assert_eq!(told[0], ["1", "1", "3000", "300", "40"]);
    assert_eq!(told[1][..4], ["2", "1", "3000", "300"]);
    let again = silently(early.as_ref(), &settings("max_steps = 460"), &train, 1).unwrap();
    assert!(bytes(again.as_ref()) == bytes(model.as_ref()), "same seed, other bytes");
}

/// A model that has learned what there is stays what it was, unless held-out rows gain.
#[test]
fn a_model_that_has_learned_enough_is_not_spoilt() {
    let (train, fresh) = (table(3_000, 1), table(2_000, 2));
    let model = fit(&meg::ENTRY, &settings(""), &train, 1);
    let more = silently(model.as_ref(), &settings(""), &train, 9).unwrap();
    let (before, after) =
        (mean_density(model.as_ref(), &fresh), mean_density(more.as_ref(), &fresh));
    assert!(after > before - 0.03, "{before} nats before, {after} after");
}

/// Rows that decided when the first training stopped decide again, whatever the seed: at a rate of
/// next to nothing their score is the one that the first training ended with.
#[test]
fn the_same_table_holds_out_the_same_rows() {
    let train = table(3_000, 1);
    let score = |notes: &[String]| -> f64 {
        let note = notes.iter().find(|note| note.contains("best validation loss")).unwrap();
        note.split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    let mut first = Ear::default();
    let recipe = (meg::ENTRY.recipe)(&settings("max_steps = 60")).unwrap();
    let mut ctx = FitContext::new(Seed(1), &mut first);
    let model = recipe.synthesizer.fit(&train, &mut ctx).unwrap();
    let mut second = Ear::default();
    let still = settings("max_steps = 60\nlearning_rate = 1e-12");
    let mut ctx = FitContext::new(Seed(7), &mut second);
    further(&meg::ENTRY, model.as_ref(), &still, &train, &mut ctx).unwrap();
    let scores = (score(&first.notes), score(&second.notes));
    assert!((scores.0 - scores.1).abs() < 2e-4, "{scores:?}");
}

/// Cells that the codes do not hold are named; few numbers of that kind are taken for the nearest.
#[test]
fn rows_unlike_the_first_ones_are_named() {
    let train = table(3_000, 1);
    let model = fit(&meg::ENTRY, &settings("max_steps = 40"), &train, 1);
    let changed = |at: usize, change: &dyn Fn(&mut Column)| {
        let mut columns = train.columns().to_vec();
        change(&mut columns[at]);
        Table::new(train.schema().clone(), columns).unwrap()
    };
    let refused = |rows: &Table, words: &[&str]| {
        let error = silently(model.as_ref(), &settings(""), rows, 1).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Data(_)), "{text}");
        assert!(words.iter().all(|word| text.contains(word)) && text.contains("help:"), "{text}");
    };
    let level = changed(0, &|column| {
        if let Column::Codes(cells) = column {
            cells[4] = 2;
        }
    });
    refused(&level, &["row 5", "\"label\"", "\"perhaps\"", "no code"]);
    let number = |row: usize, value: f64, count: usize| {
        changed(2, &|column| {
            if let Column::Numbers(cells) = column {
                cells[row..row + count].fill(value);
            }
        })
    };
    refused(&number(6, f64::NAN, 1), &["row 7", "\"y\"", "is missing"]);
    refused(&number(8, 1e5, 200), &["row 9", "\"y\"", "200 of the 3000", "100000"]);
    let mut ear = Ear::default();
    let mut ctx = FitContext::new(Seed(1), &mut ear);
    let rows = number(8, 1e5, 30);
    let more = further(&meg::ENTRY, model.as_ref(), &settings("max_steps = 40"), &rows, &mut ctx);
    let drawn = draw(more.unwrap().as_ref(), 3_000, 1);
    assert!(drawn.numbers(2).iter().all(|&y| y < 1e3), "what has no code is not drawn");
    let told = |note: &&String| note.contains("30 cells of \"y\"") && note.contains("row 9");
    assert!(ear.notes.iter().any(|note| told(&note)), "{:?}", ear.notes);
}

#[test]
fn what_cannot_go_on_says_why() {
    let train = table(3_000, 1);
    let model = fit(&meg::ENTRY, &settings("max_steps = 40"), &train, 1);
    for (key, other) in [("bins", "bins = 32"), ("validation", "validation = 0.2")] {
        match silently(model.as_ref(), &settings(other), &train, 1) {
            Err(Error::Recipe { key: named, problem }) => {
                assert!(named == key && problem.contains("cannot change"), "{named}: {problem}");
            }
            end => panic!("{end:?}"),
        }
    }
    // 500 rows go through folds, and no row of theirs could say when to stop.
    let few = table(500, 1);
    let text = silently(model.as_ref(), &settings(""), &few, 1).unwrap_err().to_string();
    assert!(text.contains("500 rows") && text.contains("folds=1"), "{text}");
    silently(model.as_ref(), &settings("folds = 1\nmax_steps = 20"), &few, 1).unwrap();
    // The states of a small table learn from a large one, each for itself.
    let small = fit(&meg::ENTRY, &settings("max_steps = 60"), &few, 1);
    let mut ear = Ear::default();
    let mut ctx = FitContext::new(Seed(1), &mut ear);
    let more = further(&meg::ENTRY, small.as_ref(), &settings(""), &train, &mut ctx).unwrap();
    assert!(
        ear.notes.iter().any(|note| note.contains("ended with all of its rows")),
        "{:?}",
        ear.notes
    );
    let fresh = table(2_000, 2);
    let (before, after) =
        (mean_density(small.as_ref(), &fresh), mean_density(more.as_ref(), &fresh));
    assert!(after > before, "{before} nats before, {after} after");
}

/// Files of older versions tell of no training, and can go on all the same.
#[test]
fn a_model_without_a_record_goes_on() {
    let train = table(3_000, 1);
    let mut artifact = fit(&meg::ENTRY, &settings("max_steps = 40"), &train, 1).save().unwrap();
    artifact.state.as_object_mut().unwrap().remove("trainings").expect("there is a record");
    let old = (meg::ENTRY.load)(&artifact).unwrap();
    let mut ear = Ear::default();
    let mut ctx = FitContext::new(Seed(4), &mut ear);
    let settings = settings("max_steps = 20");
    let more = further(&meg::ENTRY, old.as_ref(), &settings, &train, &mut ctx).unwrap();
    let unknown = ["1", "unknown", "unknown", "unknown", "unknown"];
    assert_eq!(trainings(more.as_ref()), [unknown, ["2", "4", "3000", "300", "20"]]);
    let told = |ear: &Ear| ear.notes.iter().any(|note| note.contains("does not say by which seed"));
    assert!(told(&ear));
    // Nor does the model that went on know of the first training, when it is saved and goes on.
    let saved = (meg::ENTRY.load)(&more.save().unwrap()).unwrap();
    let mut ear = Ear::default();
    let mut ctx = FitContext::new(Seed(5), &mut ear);
    let third = further(&meg::ENTRY, saved.as_ref(), &settings, &train, &mut ctx).unwrap();
    assert_eq!(trainings(third.as_ref()).len(), 3);
    assert!(told(&ear));
}

/// A request to finish leaves the members whose turn did not come as they were.
#[test]
fn finishing_early_keeps_all_members() {
    let train = table(3_000, 1);
    let settings = settings("max_steps = 40\nmembers = 2");
    let model = fit(&meg::ENTRY, &settings, &train, 1);
    let mut ear = Ear { last: Some((5, Control::Finish)), ..Ear::default() };
    let mut ctx = FitContext::new(Seed(2), &mut ear);
    let more = further(&meg::ENTRY, model.as_ref(), &settings, &train, &mut ctx).unwrap();
    let (before, after) = (model.save().unwrap().tensors, more.save().unwrap().tensors);
    assert!(before.keys().eq(after.keys()));
    let second = |name: &&String| name.starts_with("member1.");
    assert!(before.keys().filter(second).all(|name| before[name] == after[name]));
    assert!(before != after, "the first member learned for five steps");
}

/// Every few updates a state is kept, and each of them leads to the same bytes.
#[test]
fn a_further_training_can_be_interrupted_and_resumed() {
    for (entry, first, then, rows) in [
        (&meg::ENTRY, settings("max_steps = 20"), settings("max_steps = 14"), table(3_000, 1)),
        (
            &meg::CLASSIC,
            "epochs = 5\nhidden = 8".into(),
            "epochs = 14\nhidden = 8".into(),
            mixed_table(200, 1),
        ),
    ] {
        let base = fit(entry, &first, &rows, 1);
        let run = |resume: Option<TrainingState>| {
            let mut states = Vec::new();
            let mut keep = |state: TrainingState| {
                states.push(state);
                Ok(())
            };
            let every = NonZeroU64::new(5).unwrap();
            let mut silent = Silent;
            let mut ctx = FitContext::new(Seed(3), &mut silent);
            ctx.checkpoints = Some(CheckpointSink { every, keep: &mut keep });
            ctx.resume = resume;
            let model = further(entry, base.as_ref(), &then, &rows, &mut ctx).unwrap();
            (bytes(model.as_ref()), states)
        };
        let (whole, states) = run(None);
        assert_eq!(states.len(), 2);
        for state in states {
            let at = state.step;
            assert!(run(Some(state)).0 == whole, "{}: resumed at {at}: other bytes", entry.name);
        }
    }
}

/// Two columns that are the same number.
fn twins(rows: usize) -> Table {
    let mut rng = Seed(1).stream("test");
    let cells: Vec<f64> = (0..rows).map(|_| rng.sample(StandardNormal)).collect();
    let specs = vec![ColumnSpec::number("x", None), ColumnSpec::number("y", None)];
    let columns = vec![Column::Numbers(cells.clone()), Column::Numbers(cells)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

fn correlation(table: &Table) -> f64 {
    let (a, b) = (table.numbers(0), table.numbers(1));
    let mean = |cells: &[f64]| cells.iter().sum::<f64>() / cells.len() as f64;
    let (at, bt) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&x, &y)| f(x, y)).sum::<f64>();
    let cross = sum(&|x, y| (x - at) * (y - bt));
    cross / (sum(&|x, _| (x - at).powi(2)) * sum(&|_, y| (y - bt).powi(2))).sqrt()
}

/// The documented algorithm, stopped when it knows little and taken up again.
#[test]
fn the_documented_algorithm_goes_on() {
    let rows = twins(2_000);
    let short = "hidden = 32\ninput_dim = 16\nlearning_rate = 1e-3\nscaling = \"range\"\n";
    let early = fit(&meg::CLASSIC, &format!("{short}epochs = 50"), &rows, 1);
    let mut silent = Silent;
    let mut ctx = FitContext::new(Seed(1), &mut silent);
    let more = format!("{short}epochs = 3000");
    let model = further(&meg::CLASSIC, early.as_ref(), &more, &rows, &mut ctx).unwrap();
    let [before, after] =
        [&early, &model].map(|model| correlation(&draw(model.as_ref(), 4_000, 2)));
    assert!(before < 0.8 && after > 0.9, "{before} before, {after} after");
    assert_eq!(
        trainings(model.as_ref()),
        [["1", "1", "2000", "0", "50"], ["2", "1", "2000", "0", "3000"]]
    );
}

#[test]
fn the_documented_algorithm_names_rows_that_it_has_no_units_for() {
    let rows = mixed_table(200, 1);
    let base = fit(&meg::CLASSIC, "epochs = 5\nhidden = 8", &rows, 1);
    let go_on = |settings: &str, rows: &Table| {
        let mut silent = Silent;
        let mut ctx = FitContext::new(Seed(1), &mut silent);
        further(&meg::CLASSIC, base.as_ref(), settings, rows, &mut ctx)
    };
    let mut columns = rows.columns().to_vec();
    if let Column::Codes(towns) = &mut columns[5] {
        towns[2] = 5;
    }
    let other = Table::new(rows.schema().clone(), columns).unwrap();
    let text = go_on("epochs = 5\nhidden = 8", &other).unwrap_err().to_string();
    assert!(text.contains("row 3") && text.contains("\"town\"") && text.contains("\"never\""));
    let text = go_on("epochs = 5\nhidden = 9", &rows).unwrap_err().to_string();
    assert!(text.contains("`hidden`") && text.contains("cannot change"), "{text}");
}
