use super::{math, vectorised};

/// Adds to each row of `out` (`width` cells) the row of `table` that its code names: a linear
/// layer over one-hot inputs whose products with the weights are in the table already.
pub fn add_table_rows(out: &mut [f32], width: usize, table: &[f32], codes: &[u16]) {
    gather(out, width, table, codes);
}

/// Adds each row of `rows` (`width` cells) to the row of `table` that its code names: the
/// transpose of [`add_table_rows`]. Rows are added in order.
pub fn sum_rows_by_code(table: &mut [f32], width: usize, rows: &[f32], codes: &[u16]) {
    scatter(table, width, rows, codes);
}

vectorised! {
    fn gather(out: &mut [f32], width: usize, table: &[f32], codes: &[u16]) {
        for (cells, &code) in out.chunks_exact_mut(width).zip(codes) {
            let at = usize::from(code) * width;
            for (cell, &more) in cells.iter_mut().zip(&table[at..at + width]) {
                *cell += more;
            }
        }
    }
}

vectorised! {
    fn scatter(table: &mut [f32], width: usize, rows: &[f32], codes: &[u16]) {
        for (cells, &code) in rows.chunks_exact(width).zip(codes) {
            let at = usize::from(code) * width;
            for (sum, &cell) in table[at..at + width].iter_mut().zip(cells) {
                *sum += cell;
            }
        }
    }
}

vectorised! {
    /// Cuts negative cells to 0, in place.
    pub fn relu(cells: &mut [f32]) {
        for cell in cells {
            // Not `max`, which would turn NaN into 0 and hide it.
            *cell = if *cell < 0.0 { 0.0 } else { *cell };
        }
    }
}

vectorised! {
    /// Cuts negative cells to 0 and silences those whose byte of `dice` lies below `silent`; the
    /// others are multiplied by `scale`.
    pub fn relu_dropout(cells: &mut [f32], dice: &[u8], silent: u8, scale: f32) {
        for (cell, &byte) in cells.iter_mut().zip(dice) {
            let kept = if byte < silent { 0.0 } else { scale };
            // Not `max`, as in `relu`; a silenced NaN stays one.
            *cell = if *cell < 0.0 { 0.0 } else { *cell } * kept;
        }
    }
}

vectorised! {
    /// The gradient before [`relu_dropout`] from the one after it, in place; `scale` 1 for
    /// [`relu`]. A silenced cell is known by its activation, which is 0.
    pub fn relu_dropout_backward(gradient: &mut [f32], activations: &[f32], scale: f32) {
        for (cell, &active) in gradient.iter_mut().zip(activations) {
            *cell *= if active > 0.0 { scale } else { 0.0 };
        }
    }
}

vectorised! {
    /// `out = left + right`, cell by cell.
    pub fn add_cells(out: &mut [f32], left: &[f32], right: &[f32]) {
        for (out, (&left, &right)) in out.iter_mut().zip(left.iter().zip(right)) {
            *out = left + right;
        }
    }
}

vectorised! {
    /// Softmax of each row of `width` logits times `scale`, in place, and the logarithm of the sum
    /// of the row's exponentials.
    pub fn softmax_rows(logits: &mut [f32], width: usize, scale: f32, normalisers: &mut [f32]) {
        for (row, normaliser) in logits.chunks_exact_mut(width).zip(normalisers) {
            let highest = lanes(row, f32::NEG_INFINITY, |most, x| if x > most { x } else { most });
            for cell in row.iter_mut() {
                *cell = math::exp(*cell - highest);
            }
            let sum = lanes(row, 0.0, |sum, x| sum + x);
            // `math::ln` makes a number of NaN.
            *normaliser = if sum.is_nan() { sum } else { highest + math::ln(sum) };
            let factor = scale / sum;
            for cell in row.iter_mut() {
                *cell *= factor;
            }
        }
    }
}

vectorised! {
    /// Adds the sum of the squares of the cells to `sum`.
    pub fn add_squares(cells: &[f32], sum: &mut f64) {
        for block in cells.chunks(4_096) {
            let mut squares = [0.0f32; LANES];
            let (whole, rest) = block.as_chunks::<LANES>();
            for chunk in whole {
                for (lane, &x) in squares.iter_mut().zip(chunk) {
                    *lane += x * x;
                }
            }
            for (lane, &x) in squares.iter_mut().zip(rest) {
                *lane += x * x;
            }
            *sum += f64::from(squares.iter().sum::<f32>());
        }
    }
}

const LANES: usize = 16;

/// Folds a row in 16 lanes and then the lanes: one fixed order for every instruction set.
#[inline(always)]
fn lanes(row: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = fold(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = fold(*lane, x);
    }
    lanes.into_iter().fold(start, fold)
}

/// The constants of one step of AdamW with a running average of the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// What each gradient is multiplied by first (clipping).
    pub clip: f32,
    /// Learning rate over the bias correction of the first moment.
    pub rate: f32,
    /// Inverse root of the bias correction of the second moment.
    pub root: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Learning rate times weight decay: the share of each weight that is taken away.
    pub shrink: f32,
    /// Share of the old average that is kept.
    pub keep: f32,
}

/// The cells of one weight: its value, what Adam remembers, and the running average.
#[derive(Debug)]
pub struct AdamWCells<'a> {
    /// The weight.
    pub value: &'a mut [f32],
    /// Its gradient.
    pub gradient: &'a [f32],
    /// First moment.
    pub first: &'a mut [f32],
    /// Second moment.
    pub second: &'a mut [f32],
    /// Running average of the weight.
    pub average: &'a mut [f32],
}

vectorised! {
    /// One step of Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) and
    /// of the running average, over all cells of a weight, in place.
    pub fn adamw(cells: AdamWCells<'_>, step: &AdamWStep) {
        let AdamWStep { clip, rate, root, beta1, beta2, epsilon, shrink, keep } = *step;
        let AdamWCells { value, gradient, first, second, average } = cells;
        for ((((w, &g), m), v), a) in
            value.iter_mut().zip(gradient).zip(first).zip(second).zip(average)
        {
            let g = g * clip;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w -= rate * *m / (v.sqrt() * root + epsilon) + shrink * *w;
            *a = keep * *a + (1.0 - keep) * *w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kernel_hides_nan() {
        let mut cells = [-1.0, 0.0, 2.0, f32::NAN];
        relu(&mut cells);
        assert!(cells[..3] == [0.0, 0.0, 2.0] && cells[3].is_nan());
        let mut cells = [-1.0, f32::NAN, 2.0, f32::NAN];
        relu_dropout(&mut cells, &[255, 255, 255, 0], 26, 2.0);
        assert!(cells[0] == 0.0 && cells[1].is_nan() && cells[2] == 4.0 && cells[3].is_nan());
        for at in 0..20 {
            let (mut logits, mut normalisers) = ([0.5; 20], [0.0]);
            logits[at] = f32::NAN;
            softmax_rows(&mut logits, 20, 1.0, &mut normalisers);
            assert!(normalisers[0].is_nan() && logits.iter().all(|share| share.is_nan()), "{at}");
        }
    }

    #[test]
    fn the_gradient_of_dropout_is_that_of_central_differences() {
        let start: Vec<f32> = (0..37).map(|at| (at as f32 * 0.37).sin()).collect();
        let weights: Vec<f32> = (0..37).map(|at| (at as f32 * 0.71).cos()).collect();
        let dice: Vec<u8> = (0..37u8).map(|at| at.wrapping_mul(67)).collect();
        let run = |cells: &[f32]| {
            let mut cells = cells.to_vec();
            relu_dropout(&mut cells, &dice, 60, 1.25);
            cells
        };
        let loss = |cells: &[f32]| -> f64 {
            let products = run(cells).into_iter().zip(&weights);
            products.map(|(cell, &weight)| f64::from(cell) * f64::from(weight)).sum()
        };
        let mut gradient = weights.clone();
        relu_dropout_backward(&mut gradient, &run(&start), 1.25);
        for at in 0..start.len() {
            let moved = |by: f32| {
                let mut cells = start.clone();
                cells[at] += by;
                loss(&cells)
            };
            let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            assert!((slope - f64::from(gradient[at])).abs() < 1e-3, "cell {at}");
        }
    }

    #[test]
    fn sums_of_cells_and_of_squares() {
        let (left, right): (Vec<f32>, Vec<f32>) =
            (0..5_000).map(|at| (at as f32 / 100.0, 1.0 - at as f32 / 200.0)).unzip();
        let mut out = vec![0.0; 5_000];
        add_cells(&mut out, &left, &right);
        assert!((0..5_000).all(|at| out[at] == left[at] + right[at]));
        let mut sum = 3.0;
        add_squares(&left, &mut sum);
        let exact: f64 = left.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        assert!((sum - 3.0 - exact).abs() < 1e-5 * exact, "{sum} {exact}");
    }

    #[test]
    fn softmax_rows_sum_to_the_scale_and_normalise() {
        let mut logits: Vec<f32> = (0..2 * 37).map(|at| (at % 11) as f32 * 0.7 - 3.0).collect();
        let plain: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
        let mut normalisers = [0.0; 2];
        softmax_rows(&mut logits, 37, 0.5, &mut normalisers);
        for row in 0..2 {
            let sum: f64 = plain[row * 37..(row + 1) * 37].iter().map(|x| x.exp()).sum();
            assert!((f64::from(normalisers[row]) - sum.ln()).abs() < 1e-5);
            for at in row * 37..(row + 1) * 37 {
                assert!((f64::from(logits[at]) - 0.5 * plain[at].exp() / sum).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn gathering_and_summing_are_transposes() {
        let codes = [2u16, 0, 2];
        let table: Vec<f32> = (0..9).map(|x| x as f32).collect();
        let mut out = vec![1.0; 9];
        add_table_rows(&mut out, 3, &table, &codes);
        assert_eq!(out, [7.0, 8.0, 9.0, 1.0, 2.0, 3.0, 7.0, 8.0, 9.0]);
        let mut sums = vec![0.0; 9];
        sum_rows_by_code(&mut sums, 3, &out, &codes);
        assert_eq!(sums, [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 14.0, 16.0, 18.0]);
    }

    #[test]
    fn dropout_silences_by_the_dice_and_its_gradient_follows() {
        let mut cells = [1.0, -1.0, 2.0, 3.0];
        relu_dropout(&mut cells, &[26, 255, 25, 255], 26, 2.0);
        assert_eq!(cells, [2.0, 0.0, 0.0, 6.0]);
        let mut gradient = [1.0; 4];
        relu_dropout_backward(&mut gradient, &cells, 2.0);
        assert_eq!(gradient, [2.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn adamw_follows_its_formula_step_by_step() {
        let (beta1, beta2, lr, decay) = (0.9f64, 0.99f64, 1e-2, 0.1);
        let (mut w, mut m, mut v, mut a) = (0.5f64, 0.0f64, 0.0f64, 0.5f64);
        let (mut value, mut first, mut second, mut average) = ([0.5f32], [0.0], [0.0], [0.5]);
        for t in 1..=20 {
            let g = (f64::from(t) * 0.7).sin();
            m = beta1 * m + (1.0 - beta1) * g;
            v = beta2 * v + (1.0 - beta2) * g * g;
            let (first_bias, second_bias) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
            w -= lr * (m / first_bias / ((v / second_bias).sqrt() + 1e-8) + decay * w);
            a = 0.9 * a + 0.1 * w;
            let step = AdamWStep {
                clip: 0.5,
                rate: (lr / first_bias) as f32,
                root: (1.0 / second_bias.sqrt()) as f32,
                beta1: beta1 as f32,
                beta2: beta2 as f32,
                epsilon: 1e-8,
                shrink: (lr * decay) as f32,
                keep: 0.9,
            };
            let cells = AdamWCells {
                value: &mut value,
                gradient: &[(2.0 * g) as f32],
                first: &mut first,
                second: &mut second,
                average: &mut average,
            };
            adamw(cells, &step);
        }
        assert!((f64::from(value[0]) - w).abs() < 1e-6 && (f64::from(average[0]) - a).abs() < 1e-6);
    }
}
