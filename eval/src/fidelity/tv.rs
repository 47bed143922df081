use crate::score::{Gap, Kind, Reading};
use meg_core::MISSING;

pub(super) const TV_COMPLEMENT: Kind = Kind::similarity("tv_complement");

/// `1 - 1/2 sum over levels of |p_R - p_S|`: one minus the total variation distance.
///
/// In 0..=1, higher is better. Missing is a level of its own, and a level that one side lacks
/// counts in full. Undefined when a side has no row. Two samples of one law fall short of 1 by
/// more, the more levels there are: compare with the holdout reference. Source: `TVComplement` of
/// SDMetrics, which drops missing cells instead.
pub(super) fn tv_complement(levels: usize, real: &[u32], synthetic: &[u32]) -> Reading {
    let value = match (real.len(), synthetic.len()) {
        (0, _) => Err(Gap::undefined("there is no real row")),
        (_, 0) => Err(Gap::undefined("there is no synthetic row")),
        _ => {
            let (p, q) = (shares(levels, real), shares(levels, synthetic));
            let distance: f64 = p.iter().zip(&q).map(|(p, q)| (p - q).abs()).sum();
            Ok((1.0 - distance / 2.0).max(0.0))
        }
    };
    Reading::new(value, real.len(), synthetic.len())
}

fn shares(levels: usize, codes: &[u32]) -> Vec<f64> {
    let mut counts = vec![0usize; levels + 1];
    for &code in codes {
        counts[if code == MISSING { levels } else { code as usize }] += 1;
    }
    counts.into_iter().map(|count| count as f64 / codes.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let value = |real: &[u32], synthetic: &[u32]| tv_complement(3, real, synthetic).ok();
        assert_eq!(value(&[0, 1], &[1, 0]), Some(1.0));
        assert_eq!(value(&[0, 0], &[1, 1]), Some(0.0));
        assert_eq!(value(&[0, 0, 1, 1], &[0, 0, 1, 2]), Some(0.75));
        assert_eq!(value(&[MISSING, 0], &[0, 0]), Some(0.5));
        assert_eq!(value(&[MISSING], &[MISSING]), Some(1.0));
        assert_eq!(value(&[0], &[]), None);
    }
}
