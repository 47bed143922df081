//! Even draws: samples lie nearer to the model than independent rows do, and each row by itself is
//! drawn as it always was.

use meg_core::conformance::{draw, draw_given, fit};
use meg_core::{Column, ColumnSpec, Fitted, Role, Schema, Seed, Table};
use rand::Rng as _;
use rand_distr::StandardNormal;

/// `b` is `a` in four rows of five and one of three otherwise, `x` lies around 0 or 3 by `b`, `y` is whether `x` is above 1.
fn table(rows: usize) -> Table {
    let mut rng = Seed(1).stream("test");
    let (mut a, mut b, mut x, mut y) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        let one = rng.random_range(0..3u32);
        let other = if rng.random_bool(0.8) { one } else { rng.random_range(0..3) };
        let noise: f64 = rng.sample(StandardNormal);
        let number = 3.0 * f64::from(u8::from(other == 2)) + noise;
        a.push(one);
        b.push(other);
        x.push(number);
        y.push(u32::from(number > 1.0));
    }
    let specs = vec![
        ColumnSpec::category("a", ["0", "1", "2"]),
        ColumnSpec::category("b", ["0", "1", "2"]),
        ColumnSpec::number("x", None),
        ColumnSpec::category("y", ["no", "yes"]).role(Role::Target),
    ];
    let columns = vec![Column::Codes(a), Column::Codes(b), Column::Numbers(x), Column::Codes(y)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

/// One model that draws evenly, and the same one with independent rows.
fn both(settings: &str) -> [Box<dyn Fitted>; 2] {
    let settings = format!("label = \"first\"\nmax_steps = 300\neven_draws = true\n{settings}");
    let even = fit(&meg::ENTRY, &settings, &table(3_000), 1);
    let mut saved = even.save().unwrap();
    saved.state["recipe"]["even_draws"] = false.into();
    [even, (meg::ENTRY.load)(&saved).unwrap()]
}

/// Shares of the cells of `a` and `b`, of `b` and `y`, and of tenths of `x`.
fn shares(rows: &Table, edges: &[f64]) -> Vec<f64> {
    let mut counts = vec![0.0; 9 + 6 + edges.len() + 1];
    for row in 0..rows.rows() {
        let (a, b) = (rows.codes(0)[row] as usize, rows.codes(1)[row] as usize);
        let y = rows.codes(3)[row] as usize;
        counts[3 * a + b] += 1.0;
        counts[9 + 2 * b + y] += 1.0;
        counts[15 + edges.partition_point(|&edge| edge < rows.numbers(2)[row])] += 1.0;
    }
    counts.iter().map(|count| count / rows.rows() as f64).collect()
}

fn tenths(rows: &Table) -> Vec<f64> {
    let mut numbers = rows.numbers(2).to_vec();
    numbers.sort_unstable_by(f64::total_cmp);
    (1..10).map(|tenth| numbers[numbers.len() * tenth / 10]).collect()
}

#[test]
fn samples_lie_nearer_to_the_model_than_independent_rows() {
    let [even, independent] = both("");
    let law = draw(independent.as_ref(), 200_000, 99);
    let edges = tenths(&law);
    let law = shares(&law, &edges);
    let miss = |model: &dyn Fitted, rows: usize| -> f64 {
        (0..20)
            .map(|seed| {
                let drawn = shares(&draw(model, rows, seed), &edges);
                drawn.iter().zip(&law).map(|(drawn, law)| (drawn - law).powi(2)).sum::<f64>()
            })
            .sum()
    };
    // 5 000 rows are drawn in three chunks.
    for rows in [150, 1_000, 5_000] {
        let (even, independent) = (miss(even.as_ref(), rows), miss(independent.as_ref(), rows));
        assert!(even < 0.2 * independent, "{rows} rows: {even} and {independent}");
    }
}

/// Of two rows as of seven; members and dynamic masks draw by the same dice.
#[test]
fn a_row_by_itself_is_drawn_by_the_law_of_the_model() {
    for (settings, rows) in
        [("", 2), ("", 7), ("members = 2\nmasks = \"random\"", 3), ("masks = \"dynamic\"", 3)]
    {
        let [even, independent] = both(settings);
        let law = draw(independent.as_ref(), 100_000, 99);
        let edges = tenths(&law);
        let law = shares(&law, &edges);
        for place in [0, rows - 1] {
            let mut sums = vec![0.0; law.len()];
            for seed in 0..12_000 {
                let row = draw(even.as_ref(), rows, seed).select_rows(&[place]);
                sums.iter_mut().zip(shares(&row, &edges)).for_each(|(sum, share)| *sum += share);
            }
            for (sum, law) in sums.iter().zip(&law) {
                let (mean, deviation) = (sum / 12_000.0, (law * (1.0 - law) / 10_000.0).sqrt());
                // 25 shares in eight runs: the farthest is 4 deviations off once in 80 times.
                assert!((mean - law).abs() < 4.0 * deviation, "{settings}: {mean} for {law}");
            }
        }
    }
}

/// Rows that were handed out in the order of their dice would alternate.
#[test]
fn neighbours_are_no_more_and_no_less_alike_than_other_rows() {
    let [even, _] = both("");
    let (mut alike, mut agree, mut pairs) = (0.0, 0.0, 0.0);
    for seed in 0..300 {
        let rows = draw(even.as_ref(), 200, seed);
        let of = |row: usize| rows.codes(0)[row];
        for row in 1..200 {
            alike += f64::from(u8::from(of(row) == of(row - 1)));
            agree += f64::from(u8::from(of(row) == of((row + 97) % 200)));
            pairs += 1.0;
        }
    }
    let difference: f64 = (alike - agree) / pairs;
    assert!(difference.abs() < 0.012, "{difference}");
}

/// Of even rows those that meet a condition would not be drawn by the law of the model.
#[test]
fn rows_under_a_condition_are_independent() {
    let [even, independent] = both("").map(|model| {
        let (rows, _) = draw_given(model.as_ref(), &table(10), ("b", "2"), 2_000);
        assert!(rows.codes(1).iter().all(|&level| level == 2));
        rows
    });
    assert!(even == independent);
}
