//! Encoding and decoding hold little beside the table: the process, fits and table included, stays
//! below three times the table. Alone in its file, because the peak is that of the process.

use meg_core::{Column, ColumnSpec, Schema, Seed, Table};
use rand::Rng as _;
use transforms::{BinInverse, BinRule, LevelOrder, Lowest, Step, TablePlan};

const ROWS: usize = 400_000;

/// Nine numbers and six categories, 36.6 MiB.
fn table() -> Table {
    let mut rng = Seed(1).stream("table");
    let (mut specs, mut columns) = (Vec::new(), Vec::new());
    for at in 0..9 {
        specs.push(ColumnSpec::number(format!("n{at}"), None));
        let cell = |_| (-rng.random::<f64>().ln()).powi(1 + at % 3);
        columns.push(Column::Numbers((0..ROWS).map(cell).collect()));
    }
    for (at, levels) in [2, 5, 12, 50, 200, 1_000].into_iter().enumerate() {
        let names = (0..levels).map(|level| format!("l{level}"));
        specs.push(ColumnSpec::category(format!("c{at}"), names));
        columns.push(Column::Codes((0..ROWS).map(|_| rng.random_range(0..levels)).collect()));
    }
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

/// What the process held at most, in bytes; nothing where the system does not say.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<usize>().ok()? * 1024)
}

#[test]
fn the_peak_stays_below_three_times_the_table() {
    let Some(before) = peak() else {
        eprintln!("skipped: this system does not tell the peak of memory");
        return;
    };
    let table = table();
    let size = ROWS * (9 * size_of::<f64>() + 6 * size_of::<u32>());
    let bins = Step::Bins {
        rule: BinRule::EqualWidth { bins: 20 },
        inverse: BinInverse::Draw,
        lowest: Lowest::Included,
    };
    let code = Step::Ordinal { order: LevelOrder::Code, missing: None };
    for numbers in [vec![Step::Standard], vec![bins, code]] {
        let categories = vec![Step::Ordinal { order: LevelOrder::Frequency, missing: None }];
        let plan = TablePlan { numbers, categories, ..TablePlan::default() };
        let transform = plan.fit(&table, Seed(2), 2).unwrap();
        let encoded = transform.encode(&table, Seed(3), 2).unwrap();
        let decoded = transform.decode(encoded, Seed(4), 2).unwrap();
        assert_eq!(decoded.rows(), ROWS);
        let held = (peak().unwrap() - before) as f64 / size as f64;
        assert!(held < 3.0, "{held} times the table after {:?}", plan.numbers);
    }
}
