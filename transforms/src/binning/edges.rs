use super::checked;
use crate::quantiles::quantile;
use meg_core::{Error, Result};

/// Edges of bins of one width over sorted values, equal to `numpy.linspace` to the last digit. Where
/// numpy's would pass the largest value (widths of a few of the smallest doubles, which round up),
/// they are the largest value.
///
/// # Errors
/// A recipe error for no bins or more than a million, a data error for no value.
pub fn equal_width_edges(sorted: &[f64], bins: usize) -> Result<Vec<f64>> {
    let bins = checked(bins)?;
    let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
        return Err(no_value());
    };
    let gap = most - least;
    let step = gap / bins as f64;
    let edge = |at: usize| match at {
        _ if at == bins => most,
        // Where the width of the column is too large for a double, edges are mixed from its ends.
        _ if !gap.is_finite() => {
            let share = at as f64 / bins as f64;
            least * (1.0 - share) + most * share
        }
        // numpy divides last when the step vanishes.
        _ if step == 0.0 => at as f64 / bins as f64 * gap + least,
        _ => at as f64 * step + least,
    };
    Ok((0..=bins).map(|at| edge(at).min(most)).collect())
}

/// Edges with as many sorted values between each two, equal to `numpy.quantile` at
/// `numpy.linspace(0, 1, bins + 1)` to the last digit. Ties make equal edges.
///
/// # Errors
/// A recipe error for no bins or more than a million, a data error for no value.
pub fn quantile_edges(sorted: &[f64], bins: usize) -> Result<Vec<f64>> {
    let bins = checked(bins)?;
    if sorted.is_empty() {
        return Err(no_value());
    }
    let step = 1.0 / bins as f64;
    let share = |at: usize| if at == bins { 1.0 } else { at as f64 * step };
    Ok((0..=bins).map(|at| quantile(sorted, share(at))).collect())
}

fn no_value() -> Error {
    Error::data("there is no value to find bins of")
}
