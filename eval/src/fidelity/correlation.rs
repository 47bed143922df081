use crate::score::{Gap, Kind, Reading};

pub(super) const CORRELATION_SIMILARITY: Kind = Kind::similarity("correlation_similarity");

/// Pearson's correlation over the rows where both cells are observed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation {
    /// `None` where a column is constant or fewer than two rows are complete.
    pub(super) rho: Option<f64>,
    /// Complete rows.
    pub(super) rows: usize,
}

impl Correlation {
    pub(super) fn of(x: &[f64], y: &[f64]) -> Self {
        let complete = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
        let rows = complete().count();
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
            return Self { rho: None, rows };
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
        Self { rho: Some(rho).filter(|rho| rho.is_finite()), rows }
    }
}

/// `1 - |rho_R - rho_S| / 2` with Pearson's correlation over complete rows.
///
/// In 0..=1, higher is better, and lenient: losing a correlation of 0.9 altogether still scores
/// 0.55. Undefined where a real column is constant. Where only a synthetic column is constant (or
/// fewer than two rows are complete) nothing of the dependence is left: `rho_S` is 0 and the reason
/// says so, because leaving the pair out would reward the collapse. Source: `CorrelationSimilarity`
/// of SDMetrics, which leaves such pairs out.
pub(super) fn correlation_similarity(
    real: Correlation,
    synthetic: Correlation,
    synthetic_rows: usize,
) -> Reading {
    let reading = |value| Reading::new(value, real.rows, synthetic.rows);
    let Some(rho) = real.rho else {
        let reason = match real.rows {
            0 | 1 => "fewer than two real rows are complete",
            _ => "a real column is constant",
        };
        return reading(Err(Gap::undefined(reason)));
    };
    if synthetic_rows == 0 {
        return reading(Err(Gap::undefined("there is no synthetic row")));
    }
    let flag = synthetic.rho.is_none().then(|| {
        "the synthetic correlation does not exist (constant column or no complete rows) and counts as 0"
            .to_owned()
    });
    reading(Ok(1.0 - (rho - synthetic.rho.unwrap_or(0.0)).abs() / 2.0)).note(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_told_apart() {
        let (up, flat) = ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]);
        let rising = Correlation::of(&up, &up);
        assert!((rising.rho.unwrap() - 1.0).abs() < 1e-15);
        let collapsed = Correlation::of(&up, &flat);
        assert_eq!(collapsed.rho, None);
        let flagged = correlation_similarity(rising, collapsed, 3);
        assert!((flagged.ok().unwrap() - 0.5).abs() < 1e-15);
        assert!(flagged.note.unwrap().contains("counts as 0"));
        assert_eq!(correlation_similarity(collapsed, rising, 3).ok(), None);
    }
}
