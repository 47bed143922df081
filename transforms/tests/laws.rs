//! The law of each column transform, on drawn columns.

use meg_core::{Column, ColumnKind, ColumnSpec, MISSING, Rng, Seed};
use proptest::prelude::*;
use transforms::{
    BinInverse, BinRule, Chain, DateParts, DateText, DateUnit, Fill, LevelOrder, Lowest, Padding,
    Powers, SquareMatrix, Step,
};

fn rng() -> Rng {
    Seed(7).stream("laws")
}

fn spec() -> ColumnSpec {
    ColumnSpec::number("x", None).nullable()
}

fn fit(steps: &[Step], cells: &Column) -> Chain {
    let chain = Chain::fit(steps, &spec(), cells, None, &mut rng()).unwrap();
    let written = serde_json::to_string(&chain).unwrap();
    let read: Chain = serde_json::from_str(&written).unwrap();
    read.check().unwrap();
    assert_eq!(read, chain);
    read
}

/// Encoded parts and the cells that come back, of a column of numbers.
fn round_trip(steps: &[Step], cells: &[f64]) -> (Vec<Column>, Vec<f64>) {
    let column = Column::Numbers(cells.to_vec());
    let chain = fit(steps, &column);
    let parts = chain.encode(column, &mut rng()).unwrap();
    match chain.decode(parts.clone(), &mut rng()).unwrap() {
        Column::Numbers(back) => (parts, back),
        other => panic!("no numbers: {other:?}"),
    }
}

fn numbers(part: &Column) -> &[f64] {
    match part {
        Column::Numbers(cells) => cells,
        other => panic!("no numbers: {other:?}"),
    }
}

fn codes(part: &Column) -> &[u32] {
    match part {
        Column::Codes(cells) => cells,
        other => panic!("no codes: {other:?}"),
    }
}

fn size(cells: &[f64]) -> f64 {
    cells.iter().filter(|cell| !cell.is_nan()).fold(0.0, |most, cell| most.max(cell.abs()))
}

fn assert_back(cells: &[f64], back: &[f64], tolerance: impl Fn(f64) -> f64) {
    assert_eq!(cells.len(), back.len());
    for (x, y) in cells.iter().zip(back) {
        assert_eq!(x.is_nan(), y.is_nan(), "{x} {y}");
        assert!(x.is_nan() || (x - y).abs() <= tolerance(*x), "{x} came back as {y}");
    }
}

fn column() -> impl Strategy<Value = Vec<f64>> {
    let cell = prop_oneof![
        6 => -1e3f64..1e3,
        2 => (-20i32..20).prop_map(f64::from),
        1 => (-9f64..9.0).prop_map(|x| x.signum() * 10f64.powf(x)),
        1 => Just(f64::NAN),
    ];
    prop::collection::vec(cell, 1..120)
}

fn levels() -> impl Strategy<Value = Vec<u32>> {
    let cell = prop_oneof![5 => 0u32..6, 2 => 6u32..40, 1 => Just(MISSING)];
    prop::collection::vec(cell, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shifts_and_stretches_come_back(cells in column()) {
        let all = [Step::Standard, Step::Robust, Step::MinMax { low: -1.0, high: 1.0 }];
        for step in all {
            let (parts, back) = round_trip(&[step], &cells);
            let size = size(&cells).max(size(numbers(&parts[0])) * 1e-3);
            assert_back(&cells, &back, |_| 1e-12 * size);
        }
    }

    #[test]
    fn standardised_columns_have_mean_0_and_deviation_1(cells in column()) {
        let (parts, _) = round_trip(&[Step::Standard], &cells);
        let images: Vec<f64> =
            numbers(&parts[0]).iter().copied().filter(|cell| !cell.is_nan()).collect();
        let rows = images.len().max(1) as f64;
        let mean = images.iter().sum::<f64>() / rows;
        let variance = images.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / rows;
        prop_assert!(mean.abs() < 1e-9);
        let constant = images.iter().all(|&x| x == 0.0);
        prop_assert!(constant || (variance - 1.0).abs() < 1e-9, "{}", variance);
    }

    #[test]
    fn min_max_stays_in_its_interval(cells in column(), low in -5f64..5.0, width in 0.1f64..9.0) {
        let step = Step::MinMax { low, high: low + width };
        let (parts, _) = round_trip(&[step], &cells);
        let inside = |x: &f64| x.is_nan() || (low..=low + width).contains(x);
        prop_assert!(numbers(&parts[0]).iter().all(inside));
    }

    #[test]
    fn logarithms_come_back(cells in column(), shift in 0.5f64..3.0) {
        // Down to a millionth above the pole at `-shift`, and far above it.
        let cells: Vec<f64> = cells.iter().map(|x| x.abs() - shift + 1e-6).collect();
        let (_, back) = round_trip(&[Step::Log { shift }], &cells);
        assert_back(&cells, &back, |x| 1e-12 * (x.abs() + shift));
    }

    #[test]
    fn yeo_johnson_comes_back_and_keeps_the_order(cells in column()) {
        let (parts, back) = round_trip(&[Step::YeoJohnson { powers: Powers::Reversible }], &cells);
        assert_back(&cells, &back, |x| 1e-6 * (1.0 + x.abs()));
        let images = numbers(&parts[0]);
        for (x, fx) in cells.iter().zip(images) {
            for (y, fy) in cells.iter().zip(images) {
                if x < y {
                    prop_assert!(fx <= fy, "{x} {y} became {fx} {fy}");
                }
            }
        }
    }

    #[test]
    fn ranks_come_back_within_the_column_and_stay_within_their_range(cells in column()) {
        for landmarks in [2, 10, 1_000] {
            let (parts, back) = round_trip(&[Step::RankNormal { landmarks }], &cells);
            let (size, landmarks) = (size(&cells), landmarks.min((cells.len() / 5).max(2)) as f64);
            // The distance between two landmarks is twice the size of the column at most.
            assert_back(&cells, &back, |_| (2.0 * 1e-7 * landmarks + 1e-9) * size);
            let inside = |x: &f64| x.is_nan() || x.abs() <= 5.2;
            prop_assert!(numbers(&parts[0]).iter().all(inside));
        }
    }

    #[test]
    fn bins_bring_cells_back_within_their_bin(
        cells in column(),
        bins in 1usize..30,
        lowest in prop_oneof![Just(Lowest::Included), Just(Lowest::Missing)],
        at_the_minimum in 0usize..40,
    ) {
        let least = cells.iter().copied().fold(f64::NAN, f64::min);
        let cells = [cells, vec![least; at_the_minimum]].concat();
        // Classes that follow the numbers, so that there is something to cut.
        let target: Vec<u32> =
            cells.iter().map(|x| u32::from(*x > 0.0) + u32::from(*x > 300.0)).collect();
        let rules = [
            BinRule::EqualWidth { bins },
            BinRule::Quantile { bins },
            BinRule::KMeans { bins },
            BinRule::MinimumDescription,
        ];
        for rule in rules {
            for inverse in [BinInverse::Centre, BinInverse::Draw] {
                let step = Step::Bins { rule, inverse, lowest };
                let column = Column::Numbers(cells.clone());
                let chain = Chain::fit(&[step], &spec(), &column, Some(&target), &mut rng()).unwrap();
                chain.check().unwrap();
                let parts = chain.encode(column, &mut rng()).unwrap();
                let back = chain.decode(parts.clone(), &mut rng()).unwrap();
                let transforms::FittedStep::Bins(found) = &chain.steps()[0] else { panic!() };
                let counted = !matches!(rule, BinRule::MinimumDescription);
                prop_assert!(!counted || found.bins() <= bins);
                let constant = found.edges()[0] == found.edges()[1];
                for ((x, y), &code) in cells.iter().zip(numbers(&back)).zip(codes(&parts[0])) {
                    let lost = lowest == Lowest::Missing && *x == least && !constant;
                    prop_assert_eq!(x.is_nan() || lost, y.is_nan());
                    prop_assert_eq!(x.is_nan() || lost, code == MISSING);
                    if !y.is_nan() {
                        let (low, high) = (found.edges()[code as usize], found.edges()[code as usize + 1]);
                        prop_assert!(low <= *x && *x <= high, "{} in [{}, {}]", x, low, high);
                        prop_assert!(low <= *y && *y <= high, "{} in [{}, {}]", y, low, high);
                    }
                }
                prop_assert_eq!(chain.encode(back, &mut rng()).unwrap(), parts);
            }
        }
    }

    #[test]
    fn modes_bring_cells_back_unless_they_are_cut(cells in column()) {
        let soft = Step::SoftModes { components: 5 };
        let drawn = Step::Modes { components: 10, threshold: 0.005 };
        // Double precision for TGAN's places, single precision for CTGAN's.
        for (step, precision) in [(soft, 1e-11), (drawn, 1e-5)] {
            let (parts, back) = round_trip(&[step], &cells);
            let size = size(&cells);
            prop_assert_eq!(parts.len(), 2);
            for ((x, y), place) in cells.iter().zip(&back).zip(numbers(&parts[0])) {
                prop_assert_eq!(x.is_nan(), y.is_nan());
                prop_assert!(x.is_nan() || place.abs() <= 0.99 + 1e-6);
                let cut = place.abs() > 0.9899;
                prop_assert!(x.is_nan() || cut || (x - y).abs() <= precision * size, "{} {}", x, y);
            }
        }
    }

    #[test]
    fn filled_cells_become_missing_again(cells in column(), fill in -9f64..9.0) {
        for fill in [Fill::Mean, Fill::Median, Fill::Draw, Fill::Number(fill)] {
            let (parts, back) = round_trip(&[Step::NullIndicator { fill }, Step::Standard], &cells);
            prop_assert!(numbers(&parts[0]).iter().all(|cell| cell.is_finite()));
            prop_assert_eq!(parts.len(), 1 + usize::from(cells.iter().any(|cell| cell.is_nan())));
            let size = size(&cells).max(9.0);
            assert_back(&cells, &back, |_| 1e-12 * size);
        }
    }

    #[test]
    fn codes_come_back_exactly_whatever_their_order(cells in levels()) {
        let names: Vec<String> = (0..40).map(|level| format!("l{}", level * 7 % 40)).collect();
        let spec = ColumnSpec::category("c", names).nullable();
        for order in [LevelOrder::Given, LevelOrder::Code, LevelOrder::Text, LevelOrder::Frequency] {
            for missing in [None, Some(-1.0), Some(99.0)] {
                let steps = [
                    Step::Ordinal { order, missing },
                    Step::YeoJohnson { powers: Powers::Reversible },
                    Step::Standard,
                ];
                let column = Column::Codes(cells.clone());
                let chain = Chain::fit(&steps, &spec, &column, None, &mut rng()).unwrap();
                let parts = chain.encode(column.clone(), &mut rng()).unwrap();
                let filled = numbers(&parts[0]).iter().all(|cell| cell.is_finite());
                prop_assert!(filled || missing.is_none());
                prop_assert_eq!(chain.decode(parts, &mut rng()).unwrap(), column);
            }
        }
    }

    #[test]
    fn frequent_levels_come_back_and_rare_ones_stay_rare(cells in levels(), below in 0u64..9) {
        let count = |code: u32| cells.iter().filter(|&&cell| cell == code).count() as u64;
        let column = Column::Codes(cells.clone());
        let steps = [Step::MissingLevel, Step::GroupRare { below }];
        let chain = fit(&steps, &column);
        let parts = chain.encode(column, &mut rng()).unwrap();
        let back = chain.decode(parts.clone(), &mut rng()).unwrap();
        prop_assert!(codes(&parts[0]).iter().all(|&code| code != MISSING));
        for (&cell, &back) in cells.iter().zip(codes(&back)) {
            let kept = if count(cell) < below { count(back) < below } else { cell == back };
            prop_assert!(kept, "{} came back as {}", cell, back);
        }
    }

    #[test]
    fn moments_come_back_in_every_unit(seconds in prop::collection::vec(-9_000_000_000i64..9_000_000_000, 1..50)) {
        let seconds: Vec<f64> = seconds.iter().map(|&second| second as f64).collect();
        let format = "%Y-%m-%d %H:%M:%S".to_owned();
        let spec = ColumnSpec::new("t", ColumnKind::Datetime { format: format.clone() });
        for unit in [DateUnit::Days, DateUnit::Seconds] {
            let column = Column::Numbers(seconds.clone());
            let chain = Chain::fit(&[Step::Date { unit }], &spec, &column, None, &mut rng()).unwrap();
            let parts = chain.encode(column.clone(), &mut rng()).unwrap();
            prop_assert_eq!(chain.decode(parts, &mut rng()).unwrap(), column);
        }
        let parts = DateParts::encode(&seconds).unwrap();
        prop_assert_eq!(DateParts::decode(&parts).unwrap(), seconds.clone());
        let text = DateText::new(format).unwrap();
        let written = text.decode(&seconds).unwrap();
        prop_assert_eq!(text.encode(&written).unwrap(), seconds);
    }

    #[test]
    fn records_come_back_from_a_square(record in prop::collection::vec(-1f32..1.0, 1..200)) {
        for padding in [Padding::Zero, Padding::Repeat] {
            let known = SquareMatrix::of_known_side(record.len(), padding).unwrap();
            for square in [SquareMatrix::smallest(record.len(), padding), known] {
                let mut matrix = vec![9.0; square.side() * square.side()];
                square.write(&record, &mut matrix).unwrap();
                let copies = if padding == Padding::Zero { 1 } else { matrix.len() / record.len() };
                for (at, &cell) in matrix.iter().enumerate() {
                    let copied = at < copies * record.len();
                    prop_assert_eq!(cell, if copied { record[at % record.len()] } else { 0.0 });
                }
                let mut back = vec![0.0; record.len()];
                square.read(&matrix, &mut back).unwrap();
                prop_assert_eq!(&back, &record);
            }
        }
    }
}
