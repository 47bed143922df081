//! Columns at the edge of what a column can be, through every step: each passes or is refused with
//! a reason, and no step makes a NaN of a number.

use meg_core::{Column, ColumnKind, ColumnSpec, MISSING, Seed};
use transforms::{BinInverse, BinRule, Chain, DateUnit, Fill, LevelOrder, Lowest, Powers, Step};

const TINY: f64 = 5e-324;

fn number_columns() -> Vec<(&'static str, Vec<f64>)> {
    let mut outlier = vec![1.0; 1_000];
    outlier[17] = 1e9;
    vec![
        ("no row", vec![]),
        ("one row", vec![3.5]),
        ("one missing row", vec![f64::NAN]),
        ("all missing", vec![f64::NAN; 20]),
        ("constant", vec![0.1; 50]),
        ("constant zero", vec![0.0; 50]),
        ("constant with missing", [vec![7.0; 9], vec![f64::NAN; 3]].concat()),
        ("two values", (0..40).map(|row| f64::from(row % 2)).collect()),
        ("two close values", vec![1.0, 1.0 + f64::EPSILON, 1.0]),
        ("infinite", vec![1.0, f64::INFINITY, 2.0]),
        ("minus infinite", vec![1.0, f64::NEG_INFINITY, 2.0]),
        ("1e300", vec![1e300, 2e300, 3e300, 1e299]),
        ("both ends", vec![-1.7e308, 0.0, 1.7e308]),
        ("the largest double alone", vec![f64::MAX; 4]),
        ("denormals", vec![TINY, 1e-310, 3e-315, 0.0]),
        ("the smallest double", vec![0.0, TINY]),
        ("small and large", vec![1e-300, 1.0, 1e300]),
        ("an outlier among ones", outlier),
        ("far from 0", (0..100).map(|row| 1e12 + f64::from(row)).collect()),
        ("20 000 values", (0..20_000).map(f64::from).collect()),
    ]
}

fn number_steps() -> Vec<Step> {
    let rules = [
        BinRule::EqualWidth { bins: 20 },
        BinRule::Quantile { bins: 20 },
        BinRule::KMeans { bins: 20 },
        BinRule::MinimumDescription,
    ];
    let mut steps = vec![
        Step::Standard,
        Step::MinMax { low: -1.0, high: 1.0 },
        Step::Robust,
        Step::Log { shift: 0.0 },
        Step::Log { shift: 1.0 },
        Step::YeoJohnson { powers: Powers::Reversible },
        Step::YeoJohnson { powers: Powers::All },
        Step::RankNormal { landmarks: 1_000 },
        Step::NullIndicator { fill: Fill::Mean },
        Step::NullIndicator { fill: Fill::Draw },
        Step::Date { unit: DateUnit::Days },
        Step::Modes { components: 10, threshold: 0.005 },
        Step::SoftModes { components: 5 },
    ];
    for rule in rules {
        for inverse in [BinInverse::Centre, BinInverse::Draw] {
            steps.push(Step::Bins { rule, inverse, lowest: Lowest::Included });
        }
    }
    steps
}

fn spec(step: &Step) -> ColumnSpec {
    match step {
        Step::Date { .. } => {
            let format = "%Y-%m-%d %H:%M:%S".to_owned();
            ColumnSpec::new("x", ColumnKind::Datetime { format })
        }
        _ => ColumnSpec::number("x", None),
    }
}

/// How far a cell may come back: exactly the step's law where it has one that is not "in its bin".
fn tolerance(step: &Step, cells: &[f64]) -> Option<f64> {
    let size =
        cells.iter().fold(0.0f64, |most, x| if x.is_nan() { most } else { most.max(x.abs()) });
    match step {
        Step::Standard | Step::Robust => Some(1e-12 * size + 1e-320),
        // A range below the smallest normal double is not stretched.
        Step::MinMax { .. } => Some(1e-12 * size + 3e-308),
        Step::Log { shift } => Some(1e-12 * (size + shift)),
        Step::YeoJohnson { powers: Powers::Reversible } => Some(1e-6 * (size + 1.0)),
        Step::RankNormal { .. } => Some(2e-7 * size + 1e-320),
        Step::NullIndicator { .. } => Some(0.0),
        Step::Date { .. } => Some(1.0 + 1e-12 * size),
        // Cut at the edge of a mode, or in a bin: checked by their own laws.
        _ => None,
    }
}

#[test]
fn every_number_column_passes_or_is_refused_with_a_reason() {
    let mut refused = Vec::new();
    for (name, cells) in number_columns() {
        let target: Vec<u32> = (0..cells.len() as u32).map(|row| row % 2).collect();
        for step in number_steps() {
            let case = format!("{name} through {step:?}");
            let column = Column::Numbers(cells.clone());
            let mut rng = Seed(1).stream("degenerate");
            let chain = Chain::fit(
                std::slice::from_ref(&step),
                &spec(&step),
                &column,
                Some(&target),
                &mut rng,
            );
            let encoded = chain.and_then(|chain| {
                chain.check()?;
                Ok((chain.encode(column, &mut rng)?, chain))
            });
            let (parts, chain) = match encoded {
                Ok(made) => made,
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("\"x\"") && !error.contains("NaN"), "{case}: {error}");
                    refused.push((name, step, error));
                    continue;
                }
            };
            let written = serde_json::to_string(&chain).unwrap();
            assert_eq!(serde_json::from_str::<Chain>(&written).unwrap(), chain, "{case}");
            for part in &parts {
                assert_eq!(part.len(), cells.len(), "{case}");
                for (row, cell) in cells.iter().enumerate() {
                    let filled = matches!(step, Step::NullIndicator { .. });
                    assert_eq!(part.is_missing(row), cell.is_nan() && !filled, "{case}");
                    if let Column::Numbers(images) = part {
                        assert!(!images[row].is_infinite(), "{case}");
                    }
                }
            }
            let back = chain.decode(parts, &mut rng).unwrap_or_else(|e| panic!("{case}: {e}"));
            let Column::Numbers(back) = back else { panic!("{case}: no numbers") };
            let tolerance = tolerance(&step, &cells);
            for (x, y) in cells.iter().zip(&back) {
                assert_eq!(x.is_nan(), y.is_nan(), "{case}: {x} {y}");
                assert!(!y.is_infinite(), "{case}: {x} {y}");
                if let (false, Some(tolerance)) = (x.is_nan(), tolerance) {
                    assert!((x - y).abs() <= tolerance, "{case}: {x} came back as {y}");
                }
            }
        }
    }
    // Only these are refused: infinite cells by all, and what has no logarithm or power.
    for (name, step, error) in refused {
        let known = match name {
            "infinite" | "minus infinite" => {
                error.contains("row 2") && error.contains("not finite")
            }
            "both ends" => match step {
                Step::Log { .. } => error.contains("no logarithm"),
                Step::YeoJohnson { .. } => error.contains("no power"),
                _ => error.contains("no finite image"),
            },
            _ => matches!(step, Step::Log { .. }) && error.contains("no logarithm"),
        };
        assert!(known, "{name} through {step:?}: {error}");
    }
}

#[test]
fn every_column_of_codes_passes() {
    let columns: [(&str, Vec<u32>); 7] = [
        ("no row", vec![]),
        ("one row", vec![0]),
        ("one missing row", vec![MISSING]),
        ("all missing", vec![MISSING; 20]),
        ("constant", vec![2; 50]),
        ("two levels and missing", (0..30).map(|row| [0, 4, MISSING][row % 3]).collect()),
        ("100 000 levels", (0..100_000).collect()),
    ];
    for (name, cells) in columns {
        let levels = (0..100_000).map(|level| format!("l{level}"));
        let spec = ColumnSpec::category("c", levels).nullable();
        let ordinal = |order| Step::Ordinal { order, missing: Some(-1.0) };
        for steps in [
            vec![ordinal(LevelOrder::Given)],
            vec![ordinal(LevelOrder::Text)],
            vec![ordinal(LevelOrder::Frequency), Step::Standard],
            vec![Step::MissingLevel],
            vec![Step::MissingLevel, Step::GroupRare { below: 1 }, ordinal(LevelOrder::Code)],
        ] {
            let case = format!("{name} through {steps:?}");
            let column = Column::Codes(cells.clone());
            let mut rng = Seed(1).stream("degenerate");
            let chain = Chain::fit(&steps, &spec, &column, None, &mut rng).unwrap();
            let parts = chain.encode(column.clone(), &mut rng).unwrap();
            if let Column::Numbers(numbers) = &parts[0] {
                assert!(numbers.iter().all(|number| number.is_finite()), "{case}");
            }
            assert_eq!(chain.decode(parts, &mut rng).unwrap(), column, "{case}");
        }
    }
}

#[test]
fn decoding_answers_any_finite_number_and_refuses_the_rest() {
    let cells: Vec<f64> = (0..200).map(|row| f64::from(row * row)).collect();
    let column = Column::Numbers(cells.clone());
    for step in number_steps() {
        let mut rng = Seed(2).stream("wild");
        let target: Vec<u32> = (0..200).map(|row| row / 100).collect();
        let chain =
            Chain::fit(std::slice::from_ref(&step), &spec(&step), &column, Some(&target), &mut rng);
        let Ok(chain) = chain else {
            assert_eq!(step, Step::Log { shift: 0.0 }, "0 has no logarithm");
            continue;
        };
        if let Step::Bins { .. } = step {
            let error = chain.decode(vec![Column::Codes(vec![0, 1 << 20])], &mut rng).unwrap_err();
            assert!(error.to_string().contains("row 2: column \"x\""), "{error}");
            continue;
        }
        let wild = vec![-1e300, -1e9, -40.0, 0.0, 40.0, 1e9, 1e300, f64::NAN];
        let sides = |rows| match step {
            Step::Modes { .. } | Step::SoftModes { .. } => vec![Column::Codes(vec![0; rows])],
            _ => vec![],
        };
        let parts = [vec![Column::Numbers(wild.clone())], sides(8)].concat();
        let back = chain.decode(parts, &mut rng).unwrap_or_else(|e| panic!("{step:?}: {e}"));
        let Column::Numbers(back) = back else { panic!("{step:?}") };
        for (x, y) in wild.iter().zip(&back) {
            assert!(y.is_finite() || x.is_nan(), "{step:?}: {x} became {y}");
        }
        if !matches!(step, Step::NullIndicator { .. }) {
            let parts = [vec![Column::Numbers(vec![f64::INFINITY])], sides(1)].concat();
            let error = chain.decode(parts, &mut rng).unwrap_err().to_string();
            assert!(error.contains("row 1: column \"x\""), "{step:?}: {error}");
        }
    }
}

#[test]
fn settings_out_of_range_and_wrong_cells_are_refused_by_name() {
    let numbers = Column::Numbers(vec![1.0, 2.0]);
    let bins = |rule| Step::Bins { rule, inverse: BinInverse::Centre, lowest: Lowest::Included };
    for (step, part) in [
        (Step::MinMax { low: 1.0, high: 1.0 }, "`low`"),
        (Step::RankNormal { landmarks: 1 }, "`landmarks`"),
        (bins(BinRule::EqualWidth { bins: 0 }), "`bins`"),
        (bins(BinRule::KMeans { bins: 0 }), "`bins`"),
        (bins(BinRule::MinimumDescription), "column \"x\": bins by minimum description"),
        (Step::SoftModes { components: 0 }, "`components`"),
        (Step::Modes { components: 10, threshold: 2.0 }, "`components`"),
        (Step::NullIndicator { fill: Fill::Number(f64::NAN) }, "`fill`"),
        (Step::Log { shift: f64::INFINITY }, "`shift`"),
        (Step::Date { unit: DateUnit::Days }, "kind \"number\" holds no dates"),
        (Step::MissingLevel, "column \"x\": this transform takes codes"),
    ] {
        let spec = ColumnSpec::number("x", None);
        let mut rng = Seed(1).stream("settings");
        let error = Chain::fit(&[step], &spec, &numbers, None, &mut rng).unwrap_err().to_string();
        assert!(error.contains(part), "{error:?} should contain {part:?}");
    }
}
