//! The update by kernels against the same update as plain candle expressions, on the same batches,
//! and the losses of a fixed batch by hand.

use crate::batch::{Batch, BatchSource, Rows};
use crate::classes::Classes;
use crate::codec::Codec;
use crate::plan::Plan;
use crate::settings::TableGan;
use crate::trainer::{Losses, Place, Trainer};
use candle_core::{DType, Device};
use meg_core::{ModelEntry, Seed, Table, TrainingState, conformance};
use neural::check::assert_close;
use neural::layers::KernelThreads;
use neural::training::Lasting;

struct Bench {
    recipe: TableGan,
    plan: Plan,
    codec: Codec,
    rows: Rows,
}

/// The settings of a variant, over small networks.
fn variant(at: usize) -> TableGan {
    let entry: ModelEntry = crate::ENTRY;
    let settings: toml_like::Table = toml_like::parse(entry.variants[at].settings);
    let mut recipe = serde_json::to_value(TableGan::default()).unwrap();
    for (key, value) in settings {
        recipe[key] = value;
    }
    let recipe: TableGan = serde_json::from_value(recipe).unwrap();
    TableGan { batch_size: 20, noise_dim: 7, channels: 5, min_updates: 0, ..recipe }
}

/// As much of TOML as the variants use.
mod toml_like {
    pub(super) type Table = Vec<(String, serde_json::Value)>;

    pub(super) fn parse(text: &str) -> Table {
        let line = |line: &str| {
            let (key, value) = line.split_once(" = ").unwrap();
            (key.to_owned(), serde_json::from_str(value).unwrap())
        };
        text.lines().map(line).collect()
    }
}

impl Bench {
    fn new(recipe: TableGan, table: &Table) -> Self {
        let codec = Codec::fit(table, recipe.range_margin, false).unwrap();
        let classes = recipe.conditional.then(|| Classes::fit(table, &codec).unwrap());
        let (count, of_rows) = match classes {
            Some((classes, of_rows)) => (classes.count(), of_rows),
            None => (0, Vec::new()),
        };
        let plan = Plan::new(&recipe, codec.cells(), count).unwrap();
        let rows = Rows::new(&codec.encode(table), of_rows, &plan).unwrap();
        Self { recipe, plan, codec, rows }
    }

    fn trainer(&self, dtype: DType, threads: KernelThreads) -> Trainer {
        let place = Place { device: Device::Cpu, dtype, threads };
        let label = self.codec.label();
        Trainer::new(&self.recipe, self.plan.clone(), label, &place, Seed(3)).unwrap()
    }
}

fn save(trainer: &mut Trainer) -> TrainingState {
    let mut state = TrainingState::at(0);
    trainer.save(&mut state).unwrap();
    state
}

/// The largest relative distance between two ways of the same update.
const RELATIVE: f64 = 1e-5;

fn assert_losses(place: &str, ours: Losses, exact: Losses) {
    for (ours, exact) in [
        (ours.discriminator, exact.discriminator),
        (ours.accuracy, exact.accuracy),
        (ours.classifier, exact.classifier),
        (ours.original, exact.original),
        (ours.information, exact.information),
        (ours.classification, exact.classification),
    ] {
        assert!((ours - exact).abs() <= RELATIVE * exact.abs().max(0.1), "{place}: {ours} {exact}");
    }
}

/// Runs the training by kernels, and makes each of its updates again by expressions in double
/// precision from the same state. The first moments stand for the gradients: beta1 of 0 makes them
/// equal.
fn check_updates(mut recipe: TableGan, table: &Table) {
    recipe.beta1 = 0.0;
    // Adam divides by the root of the second moment: where a gradient is 0 but for rounding, the
    // weight would move by the sign of an error.
    recipe.epsilon = 1e-3;
    let bench = Bench::new(recipe, table);
    let mut ours = bench.trainer(DType::F32, Some(2));
    let mut exact = bench.trainer(DType::F64, None);
    let mut source = BatchSource::new(&bench.recipe, &bench.rows, Seed(7));
    let mut batch = Batch::default();
    for step in 1..=8 {
        source.fill(&mut batch, step);
        exact.restore(&save(&mut ours)).unwrap();
        let (one, other) = (ours.update(&batch).unwrap(), exact.update(&batch).unwrap());
        assert_losses(&format!("step {step}"), one, other);
        let (one, other) = (save(&mut ours), save(&mut exact));
        assert_eq!(one.tensors.len(), other.tensors.len());
        for (name, tensor) in &one.tensors {
            let exact = &other.tensors[name].data;
            // The gradient of a bias before a batch norm is 0 but for rounding.
            let least = if name.contains("bias") { 1e-6 } else { 1e-7 };
            assert_close(&format!("step {step}: {name}"), &tensor.data, exact, RELATIVE, least);
        }
    }
}

/// Without identifiers, which have no cell: 300 rows in batches of 20.
fn table() -> Table {
    conformance::mixed_table(300, 6)
}

#[test]
fn both_ways_agree_step_by_step() {
    for at in 0..3 {
        check_updates(variant(at), &table());
    }
}

#[test]
fn both_ways_agree_without_a_target() {
    let table = table().select_columns(&[1, 2, 3, 4]).unwrap();
    check_updates(variant(0), &table);
}

/// The bound above is tight enough to see a slip of a thousandth in one cell.
#[test]
#[should_panic(expected = "a slip")]
fn a_small_slip_is_seen() {
    let bench = Bench::new(variant(0), &table());
    let weights = bench.trainer(DType::F32, Some(1)).weights().unwrap();
    let cells = &weights["up0.weight"].data;
    let mut slipped = cells.clone();
    let largest = slipped.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    *largest *= 1.001;
    assert_close("a slip", &slipped, cells, RELATIVE, 1e-7);
}

#[test]
fn threads_change_no_bit() {
    let bench = Bench::new(variant(0), &table());
    let run = |threads| {
        let mut trainer = bench.trainer(DType::F32, Some(threads));
        let mut source = BatchSource::new(&bench.recipe, &bench.rows, Seed(7));
        let mut batch = Batch::default();
        for step in 1..=6 {
            source.fill(&mut batch, step);
            trainer.update(&batch).unwrap();
        }
        save(&mut trainer).tensors
    };
    let one = run(1);
    assert!(one == run(2), "two threads give other weights");
    assert!(one == run(3), "three threads give other weights");
}

/// With weights of 0 the generator makes matrices of 0, and all logits are 0: the discriminator
/// loses 2 log 2, the generator log 2, and the classifier, which says 1/2, loses |label - 1/2|.
#[test]
fn the_losses_of_a_fixed_batch_by_hand() {
    let table = table().select_columns(&[1, 11]).unwrap();
    let bench = Bench::new(variant(0), &table);
    for (dtype, threads) in [(DType::F32, Some(1)), (DType::F64, None)] {
        let mut trainer = bench.trainer(dtype, threads);
        let mut state = save(&mut trainer);
        for (name, tensor) in &mut state.tensors {
            if name.ends_with("weight") {
                tensor.data.fill(0.0);
            }
        }
        trainer.restore(&state).unwrap();
        // Two rows of two cells: a number, and labels of 1 and -1, both 1/2 from 1/2.
        let mut matrices = vec![0.0; 32];
        (matrices[0], matrices[1]) = (0.6, 1.0);
        (matrices[16], matrices[17]) = (-0.2, -1.0);
        let batch = Batch { rows: 2, matrices, classes: Vec::new(), noise: vec![0.3; 14] };
        let seen = trainer.update(&batch).unwrap();
        assert!((seen.discriminator - 2.0 * 2f64.ln()).abs() < 1e-6, "{seen:?}");
        assert!((seen.classifier - 0.5).abs() < 1e-6, "{seen:?}");
        // By then discriminator and classifier have moved by one step of at most the rate.
        assert!((seen.original - 2f64.ln()).abs() < 1e-2, "{seen:?}");
        // The label of a matrix of 0 is 1/2, as is what the classifier says.
        assert!(seen.classification < 1e-2, "{seen:?}");
    }
}
