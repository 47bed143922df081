use super::{classify::Predictions, classify::counts, features::Design};
use meg_core::Seed;
use rand::RngCore;
use smartcore::{
    linalg::basic::matrix::DenseMatrix,
    tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters},
};

/// Splits on the way from the root to the deepest leaf.
const DEPTH: u16 = 15;

/// A decision tree of depth 15 with classes of equal weight.
///
/// The weighted squared error of a 0/1 label is half of Gini's impurity, so smartcore's regression
/// tree is the classification tree, and its leaf means are the class shares. It is preferred to
/// smartcore's classification tree, which has no weights, gives no shares, passes over cuts between
/// tied cells, and visits all rows at each node. With more than two classes there is a tree per
/// class, each against the rest.
pub(crate) fn predict(
    train: &Design,
    labels: &[usize],
    test: &Design,
    classes: usize,
    seed: Seed,
) -> Result<Predictions, String> {
    let present = counts(labels, classes);
    let kinds = present.iter().filter(|&&count| count > 0).count() as f64;
    let weights: Vec<f64> =
        labels.iter().map(|&label| labels.len() as f64 / (kinds * present[label] as f64)).collect();
    let (x, new) = (matrix(train)?, matrix(test)?);
    let mut random = seed.stream("tree");
    let mut scores = vec![0.0; test.rows * classes];
    let fitted: Vec<usize> = (0..classes).filter(|&class| present[class] > 0).collect();
    // Of two classes the second is the complement of the first.
    let binary = fitted.len() == 2;
    for &class in if binary { &fitted[1..] } else { &fitted[..] } {
        let y: Vec<f64> = labels.iter().map(|&label| f64::from(u8::from(label == class))).collect();
        let parameters = DecisionTreeRegressorParameters {
            // smartcore counts the levels of nodes, of which there is one more than splits.
            max_depth: Some(DEPTH + 1),
            seed: Some(random.next_u64()),
            ..Default::default()
        };
        let tree = DecisionTreeRegressor::fit_with_weights(&x, &y, &weights, parameters)
            .map_err(|error| error.to_string())?;
        let shares = tree.predict(&new).map_err(|error| error.to_string())?;
        for (row, share) in shares.into_iter().enumerate() {
            scores[row * classes + class] = share;
            if binary {
                scores[row * classes + fitted[0]] = 1.0 - share;
            }
        }
    }
    Ok(Predictions::new(classes, scores))
}

/// Column-major, because a tree reads column by column.
fn matrix(design: &Design) -> Result<DenseMatrix<f64>, String> {
    let mut values = Vec::with_capacity(design.values.len());
    for column in 0..design.width {
        values.extend(design.values.iter().skip(column).step_by(design.width));
    }
    DenseMatrix::new(design.rows, design.width, values, true).map_err(|error| error.to_string())
}
