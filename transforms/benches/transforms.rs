//! Mixture fit, encoding and decoding on one thread, at the sizes of docs/performance.md.

use criterion::{Criterion, criterion_group, criterion_main};
use meg_core::{Column, ColumnSpec, Rng, Schema, Seed, Silent, Table};
use rand::Rng as _;
use std::hint::black_box;
use transforms::{DecodedRows, EncoderOptions, TableEncoder, VariationalMixture};

const ROWS: usize = 50_000;

/// A standard normal by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// One broad bell, or three narrow ones.
fn bells(bells: u32) -> Vec<f64> {
    let mut rng = Seed(1).stream("bells");
    (0..ROWS).map(|_| f64::from(rng.random_range(0..bells)) * 5.0 + normal(&mut rng)).collect()
}

/// Five numbers and five categories.
fn table() -> Table {
    let mut rng = Seed(2).stream("table");
    let (mut specs, mut cells) = (Vec::new(), Vec::new());
    for at in 0..5 {
        specs.push(ColumnSpec::number(format!("n{at}"), 2));
        let cell = |x: f64| (x * 100.0).round() / 100.0;
        cells.push(Column::Numbers((0..ROWS).map(|_| cell(5.0 * normal(&mut rng))).collect()));
        let levels = 2 + 8 * at;
        specs.push(ColumnSpec::category(format!("c{at}"), (0..levels).map(|l| format!("l{l}"))));
        cells.push(Column::Codes((0..ROWS).map(|_| rng.random_range(0..levels as u32)).collect()));
    }
    Table::new(Schema::new(specs).unwrap(), cells).unwrap()
}

fn mixtures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mixture of 50 000 distinct values, 10 components");
    group.sample_size(10);
    for (name, values) in [("one bell", bells(1)), ("three bells", bells(3))] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| VariationalMixture::fit(&values, 10, &mut Seed(1).stream("bench")));
        });
    }
}

fn coding(criterion: &mut Criterion) {
    let table = table();
    let options = EncoderOptions::default();
    let encoder = TableEncoder::fit(&table, &options, Seed(1), 1, &mut Silent).unwrap();
    let encoded = encoder.encode(&table, Seed(1), 1).unwrap();
    let mut units = vec![0.0; ROWS * encoder.width()];
    for (row, units) in units.chunks_exact_mut(encoder.width()).enumerate() {
        encoded.write_row(row, units);
    }
    let mut group = criterion.benchmark_group("50 000 rows of 5 numbers and 5 categories");
    group.sample_size(10);
    group.bench_function("encode", |bencher| {
        bencher.iter(|| encoder.encode(black_box(&table), Seed(1), 1).unwrap());
    });
    group.bench_function("decode", |bencher| {
        let mut rng = Seed(1).stream("decode");
        bencher.iter(|| {
            let mut rows = DecodedRows::new(&encoder);
            rows.push(encoder.decode_cells(black_box(&encoded), &mut rng).unwrap());
            rows.into_table().unwrap()
        });
    });
    group.bench_function("decode dense rows", |bencher| {
        let mut rng = Seed(1).stream("decode");
        bencher.iter(|| encoder.decode(black_box(&units), ROWS, &mut rng).unwrap());
    });
}

criterion_group!(benches, mixtures, coding);
criterion_main!(benches);
