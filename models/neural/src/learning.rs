//! Tables of known laws and measures of what was drawn, for tests of what a model learns.

use meg_core::{Column, ColumnSpec, Schema, Seed, Table};
use rand::Rng as _;
use rand_distr::{Distribution, Normal};

/// Mean; NaN of nothing.
pub fn mean(cells: impl IntoIterator<Item = f64>) -> f64 {
    let add = |(sum, count), cell| (sum + cell, count + 1.0);
    let (sum, count) = cells.into_iter().fold((0.0, 0.0), add);
    sum / count
}

/// Share of yes.
pub fn share(answers: impl IntoIterator<Item = bool>) -> f64 {
    mean(answers.into_iter().map(|yes| f64::from(u8::from(yes))))
}

/// With three decimals, as the number columns here have them.
pub fn rounded(cell: f64) -> f64 {
    (cell * 1e3).round() / 1e3
}

/// Three levels of so many tenths each (`first`); a number with one mode per level, at 0, 5 and 10
/// (`x`, missing in a tenth of the rows if it may be); a copy of the level that is drawn anew in a
/// tenth of the rows (`second`).
pub fn three_levels(rows: usize, tenths: [usize; 3], with_missing: bool) -> Table {
    assert_eq!(tenths.iter().sum::<usize>(), 10, "the shares add up to 1");
    let number = ColumnSpec::number("x", 3);
    let specs = vec![
        ColumnSpec::category("first", ["a", "b", "c"]),
        if with_missing { number.nullable() } else { number },
        ColumnSpec::category("second", ["p", "q", "r"]),
    ];
    let mut rng = Seed(1).stream("table");
    let noise = Normal::new(0.0, 0.7).expect("a deviation above 0");
    let (mut first, mut x, mut second) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let tenth = rng.random_range(0..10usize);
        let level = u32::from(tenth >= tenths[0]) + u32::from(tenth >= tenths[0] + tenths[1]);
        first.push(level);
        let number = rounded(f64::from(level) * 5.0 + noise.sample(&mut rng));
        x.push(if with_missing && rng.random_bool(0.1) { f64::NAN } else { number });
        second.push(if rng.random_bool(0.9) { level } else { rng.random_range(0..3) });
    }
    table(specs, vec![Column::Codes(first), Column::Numbers(x), Column::Codes(second)])
}

/// 8 bells on a circle of radius 1, the ring of the papers' simulated tables: neither coordinate
/// alone says where they are.
pub fn ring(rows: usize) -> Table {
    let mut rng = Seed(3).stream("table");
    let noise = Normal::new(0.0, 0.03).expect("a deviation above 0");
    let mut cells = [vec![], vec![]];
    for _ in 0..rows {
        let centre = centre(rng.random_range(0..8));
        for (cells, at) in cells.iter_mut().zip(centre) {
            cells.push(rounded(at + noise.sample(&mut rng)));
        }
    }
    let specs = ["x", "y"].map(|name| ColumnSpec::number(name, 3)).to_vec();
    table(specs, cells.map(Column::Numbers).to_vec())
}

/// The share of rows within a radius of each bell of [`ring`].
pub fn near_bells(drawn: &Table, radius: f64) -> [f64; 8] {
    let mut shares = [0.0; 8];
    for (&x, &y) in drawn.numbers(0).iter().zip(drawn.numbers(1)) {
        let near = |bell: &usize| {
            let [at_x, at_y] = centre(*bell);
            (x - at_x).hypot(y - at_y) < radius
        };
        if let Some(bell) = (0..8).find(near) {
            shares[bell] += 1.0 / drawn.rows() as f64;
        }
    }
    shares
}

fn centre(bell: usize) -> [f64; 2] {
    let turn = std::f64::consts::TAU * bell as f64 / 8.0;
    [turn.cos(), turn.sin()]
}

fn table(specs: Vec<ColumnSpec>, columns: Vec<Column>) -> Table {
    Table::new(Schema::new(specs).expect("the schema is valid"), columns).expect("the cells fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_their_laws() {
        let table = three_levels(20_000, [5, 3, 2], true);
        let (first, x, second) = (table.codes(0), table.numbers(1), table.codes(2));
        for (level, expected) in [(0, 0.5), (1, 0.3), (2, 0.2)] {
            let seen = share(first.iter().map(|&code| code == level));
            assert!((seen - expected).abs() < 0.02, "level {level}: {seen}");
            let of_level = |&row: &usize| first[row] == level && !x[row].is_nan();
            let centre = mean((0..20_000).filter(of_level).map(|row| x[row]));
            assert!((centre - f64::from(level) * 5.0).abs() < 0.05, "level {level}: {centre}");
        }
        let agree = share(first.iter().zip(second).map(|(a, b)| a == b));
        assert!((agree - 0.933).abs() < 0.01, "{agree}");
        let missing = share(x.iter().map(|cell| cell.is_nan()));
        assert!((missing - 0.1).abs() < 0.01, "{missing}");
        assert!(three_levels(200, [6, 3, 1], false).numbers(1).iter().all(|cell| !cell.is_nan()));
    }

    #[test]
    fn the_rows_of_a_ring_are_near_its_bells() {
        let shares = near_bells(&ring(8_000), 0.15);
        assert!(shares.iter().all(|share| (share - 0.125).abs() < 0.02), "{shares:?}");
        assert!(shares.iter().sum::<f64>() > 0.999, "{shares:?}");
    }
}
