//! What masking promises, on invented people.

use meg_core::{Column, ColumnKind, ColumnSpec, Constraint, Role, Schema, Seed, Table};
use proptest::prelude::*;
use rand::Rng as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use transforms::masking::{Hierarchy, Key, Masked, Means, Rules};

const KEY: &[u8] = b"a secret of twenty bytes";

fn people(rows: usize) -> Table {
    let mut rng = Seed(5).stream("people");
    let text = |name: &str, kind| ColumnSpec::new(name, kind).nullable();
    let schema = Schema::new(vec![
        text("ssn", ColumnKind::Identifier),
        text("name", ColumnKind::Identifier),
        text("maiden", ColumnKind::Identifier),
        text("note", ColumnKind::Text),
        ColumnSpec::category("town", ["Aa", "Bb", "Cc", "nobody"]).nullable(),
        ColumnSpec::new("born", ColumnKind::Datetime { format: "%Y-%m-%d".into() }).nullable(),
        ColumnSpec::number("age", 0).nullable(),
        ColumnSpec::number("income", 2).nullable().role(Role::Sensitive),
        ColumnSpec::number("spent", 2).nullable(),
    ])
    .and_then(|schema| {
        let order = Constraint::Order { low: "spent".into(), high: "income".into() };
        schema.with_constraints(vec![order, Constraint::Positive { column: "age".into() }])
    })
    .unwrap();
    let names = ["Ada Lovelace", "Bob Íñigo", "Eve Long-Name", "Jo"];
    let (mut texts, mut numbers) = (vec![Vec::new(); 4], vec![Vec::new(); 4]);
    let mut towns = Vec::new();
    for row in 0..rows {
        let mut gone = |cell: String| (!rng.random_bool(0.1)).then_some(cell);
        let cells = [
            gone(format!("999-{:02}-{:04}", row % 89, 1_000 + row)),
            gone(names[row % 4].to_owned()),
            gone(names[(row / 4) % 4].to_owned()),
            gone(format!("patient {row} says nothing")),
        ];
        texts.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
        towns.push(if row % 11 == 0 { meg_core::MISSING } else { (row % 3) as u32 });
        let age = f64::from(rng.random_range(18..90));
        let income = f64::from(rng.random_range(100..900_000)) / 100.0;
        let missing = if row % 13 == 0 { f64::NAN } else { 0.0 };
        let born = ((2_000.0 - age) * 365.25).round() * 86_400.0;
        let cells = [born + missing, age + missing, income, (income / 2.0).floor()];
        numbers.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
    }
    let texts = texts.into_iter().map(Column::Texts);
    let columns =
        texts.chain([Column::Codes(towns)]).chain(numbers.into_iter().map(Column::Numbers));
    Table::new(schema, columns.collect()).unwrap()
}

fn try_mask(table: &Table, rules: &str, seed: u64) -> meg_core::Result<Masked> {
    let towns = ["Aa,north,land", "Bb,north,land", "Cc,south,land"]
        .map(|line| line.split(',').map(|cell| Some(cell.to_owned())).collect::<Vec<_>>());
    let spec = |name| ColumnSpec::new(name, ColumnKind::Text).nullable();
    let schema = Schema::new(vec![spec("town"), spec("side"), spec("all")]).unwrap();
    let columns =
        (0..3).map(|at| Column::Texts(towns.iter().map(|line| line[at].clone()).collect()));
    let hierarchy = Hierarchy::from_table(&Table::new(schema, columns.collect()).unwrap()).unwrap();
    let key = Key::new(KEY).unwrap();
    let hierarchies = BTreeMap::from([("towns.csv".to_owned(), hierarchy)]);
    let means = Means { key: Some(&key), hierarchies: &hierarchies, seed: Seed(seed) };
    Rules::from_toml(rules)?.apply(table, &means)
}

fn mask(table: &Table, rules: &str) -> Masked {
    try_mask(table, rules, 1).unwrap()
}

fn rule(columns: &str, rest: &str) -> String {
    let columns: Vec<String> = columns.split(' ').map(|name| format!("{name:?}")).collect();
    format!("[[rules]]\ncolumns = [{}]\n{}\n", columns.join(", "), rest.replace(';', "\n"))
}

fn cells(table: &Table, column: &str) -> Vec<Option<String>> {
    let at = table.schema().find(column).unwrap();
    (0..table.rows()).map(|row| table.text(row, at)).collect()
}

/// The masked text of each real one; fails when one real text has two, or missing cells moved.
fn mapping(real: &Table, masked: &Table, column: &str) -> HashMap<String, String> {
    let mut map = HashMap::new();
    for (real, masked) in cells(real, column).into_iter().zip(cells(masked, column)) {
        assert_eq!(real.is_none(), masked.is_none(), "{column}: missing stays missing");
        let (Some(real), Some(masked)) = (real, masked) else { continue };
        let known = map.entry(real).or_insert_with(|| masked.clone());
        assert_eq!(known, &masked, "{column}: one value has two substitutes");
    }
    map
}

fn is_injective(map: &HashMap<String, String>) -> bool {
    map.values().collect::<BTreeSet<_>>().len() == map.len()
}

#[test]
fn dropped_and_suppressed_columns_leave_nothing() {
    let real = people(200);
    let rules = rule("ssn", "method = 'drop'") + &rule("town name income", "method = 'suppress'");
    let masked = mask(&real, &rules).table;
    assert_eq!(masked.schema().position("ssn"), None);
    for column in ["town", "name", "income"] {
        assert!(cells(&masked, column).iter().all(Option::is_none));
    }
    // The list of levels would tell the values.
    assert!(!masked.schema().to_toml().contains("Aa"));
    assert_eq!(
        masked.schema().columns[masked.schema().find("income").unwrap()].role,
        Role::Sensitive
    );
}

#[test]
fn hashes_are_consistent_and_linked_only_where_asked() {
    let real = people(400);
    let apart = mask(&real, &rule("name maiden town", "method = 'hash'; digits = 16")).table;
    let (names, maidens) = (mapping(&real, &apart, "name"), mapping(&real, &apart, "maiden"));
    assert!(is_injective(&names) && names.values().all(|hash| hash.len() == 16));
    assert_ne!(names["Jo"], maidens["Jo"]);
    let town = &apart.schema().columns[apart.schema().find("town").unwrap()];
    assert_eq!(town.levels().len(), 3, "a level that no row has is not in the list");
    assert!(town.levels().is_sorted(), "the order of the levels tells nothing");
    let linked = mask(&real, &rule("name maiden", "method = 'hash'; shared = true")).table;
    assert_eq!(mapping(&real, &linked, "name"), mapping(&real, &linked, "maiden"));
    let number = mask(&real, &rule("age", "method = 'hash'")).table;
    assert!(is_injective(&mapping(&real, &number, "age")));
}

#[test]
fn fakes_are_consistent_different_and_never_real() {
    let real = people(400);
    let rules = rule("name maiden", "method = 'fake'; shared = true")
        + &rule("ssn town note", "method = 'fake'");
    let masked = mask(&real, &rules).table;
    let all: BTreeSet<String> = ["ssn", "name", "maiden", "note", "town"]
        .iter()
        .flat_map(|column| cells(&real, column))
        .flatten()
        .collect();
    for column in ["ssn", "name", "maiden", "note", "town"] {
        let map = mapping(&real, &masked, column);
        assert!(is_injective(&map), "{column}");
        for (real, fake) in &map {
            assert!(!all.contains(fake) && real.chars().count() == fake.chars().count());
            let long = all.iter().filter(|value| value.chars().count() >= 4);
            assert!(long.into_iter().all(|value| !fake.contains(value)), "{fake}");
        }
    }
    assert_eq!(mapping(&real, &masked, "name"), mapping(&real, &masked, "maiden"));
    let again = try_mask(&real, &rules, 1).unwrap().table;
    let other = try_mask(&real, &rules, 2).unwrap().table;
    assert!(masked == again && masked != other);
}

#[test]
fn the_last_characters_stay_unless_they_are_all() {
    let real = people(100);
    let rules = rule("ssn name", "method = 'keep_last'; characters = 4; fill = '#'");
    let masked = mask(&real, &rules).table;
    for (real, hidden) in mapping(&real, &masked, "ssn") {
        assert_eq!(hidden, format!("#######{}", &real[7..]));
    }
    assert_eq!(mapping(&real, &masked, "name")["Jo"], "##");
    assert_eq!(mapping(&real, &masked, "name")["Bob Íñigo"], "#####ñigo");
}

#[test]
fn generalised_columns_are_coarser_and_of_their_new_kind() {
    let real = people(300);
    let rules = rule("age", "method = 'generalise'; width = 20")
        + &rule("income", "method = 'generalise'; bins = [1000, 5000.5]")
        + &rule("born", "method = 'generalise'; to = 'year'")
        + &rule("ssn", "method = 'generalise'; prefix = 3")
        + &rule("town", "method = 'generalise'; hierarchy = 'towns.csv'; level = 1");
    let masked = mask(&real, &rules).table;
    let kind = |name: &str| &masked.schema().columns[masked.schema().find(name).unwrap()];
    for (age, bin) in mapping(&real, &masked, "age") {
        let low = age.parse::<u32>().unwrap() / 20 * 20;
        assert_eq!(bin, format!("{low} to under {}", low + 20));
    }
    assert_eq!(
        kind("age").levels(),
        ["0 to under 20", "20 to under 40", "40 to under 60", "60 to under 80", "80 to under 100"]
    );
    assert!(matches!(kind("age").kind, ColumnKind::Category { ordered: true, .. }));
    for (income, bin) in mapping(&real, &masked, "income") {
        let expected = match income.parse::<f64>().unwrap() {
            income if income < 1_000.0 => "under 1000",
            income if income < 5_000.5 => "1000 to under 5000.5",
            _ => "5000.5 and over",
        };
        assert_eq!(bin, expected);
    }
    assert!(mapping(&real, &masked, "born").iter().all(|(day, year)| &day[..4] == year));
    assert_eq!(kind("born").kind, ColumnKind::Number { decimals: Some(0) });
    assert!(mapping(&real, &masked, "ssn").values().all(|prefix| prefix == "999"));
    assert_eq!(mapping(&real, &masked, "town")["Bb"], "north");
    assert_eq!(kind("town").levels(), ["north", "south"]);
    let decade = mask(&real, &rule("born", "method = 'generalise'; to = 'decade'")).table;
    let first = |day: &str| format!("{}0", &day[..3]);
    assert!(mapping(&real, &decade, "born").iter().all(|(day, year)| &first(day) == year));
    let month = mask(&real, &rule("born", "method = 'generalise'; to = 'month'")).table;
    assert!(mapping(&real, &month, "born").iter().all(|(day, month)| &day[..7] == month));
}

#[test]
fn noise_has_the_size_that_was_asked_for() {
    let real = people(4_000);
    let rules = rule("income", "method = 'noise'; share = 0.1")
        + &rule("born", "method = 'noise'; sd = 30")
        + &rule("age", "method = 'noise'; sd = 5; least = 18; most = 90");
    let masked = mask(&real, &rules).table;
    let moved = |column: &str| -> Vec<f64> {
        let at = real.schema().find(column).unwrap();
        let pairs = real.numbers(at).iter().zip(masked.numbers(at));
        pairs.filter(|(a, _)| !a.is_nan()).map(|(a, b)| b - a).collect()
    };
    let sd = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    let income = real.numbers(real.schema().find("income").unwrap());
    assert!((sd(&moved("income")) / sd(income) - 0.1).abs() < 0.005);
    assert!((sd(&moved("born")) / 86_400.0 - 30.0).abs() < 1.5);
    assert!(moved("income").iter().sum::<f64>().abs() / 4_000.0 < 0.01 * sd(income));
    let ages = masked.numbers(masked.schema().find("age").unwrap());
    assert!(ages.iter().all(|age| age.is_nan() || (18.0..=90.0).contains(age)));
    assert_eq!(mapping(&real, &masked, "town").len(), 3);
    let missing = |table: &Table| cells(table, "born").iter().filter(|cell| cell.is_none()).count();
    assert_eq!(missing(&real), missing(&masked));
}

#[test]
fn noise_is_drawn_under_a_key_and_another_key_draws_other_noise() {
    let real = people(100);
    let rules = Rules::from_toml(&rule("income", "method = 'noise'; sd = 100")).unwrap();
    let hierarchies = BTreeMap::new();
    let mask = |key: Option<&[u8]>| {
        let key = key.map(|key| Key::new(key).unwrap());
        rules.apply(&real, &Means { key: key.as_ref(), hierarchies: &hierarchies, seed: Seed(1) })
    };
    let keyed = |key: &[u8]| mask(Some(key)).unwrap().table;
    assert!(rules.needs_key());
    assert!(mask(None).unwrap_err().to_string().contains("`noise` needs a secret key"));
    assert!(keyed(KEY) == keyed(KEY) && keyed(KEY) != keyed(b"another of twenty bytes"));
}

#[test]
fn noise_that_changes_nothing_or_overflows_is_refused() {
    let column = |cells: &[f64], decimals| {
        let schema = Schema::new(vec![ColumnSpec::number("x", decimals).nullable()]).unwrap();
        Table::new(schema, vec![Column::Numbers(cells.to_vec())]).unwrap()
    };
    let noise = |size: &str| rule("x", &format!("method = 'noise'; {size}"));
    for (cells, decimals, size, part) in [
        (&[3.0; 4][..], None, "share = 0.5", "half a step"),
        (&[3.0, 4.0, f64::NAN], Some(0), "sd = 0.4", "half a step"),
        (&[1.0, 2.0], None, "sd = 1e-320; most = 3", ""),
        (&[1e308, -1e308], None, "share = 1e10", "too large"),
    ] {
        let result = try_mask(&column(cells, decimals), &noise(size), 1);
        if part.is_empty() {
            result.unwrap();
            continue;
        }
        let message = result.unwrap_err().to_string();
        assert!(message.contains(part) && message.contains("column \"x\""), "{message}");
    }
    // The spread of numbers whose squares overflow is known all the same.
    let wide = try_mask(&column(&[1e300, 3e300], None), &noise("share = 0.1"), 1).unwrap().table;
    assert!(wide.numbers(0).iter().all(|cell| (1e299..1e301).contains(cell)));
    try_mask(&column(&[f64::NAN; 2], Some(0)), &noise("share = 0.1"), 1).unwrap();
}

#[test]
fn hashes_are_linked_across_rules_only_in_a_domain() {
    let real = people(200);
    let apart = rule("name", "method = 'hash'; shared = true")
        + &rule("maiden", "method = 'hash'; shared = true");
    let apart = mask(&real, &apart).table;
    assert_ne!(mapping(&real, &apart, "name")["Jo"], mapping(&real, &apart, "maiden")["Jo"]);
    let linked = rule("name", "method = 'hash'; domain = 'person'")
        + &rule("maiden", "method = 'hash'; domain = 'person'");
    let linked = mask(&real, &linked).table;
    assert_eq!(mapping(&real, &linked, "name"), mapping(&real, &linked, "maiden"));
}

#[test]
fn fakes_are_no_hidden_numbers_either() {
    let schema = Schema::new(vec![
        ColumnSpec::number("n", 0),
        ColumnSpec::number("m", 0),
        ColumnSpec::new("id", ColumnKind::Identifier),
    ])
    .unwrap();
    let n: Vec<f64> = (0..8).map(f64::from).collect();
    let ids = (10..18).map(|id| Some((id % 10).to_string())).collect();
    let m = n.iter().map(|cell| cell + 2.0).collect();
    let columns = vec![Column::Numbers(n), Column::Numbers(m), Column::Texts(ids)];
    let real = Table::new(schema, columns).unwrap();
    let rules = rule("n", "method = 'hash'") + &rule("m", "method = 'drop'");
    let masked = mask(&real, &(rules + &rule("id", "method = 'fake'"))).table;
    // Every digit is an id, an `n` or an `m`.
    assert!(mapping(&real, &masked, "id").values().all(|fake| fake.len() == 2));
}

#[test]
fn a_prefix_shows_no_text_whole() {
    let real = people(100);
    let masked = mask(&real, &rule("name", "method = 'generalise'; prefix = 3"));
    for (real, shown) in cells(&real, "name").into_iter().zip(cells(&masked.table, "name")) {
        let longer = real.filter(|real| real.chars().count() > 3);
        assert_eq!(shown, longer.map(|real| real.chars().take(3).collect()));
    }
    let short = cells(&real, "name").iter().flatten().filter(|name| *name == "Jo").count();
    let note = format!("{short} cells of column \"name\" have no more than 3 characters");
    assert!(masked.report.notes.iter().any(|other| other.contains(&note)), "{note}");
}

#[test]
fn the_report_speaks_of_what_still_tells_people_apart() {
    let real = people(300);
    let says = |rules: &str, part: &str| {
        let notes = mask(&real, rules).report.notes.join("\n");
        assert!(notes.contains(part), "{notes}\nshould contain {part:?}");
    };
    let silent = |rules: &str, part: &str| {
        let notes = mask(&real, rules).report.notes.join("\n");
        assert!(!notes.contains(part), "{notes}\nshould not contain {part:?}");
    };
    let ends = rule("ssn", "method = 'keep_last'; characters = 3");
    says(&ends, "Column \"ssn\" still has ");
    says(&ends, "Column \"income\" still has ");
    silent(&ends, "Column \"town\" still has ");
    let declared = "quasi_identifiers = ['ssn', 'income']\n".to_owned() + &ends;
    silent(&declared, "Column \"ssn\" still has ");
    silent(&rule("ssn income", "method = 'hash'"), "Column \"ssn\" still has ");
    says(&ends, "Rows keep their order");
    // Maiden names are among the names, and are kept.
    let kept = cells(&real, "maiden").iter().flatten().filter(|name| name.len() >= 4).count();
    says(&rule("name", "method = 'hash'"), &format!("{kept} cells of column \"maiden\""));
    silent(&rule("name maiden", "method = 'hash'"), "contain a value of a masked column");
    // The fill is there already.
    let stars = mask(&real, &rule("ssn", "method = 'keep_last'; characters = 0; fill = '*'")).table;
    let again = mask(&stars, &rule("ssn", "method = 'keep_last'; characters = 0; fill = '*'"));
    let notes = again.report.notes.join("\n");
    assert!(notes.contains("`keep_last` changed nothing in them"), "{notes}");
}

#[test]
fn errors_do_not_tell_values() {
    let real = people(50);
    let rules = rule("name", "method = 'generalise'; hierarchy = 'towns.csv'");
    let message = try_mask(&real, &rules, 1).unwrap_err().to_string();
    let names = cells(&real, "name");
    assert!(message.contains("row ") && message.contains("\"name\""), "{message}");
    assert!(names.iter().flatten().all(|name| !message.contains(name.as_str())), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn substitutes_are_consistent_and_different_for_any_texts(
        texts in proptest::collection::vec(proptest::option::of("[a-z0-9é]{0,6}"), 1..60),
        seed in 0u64..1_000,
    ) {
        // An empty text is a missing cell.
        let texts: Vec<_> = texts.into_iter().map(|text| text.filter(|t| !t.is_empty())).collect();
        let spec = ColumnSpec::new("x", ColumnKind::Identifier).nullable();
        let table = |texts: &[Option<String>]| {
            Table::new(Schema::new(vec![spec.clone()]).unwrap(), vec![Column::Texts(texts.to_vec())])
        };
        let real = table(&texts).unwrap();
        let all: BTreeSet<String> = texts.iter().flatten().cloned().collect();
        for method in ["hash", "fake"] {
            let rules = rule("x", &format!("method = '{method}'"));
            let masked = try_mask(&real, &rules, seed).unwrap().table;
            let map = mapping(&real, &masked, "x");
            prop_assert!(is_injective(&map));
            prop_assert!(map.values().all(|substitute| !all.contains(substitute)));
        }
    }

    #[test]
    fn a_number_lies_in_the_bin_that_is_told(
        numbers in proptest::collection::vec(-1e6f64..1e6, 1..40),
        width in prop_oneof![Just(0.1), Just(0.7), Just(1.0 / 3.0), 1e-6f64..1e5],
    ) {
        // Multiples of the width are where rounding goes wrong.
        let multiples = numbers.iter().map(|x| (x / width).round() * width);
        let cells: Vec<f64> = numbers.iter().copied().chain(multiples).collect();
        let schema = Schema::new(vec![ColumnSpec::number("x", None)]).unwrap();
        let real = Table::new(schema, vec![Column::Numbers(cells.clone())]).unwrap();
        let rules = rule("x", &format!("method = 'generalise'; width = {width:?}"));
        let masked = mask(&real, &rules).table;
        for (row, cell) in cells.iter().enumerate() {
            let name = masked.text(row, 0).unwrap();
            let (low, high) = name.split_once(" to under ").unwrap();
            let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
            prop_assert!(low <= *cell && *cell < high, "{cell} is in {name}");
        }
    }
}

#[test]
fn the_report_counts_what_changed_and_who_is_left_alone() {
    let real = people(300);
    let rules = "quasi_identifiers = ['age', 'town', 'ssn']\nk = 10\n".to_owned()
        + &rule("ssn", "method = 'drop'")
        + &rule("age", "method = 'generalise'; width = 100")
        + &rule("maiden", "method = 'hash'")
        + &rule("note", "method = 'fake'");
    let masked = mask(&real, &rules);
    let report = &masked.report;
    let column = |name: &str| report.columns.iter().find(|column| column.column == name).unwrap();
    let present = |name: &str| cells(&real, name).iter().flatten().count();
    assert_eq!((column("ssn").changed, column("ssn").distinct_after), (present("ssn"), 0));
    assert_eq!((column("town").method.as_str(), column("town").changed), ("kept", 0));
    assert_eq!((column("age").share, column("age").distinct_after), (1.0, 1));
    let cells: usize = report.columns.iter().map(|column| column.cells).sum();
    let changed: usize = report.columns.iter().map(|column| column.changed).sum();
    assert_eq!(report.share_changed, changed as f64 / cells as f64);

    let before = report.groups_before.as_ref().unwrap();
    assert_eq!((before.smallest, before.share_below), (1, 1.0));
    let after = report.groups_after.as_ref().unwrap();
    assert_eq!(after.columns, ["age", "town"]);
    // Counted by hand: ages are there or not, towns are one of three or missing.
    let mut sizes: HashMap<(bool, u32), usize> = HashMap::new();
    for row in 0..300 {
        *sizes.entry((real.numbers(6)[row].is_nan(), real.codes(4)[row])).or_default() += 1;
    }
    assert_eq!((after.groups, after.smallest), (sizes.len(), *sizes.values().min().unwrap()));
    let below: usize = sizes.values().filter(|size| **size < 10).sum();
    assert_eq!(after.rows_below, below);
    assert!(below > 0 && after.share_below == below as f64 / 300.0);

    let notes = report.notes.join("\n");
    for part in [
        "pseudonymisation, not anonymity",
        "\"income\" is declared as sensitive",
        "\"name\" is an identifier",
        "ssn",
        "1 constraints",
    ] {
        assert!(notes.contains(part), "{notes}\nshould contain {part:?}");
    }
    let left: Vec<String> =
        masked.table.schema().constraints.iter().map(ToString::to_string).collect();
    assert_eq!(left, ["\"spent\" <= \"income\""]);
}

#[test]
fn mistakes_are_named() {
    let real = people(50);
    for (rules, parts) in [
        (rule("snn", "method = 'drop'"), ["rule 1: columns", "did you mean `ssn`"]),
        (
            rule("age", "method = 'drop'") + &rule("age", "method = 'hash'"),
            ["rule 2", "rule 1 already"],
        ),
        (rule("age", "method = 'fake'"), ["column \"age\"", "a category, an identifier or text"]),
        (rule("town", "method = 'noise'; sd = 1"), ["column \"town\"", "kind \"category\""]),
        (rule("born", "method = 'noise'; sd = 1; least = 3"), ["column \"born\"", "`least`"]),
        (
            "quasi_identifiers = ['x']\n".to_owned() + &rule("age", "method = 'drop'"),
            ["quasi_identifiers", "no column \"x\""],
        ),
        (
            rule("town", "method = 'generalise'; hierarchy = 'towns.csv'; level = 3"),
            ["level 3", "has 2"],
        ),
        (
            rule("name", "method = 'generalise'; hierarchy = 'towns.csv'"),
            ["row ", "not in the hierarchy"],
        ),
        (
            rule("ssn name maiden note town born age income spent", "method = 'drop'"),
            ["every column", ""],
        ),
    ] {
        let message = try_mask(&real, &rules, 1).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{rules}\n{message:?} should contain {part:?}");
        }
    }
}

/// `total = lab + drugs`, `bill = total + tip`, and pairs of city and canton.
fn bills() -> Table {
    let names = ["lab", "drugs", "total", "tip", "bill"];
    let mut columns: Vec<ColumnSpec> = names.map(|name| ColumnSpec::number(name, 0)).into();
    columns.push(ColumnSpec::category("city", ["Bern", "Thun", "Chur"]));
    columns.push(ColumnSpec::category("canton", ["BE", "GR"]));
    let sum = |total: &str, parts: [&str; 2]| Constraint::Sum {
        total: total.into(),
        parts: parts.map(str::to_owned).into(),
    };
    let pairs = Constraint::Combinations { columns: vec!["city".into(), "canton".into()] };
    let schema = Schema::new(columns)
        .and_then(|schema| {
            let sums = [sum("total", ["lab", "drugs"]), sum("bill", ["total", "tip"])];
            schema.with_constraints(sums.into_iter().chain([pairs]).collect())
        })
        .unwrap();
    let cells = |of: &dyn Fn(usize) -> f64| Column::Numbers((0..60).map(of).collect());
    let lab = |row: usize| ((row * 37) % 50) as f64;
    let drugs = |row: usize| ((row * 11) % 23) as f64;
    let tip = |row: usize| (row % 5) as f64;
    let cities: Vec<u32> = (0..60).map(|row| row % 3).collect();
    let cantons = cities.iter().map(|&city| u32::from(city == 2)).collect();
    let columns = vec![
        cells(&lab),
        cells(&drugs),
        cells(&|row| lab(row) + drugs(row)),
        cells(&tip),
        cells(&|row| lab(row) + drugs(row) + tip(row)),
        Column::Codes(cities),
        Column::Codes(cantons),
    ];
    Table::new(schema, columns).unwrap()
}

#[test]
fn columns_that_a_kept_constraint_tells_are_named() {
    let real = bills();
    let vain = |rules: &str| -> Vec<String> {
        let notes = mask(&real, rules).report.notes;
        notes.into_iter().filter(|note| note.contains("masked in vain")).collect()
    };
    let told = vain(&rule("lab", "method = 'noise'; sd = 9"));
    let [one] = told.as_slice() else { panic!("{told:?}") };
    assert!(one.contains("\"lab\"") && one.contains("\"total\" = \"lab\" + \"drugs\""), "{one}");
    // The total follows from the bill, and the part from the total.
    let told = vain(&rule("total lab", "method = 'drop'"));
    assert!(told.len() == 2 && told[0].contains("\"total\"") && told[1].contains("\"lab\""));
    // Two cells of each sum are hidden.
    assert!(vain(&rule("lab drugs", "method = 'drop'")).is_empty());
    assert!(vain(&rule("lab total bill", "method = 'suppress'")).is_empty());
    // The city tells the canton; the canton tells a third of the cities.
    let told = vain(&rule("canton", "method = 'hash'"));
    assert!(told.len() == 1 && told[0].contains("in 60 of 60 cells"), "{told:?}");
    let told = vain(&rule("city", "method = 'generalise'; prefix = 1"));
    assert!(told.len() == 1 && told[0].contains("\"city\"") && told[0].contains("60 of 60"));
    let told = vain(&rule("city", "method = 'suppress'"));
    assert!(told.len() == 1 && told[0].contains("in 20 of 60 cells"), "{told:?}");
    assert!(vain(&rule("city canton", "method = 'hash'")).is_empty());
}

#[test]
fn a_prefix_leaves_a_column_without_missing_cells_as_it_was() {
    let masked = mask(&bills(), &rule("city", "method = 'generalise'; prefix = 1")).table;
    assert!(!masked.schema().columns[5].nullable);
    let masked = mask(&bills(), &rule("city", "method = 'generalise'; prefix = 4")).table;
    assert!(masked.schema().columns[5].nullable, "every name has four characters");
}
