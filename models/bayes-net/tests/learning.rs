//! What each network must learn.

mod common;

use bayes_net::{CHOW_LIU, KDB, PRIV_BAYES};
use common::{Tree, categories, draw_given, parents, share};
use meg_core::conformance::{draw, fit, mixed_table};
use meg_core::{Column, ColumnSpec, Error, SampleRequest, Schema, Seed, Table};
use rand::Rng as _;
use std::collections::BTreeSet;

fn edges(parents: &[Vec<usize>]) -> BTreeSet<(usize, usize)> {
    let edge = |(a, parents): (usize, &Vec<usize>)| {
        parents.iter().map(move |&b| (a.min(b), a.max(b))).collect::<Vec<_>>()
    };
    parents.iter().enumerate().flat_map(edge).collect()
}

#[test]
fn chow_liu_finds_the_tree_that_the_rows_were_drawn_from() {
    for seed in 1..=5 {
        let law = Tree::strong(15, seed);
        let model = fit(&CHOW_LIU, "", &law.sample(5_000, seed), 1);
        let real: BTreeSet<_> = law
            .0
            .iter()
            .enumerate()
            .filter_map(|(at, (parent, _))| parent.map(|parent| (parent, at)))
            .collect();
        assert_eq!(edges(&parents(model.as_ref())), real, "seed {seed}");
    }
}

#[test]
fn conditional_shares_are_those_of_the_law() {
    let law = Tree::strong(8, 3);
    let (train, rows) = (law.sample(20_000, 3), 20_000);
    let drawn = draw(fit(&CHOW_LIU, "", &train, 1).as_ref(), rows, 1);
    let (mut cells, mut beyond) = (0, 0);
    for (at, (parent, table)) in law.0.iter().enumerate() {
        let Some(parent) = *parent else { continue };
        for (given, probabilities) in table.iter().enumerate() {
            for (state, &expected) in probabilities.iter().enumerate() {
                let is = |column: usize, state: usize| {
                    let codes = drawn.codes(column);
                    move |row: usize| codes[row] == state as u32
                };
                let (found, of) = share(&drawn, is(parent, given), is(at, state));
                let train_rows = train.codes(parent).iter().filter(|&&c| c == given as u32).count();
                // The law of the rows is estimated first and sampled then.
                let error =
                    (expected * (1.0 - expected) * (1.0 / of + 1.0 / train_rows as f64)).sqrt();
                let far = (found - expected).abs() / error;
                assert!(far < 4.5, "column {at}: {found} instead of {expected}");
                cells += 1;
                beyond += usize::from(far > 3.0);
            }
        }
    }
    // One cell in 370 is beyond three standard errors by chance.
    assert!(cells > 40 && beyond <= 1, "{beyond} of {cells} cells beyond three standard errors");
}

/// Columns of which the first tells most of the label, the second less and depends on the first,
/// the third hardly anything and depends on the second, the fourth nothing at all.
fn labelled(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("labelled");
    let mut columns = vec![Vec::new(); 5];
    for _ in 0..rows {
        let mut copy = |state: u32, right: f64| {
            if rng.random_bool(right) { state } else { 1 - state }
        };
        let label = copy(0, 0.5);
        let first = copy(label, 0.95);
        let second = copy(first, 0.86);
        let third = copy(second, 0.8);
        let fourth = copy(0, 0.5);
        for (column, cell) in columns.iter_mut().zip([third, first, fourth, second, label]) {
            column.push(cell);
        }
    }
    categories(columns)
}

#[test]
fn kdb_orders_by_the_label_and_takes_the_strongest_parents() {
    let train = labelled(20_000, 1);
    let of = |k: usize| parents(fit(&KDB, &format!("k = {k}"), &train, 1).as_ref());
    assert_eq!(of(0), [vec![4], vec![4], vec![4], vec![4], vec![]]);
    let one = of(1);
    assert_eq!((&one[1], &one[3], &one[0]), (&vec![4], &vec![4, 1], &vec![4, 3]));
    let two = of(2);
    assert_eq!((&two[1], &two[3], &two[0]), (&vec![4], &vec![4, 1], &vec![4, 3, 1]));
    assert_eq!(two[2].len(), 3);
    let named = fit(&KDB, "k = 0\nlabel = \"c1\"", &train, 1);
    assert_eq!(parents(named.as_ref())[4], [1]);
}

#[test]
fn more_parents_keep_what_fewer_lose() {
    // An exclusive or of two fair bits: no pair of columns tells anything.
    let mut rng = Seed(1).stream("xor");
    let a: Vec<u32> = (0..4_000).map(|_| rng.random_range(0..2)).collect();
    let b: Vec<u32> = (0..4_000).map(|_| rng.random_range(0..2)).collect();
    let label = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
    let train = categories(vec![a, b, label]);
    let agreement = |settings: &str| {
        let drawn = draw(fit(&KDB, settings, &train, 1).as_ref(), 4_000, 1);
        let xor = |row: usize| drawn.codes(0)[row] ^ drawn.codes(1)[row] == drawn.codes(2)[row];
        share(&drawn, |_| true, xor).0
    };
    assert!((agreement("k = 0") - 0.5).abs() < 0.03);
    assert!(agreement("k = 1") > 0.99);
}

#[test]
fn smoothing_mixes_in_the_columns_own_distribution() {
    // The state of the first decides the second; 50 rows' worth of the second's own distribution
    // are mixed into each of two combinations of 50 rows.
    let cells: Vec<u32> = (0..100).map(|row| row % 2).collect();
    let train = categories(vec![cells.clone(), cells]);
    let model = fit(&CHOW_LIU, "smoothing = 50", &train, 1);
    let drawn = draw(model.as_ref(), 20_000, 1);
    let same = |row: usize| drawn.codes(0)[row] == drawn.codes(1)[row];
    // (50 + 50 / 2) / (50 + 50), with a standard error of 0.003.
    assert!((share(&drawn, |_| true, same).0 - 0.75).abs() < 0.009);
}

/// Rows drawn under conditions have the distribution of the rows that meet them by chance.
fn conditions_are_exact(
    model: &dyn meg_core::Fitted,
    train: &Table,
    given: &[(&str, &str)],
) -> f64 {
    let (table, heard) = draw_given(model, train.schema(), 20_000, given);
    let (table, free) = (table.unwrap(), draw(model, 200_000, 77));
    let meets = |table: &Table, row: usize| {
        given.iter().all(|(name, value)| {
            let at = table.schema().position(name).unwrap();
            table.text(row, at).unwrap_or_default() == *value
        })
    };
    assert!((0..table.rows()).all(|row| meets(&table, row)));
    let met: Vec<usize> = (0..free.rows()).filter(|&row| meets(&free, row)).collect();
    assert!(met.len() > 500, "only {} rows to compare with", met.len());
    let met = free.select_rows(&met);
    let (mut cells, mut beyond) = (0, 0);
    for (at, spec) in train.schema().columns.iter().enumerate().filter(|(_, s)| s.is_category()) {
        for code in 0..spec.levels().len() as u32 {
            let (a, of_a) = share(&table, |_| true, |row| table.codes(at)[row] == code);
            let (b, of_b) = share(&met, |_| true, |row| met.codes(at)[row] == code);
            let error = (b * (1.0 - b) * (1.0 / of_a + 1.0 / of_b)).sqrt().max(1e-4);
            assert!((a - b).abs() < 4.5 * error, "{}: {a} and {b}", spec.name);
            cells += 1;
            beyond += usize::from((a - b).abs() > 3.0 * error);
        }
    }
    assert!(beyond * 20 <= cells, "{beyond} of {cells} cells beyond three standard errors");
    if heard.drawn == 0 { 1.0 } else { heard.kept as f64 / heard.drawn as f64 }
}

#[test]
fn a_tree_meets_conditions_exactly_and_without_rejection() {
    let train = Tree::strong(8, 4).sample(4_000, 4);
    let model = fit(&CHOW_LIU, "", &train, 1);
    for given in [&[("c7", "s1")][..], &[("c0", "s1"), ("c5", "s0")], &[("c2", "s0"), ("c6", "s1")]]
    {
        assert_eq!(conditions_are_exact(model.as_ref(), &train, given), 1.0);
    }
}

#[test]
fn networks_with_a_label_meet_conditions_exactly() {
    let train = labelled(4_000, 2);
    for (settings, rejects) in [("k = 0", false), ("k = 1", false), ("k = 2", true)] {
        let model = fit(&KDB, settings, &train, 1);
        assert_eq!(
            conditions_are_exact(model.as_ref(), &train, &[("c4", "s1")]),
            1.0,
            "{settings}"
        );
        let rate = conditions_are_exact(
            model.as_ref(),
            &train,
            &[("c0", "s1"), ("c1", "s0"), ("c4", "s1")],
        );
        assert_eq!(rate < 1.0, rejects, "{settings}: {rate}");
        assert!(rate > 0.01, "{settings}: {rate}");
    }
}

#[test]
fn conditions_on_numbers_and_missing_cells_hold() {
    let train = mixed_table(2_000, 1);
    for entry in [&CHOW_LIU, &KDB] {
        let model = fit(entry, "", &train, 1);
        let (table, _) =
            draw_given(model.as_ref(), train.schema(), 500, &[("age", "70"), ("lab", "")]);
        let table = table.unwrap();
        assert!(table.numbers(1).iter().all(|&age| age == 70.0));
        assert!(table.numbers(2).iter().all(|lab| lab.is_nan()));
        // Everybody above 60 is ill.
        let ill = table.codes(11).iter().filter(|&&code| code == 1).count();
        assert!(ill > 400, "{}: {ill} of 500", entry.name);
    }
}

#[test]
fn what_the_model_never_draws_is_an_error() {
    let train = mixed_table(300, 1);
    let model = fit(&CHOW_LIU, "", &train, 1);
    // Half a year of age is no value of the column: the request is refused before anything is drawn.
    let half = SampleRequest::rows(5).with(train.schema(), "age", "30.5");
    assert!(matches!(&half, Err(error) if error.to_string().contains("age")), "{half:?}");
    for (column, value) in [("town", "never"), ("age", "170"), ("lab", "-99")] {
        let (table, _) = draw_given(model.as_ref(), train.schema(), 5, &[(column, value)]);
        let message = match table {
            Err(Error::Rejected(message)) => message,
            other => panic!("{column} = {value} gave {other:?}"),
        };
        assert!(message.contains(column), "{message}");
    }
    let cells: Vec<u32> = (0..100).map(|row| row % 2).collect();
    let train = categories(vec![cells.clone(), cells]);
    for (entry, settings) in [(&CHOW_LIU, ""), (&KDB, "k = 2\nsmoothing = 0")] {
        let model = fit(entry, settings, &train, 1);
        let conditions = [("c0", "s0"), ("c1", "s1")];
        let (table, _) = draw_given(model.as_ref(), train.schema(), 5, &conditions);
        assert!(matches!(table, Err(Error::Rejected(_))), "{table:?}");
    }
}

/// Half the sum of differences of the shares of all pairs of states of two columns.
fn distance(a: &Table, b: &Table) -> f64 {
    let columns = a.schema().columns.len();
    let shares = |table: &Table, x: usize, y: usize| {
        let width = table.schema().columns[y].levels().len();
        let mut shares = vec![0.0; width * table.schema().columns[x].levels().len()];
        for (&p, &q) in table.codes(x).iter().zip(table.codes(y)) {
            shares[p as usize * width + q as usize] += 1.0 / table.rows() as f64;
        }
        shares
    };
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (x, y) in (0..columns).flat_map(|x| (0..x).map(move |y| (x, y))) {
        let gap =
            shares(a, x, y).iter().zip(shares(b, x, y)).map(|(p, q)| (p - q).abs()).sum::<f64>();
        sum += gap / 2.0;
        pairs += 1.0;
    }
    sum / pairs
}

#[test]
fn utility_rises_with_epsilon() {
    let train = Tree::strong(6, 6).sample(2_000, 6);
    let error = |epsilon: f64| {
        let seeds = 1..=4;
        let of = |seed: u64| {
            let model = fit(&PRIV_BAYES, &format!("epsilon = {epsilon:?}"), &train, seed);
            distance(&train, &draw(model.as_ref(), 4_000, seed))
        };
        seeds.map(of).sum::<f64>() / 4.0
    };
    let errors = [0.02, 0.2, 2.0, 200.0].map(error);
    assert!(errors.windows(2).all(|pair| pair[1] < pair[0]), "{errors:?}");
    assert!(errors[3] < 0.05, "{errors:?}");
}

#[test]
fn a_private_model_says_what_it_promises_and_looks_at_declared_ranges_only() {
    let schema = Schema::new(vec![ColumnSpec::number("x", 1), ColumnSpec::number("y", None)]);
    let numbers =
        |scale: f64| Column::Numbers((0..400).map(|row| f64::from(row % 100) * scale).collect());
    let train = Table::new(schema.unwrap(), vec![numbers(0.1), numbers(7.0)]).unwrap();
    let ranges = "epsilon = 2\nranges = { x = [-5, 20], y = [0, 10] }";
    let model = fit(&PRIV_BAYES, ranges, &train, 1);
    let state = model.save().unwrap().state;
    assert_eq!(state["guarantee"]["epsilon"], 2.0);
    assert_eq!(state["guarantee"]["ranges"], 0.0);
    assert_eq!(state["coders"][0]["bins"]["bins"][0][0], -5.0);
    let drawn = draw(model.as_ref(), 2_000, 1);
    assert!(drawn.numbers(0).iter().all(|x| (-5.0..=20.0).contains(x)));
    assert!(drawn.numbers(1).iter().all(|y| (0.0..=10.0).contains(y)));
    let learned = fit(&PRIV_BAYES, "epsilon = 2", &train, 1).save().unwrap().state;
    assert_eq!(learned["guarantee"]["ranges"], 0.2);
    let message = (PRIV_BAYES.recipe)("ranges = { x = [3, 1] }").unwrap_err().to_string();
    assert!(message.contains("x = [3, 1]"), "{message}");
}

#[test]
fn numbers_keep_their_distribution_and_dependence() {
    let train = mixed_table(4_000, 8);
    let drawn = draw(fit(&CHOW_LIU, CHOW_LIU.variants[0].settings, &train, 1).as_ref(), 4_000, 1);
    let mean = |cells: &[f64]| {
        let seen: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
        seen.iter().sum::<f64>() / seen.len() as f64
    };
    // The standard deviation of ages is about 21.
    let gap = (mean(drawn.numbers(1)) - mean(train.numbers(1))).abs();
    assert!(gap < 3.0 * 21.0 / 4_000f64.sqrt(), "{gap}");
    // lab = age / 10 + 1.25, up to the bins of both, of which there are 30 over 72 years.
    let far = |row: &usize| {
        let (age, lab) = (drawn.numbers(1)[*row], drawn.numbers(2)[*row]);
        (lab - age / 10.0 - 1.25).abs() > 0.3
    };
    let gaps = (0..4_000).filter(far).count();
    assert!(gaps < 40, "{gaps} rows in which lab does not follow age");
}

/// The sum of mutual information, in nats, over all pairs of category columns.
fn information(table: &Table) -> f64 {
    let columns = table.schema().columns.len();
    let rows = table.rows() as f64;
    let sum = |keys: Vec<u64>| {
        let mut counts = std::collections::HashMap::new();
        keys.iter().for_each(|key| *counts.entry(*key).or_insert(0.0) += 1.0);
        counts.values().map(|count: &f64| count * count.ln()).sum::<f64>()
    };
    let key = |x: usize| table.codes(x).iter().map(|&code| u64::from(code)).collect::<Vec<_>>();
    let pair = |x: usize, y: usize| {
        key(x).iter().zip(key(y)).map(|(a, b)| a * 1_000 + b).collect::<Vec<_>>()
    };
    let pairs = (0..columns).flat_map(|x| (0..x).map(move |y| (x, y)));
    let information =
        |(x, y)| (sum(pair(x, y)) - sum(key(x)) - sum(key(y)) + rows * rows.ln()) / rows;
    pairs.map(information).sum()
}

#[test]
fn most_of_the_information_between_columns_is_kept() {
    // Columns drawn on their own would keep nothing of it, as naive Bayes does beside the label.
    let train = labelled(20_000, 5);
    let real = information(&train);
    assert!(real > 1.0, "{real} nats");
    let kept = |entry, settings| {
        information(&draw(fit(entry, settings, &train, 1).as_ref(), 20_000, 1)) / real
    };
    let [tree, naive, one, two] =
        [kept(&CHOW_LIU, ""), kept(&KDB, "k = 0"), kept(&KDB, "k = 1"), kept(&KDB, "k = 2")];
    assert!((0.95..1.05).contains(&tree), "{tree}");
    assert!((0.97..1.03).contains(&two), "{two}");
    assert!(naive < 0.9 && naive < one, "{naive} and {one}");
    let private = kept(&PRIV_BAYES, "epsilon = 5");
    assert!((0.8..1.1).contains(&private), "{private}");
}
