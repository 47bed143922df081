//! The copies of the kernels for the narrower instructions, which a wide processor never runs.

use super::*;
use crate::Randomness;
use meg_core::{Instructions, Seed};
use std::cell::Cell;

thread_local! {
    static ASKED: Cell<Option<Instructions>> = const { Cell::new(None) };
}

/// What the kernels of this thread take.
pub(crate) fn instructions() -> Instructions {
    ASKED.get().unwrap_or_else(Instructions::detected)
}

/// Runs with the copies for some instructions that the processor has.
fn with<T>(instructions: Instructions, run: impl FnOnce() -> T) -> T {
    assert!(instructions <= Instructions::detected());
    ASKED.set(Some(instructions));
    let result = run();
    ASKED.set(None);
    result
}

/// No multiple of a vector's length, so that the remainders of the loops run too.
const WIDTH: usize = 37;
const ROWS: usize = 11;
const STRIDE: usize = WIDTH + 6;

fn normals(count: usize, salt: u64) -> Vec<f32> {
    let mut cells = vec![0.0; count];
    Randomness::new(Seed(salt).stream("cells")).normals(&mut cells);
    cells
}

fn uniforms(count: usize, salt: u64) -> Vec<f32> {
    let mut cells = vec![0.0; count];
    Randomness::new(Seed(salt).stream("cells")).uniforms(&mut cells);
    cells
}

/// A kernel by name, with all cells that it wrote.
type Run = (&'static str, fn() -> Vec<Vec<f32>>);

const KERNELS: &[Run] = &[
    ("adam", || {
        let step =
            AdamStep { rate: 2e-3, root: 1.3, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, decay: 1e-3 };
        let (mut value, mut first) = (normals(WIDTH, 1), normals(WIDTH, 2));
        let mut second = uniforms(WIDTH, 3);
        adam(&mut value, &normals(WIDTH, 4), &mut first, &mut second, &step);
        vec![value, first, second]
    }),
    ("leaky_dropout", || {
        let (mut cells, mut slopes) = (normals(WIDTH, 1), uniforms(WIDTH, 2));
        leaky_dropout(&mut cells, &mut slopes, 0.2);
        vec![cells, slopes]
    }),
    ("scale_by", || {
        let mut cells = normals(WIDTH, 1);
        scale_by(&mut cells, &normals(WIDTH, 2));
        vec![cells]
    }),
    ("rows", || {
        let weights = normals(ROWS * WIDTH, 1);
        let units = || [(3, 0.7), (0, -1.3), (10, 2.1)].into_iter();
        let mut out = vec![0.0; ROWS * WIDTH];
        fill_rows(&mut out, &normals(WIDTH, 2), &weights, &[7, 0, 10]);
        add_rows(&mut out[..WIDTH], &weights, units());
        let mut gradient = weights.clone();
        scatter_rows(&mut gradient, &out[..WIDTH], units());
        vec![out, gradient]
    }),
    ("column sums", || {
        let (cells, mut sums) = (normals(ROWS * WIDTH, 1), normals(WIDTH, 2));
        let mut squares = sums.clone();
        add_column_sums(&mut sums, &cells);
        add_column_squares(&mut squares, &cells);
        vec![sums, squares]
    }),
    ("noise", || {
        let (mut gumbel, mut first) = (uniforms(WIDTH, 1), uniforms(WIDTH, 2));
        let mut second = uniforms(WIDTH, 3);
        gumbel_of_uniform(&mut gumbel);
        normals_of_uniforms(&mut first, &mut second);
        vec![gumbel, first, second]
    }),
    ("heads", || {
        let span = |start, width, softmax| HeadSpan { start, width, softmax };
        let spans = vec![span(0, 1, false), span(1, 19, true), span(20, 16, true)];
        let heads = Heads::new([spans, vec![span(36, 1, false)]].concat(), WIDTH, 0.2);
        let (mut out, mut gradient) = (vec![0.0; ROWS * WIDTH], normals(ROWS * WIDTH, 3));
        heads.forward(&normals(ROWS * WIDTH, 1), &normals(ROWS * WIDTH, 2), &mut out);
        heads.backward(&out, &mut gradient);
        vec![out, gradient]
    }),
    ("batch norm", || {
        let (mut norm, mut batch) = (BatchNorm::new(WIDTH), BatchStatistics::default());
        norm.gamma.value = normals(WIDTH, 1);
        norm.beta.value = normals(WIDTH, 2);
        let (mut cells, mut out) = (normals(ROWS * WIDTH, 3), vec![0.0; ROWS * STRIDE]);
        batch_norm_relu(&norm, &mut cells, &mut out, STRIDE, &mut batch);
        norm.follow(&batch);
        let mut gradient = vec![0.0; ROWS * WIDTH];
        let upstream = normals(ROWS * STRIDE, 4);
        batch_norm_relu_backward(&mut norm, &batch, &cells, &out, &upstream, STRIDE, &mut gradient);
        let (mut frozen, mut sampled) = (normals(ROWS * WIDTH, 5), vec![0.0; ROWS * STRIDE]);
        batch_norm_relu_frozen(&norm, &mut frozen, &mut sampled, STRIDE);
        vec![cells, out, gradient, norm.gamma.gradient, norm.beta.gradient, frozen, sampled]
    }),
    ("perceptron", || {
        let (mut plain, mut silenced) = (normals(WIDTH, 1), normals(WIDTH, 2));
        relu(&mut plain);
        let dice: Vec<u8> = (0..WIDTH).map(|at| (at * 67 % 256) as u8).collect();
        relu_dropout(&mut silenced, &dice, 60, 1.25);
        let mut gradient = normals(WIDTH, 3);
        relu_dropout_backward(&mut gradient, &silenced, 1.25);
        let mut sums = vec![0.0; WIDTH];
        add_cells(&mut sums, &plain, &gradient);
        vec![plain, silenced, gradient, sums]
    }),
    ("tables by code", || {
        let codes: Vec<u16> = (0..ROWS).map(|row| (row * 7 % 5) as u16).collect();
        let (mut out, mut table) = (normals(ROWS * WIDTH, 1), normals(5 * WIDTH, 2));
        add_table_rows(&mut out, WIDTH, &table, &codes);
        sum_rows_by_code(&mut table, WIDTH, &out, &codes);
        vec![out, table]
    }),
    ("softmax and squares", || {
        let (mut logits, mut normalisers) = (normals(ROWS * WIDTH, 1), vec![0.0; ROWS]);
        softmax_rows(&mut logits, WIDTH, 0.5, &mut normalisers);
        let mut sum = 0.0;
        add_squares(&logits, &mut sum);
        // All bits of the sum, in two cells that are numbers.
        let high = sum as f32;
        vec![logits, normalisers, vec![high, (sum - f64::from(high)) as f32]]
    }),
    ("adamw", || {
        let step = AdamWStep {
            clip: 0.7,
            rate: 2e-3,
            root: 1.3,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            shrink: 1e-4,
            keep: 0.95,
        };
        let (mut value, mut first) = (normals(WIDTH, 1), normals(WIDTH, 2));
        let (mut second, mut average) = (uniforms(WIDTH, 3), normals(WIDTH, 4));
        let cells = AdamWCells {
            value: &mut value,
            gradient: &normals(WIDTH, 5),
            first: &mut first,
            second: &mut second,
            average: &mut average,
        };
        adamw(cells, &step);
        vec![value, first, second, average]
    }),
    ("latent vectors", || {
        let (statistics, noise) = (normals(2 * ROWS * WIDTH, 1), normals(ROWS * WIDTH, 2));
        let (mut latent, mut out) = (vec![0.0; ROWS * WIDTH], vec![0.0; 2 * ROWS * WIDTH]);
        draw_latent(&statistics, &noise, &mut latent, WIDTH);
        let mut sum = 0.0;
        latent_backward(&statistics, &noise, &latent, 0.1, WIDTH, &mut out, &mut sum);
        vec![latent, out, vec![sum as f32]]
    }),
    ("likelihood of rows", || {
        let span = |start, width, softmax| HeadSpan { start, width, softmax };
        let spans = vec![span(0, 1, false), span(1, 20, true), span(21, 16, true)];
        let likelihood = RowLikelihood::new(spans, WIDTH);
        let places: Vec<f32> = uniforms(ROWS, 1);
        let hot: Vec<u32> = (0..2 * ROWS as u32).map(|at| 1 + at % 2 * 20 + at % 16).collect();
        let (mut logits, mut sums) = (normals(ROWS * WIDTH, 2), LikelihoodSums::default());
        likelihood.backward(&mut logits, (&places, &hot), &[0.3], 0.1, &mut sums);
        vec![logits, sums.deviations, vec![sums.loss as f32]]
    }),
    ("images", || {
        let geometry = ImageGeometry {
            side: 4,
            channels: WIDTH,
            places: 2,
            outputs: 5,
            kernel: 4,
            stride: 2,
            before: 1,
        };
        let weight = normals(geometry.depth() * geometry.outputs, 1);
        let mut images = vec![0.0; 3 * geometry.image()];
        convolve_back(&geometry, &normals(3 * geometry.placed(), 2), &weight, &mut images, 1);
        vec![images]
    }),
    ("leaky norm", || {
        let (scale, shift) = (normals(WIDTH, 1), normals(WIDTH, 2));
        let norm = LeakyNorm { scale: &scale, shift: &shift, leak: 0.2 };
        let (cells, upstream) = (normals(ROWS * WIDTH, 3), normals(ROWS * WIDTH, 4));
        let moments = Moments::of(&cells, WIDTH, 1e-5);
        let (mut out, mut sent) = (vec![0.0; ROWS * WIDTH], vec![0.0; ROWS * WIDTH]);
        let (mut scales, mut shifts) = (vec![0.0; WIDTH], vec![0.0; WIDTH]);
        norm.forward(&moments, &cells, &mut out);
        norm.backward(&moments, &cells, &upstream, &mut sent, (&mut scales, &mut shifts));
        vec![moments.mean, moments.variance, moments.inverse, out, sent, scales, shifts]
    }),
    ("lstm", || {
        let (mut gates, before) = (normals(4 * ROWS * WIDTH, 1), normals(ROWS * WIDTH, 2));
        let (mut cell, mut hidden) = (vec![0.0; ROWS * WIDTH], vec![0.0; ROWS * WIDTH]);
        lstm_cell(&mut gates, &before, &mut cell, &mut hidden, WIDTH);
        let (active, mut kept) = (gates.clone(), normals(ROWS * WIDTH, 3));
        let sent = normals(ROWS * WIDTH, 4);
        lstm_cell_backward(&mut gates, &before, &cell, &sent, &mut kept, WIDTH);
        tanh(&mut kept);
        tanh_backward(&mut hidden, &kept);
        softmax_rows_backward(&mut cell, &before, WIDTH);
        vec![active, gates, cell, hidden, kept]
    }),
    ("mixed states", || {
        let (states, weights) = (normals(3 * ROWS * WIDTH, 1), normals(3, 2));
        let mut out = vec![0.0; ROWS * WIDTH];
        mix_states(&mut out, &states, &weights);
        let (mut sent, mut sums) = (normals(3 * ROWS * WIDTH, 3), vec![0.0; 3]);
        mix_states_backward(&out, &states, &weights, &mut sent, &mut sums);
        vec![out, sent, sums]
    }),
    ("closeness", || {
        let projected = normals(ROWS * WIDTH, 1);
        let (mut pairs, mut sums) = (vec![0.0; WIDTH * WIDTH], vec![0.0; WIDTH]);
        closeness(&projected, WIDTH, ROWS, &mut pairs, &mut sums);
        let mut out = vec![0.0; ROWS * WIDTH];
        closeness_backward(&projected, WIDTH, ROWS, &pairs, &normals(WIDTH, 2), &mut out);
        vec![pairs, sums, out]
    }),
];

/// How many kernels with copies the cases above run; a new one needs a case.
const COVERED: usize = 40;

#[test]
fn every_kernel_with_copies_is_among_the_cases() {
    let sources = [
        include_str!("adam.rs"),
        include_str!("autoencoder.rs"),
        include_str!("batch_norm.rs"),
        include_str!("closeness.rs"),
        include_str!("critic.rs"),
        include_str!("gather.rs"),
        include_str!("heads.rs"),
        include_str!("images.rs"),
        include_str!("leaky_norm.rs"),
        include_str!("math.rs"),
        include_str!("perceptron.rs"),
        include_str!("product.rs"),
        include_str!("recurrent.rs"),
    ];
    let modules = include_str!("mod.rs").lines().filter(|line| {
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        line.strip_prefix("mod ").is_some_and(|name| name != "copies;")
    });
    assert_eq!(modules.count(), sources.len(), "a new file of kernels is not read here");
    let kernels = |source: &&str| source.matches("\nvectorised! {").count();
    assert_eq!(sources.iter().map(kernels).sum::<usize>(), COVERED);
}

#[test]
fn all_copies_of_a_kernel_agree_to_the_bit() {
    for (name, run) in KERNELS {
        let bits = |instructions| {
            let written = with(instructions, run).concat();
            assert!(written.iter().all(|cell| cell.is_finite()), "{name}");
            written.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        };
        let portable = bits(Instructions::Portable);
        for wider in [Instructions::Avx2, Instructions::Avx512] {
            if wider <= Instructions::detected() {
                assert!(bits(wider) == portable, "{name}: {} rounds differently", wider.name());
            }
        }
    }
}
