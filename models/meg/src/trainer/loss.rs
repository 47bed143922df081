//! Cross-entropies of logits.

use super::generator::Example;
use neural::kernels::softmax_rows;

/// Turns logits into the gradient of the mean cross-entropy; returns the sum of the
/// cross-entropies.
pub(super) fn cross_entropy(
    logits: &mut [f32],
    codes: usize,
    example: &Example<'_>,
    normalisers: &mut Vec<f32>,
) -> f64 {
    let rows = example.own.len();
    let band = |row: usize| example.targets.band(usize::from(example.own[row]));
    let weight = |row: usize| example.weights.map_or(1.0, |weights| weights[row]);
    let mut wanted = 0.0;
    for row in 0..rows {
        let (start, weights) = band(row);
        let from = row * codes + start;
        let logits = &logits[from..from + weights.len()];
        let sum = logits.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
        wanted += f64::from(weight(row)) * f64::from(sum);
    }
    normalisers.resize(rows, 0.0);
    let share = 1.0 / rows as f32;
    softmax_rows(logits, codes, share, normalisers);
    for row in 0..rows {
        let (start, weights) = band(row);
        let from = row * codes + start;
        for (cell, weight) in logits[from..from + weights.len()].iter_mut().zip(weights) {
            *cell -= share * weight;
        }
    }
    if let Some(weights) = example.weights {
        for (cells, weight) in logits.chunks_exact_mut(codes).zip(weights) {
            cells.iter_mut().for_each(|cell| *cell *= weight);
        }
    }
    let normalisers = normalisers.iter().enumerate();
    normalisers.map(|(row, &x)| f64::from(weight(row)) * f64::from(x)).sum::<f64>() - wanted
}

/// The sum over rows of minus the log-probability of each row's own code. The logits are spent.
pub(super) fn negative_log_likelihood(
    logits: &mut [f32],
    codes: usize,
    own: &[u16],
    normalisers: &mut Vec<f32>,
) -> f64 {
    let wanted = own.iter().enumerate().map(|(row, &code)| logits[row * codes + usize::from(code)]);
    let wanted: f64 = wanted.map(f64::from).sum();
    normalisers.resize(own.len(), 0.0);
    softmax_rows(logits, codes, 1.0, normalisers);
    normalisers.iter().map(|&x| f64::from(x)).sum::<f64>() - wanted
}
