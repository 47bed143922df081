//! Order statistics that several metrics need.

/// The cells that are not missing, ascending.
pub(crate) fn observed(cells: &[f64]) -> Vec<f64> {
    let mut cells: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    cells.sort_unstable_by(f64::total_cmp);
    cells
}

/// The quantile with linear interpolation between the two nearest values (numpy's default).
/// `values` are not empty.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, share)
}

/// The same of values that ascend.
pub(crate) fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    match below == above {
        // A difference of infinities would be NaN.
        true => below,
        false => below + (above - below) * at.fract(),
    }
}

/// Mean and standard deviation (of the population). `values` are not empty.
pub(crate) fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// Ranks from 1, the mean of them for equal values.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (tie.len() + 1) as f64 / 2.0;
        tie.iter().for_each(|&at| ranks[at] = rank);
        before += tie.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.5), 2.5);
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.05), 7.0);
    }

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0, -0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
    }
}
