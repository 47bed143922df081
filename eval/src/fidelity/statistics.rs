use super::{columns::by_column, ks::unobserved};
use crate::{
    Comparison, Group, Metric, Score,
    numbers::{mean_and_sd, observed, quantile_of_sorted},
    score::{Gap, Kind, Reading},
};

const KINDS: [Kind; 3] = [
    Kind::similarity("mean_similarity"),
    Kind::similarity("median_similarity"),
    Kind::similarity("sd_similarity"),
];

/// `1 - |stat_R - stat_S| / range_R`, not below 0, for mean, median and standard deviation (of the
/// population) of the observed cells of each number column.
///
/// In 0..=1, higher is better. Undefined where the training column is constant or a side has no
/// observed cell; where real cells lead to expect synthetic ones, the mean over columns is undefined
/// with it. Lenient: the range grows with outliers. Source: `StatisticSimilarity` of SDMetrics.
#[derive(Debug)]
pub(crate) struct Statistics;

impl Metric for Statistics {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How near mean, median and standard deviation of each number column are to the real ones."
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        by_column(
            comparison,
            &KINDS,
            |spec| spec.is_numeric(),
            |at, train, other| similarities(train.numbers(at), other.numbers(at)),
        )
    }
}

fn similarities(real: &[f64], synthetic: &[f64]) -> Vec<Reading> {
    let rows = (real.len(), synthetic.len());
    let (real, synthetic) = (observed(real), observed(synthetic));
    let reading = |value| Reading::new(value, real.len(), synthetic.len());
    let half = |values: &[f64]| values[values.len() - 1] / 2.0 - values[0] / 2.0;
    let gap = match unobserved(&real, &synthetic, rows) {
        None if half(&real) == 0.0 => Some(Gap::undefined("the real column is constant")),
        gap => gap,
    };
    if let Some(gap) = gap {
        return KINDS.iter().map(|_| reading(Err(gap.clone()))).collect();
    }
    let range = half(&real);
    let (ours, theirs) = (statistics(&real, range), statistics(&synthetic, range));
    let similarity = |(a, b): (&f64, &f64)| reading(Ok((1.0 - (a - b).abs()).max(0.0)));
    ours.iter().zip(&theirs).map(similarity).collect()
}

/// Mean, median and standard deviation in units of the real range, of which half is given; cells are
/// divided first, so that no sum overflows.
fn statistics(sorted: &[f64], half_range: f64) -> [f64; 3] {
    let scaled: Vec<f64> = sorted.iter().map(|cell| cell / 2.0 / half_range).collect();
    let (mean, sd) = mean_and_sd(&scaled);
    [mean, quantile_of_sorted(&scaled, 0.5), sd]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let values = |synthetic: &[f64]| -> Vec<f64> {
            similarities(&[0.0, 10.0], synthetic).iter().map(|own| own.ok().unwrap()).collect()
        };
        assert_eq!(values(&[0.0, 10.0]), [1.0; 3]);
        assert_eq!(values(&[5.0]), [1.0, 1.0, 0.5]);
        assert_eq!(values(&[100.0]), [0.0, 0.0, 0.5]);
        let none = similarities(&[0.0, 10.0], &[f64::NAN; 9]);
        assert!(none.iter().all(|own| own.value.as_ref().is_err_and(|gap| gap.lost)));
    }
}
