use super::features::Design;

/// Beside the variances of the features, which are about 1: where features depend on each other (all
/// indicators of a column add up to a constant) there is no single solution, and this picks the one
/// with the smallest coefficients to about this size.
const RIDGE: f64 = 1e-9;

/// Linear least squares with an intercept, without a penalty worth the name. Numbers for the test
/// rows.
///
/// By the normal equations and Cholesky's decomposition. smartcore's `LinearRegression` finds the same
/// (see the tests) but refuses fewer rows than features, which a small synthetic table may have.
pub(crate) fn predict(train: &Design, numbers: &[f64], test: &Design) -> Result<Vec<f64>, String> {
    let lines = Lines::fit(train, numbers)?;
    let answer = |row: &[f64]| {
        let parts = lines.weights.iter().zip(row.iter().zip(&lines.means));
        lines.mean + parts.map(|(weight, (value, mean))| weight * (value - mean)).sum::<f64>()
    };
    Ok(test.values.chunks_exact(test.width).map(answer).collect())
}

#[derive(Debug)]
struct Lines {
    means: Vec<f64>,
    mean: f64,
    weights: Vec<f64>,
}

impl Lines {
    fn fit(design: &Design, numbers: &[f64]) -> Result<Self, String> {
        let (width, rows) = (design.width, design.rows as f64);
        let mut means = vec![0.0; width];
        for row in design.values.chunks_exact(width) {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / rows);
        }
        let mean = numbers.iter().sum::<f64>() / rows;
        let mut squares = vec![0.0; width * width];
        let mut weights = vec![0.0; width];
        let mut centred = vec![0.0; width];
        for (row, number) in design.values.chunks_exact(width).zip(numbers) {
            for ((centred, value), mean) in centred.iter_mut().zip(row).zip(&means) {
                *centred = value - mean;
            }
            for (at, &own) in centred.iter().enumerate() {
                weights[at] += own * (number - mean) / rows;
                let line = &mut squares[at * width..][..=at];
                line.iter_mut().zip(&centred).for_each(|(sum, other)| *sum += own * other / rows);
            }
        }
        let most = (0..width).map(|at| squares[at * width + at]).fold(0.0, f64::max);
        (0..width).for_each(|at| squares[at * width + at] += RIDGE * most.max(f64::MIN_POSITIVE));
        solve(&mut squares, &mut weights)?;
        Ok(Self { means, mean, weights })
    }
}

/// Solves `matrix x = side` in the place of `side`; the lower half of the positive matrix is read,
/// and replaced by its root.
fn solve(matrix: &mut [f64], side: &mut [f64]) -> Result<(), String> {
    let width = side.len();
    for row in 0..width {
        for column in 0..=row {
            let parts =
                (0..column).map(|at| matrix[row * width + at] * matrix[column * width + at]);
            let rest = matrix[row * width + column] - parts.sum::<f64>();
            matrix[row * width + column] = match row == column {
                true if rest > 0.0 => rest.sqrt(),
                true => return Err(format!("the features overflow: a root of {rest:e}")),
                false => rest / matrix[column * width + column],
            };
        }
    }
    for row in 0..width {
        let parts = (0..row).map(|at| matrix[row * width + at] * side[at]);
        side[row] = (side[row] - parts.sum::<f64>()) / matrix[row * width + row];
    }
    for row in (0..width).rev() {
        let parts = (row + 1..width).map(|at| matrix[at * width + row] * side[at]);
        side[row] = (side[row] - parts.sum::<f64>()) / matrix[row * width + row];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;
    use smartcore::{
        linalg::basic::{arrays::Array, matrix::DenseMatrix},
        linear::linear_regression::LinearRegression,
    };

    fn design(rows: usize, width: usize) -> Design {
        let mut rng = Seed(2).stream("design");
        let values = (0..rows * width).map(|_| rng.random_range(-1.0..1.0)).collect();
        Design { rows, width, values }
    }

    #[test]
    fn the_solution_is_that_of_smartcore() {
        let design = design(200, 6);
        let numbers: Vec<f64> =
            design.values.chunks_exact(6).map(|row| 3.0 + row[0] - row[1] * row[2]).collect();
        let lines = Lines::fit(&design, &numbers).unwrap();
        let x = DenseMatrix::new(200, 6, design.values.clone(), false).unwrap();
        let theirs = LinearRegression::fit(&x, &numbers, Default::default()).unwrap();
        for (at, weight) in lines.weights.iter().enumerate() {
            assert!((weight - theirs.coefficients().get((at, 0))).abs() < 1e-6);
        }
    }

    #[test]
    fn a_line_is_found_from_features_that_depend_on_each_other() {
        let mut design = design(300, 4);
        for row in design.values.chunks_exact_mut(4) {
            row[3] = -row[0] - row[1];
        }
        let law = |row: &[f64]| 5.0 + 2.0 * row[0] - row[2];
        let numbers: Vec<f64> = design.values.chunks_exact(4).map(law).collect();
        for (guess, truth) in predict(&design, &numbers, &design).unwrap().iter().zip(&numbers) {
            assert!((guess - truth).abs() < 1e-6, "{guess}, {truth}");
        }
    }

    #[test]
    fn a_feature_that_is_constant_here_has_no_say() {
        let train = Design { rows: 3, width: 2, values: vec![1.0, 7.0, 2.0, 7.0, 3.0, 7.0] };
        let test = Design { rows: 1, width: 2, values: vec![4.0, 9.0] };
        let guesses = predict(&train, &[2.0, 4.0, 6.0], &test).unwrap();
        assert!((guesses[0] - 8.0).abs() < 1e-6, "{guesses:?}");
    }
}
