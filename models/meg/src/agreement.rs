//! The written-out gradients against candle's automatic ones, on the same batch.

use crate::codec::{CodecOptions, Codes, NumberOptions, TableCodec, Targets};
use crate::masks::{self, LabelPlace};
use crate::network::{Layout, Part, Weights, counts};
use crate::trainer::{Optimiser, Trainer};
use candle_core::{D, Device, Tensor, Var};
use meg_core::{Seed, conformance};
use rand::Rng as _;

struct Bench {
    codes: Codes,
    layout: Layout,
    targets: Vec<Targets>,
    weights: Weights,
    rows: Vec<u32>,
}

const EMBEDDING: usize = 6;
const HIDDEN: usize = 20;

impl Bench {
    /// A table of all kinds of columns, generators that see three columns at most, and weights far
    /// from where training begins.
    fn new() -> Self {
        let table = conformance::mixed_table(400, 3);
        let number = NumberOptions { bins: 256, atoms: 128 };
        let codec = TableCodec::fit(&table, CodecOptions { number, levels: 4 }, 1).unwrap();
        let codes = codec.encode(&table, 1);
        let masks = masks::one_per_column(&codec, &codes, LabelPlace::First, 3, 1);
        let layout = Layout::new(masks, &codec, EMBEDDING, HIDDEN);
        let targets = layout.masks.iter().map(|mask| codec.targets(mask.output, 40.0)).collect();
        let rows: Vec<u32> = (0..48).map(|row| row * 7).collect();
        let counts = counts(&layout, &codes, &rows, 1);
        let mut rng = Seed(5).stream("test");
        let mut weights = Weights::new(&layout, &codec, &counts, &mut rng);
        for weight in weights.generators.iter_mut().flatten() {
            *weight += rng.random_range(-0.2..0.2);
        }
        Self { codes, layout, targets, weights, rows }
    }

    fn trainer(&self, dropout: f64, threads: usize) -> Trainer<'_> {
        let optimiser = Optimiser { warmup: 1, decay: 0.0, clip: 1e9, average: 0.9, dropout };
        let mut trainer = Trainer::new(
            &self.layout,
            &self.targets,
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
fn by_candle(bench: &Bench) -> (f64, Vec<Vec<f32>>, Vec<Vec<f32>>) {
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
        let column = &bench.codes.columns[layout.masks[at].output];
        bench.rows.iter().map(|&row| u32::from(column[row as usize])).collect()
    };
    let mut total = Tensor::zeros((), candle_core::DType::F32, &device).unwrap();
    let mut parts: Vec<Vec<Var>> = Vec::new();
    for (at, shape) in layout.shapes.iter().enumerate() {
        let vars: Vec<Var> = Part::ALL
            .iter()
            .filter(|&&part| shape.size(part).0 > 0)
            .map(|&part| {
                let cells = &bench.weights.generators[at][shape.range(part)];
                let tensor = Tensor::from_slice(cells, shape.size(part), &device).unwrap();
                Var::from_tensor(&tensor).unwrap()
            })
            .collect();
        let var = |part: Part| {
            let skipped = usize::from(shape.size(Part::First).0 == 0);
            vars[Part::ALL.iter().position(|&other| other == part).unwrap() - skipped].as_tensor()
        };
        let context: Vec<Tensor> = layout.parents[at]
            .iter()
            .map(|&parent| {
                let codes = Tensor::new(column(parent), &device).unwrap();
                embeddings[parent].index_select(&codes, 0).unwrap()
            })
            .collect();
        let rows = bench.rows.len();
        let first = if context.is_empty() {
            var(Part::FirstBias).broadcast_as((rows, HIDDEN)).unwrap()
        } else {
            let seen = Tensor::cat(&context, 1).unwrap();
            seen.matmul(var(Part::First)).unwrap().broadcast_add(var(Part::FirstBias)).unwrap()
        };
        let first = first.relu().unwrap();
        let second = first.matmul(var(Part::Second)).unwrap();
        let second = second.broadcast_add(var(Part::SecondBias)).unwrap().relu().unwrap();
        let logits = (first + second).unwrap().matmul(var(Part::Output)).unwrap();
        let logits = logits.broadcast_add(var(Part::OutputBias)).unwrap();
        let mut wanted = vec![0.0f32; rows * shape.codes];
        for (row, code) in column(at).into_iter().enumerate() {
            let (start, weights) = bench.targets[at].band(code as usize);
            let from = row * shape.codes + start;
            wanted[from..from + weights.len()].copy_from_slice(weights);
        }
        let wanted = Tensor::from_vec(wanted, (rows, shape.codes), &device).unwrap();
        let picked = (&logits * wanted).unwrap().sum(D::Minus1).unwrap();
        let loss = (logits.log_sum_exp(D::Minus1).unwrap() - picked).unwrap();
        total = (total + loss.mean_all().unwrap()).unwrap();
        parts.push(vars);
    }
    let gradients = total.backward().unwrap();
    let cells = |var: &Var| -> Vec<f32> {
        match gradients.get(var.as_tensor()) {
            Some(gradient) => gradient.flatten_all().unwrap().to_vec1().unwrap(),
            None => vec![0.0; var.elem_count()],
        }
    };
    let generators = parts.iter().map(|vars| vars.iter().flat_map(cells).collect()).collect();
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

#[test]
fn loss_and_all_gradients_agree_with_candle() {
    let bench = Bench::new();
    assert!(bench.layout.masks.len() == 7 && bench.layout.masks[6].context.len() == 3);
    let soft = (0..7).any(|at| {
        (0..bench.layout.shapes[at].codes).any(|code| bench.targets[at].band(code).1.len() > 2)
    });
    assert!(soft, "no column is smoothed");
    let (loss, generators, embeddings) = by_candle(&bench);
    for threads in [1, 3] {
        let mut trainer = bench.trainer(0.0, threads);
        let ours = trainer.step(&bench.codes, &bench.rows, 0.0);
        assert!((ours - loss).abs() < 1e-4 * loss, "loss {ours} where candle has {loss}");
        let (own, shared) = trainer.all_gradients();
        for (at, (ours, exact)) in own.iter().zip(&generators).enumerate() {
            assert_close(&format!("generator {at}"), ours, exact);
        }
        for (at, (ours, exact)) in shared.iter().zip(&embeddings).enumerate() {
            assert_close(&format!("embedding {at}"), ours, exact);
        }
    }
}

#[test]
fn several_steps_are_the_same_bits_at_any_number_of_threads() {
    let bench = Bench::new();
    let run = |threads| {
        let mut trainer = bench.trainer(0.1, threads);
        for _ in 0..20 {
            trainer.step(&bench.codes, &bench.rows, 1e-2);
        }
        trainer.averages()
    };
    let one = run(1);
    assert!(one != bench.weights);
    assert!(one == run(2) && one == run(5));
}

#[test]
fn the_score_is_the_loss_without_smoothing_and_dropout() {
    let mut bench = Bench::new();
    bench.targets = bench.layout.shapes.iter().map(|shape| Targets::hard(shape.codes)).collect();
    let mut trainer = bench.trainer(0.0, 1);
    let score = trainer.score(&bench.codes, &bench.rows);
    let loss = trainer.step(&bench.codes, &bench.rows, 0.0);
    assert!((score - loss).abs() < 1e-5 * loss, "{score} {loss}");
}
