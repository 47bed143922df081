use crate::{
    numbers::observed,
    score::{Gap, Kind, Reading},
};

pub(super) const KS_COMPLEMENT: Kind = Kind::similarity("ks_complement");

/// `1 - max over x of |F_R(x) - F_S(x)|`, with the empirical distribution functions of the observed
/// cells: one minus the two-sample statistic of Kolmogorov and Smirnov.
///
/// In 0..=1, higher is better. Missing cells are left out here and scored by `missing_similarity`.
/// Undefined where a side has no observed cell; if real cells lead to expect synthetic ones, the mean
/// over columns is undefined with it, so that a column cannot leave the mean by losing its cells.
/// The same constant on both sides scores 1, two constants score 0. Two samples of one law at 1 000
/// rows each score about 0.96, which is why the holdout reference stands beside every value.
/// Source: `KSComplement` of SDMetrics, which leaves such a column out.
pub(super) fn ks_complement(real: &[f64], synthetic: &[f64]) -> Reading {
    let rows = (real.len(), synthetic.len());
    let (real, synthetic) = (observed(real), observed(synthetic));
    let reading = |value| Reading::new(value, real.len(), synthetic.len());
    match unobserved(&real, &synthetic, rows) {
        Some(gap) => reading(Err(gap)),
        None => reading(Ok(1.0 - statistic(&real, &synthetic))),
    }
}

/// Why two columns of these rows, of which these cells are observed, cannot be compared.
pub(crate) fn unobserved<T>(
    real: &[T],
    synthetic: &[T],
    (real_rows, synthetic_rows): (usize, usize),
) -> Option<Gap> {
    match (real.is_empty(), synthetic.is_empty()) {
        _ if synthetic_rows == 0 => Some(Gap::undefined("there is no synthetic row")),
        (true, _) => Some(Gap::undefined("no real cell is observed")),
        (_, true) => {
            let observed = (real.len(), real_rows);
            Some(Gap::absent("no synthetic cell is observed", observed, synthetic_rows))
        }
        _ => None,
    }
}

/// Both slices are sorted and not empty.
fn statistic(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut largest) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        // All cells of one value are passed together: a step in the middle of a tie is no
        // difference between the two functions.
        let at = a[i].min(b[j]);
        while i < a.len() && a[i] <= at {
            i += 1;
        }
        while j < b.len() && b[j] <= at {
            j += 1;
        }
        largest = largest.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(real: &[f64], synthetic: &[f64]) -> Option<f64> {
        ks_complement(real, synthetic).ok()
    }

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(value(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), Some(1.0));
        assert_eq!(value(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]), Some(0.5));
        assert_eq!(value(&[5.0; 3], &[5.0; 9]), Some(1.0));
        assert_eq!(value(&[5.0; 3], &[6.0; 9]), Some(0.0));
        assert_eq!(value(&[0.0], &[-0.0]), Some(1.0));
        assert_eq!(value(&[f64::NAN, 1.0], &[1.0]), Some(1.0));
    }

    #[test]
    fn a_side_that_says_nothing_is_undefined() {
        assert_eq!(value(&[f64::NAN], &[1.0]), None);
        assert_eq!(value(&[f64::NAN], &[f64::NAN]), None);
        assert_eq!(value(&[1.0], &[]), None);
        let lost = ks_complement(&[1.0, f64::NAN], &[f64::NAN; 20]).value.unwrap_err();
        assert!(lost.lost && lost.reason == "no synthetic cell is observed", "{lost:?}");
        // Of two rows fresh ones may lack the cell as well.
        assert!(!ks_complement(&[1.0, f64::NAN], &[f64::NAN; 2]).value.unwrap_err().lost);
    }
}
