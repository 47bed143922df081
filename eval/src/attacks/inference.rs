use super::risk::{Outcome, Rate, Targets, copies, planted, risk, without};
use crate::{
    Comparison, Group, Metric, Score,
    gower::{Best, Points, Space, nearest},
    numbers::quantile,
    power::{LEVEL, Law, Sizes, least_share},
    score::{Gap, Kind, listed},
    significance::smaller_mean,
    tables::is_modelled,
};
use meg_core::{Column, Rng, Seed, Table};
use rand::Rng as _;

const KIND: Kind = Kind::distance("inference_risk");

/// Draws of the attacked rows for the interval.
const DRAWS: usize = 1_000;

/// A guess of a number counts if it errs by no more than this share of the true value.
const TOLERANCE: f64 = 0.05;

/// Can what is not known of a person be read off the synthetic rows?
///
/// Each column in turn is the secret. The guess is the cell of the synthetic row that is nearest by
/// all other columns (Gower's distance); it succeeds if a category is equal, a number within 5 % of
/// the size of the true one, or both are missing. The risk is how much better that goes for
/// training rows than for unseen rows, `(main - control) / (1 - control)`: what follows from the law
/// is known of unseen rows too and is no leak. In 0..=1, lower is better, with an interval from
/// Wilson's; 500 rows of either side at most. First all columns together, with an interval from 1 000
/// draws of whole rows (the cells of one row are no attacks of their own), then each. Source:
/// anonymeter (Giomi et al. 2023), which divides by the guess with its sign, so that every negative
/// guess succeeds there.
#[derive(Debug)]
pub(crate) struct Inference;

impl Metric for Inference {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn about(&self) -> &'static str {
        "How well each cell of a training row is guessed from its others by synthetic rows, beyond those of unseen rows."
    }

    fn group(&self) -> Group {
        Group::Attacks
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        match attack(comparison) {
            Ok(columns) => scores(comparison, &columns),
            Err(gap) => without(&[KIND], &gap, comparison),
        }
    }
}

/// The attacks on the cells of one column, row by row.
struct Attacked {
    column: usize,
    members: Vec<bool>,
    others: Vec<bool>,
    /// Of unseen rows that were put among the synthetic ones.
    planted: Vec<bool>,
    guessing: Rate,
}

impl Attacked {
    fn outcome(&self) -> Outcome {
        Outcome {
            main: Rate::of(&self.members),
            control: Rate::of(&self.others),
            planted: Rate::of(&self.planted),
            guessing: self.guessing,
        }
    }
}

fn scores(comparison: &Comparison<'_>, columns: &[Attacked]) -> Vec<Score> {
    let copies = copies(comparison);
    let name = |column: usize| comparison.train.schema().columns[column].name.as_str();
    let single = columns.iter().map(|attacked| {
        let outcome = attacked.outcome();
        let least = outcome.least_share().map(|share| share * copies);
        outcome.score(&KIND, &[name(attacked.column)], "", least)
    });
    let single: Vec<Score> = single.collect();
    // A column leaks visibly if chance does as much to none of them.
    let level = LEVEL / columns.len() as f64;
    let leaking: Vec<String> = single
        .iter()
        .filter(|score| score.p_value.is_some_and(|p| p <= level))
        .map(|score| score.columns.join(""))
        .collect();
    let note = match leaking.is_empty() {
        true => String::new(),
        false => format!("above chance: {}; ", listed(&leaking)),
    };
    let all = columns.iter().fold(Outcome::default(), |sum, own| sum.plus(own.outcome()));
    let rows = Rows::of(columns);
    let least = rows.least_share().map(|share| share * copies);
    let mut together = all.score(&KIND, &[], &note, least);
    // The cells of a row are found or missed together, so that its columns are not as many attacks:
    // whole rows are drawn again. Where rows agree by chance Wilson's interval is the wider one.
    let drawn = rows.interval(&mut comparison.seed.stream("inference bootstrap"));
    let wider = |[low, high]: [f64; 2]| match drawn {
        Some([from, to]) => [low.min(from), high.max(to)],
        None => [low, high],
    };
    together.interval = together.interval.map(wider);
    let together = together.with_p_value(Some(rows.p_value(comparison.seed)));
    let mut scores = vec![together];
    scores.extend(single);
    scores
}

/// Successes of each attacked row, over the columns.
struct Rows {
    columns: usize,
    members: Vec<usize>,
    others: Vec<usize>,
    planted: Vec<usize>,
}

impl Rows {
    fn of(columns: &[Attacked]) -> Self {
        let sums = |side: fn(&Attacked) -> &Vec<bool>| -> Vec<usize> {
            let rows = columns.first().map_or(0, |own| side(own).len());
            let count = |row: usize| columns.iter().filter(|own| side(own)[row]).count();
            (0..rows).map(count).collect()
        };
        Self {
            columns: columns.len(),
            members: sums(|own| &own.members),
            others: sums(|own| &own.others),
            planted: sums(|own| &own.planted),
        }
    }

    /// The middle 95 % of the risk over rows drawn again with replacement, members and others apart.
    fn interval(&self, rng: &mut Rng) -> Option<[f64; 2]> {
        let mut again = |rows: &[usize]| {
            let drawn = (0..rows.len()).map(|_| rows[rng.random_range(0..rows.len())]);
            Rate { successes: drawn.sum(), attacks: rows.len() * self.columns }
        };
        let draws = (0..DRAWS).map(|_| Some(risk(again(&self.members), again(&self.others))?.0));
        let risks: Vec<f64> = draws.collect::<Option<_>>()?;
        Some([quantile(&risks, 0.025), quantile(&risks, 0.975)])
    }

    /// By the share of its cells that are guessed of each row.
    fn p_value(&self, seed: Seed) -> f64 {
        let missed = |rows: &[usize]| -> Vec<f64> {
            rows.iter().map(|found| 1.0 - *found as f64 / self.columns as f64).collect()
        };
        smaller_mean(&missed(&self.members), &missed(&self.others), seed)
    }

    /// See [`least_share`]; what a row gives is the share of its cells that are guessed.
    fn least_share(&self) -> Option<f64> {
        let law = |rows: &[usize]| {
            let shares: Vec<f64> =
                rows.iter().map(|found| *found as f64 / self.columns as f64).collect();
            let seen = Law::of(&shares);
            // None of some cells guessed does not mean that none can be.
            let cells = rows.len() * self.columns;
            let all = Law::successes(rows.iter().sum::<usize>() as f64, cells);
            Law { variance: seen.variance.max(all.variance / self.columns as f64), ..all }
        };
        let sizes = Sizes::new(self.members.len(), Some(self.others.len()));
        least_share(law(&self.others), law(&self.planted), sizes)
    }
}

fn attack(comparison: &Comparison<'_>) -> Result<Vec<Attacked>, Gap> {
    let targets = Targets::new(comparison)?;
    let Comparison { train, synthetic, seed, threads, .. } = *comparison;
    let columns: Vec<usize> =
        (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
    if columns.len() < 2 {
        return Err(Gap::undefined("two columns at least are needed"));
    }
    let with_copies = planted(comparison, &targets)?;
    let mut rng = seed.stream("inference guessing");
    let one = |secret: usize, rng: &mut Rng| {
        let known: Vec<usize> = columns.iter().copied().filter(|&at| at != secret).collect();
        let space = Space::of(train, &known);
        let points = |table: &Table| space.points(table, &(0..table.rows()).collect::<Vec<_>>());
        let guessed = |among: &Table, points: &Points, table: &Table, rows: &[usize]| {
            let found = nearest(&space, &space.points(table, rows), points, 1, threads);
            let (truth, cells) = (&table.columns()[secret], &among.columns()[secret]);
            let right = |(row, best): (&usize, &Best)| {
                best.rows().next().is_some_and(|guess| agrees(truth, *row, cells, guess))
            };
            rows.iter().zip(&found).map(right).collect::<Vec<bool>>()
        };
        let mut guess = |row: &usize| {
            let guess = rng.random_range(0..synthetic.rows());
            agrees(&train.columns()[secret], *row, &synthetic.columns()[secret], guess)
        };
        let guessing = Rate::of(&targets.members.iter().map(&mut guess).collect::<Vec<_>>());
        let (holdout, others) = (targets.holdout, &targets.others);
        let plain = points(synthetic);
        Attacked {
            column: secret,
            members: guessed(synthetic, &plain, train, &targets.members),
            others: guessed(synthetic, &plain, holdout, others),
            planted: guessed(&with_copies, &points(&with_copies), holdout, others),
            guessing,
        }
    };
    Ok(columns.iter().map(|&secret| one(secret, &mut rng)).collect())
}

fn agrees(truth: &Column, row: usize, guesses: &Column, guess: usize) -> bool {
    match (truth, guesses) {
        (Column::Numbers(truth), Column::Numbers(guesses)) => {
            let (truth, guess) = (truth[row], guesses[guess]);
            (truth.is_nan() && guess.is_nan()) || (guess - truth).abs() <= TOLERANCE * truth.abs()
        }
        (Column::Codes(truth), Column::Codes(guesses)) => truth[row] == guesses[guess],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `columns` attacks on 500 rows of either side, of which some rows are found in all columns, or
    /// as many cells each in a row of its own.
    fn attacked(columns: usize, members: usize, others: usize, together: bool) -> Vec<Attacked> {
        let side = |found: usize, column: usize| -> Vec<bool> {
            let from = if together { 0 } else { column * 41 };
            (0..500).map(|row| (row + 500 - from % 500) % 500 < found).collect()
        };
        let one = |column| Attacked {
            column,
            members: side(members, column),
            others: side(others, column),
            planted: vec![true; 500],
            guessing: Rate::default(),
        };
        (0..columns).map(one).collect()
    }

    #[test]
    fn cells_that_are_found_together_are_fewer_attacks() {
        let (columns, found, unseen) = (9, 100, 50);
        let width = |together| {
            let rows = Rows::of(&attacked(columns, found, unseen, together));
            let [low, high] = rows.interval(&mut Seed(1).stream("test")).unwrap();
            high - low
        };
        let rate = |successes, attacks| Rate { successes, attacks };
        let of = |factor: usize| {
            let sides = [found, unseen].map(|own| rate(own * factor, 500 * factor));
            let [low, high] = risk(sides[0], sides[1]).unwrap().1;
            high - low
        };
        // Found together, nine columns say as much as one; found apart, at least as much as nine.
        assert!((width(true) / of(1) - 1.0).abs() < 0.1, "{} {}", width(true), of(1));
        assert!(width(false) < 1.1 * of(columns), "{} {}", width(false), of(columns));
    }

    #[test]
    fn the_least_leak_grows_where_cells_are_found_together() {
        let least = |together| Rows::of(&attacked(9, 50, 50, together)).least_share().unwrap();
        let single = attacked(1, 50, 50, true)[0].outcome().least_share().unwrap();
        assert!((least(true) / single - 1.0).abs() < 0.05, "{} {single}", least(true));
        assert!(least(false) < 0.6 * single, "{} {single}", least(false));
    }

    #[test]
    fn guesses_are_right_within_5_percent_of_the_truth() {
        let truth = Column::Numbers(vec![100.0, -100.0, f64::NAN, 0.0]);
        let agrees =
            |row: usize, guess: f64| super::agrees(&truth, row, &Column::Numbers(vec![guess]), 0);
        assert!(agrees(0, 95.0) && agrees(0, 105.0) && !agrees(0, 106.0));
        assert!(agrees(1, -105.0) && !agrees(1, -1.0) && !agrees(0, -1.0));
        assert!(agrees(2, f64::NAN) && !agrees(2, 1.0) && !agrees(0, f64::NAN));
        assert!(agrees(3, 0.0) && !agrees(3, 0.1));
    }
}
