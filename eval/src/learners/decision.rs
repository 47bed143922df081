use super::{
    cart::{Cart, Goal, Shape},
    classify::{Predictions, Present},
    features::Design,
    ranked::Ranked,
};
use meg_core::Seed;

/// A decision tree of this depth with classes of equal weight, as the CTGAN paper uses it (depth 15
/// and 30); the shares of its leaves.
pub(crate) fn predict(
    train: &Design,
    labels: &[usize],
    test: &Design,
    classes: usize,
    depth: usize,
    seed: Seed,
) -> Predictions {
    let present = Present::of(labels, classes);
    let goal = Goal::Classes(&present.labels, present.classes.len());
    let shares = grown(train, goal, &present.balanced(), test, depth, seed);
    present.spread(&shares)
}

/// The same for numbers: the means of its leaves.
pub(crate) fn predict_numbers(
    train: &Design,
    numbers: &[f64],
    test: &Design,
    depth: usize,
    seed: Seed,
) -> Vec<f64> {
    grown(train, Goal::Numbers(numbers), &vec![1.0; train.rows], test, depth, seed)
}

fn grown(
    train: &Design,
    goal: Goal<'_>,
    weights: &[f64],
    test: &Design,
    depth: usize,
    seed: Seed,
) -> Vec<f64> {
    let shape = Shape { depth, drawn: train.width };
    let tree = Cart::grow(&Ranked::of(train), goal, weights, shape, &mut seed.stream("tree"));
    test.values.chunks_exact(test.width).flat_map(|row| tree.answer(row)).copied().collect()
}
