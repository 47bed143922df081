//! The written-out gradients against candle's automatic ones, on the same batch.

use crate::codec::{CodecOptions, Codes, NumberOptions, TableCodec, Targets};
use crate::learner::{Learner, Way};
use crate::masks::{self, ColumnOrder, Columns, LabelPlace, MaskOptions, MaskScheme};
use crate::network::{Layout, Part, Weights, counts};
use crate::plain::PlainTrainer;
use crate::sharing::Sharing;
use crate::trainer::{Optimiser, Trainer};
use meg_core::{Device, Kernels, Seed, conformance};
use rand::Rng as _;
use std::sync::Arc;

struct Bench {
    codes: Codes,
    layout: Arc<Layout>,
    targets: Arc<[Targets]>,
    weights: Weights,
    rows: Vec<u32>,
}

const EMBEDDING: usize = 6;
const HIDDEN: usize = 20;

impl Bench {
    /// A table of all kinds of columns, generators that see three columns at most, and weights far
    /// from where training begins.
    fn new(scheme: MaskScheme) -> Self {
        let table = conformance::mixed_table(400, 3);
        let number = NumberOptions { bins: 256, atoms: 128, least_rows: 1 };
        let codec = TableCodec::fit(&table, CodecOptions { number, levels: 4 }, 1).unwrap();
        let codes = codec.encode(&table, 1);
        let options = MaskOptions {
            scheme,
            groups: 0,
            order: ColumnOrder::Information,
            label: LabelPlace::First,
            most: 3,
            hidden: 0.0,
            number: 0,
            seed: Seed(2),
            threads: 1,
        };
        let columns = Columns::new(&codec, &codes, &options);
        let plan = masks::plan(&codec, &codes, &columns, &options);
        masks::check(&plan, &codec).unwrap();
        let layout = Arc::new(Layout::new(plan, &codec, EMBEDDING, HIDDEN));
        let order = layout.plan.order.iter();
        let targets = order.map(|&column| {
            let counts = vec![3; codec.size(column)];
            let sharing = Sharing::new(&codec.ranks(column), &counts, 6.0);
            codec.targets(column, 40.0).shared(sharing)
        });
        let targets = targets.collect();
        let rows: Vec<u32> = (0..48).map(|row| row * 7).collect();
        let counts = counts(&layout, &codes, &rows, 1);
        let mut rng = Seed(5).stream("test");
        let mut weights = Weights::new(&layout, &layout.ranks(&codec), &counts, &mut rng);
        for weight in weights.generators.iter_mut().flatten() {
            *weight += rng.random_range(-0.2..0.2);
        }
        Self { codes, layout, targets, weights, rows }
    }

    fn trainer(&self, dropout: f64, threads: usize) -> Trainer {
        let optimiser = Optimiser { warmup: 1, decay: 0.0, clip: 1e9, average: 0.9, dropout };
        let mut trainer = Trainer::new(
            Arc::clone(&self.layout),
            Arc::clone(&self.targets),
            optimiser,
            self.weights.clone(),
            Seed(1),
            self.rows.len(),
            1,
        );
        trainer.set_threads(threads);
        trainer
    }

    fn plain(&self, dropout: f64) -> PlainTrainer {
        let optimiser = Optimiser { warmup: 1, decay: 0.0, clip: 1e9, average: 0.9, dropout };
        let (layout, targets) = (Arc::clone(&self.layout), Arc::clone(&self.targets));
        let weights = self.weights.clone();
        PlainTrainer::new(layout, targets, optimiser, weights, Seed(1), Device::Cpu).unwrap()
    }
}

/// The gradients of the plain trainer, of generators and of embeddings, with the loss.
fn by_candle(
    bench: &Bench,
    batch: &[Vec<u16>],
    weights: &[f32],
) -> (f64, Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let mut trainer = bench.plain(0.0);
    let (loss, gradients) = trainer.gradients(batch, Some(weights)).unwrap();
    let mut cells: Vec<Vec<f32>> = gradients.iter().map(|cells| cells.to_vec1().unwrap()).collect();
    let embeddings = cells.split_off(bench.layout.shapes.len());
    (loss, cells, embeddings)
}

fn assert_close(name: &str, ours: &[f32], exact: &[f32]) {
    assert_eq!(ours.len(), exact.len());
    let largest = exact.iter().fold(1e-5f32, |most, x| most.max(x.abs()));
    for (ours, exact) in ours.iter().zip(exact) {
        assert!((ours - exact).abs() < 2e-4 * largest, "{name}: {ours} where candle has {exact}");
    }
}

fn check(scheme: MaskScheme, weighted: bool) {
    let bench = Bench::new(scheme);
    assert!(bench.layout.codes.len() == 7 && bench.layout.maker(6).1.parents.len() == 3);
    let soft = (0..7)
        .any(|at| (0..bench.layout.codes[at]).any(|code| bench.targets[at].band(code).1.len() > 2));
    assert!(soft, "no column is smoothed");
    assert!(bench.targets.iter().any(|one| one.sharing().is_some()), "no column shares");
    let weight = |row: usize| if weighted { (row as f32 * 0.7).sin() } else { 1.0 };
    let weights: Vec<f32> = (0..bench.rows.len()).map(weight).collect();
    let of = |&column: &usize| -> Vec<u16> {
        bench.rows.iter().map(|&row| bench.codes.columns[column][row as usize]).collect()
    };
    let batch: Vec<Vec<u16>> = bench.layout.plan.order.iter().map(of).collect();
    let (loss, generators, embeddings) = by_candle(&bench, &batch, &weights);
    for threads in [1, 3] {
        let mut trainer = bench.trainer(0.0, threads);
        let ours = if weighted {
            trainer.step_on(&batch, &weights, 0.0)
        } else {
            trainer.step(&bench.codes, &bench.rows, 0.0)
        };
        let ours = ours.unwrap();
        assert!((ours - loss).abs() < 1e-4 * loss.abs(), "loss {ours} where candle has {loss}");
        let (own, shared) = trainer.all_gradients();
        for (at, (ours, exact)) in own.iter().zip(&generators).enumerate() {
            assert_close(&format!("{scheme:?}, generator {at}"), ours, exact);
        }
        for (at, (ours, exact)) in shared.iter().zip(&embeddings).enumerate() {
            assert_close(&format!("{scheme:?}, embedding {at}"), ours, exact);
        }
    }
}

#[test]
fn loss_and_all_gradients_agree_with_candle() {
    check(MaskScheme::Column, false);
    check(MaskScheme::Random, false);
}

#[test]
fn rows_count_by_their_weights() {
    check(MaskScheme::Kind, true);
}

#[test]
fn several_steps_are_the_same_bits_at_any_number_of_threads() {
    for scheme in [MaskScheme::Column, MaskScheme::Kind, MaskScheme::Dynamic] {
        let bench = Bench::new(scheme);
        let run = |threads| {
            let mut trainer = bench.trainer(0.1, threads);
            for _ in 0..20 {
                trainer.step(&bench.codes, &bench.rows, 1e-2).unwrap();
            }
            trainer.averages()
        };
        let one = run(1);
        assert!(one != bench.weights);
        assert!(one == run(2) && one == run(5));
    }
}

#[test]
fn the_score_is_the_loss_without_smoothing_and_dropout() {
    let mut bench = Bench::new(MaskScheme::Kind);
    bench.targets = bench.layout.codes.iter().map(|&codes| Targets::hard(codes)).collect();
    let mut trainer = bench.trainer(0.0, 1);
    let score: f64 = trainer.scores(&bench.codes, &bench.rows).into_iter().sum();
    let loss = trainer.step(&bench.codes, &bench.rows, 0.0).unwrap();
    assert!((score - loss).abs() < 1e-5 * loss, "{score} {loss}");
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing_and_is_named() {
    for wrong in [f32::NAN, f32::INFINITY] {
        let mut bench = Bench::new(MaskScheme::Column);
        let part = bench.layout.shapes[2].range(Part::OutputBias(0)).start;
        bench.weights.generators[2][part] = wrong;
        let mut trainer = bench.trainer(0.0, 1);
        let before = trainer.averages();
        let error = trainer.step(&bench.codes, &bench.rows, 1e-3).unwrap_err();
        let name = &bench.layout.names[2];
        assert!(
            error.tensor.contains(&format!("the generator of {name:?} holds NaN")),
            "{error:?}"
        );
        assert!(trainer.averages() == before || wrong.is_nan(), "a weight has changed");
        let found = trainer.not_finite().unwrap();
        assert!(found.contains(&format!("the weight of the generator of {name:?}")), "{found}");
    }
}

#[test]
fn gradients_whose_squares_overflow_stop_the_training_too() {
    let bench = Bench::new(MaskScheme::Column);
    let mut trainer = bench.trainer(0.0, 1);
    let batch: Vec<Vec<u16>> = bench.layout.codes.iter().map(|_| vec![0; 4]).collect();
    let error = trainer.step_on(&batch, &[1e30; 4], 1e-3).unwrap_err();
    assert!(error.tensor.contains("of which there is no square"), "{error:?}");
}

/// Length of the difference over the length of the second.
fn apart(ours: &Weights, exact: &Weights) -> f64 {
    let cells = |weights: &Weights| -> Vec<f32> {
        weights.generators.iter().chain(&weights.embeddings).flatten().copied().collect()
    };
    let (ours, exact) = (cells(ours), cells(exact));
    let length = |cells: &mut dyn Iterator<Item = f32>| -> f64 {
        cells.map(|x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
    };
    let difference = length(&mut ours.iter().zip(&exact).map(|(a, b)| a - b));
    difference / length(&mut exact.iter().copied())
}

/// With dropout, decay, clipping and warm-up; from the same batches and dice both ways make the same
/// losses, averages and scores, step by step.
#[test]
fn the_plain_way_follows_the_written_out_one_step_by_step() {
    for scheme in [MaskScheme::Column, MaskScheme::Kind, MaskScheme::Dynamic] {
        let bench = Bench::new(scheme);
        let optimiser = Optimiser { warmup: 5, decay: 0.1, clip: 1.0, average: 0.9, dropout: 0.2 };
        let new = |kernels| {
            let way = Way { device: Device::Cpu, kernels, threads: 1 };
            let (layout, targets) = (&bench.layout, &bench.targets);
            let (weights, rows) = (bench.weights.clone(), bench.rows.len());
            Learner::new(way, layout, targets, optimiser, weights, Seed(1), rows).unwrap()
        };
        let (mut fused, mut plain) = (new(Kernels::Fused), new(Kernels::Plain));
        for step in 1..=40u64 {
            let rows: Vec<u32> = (0..48).map(|row| (row * 7 + step as u32 * 31) % 400).collect();
            let ours = fused.step(&bench.codes, &rows, 3e-3, step).unwrap();
            let theirs = plain.step(&bench.codes, &rows, 3e-3, step).unwrap();
            assert!((ours - theirs).abs() < 2e-5 * theirs, "{scheme:?} {step}: {ours} {theirs}");
        }
        let far = apart(&fused.averages().unwrap(), &plain.averages().unwrap());
        assert!(far > 0.0 && far < 1e-4, "{scheme:?}: averages are {far} apart");
        let score = |one: &mut Learner| one.score(&bench.codes, &bench.rows).unwrap();
        let (ours, theirs) = (score(&mut fused), score(&mut plain));
        assert!((ours - theirs).abs() < 2e-5 * theirs, "{scheme:?}: scores {ours} and {theirs}");
        // Back to the averages and on: the moments are those of before.
        for one in [&mut fused, &mut plain] {
            let averages = one.averages().unwrap();
            one.go_back(&averages).unwrap();
        }
        let ours = fused.step(&bench.codes, &bench.rows, 3e-3, 41).unwrap();
        let theirs = plain.step(&bench.codes, &bench.rows, 3e-3, 41).unwrap();
        assert!((ours - theirs).abs() < 2e-5 * theirs, "{scheme:?} again: {ours} {theirs}");
    }
}

#[test]
fn both_ways_name_the_same_gradient() {
    let mut bench = Bench::new(MaskScheme::Column);
    let part = bench.layout.shapes[2].range(Part::OutputBias(0)).start;
    bench.weights.generators[2][part] = f32::NAN;
    let fused = bench.trainer(0.0, 1).step(&bench.codes, &bench.rows, 1e-3).unwrap_err().at(3);
    let plain = bench.plain(0.0).step(&bench.codes, &bench.rows, 1e-3, 3).unwrap_err();
    assert_eq!(fused.to_string(), plain.to_string());
}
