//! A table of a million rows and 15 columns through chains of column transforms, there and back.
//!
//! Peaks of memory are those of the process so far: name one plan, as in `-- modes`, to see its own.

use criterion::{Criterion, criterion_group, criterion_main};
use meg_core::{Column, ColumnSpec, Schema, Seed, Table};
use rand::Rng as _;
use std::cell::OnceCell;
use std::hint::black_box;
use transforms::{BinInverse, BinRule, LevelOrder, Lowest, Powers, Step, TablePlan};

const ROWS: usize = 1_000_000;
const THREADS: usize = 2;

/// Nine skewed number columns and six categories of 2 to 1 000 levels.
fn table() -> Table {
    let mut rng = Seed(1).stream("table");
    let (mut specs, mut columns) = (Vec::new(), Vec::new());
    for at in 0..9 {
        specs.push(ColumnSpec::number(format!("n{at}"), None));
        let cell = |_| (-rng.random::<f64>().ln()).powi(1 + at % 3) * 100.0;
        columns.push(Column::Numbers((0..ROWS).map(cell).collect()));
    }
    for (at, levels) in [2, 5, 12, 50, 200, 1_000].into_iter().enumerate() {
        let names = (0..levels).map(|level| format!("l{level}"));
        specs.push(ColumnSpec::category(format!("c{at}"), names));
        columns.push(Column::Codes((0..ROWS).map(|_| rng.random_range(0..levels)).collect()));
    }
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

/// The steps of numbers that are compared; categories become ranks in each.
fn plans() -> [(&'static str, TablePlan); 5] {
    let powers = Powers::Reversible;
    let bins = Step::Bins {
        rule: BinRule::EqualWidth { bins: 20 },
        inverse: BinInverse::Draw,
        lowest: Lowest::Included,
    };
    let number = Step::Ordinal { order: LevelOrder::Code, missing: None };
    let plan = |numbers: &[Step]| TablePlan {
        numbers: numbers.to_vec(),
        categories: vec![Step::Ordinal { order: LevelOrder::Frequency, missing: None }],
        ..TablePlan::default()
    };
    [
        ("standard", plan(&[Step::Standard])),
        ("yeo-johnson", plan(&[Step::YeoJohnson { powers }, Step::Standard])),
        ("ranks", plan(&[Step::RankNormal { landmarks: 1_000 }])),
        ("bins", plan(&[bins, number])),
        ("modes", plan(&[Step::Modes { components: 10, threshold: 0.005 }])),
    ]
}

/// The largest memory that the process ever held, in MiB; nothing where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

fn say_peak(after: &str) {
    if let Some(peak) = peak() {
        eprintln!("peak memory of the process after {after}: {peak} MiB");
    }
}

fn columns(criterion: &mut Criterion) {
    let table = table();
    say_peak("making the table");
    let mut group = criterion.benchmark_group("columns, 1 000 000 x 15, 2 threads");
    group.sample_size(10);
    for (name, plan) in plans() {
        // Fitted only where the command line asks for it, so that peaks are of one plan alone.
        let fitted = OnceCell::new();
        let transform = || fitted.get_or_init(|| plan.fit(&table, Seed(2), THREADS).unwrap());
        let encode = || transform().encode(&table, Seed(3), THREADS).unwrap();
        group.bench_function(format!("{name}/encode"), |bencher| {
            transform();
            bencher.iter(|| black_box(encode()));
            say_peak(&format!("encoding through {name}"));
        });
        group.bench_function(format!("{name}/decode"), |bencher| {
            bencher.iter_batched(
                encode,
                |encoded| black_box(transform().decode(encoded, Seed(4), THREADS).unwrap()),
                criterion::BatchSize::PerIteration,
            );
            say_peak(&format!("decoding through {name}"));
        });
    }
    group.finish();
}

criterion_group!(benches, columns);
criterion_main!(benches);
