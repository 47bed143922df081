//! table-GAN learns what it must: shares of levels, dependence, missing cells, conditions; and its
//! two further losses act in the direction that the paper claims.

use meg_core::conformance::{draw, draw_given, fit};
use meg_core::{Column, ColumnSpec, Role, Schema, Seed, Table};
use neural::learning::{mean, rounded};
use rand_distr::{Distribution, StandardNormal};

fn deviation(cells: &[f64]) -> f64 {
    let centre = mean(cells.iter().copied());
    mean(cells.iter().map(|cell| (cell - centre).powi(2))).sqrt()
}

fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let (centre, other_centre) = (mean(one.iter().copied()), mean(other.iter().copied()));
    let products = one.iter().zip(other).map(|(x, y)| (x - centre) * (y - other_centre));
    mean(products) / deviation(one) / deviation(other)
}

fn codes(table: &Table, column: usize) -> Vec<f64> {
    table.codes(column).iter().map(|&code| f64::from(code)).collect()
}

fn share(cells: &[f64], level: u8) -> f64 {
    mean(cells.iter().map(|&cell| f64::from(u8::from(cell == f64::from(level)))))
}

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const STAGE: usize = 4;
const LAB: usize = 5;
const ILL: usize = 6;

/// A cohort: two hidden factors behind numbers, a stage of three levels and an illness; a lab value
/// that most of the healthy do not have; one number of noise.
fn cohort(rows: usize) -> Table {
    let mut specs = ["a", "b", "c", "d"].map(|name| ColumnSpec::number(name, 3)).to_vec();
    specs.push(ColumnSpec::category("stage", ["one", "two", "three"]));
    specs.push(ColumnSpec::number("lab", 3).nullable());
    specs.push(ColumnSpec::category("ill", ["no", "yes"]).role(Role::Target));
    let mut rng = Seed(1).stream("table");
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let mut numbers: [Vec<f64>; 5] = Default::default();
    let (mut stages, mut ills) = (vec![], vec![]);
    for row in 0..rows {
        let (f, g) = (normal(), normal());
        let cells = [f + 0.4 * normal(), f - g + 0.4 * normal(), g + 0.4 * normal(), normal()];
        for (column, cell) in numbers.iter_mut().zip(cells) {
            column.push(rounded(cell));
        }
        stages.push(if f < -0.8 { 0 } else { u32::from(f > 0.5) + 1 });
        let ill = f + g + 0.3 * normal() > 0.7;
        ills.push(u32::from(ill));
        numbers[4].push(if ill || row % 5 == 0 { rounded(g) } else { f64::NAN });
    }
    let [a, b, c, d, lab] = numbers.map(Column::Numbers);
    let cells = vec![a, b, c, d, Column::Codes(stages), lab, Column::Codes(ills)];
    Table::new(Schema::new(specs).unwrap(), cells).unwrap()
}

#[test]
fn shares_dependence_missing_cells_and_conditions_are_learned() {
    let train = cohort(2_000);
    let model = fit(&table_gan::ENTRY, "epochs = 40", &train, 1);
    let drawn = draw(model.as_ref(), 4_000, 1);
    let (stage, ill) = (codes(&drawn, STAGE), codes(&drawn, ILL));
    for (what, seen, real) in [
        ("stage one", share(&stage, 0), share(&codes(&train, STAGE), 0)),
        ("stage two", share(&stage, 1), share(&codes(&train, STAGE), 1)),
        ("stage three", share(&stage, 2), share(&codes(&train, STAGE), 2)),
        ("ill", share(&ill, 1), share(&codes(&train, ILL), 1)),
    ] {
        assert!((seen - real).abs() < 0.12, "the share of {what}: {seen} for {real}");
    }
    let missing = |table: &Table| -> Vec<f64> {
        table.numbers(LAB).iter().map(|cell| f64::from(u8::from(cell.is_nan()))).collect()
    };
    let (seen, real) = (share(&missing(&drawn), 1), share(&missing(&train), 1));
    assert!((seen - real).abs() < 0.12, "missing in {seen} for {real}");
    // Independent columns have correlations of 0.
    let pairs = |table: &Table| {
        let (stage, ill, missing) = (codes(table, STAGE), codes(table, ILL), missing(table));
        [
            ("a and b", correlation(table.numbers(A), table.numbers(B))),
            ("b and c", correlation(table.numbers(B), table.numbers(C))),
            ("a and stage", correlation(table.numbers(A), &stage)),
            ("a and ill", correlation(table.numbers(A), &ill)),
            ("c and ill", correlation(table.numbers(C), &ill)),
            ("ill and missing", correlation(&ill, &missing)),
        ]
    };
    for ((what, seen), (_, real)) in pairs(&drawn).into_iter().zip(pairs(&train)) {
        assert!((seen - real).abs() < 0.2, "the correlation of {what}: {seen} for {real}");
    }

    let (conditioned, _) = draw_given(model.as_ref(), &train, ("ill", "yes"), 500);
    let (given, all) = (conditioned.numbers(A), drawn.numbers(A));
    let more = mean(given.iter().copied()) - mean(all.iter().copied());
    assert!(more > 0.3, "a is {more} larger given the illness; in training 0.7");
}

/// Distance of the standard deviations of the four numbers from those of the training rows, as a
/// share of these: a young generator draws too narrow.
fn spreads_apart(train: &Table, settings: &str) -> f64 {
    mean((1..=2).map(|seed| {
        let model = fit(&table_gan::ENTRY, &format!("epochs = 20\n{settings}"), train, seed);
        let drawn = draw(model.as_ref(), 3_000, 1);
        mean((0..4).map(|at| {
            let real = deviation(train.numbers(at));
            (deviation(drawn.numbers(at)) - real).abs() / real
        }))
    }))
}

/// Section 4.2.2. Matching moments keep the generated rows near the real ones, and deltas let them
/// go. The weight of the paper's form is raised, because a hundredth of its gradient reaches a batch.
#[test]
fn the_information_loss_brings_spreads_together_and_deltas_let_them_go() {
    let train = cohort(2_000);
    let without = spreads_apart(&train, "information_weight = 0.0");
    let with = spreads_apart(&train, "information_weight = 5.0");
    assert!(with < 0.95 * without, "spreads {with} apart with the loss, {without} without it");
    let with = spreads_apart(&train, "information = \"cells\"");
    let let_go = spreads_apart(&train, "information = \"cells\"\ndelta_mean = 0.1\ndelta_sd = 0.1");
    assert!(with < 0.7 * without, "cells: {with} apart with the loss, {without} without it");
    assert!(with < 0.7 * let_go, "cells: {with} apart with the loss, {let_go} with deltas");
}

/// A margin that no distance reaches is no information loss: not a bit of the model differs.
#[test]
fn deltas_beyond_every_distance_switch_the_information_loss_off() {
    let train = cohort(200);
    let drawn = |settings: &str| {
        let recipe = format!("channels = 8\nepochs = 3\n{settings}");
        draw(fit(&table_gan::ENTRY, &recipe, &train, 1).as_ref(), 200, 1)
    };
    let off = drawn("information_weight = 0.0");
    assert!(off == drawn("delta_mean = 1e9\ndelta_sd = 1e9"));
    assert!(off != drawn("delta_mean = 1e9"));
    assert!(off != drawn(""));
}

/// Section 4.2.3: the classifier makes rows whose label fits the rest.
#[test]
fn the_classification_loss_makes_labels_fit_their_rows() {
    let train = cohort(2_000);
    let fits = |table: &Table| {
        let both: Vec<f64> =
            table.numbers(A).iter().zip(table.numbers(C)).map(|(a, c)| a + c).collect();
        correlation(&both, &codes(table, ILL))
    };
    let all = |settings: &str| {
        mean((1..=2).map(|seed| {
            let recipe = format!("epochs = 20\n{settings}");
            fits(&draw(fit(&table_gan::ENTRY, &recipe, &train, seed).as_ref(), 4_000, 1))
        }))
    };
    let (without, with) = (all("classification_weight = 0.0"), all(""));
    assert!(
        with > without + 0.05 && with < fits(&train) + 0.05,
        "label and numbers: {with} with the loss, {without} without it"
    );
}
