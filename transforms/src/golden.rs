//! The simulated columns of `tests/golden`, with scikit-learn's mixtures of them.

use serde_json::Value;

pub(crate) struct GoldenColumn {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    pub(crate) expected: Value,
}

pub(crate) fn columns() -> Vec<GoldenColumn> {
    let expected: Value =
        serde_json::from_str(include_str!("../tests/golden/mixtures.json")).unwrap();
    let mut lines = include_str!("../tests/golden/columns.csv").lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    let column = |(at, name): (usize, &&str)| GoldenColumn {
        name: (*name).to_owned(),
        values: rows.iter().map(|row| row[at]).collect(),
        expected: expected[*name].clone(),
    };
    names.iter().enumerate().map(column).collect()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}
