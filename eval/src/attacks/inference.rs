use super::risk::{Outcome, Rate, Targets, without};
use crate::{
    Comparison, Group, Metric, Score,
    gower::{Space, nearest},
    score::{Gap, Kind, listed},
    tables::is_modelled,
};
use meg_core::{Column, Rng, Table};
use rand::Rng as _;

const KIND: Kind = Kind::distance("inference_risk");

/// A guess of a number counts if it errs by no more than this share of the true value.
const TOLERANCE: f64 = 0.05;

/// Can what is not known of a person be read off the synthetic rows?
///
/// Each column in turn is the secret. The guess is the cell of the synthetic row that is nearest by
/// all other columns (Gower's distance); it succeeds if a category is equal, a number within 5 % of
/// the size of the true one, or both are missing. The risk is how much better that goes for
/// training rows than for unseen rows, `(main - control) / (1 - control)`: what follows from the law
/// is known of unseen rows too and is no leak. In 0..=1, lower is better, with an interval from
/// Wilson's; 500 rows of either side at most. First all columns together, then each. Source:
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
            Ok(outcomes) => scores(comparison.train, &outcomes),
            Err(gap) => without(&[KIND], &gap, comparison),
        }
    }
}

fn scores(train: &Table, outcomes: &[(usize, Outcome)]) -> Vec<Score> {
    let name = |column: usize| train.schema().columns[column].name.as_str();
    let single: Vec<Score> = outcomes
        .iter()
        .map(|(column, outcome)| outcome.score(&KIND, &[name(*column)], ""))
        .collect();
    // A column leaks visibly if its whole interval is above 0.
    let leaking: Vec<String> = single
        .iter()
        .filter(|score| score.interval.is_some_and(|[low, _]| low > 0.0))
        .map(|score| score.columns.join(""))
        .collect();
    let note = match leaking.is_empty() {
        true => String::new(),
        false => format!("above chance: {}; ", listed(&leaking)),
    };
    let all = outcomes.iter().fold(Outcome::default(), |sum, (_, outcome)| sum.plus(*outcome));
    let mut scores = vec![all.score(&KIND, &[], &note)];
    scores.extend(single);
    scores
}

fn attack(comparison: &Comparison<'_>) -> Result<Vec<(usize, Outcome)>, Gap> {
    let targets = Targets::some(comparison)?;
    let Comparison { train, synthetic, seed, threads, .. } = *comparison;
    let columns: Vec<usize> =
        (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
    if columns.len() < 2 {
        return Err(Gap::undefined("two columns at least are needed"));
    }
    let all: Vec<usize> = (0..synthetic.rows()).collect();
    let mut rng = seed.stream("inference guessing");
    let one = |secret: usize, rng: &mut Rng| {
        let known: Vec<usize> = columns.iter().copied().filter(|&at| at != secret).collect();
        let space = Space::of(train, &known);
        let points = space.points(synthetic, &all);
        let cells = &synthetic.columns()[secret];
        let rate = |table: &Table, rows: &[usize]| {
            let found = nearest(&space, &space.points(table, rows), &points, 1, threads);
            let right = |(row, guess): (&usize, Option<usize>)| {
                guess.is_some_and(|guess| agrees(&table.columns()[secret], *row, cells, guess))
            };
            let guesses = found.iter().map(|best| best.rows().next());
            let successes = rows.iter().zip(guesses).filter(|pair| right(*pair)).count();
            Rate { successes, attacks: rows.len() }
        };
        let mut guess = |row: &&usize| {
            let guess = rng.random_range(0..synthetic.rows());
            agrees(&train.columns()[secret], **row, cells, guess)
        };
        let guessed = targets.members.iter().filter(|row| guess(row)).count();
        Outcome {
            main: rate(train, &targets.members),
            control: rate(targets.holdout, &targets.others),
            guessing: Rate { successes: guessed, attacks: targets.members.len() },
        }
    };
    Ok(columns.iter().map(|&secret| (secret, one(secret, &mut rng))).collect())
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
