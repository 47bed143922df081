//! TGAN learns what it must, and its extra terms do what the paper says.

use meg_core::Table;
use meg_core::conformance::{draw, draw_given, fit};
use neural::learning::{mean, near_bells, ring, share, three_levels};

const RECIPE: &str = "epochs = 1\nbatch_size = 100\nnoise_dim = 16\nlstm_dim = 32\n\
    feature_dim = 24\ndiscriminator_dim = [48, 48]\nlearning_rate = 1e-3";

fn recipe(steps: u64, diversity: usize) -> String {
    format!("{RECIPE}\nsteps_per_epoch = {steps}\ndiversity_kernels = {diversity}")
}

#[test]
fn shares_dependence_missing_cells_and_conditions_are_learned() {
    let train = three_levels(2_000, [5, 3, 2], true);
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
    draw_given(model.as_ref(), &train, ("second", "r"), 300);
}

#[test]
fn the_modes_of_a_ring_are_found_together() {
    let model = fit(&tgan::ENTRY, &recipe(2_000, 10), &ring(4_000), 1);
    let shares = near_bells(&draw(model.as_ref(), 4_000, 1), 0.2);
    // Independent coordinates would put less than 0.4 of the rows near a mode.
    assert!(shares.iter().sum::<f64>() > 0.6, "rows near a mode: {shares:?}");
    assert!(shares.iter().filter(|&&share| share > 0.02).count() >= 6, "modes: {shares:?}");
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
    let train = three_levels(2_000, [5, 3, 2], true);
    let gap = |diversity: usize| {
        mean((1..=4).map(|seed| {
            let model = fit(&tgan::ENTRY, &recipe(60, diversity), &train, seed);
            share_gap(&train, &draw(model.as_ref(), 1_000, 1))
        }))
    };
    let (with, without) = (gap(10), gap(0));
    assert!(with < without - 0.02, "{with} with it, {without} without");
}
