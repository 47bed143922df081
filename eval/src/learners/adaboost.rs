use super::{
    cart::{Cart, Goal, Shape},
    classify::{Predictions, Present},
    features::Design,
    logistic::softmax,
    ranked::Ranked,
};
use meg_core::Seed;

/// Stumps at most, as in scikit-learn.
const STUMPS: usize = 50;

/// Shares of a stump are not below this.
const LEAST: f64 = f64::EPSILON;

/// How stumps vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vote {
    /// SAMME (Zhu, Zou, Rosset and Hastie 2009, algorithm 2): each for one class, with a weight.
    Class,
    /// SAMME.R (algorithm 4): each with the logarithms of its shares.
    Shares,
}

/// AdaBoost over at most 50 trees of one split: each is fitted to rows with weights that rise where
/// those before it were wrong.
///
/// As scikit-learn's `AdaBoostClassifier`, which votes by classes since version 1.6 and voted by
/// shares by default when the CTGAN paper was written. It ends early when a stump makes no mistake
/// (which then decides alone if it is the first) or does no better than chance.
pub(crate) fn predict(
    train: &Design,
    labels: &[usize],
    test: &Design,
    classes: usize,
    vote: Vote,
    seed: Seed,
) -> Predictions {
    let present = Present::of(labels, classes);
    let kinds = present.classes.len();
    let data = Ranked::of(train);
    let goal = Goal::Classes(&present.labels, kinds);
    let shape = Shape { depth: 1, drawn: train.width };
    let mut rng = seed.stream("adaboost");
    let mut weights = vec![1.0 / train.rows as f64; train.rows];
    let mut votes = vec![0.0; test.rows * kinds];
    let mut total = 0.0;
    for _ in 0..STUMPS {
        let stump = Cart::grow(&data, goal, &weights, shape, &mut rng);
        let rows = || train.values.chunks_exact(train.width).zip(&present.labels);
        let wrong = rows().map(|(row, &label)| most(stump.answer(row)) != label);
        let error: f64 =
            wrong.zip(&weights).filter(|(wrong, _)| *wrong).map(|(_, weight)| weight).sum();
        let is_chance = error >= 1.0 - 1.0 / kinds as f64;
        if vote == Vote::Class && is_chance {
            break;
        }
        let strength = match vote {
            Vote::Class if error > 0.0 => ((1.0 - error) / error).ln() + ((kinds - 1) as f64).ln(),
            _ => 1.0,
        };
        total += strength;
        for (row, votes) in test.values.chunks_exact(test.width).zip(votes.chunks_exact_mut(kinds))
        {
            vote.cast(stump.answer(row), strength, votes);
        }
        if error <= 0.0 {
            break;
        }
        for ((row, &label), weight) in rows().zip(&mut weights) {
            *weight *= vote.factor(stump.answer(row), label, strength);
        }
        let sum: f64 = weights.iter().sum();
        // All rows that are left have no weight: nothing more can be learned.
        if !(sum > 0.0 && sum.is_finite()) {
            break;
        }
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    if total == 0.0 {
        return present.shares(test.rows);
    }
    // scikit-learn's shares: they order as the votes do, and are far from certain of anything.
    let scale = total * (kinds - 1) as f64;
    for votes in votes.chunks_exact_mut(kinds) {
        votes.iter_mut().for_each(|vote| *vote /= scale);
        softmax(votes);
    }
    present.spread(&votes)
}

impl Vote {
    /// Adds a stump's vote; the votes of all classes add up to 0.
    fn cast(self, shares: &[f64], strength: f64, votes: &mut [f64]) {
        let others = (shares.len() - 1) as f64;
        match self {
            Self::Class => {
                let own = most(shares);
                for (class, vote) in votes.iter_mut().enumerate() {
                    *vote += if class == own { strength } else { -strength / others };
                }
            }
            Self::Shares => {
                let logarithm = |share: &f64| share.max(LEAST).ln();
                let mean = shares.iter().map(logarithm).sum::<f64>() / shares.len() as f64;
                for (vote, share) in votes.iter_mut().zip(shares) {
                    *vote += others * (logarithm(share) - mean);
                }
            }
        }
    }

    /// By how much a row's weight grows.
    fn factor(self, shares: &[f64], label: usize, strength: f64) -> f64 {
        match self {
            Self::Class if most(shares) == label => 1.0,
            Self::Class => strength.exp(),
            Self::Shares => {
                let (kinds, others) = (shares.len() as f64, (shares.len() - 1) as f64);
                let sum: f64 = shares
                    .iter()
                    .enumerate()
                    .map(|(class, share)| {
                        let coded = if class == label { 1.0 } else { -1.0 / others };
                        coded * share.max(LEAST).ln()
                    })
                    .sum();
                (-others / kinds * sum).exp()
            }
        }
    }
}

/// The class with the largest share, the first of equals.
fn most(shares: &[f64]) -> usize {
    (1..shares.len()).fold(0, |best, at| if shares[at] > shares[best] { at } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    fn design(rows: usize, purpose: &str) -> Design {
        let mut rng = Seed(6).stream(purpose);
        let values = (0..rows * 3).map(|_| rng.random_range(-1.0..1.0)).collect();
        Design { rows, width: 3, values }
    }

    fn labels(design: &Design, law: fn(&[f64]) -> usize) -> Vec<usize> {
        design.values.chunks_exact(3).map(law).collect()
    }

    fn accuracy(law: fn(&[f64]) -> usize, classes: usize, vote: Vote) -> f64 {
        let (train, test) = (design(1_000, "train"), design(1_000, "test"));
        let own = labels(&train, law);
        let predictions = predict(&train, &own, &test, classes, vote, Seed(1));
        predictions.accuracy(&labels(&test, law)).unwrap()
    }

    #[test]
    fn learns_a_slope_and_a_band_that_no_stump_sees() {
        for vote in [Vote::Class, Vote::Shares] {
            assert!(accuracy(|row| usize::from(row[0] + row[1] > 0.0), 2, vote) > 0.93);
            assert!(accuracy(|row| usize::from(row[0].abs() < 0.5), 2, vote) > 0.95);
            let thirds = |row: &[f64]| ((row[2] + 1.0) * 1.5) as usize;
            assert!(accuracy(thirds, 3, vote) > 0.95);
        }
    }

    #[test]
    fn a_sum_of_stumps_cannot_learn_an_exclusive_or() {
        let law = |row: &[f64]| usize::from((row[0] > 0.0) != (row[1] > 0.0));
        for vote in [Vote::Class, Vote::Shares] {
            assert!(accuracy(law, 2, vote) < 0.65);
        }
    }

    #[test]
    fn a_stump_without_mistakes_decides_alone() {
        let train = Design { rows: 4, width: 1, values: vec![1.0, 2.0, 3.0, 4.0] };
        for vote in [Vote::Class, Vote::Shares] {
            let predictions = predict(&train, &[0, 0, 2, 2], &train, 3, vote, Seed(1));
            assert_eq!(predictions.accuracy(&[0, 0, 2, 2]).unwrap(), 1.0);
        }
    }

    #[test]
    fn nothing_to_learn_from_gives_the_shares() {
        let train = Design { rows: 4, width: 1, values: vec![1.0; 4] };
        let predictions = predict(&train, &[0, 0, 1, 1], &train, 2, Vote::Class, Seed(1));
        assert!((predictions.log_loss(&[0, 1, 0, 1]).unwrap() - 2f64.ln()).abs() < 1e-12);
    }

    /// A stump that errs on one row of five votes with ln 4, and that row's weight grows fourfold, to
    /// that of all others together.
    #[test]
    fn a_vote_by_hand() {
        let stump = [0.25, 0.75];
        let error: f64 = 0.2;
        let strength = ((1.0 - error) / error).ln();
        assert!((strength - 4f64.ln()).abs() < 1e-12);
        assert!((Vote::Class.factor(&stump, 0, strength) - 4.0).abs() < 1e-12);
        assert_eq!(Vote::Class.factor(&stump, 1, strength), 1.0);
        let mut votes = [0.0; 2];
        Vote::Class.cast(&stump, strength, &mut votes);
        assert_eq!(votes, [-strength, strength]);
        // By shares: sqrt(p of the wrong class / p of the right one).
        assert!((Vote::Shares.factor(&stump, 0, 1.0) - 3f64.sqrt()).abs() < 1e-12);
        let mut votes = [0.0; 2];
        Vote::Shares.cast(&stump, 1.0, &mut votes);
        assert!((votes[1] - 3f64.ln() / 2.0).abs() < 1e-12);
    }
}
