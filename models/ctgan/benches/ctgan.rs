//! The updates of training at the published sizes, whole ones on two threads too, and sampling.

use criterion::{Criterion, criterion_group, criterion_main};
use ctgan::bench_support::Prepared;
use meg_core::conformance::{draw, fit};
use meg_core::{Column, ColumnSpec, Schema, Seed, Table};
use rand::Rng as _;
use rand_distr::{Distribution, Normal};
use std::hint::black_box;

const ROWS: usize = 10_000;

/// Nine numbers of ten bells each and ten categories of five levels: about 150 units a row, 50
/// of them in conditions.
fn table() -> Table {
    let mut rng = Seed(1).stream("table");
    let noise = Normal::new(0.0, 0.01).unwrap();
    let (mut specs, mut cells) = (Vec::new(), Vec::new());
    for at in 0..9 {
        specs.push(ColumnSpec::number(format!("n{at}"), 3));
        let mut cell = |_| {
            let cell = f64::from(rng.random_range(0..10)) + noise.sample(&mut rng);
            (cell * 1e3).round() / 1e3
        };
        cells.push(Column::Numbers((0..ROWS).map(&mut cell).collect()));
    }
    for at in 0..10 {
        specs.push(ColumnSpec::category(format!("c{at}"), ["a", "b", "c", "d", "e"]));
        cells.push(Column::Codes((0..ROWS).map(|_| rng.random_range(0..5)).collect()));
    }
    Table::new(Schema::new(specs).unwrap(), cells).unwrap()
}

fn updates(criterion: &mut Criterion) {
    let prepared = Prepared::new(ctgan::Ctgan::default(), &table()).unwrap();
    let [row, condition, spans] = prepared.sizes();
    let name = format!("batch 500, pac 10, row {row}, condition {condition}, {spans} spans");
    let mut group = criterion.benchmark_group(name);
    let mut updates = prepared.updates(1).unwrap();
    group.bench_function("critic batch", |bencher| bencher.iter(|| updates.draw_critic_batch()));
    group.bench_function("critic step", |bencher| bencher.iter(|| updates.critic_step()));
    group.bench_function("generator batch", |bencher| {
        bencher.iter(|| updates.draw_generator_batch());
    });
    group.bench_function("generator step", |bencher| bencher.iter(|| updates.generator_step()));
    // As training makes them: both networks, and the batches of the next update.
    for threads in [1, 2] {
        let mut updates = prepared.updates(threads).unwrap();
        group.bench_function(format!("update, {threads} threads"), |bencher| {
            bencher.iter(|| updates.update());
        });
    }
}

fn sampling(criterion: &mut Criterion) {
    let model = fit(&ctgan::ENTRY, "epochs = 1", &table(), 1);
    let mut group = criterion.benchmark_group("sampling");
    group.sample_size(10);
    group.bench_function("10 000 rows", |bencher| {
        bencher.iter(|| draw(black_box(model.as_ref()), 10_000, 1));
    });
}

criterion_group!(benches, updates, sampling);
criterion_main!(benches);
