//! Rewriting a table under its constraints and restoring it, for any table that obeys them and for
//! whatever a model may draw.

use meg_core::{
    Artifact, Bound, Column, ColumnKind, ColumnSpec, Constraint, Error, Event, FitContext, Fitted,
    MISSING, Observer, Result, SampleContext, SampleRequest, Schema, Seed, Silent, Synthesizer,
    Table,
};
use proptest::prelude::*;
use rand::Rng as _;
use transforms::constraints::{Constrained, Facts, Rewriting};

fn order(low: &str, high: &str) -> Constraint {
    Constraint::Order { low: low.into(), high: high.into() }
}

/// A chain of orders with ranges at both of its ends, dates, a sum with a positive part that can
/// be missing, a positive number of open precision, fixed pairs with missing cells.
fn schema() -> Schema {
    let date =
        |name, format: &str| ColumnSpec::new(name, ColumnKind::Datetime { format: format.into() });
    let columns = vec![
        ColumnSpec::category("city", ["Aa", "Bb", "Cc", "never"]).nullable(),
        ColumnSpec::number("low", 2).nullable(),
        ColumnSpec::number("middle", 0).nullable(),
        ColumnSpec::number("high", 1),
        date("born", "%Y-%m-%d"),
        date("seen", "%Y-%m-%d %H:%M").nullable(),
        ColumnSpec::category("county", ["u", "v"]).nullable(),
        ColumnSpec::number("part", 2).nullable(),
        ColumnSpec::number("other", 1),
        ColumnSpec::number("total", 1).nullable(),
        ColumnSpec::number("dose", None),
        ColumnSpec::new("key", ColumnKind::Identifier),
    ];
    let range = |column: &str, least: Option<f64>, most: Option<f64>| Constraint::Range {
        column: column.into(),
        least: least.map(Bound::Number),
        most: most.map(Bound::Number),
    };
    Schema::new(columns)
        .unwrap()
        .with_constraints(vec![
            order("low", "middle"),
            order("middle", "high"),
            order("low", "high"),
            order("born", "seen"),
            range("low", Some(-20.0), None),
            range("high", None, Some(50.55)),
            range("other", Some(-5.0), None),
            Constraint::Range {
                column: "seen".into(),
                least: None,
                most: Some(Bound::Text("1990-01-01 00:00".into())),
            },
            Constraint::Sum { total: "total".into(), parts: vec!["part".into(), "other".into()] },
            Constraint::Positive { column: "part".into() },
            Constraint::Positive { column: "dose".into() },
            Constraint::Combinations { columns: vec!["city".into(), "county".into()] },
        ])
        .unwrap()
}

/// The greatest moment of `seen`.
const LAST_SEEN: f64 = 7_305.0 * 86_400.0;

/// Rows that obey the schema. Beside missing cells, the others are free of what these would ask.
fn table(rows: usize, seed: u64) -> Table {
    let schema = schema();
    let mut rng = Seed(seed).stream("rows");
    let mut numbers = vec![Vec::new(); 9];
    let (mut cities, mut counties, mut keys) = (vec![], vec![], vec![]);
    let snap = |name: &str, value: f64| schema.columns[schema.find(name).unwrap()].snap(value);
    for row in 0..rows {
        let mut gone =
            |share: f64, value: f64| if rng.random_bool(share) { f64::NAN } else { value };
        let low = gone(0.2, 0.0);
        let middle = gone(0.2, 0.0);
        let seen = gone(0.3, 0.0);
        let part = gone(0.2, 0.0);
        let total = gone(0.1, 0.0);
        let low = low + snap("low", rng.random_range(-20.0..30.0));
        let free: f64 = rng.random_range(-90.0..30.0);
        let middle = middle + (if low.is_nan() { free } else { low + free.abs() / 10.0 }).ceil();
        let floor = low.max(middle);
        let high = if floor.is_nan() { free } else { floor + 0.05 + rng.random_range(0.0..9.0) };
        let high = snap("high", high);
        let born = f64::from(rng.random_range(-9_000..9_000)) * 86_400.0;
        let seen = seen + born + f64::from(rng.random_range(0..90_000)) * 60.0;
        let seen = if seen > LAST_SEEN { f64::NAN } else { seen };
        let part = part + snap("part", rng.random_range(0.01..20.0));
        let other = snap("other", rng.random_range(-5.0..5.0));
        let sum = if part.is_nan() { rng.random_range(-90.0..9.0) } else { part + other };
        let total = snap("total", total + sum);
        let dose = f64::exp(rng.random_range(-20.0..20.0));
        let row_numbers = [low, middle, high, born, seen, part, other, total, dose];
        numbers.iter_mut().zip(row_numbers).for_each(|(cells, cell)| cells.push(cell));
        let (city, county) =
            [(0, 0), (1, 0), (2, 1), (MISSING, 1), (MISSING, MISSING)][rng.random_range(0..5)];
        cities.push(city);
        counties.push(county);
        keys.push(Some(format!("key {row}")));
    }
    let mut numbers = numbers.into_iter().map(Column::Numbers);
    let mut next = || numbers.next().unwrap();
    let columns = vec![
        Column::Codes(cities),
        next(),
        next(),
        next(),
        next(),
        next(),
        Column::Codes(counties),
        next(),
        next(),
        next(),
        next(),
        Column::Texts(keys),
    ];
    Table::new(schema.clone(), columns).unwrap()
}

/// What a careless model may draw: anything that the rewritten columns can hold, in the scale of
/// the training rows and far outside.
fn noise(schema: &Schema, rows: usize, scale: f64, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("noise");
    let columns = schema.columns.iter().map(|spec| match &spec.kind {
        ColumnKind::Category { levels, .. } => {
            let code = |_| match spec.nullable && rng.random_bool(0.2) {
                true => MISSING,
                false => rng.random_range(0..levels.len() as u32),
            };
            Column::Codes((0..rows).map(code).collect())
        }
        ColumnKind::Number { .. } | ColumnKind::Datetime { .. } => {
            let cell = |_| match spec.nullable && rng.random_bool(0.2) {
                true => f64::NAN,
                false => spec.snap(rng.random_range(-scale..scale)),
            };
            Column::Numbers((0..rows).map(cell).collect())
        }
        ColumnKind::Identifier | ColumnKind::Text => {
            Column::Texts((0..rows).map(|row| Some(format!("fresh {row}"))).collect())
        }
    });
    Table::new(schema.clone(), columns.collect()).unwrap()
}

fn assert_same(real: &Table, restored: &Table) {
    assert_eq!(real.schema(), restored.schema());
    for ((spec, real), (_, restored)) in real.iter().zip(restored.iter()) {
        let (Column::Numbers(real), Column::Numbers(restored)) = (real, restored) else {
            assert_eq!(real, restored, "{}", spec.name);
            continue;
        };
        let tolerance = if spec.step().is_some() { 0.0 } else { 1e-12 };
        for (row, (a, b)) in real.iter().zip(restored).enumerate() {
            let close = (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs();
            assert!(close, "{} row {row}: {a} became {b}", spec.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn restoring_undoes_rewriting(seed in 0u64..1_000, rows in 1usize..80) {
        let table = table(rows, seed);
        let rewriting = Rewriting::learn(&table).unwrap();
        let inner = rewriting.rewrite(&table).unwrap();
        prop_assert!(inner.schema().constraints.is_empty());
        let restored = rewriting.restore(&inner).unwrap();
        assert_same(&table, &restored.table);
        prop_assert!(restored.moved.iter().all(|&cells| cells == 0), "{:?}", restored.moved);
    }

    // A `Table` obeys its schema, constraints included, or cannot be made: that restoring succeeds
    // is the claim.
    #[test]
    fn whatever_is_drawn_the_constraints_hold(seed in 0u64..1_000, power in -2i32..12) {
        let train = table(200, seed);
        let rewriting = Rewriting::learn(&train).unwrap();
        let drawn = noise(rewriting.inner_schema(), 150, 10f64.powi(power), seed);
        let restored = rewriting.restore(&drawn).unwrap().table;
        prop_assert_eq!(restored.rows(), 150);
        let pairs = |table: &Table| {
            let (city, county) = (table.codes(0).to_vec(), table.codes(6).to_vec());
            city.into_iter().zip(county).collect::<std::collections::BTreeSet<_>>()
        };
        prop_assert!(pairs(&restored).is_subset(&pairs(&train)));
        for row in 0..150 {
            let cell = |at: usize| restored.numbers(at)[row];
            // Comparisons with a missing cell are false.
            let broken = [
                cell(1) > cell(2),
                cell(2) > cell(3),
                cell(1) > cell(3),
                cell(4) > cell(5),
                cell(3) > 50.5,
                cell(1) < -20.0,
                cell(7) < 0.01,
                cell(10) <= 0.0,
                cell(8) < -5.0,
                cell(5) > LAST_SEEN,
            ];
            prop_assert_eq!(broken, [false; 10]);
        }
    }
}

/// Numbers of any size from 1e-300 to 1e300, and of any sign where asked for.
fn any_size(signs: bool) -> impl Strategy<Value = f64> {
    let sizes = prop_oneof![3 => -3f64..3.0, 1 => -300f64..300.0, 1 => Just(0.0)];
    (sizes, any::<bool>())
        .prop_map(move |(power, up)| if up || !signs { 1.0 } else { -1.0 } * 10f64.powf(power))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    // The difference of an order is a double, so that what is lost is a share of the largest cell.
    #[test]
    fn orders_of_open_precision_come_back_up_to_the_largest_of_their_cells(
        rows in prop::collection::vec((any_size(true), any_size(true), any_size(true)), 1..30)
    ) {
        let columns = ["low", "middle", "high"].map(|name| ColumnSpec::number(name, None));
        let schema = Schema::new(columns.to_vec())
            .and_then(|schema| schema.with_constraints(vec![order("low", "middle"), order("middle", "high")]))
            .unwrap();
        let mut cells = vec![Vec::new(); 3];
        for (a, b, c) in rows {
            let mut row = [a, b, c];
            row.sort_by(f64::total_cmp);
            cells.iter_mut().zip(row).for_each(|(cells, cell)| cells.push(cell));
        }
        let columns = cells.iter().cloned().map(Column::Numbers).collect();
        let table = Table::new(schema, columns).unwrap();
        let rewriting = Rewriting::learn(&table).unwrap();
        // That a table can be made says that its orders hold.
        let restored = rewriting.restore(&rewriting.rewrite(&table).unwrap()).unwrap();
        prop_assert_eq!(restored.table.numbers(0), table.numbers(0));
        prop_assert_eq!(&restored.moved, &[0, 0, 0]);
        for row in 0..table.rows() {
            let largest = cells.iter().map(|cells| cells[row].abs()).fold(0.0, f64::max);
            for (at, cells) in cells.iter().enumerate() {
                let (real, back) = (cells[row], restored.table.numbers(at)[row]);
                prop_assert!((real - back).abs() <= 1e-12 * largest, "{real} became {back}");
            }
        }
    }

    #[test]
    fn positive_numbers_come_back_to_the_last_decimal_or_to_twelve_digits(
        open in prop::collection::vec(any_size(false), 20),
        cents in prop::collection::vec((0u32..14, 1u64..10), 20),
    ) {
        let columns = vec![ColumnSpec::number("open", None), ColumnSpec::number("cents", 2)];
        let positive = |column: &str| Constraint::Positive { column: column.into() };
        let schema = Schema::new(columns)
            .and_then(|schema| schema.with_constraints(vec![positive("open"), positive("cents")]))
            .unwrap();
        // Up to 10^13 cents, with all digits in use.
        let cents = cents.iter().map(|&(power, digit)| {
            ((10u64.pow(power) * digit / 10).max(1) + digit) as f64 / 100.0
        });
        let cells = vec![Column::Numbers(open), Column::Numbers(cents.collect())];
        let table = Table::new(schema, cells).unwrap();
        let rewriting = Rewriting::learn(&table).unwrap();
        let restored = rewriting.restore(&rewriting.rewrite(&table).unwrap()).unwrap();
        assert_same(&table, &restored.table);
        prop_assert_eq!(&restored.moved, &[0, 0]);
    }
}

#[test]
fn what_an_order_loses_beside_a_far_low_cell_is_what_its_law_says() {
    let columns = vec![ColumnSpec::number("low", None), ColumnSpec::number("high", None)];
    let schema = Schema::new(columns)
        .and_then(|schema| schema.with_constraints(vec![order("low", "high")]))
        .unwrap();
    let cells = vec![Column::Numbers(vec![-1e20]), Column::Numbers(vec![1.0])];
    let table = Table::new(schema.clone(), cells).unwrap();
    let rewriting = Rewriting::learn(&table).unwrap();
    let restored = rewriting.restore(&rewriting.rewrite(&table).unwrap()).unwrap();
    assert_eq!(restored.table.numbers(1), [0.0]);
    // A difference that no double holds is refused by name.
    let cells = vec![Column::Numbers(vec![-1.7e308]), Column::Numbers(vec![1.7e308])];
    let error = rewriting.rewrite(&Table::new(schema, cells).unwrap()).unwrap_err().to_string();
    assert!(error.contains("row 1: column \"high\"") && error.contains("not finite"), "{error}");
}

#[test]
fn models_see_differences_logarithms_parts_and_pairs() {
    let table = table(400, 3);
    let rewriting = Rewriting::learn(&table).unwrap();
    let inner = rewriting.rewrite(&table).unwrap();
    let names: Vec<&str> = inner.schema().columns.iter().map(|spec| spec.name.as_str()).collect();
    let expected = [
        "city + county",
        "low",
        "middle",
        "middle alone",
        "high",
        "high alone",
        "born",
        "seen",
        "part",
        "other",
        "total alone",
        "total missing",
        "dose",
        "key",
    ];
    assert_eq!(names, expected);
    assert_eq!(inner.schema().columns[0].levels().len(), 5);
    assert!(inner.schema().columns[0].levels().contains(&"[\"Aa\",\"u\"]".to_owned()));
    let at = |name: &str| inner.schema().find(name).unwrap();
    for row in 0..table.rows() {
        let minutes = inner.numbers(at("seen"))[row];
        let real = (table.numbers(5)[row] - table.numbers(4)[row]) / 60.0;
        assert!(minutes == real || (minutes.is_nan() && real.is_nan()));
        assert_eq!(inner.numbers(at("dose"))[row], table.numbers(10)[row].ln());
    }
}

#[test]
fn drawn_values_beyond_a_bound_are_moved_to_it_and_counted() {
    let columns = vec![ColumnSpec::number("x", 1), ColumnSpec::number("y", 0)];
    let range =
        Constraint::Range { column: "x".into(), least: Some(Bound::Number(0.25)), most: None };
    let schema =
        Schema::new(columns).unwrap().with_constraints(vec![range, order("x", "y")]).unwrap();
    let numbers = |cells: &[f64]| Column::Numbers(cells.to_vec());
    let train = Table::new(schema, vec![numbers(&[0.3, 2.0]), numbers(&[1.0, 2.0])]).unwrap();
    let rewriting = Rewriting::learn(&train).unwrap();
    let inner = rewriting.inner_schema().clone();
    let drawn =
        Table::new(inner, vec![numbers(&[0.2, 0.5, 1.4]), numbers(&[3.0, -7.0, 0.1])]).unwrap();
    let restored = rewriting.restore(&drawn).unwrap();
    assert_eq!(restored.table.numbers(0), [0.3, 0.5, 1.4]);
    assert_eq!(restored.table.numbers(1), [3.0, 1.0, 2.0], "rounded up where down would be below");
    assert_eq!(restored.moved, [1, 1]);
}

#[test]
fn a_bound_asks_nothing_of_a_row_in_which_its_cell_is_missing() {
    let columns =
        || vec![ColumnSpec::number("low", 0).nullable(), ColumnSpec::number("high", 0).nullable()];
    let range = |column: &str, least: Option<f64>, most: Option<f64>| Constraint::Range {
        column: column.into(),
        least: least.map(Bound::Number),
        most: most.map(Bound::Number),
    };
    for (bound, low, high, bounds) in [
        (range("low", Some(0.0), None), f64::NAN, -5.0, [(0.0, f64::MAX), (f64::MIN, f64::MAX)]),
        (range("high", None, Some(3.0)), 9.0, f64::NAN, [(f64::MIN, f64::MAX), (f64::MIN, 3.0)]),
    ] {
        let schema = Schema::new(columns())
            .and_then(|schema| schema.with_constraints(vec![order("low", "high"), bound]))
            .unwrap();
        let cells = [vec![low, 1.0], vec![high, 2.0]].map(Column::Numbers);
        let table = Table::new(schema, cells.to_vec()).unwrap();
        let rewriting = Rewriting::learn(&table).unwrap();
        let restored = rewriting.restore(&rewriting.rewrite(&table).unwrap()).unwrap();
        assert_same(&table, &restored.table);
        assert_eq!(restored.moved, [0, 0]);
        assert_eq!(rewriting.schema().bounds().unwrap(), bounds);
    }
}

#[test]
fn damaged_facts_and_strange_tables_are_refused() {
    let train = table(50, 1);
    let rewriting = Rewriting::learn(&train).unwrap();
    let good = rewriting.facts().clone();
    let damage: [fn(&mut Facts); 6] = [
        |facts| facts.combinations.clear(),
        |facts| facts.combinations[0][0][0] = Some(99),
        |facts| facts.combinations[0].reverse(),
        |facts| facts.combinations[0][1].push(None),
        |facts| facts.apart = vec![0],
        |facts| facts.silent = vec![1_000],
    ];
    for (case, damage) in damage.iter().enumerate() {
        let mut facts = good.clone();
        damage(&mut facts);
        assert!(Rewriting::new(train.schema().clone(), facts).is_err(), "case {case}");
    }
    assert!(rewriting.restore(&train).is_err());
    let unseen = {
        let mut columns = train.columns().to_vec();
        columns[0] = Column::Codes(vec![3; 50]);
        Table::new(train.schema().clone(), columns).unwrap()
    };
    let message = rewriting.rewrite(&unseen).unwrap_err().to_string();
    assert!(message.contains("row 1") && message.contains("never"), "{message}");
    assert!(Rewriting::learn(&Table::empty(schema()).unwrap()).is_err());
}

/// A model that fills a missing cell with any value of its training column.
#[derive(Debug, Clone)]
struct HotDeck(Option<Table>);

impl Synthesizer for HotDeck {
    fn fit(&self, train: &Table, _: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(HotDeck(Some(train.clone()))))
    }
}

impl Fitted for HotDeck {
    fn sample(&self, _: &SampleRequest, _: &mut SampleContext<'_>) -> Result<Table> {
        Err(Error::data("it only fills cells"))
    }

    fn impute(&self, rows: &Table, ctx: &mut SampleContext<'_>) -> Result<Option<Table>> {
        let train = self.0.as_ref().expect("it is fitted");
        let mut columns = rows.columns().to_vec();
        for (column, donors) in columns.iter_mut().zip(train.columns()) {
            let known: Vec<usize> =
                (0..train.rows()).filter(|&at| !donors.is_missing(at)).collect();
            for row in (0..rows.rows()).filter(|_| !known.is_empty()) {
                let donor = known[ctx.rng.random_range(0..known.len())];
                if !column.is_missing(row) {
                    continue;
                }
                match (&mut *column, donors) {
                    (Column::Numbers(cells), Column::Numbers(new)) => cells[row] = new[donor],
                    (Column::Codes(cells), Column::Codes(new)) => cells[row] = new[donor],
                    _ => {}
                }
            }
        }
        Table::new(rows.schema().clone(), columns).map(Some)
    }

    fn save(&self) -> Result<Artifact> {
        Err(Error::data("it is never saved"))
    }
}

#[derive(Default)]
struct Notes(Vec<String>);

impl Observer for Notes {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Note { text } = event {
            self.0.push((*text).to_owned());
        }
    }
}

/// Chains of orders, ranges, sums with other decimals, partly known pairs: whatever the model fills
/// in, all constraints hold, known cells stay, and every row that keeps a gap is counted in a note.
#[test]
fn missing_cells_are_filled_so_that_the_constraints_hold() {
    let train = table(400, 1);
    let mut silent = Silent;
    let mut ctx = FitContext::new(Seed(1), &mut silent);
    let model = Constrained::new(Box::new(HotDeck(None))).fit(&train, &mut ctx).unwrap();
    // Rows with missing cells of their own, of which some leave no value that would be right (a part
    // of a total below the other part, say), and a few gaps more.
    let rows = table(400, 2);
    let whole: Vec<bool> =
        (0..400).map(|row| !rows.columns().iter().any(|column| column.is_missing(row))).collect();
    let mut rng = Seed(3).stream("gaps");
    let mut columns = rows.columns().to_vec();
    for (column, spec) in columns.iter_mut().zip(&rows.schema().columns) {
        for row in (0..400).filter(|_| spec.nullable) {
            match column {
                Column::Numbers(cells) if rng.random_bool(0.2) => cells[row] = f64::NAN,
                Column::Codes(cells) if rng.random_bool(0.2) => cells[row] = MISSING,
                _ => {}
            }
        }
    }
    let rows = Table::new(rows.schema().clone(), columns).unwrap();
    let mut notes = Notes::default();
    let rng = Seed(4).stream("impute");
    let mut ctx = SampleContext { rng, threads: 1, observer: &mut notes };
    // That the constraints hold in it is a promise of a table.
    let filled = model.impute(&rows, &mut ctx).unwrap().unwrap();
    let gaps = |table: &Table, row: usize| {
        table.columns().iter().filter(|column| column.is_missing(row)).count()
    };
    let (mut left, mut left_of_whole) = (0, 0);
    for (row, &was_whole) in whole.iter().enumerate() {
        let kept = |at: usize| {
            rows.columns()[at].is_missing(row) || rows.text(row, at) == filled.text(row, at)
        };
        assert!((0..rows.columns().len()).all(kept), "row {row}: a known cell has changed");
        assert!(gaps(&filled, row) == 0 || gaps(&filled, row) == gaps(&rows, row), "row {row}");
        left += usize::from(gaps(&filled, row) > 0);
        left_of_whole += usize::from(was_whole && gaps(&filled, row) > 0);
    }
    let told = |note: &String| -> usize {
        assert!(note.contains("stay unfilled"), "{note}");
        note.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert_eq!(notes.0.iter().map(told).sum::<usize>(), left, "{:?}", notes.0);
    let whole = (0..400).filter(|&row| whole[row] && gaps(&rows, row) > 0).count();
    assert!(whole > 50 && left_of_whole <= whole / 20, "{left_of_whole} of {whole}: {:?}", notes.0);
    let pair = |row: usize| (filled.codes(0)[row], filled.codes(6)[row]);
    let known = [(0, 0), (1, 0), (2, 1)];
    assert!((0..400).all(|row| gaps(&filled, row) > 0 || known.contains(&pair(row))));
    // Both cities of the county are equally frequent.
    let open = |row: &usize| rows.columns()[0].is_missing(*row) && rows.codes(6)[*row] == 0;
    let of: Vec<u32> = (0..400).filter(open).map(|row| filled.codes(0)[row]).collect();
    let first = of.iter().filter(|&&city| city == 0).count() as f64 / of.len() as f64;
    assert!(of.len() > 20 && (0.25..0.75).contains(&first), "{first} of {}", of.len());
}
