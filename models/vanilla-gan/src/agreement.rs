//! The fused update against the plain candle expression, on the same batches, and losses by hand.

use crate::batch::{Batch, BatchSource};
use crate::codec::{Codec, Records};
use crate::fused::{FusedTrainer, Losses};
use crate::network::{Discriminator, Generator};
use crate::plain::PlainTrainer;
use crate::settings::{Encoding, VanillaGan};
use candle_core::DType;
use meg_core::{Device, Seed, TrainingState, conformance};
use neural::Threads;
use neural::check::assert_close;
use neural::training::Lasting;

struct Bench {
    recipe: VanillaGan,
    codec: Codec,
    records: Records,
}

impl Bench {
    fn new(recipe: VanillaGan) -> Self {
        let table = conformance::mixed_table(150, 6);
        let codec = Codec::fit(&recipe, &table, Seed(1), 1).unwrap();
        let records = codec.encode(&table, Seed(1), 1).unwrap();
        Self { recipe, codec, records }
    }

    fn source(&self) -> BatchSource<'_> {
        BatchSource::new(&self.recipe, &self.codec, &self.records, Seed(7))
    }

    fn networks(&self) -> (Generator, Discriminator) {
        let (mut rng, width) = (Seed(3).stream("init"), self.records.width);
        let generator = Generator::new(&self.recipe, width, &mut rng);
        (generator, Discriminator::new(&self.recipe, width, &mut rng))
    }

    fn fused(&self, threads: usize) -> FusedTrainer {
        let (generator, discriminator) = self.networks();
        FusedTrainer::new(&self.recipe, generator, discriminator, &Threads::new(threads).unwrap())
    }

    fn plain(&self, precision: DType) -> PlainTrainer {
        let (generator, discriminator) = self.networks();
        PlainTrainer::new(&self.recipe, generator, discriminator, Device::Cpu, precision).unwrap()
    }
}

fn small(encoding: Encoding) -> VanillaGan {
    VanillaGan { layers_dim: 12, noise_dim: 6, encoding, ..VanillaGan::default() }
}

fn save(trainer: &mut FusedTrainer, step: u64) -> TrainingState {
    let mut state = TrainingState::at(step);
    trainer.save(&mut state).unwrap();
    state.put("generator.steps", &step).unwrap();
    state.put("discriminator.steps", &(2 * step)).unwrap();
    state
}

/// The largest relative distance between two ways of the same update.
const RELATIVE: f64 = 1e-5;

fn assert_losses(place: &str, ours: Losses, exact: Losses) {
    let pairs = [
        (ours.real, exact.real),
        (ours.fake, exact.fake),
        (ours.generator, exact.generator),
        (ours.accuracy, exact.accuracy),
    ];
    for (ours, exact) in pairs {
        assert!((ours - exact).abs() <= RELATIVE * exact.abs().max(0.1), "{place}: {ours} {exact}");
    }
}

/// Runs the fused training, and makes each of its updates again by candle from the same state. First
/// moments show the gradients.
fn check_updates(recipe: VanillaGan, precision: DType, steps: u64) {
    let bench = Bench::new(recipe);
    let (mut fused, mut plain) = (bench.fused(1), bench.plain(precision));
    let (mut source, mut batch) = (bench.source(), Batch::default());
    for step in 1..=steps {
        source.fill(&mut batch, step);
        plain.restore(&save(&mut fused, step - 1)).unwrap();
        let ours = fused.update(&batch, step);
        let place = format!("step {step} against candle in {precision:?}");
        assert_losses(&place, ours, plain.update(&batch, step).unwrap());
        let (after, mut exact) = (save(&mut fused, step), TrainingState::at(step));
        plain.save(&mut exact).unwrap();
        assert_eq!(after.parts, exact.parts);
        assert_eq!(after.tensors.len(), exact.tensors.len());
        for (name, tensor) in &after.tensors {
            let what = format!("{place}: {name} afterwards");
            assert_close(&what, &tensor.data, &exact.tensors[name].data, RELATIVE, 0.0);
        }
    }
}

/// 150 rows in batches of 32: the last of a pass has 22.
#[test]
fn both_ways_agree_step_by_step() {
    for encoding in [Encoding::Power, Encoding::Ranks] {
        check_updates(VanillaGan { average: 0.9, ..small(encoding) }, DType::F64, 12);
    }
    check_updates(small(Encoding::Power), DType::F32, 6);
    let apart = VanillaGan { shared_optimiser: false, dropout: 0.0, ..small(Encoding::Power) };
    check_updates(apart, DType::F64, 6);
}

#[test]
fn both_ways_agree_at_the_published_sizes() {
    check_updates(VanillaGan::default(), DType::F64, 2);
}

#[test]
fn threads_change_no_bit() {
    let bench = Bench::new(VanillaGan::default());
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

/// With weights of 0 every logit is the last bias, whose gradient alone is not 0: the losses of an
/// update, and the two steps of Keras's Adam between them, by hand.
#[test]
fn the_losses_of_a_fixed_batch_by_hand() {
    let softplus = |x: f64| x.exp().ln_1p();
    let share = |x: f64| 1.0 / (1.0 + (-x).exp());
    for shared_optimiser in [true, false] {
        let recipe = VanillaGan { shared_optimiser, ..small(Encoding::Power) };
        let bench = Bench::new(recipe);
        let (mut generator, mut discriminator) = bench.networks();
        for (_, cells) in generator.named_mut().into_iter().chain(discriminator.named_mut()) {
            cells.value.fill(0.0);
        }
        discriminator.layers[3].bias.value[0] = 0.5;
        let mut batch = Batch::default();
        bench.source().fill(&mut batch, 1);
        let (mut bias, mut first, mut second) = (0.5f64, 0.0f64, 0.0f64);
        let mut step = |gradient: f64, count: i32| {
            first = 0.5 * first + 0.5 * gradient;
            second = 0.999 * second + 0.001 * gradient * gradient;
            let rate = 5e-4 * (1.0 - 0.999f64.powi(count)).sqrt() / (1.0 - 0.5f64.powi(count));
            bias -= rate * first / (second.sqrt() + 1e-7);
            bias
        };
        // Losses after 0, 1 and 2 steps of the discriminator, in two updates.
        let real = softplus(-0.5);
        let after_real = step(-share(-0.5), 1);
        let fake = softplus(after_real);
        let after_fake = step(share(after_real), 2);
        // A logit above 0 takes every row for a real one.
        let exact = Losses { real, fake, generator: softplus(-after_fake), accuracy: 0.5 };
        let again = step(-share(-after_fake), if shared_optimiser { 4 } else { 3 });
        let second_exact = Losses { real: softplus(-after_fake), fake: softplus(again), ..exact };
        let mut plain = PlainTrainer::new(
            &bench.recipe,
            generator.clone(),
            discriminator.clone(),
            Device::Cpu,
            DType::F64,
        )
        .unwrap();
        let threads = Threads::new(1).unwrap();
        let mut fused = FusedTrainer::new(&bench.recipe, generator, discriminator, &threads);
        let check = |place: &str, ours: Losses, exact: Losses| {
            assert_eq!(ours.accuracy, exact.accuracy, "{place}");
            for (ours, exact) in [(ours.real, exact.real), (ours.fake, exact.fake)] {
                // A step moves the losses by 3e-4.
                assert!((ours - exact).abs() < 2e-7, "{place}: {ours} {exact}");
            }
        };
        let first = fused.update(&batch, 1);
        check("fused", first, exact);
        assert!((first.generator - exact.generator).abs() < 2e-7);
        check("plain", plain.update(&batch, 1).unwrap(), exact);
        check("fused, again", fused.update(&batch, 2), second_exact);
        check("plain, again", plain.update(&batch, 2).unwrap(), second_exact);
    }
}

/// Rows are drawn by the average, which lies between the first weights and the last; by either way.
#[test]
fn the_average_is_what_rows_are_drawn_by() {
    let bench = Bench::new(VanillaGan { average: 0.5, ..small(Encoding::Power) });
    let (mut fused, mut plain) = (bench.fused(1), bench.plain(DType::F64));
    let (mut source, mut batch) = (bench.source(), Batch::default());
    let first = fused.generator.layers[0].weight.value.clone();
    source.fill(&mut batch, 1);
    fused.update(&batch, 1);
    plain.update(&batch, 1).unwrap();
    let last = fused.generator.layers[0].weight.value.clone();
    let drawn = fused.generator().layers[0].weight.value.clone();
    let half: Vec<f32> = first.iter().zip(&last).map(|(a, b)| 0.5 * a + 0.5 * b).collect();
    assert_ne!(first, last);
    assert_close("fused", &drawn, &half, RELATIVE, 0.0);
    let drawn = &plain.generator().unwrap().layers[0].weight.value;
    assert_close("plain", drawn, &half, RELATIVE, 0.0);
}
