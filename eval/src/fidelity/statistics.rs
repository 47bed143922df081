use super::columns::by_column;
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
/// In 0..=1, higher is better. Undefined where the training column is constant or has no observed
/// cell, or where the synthetic table has no row; 0 where no synthetic cell is observed. Lenient: the
/// range grows with outliers. Source: `StatisticSimilarity` of SDMetrics.
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
    let none = synthetic.is_empty();
    let (real, synthetic) = (observed(real), observed(synthetic));
    let reading = |value| Reading::new(value, real.len(), synthetic.len());
    let all = |value: Result<f64, Gap>, note: Option<&str>| {
        let note = note.map(str::to_owned);
        KINDS.iter().map(|_| reading(value.clone()).note(note.clone())).collect::<Vec<_>>()
    };
    let half = |values: &[f64]| values[values.len() - 1] / 2.0 - values[0] / 2.0;
    if none {
        return all(Err(Gap::undefined("there is no synthetic row")), None);
    }
    if real.is_empty() {
        return all(Err(Gap::undefined("no real cell is observed")), None);
    }
    let range = half(&real);
    if range == 0.0 {
        return all(Err(Gap::undefined("the real column is constant")), None);
    }
    if synthetic.is_empty() {
        return all(Ok(0.0), Some("no synthetic cell is observed"));
    }
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
        assert_eq!(values(&[f64::NAN]), [0.0; 3]);
    }
}
