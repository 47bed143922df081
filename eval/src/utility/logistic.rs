use super::{classify::Predictions, features::Design};
use smartcore::{
    linalg::basic::{arrays::Array, matrix::DenseMatrix},
    linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters},
};

/// Weight of the squared coefficients: `1/2 sum w^2` beside the summed log loss.
const PENALTY: f64 = 1.0;

/// Logistic regression (softmax for more than two classes) with a squared penalty of weight 1,
/// by L-BFGS. The solution is unique, so there is nothing random in it.
pub(super) fn predict(
    train: &Design,
    labels: &[usize],
    test: &Design,
    classes: usize,
) -> Result<Predictions, String> {
    let x = DenseMatrix::new(train.rows, train.width, train.values.clone(), false)
        .map_err(|error| error.to_string())?;
    let y: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
    let parameters = LogisticRegressionParameters::default().with_alpha(PENALTY);
    let model = LogisticRegression::fit(&x, &y, parameters).map_err(|error| error.to_string())?;
    let (coefficients, intercept) = (model.coefficients(), model.intercept());
    let fitted: Vec<usize> = model.classes().iter().map(|&class| class as usize).collect();
    let line = |row: &[f64], at: usize| {
        let terms = row.iter().enumerate().map(|(j, value)| coefficients.get((at, j)) * value);
        intercept.get((at, 0)) + terms.sum::<f64>()
    };
    // Shares keep the order of the lines within a row, but AUC compares rows: softmax is needed.
    let mut scores = vec![0.0; test.rows * classes];
    for (row, scores) in test.values.chunks_exact(test.width).zip(scores.chunks_exact_mut(classes))
    {
        let lines: Vec<f64> = match fitted.len() {
            2 => vec![0.0, line(row, 0)],
            many => (0..many).map(|at| line(row, at)).collect(),
        };
        let most = lines.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = lines.iter().map(|line| (line - most).exp()).sum();
        for (&class, line) in fitted.iter().zip(&lines) {
            scores[class] = (line - most).exp() / total;
        }
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err("the logistic regression diverged".into());
    }
    Ok(Predictions::new(classes, scores))
}
