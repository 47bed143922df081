//! What a saved transform holds of the column it was fitted to: no more than summaries of at least
//! five cells, and the two ends of the column.

use meg_core::{Column, ColumnSpec, Seed};
use rand::Rng as _;
use transforms::{BinInverse, BinRule, Chain, Fill, Lowest, Step};

/// Different numbers without a pattern, with an end on each side that nobody else has.
fn cells(rows: usize) -> Vec<f64> {
    let mut rng = Seed(11).stream("cells");
    let mut cells: Vec<f64> = (0..rows).map(|_| 100.0 * rng.random::<f64>()).collect();
    cells.extend([-1_000.0, 1_000.0]);
    cells
}

/// All numbers in what a chain saves.
fn saved(step: Step, cells: &[f64]) -> Vec<f64> {
    fn collect(value: &serde_json::Value, into: &mut Vec<f64>) {
        match value {
            serde_json::Value::Number(number) => into.push(number.as_f64().unwrap()),
            serde_json::Value::Array(parts) => parts.iter().for_each(|part| collect(part, into)),
            serde_json::Value::Object(parts) => parts.values().for_each(|part| collect(part, into)),
            _ => {}
        }
    }
    let column = Column::Numbers(cells.to_vec());
    let spec = ColumnSpec::number("x", None).nullable();
    let mut rng = Seed(1).stream("fit");
    let chain = Chain::fit(&[step], &spec, &column, None, &mut rng).unwrap();
    let mut numbers = Vec::new();
    collect(&serde_json::to_value(&chain).unwrap(), &mut numbers);
    numbers
}

fn steps() -> Vec<Step> {
    let rules = [
        BinRule::EqualWidth { bins: 20 },
        BinRule::Quantile { bins: 1_000 },
        BinRule::KMeans { bins: 1_000 },
    ];
    let bins = |rule| Step::Bins { rule, inverse: BinInverse::Draw, lowest: Lowest::Included };
    let mut steps = rules.map(bins).to_vec();
    steps.push(Step::RankNormal { landmarks: 1_000 });
    steps.push(Step::NullIndicator { fill: Fill::Draw });
    steps
}

#[test]
fn few_numbers_are_kept_and_no_cell_but_the_ends() {
    for rows in [3, 8, 50, 500] {
        let mut cells = cells(rows);
        cells.push(f64::NAN);
        for step in steps() {
            let saved = saved(step.clone(), &cells);
            // Landmarks are a value and a share each, edges come with quantiles between them.
            assert!(
                saved.len() <= 2 * (rows / 5).max(20) + 6,
                "{step:?}: {} of {rows}",
                saved.len()
            );
            let inner = |cell: &&f64| cell.abs() < 1_000.0 && saved.contains(cell);
            // A quantile may fall on a cell; most lie between two.
            let found = cells.iter().filter(inner).count();
            assert!(found <= 1 + rows / 50, "{step:?}: {found} of {rows} cells");
        }
    }
}

#[test]
fn the_ends_of_a_bin_are_not_kept() {
    let cells = cells(400);
    let rule = BinRule::EqualWidth { bins: 20 };
    let step = Step::Bins { rule, inverse: BinInverse::Draw, lowest: Lowest::Included };
    let saved = saved(step, &cells);
    // The bin (0, 100] has 400 cells.
    let inside: Vec<f64> = cells.iter().copied().filter(|cell| cell.abs() <= 100.0).collect();
    let least = inside.iter().copied().fold(f64::INFINITY, f64::min);
    let most = inside.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(inside.len(), 400);
    assert!(!saved.contains(&least) && !saved.contains(&most));
}
