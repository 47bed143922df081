//! Times the exact mixed-type search: `cargo run --release -p eval --example nearest -- 50000 15`.

use eval::{Comparison, METRICS};
use meg_core::{Column, ColumnSpec, Schema, Seed, Table};
use rand::Rng as _;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let rows = arguments.next().unwrap_or(50_000);
    let columns = arguments.next().unwrap_or(15);
    let (train, synthetic) = (table(rows, columns, "train"), table(rows, columns, "synthetic"));
    let comparison = Comparison {
        train: &train,
        holdout: None,
        synthetic: &synthetic,
        truth: None,
        seed: Seed(1),
        threads: 2,
    };
    let metric = METRICS.iter().find(|metric| metric.name() == "dcr_median").expect("it is there");
    let start = std::time::Instant::now();
    let scores = metric.score(&comparison);
    println!("{rows} x {rows} x {columns}: {:.1} s", start.elapsed().as_secs_f64());
    for score in scores {
        println!("{} {:?} {:?}", score.name, score.value, score.reason);
    }
}

/// Half numbers, half categories of 2 to 30 levels, all driven by one hidden number.
fn table(rows: usize, columns: usize, purpose: &str) -> Table {
    let mut rng = Seed(1).stream(purpose);
    let hidden: Vec<f64> = (0..rows).map(|_| rng.random()).collect();
    let mut specs = Vec::new();
    let mut cells = Vec::new();
    for column in 0..columns {
        let name = format!("c{column}");
        if column % 2 == 0 {
            specs.push(ColumnSpec::number(name, None));
            let cell = |hidden: &f64| hidden + rng.random::<f64>();
            cells.push(Column::Numbers(hidden.iter().map(cell).collect()));
        } else {
            let levels = 2 + column * 2;
            specs.push(ColumnSpec::category(name, (0..levels).map(|level| format!("l{level}"))));
            let cell =
                |hidden: &f64| ((0.5 * hidden + 0.5 * rng.random::<f64>()) * levels as f64) as u32;
            cells.push(Column::Codes(hidden.iter().map(cell).collect()));
        }
    }
    Table::new(Schema::new(specs).expect("names differ"), cells).expect("the cells fit")
}
