//! The fused step against the plain candle expression, on the same batches, and losses by hand.

use crate::Tgan;
use crate::batch::{Batch, BatchSource};
use crate::columns::{Columns, Encoded, Output, Step};
use crate::fused::{FusedTrainer, Losses};
use crate::lane::width;
use crate::network::{Discriminator, Generator};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{Device, FitContext, Seed, Silent, Table, TrainingState, conformance};
use neural::check::{assert_close, cells};
use neural::training::{Lasting, NamedParts};
use neural::{Parameter, Randomness, Threads};

struct Bench {
    recipe: Tgan,
    steps: Vec<Step>,
    encoded: Encoded,
}

impl Bench {
    fn new(table: &Table) -> Self {
        let recipe = Tgan {
            batch_size: 21,
            noise_dim: 5,
            lstm_dim: 12,
            feature_dim: 9,
            discriminator_dim: vec![14, 11],
            diversity_kernels: 3,
            diversity_dim: 4,
            weight_decay: 1e-3,
            // Cuts some cells.
            clip_gradient: 0.05,
            divergence_weight: 1.5,
            ..Tgan::default()
        };
        let mut silent = Silent;
        let mut ctx = FitContext::new(Seed(1), &mut silent);
        let columns = Columns::fit(&recipe, table, &mut ctx).unwrap();
        let encoded = columns.encode(table, 1).unwrap();
        Self { recipe, steps: columns.steps(), encoded }
    }

    fn source(&self) -> BatchSource<'_> {
        let rows = self.recipe.batch_size;
        BatchSource::new(&self.recipe, &self.encoded, &self.steps, rows, Seed(7))
    }

    fn networks(&self) -> (Generator, Discriminator) {
        let mut rng = Seed(3).stream("init");
        let mut generator = Generator::new(&self.recipe, &self.steps, &mut rng);
        let mut critic = Discriminator::new(&self.recipe, width(&self.steps), &mut rng);
        // Biases that differ from 0, so that none can hide.
        let mut randomness = Randomness::new(Seed(4).stream("biases"));
        for (name, parameter) in generator.named_mut().into_iter().chain(critic.named_mut()) {
            if name.ends_with("bias") || name.ends_with("shift") {
                randomness.normals(&mut parameter.value);
                parameter.value.iter_mut().for_each(|cell| *cell *= 0.2);
            }
        }
        (generator, critic)
    }

    fn fused(&self, threads: usize) -> FusedTrainer {
        let ((generator, critic), threads) = (self.networks(), Threads::new(threads).unwrap());
        FusedTrainer::new(&self.recipe, &self.steps, generator, critic, &threads)
    }

    fn plain(&self, precision: DType) -> PlainTrainer {
        let (generator, critic) = self.networks();
        let (recipe, steps) = (&self.recipe, &self.steps);
        PlainTrainer::new(recipe, steps, generator, critic, Device::Cpu, precision).unwrap()
    }
}

fn save(trainer: &mut FusedTrainer, step: u64) -> TrainingState {
    let mut state = TrainingState::at(step);
    trainer.save(&mut state).unwrap();
    state
}

/// The largest relative distance between two ways of the same step. The batch norm of few rows and
/// the recurrence over the columns enlarge what rounding leaves.
const RELATIVE: f64 = 1e-4;
/// The same of what is squared in the second moments.
const RELATIVE_SQUARES: f64 = 2e-4;
/// Distances below it are the rounding of sums that nearly cancel, enlarged by the batch norm of
/// units that hardly vary in a batch.
const ROUNDING: f64 = 1e-5;

fn assert_losses(place: &str, ours: Losses, exact: Losses) {
    let pairs = [
        ("adversarial", ours.adversarial, exact.adversarial),
        ("divergence", ours.divergence, exact.divergence),
        ("discriminator", ours.discriminator, exact.discriminator),
        ("accuracy", ours.accuracy, exact.accuracy),
    ];
    for (what, ours, exact) in pairs {
        let bound = RELATIVE * exact.abs().max(0.1);
        assert!((ours - exact).abs() <= bound, "{place}: {what}: {ours} {exact}");
    }
}

/// Parameters whose gradient is 0 by construction, but for the weight decay and rounding: what is
/// added to every row alike is taken away by the batch norm and the differences between rows, and
/// the softmax of one logit is 1.
fn is_idle(name: &str) -> bool {
    let critic_bias = name.starts_with("discriminator.layer") && name.contains("bias");
    critic_bias || name.starts_with("generator.step0.attention")
}

/// Runs the fused training, and makes each of its updates again by candle from the same state.
fn check_updates(bench: &Bench, precisions: &[DType], steps: u64) {
    let mut fused = bench.fused(1);
    let mut plains: Vec<_> = precisions.iter().map(|&precision| bench.plain(precision)).collect();
    let (mut source, mut batch) = (bench.source(), Batch::default());
    for step in 1..=steps {
        source.fill(&mut batch, step);
        let mut before = save(&mut fused, step - 1);
        // The hand-written update is told its number; candle's optimisers count for themselves.
        before.put("steps", &(step - 1)).unwrap();
        let ours = fused.update(&batch, step);
        let after = save(&mut fused, step);
        for (plain, precision) in plains.iter_mut().zip(precisions) {
            let place = format!("step {step} against candle in {precision:?}");
            plain.restore(&before).unwrap();
            let (losses, [generator, critic]) = plain.gradients(&batch).unwrap();
            assert_losses(&place, ours, losses);
            for (name, parameter) in fused.named_mut() {
                let exact = generator.get(&name).or(critic.get(&name)).unwrap();
                let (gradient, exact) = (&parameter.gradient, cells(exact).unwrap());
                let what = format!("{place}: gradient of {name}");
                if is_idle(&name) {
                    // Rounding is all there is; it grows with the gradients that cancel.
                    let away =
                        gradient.iter().zip(&exact).map(|(&ours, exact)| f64::from(ours) - exact);
                    let away = away.fold(0.0, |most: f64, away| most.max(away.abs()));
                    assert!(away < 1e-3, "{what}: {away:e}");
                } else {
                    assert_close(&what, gradient, &exact, RELATIVE, ROUNDING);
                }
            }
            plain.update(&batch).unwrap();
            let mut exact = TrainingState::at(step);
            plain.save(&mut exact).unwrap();
            assert_eq!(after.tensors.len(), exact.tensors.len());
            for (name, tensor) in after.tensors.iter().filter(|(name, _)| !is_idle(name)) {
                let exact = &exact.tensors[name].data;
                let bound = if name.ends_with(".second") { RELATIVE_SQUARES } else { RELATIVE };
                let what = format!("{place}: {name} afterwards");
                assert_close(&what, &tensor.data, exact, bound, ROUNDING);
            }
        }
    }
}

#[test]
fn both_ways_agree_step_by_step_on_a_mixed_table() {
    let bench = Bench::new(&conformance::mixed_table(60, 6));
    check_updates(&bench, &[DType::F32, DType::F64], 8);
}

#[test]
fn both_ways_agree_at_larger_sizes() {
    let table = conformance::mixed_table(300, 6).select_columns(&[1, 5, 11]).unwrap();
    let mut bench = Bench::new(&table);
    bench.recipe = Tgan { batch_size: 60, lstm_dim: 100, feature_dim: 70, ..Tgan::default() };
    check_updates(&bench, &[DType::F32], 1);
}

#[test]
fn both_ways_agree_without_numbers_without_categories_and_without_diversity() {
    let table = conformance::mixed_table(80, 5);
    for columns in [[4, 5], [1, 3]] {
        let mut bench = Bench::new(&table.select_columns(&columns).unwrap());
        check_updates(&bench, &[DType::F64], 3);
        bench.recipe.diversity_kernels = 0;
        check_updates(&bench, &[DType::F64], 3);
    }
    let one = Bench::new(&table.select_columns(&[4]).unwrap());
    assert_eq!(one.steps.len(), 1);
    check_updates(&one, &[DType::F64], 3);
}

/// The bound above is tight enough to see a slip of a thousandth in one cell.
#[test]
#[should_panic(expected = "a slip")]
fn a_small_slip_is_seen() {
    let mut bench = Bench::new(&conformance::mixed_table(60, 6));
    bench.recipe.clip_gradient = 5.0;
    let (mut fused, mut batch) = (bench.fused(1), Batch::default());
    bench.source().fill(&mut batch, 1);
    fused.gradients(&batch);
    let gradient = &fused.generator.start.gradient;
    let mut slipped = gradient.clone();
    let largest = slipped.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    *largest *= 1.001;
    assert_close("a slip", &slipped, gradient, RELATIVE, ROUNDING);
}

#[test]
fn threads_change_no_bit() {
    let bench = Bench::new(&conformance::mixed_table(60, 6));
    let run = |threads| {
        let mut fused = bench.fused(threads);
        let (mut source, mut batch) = (bench.source(), Batch::default());
        for step in 1..=4 {
            source.fill(&mut batch, step);
            fused.update(&batch, step);
        }
        save(&mut fused, 4).tensors
    };
    let one = run(1);
    assert!(one == run(2), "two threads give other weights");
    assert!(one == run(3), "three threads give other weights");
}

const BY_HAND: [Step; 3] = [
    Step { output: Output::Place, start: 0, width: 1 },
    Step { output: Output::Shares, start: 1, width: 2 },
    Step { output: Output::Levels, start: 3, width: 2 },
];

/// A number of two components and a category of two levels. With weights of 0 every output is its
/// bias, whatever the noise: the place tanh(0.3), shares of e : 1 for the components, and 1 : 3 for
/// the levels. The discriminator's first unit is the place alone, which is the same in all
/// generated rows and 0.1 and 0.5 in the two real ones; its batch norm, shift 0.2, dropout masks
/// and slopes follow, and the minibatch discrimination beside it.
#[test]
fn the_losses_of_a_fixed_batch_by_hand() {
    let recipe = Tgan {
        batch_size: 2,
        noise_dim: 1,
        lstm_dim: 2,
        feature_dim: 2,
        discriminator_dim: vec![1],
        diversity_kernels: 1,
        diversity_dim: 1,
        ..Tgan::default()
    };
    let mut rng = Seed(1).stream("init");
    let mut generator = Generator::new(&recipe, &BY_HAND, &mut rng);
    let mut critic = Discriminator::new(&recipe, 5, &mut rng);
    for (_, parameter) in generator.named_mut().into_iter().chain(critic.named_mut()) {
        parameter.value.fill(0.0);
    }
    let biases = [vec![0.3], vec![1.0, 0.0], vec![0.0, 3f32.ln()]];
    for (layers, bias) in generator.steps.iter_mut().zip(biases) {
        layers.output.bias = Parameter::new(&[bias.len()], bias);
    }
    critic.layers[0].linear.weight.value[0] = 1.0;
    critic.layers[0].diversity.as_mut().unwrap().weight.value[0] = 2.0;
    critic.layers[0].shift.value = vec![0.2, -0.1];
    critic.output.weight.value = vec![1.5, 0.5];
    critic.output.bias.value = vec![0.25];
    let batch = Batch {
        rows: 2,
        real: vec![0.1, 0.25, 0.75, 0.9, 0.1, 0.5, 0.75, 0.25, 0.3, 0.7],
        noise: vec![0.4, -0.7],
        masks: vec![[vec![2.0, 2.0, 2.0, 0.0], vec![2.0, 0.0, 0.0, 2.0]]],
    };

    // Places 0.1 and 0.5: a variance of 0.04. Projections 0.2 and 1.0: both rows are as close to
    // the batch, 1 + e^-0.8, so that the batch norm makes them 0. Dropout and the slope follow.
    let normal = 0.2 / 0.040_01f64.sqrt();
    let leaky = |x: f64| if x > 0.0 { x } else { 0.2 * x };
    let real = [
        1.5 * leaky(2.0 * (0.2 - normal)) + 0.5 * leaky(2.0 * -0.1) + 0.25,
        1.5 * leaky(2.0 * (0.2 + normal)) + 0.25,
    ];
    // Rows that are all alike become the shift.
    let generated = [1.5 * leaky(2.0 * 0.2) + 0.25, 0.5 * leaky(2.0 * -0.1) + 0.25];
    let softplus = |x: f64| x.exp().ln_1p();
    let mean = |of: &dyn Fn(f64) -> f64, logits: [f64; 2]| (of(logits[0]) + of(logits[1])) / 2.0;
    let adversarial = mean(&|x| softplus(-x), generated);
    let discriminator = 0.5 * (0.7 * mean(&|x| softplus(-x), real) + mean(&softplus, generated));
    // Real shares: 0.5 and 0.5 for the components, 0.6 and 0.4 for the levels.
    let term = |p: f64, q: f64| p * ((p + 1e-4).ln() - (q + 1e-4).ln());
    let share = 1f64.exp() / (1f64.exp() + 1.0);
    let divergence = term(share, 0.5) + term(1.0 - share, 0.5) + term(0.25, 0.6) + term(0.75, 0.4);
    let right = real.iter().filter(|logit| **logit > 0.0).count()
        + generated.iter().filter(|logit| **logit < 0.0).count();
    let accuracy = right as f64 / 4.0;
    let exact = Losses { adversarial, divergence, discriminator, accuracy };

    let threads = Threads::new(1).unwrap();
    let (one, other) = (generator.clone(), critic.clone());
    let mut fused = FusedTrainer::new(&recipe, &BY_HAND, one, other, &threads);
    assert_losses("fused", fused.gradients(&batch), exact);
    let plain =
        PlainTrainer::new(&recipe, &BY_HAND, generator, critic, Device::Cpu, DType::F64).unwrap();
    assert_losses("plain", plain.gradients(&batch).unwrap().0, exact);
}

/// The paper's claim for the divergence: shares are kept. Mean over the last steps of a short
/// training, on shares as they are generated.
#[test]
fn the_divergence_keeps_shares() {
    let mut bench = Bench::new(&conformance::mixed_table(300, 6));
    bench.recipe = Tgan {
        batch_size: 60,
        lstm_dim: 24,
        feature_dim: 16,
        noise_dim: 8,
        discriminator_dim: vec![24],
        ..Tgan::default()
    };
    let mut left = |weight: f64| {
        bench.recipe.divergence_weight = weight;
        let (mut fused, mut source) = (bench.fused(1), bench.source());
        let (mut batch, mut sum) = (Batch::default(), 0.0);
        for step in 1..=150 {
            source.fill(&mut batch, step);
            let losses = fused.update(&batch, step);
            sum += if step > 100 { losses.divergence / 50.0 } else { 0.0 };
        }
        sum
    };
    let (with, without) = (left(1.0), left(0.0));
    assert!(with < 0.5 * without, "{with} with the divergence, {without} without");
}
