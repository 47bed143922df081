//! What transforms of codes must do beyond coming back.

mod data;

use meg_core::{Column, ColumnSpec, MISSING, Rng, Schema, Seed, Table};
use proptest::prelude::*;
use rand::Rng as _;
use transforms::{
    BinaryCode, ColumnTransform, GroupRare, HashedCode, LevelOrder, MirrorFlag, MirrorFlags,
    OneHot, Ordinal, SmoothedOneHot, UnitCode,
};

fn rng() -> Rng {
    Seed(3).stream("codes")
}

fn unit_codes(levels: usize) -> Vec<Box<dyn UnitCode>> {
    vec![
        Box::new(OneHot::new(levels)),
        Box::new(SmoothedOneHot::new(levels, 0.2).unwrap()),
        Box::new(BinaryCode::new(levels)),
        Box::new(HashedCode::new(levels, 3, 64).unwrap()),
    ]
}

#[test]
fn every_code_comes_back_from_its_units() {
    for levels in [1, 2, 3, 7, 64, 300] {
        for code in unit_codes(levels) {
            assert_eq!(code.levels(), levels);
            let mut units = vec![0.0; code.width()];
            for level in 0..levels as u32 {
                code.write(level, &mut units, &mut rng()).unwrap();
                assert!(units.iter().all(|unit| (0.0..=1.0).contains(unit)), "{code:?}");
                assert_eq!(code.read(&units), level, "{code:?}");
            }
            let error = code.write(levels as u32, &mut units, &mut rng()).unwrap_err();
            assert!(error.to_string().contains("levels"), "{error}");
            assert!(code.write(MISSING, &mut units, &mut rng()).is_err());
        }
    }
}

#[test]
fn any_units_are_read_as_a_known_code() {
    let mut rng = rng();
    for code in unit_codes(11) {
        for _ in 0..500 {
            let units: Vec<f32> = (0..code.width()).map(|_| rng.random()).collect();
            assert!((code.read(&units) as usize) < 11, "{code:?}");
        }
    }
}

#[test]
fn many_levels_take_few_units() {
    let levels = 100_000;
    let codes: [(Box<dyn UnitCode>, usize); 2] = [
        (Box::new(BinaryCode::new(levels)), 17),
        (Box::new(HashedCode::new(levels, 5, 64).unwrap()), 320),
    ];
    for (code, width) in codes {
        assert_eq!(code.width(), width);
        let mut units = vec![0.0; width];
        for level in (0..levels as u32).step_by(97) {
            code.write(level, &mut units, &mut rng()).unwrap();
            assert_eq!(code.read(&units), level);
        }
    }
    let error = HashedCode::new(100_000, 2, 64).unwrap_err().to_string();
    assert!(error.contains("cannot tell 100000 levels apart"), "{error}");
    let error = SmoothedOneHot::new(3, 1.0).unwrap_err().to_string();
    assert!(error.contains("gamma"), "{error}");
}

#[test]
fn a_code_without_levels_answers_that_there_is_none() {
    let codes: [Box<dyn UnitCode>; 4] = [
        Box::new(OneHot::new(0)),
        Box::new(SmoothedOneHot::new(0, 0.2).unwrap()),
        Box::new(BinaryCode::new(0)),
        Box::new(HashedCode::new(0, 2, 4).unwrap()),
    ];
    for code in codes {
        assert_eq!(code.read(&vec![0.5; code.width()]), MISSING, "{code:?}");
    }
}

#[test]
fn a_damaged_hashed_code_cannot_ask_for_a_table_of_a_billion_levels() {
    let error = HashedCode::new(1 << 21, 8, 256).unwrap_err().to_string();
    assert!(error.contains("`levels`") && error.contains("at most 1048576"), "{error}");
    let read = |levels: usize, buckets: usize| {
        let text = format!("{{\"levels\":{levels},\"hashes\":8,\"buckets\":{buckets},\"salt\":3}}");
        serde_json::from_str::<HashedCode>(&text)
    };
    assert!(read(1 << 30, 256).is_err());
    // Three levels more than there are tuples of buckets.
    assert!(read(259, 2).is_err());
    assert_eq!(read(100, 256).unwrap().levels(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn units_come_back_and_any_units_are_a_known_code(
        levels in 1usize..400,
        units in prop::collection::vec(-1f32..2.0, 400),
        seed in 0u64..1_000,
    ) {
        let mut rng = Seed(seed).stream("units");
        for code in unit_codes(levels) {
            let level = rng.random_range(0..levels as u32);
            let mut written = vec![0.0; code.width()];
            code.write(level, &mut written, &mut rng).unwrap();
            prop_assert_eq!(code.read(&written), level);
            prop_assert!((code.read(&units[..code.width()]) as usize) < levels);
        }
    }

    #[test]
    fn flags_come_back_and_a_restored_table_obeys_them(
        rows in prop::collection::vec((any::<bool>(), any::<bool>(), 0u32..2), 1..60)
    ) {
        let schema = Schema::new(vec![
            ColumnSpec::category("first known", ["n", "y"]),
            ColumnSpec::number("first", 0).nullable(),
            ColumnSpec::category("free", ["a", "b"]),
            ColumnSpec::category("second", ["low", "high"]).nullable(),
            ColumnSpec::category("second known", ["y", "n"]),
        ]).unwrap();
        let columns = |rows: &[(bool, bool, u32)]| vec![
            Column::Codes(rows.iter().map(|row| u32::from(row.0)).collect()),
            Column::Numbers(rows.iter().map(|row| if row.0 { 3.0 } else { f64::NAN }).collect()),
            Column::Codes(rows.iter().map(|row| row.2).collect()),
            Column::Codes(rows.iter().map(|row| if row.1 { row.2 } else { MISSING }).collect()),
            Column::Codes(rows.iter().map(|row| u32::from(!row.1)).collect()),
        ];
        let table = Table::new(schema.clone(), columns(&rows)).unwrap();
        let flags = MirrorFlags::find(&table);
        let stripped = flags.strip(&table).unwrap();
        prop_assert_eq!(&flags.restore(&stripped, &schema).unwrap(), &table);
        // Whatever is missing afterwards, the restored flags say so.
        let mixed: Vec<_> = rows.iter().rev().map(|row| (row.1, row.0, row.2)).collect();
        let mixed = Table::new(schema.clone(), columns(&mixed)).unwrap();
        let names: Vec<&str> =
            stripped.schema().columns.iter().map(|spec| spec.name.as_str()).collect();
        let kept: Vec<usize> = names.iter().map(|name| schema.find(name).unwrap()).collect();
        let restored = flags.restore(&mixed.select_columns(&kept).unwrap(), &schema).unwrap();
        for flag in flags.flags() {
            let (at, of) = (schema.find(&flag.flag).unwrap(), schema.find(&flag.of).unwrap());
            for row in 0..restored.rows() {
                let says = match restored.columns()[of].is_missing(row) {
                    true => &flag.missing,
                    false => &flag.present,
                };
                let text = restored.text(row, at);
                prop_assert_eq!(text.as_ref(), Some(says));
            }
        }
    }
}

#[test]
fn a_hashed_code_is_the_same_after_reading_it_from_a_file() {
    let code = HashedCode::new(500, 3, 32).unwrap();
    let written = serde_json::to_string(&code).unwrap();
    assert!(written.len() < 100, "the levels are not written: {written}");
    assert_eq!(serde_json::from_str::<HashedCode>(&written).unwrap(), code);
    let damaged = written.replace("\"buckets\":32", "\"buckets\":1");
    assert!(serde_json::from_str::<HashedCode>(&damaged).is_err());
}

#[test]
fn units_of_a_hashed_code_are_read_as_the_likeliest_level() {
    let code = HashedCode::new(40, 2, 16).unwrap();
    let (mut first, mut second) = (vec![0.0; 32], vec![0.0; 32]);
    code.write(7, &mut first, &mut rng()).unwrap();
    code.write(23, &mut second, &mut rng()).unwrap();
    // Mostly level 7, but the largest unit of the second hash is that of level 23.
    let mixed: Vec<f32> =
        (0..32)
            .map(|at| {
                if at < 16 { 0.98 * first[at] + 1e-4 } else { 0.45 * first[at] + 0.55 * second[at] }
            })
            .collect();
    assert_eq!(code.read(&mixed), 7);
}

#[test]
fn smoothing_is_that_of_tgan() {
    let code = SmoothedOneHot::new(4, 0.2).unwrap();
    let (mut rng, mut units, mut sums) = (rng(), [0.0; 4], [0.0f64; 4]);
    let draws = 20_000;
    for _ in 0..draws {
        code.write(2, &mut units, &mut rng).unwrap();
        assert!((units.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        sums.iter_mut().zip(&units).for_each(|(sum, &unit)| *sum += f64::from(unit));
    }
    // The expected units of (1 + 0.2 U) / (1 + 0.2 (U + U' + U'' + U''')) and of 0.2 U' over the
    // same, by a simulation of a million draws elsewhere.
    let means = sums.map(|sum| sum / f64::from(draws));
    assert!((means[2] - 0.7894).abs() < 0.002, "{means:?}");
    assert!((means[0] - 0.0702).abs() < 0.002, "{means:?}");
    assert!((means[1] - means[3]).abs() < 0.002, "{means:?}");
}

#[test]
fn a_group_of_rare_levels_keeps_their_frequencies() {
    // Level 0 in 900 rows, levels 1, 2 and 3 in 60, 30 and 10.
    let level = |row: u32| match row {
        0..900 => 0,
        900..960 => 1,
        960..990 => 2,
        _ => 3,
    };
    let cells: Vec<u32> = (0..1_000).map(level).collect();
    let group = GroupRare::fit(&cells, 100);
    assert_eq!(group.levels(), 2);
    let encoded = Column::Codes(vec![1; 100_000]);
    let Column::Codes(drawn) = group.decode(encoded.into(), &mut rng()).unwrap() else { panic!() };
    for (level, share) in [(1, 0.6), (2, 0.3), (3, 0.1)] {
        let found = drawn.iter().filter(|&&cell| cell == level).count() as f64 / 1e5;
        assert!((found - share).abs() < 0.006, "{level}: {found}");
    }
    // A level that training never saw is as rare as can be; without a group it is refused.
    let unseen = group.encode(Column::Codes(vec![0, 9]), &mut rng()).unwrap();
    assert_eq!(unseen.main, Column::Codes(vec![0, 1]));
    let error = GroupRare::fit(&cells, 0).encode(Column::Codes(vec![0, 9]), &mut rng());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("level 9"), "{error}");
}

#[test]
fn ranks_are_in_the_order_asked_for() {
    let names = ["pear", "apple", "fig"].map(str::to_owned);
    let cells = [0, 0, 0, 1, 2, 2, MISSING];
    let ranks = |order, missing| {
        let ordinal = Ordinal::fit(&cells, &names, order, missing).unwrap();
        match ordinal.encode(Column::Codes(cells.to_vec()), &mut rng()).unwrap().main {
            Column::Numbers(ranks) => ranks,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ranks(LevelOrder::Given, Some(-1.0)), [0.0, 0.0, 0.0, 1.0, 2.0, 2.0, -1.0]);
    assert_eq!(ranks(LevelOrder::Text, Some(-1.0)), [2.0, 2.0, 2.0, 0.0, 1.0, 1.0, -1.0]);
    assert_eq!(ranks(LevelOrder::Frequency, Some(-1.0)), [0.0, 0.0, 0.0, 2.0, 1.0, 1.0, -1.0]);
    assert!(ranks(LevelOrder::Given, None)[6].is_nan());
    for missing in [1.0, -0.5, f64::NAN] {
        let error = Ordinal::fit(&cells, &names, LevelOrder::Given, Some(missing)).unwrap_err();
        assert!(error.to_string().contains("`missing`"), "{error}");
    }
    let error = Ordinal::fit(&cells, &[], LevelOrder::Text, None).unwrap_err().to_string();
    assert!(error.contains("`order`"), "{error}");
}

fn measured(rows: usize) -> Table {
    let mut rng = rng();
    let schema = Schema::new(vec![
        ColumnSpec::category("sick", ["f", "t"]),
        ColumnSpec::category("TSH measured", ["f", "t"]),
        ColumnSpec::number("TSH", 1).nullable(),
        ColumnSpec::category("T3 measured", ["y", "n"]),
        ColumnSpec::category("T3", ["low", "high"]).nullable(),
        ColumnSpec::category("nearly", ["f", "t"]),
    ]);
    let tsh: Vec<f64> = (0..rows).map(|row| if row % 3 == 0 { f64::NAN } else { 1.5 }).collect();
    let t3: Vec<u32> = (0..rows).map(|row| if row % 4 == 0 { MISSING } else { 1 }).collect();
    let says = |missing: bool, present: u32| if missing { 1 - present } else { present };
    let mut nearly: Vec<u32> = tsh.iter().map(|cell| says(cell.is_nan(), 1)).collect();
    nearly[5] = 1 - nearly[5];
    let columns = vec![
        Column::Codes((0..rows).map(|_| rng.random_range(0..2)).collect()),
        Column::Codes(tsh.iter().map(|cell| says(cell.is_nan(), 1)).collect()),
        Column::Numbers(tsh),
        Column::Codes(t3.iter().map(|&cell| says(cell == MISSING, 0)).collect()),
        Column::Codes(t3),
        Column::Codes(nearly),
    ];
    Table::new(schema.unwrap(), columns).unwrap()
}

#[test]
fn flags_that_mirror_missing_cells_are_found_and_kept_consistent() {
    let table = measured(60);
    let flags = MirrorFlags::find(&table);
    let flag = |flag: &str, of: &str, present: &str, missing: &str| MirrorFlag {
        flag: flag.into(),
        of: of.into(),
        present: present.into(),
        missing: missing.into(),
    };
    let found = [flag("TSH measured", "TSH", "t", "f"), flag("T3 measured", "T3", "y", "n")];
    assert_eq!(flags.flags(), found);
    let stripped = flags.strip(&table).unwrap();
    assert_eq!(stripped.columns().len(), 4);
    assert_eq!(flags.restore(&stripped, table.schema()).unwrap(), table);
    // Rows that no flag was made for: the restored flags follow what is missing.
    let rows: Vec<usize> = (0..60).rev().collect();
    let restored = flags.restore(&stripped.select_rows(&rows), table.schema()).unwrap();
    assert_eq!(restored, table.select_rows(&rows));
    let mut columns = table.columns().to_vec();
    columns[1] = Column::Codes(vec![1; 60]);
    let broken = Table::new(table.schema().clone(), columns).unwrap();
    let error = flags.strip(&broken).unwrap_err().to_string();
    assert!(error.contains("row 1: column \"TSH measured\": value \"t\""), "{error}");
}

/// Cells of `sick.data` without its last field, or nothing where the file is not there.
fn thyroid() -> Option<Table> {
    let text = data::read("thyroid/sick.data")?;
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let (mut specs, mut columns) = (Vec::new(), Vec::new());
    for at in 0..rows[0].len() - 1 {
        let known = rows.iter().map(|row| row[at]).filter(|cell| *cell != "?");
        let levels: std::collections::BTreeSet<&str> = known.collect();
        let levels: Vec<&str> = levels.into_iter().collect();
        let code = |row: &Vec<&str>| levels.binary_search(&row[at]).map_or(MISSING, |c| c as u32);
        columns.push(Column::Codes(rows.iter().map(code).collect()));
        specs.push(ColumnSpec::category(format!("c{at}"), levels).nullable());
    }
    Some(Table::new(Schema::new(specs).unwrap(), columns).unwrap())
}

#[test]
fn the_flags_of_the_thyroid_table_are_found() {
    let Some(table) = thyroid() else { return };
    let flags = MirrorFlags::find(&table);
    // `TSH measured` to `FTI measured`; `TBG measured` is never true, so it says nothing.
    let pairs = [(16, 17), (18, 19), (20, 21), (22, 23), (24, 25)];
    let flag = |(flag, of): (usize, usize)| MirrorFlag {
        flag: format!("c{flag}"),
        of: format!("c{of}"),
        present: "t".into(),
        missing: "f".into(),
    };
    assert_eq!(flags.flags(), pairs.map(flag));
    let stripped = flags.strip(&table).unwrap();
    assert_eq!(flags.restore(&stripped, table.schema()).unwrap(), table);
}
