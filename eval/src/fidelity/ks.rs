use crate::{
    numbers::observed,
    score::{Gap, Kind, Reading},
};

pub(super) const KS_COMPLEMENT: Kind = Kind::similarity("ks_complement");

/// `1 - max over x of |F_R(x) - F_S(x)|`, with the empirical distribution functions of the observed
/// cells: one minus the two-sample statistic of Kolmogorov and Smirnov.
///
/// In 0..=1, higher is better. Missing cells are left out here and scored by `missing_similarity`;
/// a real side without an observed cell, or a synthetic side without a row, makes it undefined. Where
/// cells are observed in the real column and none in the synthetic one, the value is 0, with a note.
/// This departs from the specification, which calls that undefined: undefined columns leave the mean
/// over columns, and a column that collapsed to missing cells must not raise it. The same constant on both sides scores 1,
/// two constants score 0. Two samples of one law at 1 000 rows each score about 0.96, which is why
/// the holdout reference stands beside every value. Source: `KSComplement` of SDMetrics.
pub(super) fn ks_complement(real: &[f64], synthetic: &[f64]) -> Reading {
    let no_row = synthetic.is_empty();
    let (real, synthetic) = (observed(real), observed(synthetic));
    let reading = |value| Reading::new(value, real.len(), synthetic.len());
    match (real.is_empty(), synthetic.is_empty()) {
        (true, _) => reading(Err(Gap::undefined("no real cell is observed"))),
        (_, true) if no_row => reading(Err(Gap::undefined("there is no synthetic row"))),
        (_, true) => {
            reading(Ok(0.0)).note(Some("no synthetic cell is observed, which counts as 0".into()))
        }
        _ => reading(Ok(1.0 - statistic(&real, &synthetic))),
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
    fn a_collapse_counts_and_a_side_that_says_nothing_is_undefined() {
        assert_eq!(value(&[f64::NAN], &[1.0]), None);
        assert_eq!(value(&[f64::NAN], &[f64::NAN]), None);
        assert_eq!(value(&[1.0], &[]), None);
        let collapsed = ks_complement(&[1.0, f64::NAN], &[f64::NAN]);
        assert_eq!(collapsed.ok(), Some(0.0));
        assert!(collapsed.note.unwrap().contains("counts as 0"));
    }
}
