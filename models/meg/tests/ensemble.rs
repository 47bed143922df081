//! Mask schemes, members, dynamic masks, the adversarial phase and the privacy settings: each does
//! what it is for.

use meg_core::conformance::{draw, fit};
use meg_core::{
    Column, ColumnSpec, Event, FitContext, Fitted, Observer, Role, SampleContext, SampleRequest,
    Schema, Seed, Table,
};
use rand::Rng as _;
use rand_distr::StandardNormal;

fn learned(train: &Table, settings: &str) -> Box<dyn Fitted> {
    fit(&meg::ENTRY, settings, train, 1)
}

fn mean(cells: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0f64);
    cells.into_iter().for_each(|cell| (sum, count) = (sum + cell, count + 1.0));
    sum / count.max(1.0)
}

/// `y` is `a` or-else `b`, `x` is normal around `y`, and `many` has a level per row in 40.
fn table(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("test");
    let (mut a, mut b, mut y, mut x, mut many) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        let (one, other) = (rng.random_range(0..2u32), rng.random_range(0..2u32));
        a.push(one);
        b.push(other);
        y.push(one ^ other);
        let noise: f64 = rng.sample(StandardNormal);
        x.push(4.0 * f64::from(one ^ other) + noise);
        many.push(if rng.random_bool(0.025) { rng.random_range(1..200) } else { 0 });
    }
    let bit = |name: &str| ColumnSpec::category(name, ["0", "1"]);
    let specs = vec![
        bit("a"),
        bit("b"),
        bit("y").role(Role::Target),
        ColumnSpec::number("x", None),
        ColumnSpec::category("many", (0..200).map(|level| format!("level {level}"))),
    ];
    let codes = Column::Codes;
    let columns = vec![codes(a), codes(b), codes(y), Column::Numbers(x), codes(many)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

/// Share of rows in which the rule holds.
fn rule(rows: &Table) -> f64 {
    mean((0..rows.rows()).map(|row| {
        let holds = rows.codes(0)[row] ^ rows.codes(1)[row] == rows.codes(2)[row];
        f64::from(u8::from(holds))
    }))
}

fn deviation(cells: &[f64]) -> f64 {
    let centre = mean(cells.iter().copied());
    mean(cells.iter().map(|cell| (cell - centre).powi(2))).sqrt()
}

#[test]
fn every_scheme_learns_a_rule_of_three_columns() {
    let train = table(4_000, 1);
    for masks in ["kind", "dependence", "random", "dynamic"] {
        let model = learned(&train, &format!("masks = \"{masks}\"\nlabel = \"first\""));
        let drawn = draw(model.as_ref(), 3_000, 2);
        assert!(rule(&drawn) > 0.95, "{masks}: the rule holds in {} of the rows", rule(&drawn));
        let loaded = (meg::ENTRY.load)(&model.save().unwrap()).unwrap();
        assert!(draw(loaded.as_ref(), 100, 3) == draw(model.as_ref(), 100, 3), "{masks}");
    }
}

/// The mean of several draws would have the standard deviation of one over the root of their
/// number, and the mean of codes would be none.
#[test]
fn members_are_mixed_before_one_draw() {
    let (train, fresh) = (table(4_000, 1), table(2_000, 2));
    let settings = "masks = \"random\"\nlabel = \"first\"\nmembers = 4\nleast_gain = 2e-3";
    let four = learned(&train, settings);
    let drawn = draw(four.as_ref(), 6_000, 3);
    let ratio = deviation(drawn.numbers(3)) / deviation(train.numbers(3));
    assert!((0.97..1.03).contains(&ratio), "ratio of deviations {ratio}");
    assert!(rule(&drawn) > 0.95, "{}", rule(&drawn));
    // One state each, so that both learn from the same rows.
    let density = |members: usize| {
        let members = format!("members = {members}\nsnapshots = 1");
        let model = learned(&train, &settings.replace("members = 4", &members));
        let all = model.log_density(&fresh, 2).unwrap().unwrap();
        mean(all.into_iter().filter(|density| density.is_finite()))
    };
    let (many, one) = (density(4), density(1));
    assert!(many > one, "four members: {many} nats, one: {one}");
    let state = four.save().unwrap().state;
    let mixing: Vec<Vec<f32>> = serde_json::from_value(state["mixing"].clone()).unwrap();
    // Of each member one state makes a column.
    let counting = |of: &[f32]| of.iter().filter(|share| **share > 0.0).count();
    assert!(
        mixing.iter().all(|of| counting(of) <= 4 && (of.iter().sum::<f32>() - 1.0).abs() < 1e-4)
    );
    assert!(mixing.iter().any(|of| counting(of) == 4));
    let uneven = |share: &f32| *share > 0.0 && (share - 0.25).abs() > 0.01;
    assert!(mixing.iter().any(|of| of.iter().any(uneven)));
}

/// The last step is scored whatever the interval: no table is left as it began.
#[test]
fn a_training_that_is_shorter_than_an_interval_counts() {
    let (_, notes, _) = told(&table(3_000, 1), "label = \"first\"\nmax_steps = 15");
    assert!(notes.iter().any(|note| note.contains("after 15")), "{notes:?}");
}

/// Columns are learned at different speeds: a state for each makes unseen rows likelier.
#[test]
fn each_column_of_a_large_table_is_made_by_a_state_that_suits_it() {
    let (train, fresh) = (table(4_000, 1), table(4_000, 2));
    let density = |settings: &str| {
        let model = learned(&train, &format!("label = \"first\"\n{settings}"));
        let all = model.log_density(&fresh, 2).unwrap().unwrap();
        mean(all.into_iter().filter(|density| density.is_finite()))
    };
    let (own, shared) = (density(""), density("snapshots = 1"));
    assert!(own > shared, "own states: {own} nats, one for all: {shared}");
}

#[derive(Default)]
struct Notes {
    acceptance: Option<(u64, u64)>,
    notes: Vec<String>,
}

impl Observer for Notes {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Acceptance { drawn, kept } => self.acceptance = Some((*drawn, *kept)),
            Event::Note { text } => self.notes.push((*text).to_owned()),
            _ => {}
        }
    }
}

/// Dynamic masks know every conditional: a condition on the last column loses no row.
#[test]
fn dynamic_masks_draw_under_any_condition_without_loss() {
    let train = table(4_000, 1);
    let model = learned(&train, "masks = \"dynamic\"\nlabel = \"first\"\nmax_steps = 1500");
    let last = model.describe()[0].rows[4][1].clone();
    assert_ne!(last, "y");
    let request = SampleRequest::rows(2_000)
        .with(train.schema(), "a", "1")
        .and_then(|request| request.with(train.schema(), "b", "1"))
        .unwrap();
    let mut notes = Notes::default();
    let rng = Seed(2).stream("sample");
    let mut ctx = SampleContext { rng, threads: 1, observer: &mut notes };
    let drawn = model.sample(&request, &mut ctx).unwrap();
    assert_eq!(notes.acceptance, Some((2_000, 2_000)));
    assert!(drawn.codes(0).iter().chain(drawn.codes(1)).all(|&code| code == 1));
    assert!(rule(&drawn) > 0.95, "{}", rule(&drawn));
    let centre = mean(drawn.numbers(3).iter().copied());
    assert!(centre.abs() < 0.3, "{centre}");
}

#[test]
fn dynamic_masks_impute_from_whatever_is_known() {
    let train = table(4_000, 1);
    let specs = train.schema().columns.iter().cloned().map(|spec| spec.nullable()).collect();
    let schema = Schema::new(specs).unwrap();
    let train = Table::new(schema.clone(), train.columns().to_vec()).unwrap();
    let model = learned(&train, "masks = \"dynamic\"\nmax_steps = 1500\nlabel = \"first\"");
    for hidden in 0..3 {
        // The first of the training rows: a level that they lack could not be conditioned on.
        let mut columns = table(500, 1).columns().to_vec();
        columns[hidden] = Column::Codes(vec![meg_core::MISSING; 500]);
        let rows = Table::new(schema.clone(), columns).unwrap();
        let rng = Seed(4).stream("impute");
        let mut ctx = SampleContext { rng, threads: 1, observer: &mut Notes::default() };
        let filled = model.impute(&rows, &mut ctx).unwrap().unwrap();
        assert!(rule(&filled) > 0.95, "column {hidden}: {}", rule(&filled));
    }
}

fn told(train: &Table, settings: &str) -> (Vec<u8>, Vec<String>, Box<dyn Fitted>) {
    let mut notes = Notes::default();
    let recipe = (meg::ENTRY.recipe)(settings).unwrap();
    let mut ctx = FitContext::new(Seed(1), &mut notes);
    let model = recipe.synthesizer.fit(train, &mut ctx).unwrap();
    (model.save().unwrap().to_bytes().unwrap().1, notes.notes, model)
}

/// Training by likelihood is stopped far too early; the game then has a lot to mend.
#[test]
fn the_adversarial_phase_is_kept_where_held_out_rows_gain_by_it() {
    let train = table(4_000, 1);
    let short = "label = \"first\"\nmax_steps = 60\n";
    let phase = "adversarial_steps = 300\nadversarial_weight = 0.5";
    let (before, _, model) = told(&train, short);
    let (after, notes, game) = told(&train, &format!("{short}{phase}"));
    let note = notes.iter().find(|note| note.contains("adversarial phase")).unwrap();
    assert!(note.contains("accepted"), "{note}");
    assert_ne!(before, after);
    let rows = |model: &dyn Fitted| rule(&draw(model, 4_000, 2));
    let (before, after) = (rows(model.as_ref()), rows(game.as_ref()));
    assert!(after > before + 0.02, "the rule holds in {before} before, in {after} after");
}

/// Where it gains nothing, the model is that of the likelihood phase, to the byte. The phase goes on
/// from one state for all columns.
#[test]
fn a_refused_phase_leaves_nothing_behind() {
    let train = table(2_500, 1);
    let phase = "adversarial_steps = 40\nadversarial_weight = 10";
    let settings = "label = \"first\"\nlearning_rate = 4e-3\nsnapshots = 1\n";
    let (before, _, _) = told(&train, settings);
    let (after, notes, _) = told(&train, &format!("{settings}{phase}"));
    let note = notes.iter().find(|note| note.contains("adversarial phase")).unwrap();
    assert!(note.contains("refused") && before == after, "{note}");
}

#[test]
fn the_privacy_settings_loosen_what_rows_say() {
    let train = table(4_000, 1);
    let drawn = |settings: &str| {
        draw(learned(&train, &format!("label = \"first\"\n{settings}")).as_ref(), 4_000, 2)
    };
    // Nothing but the target is seen: pairs with it remain, the rule of three is gone.
    let hidden = drawn("hidden_context = 1.0");
    assert!((rule(&hidden) - 0.5).abs() < 0.05, "{}", rule(&hidden));
    let near = |rows: &Table| {
        mean((0..rows.rows()).map(|row| rows.numbers(3)[row] - 4.0 * f64::from(rows.codes(2)[row])))
    };
    assert!(near(&hidden).abs() < 0.3, "{}", near(&hidden));
    let hot = drawn("temperature = 5.0");
    assert!(rule(&hot) < 0.95, "{}", rule(&hot));
    // A hundred rows share two hundred levels: none keeps a code.
    let model = learned(&train, "label = \"first\"\nleast_rows = 20\nmax_steps = 40");
    assert_eq!(model.describe()[0].rows.iter().find(|row| row[1] == "many").unwrap()[2], "2");
}
