use super::risk::{Outcome, Rate, Targets, copies, planted, without};
use crate::{
    Comparison, Group, Metric, Score,
    gower::{Best, Points, Space, nearest},
    score::{Gap, Kind},
    tables::{is_modelled, shuffle_front},
};
use meg_core::Table;
use rand::Rng as _;

const KIND: Kind = Kind::distance("linkability_risk");

/// Nearest synthetic rows by either half of the columns.
const NEIGHBOURS: usize = 5;

/// Can two data sets about the same people be joined with the help of the synthetic rows?
///
/// The columns are cut into two halves at random. An attack on a row succeeds if one synthetic row
/// is among the 5 nearest (Gower's distance) by the one half and by the other. The risk is how much
/// better that goes for training rows than for unseen rows, `(main - control) / (1 - control)`, in
/// 0..=1, lower is better, with an interval from Wilson's; 500 rows of either side at most. Undefined
/// with fewer than two columns, skipped without holdout rows. Source: anonymeter (Giomi et al. 2023),
/// whose cap on neighbours compares them with the number of attacks.
#[derive(Debug)]
pub(crate) struct Linkability;

impl Metric for Linkability {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn about(&self) -> &'static str {
        "How often synthetic rows join the two halves of a training row, beyond those of unseen rows."
    }

    fn group(&self) -> Group {
        Group::Attacks
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        match attack(comparison) {
            Ok(outcome) => {
                let least = outcome.least_share().map(|share| share * copies(comparison));
                vec![outcome.score(&KIND, &[], "", least)]
            }
            Err(gap) => without(&[KIND], &gap, comparison),
        }
    }
}

fn attack(comparison: &Comparison<'_>) -> Result<Outcome, Gap> {
    let targets = Targets::new(comparison)?;
    let Comparison { train, synthetic, seed, threads, .. } = *comparison;
    let mut columns: Vec<usize> =
        (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
    if columns.len() < 2 {
        return Err(Gap::undefined("two columns at least are needed"));
    }
    let count = columns.len();
    shuffle_front(&mut columns, count, &mut seed.stream("linkability columns"));
    let (left, right) = columns.split_at(count / 2);
    let spaces = [left, right].map(|columns| Space::of(train, columns));
    let points = |table: &Table| {
        let all: Vec<usize> = (0..table.rows()).collect();
        [0, 1].map(|half: usize| spaces[half].points(table, &all))
    };
    let rate = |among: &[Points; 2], table: &Table, rows: &[usize]| {
        let [left, right] = [0, 1].map(|half: usize| {
            let targets = spaces[half].points(table, rows);
            nearest(&spaces[half], &targets, &among[half], NEIGHBOURS, threads)
        });
        let linked = |(left, right): (&Best, &Best)| {
            let right: Vec<usize> = right.rows().collect();
            left.rows().any(|row| right.contains(&row))
        };
        Rate::of(&left.iter().zip(&right).map(linked).collect::<Vec<_>>())
    };
    let among = points(synthetic);
    let with_copies = points(&planted(comparison, &targets)?);
    let mut rng = seed.stream("linkability guessing");
    let wanted = NEIGHBOURS.min(synthetic.rows());
    let guess = |_: &&usize| {
        let mut draw = || -> Vec<usize> {
            (0..wanted).map(|_| rng.random_range(0..synthetic.rows())).collect()
        };
        let (left, right) = (draw(), draw());
        left.iter().any(|row| right.contains(row))
    };
    let guessed = targets.members.iter().filter(guess).count();
    Ok(Outcome {
        main: rate(&among, train, &targets.members),
        control: rate(&among, targets.holdout, &targets.others),
        planted: rate(&with_copies, targets.holdout, &targets.others),
        guessing: Rate { successes: guessed, attacks: targets.members.len() },
    })
}
