use crate::{
    Comparison, Group, Metric, Score,
    numbers::{observed, quantile_of_sorted},
    parallel,
    power::{LEVEL, Law, Sizes, least_share},
    score::{Gap, Kind, Reading},
    significance::{more_hits, wilson},
    tables::{is_modelled, shuffle_front, unseen_rows},
};
use meg_core::{Column, MISSING, Rng, Table};
use rand::Rng as _;
use std::collections::HashMap;

const KINDS: [Kind; 2] =
    [Kind::distance("singling_out_risk"), Kind::distance("singling_out_univariate_risk")];

/// Attacks of either kind at most.
const MOST_ATTACKS: usize = 500;

/// Attacks at least.
const LEAST_ATTACKS: usize = 20;

/// Predicates that are tried per attack that is wanted: of a random row, and of one column.
const DRAWS: usize = 100;
const DRAWS_OF_COLUMN: usize = 10;

/// Predicates that are tried at a time.
const BLOCK: usize = 250;

/// Columns of a predicate.
const WIDTH: usize = 3;

/// Does what holds for one synthetic row only point at a training row?
///
/// A predicate is taken from the synthetic rows such that exactly one of them fulfils it.
/// `singling_out_risk`: predicates over three columns (or all, if there are fewer) of a random
/// synthetic row: its category, or its number as an upper bound below the median and a lower bound
/// above. `singling_out_univariate_risk`: the least and the largest number of a column, and cells that
/// occur once; no column gives more than its share.
///
/// An attack is a predicate that exactly one of all real rows, training and unseen, fulfils; it
/// succeeds if that is a training row. Rows that know no person point at training rows as often as
/// these are among the real rows, `chance`; the risk is how much more often it happens,
/// `(rate - chance) / (1 - chance)`, in 0..=1, lower is better, with Wilson's interval, in which attacks
/// on one real row count as one. 500 attacks at most, 20 at least. A copy has 1 however few rows are
/// unseen. The p-value is of all exchanges of training rows and unseen rows.
///
/// Source: singling out after anonymeter (Giomi et al. 2023), which compares how many predicates hold
/// for one training row with how many hold for one of as many control rows: where fewer rows are
/// unseen than learned from, that has no answer without a law for the rows that are lacking.
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
        "How often what is unique among synthetic rows singles out a training row, beyond chance."
    }

    fn group(&self) -> Group {
        Group::Attacks
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let real = match Real::new(comparison) {
            Ok(real) => real,
            Err(gap) => {
                return KINDS.map(|kind| real_score(&kind, Err(gap.clone()), comparison)).into();
            }
        };
        let mut rng = comparison.seed.stream("singling out");
        let found = [real.multivariate(&mut rng), real.univariate(&mut rng)];
        let score = |((kind, by), pointed): ((&Kind, &str), Pointed)| {
            let attack = pointed.attack(&real, by);
            real_score(kind, attack, comparison)
        };
        let by = ["cells of a few columns", "single cells"];
        KINDS.iter().zip(by).zip(found).map(score).collect()
    }
}

fn real_score(kind: &Kind, attack: Result<Attack, Gap>, comparison: &Comparison<'_>) -> Score {
    let real = comparison.train.rows() + comparison.holdout.map_or(0, Table::rows);
    let reading = |value| Reading::new(value, real, comparison.synthetic.rows());
    match attack {
        Err(gap) => Score::new(kind, &[], reading(Err(gap))),
        Ok(attack) => {
            let reading = reading(Ok(attack.risk)).interval(Some(attack.interval));
            Score::new(kind, &[], reading.note(Some(attack.note)))
                .with_reference(Some(0.0))
                .with_p_value(Some(attack.p_value))
                .with_least_leak(attack.least_leak)
        }
    }
}

/// What an attack found.
struct Attack {
    risk: f64,
    interval: [f64; 2],
    note: String,
    p_value: f64,
    least_leak: Option<f64>,
}

/// The rows that predicates are tried on.
struct Real<'a> {
    train: &'a Table,
    holdout: &'a Table,
    synthetic: &'a Table,
    columns: Vec<usize>,
    threads: usize,
}

impl<'a> Real<'a> {
    fn new(comparison: &Comparison<'a>) -> Result<Self, Gap> {
        let Comparison { train, synthetic, threads, .. } = *comparison;
        let holdout = unseen_rows(comparison)?;
        let columns: Vec<usize> =
            (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
        if columns.is_empty() {
            return Err(Gap::undefined("there is no column to attack"));
        }
        Ok(Self { train, holdout, synthetic, columns, threads })
    }

    /// The share of the real rows that are training rows.
    fn chance(&self) -> f64 {
        let train = self.train.rows() as f64;
        train / (train + self.holdout.rows() as f64)
    }

    fn multivariate(&self, rng: &mut Rng) -> Pointed {
        let medians = medians(self.synthetic, &self.columns);
        let mut draw = || -> Predicate {
            let row = rng.random_range(0..self.synthetic.rows());
            chosen(self.columns.len(), WIDTH, rng)
                .into_iter()
                .map(|at| {
                    let is_low = |cell| medians[at].is_some_and(|median| cell <= median);
                    Test::of(self.synthetic, self.columns[at], row, is_low)
                })
                .collect()
        };
        let drawn: Vec<Predicate> = (0..MOST_ATTACKS * DRAWS).map(|_| draw()).collect();
        let mut pointed = Pointed::default();
        self.attack(&drawn, MOST_ATTACKS, &mut pointed);
        pointed
    }

    fn univariate(&self, rng: &mut Rng) -> Pointed {
        let share = MOST_ATTACKS.div_ceil(self.columns.len());
        let mut pointed = Pointed::default();
        for &column in &self.columns {
            let mut own = match &self.synthetic.columns()[column] {
                Column::Numbers(cells) => of_numbers(column, cells),
                _ => of_codes(column, self.synthetic.codes(column)),
            };
            shuffle_front(&mut own, share * DRAWS_OF_COLUMN, rng);
            own.truncate(share * DRAWS_OF_COLUMN);
            let own: Vec<Predicate> = own.into_iter().map(|test| vec![test]).collect();
            self.attack(&own, share, &mut pointed);
        }
        pointed
    }

    /// Tries these predicates in their order until so many attacks are made.
    fn attack(&self, predicates: &[Predicate], wanted: usize, pointed: &mut Pointed) {
        let wanted = pointed.attacks + wanted;
        for block in predicates.chunks(BLOCK) {
            let met = parallel::map(self.threads, block.len(), |at| self.met(&block[at]));
            for met in met {
                if pointed.attacks == wanted {
                    return;
                }
                pointed.add(met);
            }
        }
    }

    fn met(&self, tests: &[Test]) -> Met {
        if holding(tests, self.synthetic).len() != 1 {
            return Met::NoPredicate;
        }
        let train = holding(tests, self.train);
        if train.len() > 1 {
            return Met::Many;
        }
        match (&train[..], &holding(tests, self.holdout)[..]) {
            ([], []) => Met::Nobody,
            ([row], []) => Met::Training(*row),
            ([], [row]) => Met::Unseen(*row),
            _ => Met::Many,
        }
    }
}

/// Whom a predicate holds for.
enum Met {
    /// Not for one synthetic row alone.
    NoPredicate,
    Nobody,
    Training(usize),
    Unseen(usize),
    Many,
}

/// How many predicates point at nobody, and how many at each row that they single out.
#[derive(Default)]
struct Pointed {
    nobody: usize,
    training: HashMap<usize, usize>,
    unseen: HashMap<usize, usize>,
    attacks: usize,
}

impl Pointed {
    fn add(&mut self, met: Met) {
        let side = match met {
            Met::NoPredicate | Met::Many => return,
            Met::Nobody => return self.nobody += 1,
            Met::Training(row) => (&mut self.training, row),
            Met::Unseen(row) => (&mut self.unseen, row),
        };
        *side.0.entry(side.1).or_default() += 1;
        self.attacks += 1;
    }

    fn attack(&self, real: &Real<'_>, by: &str) -> Result<Attack, Gap> {
        let attacks = self.attacks;
        if attacks < LEAST_ATTACKS {
            return Err(Gap::undefined(format!(
                "{attacks} predicates of one synthetic row hold for exactly one real row; {LEAST_ATTACKS} are needed"
            )));
        }
        let successes: usize = self.training.values().sum();
        let chance = real.chance();
        let risk = |rate: f64| ((rate - chance) / (1.0 - chance)).clamp(0.0, 1.0);
        let rate = successes as f64 / attacks as f64;
        let apart = self.apart();
        Ok(Attack {
            risk: risk(rate),
            interval: wilson(rate * apart, apart).map(risk),
            note: format!(
                "{successes} of {attacks} attacks by {by} hit a training row, {:.0} by chance",
                chance * attacks as f64
            ),
            p_value: self.p_value((real.train.rows(), real.holdout.rows())),
            least_leak: self.least_leak(chance, real.synthetic.rows()),
        })
    }

    /// So many attacks on rows of their own would say as much.
    fn apart(&self) -> f64 {
        let counts = self.training.values().chain(self.unseen.values());
        let squares: usize = counts.map(|count| count * count).sum();
        (self.attacks * self.attacks) as f64 / squares as f64
    }

    /// How often as many attacks hit training rows where these and unseen rows are exchanged.
    fn p_value(&self, (train, holdout): (usize, usize)) -> f64 {
        let mut counts: Vec<usize> =
            self.training.values().chain(self.unseen.values()).copied().collect();
        counts.sort_unstable();
        more_hits(&counts, self.training.values().sum(), (train, train + holdout))
    }

    /// The share of copies among so many synthetic rows that would show.
    ///
    /// A copied row fulfils its own predicates, so that they are attacks where no other real row does:
    /// as often as those of other rows point at nobody. Those of other rows are attacks as often as
    /// their hits among unseen rows tell. Attacks on one row count as one.
    fn least_leak(&self, chance: f64, rows: usize) -> Option<f64> {
        let unseen: usize = self.unseen.values().sum();
        let others = ((unseen as f64 + 0.5) / (1.0 - chance)).min(self.attacks as f64);
        let nobody = (self.nobody + self.attacks) as f64 - others;
        let apart = self.apart() / self.attacks as f64;
        let shows = |share: f64| {
            // Copied rows are attacked as often again as others, and no more of them than there are.
            let copied = (nobody * share / (1.0 - share) * apart).min(share * rows as f64);
            let all = others * apart + copied;
            let sizes = Sizes::new(all.max(1.0) as usize, None);
            let least = least_share(Law::share(chance), Law::certain(1.0), sizes);
            // Fewer hits than these are chance even where all hit.
            let enough = all * chance.ln() <= LEVEL.ln();
            enough && least.is_some_and(|least| copied / all >= least)
        };
        let steps = (1..=STEPS).map(|step| f64::from(step) / f64::from(STEPS));
        steps.map(|part| part * part).find(|share| *share < 1.0 && shows(*share))
    }
}

/// Shares that are tried, closer together where they are small.
const STEPS: u32 = 1_000;

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

/// The rows that fulfil all conditions, two at most.
fn holding(tests: &[Test], table: &Table) -> Vec<usize> {
    (0..table.rows()).filter(|&row| holds(tests, table, row)).take(2).collect()
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
