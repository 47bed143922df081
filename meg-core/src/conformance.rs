//! What every model promises, as one call that is a model crate's first test.
//!
//! ```text
//! #[test]
//! fn conformance() {
//!     meg_core::conformance::check(&ctgan::ENTRY, Case { recipe: "epochs = 2", ..Case::default() });
//! }
//! ```

mod damage;
mod interruptions;

pub use damage::Damage;
pub use interruptions::Training;

use crate::{
    Artifact, CheckpointSink, Column, ColumnKind, ColumnSpec, Control, Error, Event, FitContext,
    Fitted, Kernels, MISSING, ModelEntry, Observer, Phase, Rng, Role, SampleContext, SampleRequest,
    Schema, Seed, Silent, Table, TrainingState,
};
use rand::Rng as _;
use std::num::NonZeroU64;

/// How to try one model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Case {
    /// Settings that keep the suite fast.
    pub recipe: &'static str,
    /// Settings under which training diverges; `None` for a model without a loss.
    pub diverges: Option<&'static str>,
    /// The model keeps training rows on purpose (a memorising yardstick).
    pub keeps_rows: bool,
    /// The model may draw any level that the schema names: a differentially private one must not
    /// tell which of them the rows hold.
    pub any_level: bool,
    /// The model has a training loop that an observer can stop.
    pub stoppable: bool,
    /// Settings beside `recipe` of a model that is trained further once it is saved.
    pub further: &'static str,
}

/// Runs the whole suite.
///
/// # Panics
/// At the first broken promise, with its name.
pub fn check(entry: &ModelEntry, case: Case) {
    default_recipe_is_valid(entry);
    unknown_key_is_refused_with_the_nearest(entry);
    let train = mixed_table(300, 11);
    let before = train.clone();
    let model = fit(entry, case.recipe, &train, 1);
    assert!(train == before, "training changed its table");
    row_counts_and_schema(case, model.as_ref(), &train);
    seeds_decide(entry, case, &train);
    saved_model_draws_the_same(entry, model.as_ref());
    conditions_hold(model.as_ref(), &train);
    if !case.keeps_rows {
        artifact_holds_no_training_row(model.as_ref(), &train);
    }
    for (name, table) in awkward_tables() {
        let model = fit(entry, case.recipe, &table, 2);
        let drawn = draw(model.as_ref(), 7, 3);
        assert!(drawn.schema() == table.schema(), "{name}: another schema");
        only_levels_of_the_training_rows(case, name, &table, &drawn);
        saved_model_draws_the_same(entry, model.as_ref());
    }
    plain_kernels_pass_constant_columns(entry, case);
    free_text_is_refused(entry, case);
    if case.stoppable {
        stop_requests_are_honoured(entry, case, &train);
    }
    if entry.checkpoints {
        resumed_training_gives_the_same_bytes(entry, case, &train, Kernels::Fused);
        resumed_training_gives_the_same_bytes(entry, case, &train, Kernels::Plain);
    }
    further_training(entry, case, &train, model.as_ref());
    if let Some(settings) = case.diverges {
        divergence_is_an_error_that_names_the_step(entry, settings, &train);
    }
}

/// Tensors of no width are an error in candle.
fn plain_kernels_pass_constant_columns(entry: &ModelEntry, case: Case) {
    let table = constant_columns(40);
    let recipe = (entry.recipe)(case.recipe).expect("the recipe of the suite is valid");
    let mut silent = Silent;
    let context = FitContext::new(Seed(2), &mut silent);
    let mut ctx = FitContext { kernels: Kernels::Plain, ..context };
    let model = recipe.synthesizer.fit(&table, &mut ctx);
    let model = model.unwrap_or_else(|error| panic!("constant columns, plain: {error}"));
    assert!(draw(model.as_ref(), 3, 1).schema() == table.schema());
}

fn default_recipe_is_valid(entry: &ModelEntry) {
    (entry.recipe)("").unwrap_or_else(|error| panic!("{}: default recipe: {error}", entry.name));
    for variant in entry.variants {
        (entry.recipe)(variant.settings)
            .unwrap_or_else(|error| panic!("{}: variant {}: {error}", entry.name, variant.name));
    }
}

fn unknown_key_is_refused_with_the_nearest(entry: &ModelEntry) {
    let settings = (entry.settings)();
    let (typo, nearest) = match settings.first() {
        Some(setting) => (format!("{}x", setting.name), setting.name),
        None => ("anything".into(), "no settings"),
    };
    match (entry.recipe)(&format!("{typo} = 1")) {
        Err(Error::Recipe { key, problem }) => assert!(
            key == typo && problem.contains(nearest),
            "unknown key {typo}: {key}: {problem}"
        ),
        other => panic!("the unknown key {typo} gave {other:?}"),
    }
}

/// A table of every kind of column, with dependence between them.
pub fn mixed_table(rows: usize, seed: u64) -> Table {
    let mut day = ColumnSpec::new("day", ColumnKind::Datetime { format: "%Y-%m-%d".into() });
    day.nullable = true;
    let schema = Schema::new(vec![
        ColumnSpec::new("key", ColumnKind::Identifier),
        ColumnSpec::number("age", 0),
        ColumnSpec::number("lab", 2).nullable(),
        ColumnSpec::number("free", None),
        ColumnSpec::category("sex", ["F", "M"]),
        ColumnSpec::category("town", ["Aa", "Bb", "Cc", "Dd", "Ee", "never"]).nullable(),
        day,
        ColumnSpec::number("same", 1),
        ColumnSpec::category("only", ["x"]),
        ColumnSpec::number("void", 3).nullable(),
        ColumnSpec::category("blank", ["p", "q"]).nullable(),
        ColumnSpec::category("ill", ["no", "yes"]).role(Role::Target),
    ])
    .expect("the schema of the suite is valid");
    let mut rng = Seed(seed).stream("conformance");
    let mut columns = vec![Vec::new(); 8];
    let (mut towns, mut sexes, mut ills, mut keys) = (vec![], vec![], vec![], vec![]);
    for row in 0..rows {
        let age = f64::from(rng.random_range(18..90));
        let lab = if rng.random_bool(0.2) { f64::NAN } else { (age * 10.0).round() / 100.0 + 1.25 };
        columns[0].push(age);
        columns[1].push(lab);
        columns[2].push(rng.random::<f64>() * age);
        let day = f64::from(rng.random_range(10_000..18_000)) * 86_400.0;
        columns[3].push(if rng.random_bool(0.1) { f64::NAN } else { day });
        columns[4].push(2.5);
        columns[5].push(f64::NAN);
        sexes.push(rng.random_range(0..2));
        towns.push(if rng.random_bool(0.05) { MISSING } else { rng.random_range(0..5) });
        ills.push(u32::from(age > 60.0));
        keys.push(Some(format!("secret-{row:05}-{:08x}", rng.random::<u32>())));
    }
    let mut numbers = columns.into_iter();
    let mut next = || Column::Numbers(numbers.next().expect("eight number columns"));
    let (age, lab, free, day, same, void) = (next(), next(), next(), next(), next(), next());
    let cells = vec![
        Column::Texts(keys),
        age,
        lab,
        free,
        Column::Codes(sexes),
        Column::Codes(towns),
        day,
        same,
        Column::Codes(vec![0; rows]),
        void,
        Column::Codes(vec![MISSING; rows]),
        Column::Codes(ills),
    ];
    Table::new(schema, cells).expect("the table of the suite is valid")
}

fn awkward_tables() -> Vec<(&'static str, Table)> {
    let two_thousand = {
        let levels = (0..2_000).map(|level| format!("level {level}"));
        let schema =
            Schema::new(vec![ColumnSpec::category("many", levels), ColumnSpec::number("n", 0)]);
        let codes = (0..2_000u32).map(|row| (row * 7) % 2_000).collect();
        let numbers = (0..2_000).map(f64::from).collect();
        Table::new(schema.expect("valid"), vec![Column::Codes(codes), Column::Numbers(numbers)])
    };
    let numbers_only = {
        let schema = Schema::new(vec![ColumnSpec::number("x", None), ColumnSpec::number("y", 3)]);
        let cells = |scale: f64| {
            Column::Numbers((0..60).map(|row| (f64::from(row) * scale).round() / 8.0).collect())
        };
        Table::new(schema.expect("valid"), vec![cells(3.0), cells(5.0)])
    };
    vec![
        ("one row", mixed_table(1, 5)),
        ("two rows", mixed_table(2, 6)),
        ("2000 levels", two_thousand.expect("valid")),
        ("numbers only", numbers_only.expect("valid")),
        ("constant columns", constant_columns(40)),
    ]
}

/// Nothing to learn: one level, one number.
fn constant_columns(rows: usize) -> Table {
    let columns = vec![ColumnSpec::category("only", ["one"]), ColumnSpec::number("x", 1)];
    let cells = vec![Column::Codes(vec![0; rows]), Column::Numbers(vec![2.5; rows])];
    Table::new(Schema::new(columns).expect("valid"), cells).expect("valid")
}

/// Fits with the settings, on one thread, silently.
///
/// # Panics
/// When fitting fails.
pub fn fit(entry: &ModelEntry, settings: &str, train: &Table, seed: u64) -> Box<dyn Fitted> {
    try_fit(entry, settings, train, seed, 1, &mut Silent)
        .unwrap_or_else(|error| panic!("{}: fit: {error}", entry.name))
}

fn try_fit(
    entry: &ModelEntry,
    settings: &str,
    train: &Table,
    seed: u64,
    threads: usize,
    observer: &mut dyn Observer,
) -> crate::Result<Box<dyn Fitted>> {
    let recipe = (entry.recipe)(settings)?;
    let mut ctx = FitContext { threads, ..FitContext::new(Seed(seed), observer) };
    recipe.synthesizer.fit(train, &mut ctx)
}

/// Draws rows without conditions.
///
/// # Panics
/// When sampling fails or gives another number of rows.
pub fn draw(model: &dyn Fitted, rows: usize, seed: u64) -> Table {
    draw_request(model, &SampleRequest::rows(rows), seed, 1)
}

/// Draws rows given a level of a category; with the share of rows that met the condition by
/// themselves.
///
/// # Panics
/// When sampling fails, or a row without that level is drawn.
pub fn draw_given(
    model: &dyn Fitted,
    train: &Table,
    (column, level): (&str, &str),
    rows: usize,
) -> (Table, f64) {
    let request = SampleRequest::rows(rows).with(train.schema(), column, level);
    let request = request.expect("the condition fits the schema");
    let mut acceptance = Acceptance::default();
    let rng = Seed(2).stream("sample");
    let mut ctx = SampleContext { rng, threads: 1, observer: &mut acceptance };
    let table = model.sample(&request, &mut ctx).unwrap_or_else(|error| panic!("sample: {error}"));
    assert!(table.rows() == rows, "{} rows for {rows} asked", table.rows());
    let at = train.schema().position(column).expect("the column is there");
    let wrong = (0..rows).find(|&row| table.text(row, at).as_deref() != Some(level));
    assert!(wrong.is_none(), "row {wrong:?} has another {column} than {level:?}");
    (table, acceptance.kept as f64 / acceptance.drawn as f64)
}

#[derive(Default)]
struct Acceptance {
    drawn: u64,
    kept: u64,
}

impl Observer for Acceptance {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Acceptance { drawn, kept } = event {
            (self.drawn, self.kept) = (*drawn, *kept);
        }
    }
}

/// Rows that are drawn in chunks of `size` do not depend on the number of threads, and no chunk is
/// the one before it. `draw` is given rows, generator and threads.
///
/// # Panics
/// When one of these is not so, or drawing fails.
pub fn check_chunks(size: usize, draw: impl Fn(usize, &mut Rng, usize) -> crate::Result<Table>) {
    let rows = 5 * size + 7;
    let drawn = |threads| {
        let table = draw(rows, &mut Seed(3).stream("sample"), threads);
        table.unwrap_or_else(|error| panic!("draw: {error}"))
    };
    let one = drawn(1);
    assert!(one.rows() == rows, "{} rows for {rows} asked", one.rows());
    assert!(one == drawn(3), "threads change the rows");
    let chunk = |at: usize| one.select_rows(&(at * size..(at + 1) * size).collect::<Vec<_>>());
    assert!(chunk(0) != chunk(1), "two chunks are the same");
}

fn draw_request(model: &dyn Fitted, request: &SampleRequest, seed: u64, threads: usize) -> Table {
    let rng = Seed(seed).stream("sample");
    let mut ctx = SampleContext { rng, threads, observer: &mut Silent };
    let table = model.sample(request, &mut ctx).unwrap_or_else(|error| panic!("sample: {error}"));
    assert!(table.rows() == request.rows, "{} rows for {} asked", table.rows(), request.rows);
    table
}

fn row_counts_and_schema(case: Case, model: &dyn Fitted, train: &Table) {
    for rows in [0, 1, 7, 1_000] {
        let table = draw(model, rows, 4);
        // A `Table` obeys its own schema by construction, so that equality of schemas covers
        // kinds, levels, decimals and nullability.
        assert!(table.schema() == train.schema(), "{rows} rows: another schema");
        only_levels_of_the_training_rows(case, "mixed table", train, &table);
    }
}

fn only_levels_of_the_training_rows(case: Case, name: &str, train: &Table, drawn: &Table) {
    if case.any_level {
        return;
    }
    for ((spec, cells), (_, synthetic)) in train.iter().zip(drawn.iter()) {
        if let (Column::Codes(cells), Column::Codes(synthetic)) = (cells, synthetic) {
            let unseen = synthetic.iter().find(|code| !cells.contains(code));
            assert!(unseen.is_none(), "{name}: {}: the level {unseen:?} was never seen", spec.name);
        }
    }
}

fn seeds_decide(entry: &ModelEntry, case: Case, train: &Table) {
    let first = fit(entry, case.recipe, train, 1);
    let again = try_fit(entry, case.recipe, train, 1, 2, &mut Silent)
        .unwrap_or_else(|error| panic!("fit with two threads: {error}"));
    assert!(draw(first.as_ref(), 50, 9) == draw(again.as_ref(), 50, 9), "same seed, other rows");
    assert!(bytes(first.as_ref()) == bytes(again.as_ref()), "same seed, other bytes");
    assert!(draw(first.as_ref(), 50, 9) != draw(first.as_ref(), 50, 10), "other seed, same rows");
    let request = SampleRequest::rows(5_000);
    let many = |threads| draw_request(first.as_ref(), &request, 9, threads);
    assert!(many(1) == many(3), "threads change the rows");
    // A model that is trained in steps is trained by chance.
    if case.stoppable {
        let other = fit(entry, case.recipe, train, 2);
        assert!(bytes(first.as_ref()) != bytes(other.as_ref()), "other seed, same model");
    }
}

fn bytes(model: &dyn Fitted) -> (Vec<u8>, Vec<u8>) {
    let artifact = model.save().unwrap_or_else(|error| panic!("save: {error}"));
    artifact.to_bytes().unwrap_or_else(|error| panic!("to_bytes: {error}"))
}

fn saved_model_draws_the_same(entry: &ModelEntry, model: &dyn Fitted) {
    let (json, tensors) = bytes(model);
    let artifact =
        Artifact::from_bytes(&json, &tensors).unwrap_or_else(|error| panic!("from_bytes: {error}"));
    assert!(artifact.model == entry.name, "the artifact names the model {}", artifact.model);
    let loaded = (entry.load)(&artifact).unwrap_or_else(|error| panic!("load: {error}"));
    assert!(
        draw(model, 40, 8) == draw(loaded.as_ref(), 40, 8),
        "the loaded model draws other rows"
    );
    assert!(bytes(loaded.as_ref()) == (json, tensors), "saving again gives other bytes");
}

fn conditions_hold(model: &dyn Fitted, train: &Table) {
    let schema = train.schema();
    let request = SampleRequest::rows(5)
        .with(schema, "sex", "M")
        .and_then(|request| request.with(schema, "ill", "yes"))
        .unwrap_or_else(|error| panic!("condition: {error}"));
    let table = draw_request(model, &request, 12, 1);
    let met = |row| request.conditions.iter().all(|condition| condition.holds(&table, row));
    assert!((0..5).all(met), "a row breaks its conditions");
}

fn artifact_holds_no_training_row(model: &dyn Fitted, train: &Table) {
    let (json, tensors) = bytes(model);
    let text = String::from_utf8_lossy(&json).into_owned() + &String::from_utf8_lossy(&tensors);
    for row in 0..train.rows() {
        let key = train.text(row, 0).unwrap_or_default();
        assert!(!text.contains(&key), "the artifact holds the identifier {key}");
        // `age`, `lab` and `free` of one row side by side, in the ways a row could be written.
        let cells: Vec<_> =
            (1..4).map(|column| train.text(row, column).unwrap_or_default()).collect();
        let flat: String = text.split_whitespace().collect();
        for separator in [",", "\",\"", "\t", ";"] {
            assert!(!flat.contains(&cells.join(separator)), "the artifact holds row {row}");
        }
        if row > 20 {
            break;
        }
    }
    // Neighbouring cells of the most telling column, in row order, as JSON and as a tensor.
    let free = &train.numbers(3)[..3];
    let written = free.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    let flat: String = text.split_whitespace().collect();
    assert!(!flat.contains(&written), "the artifact holds the column \"free\" in row order");
    let raw: Vec<u8> = free.iter().flat_map(|&cell| (cell as f32).to_le_bytes()).collect();
    let held = tensors.windows(raw.len()).any(|window| window == raw);
    assert!(!held, "a tensor holds the column \"free\" in row order");
}

fn free_text_is_refused(entry: &ModelEntry, case: Case) {
    if case.keeps_rows {
        return;
    }
    let schema = Schema::new(vec![ColumnSpec::new("note", ColumnKind::Text)]).expect("valid");
    let cells = vec![Column::Texts(vec![Some("a b c".into()); 3])];
    let table = Table::new(schema, cells).expect("valid");
    match try_fit(entry, case.recipe, &table, 1, 1, &mut Silent) {
        Err(Error::Data(error)) => {
            assert!(error.column.as_deref() == Some("note") && error.advice.is_some(), "{error}");
        }
        other => panic!("free text gave {other:?}"),
    }
}

struct Stopper {
    wish: Control,
    after: u64,
    steps: u64,
}

impl Observer for Stopper {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Step { phase: Phase::Train, .. }) {
            self.steps += 1;
        }
    }

    fn control(&mut self) -> Control {
        if self.steps >= self.after { self.wish } else { Control::Continue }
    }
}

fn stop_requests_are_honoured(entry: &ModelEntry, case: Case, train: &Table) {
    let mut finish = Stopper { wish: Control::Finish, after: 1, steps: 0 };
    let model = try_fit(entry, case.recipe, train, 1, 1, &mut finish)
        .unwrap_or_else(|error| panic!("a request to finish gave {error}"));
    assert!(finish.steps == 1, "training went on for {} steps", finish.steps);
    draw(model.as_ref(), 3, 1);
    let mut abort = Stopper { wish: Control::Abort, after: 1, steps: 0 };
    match try_fit(entry, case.recipe, train, 1, 1, &mut abort) {
        Err(Error::Interrupted) => {}
        other => panic!("a request to abandon gave {other:?}"),
    }
}

fn divergence_is_an_error_that_names_the_step(entry: &ModelEntry, settings: &str, train: &Table) {
    match try_fit(entry, settings, train, 1, 1, &mut Silent) {
        Err(Error::Training { step, problem }) => {
            assert!(step > 0 && !problem.is_empty(), "step {step}: {problem}");
        }
        other => panic!("divergence gave {other:?}"),
    }
}

/// A model whose entry says so goes on from its saved state, the same way at any number of threads,
/// and with no rows of another schema. Any other model says that it cannot.
fn further_training(entry: &ModelEntry, case: Case, train: &Table, model: &dyn Fitted) {
    let settings = format!("{}\n{}", case.recipe, case.further);
    let recipe = (entry.recipe)(&settings).unwrap_or_else(|error| panic!("further: {error}"));
    let go_on = |artifact: &Artifact, rows: &Table, threads| {
        let mut silent = Silent;
        let mut ctx = FitContext { threads, ..FitContext::new(Seed(6), &mut silent) };
        recipe.synthesizer.fit_further(artifact, rows, &mut ctx)
    };
    if !entry.further {
        let artifact = model.save().unwrap_or_else(|error| panic!("save: {error}"));
        match go_on(&artifact, train, 1) {
            Err(Error::Request(text)) => assert!(text.contains(entry.name), "{text}"),
            other => panic!("{} cannot be trained further and gave {other:?}", entry.name),
        }
        return;
    }
    let (json, tensors) = bytes(fit(entry, &settings, train, 1).as_ref());
    let base = Artifact::from_bytes(&json, &tensors).expect("the files are sound");
    let [one, two] = [1, 2].map(|threads| {
        go_on(&base, train, threads).unwrap_or_else(|error| panic!("further training: {error}"))
    });
    assert!(bytes(one.as_ref()) == bytes(two.as_ref()), "threads change the further training");
    assert!(bytes(one.as_ref()) != (json, tensors), "further training changed nothing");
    saved_model_draws_the_same(entry, one.as_ref());
    let other = mixed_table(300, 11).select_columns(&[1, 4, 11]).expect("the columns are there");
    match go_on(&base, &other, 1) {
        Err(Error::Data(_) | Error::Request(_)) => {}
        other => panic!("rows of another schema gave {other:?}"),
    }
}

/// Interrupts a training at its first, a middle and its last but one update, on one thread or two,
/// and goes on from the state of that moment: the model must be that of an uninterrupted training.
///
/// # Panics
/// When it is not.
pub fn resumed_training_gives_the_same_bytes(
    entry: &ModelEntry,
    case: Case,
    train: &Table,
    kernels: Kernels,
) {
    let mut count = Stopper { wish: Control::Continue, after: u64::MAX, steps: 0 };
    let fit = |threads, observer: &mut dyn Observer, resume| {
        fit_in_parts(entry, case, train, kernels, threads, observer, resume)
    };
    let whole = fit(1, &mut count, None);
    let (whole, states) = (whole.expect("an uninterrupted fit succeeds"), count.steps);
    assert!(states > 2, "the recipe of the suite makes {states} updates, too few to interrupt");
    // A model that works ahead on a second thread must keep the state before that work.
    for (at, threads, threads_then) in [(1, 2, 1), (states / 2, 1, 2), (states - 1, 2, 2)] {
        let mut stopper = Stopper { wish: Control::Abort, after: at, steps: 0 };
        let state = match fit(threads, &mut stopper, None) {
            Err(state) => state.unwrap_or_else(|| panic!("no state was kept at update {at}")),
            Ok(_) => panic!("the fit was not interrupted at update {at}"),
        };
        assert!(state.step == at, "interrupted at update {at}, kept that of {}", state.step);
        let resumed = fit(threads_then, &mut Silent, Some(state));
        let resumed = resumed.expect("the resumed fit succeeds");
        assert!(
            resumed == whole,
            "interrupted at update {at} on {threads} threads, resumed on {threads_then} ({}): other bytes",
            kernels.name()
        );
    }
}

type Files = (Vec<u8>, Vec<u8>);

/// The model's files, or the last state that was kept when the fit was interrupted.
fn fit_in_parts(
    entry: &ModelEntry,
    case: Case,
    train: &Table,
    kernels: Kernels,
    threads: usize,
    observer: &mut dyn Observer,
    resume: Option<TrainingState>,
) -> Result<Files, Option<TrainingState>> {
    let recipe = (entry.recipe)(case.recipe).expect("the recipe of the suite is valid");
    let mut last = None;
    let mut keep = |state: TrainingState| {
        last = Some(state);
        Ok(())
    };
    let every = NonZeroU64::new(1_000_000).expect("not 0");
    let checkpoints = Some(CheckpointSink { every, keep: &mut keep });
    let context = FitContext::new(Seed(1), observer);
    let mut ctx = FitContext { kernels, threads, checkpoints, resume, ..context };
    match recipe.synthesizer.fit(train, &mut ctx) {
        Ok(model) => Ok(bytes(model.as_ref())),
        Err(Error::Interrupted) => Err(last),
        Err(error) => panic!("{}: fit: {error}", entry.name),
    }
}
