//! Laws that are known: a mixture of two modes, and a network of two categories.

use crate::common::{find, scores, table, value};
use eval::{Comparison, Family, Goal, Modes, Refit, Score, Status, Truth, evaluate};
use meg_core::{Column, ColumnSpec, MISSING, Result, Schema, Seed, Silent, Table};
use rand::Rng as _;

/// What is skipped without a law.
pub(crate) const NAMES: [&str; 4] =
    ["likelihood_synthetic", "likelihood_test", "oracle_log_likelihood", "modes_covered"];

/// Squares rather than bells: everything is quick to work out by hand. Each mode is even over a
/// square of area 1 around its centre, so that the density is one half there and zero elsewhere.
#[derive(Debug)]
struct Squares;

const CENTRES: [f64; 2] = [0.0, 10.0];

impl Truth for Squares {
    fn name(&self) -> &str {
        "squares"
    }

    fn log_density(&self, table: &Table) -> Result<Vec<f64>> {
        let inside = |x: f64, y: f64| {
            CENTRES.iter().any(|centre| (x - centre).abs() <= 0.5 && y.abs() <= 0.5)
        };
        let density = |(&x, &y)| if inside(x, y) { 0.5f64.ln() } else { f64::NEG_INFINITY };
        Ok(table.numbers(0).iter().zip(table.numbers(1)).map(density).collect())
    }

    fn family(&self) -> Family<'_> {
        Family::Mixture(modes())
    }
}

fn modes() -> Modes {
    Modes {
        columns: vec!["x".into(), "y".into()],
        centres: CENTRES.map(|x| vec![x, 0.0]).into(),
        deviation: 1.0 / 12f64.sqrt(),
        components: 3,
    }
}

/// `a` is even; `b` equals it but for one row in four.
#[derive(Debug)]
struct Pair {
    /// Probabilities of `b` for either `a`, and of `a`.
    b: [[f64; 2]; 2],
    a: [f64; 2],
}

const PAIR: Pair = Pair { b: [[0.75, 0.25], [0.0, 1.0]], a: [0.5, 0.5] };

impl Truth for Pair {
    fn name(&self) -> &str {
        "pair"
    }

    fn log_density(&self, table: &Table) -> Result<Vec<f64>> {
        let log =
            |(&a, &b): (&u32, &u32)| (self.a[a as usize] * self.b[a as usize][b as usize]).ln();
        Ok(table.codes(0).iter().zip(table.codes(1)).map(log).collect())
    }

    fn family(&self) -> Family<'_> {
        Family::Network(self)
    }
}

impl Refit for Pair {
    fn refit(&self, rows: &Table) -> Result<Box<dyn Truth>> {
        let count = |a: u32, b: u32| {
            let pairs = rows.codes(0).iter().zip(rows.codes(1));
            pairs.filter(|pair| *pair == (&a, &b)).count() as f64
        };
        let counts = [[count(0, 0), count(0, 1)], [count(1, 0), count(1, 1)]];
        let all = rows.rows() as f64;
        let b = counts.map(|row| row.map(|count| count / (row[0] + row[1])));
        Ok(Box::new(Pair { b, a: counts.map(|row| (row[0] + row[1]) / all) }))
    }
}

fn points(rows: impl IntoIterator<Item = [f64; 2]>) -> Table {
    let rows: Vec<[f64; 2]> = rows.into_iter().collect();
    let spec = |name| ColumnSpec::number(name, None).nullable();
    let column = |at: usize| Column::Numbers(rows.iter().map(|row| row[at]).collect());
    Table::new(Schema::new(vec![spec("x"), spec("y")]).unwrap(), vec![column(0), column(1)])
        .unwrap()
}

fn squares(seed: u64, rows: usize, centre: impl Fn(usize) -> f64) -> Table {
    let mut rng = Seed(seed).stream("squares");
    let mut around = |centre: f64| centre + rng.random_range(-0.5..0.5);
    points((0..rows).map(|row| [around(centre(row)), around(0.0)]))
}

fn both(row: usize) -> f64 {
    CENTRES[row % 2]
}

fn pairs(rows: &[(u32, u32, usize)]) -> Table {
    let cells = |pick: fn(&(u32, u32, usize)) -> u32| {
        Column::Codes(rows.iter().flat_map(|row| vec![pick(row); row.2]).collect())
    };
    let spec = |name| ColumnSpec::category(name, ["0", "1"]);
    let schema = Schema::new(vec![spec("a"), spec("b")]).unwrap();
    Table::new(schema, vec![cells(|row| row.0), cells(|row| row.1)]).unwrap()
}

fn judged(
    truth: &dyn Truth,
    train: &Table,
    holdout: Option<&Table>,
    synthetic: &Table,
) -> Vec<Score> {
    let truth = Some(truth);
    let comparison = Comparison { train, holdout, synthetic, truth, seed: Seed(1), threads: 2 };
    evaluate(&comparison, &mut Silent).unwrap()
}

#[test]
fn without_a_law_there_is_a_reason() {
    let table = table("train");
    let scores = scores(&table, Some(&table), &table);
    for name in NAMES {
        let score = find(&scores, name, &[]);
        assert_eq!((score.status, score.reference), (Status::Skipped, None));
        assert!(score.reason.as_deref().unwrap().contains("not known"), "{score:?}");
    }
}

#[test]
fn fresh_rows_of_a_mixture_score_as_real_ones() {
    let (train, holdout) = (squares(1, 1000, both), squares(2, 1000, both));
    let scores = judged(&Squares, &train, Some(&holdout), &squares(3, 1000, both));
    for name in NAMES {
        let score = find(&scores, name, &[]);
        let (value, reference) = (score.value.unwrap(), score.reference.unwrap());
        assert!((value - reference).abs() < 0.03, "{score:?}");
    }
    assert!((value(&scores, "oracle_log_likelihood") - 0.5f64.ln()).abs() < 1e-12);
    assert_eq!(value(&scores, "modes_covered"), 1.0);
    let copy = judged(&Squares, &train, Some(&holdout), &train);
    for name in &NAMES[..2] {
        let score = find(&copy, name, &[]);
        assert_eq!(score.value, score.reference, "the training rows are the reference");
    }
}

#[test]
fn a_lost_mode_shows() {
    let (train, holdout) = (squares(1, 1000, both), squares(2, 1000, both));
    let lost = squares(3, 1000, |row| CENTRES[usize::from(row % 25 == 0)]);
    let scores = judged(&Squares, &train, Some(&holdout), &lost);
    // What is left is as likely as ever, which is why more of it is not better.
    assert!((value(&scores, "oracle_log_likelihood") - 0.5f64.ln()).abs() < 1e-12);
    assert_eq!(find(&scores, "oracle_log_likelihood", &[]).goal, Goal::Reference);
    assert_eq!(value(&scores, "modes_covered"), 0.5);
    let test = find(&scores, "likelihood_test", &[]);
    assert!(test.value.unwrap() < test.reference.unwrap() - 0.5, "{test:?}");
}

#[test]
fn rows_between_the_modes_show() {
    let (train, holdout) = (squares(1, 1000, both), squares(2, 1000, both));
    let between = squares(3, 1000, |row| [0.0, 10.0, 5.0][row % 3]);
    let scores = judged(&Squares, &train, Some(&holdout), &between);
    let oracle = find(&scores, "oracle_log_likelihood", &[]);
    assert_eq!(oracle.status, Status::Undefined);
    let reason = oracle.reason.as_deref().unwrap();
    assert!(reason.contains("333 of 1000 rows are impossible under squares"), "{reason}");
    assert_eq!(value(&scores, "modes_covered"), 1.0);
    let score = find(&scores, "likelihood_synthetic", &[]);
    assert!(score.value.unwrap() < score.reference.unwrap() - 5.0, "{score:?}");
}

#[test]
fn rows_that_cannot_be_fitted_have_a_reason() {
    let (train, holdout) = (squares(1, 50, both), squares(2, 50, both));
    for (synthetic, part) in [
        (points([]), "no row"),
        (points([[0.0, 0.0]; 2]), "2 rows are too few to fit 3 components"),
        (points([[f64::NAN, 0.0]; 9]), "missing"),
        (points((0..9).map(|row| [1e200 * f64::from(row % 4), 0.0])), "too large"),
    ] {
        let scores = judged(&Squares, &train, Some(&holdout), &synthetic);
        let score = find(&scores, "likelihood_test", &[]);
        assert_eq!(score.status, Status::Undefined);
        assert!(score.reason.as_deref().unwrap().contains(part), "{score:?}");
    }
    for holdout in [None, Some(&points([]))] {
        let scores = judged(&Squares, &train, holdout, &train);
        for name in &NAMES[..2] {
            assert_eq!(find(&scores, name, &[]).status, Status::Skipped);
        }
        assert_eq!(value(&scores, "modes_covered"), 1.0);
    }
}

#[test]
fn a_network_is_scored_by_its_law_and_by_its_structure() {
    let train = pairs(&[(0, 0, 4), (0, 1, 1), (1, 1, 5)]);
    let holdout = pairs(&[(0, 0, 3), (0, 1, 1), (1, 1, 4)]);
    // A quarter of these rows is impossible.
    let synthetic = pairs(&[(0, 0, 2), (1, 0, 2), (1, 1, 4)]);
    let scores = judged(&PAIR, &train, Some(&holdout), &synthetic);
    let floored = |p: f64| (p + 1e-8).ln();
    let close = |name: &str, want: f64, reference: f64| {
        let score = find(&scores, name, &[]);
        assert!((score.value.unwrap() - want).abs() < 1e-12, "{score:?}, expected {want}");
        assert!((score.reference.unwrap() - reference).abs() < 1e-12, "{score:?}, {reference}");
    };
    let law = (2.0 * floored(0.375) + 2.0 * floored(0.0) + 4.0 * floored(0.5)) / 8.0;
    // The training rows in place of the synthetic ones, as many of them: which, chance decides.
    let reference = find(&scores, "likelihood_synthetic", &[]).reference.unwrap();
    close("likelihood_synthetic", law, reference);
    // From the synthetic rows: a is 0 in a quarter, b is then 0; else 0 in a third.
    let learned = (3.0 * floored(0.25) + floored(0.0) + 4.0 * floored(0.5)) / 8.0;
    let reference = find(&scores, "likelihood_test", &[]).reference.unwrap();
    close("likelihood_test", learned, reference);
    assert_eq!(find(&scores, "oracle_log_likelihood", &[]).status, Status::Undefined);
    assert_eq!(find(&scores, "modes_covered", &[]).status, Status::Skipped);
    // With as many synthetic rows as training rows the reference is all of the latter.
    let scores = judged(&PAIR, &train, Some(&holdout), &train);
    let law = (4.0 * floored(0.375) + floored(0.125) + 5.0 * floored(0.5)) / 10.0;
    let learned = (3.0 * floored(0.4) + floored(0.1) + 4.0 * floored(0.5)) / 8.0;
    for (name, want) in [("likelihood_synthetic", law), ("likelihood_test", learned)] {
        let score = find(&scores, name, &[]);
        assert!((score.value.unwrap() - want).abs() < 1e-12, "{score:?}, expected {want}");
        assert_eq!(score.value, score.reference);
    }
    let oracle = find(&scores, "oracle_log_likelihood", &[]);
    let holdout = (3.0 * 0.375f64.ln() + 0.125f64.ln() + 4.0 * 0.5f64.ln()) / 8.0;
    assert!((oracle.reference.unwrap() - holdout).abs() < 1e-12);
}

#[test]
fn a_law_over_other_columns_fails_with_its_name() {
    let column = ColumnSpec::category("x", ["0"]).nullable();
    let table =
        Table::new(Schema::new(vec![column]).unwrap(), vec![Column::Codes(vec![MISSING, 0])]);
    let table = table.unwrap();
    #[derive(Debug)]
    struct Elsewhere;
    impl Truth for Elsewhere {
        fn name(&self) -> &str {
            "elsewhere"
        }
        fn log_density(&self, table: &Table) -> Result<Vec<f64>> {
            table.schema().find("z").map(|_| Vec::new())
        }
        fn family(&self) -> Family<'_> {
            Family::Mixture(modes())
        }
    }
    for score in judged(&Elsewhere, &table, Some(&table), &table) {
        if NAMES.contains(&score.name.as_str()) {
            assert_eq!(score.status, Status::Failed, "{score:?}");
        }
    }
}
