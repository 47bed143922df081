use super::{columns::by_column, ks::unobserved};
use crate::{
    Comparison, Group, Metric, Score,
    numbers::observed,
    score::{Gap, Kind, Reading},
};
use meg_core::MISSING;

const RANGE: Kind = Kind::similarity("range_coverage");
const CATEGORY: Kind = Kind::similarity("category_coverage");

/// How much of what training columns hold synthetic columns hold too.
///
/// `range_coverage` (numbers): `1 - max(0, (min_S - min_R) / range) - max(0, (max_R - max_S) /
/// range)`, not below 0; undefined where the training column is constant or has no observed cell.
/// `category_coverage`: the share of levels that occur in training and in the synthetic column too;
/// undefined where no training cell is observed. In 0..=1, higher is better; values that training
/// lacks are not punished here (see `category_adherence`). Without an observed synthetic cell the
/// range is undefined (and the mean over columns with it), while no level at all is covered, which
/// is 0. Source: `RangeCoverage` and `CategoryCoverage` of SDMetrics.
#[derive(Debug)]
pub(crate) struct Coverage;

impl Metric for Coverage {
    fn name(&self) -> &'static str {
        RANGE.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![RANGE.name, CATEGORY.name]
    }

    fn about(&self) -> &'static str {
        "How much of the range and of the levels of the real columns occurs."
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let mut scores = by_column(
            comparison,
            &[RANGE],
            |spec| spec.is_numeric(),
            |at, train, other| vec![range(train.numbers(at), other.numbers(at))],
        );
        scores.extend(by_column(
            comparison,
            &[CATEGORY],
            |spec| spec.is_category(),
            |at, train, other| {
                let levels = train.schema().columns[at].levels().len();
                vec![category(levels, train.codes(at), other.codes(at))]
            },
        ));
        scores
    }
}

fn range(real: &[f64], synthetic: &[f64]) -> Reading {
    let rows = (real.len(), synthetic.len());
    let (real, synthetic) = (observed(real), observed(synthetic));
    let reading = |value| Reading::new(value, real.len(), synthetic.len());
    if let Some(gap) = unobserved(&real, &synthetic, rows) {
        return reading(Err(gap));
    }
    let (least, most) = (real[0], real[real.len() - 1]);
    if least == most {
        return reading(Err(Gap::undefined("the real column is constant")));
    }
    let (first, last) = (synthetic[0], synthetic[synthetic.len() - 1]);
    let half = most / 2.0 - least / 2.0;
    let below = ((first / 2.0 - least / 2.0) / half).max(0.0);
    let above = ((most / 2.0 - last / 2.0) / half).max(0.0);
    reading(Ok((1.0 - below - above).max(0.0)))
}

fn category(levels: usize, real: &[u32], synthetic: &[u32]) -> Reading {
    let occurring = |codes: &[u32]| {
        let mut seen = vec![false; levels];
        codes.iter().filter(|&&code| code != MISSING).for_each(|&code| seen[code as usize] = true);
        seen
    };
    let (ours, theirs) = (occurring(real), occurring(synthetic));
    let all = ours.iter().filter(|seen| **seen).count();
    let both = ours.iter().zip(&theirs).filter(|(a, b)| **a && **b).count();
    let value = match (all, synthetic.is_empty()) {
        (_, true) => Err(Gap::undefined("there is no synthetic row")),
        (0, _) => Err(Gap::undefined("no real cell is observed")),
        _ => Ok(both as f64 / all as f64),
    };
    Reading::new(value, real.len(), synthetic.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let nan = f64::NAN;
        assert!((range(&[0.0, 10.0], &[2.0, 9.0]).ok().unwrap() - 0.7).abs() < 1e-12);
        assert_eq!(range(&[0.0, 10.0], &[-5.0, 99.0]).ok(), Some(1.0));
        assert_eq!(range(&[0.0, 10.0], &[20.0]).ok(), Some(0.0));
        assert!(range(&[0.0, 10.0], &[nan; 9]).value.is_err_and(|gap| gap.lost));
        assert_eq!(range(&[3.0, 3.0, nan], &[3.0]).ok(), None);
        assert_eq!(category(4, &[0, 1, 1, MISSING], &[1, 2]).ok(), Some(0.5));
        assert_eq!(category(4, &[MISSING], &[1]).ok(), None);
    }
}
