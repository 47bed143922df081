use super::{
    classify::{Predictions, Present},
    features::Design,
};
use smartcore::optimization::{
    FunctionOrder,
    first_order::{FirstOrderOptimizer, lbfgs::LBFGS},
    line_search::Backtracking,
};
use std::cell::RefCell;

/// Weight of the squared coefficients: `1/2 sum w^2` beside the summed log loss.
const PENALTY: f64 = 1.0;

/// Largest slope of the mean loss that counts as flat.
const FLAT: f64 = 1e-5;

/// How a regression is fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    /// Steps at most; a problem of separable classes would creep on for thousands.
    pub(crate) steps: usize,
    /// Whether classes have equal weight.
    pub(crate) is_balanced: bool,
}

impl Fit {
    pub(crate) const USUAL: Self = Self { steps: 300, is_balanced: false };
}

/// Logistic regression (softmax for more than two classes) with a squared penalty of weight 1 on
/// the coefficients, not on the intercepts. The solution is unique, so there is nothing random in
/// it.
///
/// The optimiser is smartcore's L-BFGS. Its own `LogisticRegression` minimises the same loss, but
/// with a fixed tolerance of 1e-8 on the summed loss and cell-by-cell access, which takes minutes
/// where this takes seconds.
pub(crate) fn predict(
    train: &Design,
    labels: &[usize],
    test: &Design,
    classes: usize,
    settings: Fit,
) -> Result<Predictions, String> {
    let present = Present::of(labels, classes);
    let kinds = present.classes.len();
    let (lines, weights) = fit(train, &present, settings);
    let mut scores = vec![0.0; test.rows * kinds];
    for (row, shares) in test.values.chunks_exact(test.width).zip(scores.chunks_exact_mut(kinds)) {
        lines.fill(&weights, row, shares);
        softmax(shares);
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err("the logistic regression diverged".into());
    }
    Ok(present.spread(&scores))
}

/// The log-odds of the second of two classes for each test row, and the size of each coefficient.
pub(crate) fn odds(train: &Design, labels: &[usize], test: &Design) -> (Vec<f64>, Vec<f64>) {
    let (lines, weights) = fit(train, &Present::of(labels, 2), Fit::USUAL);
    let mut pair = [0.0; 2];
    let odds = test
        .values
        .chunks_exact(test.width)
        .map(|row| {
            lines.fill(&weights, row, &mut pair);
            pair[1]
        })
        .collect();
    (odds, weights[..train.width].iter().map(|weight| weight.abs()).collect())
}

fn fit(design: &Design, present: &Present, settings: Fit) -> (Lines, Vec<f64>) {
    let lines = Lines { classes: present.classes.len(), width: design.width };
    let row_weights = settings.is_balanced.then(|| present.balanced());
    let loss = Loss { design, labels: &present.labels, row_weights, lines };
    let weights = minimum(&loss, settings.steps);
    (loss.lines, weights)
}

/// The linear functions of the classes. Two classes share one: that of the first is 0.
#[derive(Debug)]
struct Lines {
    classes: usize,
    width: usize,
}

impl Lines {
    /// The first class that has a line of its own.
    fn first(&self) -> usize {
        usize::from(self.classes == 2)
    }

    /// Weights of all lines, intercepts last in each.
    fn weights(&self) -> usize {
        (self.classes - self.first()) * (self.width + 1)
    }

    fn fill(&self, weights: &[f64], row: &[f64], lines: &mut [f64]) {
        lines[0] = 0.0;
        for (line, own) in
            lines[self.first()..].iter_mut().zip(weights.chunks_exact(self.width + 1))
        {
            *line = dot(&own[..self.width], row) + own[self.width];
        }
    }
}

/// The mean log loss plus the penalty over the number of rows.
#[derive(Debug)]
struct Loss<'a> {
    design: &'a Design,
    labels: &'a [usize],
    /// 1 each where there are none.
    row_weights: Option<Vec<f64>>,
    lines: Lines,
}

impl Loss<'_> {
    fn with_slope(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let (width, first) = (self.lines.width, self.lines.first());
        let mut slope = vec![0.0; weights.len()];
        let mut shares = vec![0.0; self.lines.classes];
        let mut total = 0.0;
        for (at, (row, &label)) in
            self.design.values.chunks_exact(width).zip(self.labels).enumerate()
        {
            let row_weight = self.row_weights.as_ref().map_or(1.0, |weights| weights[at]);
            self.lines.fill(weights, row, &mut shares);
            let own = shares[label];
            total += row_weight * (softmax(&mut shares) - own);
            shares[label] -= 1.0;
            shares.iter_mut().for_each(|share| *share *= row_weight);
            for (own, &error) in slope.chunks_exact_mut(width + 1).zip(&shares[first..]) {
                own[..width].iter_mut().zip(row).for_each(|(slope, value)| *slope += error * value);
                own[width] += error;
            }
        }
        for (own, weights) in slope.chunks_exact_mut(width + 1).zip(weights.chunks_exact(width + 1))
        {
            for (slope, weight) in own[..width].iter_mut().zip(weights) {
                *slope += PENALTY * weight;
                total += PENALTY * weight * weight / 2.0;
            }
        }
        let rows = self.labels.len() as f64;
        slope.iter_mut().for_each(|slope| *slope /= rows);
        (total / rows, slope)
    }
}

fn minimum(loss: &Loss<'_>, steps: usize) -> Vec<f64> {
    // The optimiser asks for value and slope of one point separately and more than once; the last
    // answer is kept, so that each point costs one pass over the rows.
    let start = vec![0.0; loss.lines.weights()];
    let (value, slope) = loss.with_slope(&start);
    let last = RefCell::new((start.clone(), value, slope));
    let visit = |point: &[f64]| {
        if last.borrow().0 != point {
            let (value, slope) = loss.with_slope(point);
            last.replace((point.to_vec(), value, slope));
        }
    };
    let value = |point: &Vec<f64>| {
        visit(point);
        last.borrow().1
    };
    let slope = |into: &mut Vec<f64>, point: &Vec<f64>| {
        visit(point);
        into.clone_from(&last.borrow().2);
    };
    let optimiser = LBFGS { max_iter: steps, g_atol: FLAT, ..LBFGS::default() };
    let search = Backtracking { order: FunctionOrder::THIRD, ..Backtracking::default() };
    optimiser.optimize(&value, &slope, &start, &search).x
}

/// Turns lines into shares and returns the logarithm of the sum of their exponentials.
pub(super) fn softmax(lines: &mut [f64]) -> f64 {
    let most = lines.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for line in lines.iter_mut() {
        *line = (*line - most).exp();
        total += *line;
    }
    lines.iter_mut().for_each(|line| *line /= total);
    most + total.ln()
}

/// Four running sums let the compiler use wide registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in a4.zip(b4) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use smartcore::{
        linalg::basic::{arrays::Array, matrix::DenseMatrix},
        linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters},
    };

    fn design(rows: usize) -> Design {
        let value = |at: usize| ((at * 7_919 + 13) % 101) as f64 / 50.0 - 1.0;
        Design { rows, width: 5, values: (0..rows * 5).map(value).collect() }
    }

    #[test]
    fn the_minimum_is_that_of_smartcore() {
        for classes in [2, 3] {
            let design = design(200);
            let label = |row: &[f64]| {
                usize::from(row[0] + row[1] * row[2] > 0.1)
                    * (1 + usize::from(row[3] > 0.0) * (classes - 2))
            };
            let labels: Vec<usize> = design.values.chunks_exact(5).map(label).collect();
            let lines = Lines { classes, width: 5 };
            let loss = Loss { design: &design, labels: &labels, row_weights: None, lines };
            let ours = minimum(&loss, Fit::USUAL.steps);
            let x = DenseMatrix::new(200, 5, design.values.clone(), false).unwrap();
            let y: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
            let parameters = LogisticRegressionParameters::default().with_alpha(PENALTY);
            let theirs = LogisticRegression::fit(&x, &y, parameters).unwrap();
            for (line, own) in ours.chunks_exact(6).enumerate() {
                for (at, weight) in own[..5].iter().enumerate() {
                    let want = *theirs.coefficients().get((line, at));
                    assert!((weight - want).abs() < 0.02, "{classes} classes: {weight}, {want}");
                }
            }
        }
    }

    #[test]
    fn the_slope_is_the_derivative() {
        let design = design(30);
        let lines = Lines { classes: 3, width: 5 };
        let labels: Vec<usize> = (0..30).map(|row| row % 3).collect();
        let row_weights = Some((0..30).map(|row| 1.0 + f64::from(row % 4)).collect());
        let loss = Loss { design: &design, labels: &labels, row_weights, lines };
        let point: Vec<f64> = (0..18).map(|at| f64::from(at) / 10.0 - 0.9).collect();
        let (_, slope) = loss.with_slope(&point);
        for at in 0..point.len() {
            let moved = |by: f64| {
                let mut point = point.clone();
                point[at] += by;
                loss.with_slope(&point).0
            };
            let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope[at] - want).abs() < 1e-8, "{at}: {}, {want}", slope[at]);
        }
    }

    #[test]
    fn balanced_classes_have_equal_say() {
        // One feature that says nothing: the shares are those of the weights.
        let design = Design { rows: 10, width: 1, values: vec![0.0; 10] };
        let labels: Vec<usize> = (0..10).map(|row| usize::from(row == 0)).collect();
        for (is_balanced, want) in [(false, 0.1f64), (true, 0.5)] {
            let settings = Fit { is_balanced, ..Fit::USUAL };
            let predictions = predict(&design, &labels, &design, 2, settings).unwrap();
            let loss = predictions.log_loss(&[1; 10]).unwrap();
            assert!((loss + want.ln()).abs() < 1e-3, "{is_balanced}: {loss}");
        }
    }
}
