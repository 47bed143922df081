//! The written-out gradients against candle's automatic ones, on the same batch.

use crate::codec::{CodecOptions, Codes, NumberOptions, TableCodec, Targets};
use crate::masks::{self, ColumnOrder, Columns, LabelPlace, MaskOptions, MaskScheme};
use crate::network::{Layout, Part, Weights, counts};
use crate::trainer::{Optimiser, Trainer};
use candle_core::{D, Device, Tensor, Var};
use meg_core::{Seed, conformance};
use neural::layers::activation::relu;
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
        let targets = order.map(|&column| codec.targets(column, 40.0)).collect();
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
}

/// The loss as a candle expression, and its gradients in the order of the weights.
fn by_candle(bench: &Bench, weights: &[f32]) -> (f64, Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let device = Device::Cpu;
    let layout = &bench.layout;
    let embeddings: Vec<Var> = bench
        .weights
        .embeddings
        .iter()
        .map(|cells| {
            let shape = (cells.len() / EMBEDDING, EMBEDDING);
            Var::from_tensor(&Tensor::from_slice(cells, shape, &device).unwrap()).unwrap()
        })
        .collect();
    let column = |at: usize| -> Vec<u32> {
        let column = &bench.codes.columns[layout.plan.order[at]];
        bench.rows.iter().map(|&row| u32::from(column[row as usize])).collect()
    };
    let rows = bench.rows.len();
    let mut total = Tensor::zeros((), candle_core::DType::F32, &device).unwrap();
    let mut parts: Vec<Vec<Var>> = Vec::new();
    for (at, shape) in layout.shapes.iter().enumerate() {
        let all: Vec<Part> = shape.parts();
        let vars: Vec<Var> = all
            .iter()
            .map(|&part| {
                let (height, width) = shape.size(part);
                let mut cells = bench.weights.generators[at][shape.range(part)].to_vec();
                // candle has no tensors without cells; a row of zeros is never looked at.
                cells.resize(height.max(1) * width, 0.0);
                let tensor = Tensor::from_vec(cells, (height.max(1), width), &device).unwrap();
                Var::from_tensor(&tensor).unwrap()
            })
            .collect();
        let var =
            |part: Part| vars[all.iter().position(|&other| other == part).unwrap()].as_tensor();
        for (number, head) in shape.heads.iter().enumerate() {
            let mut first = var(Part::FirstBias(number)).broadcast_as((rows, HIDDEN)).unwrap();
            for (&parent, &slot) in head.parents.iter().zip(&head.slots) {
                let codes = Tensor::new(column(parent), &device).unwrap();
                let seen = embeddings[parent].index_select(&codes, 0).unwrap();
                let weights = var(Part::First).narrow(0, slot * EMBEDDING, EMBEDDING).unwrap();
                first = (first + seen.matmul(&weights).unwrap()).unwrap();
            }
            let first = relu(&first).unwrap();
            let second = first.matmul(var(Part::Second)).unwrap();
            let second = relu(&second.broadcast_add(var(Part::SecondBias)).unwrap()).unwrap();
            let logits = (first + second).unwrap().matmul(var(Part::Output(number))).unwrap();
            let logits = logits.broadcast_add(var(Part::OutputBias(number))).unwrap();
            let mut wanted = vec![0.0f32; rows * head.codes];
            for (row, code) in column(head.place).into_iter().enumerate() {
                let (start, weights) = bench.targets[head.place].band(code as usize);
                let from = row * head.codes + start;
                wanted[from..from + weights.len()].copy_from_slice(weights);
            }
            let wanted = Tensor::from_vec(wanted, (rows, head.codes), &device).unwrap();
            let picked = (&logits * wanted).unwrap().sum(D::Minus1).unwrap();
            let loss = (logits.log_sum_exp(D::Minus1).unwrap() - picked).unwrap();
            let weights = Tensor::from_slice(weights, rows, &device).unwrap();
            let loss = (loss * weights).unwrap();
            total = (total + loss.mean_all().unwrap()).unwrap();
        }
        parts.push(vars);
    }
    let gradients = total.backward().unwrap();
    let cells = |var: &Var| -> Vec<f32> {
        match gradients.get(var.as_tensor()) {
            Some(gradient) => gradient.flatten_all().unwrap().to_vec1().unwrap(),
            None => vec![0.0; var.elem_count()],
        }
    };
    let generators = parts.iter().zip(&layout.shapes).map(|(vars, shape)| {
        let parts = shape.parts();
        let of = |(&part, var): (&Part, &Var)| {
            let mut cells = cells(var);
            cells.truncate(shape.range(part).len());
            cells
        };
        parts.iter().zip(vars).flat_map(of).collect()
    });
    let generators = generators.collect();
    let embeddings = embeddings.iter().map(cells).collect();
    (f64::from(total.to_scalar::<f32>().unwrap()), generators, embeddings)
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
    let weight = |row: usize| if weighted { (row as f32 * 0.7).sin() } else { 1.0 };
    let weights: Vec<f32> = (0..bench.rows.len()).map(weight).collect();
    let (loss, generators, embeddings) = by_candle(&bench, &weights);
    for threads in [1, 3] {
        let mut trainer = bench.trainer(0.0, threads);
        let ours = if weighted {
            let of = |&column: &usize| -> Vec<u16> {
                bench.rows.iter().map(|&row| bench.codes.columns[column][row as usize]).collect()
            };
            let batch: Vec<Vec<u16>> = bench.layout.plan.order.iter().map(of).collect();
            trainer.step_on(&batch, &weights, 0.0).unwrap()
        } else {
            trainer.step(&bench.codes, &bench.rows, 0.0).unwrap()
        };
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
    let score = trainer.score(&bench.codes, &bench.rows);
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
