use super::association::{Absent, Associated};
use crate::score::{Kind, Reading};

pub(super) const CORRELATION_SIMILARITY: Kind = Kind::similarity("correlation_similarity");

/// Pearson's correlation over the rows where both cells are observed.
pub(super) fn correlation(x: &[f64], y: &[f64]) -> Associated {
    let complete = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let rows = complete().count();
    let found = |value| Associated { value, complete: rows, rows: x.len() };
    if rows < 2 {
        return found(Err(Absent::Few));
    }
    let count = rows as f64;
    // Cells are brought to at most 1, so that no square overflows.
    let (mut most_x, mut most_y) = (0.0f64, 0.0f64);
    for (x, y) in complete() {
        most_x = most_x.max(x.abs());
        most_y = most_y.max(y.abs());
    }
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    // A mean is rounded, so a constant column may show a tiny variance: ask the cells instead.
    let first = complete().next();
    let (mut varies_x, mut varies_y) = (false, false);
    for (x, y) in complete() {
        sum_x += x / most_x;
        sum_y += y / most_y;
        varies_x |= first.is_some_and(|first| first.0 != x);
        varies_y |= first.is_some_and(|first| first.1 != y);
    }
    if !varies_x || !varies_y {
        return found(Err(Absent::Constant));
    }
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in complete() {
        let (dx, dy) = (x / most_x - mean_x, y / most_y - mean_y);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    let rho = (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0);
    // Cells that differ in nothing but their last digit may leave no variance to divide by.
    found(if rho.is_finite() { Ok(rho) } else { Err(Absent::Constant) })
}

/// `1 - |rho_R - rho_S| / 2` with Pearson's correlation over complete rows.
///
/// In 0..=1, higher is better, and lenient: losing a correlation of 0.9 altogether still scores
/// 0.55. Undefined where a real column is constant or a side has fewer than two complete rows. Where
/// only a synthetic column is constant nothing of the dependence is left: `rho_S` is 0 and the reason
/// says so, because leaving the pair out would reward the collapse. Source: `CorrelationSimilarity`
/// of SDMetrics, which leaves such pairs out.
pub(super) fn correlation_similarity(real: Associated, synthetic: Associated) -> Reading {
    let apart = real.apart(synthetic);
    Reading { value: apart.value.map(|apart| 1.0 - apart / 2.0), ..apart }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_told_apart() {
        let (up, flat) = ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]);
        let rising = correlation(&up, &up);
        assert!((rising.value.unwrap() - 1.0).abs() < 1e-15);
        let collapsed = correlation(&up, &flat);
        assert_eq!(collapsed.value, Err(Absent::Constant));
        let flagged = correlation_similarity(rising, collapsed);
        assert!((flagged.ok().unwrap() - 0.5).abs() < 1e-15);
        assert!(flagged.note.unwrap().contains("counts as 0"));
        assert_eq!(correlation_similarity(collapsed, rising).ok(), None);
    }

    #[test]
    fn rows_that_are_never_complete_have_no_correlation() {
        let (up, none) = ([1.0, 2.0, 3.0, 4.0, 5.0], [f64::NAN; 5]);
        let lost = correlation_similarity(correlation(&up, &up), correlation(&up, &none));
        assert!(lost.value.is_err_and(|gap| gap.lost));
        assert_eq!(
            correlation_similarity(correlation(&up, &none), correlation(&up, &up)).ok(),
            None
        );
    }
}
