use super::{math, vectorised};

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + math::exp(-x))
}

#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + math::exp(2.0 * x))
}

vectorised! {
    /// One step of a long short-term memory cell whose forget gate leans towards keeping by a bias
    /// of 1 (TensorFlow's). A row of `gates` holds the pre-activations of `units` input gates, then
    /// of as many candidates, forget gates and output gates, and on return the activations; rows of
    /// `before` (the cell so far), `cell` and `hidden` are `units` long.
    pub fn lstm_cell(gates: &mut [f32], before: &[f32], cell: &mut [f32], hidden: &mut [f32], units: usize) {
        let states = cell.chunks_exact_mut(units).zip(hidden.chunks_exact_mut(units));
        let rows = gates.chunks_exact_mut(4 * units).zip(before.chunks_exact(units)).zip(states);
        for ((gates, before), (cell, hidden)) in rows {
            let (input, rest) = gates.split_at_mut(units);
            let (candidate, rest) = rest.split_at_mut(units);
            let (forget, output) = rest.split_at_mut(units);
            let output = &mut output[..units];
            for at in 0..units {
                input[at] = sigmoid(input[at]);
                candidate[at] = tanh_of(candidate[at]);
                forget[at] = sigmoid(forget[at] + 1.0);
                output[at] = sigmoid(output[at]);
                cell[at] = forget[at] * before[at] + input[at] * candidate[at];
                hidden[at] = output[at] * tanh_of(cell[at]);
            }
        }
    }
}

vectorised! {
    /// The gradients of [`lstm_cell`]: of the pre-activations in place of the activations, from
    /// those of the hidden state and of the cell; the latter becomes that of the cell before.
    pub fn lstm_cell_backward(gates: &mut [f32], before: &[f32], cell: &[f32], hidden_gradient: &[f32], cell_gradient: &mut [f32], units: usize) {
        let states = before.chunks_exact(units).zip(cell.chunks_exact(units));
        let gradients = hidden_gradient.chunks_exact(units).zip(cell_gradient.chunks_exact_mut(units));
        let rows = gates.chunks_exact_mut(4 * units).zip(states).zip(gradients);
        for ((gates, (before, cell)), (hidden_gradient, cell_gradient)) in rows {
            let (input, rest) = gates.split_at_mut(units);
            let (candidate, rest) = rest.split_at_mut(units);
            let (forget, output) = rest.split_at_mut(units);
            let output = &mut output[..units];
            for at in 0..units {
                let (i, j, f, o) = (input[at], candidate[at], forget[at], output[at]);
                let squashed = tanh_of(cell[at]);
                let sent = hidden_gradient[at];
                let kept = cell_gradient[at] + sent * o * (1.0 - squashed * squashed);
                input[at] = kept * j * i * (1.0 - i);
                candidate[at] = kept * i * (1.0 - j * j);
                forget[at] = kept * before[at] * f * (1.0 - f);
                output[at] = sent * squashed * o * (1.0 - o);
                cell_gradient[at] = kept * f;
            }
        }
    }
}

vectorised! {
    /// The hyperbolic tangent, in place.
    pub fn tanh(cells: &mut [f32]) {
        for cell in cells {
            *cell = tanh_of(*cell);
        }
    }
}

vectorised! {
    /// The gradient before [`tanh`] from the one after it, in place.
    pub fn tanh_backward(gradient: &mut [f32], activations: &[f32]) {
        for (gradient, &active) in gradient.iter_mut().zip(activations) {
            *gradient *= 1.0 - active * active;
        }
    }
}

vectorised! {
    /// The gradient of rows of `width` logits from that of their softmax, in place.
    pub fn softmax_rows_backward(gradient: &mut [f32], shares: &[f32], width: usize) {
        for (gradient, shares) in gradient.chunks_exact_mut(width).zip(shares.chunks_exact(width)) {
            let mean: f32 = gradient.iter().zip(shares).map(|(gradient, share)| gradient * share).sum();
            for (gradient, &share) in gradient.iter_mut().zip(shares) {
                *gradient = share * (*gradient - mean);
            }
        }
    }
}

/// Cells that are mixed at a time, so that they stay in the nearest cache.
const BLOCK: usize = 2_048;
const LANES: usize = 16;

vectorised! {
    /// `out = sum of weights[k] * states[k]`, where `states` holds as many states of `out.len()`
    /// cells one after another as there are weights: attention over the states so far.
    pub fn mix_states(out: &mut [f32], states: &[f32], weights: &[f32]) {
        let length = out.len();
        for (at, out) in out.chunks_mut(BLOCK).enumerate() {
            out.fill(0.0);
            for (state, &weight) in weights.iter().enumerate() {
                let start = state * length + at * BLOCK;
                let cells = &states[start..start + out.len()];
                for (out, &cell) in out.iter_mut().zip(cells) {
                    *out += weight * cell;
                }
            }
        }
    }
}

vectorised! {
    /// The gradients of [`mix_states`] from that of its result: adds to those of the states, and to
    /// those of the weights.
    pub fn mix_states_backward(gradient: &[f32], states: &[f32], weights: &[f32], state_gradients: &mut [f32], weight_gradients: &mut [f32]) {
        let length = gradient.len();
        for (at, gradient) in gradient.chunks(BLOCK).enumerate() {
            for ((state, &weight), sum) in weights.iter().enumerate().zip(weight_gradients.iter_mut()) {
                let start = state * length + at * BLOCK;
                let cells = &states[start..start + gradient.len()];
                let sent = &mut state_gradients[start..start + gradient.len()];
                for (sent, &gradient) in sent.iter_mut().zip(gradient) {
                    *sent += weight * gradient;
                }
                let mut lanes = [0.0f32; LANES];
                let (whole, rest) = gradient.as_chunks::<LANES>();
                for (gradient, cells) in whole.iter().zip(cells.chunks_exact(LANES)) {
                    for ((lane, &gradient), &cell) in lanes.iter_mut().zip(gradient).zip(cells) {
                        *lane += gradient * cell;
                    }
                }
                let rest_cells = &cells[whole.len() * LANES..];
                for ((lane, &gradient), &cell) in lanes.iter_mut().zip(rest).zip(rest_cells) {
                    *lane += gradient * cell;
                }
                *sum += lanes.iter().sum::<f32>();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 3;
    const UNITS: usize = 5;

    fn cells(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7 + salt * 11) % 23) as f32 / 8.0 - 1.4).collect()
    }

    fn doubles(cells: &[f32]) -> Vec<f64> {
        cells.iter().map(|&x| f64::from(x)).collect()
    }

    /// A weighted sum of hidden states and cells after one step, straight from the formula.
    fn plain(gates: &[f64], before: &[f64], weight: impl Fn(usize) -> f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut loss = 0.0;
        for at in 0..ROWS * UNITS {
            let gate = |number: usize| gates[at / UNITS * 4 * UNITS + number * UNITS + at % UNITS];
            let cell = sigmoid(gate(2) + 1.0) * before[at] + sigmoid(gate(0)) * gate(1).tanh();
            loss += weight(at) * sigmoid(gate(3)) * cell.tanh() + weight(at + 7) * cell;
        }
        loss
    }

    fn weight(at: usize) -> f64 {
        ((at * 5) % 7) as f64 - 3.0
    }

    #[test]
    fn an_lstm_step_and_its_gradients_are_those_of_the_formula() {
        let (mut gates, before) = (cells(ROWS * 4 * UNITS, 1), cells(ROWS * UNITS, 2));
        let (exact_gates, exact_before) = (doubles(&gates), doubles(&before));
        let (mut cell, mut hidden) = (vec![0.0; ROWS * UNITS], vec![0.0; ROWS * UNITS]);
        lstm_cell(&mut gates, &before, &mut cell, &mut hidden, UNITS);
        let ours: f64 = (0..ROWS * UNITS)
            .map(|at| weight(at) * f64::from(hidden[at]) + weight(at + 7) * f64::from(cell[at]))
            .sum();
        assert!((ours - plain(&exact_gates, &exact_before, weight)).abs() < 1e-5);
        let sent: Vec<f32> = (0..ROWS * UNITS).map(|at| weight(at) as f32).collect();
        let mut kept: Vec<f32> = (0..ROWS * UNITS).map(|at| weight(at + 7) as f32).collect();
        lstm_cell_backward(&mut gates, &before, &cell, &sent, &mut kept, UNITS);
        let central = |of: &dyn Fn(f64) -> f64| (of(1e-6) - of(-1e-6)) / 2e-6;
        let moved = |cells: &[f64], at: usize, by: f64| {
            let mut cells = cells.to_vec();
            cells[at] += by;
            cells
        };
        for (at, &ours) in gates.iter().enumerate() {
            let exact = central(&|by| plain(&moved(&exact_gates, at, by), &exact_before, weight));
            assert!((f64::from(ours) - exact).abs() < 1e-5, "gate {at}: {ours} {exact}");
        }
        for (at, &ours) in kept.iter().enumerate() {
            let exact = central(&|by| plain(&exact_gates, &moved(&exact_before, at, by), weight));
            assert!((f64::from(ours) - exact).abs() < 1e-5, "cell {at}: {ours} {exact}");
        }
    }

    #[test]
    fn tanh_and_softmax_have_their_derivatives() {
        let x = cells(20, 3);
        let (mut active, mut gradient) = (x.clone(), vec![1.0; 20]);
        tanh(&mut active);
        tanh_backward(&mut gradient, &active);
        for ((&x, &active), &gradient) in x.iter().zip(&active).zip(&gradient) {
            let exact = f64::from(x).tanh();
            assert!((f64::from(active) - exact).abs() < 1e-6);
            assert!((f64::from(gradient) - (1.0 - exact * exact)).abs() < 1e-6);
        }
        let mut far = [40.0, -40.0, 0.0];
        tanh(&mut far);
        assert_eq!(far, [1.0, -1.0, 0.0]);
        let shares = [0.2, 0.3, 0.5, 0.1, 0.1, 0.8];
        let mut gradient = [1.0, -1.0, 2.0, 0.0, 3.0, 0.5];
        softmax_rows_backward(&mut gradient, &shares, 3);
        let means = [0.2 - 0.3 + 1.0, 0.3 + 0.4];
        for (at, (sent, share)) in [1.0f32, -1.0, 2.0, 0.0, 3.0, 0.5].iter().zip(shares).enumerate()
        {
            assert!((gradient[at] - share * (sent - means[at / 3])).abs() < 1e-6);
        }
    }

    /// Whole numbers, so that sums are exact in any order; longer than a block.
    #[test]
    fn mixing_is_the_weighted_sum_and_its_gradient_the_transpose() {
        let (length, count) = (BLOCK + 37, 3);
        let whole = |count: usize, salt: usize| -> Vec<f32> {
            (0..count).map(|at| ((at * 5 + salt) % 7) as f32 - 3.0).collect()
        };
        let (states, weights) = (whole(count * length, 1), [2.0, -1.0, 4.0]);
        let mut out = vec![f32::NAN; length];
        mix_states(&mut out, &states, &weights);
        let gradient = whole(length, 2);
        let before = whole(count * length, 3);
        let (mut sent, mut sums) = (before.clone(), [1.0; 3]);
        mix_states_backward(&gradient, &states, &weights, &mut sent, &mut sums);
        for at in 0..length {
            let exact: f32 = (0..count).map(|k| weights[k] * states[k * length + at]).sum();
            assert_eq!(out[at], exact);
            for k in 0..count {
                let exact = before[k * length + at] + weights[k] * gradient[at];
                assert_eq!(sent[k * length + at], exact);
            }
        }
        for (k, sum) in sums.into_iter().enumerate() {
            let exact: f32 = (0..length).map(|at| gradient[at] * states[k * length + at]).sum();
            assert_eq!(sum, 1.0 + exact);
        }
    }
}
