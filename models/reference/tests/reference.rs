//! The three yardsticks keep the contract and do what their names say.

use meg_core::conformance::{self, Case};
use meg_core::{Column, Table};
use reference::{COPY, INDEPENDENT, UNIFORM};

#[test]
fn copy_conforms() {
    conformance::check(&COPY, Case { keeps_rows: true, ..Case::default() });
}

#[test]
fn independent_conforms() {
    conformance::check(&INDEPENDENT, Case::default());
}

#[test]
fn uniform_conforms() {
    conformance::check(&UNIFORM, Case::default());
}

fn sorted(column: &Column) -> Vec<String> {
    let mut cells: Vec<String> = match column {
        Column::Numbers(cells) => cells.iter().map(f64::to_string).collect(),
        Column::Codes(cells) => cells.iter().map(u32::to_string).collect(),
        Column::Texts(cells) => cells.iter().map(|cell| format!("{cell:?}")).collect(),
    };
    cells.sort();
    cells
}

fn correlation(table: &Table, a: usize, b: usize) -> f64 {
    let (x, y) = (table.numbers(a), table.numbers(b));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(&x, &y)| f(x, y)).sum::<f64>();
    sum(&|x, y| (x - mx) * (y - my))
        / (sum(&|x, _| (x - mx).powi(2)) * sum(&|_, y| (y - my).powi(2))).sqrt()
}

#[test]
fn copy_and_independent_keep_every_column_and_only_copy_keeps_dependence() {
    let train = conformance::mixed_table(2_000, 3);
    let copy = conformance::draw(conformance::fit(&COPY, "", &train, 1).as_ref(), 2_000, 1);
    let shuffled =
        conformance::draw(conformance::fit(&INDEPENDENT, "", &train, 1).as_ref(), 2_000, 1);
    for ((column, copied), alone) in
        train.columns().iter().zip(copy.columns()).zip(shuffled.columns())
    {
        assert_eq!(sorted(column), sorted(copied));
        if !matches!(column, Column::Texts(_)) {
            assert_eq!(sorted(column), sorted(alone));
        }
    }
    let real = correlation(&train, 1, 3);
    assert!(real > 0.4);
    assert!((correlation(&copy, 1, 3) - real).abs() < 1e-9);
    assert!(correlation(&shuffled, 1, 3).abs() < 0.1);
}

#[test]
fn uniform_fills_the_range_evenly() {
    let train = conformance::mixed_table(500, 3);
    let noise = conformance::draw(conformance::fit(&UNIFORM, "", &train, 1).as_ref(), 4_000, 1);
    let ages = noise.numbers(1);
    let (least, most) = (18.0, 89.0);
    let below = ages.iter().filter(|&&age| age < (least + most) / 2.0).count() as f64;
    assert!((below / 4_000.0 - 0.5).abs() < 0.03);
    let missing = noise.numbers(2).iter().filter(|cell| cell.is_nan()).count() as f64 / 4_000.0;
    let real = train.numbers(2).iter().filter(|cell| cell.is_nan()).count() as f64 / 500.0;
    assert!((missing - real).abs() < 0.03);
}
