//! What the documented algorithm can learn and what it cannot.

use meg_core::conformance::{draw, fit};
use meg_core::{Column, ColumnSpec, Schema, Seed, Table};
use rand::Rng as _;
use rand_distr::StandardNormal;

/// Two columns that are the same number.
fn twins(rows: usize) -> Table {
    let mut rng = Seed(1).stream("test");
    let cells: Vec<f64> = (0..rows).map(|_| rng.sample(StandardNormal)).collect();
    let specs = vec![ColumnSpec::number("x", None), ColumnSpec::number("y", None)];
    let columns = vec![Column::Numbers(cells.clone()), Column::Numbers(cells)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

fn mean(cells: &[f64]) -> f64 {
    cells.iter().sum::<f64>() / cells.len() as f64
}

fn correlation(table: &Table) -> f64 {
    let (a, b) = (table.numbers(0), table.numbers(1));
    let (at, bt) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&x, &y)| f(x, y)).sum::<f64>();
    let cross = sum(&|x, y| (x - at) * (y - bt));
    cross / (sum(&|x, _| (x - at).powi(2)) * sum(&|_, y| (y - bt).powi(2))).sqrt()
}

/// Noise of their own makes columns independent, however long they train; shared noise need not.
#[test]
fn generators_need_to_share_their_noise() {
    let drawn =
        |settings: &str| draw(fit(&meg::CLASSIC, settings, &twins(2_000), 1).as_ref(), 4_000, 2);
    let settings = "hidden = 32\ninput_dim = 16\nlearning_rate = 1e-3\n";
    let own = drawn(&format!("{settings}epochs = 300\nshared_noise = false"));
    assert!(correlation(&own).abs() < 0.1, "{}", correlation(&own));
    let shared = drawn(&format!("{settings}epochs = 3000\nscaling = \"range\""));
    assert!(correlation(&shared) > 0.9, "{}", correlation(&shared));
}

/// Tanh cannot reach what lies beyond one standard deviation.
#[test]
fn standardised_columns_lose_their_tails() {
    let train = twins(2_000);
    let drawn = draw(fit(&meg::CLASSIC, "epochs = 200", &train, 1).as_ref(), 4_000, 2);
    let beyond = |table: &Table| table.numbers(0).iter().filter(|x| x.abs() > 1.1).count();
    assert!(beyond(&train) > 400 && beyond(&drawn) == 0, "{}", beyond(&drawn));
}

#[test]
fn damaged_files_are_refused() {
    let good = fit(&meg::CLASSIC, "epochs = 3\nhidden = 4", &twins(50), 1).save().unwrap();
    (meg::CLASSIC.load)(&good).unwrap();
    let mut damaged = good.clone();
    damaged.tensors.remove("generator1.second");
    let message = (meg::CLASSIC.load)(&damaged).unwrap_err().to_string();
    assert!(message.contains("\"generator1.second\" is missing"), "{message}");
    let mut damaged = good;
    damaged.state["columns"][0]["number"]["width"] = serde_json::json!(0.0);
    let message = (meg::CLASSIC.load)(&damaged).unwrap_err().to_string();
    assert!(message.contains("columns do not fit"), "{message}");
}
