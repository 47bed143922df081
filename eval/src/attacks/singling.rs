use super::{
    more_rows::Counts,
    risk::{AsMany, Outcome, Rate, Targets, without},
};
use crate::{
    Comparison, Group, Metric, Score,
    numbers::{observed, quantile_of_sorted},
    score::{Gap, Kind},
    tables::{is_modelled, shuffle_front},
};
use meg_core::{Column, MISSING, Rng, Table};
use rand::Rng as _;

const KINDS: [Kind; 2] =
    [Kind::distance("singling_out_risk"), Kind::distance("singling_out_univariate_risk")];

/// Attacks of either kind at most.
const MOST_ATTACKS: usize = 500;

/// Draws per attack that is wanted, before the search for predicates ends.
const DRAWS: usize = 10;

/// Columns of a predicate.
const WIDTH: usize = 3;

/// Does what holds for one synthetic row only hold for one training row only?
///
/// A predicate is taken from the synthetic rows such that exactly one of them fulfils it. An attack
/// succeeds if exactly one of the training rows does. `singling_out_risk`: predicates over three
/// columns (or all, if there are fewer) of a random synthetic row: its category, or its number as an
/// upper bound below the median and a lower bound above. `singling_out_univariate_risk`: the least
/// and the largest number of a column, and cells that occur once; no column gives more than its
/// share. The risk is how much better that goes on training rows than on as many unseen rows,
/// `(main - control) / (1 - control)`, in 0..=1, lower is better, with an interval from Wilson's.
///
/// Where there are fewer unseen rows than training rows, the control is what as many would give: see
/// [`Counts::singled_out`]. 500 predicates at most; of fewer, the share is of those that were found.
/// Undefined without any.
/// Source: anonymeter (Giomi et al. 2023), which divides by the number that was asked for.
#[derive(Debug)]
pub(crate) struct SinglingOut;

impl Metric for SinglingOut {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How often what is unique among synthetic rows singles out one training row, beyond unseen rows."
    }

    fn group(&self) -> Group {
        Group::Attacks
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let targets = match Targets::new(comparison, None) {
            Ok(targets) => targets,
            Err(gap) => return without(&KINDS, &gap, comparison),
        };
        let columns: Vec<usize> = (0..comparison.train.columns().len())
            .filter(|&at| is_modelled(comparison.train, at))
            .collect();
        if columns.is_empty() {
            return without(&KINDS, &Gap::undefined("there is no column to attack"), comparison);
        }
        let (synthetic, seed) = (comparison.synthetic, comparison.seed);
        let mut rng = seed.stream("singling out");
        let found = [
            multivariate(synthetic, &columns, &mut rng),
            univariate(synthetic, &columns, &mut rng),
        ];
        let mut rng = seed.stream("singling out guessing");
        let everyone: Vec<usize> = (0..comparison.train.rows()).collect();
        KINDS
            .iter()
            .zip(found)
            .zip([WIDTH.min(columns.len()), 1])
            .map(|((kind, predicates), width)| {
                let guesses: Vec<Predicate> = predicates
                    .iter()
                    .map(|_| guess(synthetic, &columns, width, &mut rng))
                    .collect();
                let rate = |predicates: &[Predicate]| {
                    let single =
                        |tests: &&Predicate| holding(tests, comparison.train, &everyone) == 1;
                    let successes = predicates.iter().filter(single).count();
                    Rate { successes, attacks: predicates.len() }
                };
                let unseen = unseen(&predicates, &targets);
                let times = everyone.len() as f64 / targets.others.len() as f64;
                let outcome = Outcome {
                    main: rate(&predicates),
                    control: Rate { successes: unseen.one, attacks: predicates.len() },
                    // One row fulfils the predicate of a copied row; it is singled out if no other
                    // does, which is as likely as that no unseen row does.
                    planted: Rate { successes: unseen.none, attacks: predicates.len() },
                    guessing: rate(&guesses),
                    as_many: (times > 1.0 && !predicates.is_empty()).then(|| AsMany {
                        control: unseen.singled_out(times),
                        planted: unseen.unmatched(times),
                    }),
                };
                outcome.score(kind, &[], "", outcome.least_share())
            })
            .collect()
    }
}

/// How many of the predicates none, and exactly one, of the unseen rows fulfils.
fn unseen(predicates: &[Predicate], targets: &Targets<'_>) -> Counts {
    let mut counts = Counts { predicates: predicates.len(), ..Counts::default() };
    for tests in predicates {
        match holding(tests, targets.holdout, &targets.others) {
            0 => counts.none += 1,
            1 => counts.one += 1,
            _ => {}
        }
    }
    counts
}

/// Conditions that must hold together.
type Predicate = Vec<Test>;

#[derive(Debug, Clone, Copy)]
enum Test {
    AtMost(usize, f64),
    AtLeast(usize, f64),
    Equals(usize, f64),
    Level(usize, u32),
    Missing(usize),
}

impl Test {
    fn holds(self, table: &Table, row: usize) -> bool {
        match self {
            Test::AtMost(column, value) => table.numbers(column)[row] <= value,
            Test::AtLeast(column, value) => table.numbers(column)[row] >= value,
            Test::Equals(column, value) => table.numbers(column)[row] == value,
            Test::Level(column, code) => table.codes(column)[row] == code,
            Test::Missing(column) => table.columns()[column].is_missing(row),
        }
    }

    /// The condition that a row of the table fulfils in this column: a number is an upper bound if
    /// `is_low` says so of it, and a lower one otherwise.
    fn of(table: &Table, column: usize, row: usize, is_low: impl Fn(f64) -> bool) -> Self {
        match &table.columns()[column] {
            Column::Numbers(cells) if cells[row].is_nan() => Test::Missing(column),
            Column::Numbers(cells) if is_low(cells[row]) => Test::AtMost(column, cells[row]),
            Column::Numbers(cells) => Test::AtLeast(column, cells[row]),
            _ => match table.codes(column)[row] {
                MISSING => Test::Missing(column),
                code => Test::Level(column, code),
            },
        }
    }
}

fn holds(tests: &[Test], table: &Table, row: usize) -> bool {
    tests.iter().all(|test| test.holds(table, row))
}

/// How many of the rows fulfil all conditions, counted up to 2.
fn holding(tests: &[Test], table: &Table, rows: &[usize]) -> usize {
    rows.iter().filter(|&&row| holds(tests, table, row)).take(2).count()
}

fn multivariate(synthetic: &Table, columns: &[usize], rng: &mut Rng) -> Vec<Predicate> {
    let medians = medians(synthetic, columns);
    let all: Vec<usize> = (0..synthetic.rows()).collect();
    let mut found = Vec::new();
    for _ in 0..MOST_ATTACKS * DRAWS {
        if found.len() == MOST_ATTACKS {
            break;
        }
        let row = rng.random_range(0..synthetic.rows());
        let tests: Predicate = chosen(columns.len(), WIDTH, rng)
            .into_iter()
            .map(|at| {
                let is_low = |cell| medians[at].is_some_and(|median| cell <= median);
                Test::of(synthetic, columns[at], row, is_low)
            })
            .collect();
        if holding(&tests, synthetic, &all) == 1 {
            found.push(tests);
        }
    }
    found
}

/// A predicate whose cells come from different synthetic rows.
fn guess(synthetic: &Table, columns: &[usize], width: usize, rng: &mut Rng) -> Predicate {
    chosen(columns.len(), width, rng)
        .into_iter()
        .map(|at| {
            let row = rng.random_range(0..synthetic.rows());
            // Either bound is as likely: the median of nobody's rows is not known.
            let is_low = rng.random::<bool>();
            Test::of(synthetic, columns[at], row, |_| is_low)
        })
        .collect()
}

fn univariate(synthetic: &Table, columns: &[usize], rng: &mut Rng) -> Vec<Predicate> {
    let share = MOST_ATTACKS.div_ceil(columns.len());
    let mut found = Vec::new();
    for &column in columns {
        let mut own = match &synthetic.columns()[column] {
            Column::Numbers(cells) => of_numbers(column, cells),
            _ => of_codes(column, synthetic.codes(column)),
        };
        shuffle_front(&mut own, share, rng);
        own.truncate(share);
        found.extend(own.into_iter().map(|test| vec![test]));
    }
    let all: Vec<usize> = (0..synthetic.rows()).collect();
    found.retain(|tests| holding(tests, synthetic, &all) == 1);
    found
}

fn of_numbers(column: usize, cells: &[f64]) -> Vec<Test> {
    let sorted = observed(cells);
    let single = sorted.chunk_by(|a, b| a == b).filter(|run| run.len() == 1);
    let mut tests: Vec<Test> = single.map(|run| Test::Equals(column, run[0])).collect();
    if let [least, .., most] = sorted[..] {
        tests.push(Test::AtMost(column, least));
        tests.push(Test::AtLeast(column, most));
    }
    if cells.len() == sorted.len() + 1 {
        tests.push(Test::Missing(column));
    }
    tests
}

fn of_codes(column: usize, codes: &[u32]) -> Vec<Test> {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let single = sorted.chunk_by(|a, b| a == b).filter(|run| run.len() == 1);
    single
        .map(|run| match run[0] {
            MISSING => Test::Missing(column),
            code => Test::Level(column, code),
        })
        .collect()
}

/// `wanted` of the positions `0..of` in random order.
fn chosen(of: usize, wanted: usize, rng: &mut Rng) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..of).collect();
    shuffle_front(&mut positions, wanted, rng);
    positions.truncate(wanted);
    positions
}

/// The median of each number column that has an observed cell.
fn medians(table: &Table, columns: &[usize]) -> Vec<Option<f64>> {
    let median = |&column: &usize| match &table.columns()[column] {
        Column::Numbers(cells) => {
            let sorted = observed(cells);
            (!sorted.is_empty()).then(|| quantile_of_sorted(&sorted, 0.5))
        }
        _ => None,
    };
    columns.iter().map(median).collect()
}
