//! The fused update against the plain candle expression, on the same batches, and a loss by hand.

use crate::Tvae;
use crate::batch::{Batch, BatchSource};
use crate::fused::{FusedTrainer, Losses};
use crate::network::{Autoencoder, head_spans};
use crate::plain::PlainTrainer;
use candle_core::DType;
use meg_core::{Device, Seed, Silent, Table, TrainingState, conformance};
use neural::check::{assert_close, cells};
use neural::training::Lasting;
use neural::{Parameter, Threads};
use transforms::{Encoded, EncoderOptions, TableEncoder};

struct Bench {
    recipe: Tvae,
    encoder: TableEncoder,
    encoded: Encoded,
}

impl Bench {
    fn new(table: &Table) -> Self {
        let recipe = Tvae {
            batch_size: 70,
            embedding_dim: 12,
            compress_dims: vec![24, 20, 16],
            decompress_dims: vec![18, 22],
            weight_decay: 1e-3,
            ..Tvae::default()
        };
        let options = EncoderOptions::default();
        let encoder = TableEncoder::fit(table, &options, Seed(1), 1, &mut Silent).unwrap();
        let encoded = encoder.encode(table, Seed(1), 1).unwrap();
        Self { recipe, encoder, encoded }
    }

    fn source(&self) -> BatchSource<'_> {
        BatchSource::new(&self.recipe, &self.encoded, Seed(7))
    }

    fn model(&self) -> Autoencoder {
        let mut rng = Seed(3).stream("init");
        let places = self.encoded.place_units.len();
        let mut model = Autoencoder::new(&self.recipe, self.encoder.width(), places, &mut rng);
        // Deviations that differ, so that a slip in their order shows.
        for (at, sigma) in model.decoder.sigma.value.iter_mut().enumerate() {
            *sigma = 0.2 + 0.07 * at as f32;
        }
        model
    }

    fn fused(&self, threads: usize, dense_rows: bool) -> FusedTrainer {
        let (spans, places) = (head_spans(&self.encoder), &self.encoded.place_units);
        FusedTrainer::new(
            &self.recipe,
            self.model(),
            spans,
            places,
            &Threads::new(threads).unwrap(),
        )
        .with_dense_rows(dense_rows)
    }

    fn plain(&self, precision: DType) -> PlainTrainer {
        let (spans, places) = (head_spans(&self.encoder), &self.encoded.place_units);
        PlainTrainer::new(&self.recipe, self.model(), &spans, places, Device::Cpu, precision)
            .unwrap()
    }
}

fn save(trainer: &mut FusedTrainer, step: u64) -> TrainingState {
    let mut state = TrainingState::at(step);
    trainer.save(&mut state).unwrap();
    state
}

/// The largest relative distance between two ways of the same update.
const RELATIVE: f64 = 1e-5;

fn assert_losses(place: &str, ours: Losses, exact: Losses) {
    let pairs = [(ours.reconstruction, exact.reconstruction), (ours.divergence, exact.divergence)];
    for (ours, exact) in pairs {
        assert!((ours - exact).abs() <= RELATIVE * exact.abs().max(0.1), "{place}: {ours} {exact}");
    }
}

/// Runs the fused training, and makes each of its updates again by candle from the same state.
fn check_updates(bench: &Bench, dense_rows: bool, precisions: &[DType], steps: u64) {
    let mut fused = bench.fused(1, dense_rows);
    let mut plains: Vec<_> = precisions.iter().map(|&precision| bench.plain(precision)).collect();
    let (mut source, mut batch) = (bench.source(), Batch::default());
    for step in 1..=steps {
        source.fill(&mut batch, step);
        let mut before = save(&mut fused, step - 1);
        // The hand-written update is told its number; candle's optimiser counts for itself.
        before.put("steps", &(step - 1)).unwrap();
        let ours = fused.update(&batch, step);
        let after = save(&mut fused, step);
        for (plain, precision) in plains.iter_mut().zip(precisions) {
            let place = format!("step {step} against candle in {precision:?}");
            plain.restore(&before).unwrap();
            let (losses, gradients) = plain.gradients(&batch).unwrap();
            assert_losses(&place, ours, losses);
            for (name, parameter) in fused.model.named_mut() {
                let exact = cells(gradients.get(&name).unwrap()).unwrap();
                let what = format!("{place}: gradient of {name}");
                assert_close(&what, &parameter.gradient, &exact, RELATIVE, 0.0);
            }
            plain.update(&batch).unwrap();
            let mut exact = TrainingState::at(step);
            plain.save(&mut exact).unwrap();
            assert_eq!(after.tensors.len(), exact.tensors.len());
            for (name, tensor) in &after.tensors {
                let (what, exact) = (format!("{place}: {name} afterwards"), &exact.tensors[name]);
                assert_close(&what, &tensor.data, &exact.data, RELATIVE, 0.0);
            }
        }
    }
}

/// 300 rows in batches of 70: the last of a pass has 20.
#[test]
fn both_ways_agree_step_by_step_on_a_mixed_table() {
    let bench = Bench::new(&conformance::mixed_table(300, 6));
    check_updates(&bench, true, &[DType::F32, DType::F64], 20);
    check_updates(&bench, false, &[DType::F32, DType::F64], 10);
}

#[test]
fn both_ways_agree_at_the_papers_sizes() {
    let mut bench = Bench::new(&conformance::mixed_table(600, 6));
    bench.recipe = Tvae::default();
    check_updates(&bench, false, &[DType::F32], 2);
}

#[test]
fn both_ways_agree_without_numbers_and_without_categories() {
    let table = conformance::mixed_table(200, 5);
    for columns in [[4, 5], [1, 3]] {
        let bench = Bench::new(&table.select_columns(&columns).unwrap());
        check_updates(&bench, true, &[DType::F64], 6);
        check_updates(&bench, false, &[DType::F64], 6);
    }
}

/// The bound above is tight enough to see a slip of a thousandth in one cell.
#[test]
#[should_panic(expected = "a slip")]
fn a_small_slip_is_seen() {
    let bench = Bench::new(&conformance::mixed_table(100, 6));
    let (mut fused, mut batch) = (bench.fused(1, true), Batch::default());
    bench.source().fill(&mut batch, 1);
    fused.gradients(&batch);
    let gradient = &fused.model.encoder[1].weight.gradient;
    let mut slipped = gradient.clone();
    let largest = slipped.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    *largest *= 1.001;
    assert_close("a slip", &slipped, gradient, RELATIVE, 0.0);
}

#[test]
fn threads_change_no_bit() {
    let bench = Bench::new(&conformance::mixed_table(300, 6));
    let run = |threads| {
        let mut fused = bench.fused(threads, true);
        let (mut source, mut batch) = (bench.source(), Batch::default());
        for step in 1..=6 {
            source.fill(&mut batch, step);
            fused.update(&batch, step);
        }
        save(&mut fused, 6).tensors
    };
    let one = run(1);
    assert!(one == run(2), "two threads give other weights");
    assert!(one == run(3), "three threads give other weights");
}

/// With weights of 0 every output is its bias: means of 1/2 and variances of 4 in 12 latent units,
/// a row that is the same whatever the noise. One number of one kept mode beside one category of
/// two levels, logits 1/2 at the place and 1 at the first level.
#[test]
fn the_loss_of_a_fixed_batch_by_hand() {
    let mut bench = Bench::new(&conformance::mixed_table(100, 6));
    let spans = [(0, 1, false), (1, 1, true), (2, 2, true)]
        .map(|(start, width, softmax)| neural::kernels::HeadSpan { start, width, softmax });
    bench.recipe.loss_factor = 2.0;
    let mut model = Autoencoder::new(&bench.recipe, 4, 1, &mut Seed(1).stream("init"));
    for (_, parameter) in model.named_mut() {
        parameter.value.fill(0.0);
    }
    model.latent.bias = Parameter::new(&[24], [[0.5; 12], [4f32.ln(); 12]].concat());
    model.decoder.output.bias = Parameter::new(&[4], vec![0.5, 0.0, 1.0, 0.0]);
    model.decoder.sigma = Parameter::constant(&[1], 0.5);
    let batch = Batch {
        rows: 2,
        places: vec![0.5f32.tanh() + 0.25, 0.5f32.tanh()],
        hot: vec![1, 2, 1, 3],
        noise: vec![0.3; 24],
    };
    // Places: 0.25^2 / (2 * 0.25) = 1/8 and 0, each with log 1/2. Levels: log(1 + e) - 1 for the
    // first level, log(1 + e) for the second. The mode has one unit and costs nothing.
    let row = 0.125 / 2.0 + 0.5f64.ln() + (1.0 + 1f64.exp()).ln() - 0.5;
    // (1/4 + 4 - log 4 - 1) / 2 for each latent unit.
    let divergence = 12.0 * 0.5 * (3.25 - 4f64.ln());
    let exact = Losses { reconstruction: 2.0 * row, divergence };
    let threads = Threads::new(1).unwrap();
    let mut fused = FusedTrainer::new(&bench.recipe, model.clone(), spans.to_vec(), &[0], &threads);
    assert_losses("fused", fused.gradients(&batch), exact);
    let plain =
        PlainTrainer::new(&bench.recipe, model, &spans, &[0], Device::Cpu, DType::F64).unwrap();
    assert_losses("plain", plain.gradients(&batch).unwrap().0, exact);
}

/// Standard deviations stay within their bounds, by either way.
#[test]
fn sigma_is_kept_within_its_bounds() {
    let mut bench = Bench::new(&conformance::mixed_table(200, 6));
    // Adam moves a weight by about the rate: to either bound in one step.
    bench.recipe.learning_rate = 10.0;
    let (mut fused, mut plain) = (bench.fused(1, true), bench.plain(DType::F32));
    let mut batch = Batch::default();
    bench.source().fill(&mut batch, 1);
    fused.update(&batch, 1);
    plain.update(&batch).unwrap();
    let sigma = &fused.model.decoder.sigma.value;
    assert!(sigma.iter().all(|&sigma| sigma == 0.01 || sigma == 1.0), "{sigma:?}");
    assert_eq!(*sigma, plain.decoder().unwrap().sigma.value);
}
