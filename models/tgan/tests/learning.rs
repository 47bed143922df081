//! TGAN learns what it must, and its extra terms do what the paper says.

use meg_core::conformance::{draw, fit};
use meg_core::{Column, ColumnSpec, SampleContext, SampleRequest, Schema, Seed, Silent, Table};
use rand::Rng as _;
use rand_distr::{Distribution, Normal};

const RECIPE: &str = "epochs = 1\nbatch_size = 100\nnoise_dim = 16\nlstm_dim = 32\n\
    feature_dim = 24\ndiscriminator_dim = [48, 48]\nlearning_rate = 1e-3";

fn recipe(steps: u64, diversity: usize) -> String {
    format!("{RECIPE}\nsteps_per_epoch = {steps}\ndiversity_kernels = {diversity}")
}

fn mean(cells: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = cells.fold((0.0, 0.0), |(sum, count), cell| (sum + cell, count + 1.0));
    sum / count
}

fn share(cells: impl Iterator<Item = bool>) -> f64 {
    mean(cells.map(|cell| f64::from(u8::from(cell))))
}

fn rounded(cell: f64) -> f64 {
    (cell * 1e3).round() / 1e3
}

/// A rare level, a number with one mode per level (a tenth of it missing), and a copy of the level
/// with errors.
fn mixed(rows: usize) -> Table {
    let schema = Schema::new(vec![
        ColumnSpec::category("first", ["a", "b", "c"]),
        ColumnSpec::number("x", 3).nullable(),
        ColumnSpec::category("second", ["p", "q", "r"]),
    ]);
    let mut rng = Seed(1).stream("table");
    let noise = Normal::new(0.0, 0.7).unwrap();
    let (mut first, mut x, mut second) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let level = [0u32, 0, 0, 0, 0, 1, 1, 1, 2, 2][rng.random_range(0..10)];
        first.push(level);
        let number = rounded(f64::from(level) * 5.0 + noise.sample(&mut rng));
        x.push(if rng.random_bool(0.1) { f64::NAN } else { number });
        second.push(if rng.random_bool(0.9) { level } else { rng.random_range(0..3) });
    }
    let cells = vec![Column::Codes(first), Column::Numbers(x), Column::Codes(second)];
    Table::new(schema.unwrap(), cells).unwrap()
}

#[test]
fn shares_dependence_missing_cells_and_conditions_are_learned() {
    let train = mixed(2_000);
    let model = fit(&tgan::ENTRY, &recipe(1_500, 10), &train, 1);
    let rows = 4_000;
    let drawn = draw(model.as_ref(), rows, 1);
    let (first, x, second) = (drawn.codes(0), drawn.numbers(1), drawn.codes(2));
    for (level, expected) in [(0, 0.5), (1, 0.3), (2, 0.2)] {
        let seen = share(first.iter().map(|&code| code == level));
        assert!((seen - expected).abs() < 0.2, "level {level}: share {seen} for {expected}");
    }
    let centre = |level: u32| {
        let of_level = |&row: &usize| first[row] == level && !x[row].is_nan();
        mean((0..rows).filter(of_level).map(|row| x[row]))
    };
    // In training 0, 5 and 10. A number that knew nothing of the level would have one mean.
    let centres = [0, 1, 2].map(centre);
    assert!(centres[0] + 2.0 < centres[1] && centres[1] + 1.0 < centres[2], "{centres:?}");
    // In training 0.93; independent columns with the same shares would agree in 0.38.
    let agree = share(first.iter().zip(second).map(|(a, b)| a == b));
    assert!(agree > 0.75, "the two categories agree in {agree} of the rows");
    let missing = share(x.iter().map(|cell| cell.is_nan()));
    assert!((missing - 0.1).abs() < 0.09, "{missing} of the cells are missing, in training 0.1");

    let request = SampleRequest::rows(300).with(train.schema(), "second", "r").unwrap();
    let rng = Seed(2).stream("sample");
    let mut ctx = SampleContext { rng, threads: 1, observer: &mut Silent };
    let conditioned = model.sample(&request, &mut ctx).unwrap();
    assert!(conditioned.codes(2).iter().all(|&code| code == 2));
}

/// 8 bells on a circle, the ring of the simulated tables: neither coordinate alone says where they
/// are.
fn ring(rows: usize) -> Table {
    let mut rng = Seed(3).stream("table");
    let noise = Normal::new(0.0, 0.03).unwrap();
    let mut cells = [vec![], vec![]];
    for _ in 0..rows {
        let centre = centre(rng.random_range(0..8));
        for (cells, at) in cells.iter_mut().zip(centre) {
            cells.push(rounded(at + noise.sample(&mut rng)));
        }
    }
    let specs = ["x", "y"].map(|name| ColumnSpec::number(name, 3)).to_vec();
    Table::new(Schema::new(specs).unwrap(), cells.map(Column::Numbers).to_vec()).unwrap()
}

fn centre(mode: usize) -> [f64; 2] {
    let turn = std::f64::consts::TAU * mode as f64 / 8.0;
    [turn.cos(), turn.sin()]
}

/// The share of the rows near each mode.
fn near_modes(drawn: &Table) -> [f64; 8] {
    let mut counts = [0.0; 8];
    for (&x, &y) in drawn.numbers(0).iter().zip(drawn.numbers(1)) {
        let near = |mode: &usize| {
            let [cx, cy] = centre(*mode);
            (x - cx).hypot(y - cy) < 0.2
        };
        if let Some(mode) = (0..8).find(near) {
            counts[mode] += 1.0 / drawn.rows() as f64;
        }
    }
    counts
}

#[test]
fn the_modes_of_a_ring_are_found_together() {
    let model = fit(&tgan::ENTRY, &recipe(2_000, 10), &ring(4_000), 1);
    let counts = near_modes(&draw(model.as_ref(), 4_000, 1));
    // Independent coordinates would put less than 0.4 of the rows near a mode.
    assert!(counts.iter().sum::<f64>() > 0.6, "rows near a mode: {counts:?}");
    assert!(counts.iter().filter(|&&share| share > 0.02).count() >= 6, "modes: {counts:?}");
}

/// The largest distance between the shares of levels, drawn and in training.
fn share_gap(train: &Table, drawn: &Table) -> f64 {
    let gap = |column: usize| -> f64 {
        let levels = train.schema().columns[column].levels().len() as u32;
        let share_in = |table: &Table, level: u32| {
            share(table.codes(column).iter().map(|&code| code == level))
        };
        (0..levels)
            .map(|level| (share_in(train, level) - share_in(drawn, level)).abs())
            .sum::<f64>()
            / 2.0
    };
    (gap(0) + gap(2)) / 2.0
}

/// The paper's claim for minibatch discrimination: a generator that repeats itself is seen. Early
/// in training it makes few of the levels; mean over seeds.
#[test]
fn minibatch_discrimination_keeps_rows_apart() {
    let train = mixed(2_000);
    let gap = |diversity: usize| {
        mean((1..=4).map(|seed| {
            let model = fit(&tgan::ENTRY, &recipe(60, diversity), &train, seed);
            share_gap(&train, &draw(model.as_ref(), 1_000, 1))
        }))
    };
    let (with, without) = (gap(10), gap(0));
    assert!(with < without - 0.02, "{with} with it, {without} without");
}
