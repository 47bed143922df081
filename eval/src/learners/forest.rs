use super::{
    cart::{Cart, Goal, Shape},
    features::Design,
    ranked::Ranked,
};
use crate::parallel;
use meg_core::{Rng, Seed};
use rand::Rng as _;

/// Trees, as in scikit-learn.
const TREES: usize = 100;

/// Trees whose answers are held at the same time.
const HELD: usize = 8;

/// A random forest (Breiman 2001) with scikit-learn's settings: 100 trees grown until leaves are
/// pure, each on as many rows as there are, drawn with replacement; the root of the number of
/// features is drawn per split for classes, all for numbers. The answer is the mean over trees.
///
/// Each tree draws from a stream of its own and answers are added in the order of trees, so the
/// number of threads changes nothing.
///
/// smartcore's forest of classes has no shares and did not finish 30 000 rows of 100 features in 45
/// seconds.
pub(crate) fn predict(
    train: &Design,
    goal: Goal<'_>,
    test: &Design,
    seed: Seed,
    threads: usize,
) -> Vec<f64> {
    let data = Ranked::of(train);
    let drawn = match goal {
        Goal::Classes(..) => train.width.isqrt(),
        Goal::Numbers(_) => train.width,
    };
    let shape = Shape { depth: usize::MAX, drawn };
    let answers = |tree: usize| -> Vec<f64> {
        let mut rng = seed.stream(&format!("forest {tree}"));
        let weights = drawn_with_replacement(train.rows, &mut rng);
        let tree = Cart::grow(&data, goal, &weights, shape, &mut rng);
        test.values.chunks_exact(test.width).flat_map(|row| tree.answer(row)).copied().collect()
    };
    let mut mean: Vec<f64> = Vec::new();
    for from in (0..TREES).step_by(HELD) {
        let held = HELD.min(TREES - from);
        for answers in parallel::map(threads, held, |at| answers(from + at)) {
            mean.resize(answers.len(), 0.0);
            mean.iter_mut().zip(answers).for_each(|(mean, own)| *mean += own / TREES as f64);
        }
    }
    mean
}

/// How often each row is drawn.
fn drawn_with_replacement(rows: usize, rng: &mut Rng) -> Vec<f64> {
    let mut times = vec![0.0; rows];
    (0..rows).for_each(|_| times[rng.random_range(0..rows)] += 1.0);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(rows: usize, purpose: &str) -> Design {
        let mut rng = Seed(3).stream(purpose);
        let values = (0..rows * 4).map(|_| rng.random_range(-1.0..1.0)).collect();
        Design { rows, width: 4, values }
    }

    fn exclusive_or(design: &Design) -> Vec<usize> {
        design
            .values
            .chunks_exact(4)
            .map(|row| usize::from((row[0] > 0.0) != (row[1] > 0.0)))
            .collect()
    }

    fn hits(shares: &[f64], labels: &[usize]) -> f64 {
        let hits = shares.chunks_exact(2).zip(labels).filter(|(row, label)| row[**label] > 0.5);
        hits.count() as f64 / labels.len() as f64
    }

    #[test]
    fn learns_an_exclusive_or_among_noise_and_nothing_from_noise() {
        let (train, test) = (design(800, "train"), design(800, "test"));
        let (labels, truth) = (exclusive_or(&train), exclusive_or(&test));
        let shares = predict(&train, Goal::Classes(&labels, 2), &test, Seed(1), 2);
        assert!(hits(&shares, &truth) > 0.95, "{}", hits(&shares, &truth));
        assert!(shares.chunks_exact(2).all(|row| (row[0] + row[1] - 1.0).abs() < 1e-9));
        let mut rng = Seed(4).stream("coins");
        let coins: Vec<usize> = (0..800).map(|_| rng.random_range(0..2)).collect();
        let shares = predict(&train, Goal::Classes(&coins, 2), &test, Seed(1), 2);
        assert!((hits(&shares, &truth) - 0.5).abs() < 0.06, "{}", hits(&shares, &truth));
    }

    #[test]
    fn numbers_are_averaged_and_threads_change_nothing() {
        let (train, test) = (design(500, "train"), design(200, "test"));
        let law = |row: &[f64]| row[0] * row[1] + row[2];
        let of = |design: &Design| design.values.chunks_exact(4).map(law).collect::<Vec<_>>();
        let (numbers, truth) = (of(&train), of(&test));
        let answers = predict(&train, Goal::Numbers(&numbers), &test, Seed(1), 1);
        let error: f64 = answers.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum();
        let variance: f64 = truth.iter().map(|b| b * b).sum();
        assert!(error < 0.2 * variance, "{error} of {variance}");
        assert_eq!(answers, predict(&train, Goal::Numbers(&numbers), &test, Seed(1), 3));
        assert_ne!(answers, predict(&train, Goal::Numbers(&numbers), &test, Seed(2), 1));
    }
}
