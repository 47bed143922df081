//! What models tell for reports: masks, and the accuracy of their discriminators.

use meg_core::conformance::{fit, mixed_table};
use meg_core::{
    Column, ColumnSpec, Event, FitContext, Masks, ModelEntry, Observer, Phase, Schema, Seed, Table,
};
use rand::Rng as _;

fn masks(entry: &ModelEntry, settings: &str) -> Masks {
    let model = fit(entry, settings, &mixed_table(300, 1), 1);
    let masks = model.masks().unwrap();
    let again = (entry.load)(&model.save().unwrap()).unwrap();
    assert_eq!(again.masks().as_ref(), Some(&masks), "a saved model tells the same");
    assert!(masks.is_sound());
    masks
}

/// How often each column is made.
fn made(masks: &Masks) -> Vec<usize> {
    let all: Vec<usize> = masks.generators.iter().flat_map(|one| one.makes.clone()).collect();
    (0..masks.columns.len()).map(|at| all.iter().filter(|&&own| own == at).count()).collect()
}

#[test]
fn masks_cover_every_column_and_see_what_is_made_before() {
    let quick = "max_steps = 5\nhidden = 8\nembedding = 4\nfolds = 1";
    let plain = masks(&meg::ENTRY, quick);
    assert!(made(&plain).iter().all(|&times| times == 1) && plain.columns.len() > 3);
    for mask in &plain.generators {
        let at = mask.makes[0];
        assert_eq!(mask.sees, (0..at).collect::<Vec<_>>(), "{}", plain.columns[at]);
    }
    let members = masks(&meg::ENTRY, &format!("{quick}\nmembers = 3\nmasks = \"kind\""));
    assert!(made(&members).iter().all(|&times| times == 3));
    assert!(members.generators.iter().any(|mask| mask.name.starts_with("3.")));
    let classic = masks(&meg::CLASSIC, "epochs = 2");
    assert!(made(&classic).iter().all(|&times| times == 1));
    assert!(classic.generators.iter().all(|mask| mask.sees.is_empty()));
}

/// Keeps the values of one name.
#[derive(Default)]
struct Accuracies(Vec<f64>);

impl Observer for Accuracies {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { phase: Phase::Train, values, .. } = event {
            let own = values.iter().filter(|(name, _)| *name == "discriminator_accuracy");
            self.0.extend(own.map(|(_, value)| value));
        }
    }
}

fn accuracies(entry: &ModelEntry, settings: &str, train: &Table) -> Vec<f64> {
    let mut heard = Accuracies::default();
    let recipe = (entry.recipe)(settings).unwrap();
    recipe.synthesizer.fit(train, &mut FitContext::new(Seed(1), &mut heard)).unwrap();
    assert!(heard.0.iter().all(|share| (0.0..=1.0).contains(share)));
    heard.0
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Two columns that are each even and together always differ in sign.
fn opposites(rows: usize) -> Table {
    let mut rng = Seed(1).stream("test");
    let x: Vec<f64> = (0..rows).map(|_| rng.random_range(-1.0..1.0)).collect();
    let y = x.iter().map(|x| -x).collect();
    let specs = vec![ColumnSpec::number("x", 3), ColumnSpec::number("y", 3)];
    let round = |cells: Vec<f64>| cells.into_iter().map(|x| (x * 1e3).round() / 1e3).collect();
    let columns = vec![Column::Numbers(round(x)), Column::Numbers(round(y))];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

/// Every cell is -1 or 1, and the generators begin near 0: the discriminator, which begins with a
/// coin's accuracy, tells their rows for a while.
#[test]
fn accuracy_rises_from_that_of_a_coin_while_rows_can_be_told() {
    let signs = |x: &f64| x.signum();
    let table = opposites(500);
    let cells = |at: usize| Column::Numbers(table.numbers(at).iter().map(signs).collect());
    let train = Table::new(table.schema().clone(), vec![cells(0), cells(1)]).unwrap();
    let settings = "epochs = 400\nhidden = 32\ninput_dim = 8\nscaling = \"range\"";
    let told = accuracies(&meg::CLASSIC, settings, &train);
    assert_eq!(told.len(), 400);
    let (early, best) = (mean(&told[..3]), told.chunks(20).map(mean).fold(0.0, f64::max));
    assert!((early - 0.5).abs() < 0.3 && best > 0.9, "{early} {best}");
}

#[test]
fn the_adversarial_phase_tells_its_accuracy_and_other_phases_have_none() {
    let quick = "max_steps = 60\nhidden = 8\nembedding = 4\nfold_below = 100\nlabel = \"first\"";
    assert!(accuracies(&meg::ENTRY, quick, &opposites(600)).is_empty());
    let settings = format!("{quick}\nadversarial_steps = 10");
    let told = accuracies(&meg::ENTRY, &settings, &opposites(600));
    // The discriminator has a head start of a hundred steps.
    assert_eq!(told.len(), 110);
    assert!((mean(&told[..5]) - 0.5).abs() < 0.2, "{:?}", &told[..5]);
}
