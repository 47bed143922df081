//! What the ensemble of kDB networks must learn, and what rotating the label costs.

use meg_core::conformance::{draw, fit};
use meg_core::{Column, ColumnSpec, Role, Schema, Seed, Table};
use rand::Rng as _;
use serde_json::json;

/// `y` is `a` or-else `b` in nine rows of ten.
fn table(rows: usize) -> Table {
    let mut rng = Seed(1).stream("test");
    let (mut a, mut b, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let (one, other) = (rng.random_range(0..2u32), rng.random_range(0..2u32));
        a.push(one);
        b.push(other);
        y.push(if rng.random_bool(0.9) { one ^ other } else { 1 - (one ^ other) });
    }
    let bit = |name: &str| ColumnSpec::category(name, ["0", "1"]);
    let specs = vec![bit("a"), bit("b"), bit("y").role(Role::Target)];
    let columns = vec![Column::Codes(a), Column::Codes(b), Column::Codes(y)];
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

fn rule(settings: &str) -> f64 {
    let model = fit(&meg::MUG, settings, &table(8_000), 1);
    let drawn = draw(model.as_ref(), 10_000, 2);
    let holds = |&row: &usize| drawn.codes(0)[row] ^ drawn.codes(1)[row] == drawn.codes(2)[row];
    (0..10_000).filter(holds).count() as f64 / 10_000.0
}

#[test]
fn two_parents_hold_a_rule_of_three_columns_and_none_do_not() {
    assert!((rule("k = 2") - 0.9).abs() < 0.015, "{}", rule("k = 2"));
    assert!((rule("k = 0") - 0.5).abs() < 0.03, "{}", rule("k = 0"));
}

/// The released ensemble lays the rows of its networks behind each other and rounds their numbers.
/// Without parents the networks differ: in that of `a` its copy depends on it, in that of the label
/// both are free. Unmixed, whole stretches of rows would come from one of them.
#[test]
fn rows_of_all_networks_are_mixed_and_their_number_is_exact() {
    let mut rng = Seed(3).stream("test");
    let bits: Vec<u32> = (0..4_000).map(|_| rng.random_range(0..2)).collect();
    let copy = bits.iter().map(|&bit| if rng.random_bool(0.95) { bit } else { 1 - bit }).collect();
    let label = (0..4_000).map(|_| rng.random_range(0..2)).collect();
    let bit = |name: &str| ColumnSpec::category(name, ["0", "1"]);
    let specs = vec![bit("a"), bit("copy"), bit("y").role(Role::Target)];
    let columns = vec![Column::Codes(bits), Column::Codes(copy), Column::Codes(label)];
    let train = Table::new(Schema::new(specs).unwrap(), columns).unwrap();
    let model = fit(&meg::MUG, "k = 0\nlabel_weight = 0.5", &train, 1);
    let drawn = draw(model.as_ref(), 10_001, 2);
    assert_eq!(drawn.rows(), 10_001);
    let agree = |rows: std::ops::Range<usize>| {
        let count = rows.len() as f64;
        rows.filter(|&row| drawn.codes(0)[row] == drawn.codes(1)[row]).count() as f64 / count
    };
    // Half of the rows agree in 95 of 100, half by chance.
    for stretch in 0..10 {
        let share = agree(stretch * 1_000..(stretch + 1) * 1_000);
        assert!((share - 0.725).abs() < 0.05, "stretch {stretch}: {share}");
    }
}

#[test]
fn damaged_networks_are_refused() {
    let good = fit(&meg::MUG, "", &table(200), 1).save().unwrap();
    (meg::MUG.load)(&good).unwrap();
    for (place, value) in [
        ("/networks/0/nodes/1/parents/0", json!(2)),
        ("/networks/0/nodes/0/column", json!(77)),
        ("/networks/0/nodes/0/tables/0", json!([])),
        ("/networks/0/nodes/0/tables/0/0/1/0/0", json!(9)),
        ("/networks/0/nodes/0/tables/0/0/1/0/1", json!(0)),
        ("/networks", json!([])),
    ] {
        let mut damaged = good.clone();
        *damaged.state.pointer_mut(place).unwrap() = value;
        let message = (meg::MUG.load)(&damaged).unwrap_err().to_string();
        assert!(message.contains("networks do not fit"), "{place}: {message}");
    }
}
