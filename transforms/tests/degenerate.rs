//! Columns at the edge of what a column can be, through every step: each passes or is refused with
//! a reason, and no step makes a NaN of a number.

use meg_core::{Column, ColumnKind, ColumnSpec, MISSING, Seed};
use meg_core::{Schema, Silent, Table};
use transforms::{
    BinInverse, BinRule, Bins, Chain, DateNumber, DateUnit, EncoderOptions, Fill, FittedStep,
    LevelOrder, Lowest, Powers, Step, TableEncoder,
};

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
        ("the two ends alone", vec![f64::MIN, f64::MAX, f64::MIN]),
        ("the ends and missing", vec![1.7e308, f64::NAN, -1.7e308, 1.0, 1.0]),
        ("denormals", vec![TINY, 1e-310, 3e-315, 0.0]),
        ("a few of the smallest doubles", (0..4).map(|at| f64::from(at) * TINY).collect()),
        (
            "neighbouring doubles",
            (0..60).map(|at| 1.0 + f64::from(at % 3) * f64::EPSILON).collect(),
        ),
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
        Step::NullIndicator { fill: Fill::Median },
        Step::NullIndicator { fill: Fill::Draw },
        Step::NullIndicator { fill: Fill::Number(-1.0) },
        Step::Date { unit: DateUnit::Days },
        Step::Date { unit: DateUnit::Seconds },
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

fn cells_of(name: &str) -> Vec<f64> {
    number_columns().into_iter().find(|column| column.0 == name).unwrap().1
}

fn size(cells: &[f64]) -> f64 {
    cells.iter().fold(0.0f64, |most, x| if x.is_nan() { most } else { most.max(x.abs()) })
}

/// How far a cell may come back: exactly the step's law where it has one that is not "in its bin".
fn tolerance(step: &Step, cells: &[f64]) -> Option<f64> {
    let size = size(cells);
    match step {
        Step::Standard | Step::Robust => Some(1e-12 * size + 1e-320),
        // A range below the smallest normal double is not stretched.
        Step::MinMax { .. } => Some(1e-12 * size + 3e-308),
        Step::Log { shift } => Some(1e-12 * (size + shift)),
        Step::YeoJohnson { powers: Powers::Reversible } => Some(1e-6 * (size + 1.0)),
        // The distance between landmarks is twice the size at most.
        Step::RankNormal { landmarks } => {
            let landmarks = (*landmarks).min((cells.len() / 5).max(2));
            Some((2e-7 * landmarks as f64 + 1e-9) * size + 1e-320)
        }
        Step::NullIndicator { .. } => Some(0.0),
        Step::Date { .. } => Some(1.0 + 1e-12 * size),
        // Cut at the edge of a mode, or in a bin: see below.
        _ => None,
    }
}

/// The law of steps that lose something: cells come back in their bin, or near themselves unless
/// they were cut at the edge of a mode.
fn assert_own_law(case: &str, step: &FittedStep, cells: &[f64], parts: &[Column], back: &[f64]) {
    let size = size(cells);
    for (row, (x, y)) in cells.iter().zip(back).enumerate() {
        match (step, parts) {
            _ if x.is_nan() => {}
            (FittedStep::Bins(bins), [Column::Codes(codes)]) => {
                let bin = codes[row] as usize;
                assert_eq!(bins.bin(*y), bin, "{case}: {x} came back as {y}");
                let (low, high) = (bins.edges()[bin], bins.edges()[bin + 1]);
                assert!(low <= *x && *x <= high, "{case}: {x} in ({low}, {high}]");
            }
            (FittedStep::Modes(_) | FittedStep::SoftModes(_), [Column::Numbers(places), _]) => {
                let cut = places[row].abs() > 0.9899;
                // Single precision of a mode's width: eight deviations. Places of the smallest
                // doubles are denormal, too.
                let far = 1e-5 * size + 1e-320;
                let near = (0.125 * x - 0.125 * y).abs() <= 0.125 * far;
                assert!(cut || near, "{case}: {x} came back as {y}");
            }
            _ => {}
        }
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
            let back =
                chain.decode(parts.clone(), &mut rng).unwrap_or_else(|e| panic!("{case}: {e}"));
            let Column::Numbers(back) = back else { panic!("{case}: no numbers") };
            assert_own_law(&case, &chain.steps()[0], &cells, &parts, &back);
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
            _ if matches!(step, Step::Date { .. }) => {
                size(&cells_of(name)) > 1e299 && error.contains("beyond the years")
            }
            "both ends" | "the two ends alone" | "the ends and missing" => match step {
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
            vec![Step::GroupRare { below: 0 }],
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
        // Where every level is rare, missing cells stay missing and the others are levels of training.
        let column = Column::Codes(cells.clone());
        let mut rng = Seed(1).stream("degenerate");
        let group = [Step::GroupRare { below: 1 << 20 }];
        let chain = Chain::fit(&group, &spec, &column, None, &mut rng).unwrap();
        let parts = chain.encode(column.clone(), &mut rng).unwrap();
        let Column::Codes(back) = chain.decode(parts, &mut rng).unwrap() else { panic!("{name}") };
        for (code, cell) in back.iter().zip(&cells) {
            assert_eq!(*code == MISSING, *cell == MISSING, "{name}");
            assert!(*code == MISSING || *code as usize <= cells.len() + 4, "{name}: {code}");
        }
    }
}

/// The smallest cell is lost by design, and nothing else is.
#[test]
fn bins_that_leave_the_lowest_cell_out_lose_no_other() {
    let rule = BinRule::EqualWidth { bins: 20 };
    for (name, cells) in number_columns() {
        for inverse in [BinInverse::Centre, BinInverse::Draw] {
            let step = Step::Bins { rule, inverse, lowest: Lowest::Missing };
            let column = Column::Numbers(cells.clone());
            let mut rng = Seed(1).stream("lowest");
            let spec = ColumnSpec::number("x", None);
            let Ok(chain) = Chain::fit(&[step], &spec, &column, None, &mut rng) else {
                assert!(name.contains("infinite"), "{name}");
                continue;
            };
            let parts = chain.encode(column, &mut rng).unwrap();
            let Column::Numbers(back) = chain.decode(parts, &mut rng).unwrap() else { panic!() };
            let seen = || cells.iter().copied().filter(|cell| !cell.is_nan());
            let (least, most) = (seen().fold(f64::MAX, f64::min), seen().fold(f64::MIN, f64::max));
            for (x, y) in cells.iter().zip(&back) {
                let lost = x.is_nan() || (*x == least && least < most);
                assert_eq!(y.is_nan(), lost, "{name}: {x} came back as {y}");
                assert!(lost || (least..=most).contains(y), "{name}: {x} came back as {y}");
            }
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
        let parts = [vec![Column::Numbers(vec![f64::INFINITY])], sides(1)].concat();
        let error = chain.decode(parts, &mut rng).unwrap_err().to_string();
        assert!(error.contains("row 1: column \"x\""), "{step:?}: {error}");
    }
}

#[test]
fn an_infinite_number_beside_an_indicator_is_refused_unless_it_stands_for_missing() {
    let column = Column::Numbers(vec![1.0, f64::NAN]);
    let step = Step::NullIndicator { fill: Fill::Mean };
    let mut rng = Seed(1).stream("indicator");
    let chain = Chain::fit(&[step], &ColumnSpec::number("x", None), &column, None, &mut rng);
    let chain = chain.unwrap();
    let mut decode = |missing: u32| {
        let main = Column::Numbers(vec![2.0, f64::INFINITY]);
        chain.decode(vec![main, Column::Codes(vec![0, missing])], &mut rng)
    };
    let error = decode(0).unwrap_err().to_string();
    assert!(error.contains("row 2: column \"x\"") && error.contains("not finite"), "{error}");
    assert!(decode(1).unwrap().is_missing(1));
}

#[test]
fn every_number_column_goes_through_the_table_encoder() {
    for (name, cells) in number_columns() {
        if cells.iter().any(|cell| cell.is_infinite()) || cells.is_empty() {
            continue;
        }
        let schema = Schema::new(vec![ColumnSpec::number("x", None).nullable()]).unwrap();
        let table = Table::new(schema, vec![Column::Numbers(cells.clone())]).unwrap();
        for clip in [true, false] {
            let options = EncoderOptions { clip, ..EncoderOptions::default() };
            let encoder = TableEncoder::fit(&table, &options, Seed(1), 1, &mut Silent).unwrap();
            encoder.check().unwrap_or_else(|error| panic!("{name}: {error}"));
            let encoded = encoder.encode(&table, Seed(2), 1).unwrap();
            assert!(encoded.places.iter().all(|place| place.abs() <= 1.0), "{name}: {encoded:?}");
            let mut rng = Seed(3).stream("decode");
            let back = encoder.decode_cells(&encoded, &mut rng).unwrap();
            let back = Table::new(table.schema().clone(), back).unwrap();
            for (row, (x, y)) in cells.iter().zip(back.numbers(0)).enumerate() {
                assert_eq!(x.is_nan(), y.is_nan(), "{name}");
                let cut = !encoded.place_units.is_empty() && encoded.places(row)[0].abs() > 0.9899;
                let near = (0.125 * x - 0.125 * y).abs() <= 0.125 * (1e-5 * size(&cells) + 1e-320);
                assert!(x.is_nan() || cut || near, "{name}: {x} came back as {y}");
            }
            // Whatever a generator makes of the places, no number is infinite.
            let mut wild = encoded.clone();
            wild.places.iter_mut().for_each(|place| *place = place.signum() * 1e30);
            let wild = encoder.decode_cells(&wild, &mut rng).unwrap();
            Table::new(table.schema().clone(), wild).unwrap();
        }
    }
}

#[test]
fn bins_of_any_draw_are_those_of_their_code() {
    // Neighbouring doubles: a draw between them is rounded to one of the two.
    let cells: Vec<f64> = (0..60).map(|at| 1.0 + f64::from(at % 3) * f64::EPSILON).collect();
    let zeros = [vec![0.0; 30], (1..31).map(f64::from).collect()].concat();
    for (cells, bins) in [(cells, 2), (zeros, 3)] {
        for lowest in [Lowest::Included, Lowest::Missing] {
            let (rule, options) = (BinRule::EqualWidth { bins }, (BinInverse::Draw, lowest));
            let mut rng = Seed(5).stream("draws");
            let bins = Bins::fit(&cells, &rule, options, None, &mut rng).unwrap();
            let chain = Chain::fit(
                &[Step::Bins { rule, inverse: BinInverse::Draw, lowest }],
                &ColumnSpec::number("x", None),
                &Column::Numbers(cells.clone()),
                None,
                &mut rng,
            )
            .unwrap();
            let codes = (0..2_000).map(|at| at % bins.bins() as u32).collect();
            let codes = vec![Column::Codes(codes)];
            let drawn = chain.decode(codes.clone(), &mut rng).unwrap();
            assert_eq!(chain.encode(drawn, &mut rng).unwrap(), codes, "{lowest:?} {cells:?}");
        }
    }
}

#[test]
fn any_number_decodes_to_a_moment_that_can_be_printed() {
    for format in ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"] {
        let spec = ColumnSpec::new("t", ColumnKind::Datetime { format: format.into() });
        for unit in [DateUnit::Days, DateUnit::Seconds] {
            let date = DateNumber::fit(&[0.0, 864_000.0], &spec, unit).unwrap();
            let chain = Chain::fit(
                &[Step::Date { unit }],
                &spec,
                &Column::Numbers(vec![0.0, 864_000.0]),
                None,
                &mut Seed(1).stream("date"),
            )
            .unwrap();
            assert_eq!(chain.steps(), [FittedStep::Date(date)]);
            let wild = vec![-1e300, -1e14, -3.7, 1e7 + 0.3, 1e14, 1e300, f64::NAN];
            let parts = vec![Column::Numbers(wild)];
            let back = chain.decode(parts, &mut Seed(1).stream("date")).unwrap();
            let schema = Schema::new(vec![spec.clone().nullable()]).unwrap();
            let table = Table::new(schema, vec![back]).unwrap();
            for row in 0..6 {
                let text = table.text(row, 0).unwrap_or_else(|| panic!("{format}: row {row}"));
                let read = meg_core::datetime::parse(&text, format);
                assert_eq!(read, Some(table.numbers(0)[row]), "{format}: {text}");
            }
        }
    }
    let spec = ColumnSpec::new("t", ColumnKind::Datetime { format: "%Y".into() });
    let error = DateNumber::fit(&[0.0, 1e300], &spec, DateUnit::Days).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("beyond the years"), "{error}");
}

#[test]
fn ranks_in_the_outermost_gaps_come_back_within_a_ten_millionth_of_the_column_times_landmarks() {
    // 1 000 landmarks at 0, 1, 2... and then cells very near to both ends.
    let cells: Vec<f64> = (0..9_991).map(|row| f64::from(row) / 10.0).collect();
    let landmarks = 1_000;
    let step = Step::RankNormal { landmarks };
    let mut rng = Seed(1).stream("ranks");
    let spec = ColumnSpec::number("x", None);
    let chain = Chain::fit(&[step], &spec, &Column::Numbers(cells), None, &mut rng).unwrap();
    let near = vec![0.5e-4, 0.99e-4, 3e-4, 500.5, 999.0 - 0.99e-4];
    let encoded = chain.encode(Column::Numbers(near.clone()), &mut rng).unwrap();
    let Column::Numbers(back) = chain.decode(encoded, &mut rng).unwrap() else { panic!() };
    let far: Vec<f64> = near.iter().zip(&back).map(|(x, y)| (x - y).abs()).collect();
    assert!(far.iter().all(|&far| far <= 1e-7 * landmarks as f64), "{far:?}");
    // More than a ten-millionth of a gap is lost, but only there.
    assert!(far[0] > 1e-5 && far[1] > 5e-5 && far[3] < 1e-9, "{far:?}");
}

#[test]
fn settings_are_checked_for_columns_without_two_values_too() {
    for cells in [vec![], vec![f64::NAN], vec![1.0; 5]] {
        let rule = BinRule::Quantile { bins: 0 };
        let step = Step::Bins { rule, inverse: BinInverse::Centre, lowest: Lowest::Included };
        let mut rng = Seed(1).stream("settings");
        let spec = ColumnSpec::number("x", None);
        let error = Chain::fit(&[step], &spec, &Column::Numbers(cells), None, &mut rng);
        assert!(error.unwrap_err().to_string().contains("`bins`"));
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
        (bins(BinRule::Quantile { bins: 2_000_000 }), "`bins`"),
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
