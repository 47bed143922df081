//! The kernels at the sizes of CTGAN's published settings (batch 500, a row of 150 units, hidden
//! layers of 256), on one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use meg_core::Seed;
use neural::Randomness;
use neural::kernels::{
    AdamStep, BatchNorm, BatchStatistics, HeadSpan, Heads, Matrix, MatrixMut, adam,
    batch_norm_relu, multiply,
};
use std::hint::black_box;

const ROWS: usize = 500;

fn normals(count: usize) -> Vec<f32> {
    let mut cells = vec![0.0; count];
    Randomness::new(Seed(1).stream("bench")).normals(&mut cells);
    cells
}

/// Ten units of place and modes, again and again.
fn heads(width: usize) -> Heads {
    let spans = (0..width).step_by(10).flat_map(|start| {
        let span = |start, width, softmax| HeadSpan { start, width, softmax };
        [span(start, 1, false), span(start + 1, 9, true)]
    });
    Heads::new(spans.collect(), width, 0.2)
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product");
    for (name, m, k, n) in [
        ("generator, second layer: 500x384 by 384x256", 500, 384, 256),
        ("generator, output: 500x640 by 640x150", 500, 640, 150),
        ("discriminator, first layer: 150x1500 by 1500x256", 150, 1_500, 256),
    ] {
        let (left, right) = (normals(m * k), normals(k * n));
        let mut out = vec![0.0; m * n];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (left, right) = (Matrix::new(&left, m, k), Matrix::new(&right, k, n));
                multiply(&mut MatrixMut::new(&mut out, m, n), 0.0, left, right, 1);
            });
        });
    }
}

fn loops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loop");
    let (logits, noise) = (normals(ROWS * 150), normals(ROWS * 150));
    let (heads, mut out) = (heads(150), vec![0.0; ROWS * 150]);
    group.bench_function("heads forward, 500x150", |bencher| {
        bencher.iter(|| heads.forward(black_box(&logits), &noise, &mut out));
    });
    let mut gradient = noise.clone();
    group.bench_function("heads backward, 500x150", |bencher| {
        bencher.iter(|| heads.backward(black_box(&out), &mut gradient));
    });
    let (mut cells, mut active) = (normals(ROWS * 256), vec![0.0; ROWS * 256]);
    let (norm, mut batch) = (BatchNorm::new(256), BatchStatistics::default());
    group.bench_function("batch norm and relu, 500x256", |bencher| {
        bencher.iter(|| {
            batch_norm_relu(&norm, black_box(&mut cells), &mut active, 256, &mut batch);
        });
    });
    let weights = 1_500 * 256;
    let (mut value, gradient) = (normals(weights), normals(weights));
    let (mut first, mut second) = (vec![0.0; weights], vec![0.0; weights]);
    let step =
        AdamStep { rate: 1e-4, root: 1.0, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, decay: 1e-6 };
    group.bench_function("adam, 1500x256", |bencher| {
        bencher.iter(|| adam(&mut value, black_box(&gradient), &mut first, &mut second, &step));
    });
}

fn randomness(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("random numbers");
    let mut from = Randomness::new(Seed(1).stream("bench"));
    let mut cells = vec![0.0; ROWS * 150];
    group.bench_function("75 000 normals", |bencher| bencher.iter(|| from.normals(&mut cells)));
    group.bench_function("75 000 gumbels", |bencher| bencher.iter(|| from.gumbels(&mut cells)));
    group.bench_function("75 000 dropout cells", |bencher| {
        bencher.iter(|| from.dropout(0.5, &mut cells));
    });
}

criterion_group!(benches, products, loops, randomness);
criterion_main!(benches);
