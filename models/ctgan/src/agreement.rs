//! The fused updates against the plain candle expressions, on the same batches.

use crate::Ctgan;
use crate::batch::{BatchSource, Batches, CriticBatch, GeneratorBatch};
use crate::conditions::{ConditionSpace, TrainingSampler};
use crate::fused::FusedTrainer;
use crate::network::{Critic, Generator, heads};
use crate::plain::PlainTrainer;
use crate::state::{critic_names, generator_names};
use candle_core::{DType, Tensor};
use meg_core::{
    Column, ColumnSpec, Device, Schema, Seed, Silent, Table, TrainingState, conformance,
};
use neural::check::assert_close;
use neural::training::Lasting;
use neural::{Parameter, Threads};
use transforms::{Encoded, EncoderOptions, TableEncoder};

struct Bench {
    recipe: Ctgan,
    encoder: TableEncoder,
    encoded: Encoded,
    space: ConditionSpace,
}

impl Bench {
    fn new(table: &Table) -> Self {
        let recipe = Ctgan {
            batch_size: 40,
            embedding_dim: 12,
            generator_dim: vec![24, 16],
            discriminator_dim: vec![24, 20, 16],
            generator_decay: 1e-3,
            ..Ctgan::default()
        };
        let options = EncoderOptions::default();
        let encoder = TableEncoder::fit(table, &options, Seed(1), 1, &mut Silent).unwrap();
        let encoded = encoder.encode(table, Seed(1), 1).unwrap();
        let space = ConditionSpace::new(&encoder, &encoded);
        Self { recipe, encoder, encoded, space }
    }

    fn source(&self) -> BatchSource<'_> {
        let sampler = TrainingSampler::new(&self.space, &self.encoder, &self.encoded, true);
        BatchSource::new(&self.recipe, sampler, &self.space, self.encoder.width(), Seed(7))
    }

    fn networks(&self) -> (Generator, Critic) {
        let mut rng = Seed(3).stream("init");
        let (conditions, width) = (self.space.width(), self.encoder.width());
        let mut generator = Generator::new(&self.recipe, conditions, width, &mut rng);
        // Scales away from 1 and shifts away from 0, so that a slip in either shows.
        for (_, norm) in &mut generator.layers {
            norm.gamma = Parameter::linear(&norm.gamma.shape, 1, &mut rng);
            norm.beta = Parameter::linear(&norm.beta.shape, 1, &mut rng);
        }
        (generator, Critic::new(&self.recipe, conditions, width, &mut rng))
    }

    fn fused(&self, threads: usize, dense_rows: bool) -> FusedTrainer {
        let (generator, critic) = self.networks();
        let heads = heads(self.encoder.spans(), self.encoder.width(), self.recipe.temperature);
        let units = if dense_rows { self.encoder.width() } else { 0 };
        let threads = Threads::new(threads).unwrap();
        FusedTrainer::new(&self.recipe, generator, critic, heads, units, &threads)
    }

    fn plain(&self, precision: DType) -> PlainTrainer {
        let (generator, critic) = self.networks();
        let heads = heads(self.encoder.spans(), self.encoder.width(), self.recipe.temperature);
        PlainTrainer::new(&self.recipe, generator, critic, heads, Device::Cpu, precision).unwrap()
    }
}

/// One update of one network, by either way: its two losses, the gradients and, in the state of the
/// training, what the update made of weights, moments and running statistics.
struct Update {
    losses: [f64; 2],
    gradients: Vec<(String, Vec<f64>)>,
    after: TrainingState,
}

/// The largest relative distance between two ways of the same update.
const RELATIVE: f64 = 1e-5;
/// The bound where the exact value is 0 and only rounding is left of either way.
const ABSOLUTE: f64 = 1e-6;

/// The bounds of [`assert_close`] for a parameter.
fn bounds(name: &str) -> (f64, f64) {
    if has_no_gradient(name) { (0.0, ABSOLUTE) } else { (RELATIVE, 0.0) }
}

/// Parameters whose gradient is 0 by construction: what a bias adds before a batch norm the norm
/// takes away again, and the output bias of the discriminator cancels between real and generated
/// scores. They cannot agree relatively, so that they are bounded absolutely.
fn has_no_gradient(name: &str) -> bool {
    (name.starts_with("generator.layer") && name.contains(".bias"))
        || name.starts_with("discriminator.output.bias")
}

fn assert_same(step: u64, way: &str, ours: &Update, exact: &Update, rate: f64) {
    let place = format!("step {step} against {way}");
    for (ours, exact) in ours.losses.iter().zip(&exact.losses) {
        // The first is a difference of two means: near 0, relative to 0.05.
        let away = (ours - exact).abs() / exact.abs().max(0.05);
        assert!(away <= RELATIVE, "{place}: the loss {ours} for {exact}");
    }
    for ((name, ours), (_, exact)) in ours.gradients.iter().zip(&exact.gradients) {
        let (relative, least) = bounds(name);
        assert_close(&format!("{place}: gradient of {name}"), ours, exact, relative, least);
    }
    for (name, tensor) in &ours.after.tensors {
        let (ours, exact) = (doubles(&tensor.data), doubles(&exact.after.tensors[name].data));
        let name_and_place = format!("{place}: {name} afterwards");
        if name.ends_with(".bias") {
            // Adam divides a gradient by its own size: where a cell's gradient is rounding, the
            // step is of the full size with either sign. A bias may lie in that by all its cells.
            let away = ours.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(away <= 2.0 * rate, "{name_and_place}: {away} away");
        } else {
            let (relative, least) = bounds(name);
            assert_close(&name_and_place, &ours, &exact, relative, least);
        }
    }
}

fn doubles(cells: &[f32]) -> Vec<f64> {
    cells.iter().map(|&cell| f64::from(cell)).collect()
}

/// Which network an update is of, with the batch for it.
enum Batch<'a> {
    Critic(&'a CriticBatch),
    Generator(&'a GeneratorBatch),
}

fn fused_update(bench: &Bench, trainer: &mut FusedTrainer, batch: &Batch<'_>, step: u64) -> Update {
    let (losses, names) = match batch {
        Batch::Critic(batch) => {
            let losses = trainer.critic_step(&bench.encoded, batch, step);
            let names = critic_names(trainer.critic.parameters_mut().len());
            ([losses.wasserstein, losses.penalty], names)
        }
        Batch::Generator(batch) => {
            let losses = trainer.generator_step(&bench.space, batch, step);
            let names = generator_names(trainer.generator.layers.len());
            ([losses.adversarial, losses.cross_entropy], names)
        }
    };
    let parameters = match batch {
        Batch::Critic(_) => trainer.critic.parameters_mut(),
        Batch::Generator(_) => trainer.generator.parameters_mut(),
    };
    let gradients = parameters.into_iter().map(|parameter| doubles(&parameter.gradient));
    let gradients = names.into_iter().zip(gradients).collect();
    let mut after = TrainingState::at(step);
    trainer.save(&mut after).unwrap();
    Update { losses, gradients, after }
}

/// The same update from the state before it.
fn plain_update(
    bench: &Bench,
    trainer: &mut PlainTrainer,
    before: &TrainingState,
    batch: &Batch<'_>,
    step: u64,
    names: &[(String, Vec<f64>)],
) -> Update {
    trainer.restore(before).unwrap();
    let (losses, gradients) = match batch {
        Batch::Critic(batch) => {
            let (losses, gradients) = trainer.critic_gradients(&bench.encoded, batch).unwrap();
            ([losses.wasserstein, losses.penalty], gradients)
        }
        Batch::Generator(batch) => {
            let (losses, gradients) = trainer.generator_gradients(&bench.space, batch).unwrap();
            ([losses.adversarial, losses.cross_entropy], gradients)
        }
    };
    let cells = |tensor: &Tensor| -> candle_core::Result<Vec<f64>> {
        tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
    };
    assert_eq!(names.len(), gradients.len());
    let gradients = names
        .iter()
        .zip(&gradients)
        .map(|((name, _), tensor)| (name.clone(), cells(tensor).unwrap()));
    let gradients = gradients.collect();
    // The gradients alone have moved the running statistics already.
    trainer.restore(before).unwrap();
    match batch {
        Batch::Critic(batch) => {
            trainer.critic_step(&bench.encoded, batch, step).unwrap();
        }
        Batch::Generator(batch) => {
            trainer.generator_step(&bench.space, batch, step).unwrap();
        }
    }
    let mut after = TrainingState::at(step);
    trainer.save(&mut after).unwrap();
    Update { losses, gradients, after }
}

/// Runs the fused training, and makes each of its updates again by candle from the same state:
/// every loss, gradient, weight, moment and running statistic must agree to 1e-5 relative, as the
/// length of the difference over the length of the vector. Cell by cell rounding forbids it: the two
/// ways add in another order. In `F64` candle's own rounding is out of the way; there, a ReLU whose
/// input is within rounding of 0 may fall to the other side, so that not every batch will do.
fn check_updates(bench: &Bench, dense_rows: bool, precisions: &[DType], steps: u64) {
    let mut fused = bench.fused(1, dense_rows);
    let mut plains: Vec<_> = precisions.iter().map(|&precision| bench.plain(precision)).collect();
    let mut source = bench.source();
    let (mut critic, mut generator) = (CriticBatch::default(), GeneratorBatch::default());
    for step in 1..=steps {
        source.critic(&mut critic);
        source.generator(&mut generator);
        for batch in [Batch::Critic(&critic), Batch::Generator(&generator)] {
            let mut before = TrainingState::at(step - 1);
            fused.save(&mut before).unwrap();
            let ours = fused_update(bench, &mut fused, &batch, step);
            for (plain, precision) in plains.iter_mut().zip(precisions) {
                let exact = plain_update(bench, plain, &before, &batch, step, &ours.gradients);
                let way = format!("candle in {precision:?}");
                assert_same(step, &way, &ours, &exact, bench.recipe.generator_lr);
            }
        }
    }
}

#[test]
fn both_ways_agree_step_by_step_on_a_mixed_table() {
    let bench = Bench::new(&conformance::mixed_table(300, 6));
    check_updates(&bench, true, &[DType::F32, DType::F64], 40);
    check_updates(&bench, false, &[DType::F32, DType::F64], 10);
}

#[test]
fn both_ways_agree_at_the_papers_sizes() {
    let mut bench = Bench::new(&conformance::mixed_table(600, 6));
    bench.recipe = Ctgan::default();
    check_updates(&bench, false, &[DType::F32], 2);
}

/// The corners of the settings, where a loop runs once or not at all and a mask is all 1.
#[test]
fn both_ways_agree_at_the_corners_of_the_settings() {
    let mut bench = Bench::new(&conformance::mixed_table(200, 6));
    let recipe = bench.recipe.clone();
    let corners = [
        Ctgan { pac: 1, ..recipe.clone() },
        Ctgan { dropout: 0.0, ..recipe.clone() },
        Ctgan { generator_dim: vec![24], discriminator_dim: vec![20], ..recipe },
    ];
    for recipe in corners {
        bench.recipe = recipe;
        for dense_rows in [true, false] {
            check_updates(&bench, dense_rows, &[DType::F32], 3);
        }
    }
}

/// Hundreds of units of which a row has few: the sparse first layer is the usual one here.
#[test]
fn both_ways_agree_on_a_wide_sparse_table() {
    let levels = |count: u32| (0..count).map(|level| format!("level {level}"));
    let schema = Schema::new(vec![
        ColumnSpec::category("many", levels(400)),
        ColumnSpec::number("n", 0),
        ColumnSpec::category("some", levels(90)),
    ]);
    let codes = |count: u32, factor: u32| (0..900).map(|row| row * factor % count).collect();
    let cells = vec![
        Column::Codes(codes(400, 7)),
        Column::Numbers((0..900).map(|row| f64::from(row * row % 101)).collect()),
        Column::Codes(codes(90, 11)),
    ];
    let bench = Bench::new(&Table::new(schema.unwrap(), cells).unwrap());
    assert!(bench.space.width() == 490, "all levels are seen");
    check_updates(&bench, false, &[DType::F32], 3);
}

/// Several updates of the discriminator for each of the generator, as training makes them: which
/// batch is whose, and what Adam counts.
#[test]
fn both_ways_agree_on_whole_updates_with_several_of_the_discriminator() {
    let mut bench = Bench::new(&conformance::mixed_table(200, 6));
    bench.recipe.discriminator_steps = 3;
    let (mut fused, mut plain) = (bench.fused(2, true), bench.plain(DType::F32));
    let (mut source, mut batches) = (bench.source(), Batches::default());
    for number in 1..=4 {
        source.fill(&mut batches);
        assert_eq!(batches.critic.len(), 3);
        let mut before = TrainingState::at(number - 1);
        fused.save(&mut before).unwrap();
        plain.restore(&before).unwrap();
        let ours = fused.update(&bench.encoded, &bench.space, &batches, number);
        let exact = plain.update(&bench.encoded, &bench.space, &batches, number).unwrap();
        let losses =
            [(ours.0.penalty, exact.0.penalty), (ours.1.cross_entropy, exact.1.cross_entropy)];
        for (ours, exact) in losses {
            assert!((ours - exact).abs() <= 1e-4 * exact.abs(), "update {number}: {ours} {exact}");
        }
        let [ours, exact] = {
            let (mut ours, mut exact) = (TrainingState::at(number), TrainingState::at(number));
            fused.save(&mut ours).unwrap();
            plain.save(&mut exact).unwrap();
            [ours.tensors, exact.tensors]
        };
        for (name, tensor) in &ours {
            // What one update may differ by (see `assert_same`) the next ones build upon.
            if !name.contains(".bias") {
                let [ours, exact] = [&tensor.data, &exact[name].data].map(|cells| doubles(cells));
                let length = |cells: &[f64]| cells.iter().map(|x| x * x).sum::<f64>().sqrt();
                let away: Vec<f64> = ours.iter().zip(&exact).map(|(a, b)| a - b).collect();
                let share = length(&away) / length(&exact);
                assert!(share <= 1e-4, "update {number}: {name} is {share:e} away");
            }
        }
    }
}

/// The bounds above are tight enough to see a slip of a thousandth in one cell.
#[test]
#[should_panic(expected = "gradient of discriminator.layer1.dense")]
fn a_small_slip_is_seen() {
    let bench = Bench::new(&conformance::mixed_table(100, 6));
    let (mut fused, mut plain, mut batch) =
        (bench.fused(1, true), bench.plain(DType::F32), CriticBatch::default());
    bench.source().critic(&mut batch);
    let mut before = TrainingState::at(0);
    fused.save(&mut before).unwrap();
    let mut ours = fused_update(&bench, &mut fused, &Batch::Critic(&batch), 1);
    let exact =
        plain_update(&bench, &mut plain, &before, &Batch::Critic(&batch), 1, &ours.gradients);
    let (_, cells) =
        ours.gradients.iter_mut().find(|(name, _)| name == "discriminator.layer1.dense").unwrap();
    let largest = cells.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    *largest *= 1.001;
    assert_same(1, "candle", &ours, &exact, bench.recipe.generator_lr);
}

/// Without category columns the generated side must be the activated rows, never the logits
/// (models.md 2.7, number 1): the plain path has no place for logits in the discriminator.
#[test]
fn both_ways_agree_without_category_columns() {
    let table = conformance::mixed_table(200, 5).select_columns(&[1, 3]).unwrap();
    let bench = Bench::new(&table);
    assert_eq!(bench.space.width(), 0);
    let mut fused = bench.fused(1, true);
    // Large weights: bare logits would leave the range that is checked below.
    fused.generator.output.dense.value.iter_mut().for_each(|weight| *weight *= 50.0);
    let mut batch = CriticBatch::default();
    bench.source().critic(&mut batch);
    fused.critic_step(&bench.encoded, &batch, 1);
    let rows = &fused.generated_rows()[..40 * bench.encoder.width()];
    for row in rows.chunks(bench.encoder.width()) {
        for span in bench.encoder.spans() {
            let units = &row[span.start..span.start + span.width];
            match span.activation {
                transforms::Activation::Tanh => assert!(units[0].abs() <= 1.0),
                transforms::Activation::Softmax => {
                    assert!((units.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                }
            }
        }
    }
    check_updates(&bench, true, &[DType::F32, DType::F64], 20);
}

/// The generator's pass for its own update runs ahead in an update of both networks; alone it runs
/// after the update of the discriminator, which it does not depend on.
#[test]
fn threads_and_passes_run_ahead_change_no_bit() {
    let bench = Bench::new(&conformance::mixed_table(300, 6));
    let run = |threads, alone| {
        let mut fused = bench.fused(threads, true);
        let (mut source, mut batches) = (bench.source(), Batches::default());
        for step in 1..=5 {
            source.fill(&mut batches);
            if alone {
                fused.critic_step(&bench.encoded, &batches.critic[0], step);
                fused.generator_step(&bench.space, &batches.generator, step);
            } else {
                fused.update(&bench.encoded, &bench.space, &batches, step);
            }
        }
        let mut state = TrainingState::at(5);
        fused.save(&mut state).unwrap();
        state.tensors
    };
    let one = run(1, true);
    assert!(one == run(1, false), "a pass run ahead gives other weights");
    assert!(one == run(2, false), "two threads give other weights");
    assert!(one == run(3, false), "three threads give other weights");
}
