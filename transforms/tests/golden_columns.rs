//! Column transforms against numpy, scipy and scikit-learn on seven simulated columns (versions in
//! `golden/columns.json`).

use meg_core::{Column, Seed};
use serde_json::Value;
use transforms::{
    BinInverse, BinRule, Bins, ColumnTransform, EmMixture, Lowest, Powers, Standard, YeoJohnson,
    equal_width_edges, quantile_edges,
};

struct Golden {
    name: String,
    cells: Vec<f64>,
    expected: Value,
}

/// The columns with their expected values.
fn golden() -> Vec<Golden> {
    let expected: Value = serde_json::from_str(include_str!("golden/columns.json")).unwrap();
    let columns = include_str!("golden/columns.csv");
    let mut lines = columns.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    assert_eq!((names.len(), rows.len()), (7, 2_000));
    let column = |(at, name): (usize, &&str)| Golden {
        name: (*name).to_owned(),
        cells: rows.iter().map(|row| row[at]).collect(),
        expected: expected[*name].clone(),
    };
    names.iter().enumerate().map(column).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn encode(transform: &dyn ColumnTransform, cells: &[f64]) -> Column {
    let cells = Column::Numbers(cells.to_vec());
    transform.encode(cells, &mut Seed(1).stream("encode")).unwrap().main
}

fn encode_numbers(transform: &dyn ColumnTransform, cells: &[f64]) -> Vec<f64> {
    match encode(transform, cells) {
        Column::Numbers(cells) => cells,
        other => panic!("no numbers: {other:?}"),
    }
}

#[test]
fn yeo_johnson_is_that_of_scikit_learn() {
    for Golden { name, cells, expected } in golden() {
        let expected = &expected["yeo_johnson"];
        let power = YeoJohnson::fit(&cells, Powers::Reversible).unwrap();
        let lambda = expected["lambda_"].as_f64().unwrap();
        assert!((power.lambda() - lambda).abs() < 1e-4, "{name}: {power:?}, there {lambda}");
        let images = encode_numbers(&power, &cells);
        let standard = Standard::fit(&images).unwrap();
        let ours = [standard.mean(), standard.deviation()];
        for (ours, key) in ours.into_iter().zip(["mean", "sd"]) {
            let theirs = expected[key].as_f64().unwrap();
            assert!((ours - theirs).abs() < 1e-6, "{name}: {key} {ours}, there {theirs}");
        }
        let first = encode_numbers(&standard, &images[..10]);
        for (ours, theirs) in first.iter().zip(numbers(&expected["first10_standardized"])) {
            assert!((ours - theirs).abs() < 1e-6, "{name}: {ours}, there {theirs}");
        }
    }
}

#[test]
fn edges_and_codes_are_those_of_numpy_and_pandas() {
    for Golden { name, cells, expected } in golden() {
        let mut sorted = cells.clone();
        sorted.sort_by(f64::total_cmp);
        let quantiles = numbers(&expected["quantile_edges_20"]);
        assert_eq!(quantile_edges(&sorted, 20).unwrap(), quantiles, "{name}");
        let expected = &expected["equal_width_20"];
        let edges = numbers(&expected["edges"]);
        assert_eq!(equal_width_edges(&sorted, 20).unwrap(), edges, "{name}");
        let rule = BinRule::EqualWidth { bins: 20 };
        let options = (BinInverse::Centre, Lowest::Included);
        let bins = Bins::fit(&cells, &rule, options, None, &mut Seed(1).stream("bins")).unwrap();
        assert_eq!(bins.edges(), edges, "{name}");
        let codes = numbers(&expected["codes_first20_right_closed_lowest_included"]);
        let codes = codes.iter().map(|&code| code as u32).collect();
        assert_eq!(encode(&bins, &cells[..20]), Column::Codes(codes), "{name}");
    }
}

#[test]
fn the_em_mixture_is_as_likely_as_scikit_learns() {
    for Golden { name, cells, expected } in golden() {
        let mixture = EmMixture::fit(&cells, 5, &mut Seed(1).stream("mixture"));
        let ours = mixture.mean_log_likelihood(&cells);
        let theirs = expected["em_mixture_5"]["mean_log_likelihood"].as_f64().unwrap();
        eprintln!("{name}: {ours:.4}, scikit-learn's {theirs:.4}");
        assert!(ours >= theirs - 0.01, "{name}: {ours}, scikit-learn's {theirs}");
    }
}
