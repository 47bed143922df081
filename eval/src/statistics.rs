//! Means over seeds and comparisons of models over datasets.
//!
//! A cell without a value is not a number here: leave the dataset out for all models, and say so.

use crate::numbers::ranks;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

/// Differences up to which Wilcoxon's law is counted out; beyond, it is normal enough.
const EXACT: usize = 50;

/// Mean, spread and interval of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `n - 1`; `None` for one value.
    pub sd: Option<f64>,
    /// Student's 95 % interval of the mean; `None` for one value.
    pub interval: Option<[f64; 2]>,
}

/// Ranks of models over datasets, and whether they differ at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Friedman {
    /// Mean rank of each model; 1 is best, equal values share their ranks.
    pub mean_ranks: Vec<f64>,
    /// Friedman's statistic, corrected for ties; `None` where all models are equal on every dataset,
    /// so that there is nothing to test.
    pub statistic: Option<f64>,
    /// The chance of such a statistic or a larger one if the models were alike, by the chi-square
    /// law; `None` without a statistic.
    pub p_value: Option<f64>,
}

/// Two models over datasets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Position of the one model.
    pub left: usize,
    /// Position of the other.
    pub right: usize,
    /// Median over datasets of the left model's values minus the right's.
    pub median_difference: f64,
    /// Wilcoxon's two-sided p-value, adjusted by Holm for all pairs.
    pub p_value: f64,
}

/// Mean, standard deviation and interval; `None` without values or if one is not finite.
pub fn summarise(values: &[f64]) -> Option<Summary> {
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    if n == 1 {
        return Some(Summary { n, mean, sd: None, interval: None });
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (squares / (n - 1) as f64).sqrt();
    let law = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?;
    let half = law.inverse_cdf(0.975) * sd / (n as f64).sqrt();
    Some(Summary { n, mean, sd: Some(sd), interval: Some([mean - half, mean + half]) })
}

/// Friedman's test (1937) of values by dataset and model, higher values being better.
///
/// `None` with fewer than two models or datasets, rows of different lengths or a value that is not
/// finite. Where all values of every dataset are equal all models share one rank and there is no
/// statistic.
pub fn friedman(values: &[Vec<f64>]) -> Option<Friedman> {
    let models = models(values)?;
    let (n, k) = (values.len() as f64, models as f64);
    let mut sums = vec![0.0; models];
    let mut ties = 0.0;
    for row in values {
        let lower_first: Vec<f64> = row.iter().map(|value| -value).collect();
        let own = ranks(&lower_first);
        sums.iter_mut().zip(&own).for_each(|(sum, rank)| *sum += rank);
        let mut sorted = own;
        sorted.sort_unstable_by(f64::total_cmp);
        ties += sorted
            .chunk_by(|a, b| a == b)
            .map(|run| (run.len() as f64).powi(3) - run.len() as f64)
            .sum::<f64>();
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let plain = 12.0 / (n * k * (k + 1.0)) * squares - 3.0 * n * (k + 1.0);
    // Whole numbers: the correction is 0 exactly where every row is one tie.
    let all_tied = ties == n * k * (k * k - 1.0);
    let correction = 1.0 - ties / (n * k * (k * k - 1.0));
    let statistic = (!all_tied).then(|| (plain / correction).max(0.0));
    let law = ChiSquared::new(k - 1.0).ok()?;
    let p_value = statistic.map(|statistic| law.sf(statistic));
    Some(Friedman { mean_ranks: sums.iter().map(|sum| sum / n).collect(), statistic, p_value })
}

/// All pairs of models, each by Wilcoxon's test of its differences over datasets, adjusted by Holm.
///
/// `None` where [`friedman`] gives none for want of rows. A pair whose differences are all 0 has p 1.
pub fn pairwise(values: &[Vec<f64>]) -> Option<Vec<Pair>> {
    let models = models(values)?;
    let places: Vec<(usize, usize)> =
        (0..models).flat_map(|left| (left + 1..models).map(move |right| (left, right))).collect();
    let differences = |(left, right): (usize, usize)| -> Vec<f64> {
        values.iter().map(|row| row[left] - row[right]).collect()
    };
    let raw: Vec<f64> =
        places.iter().map(|&place| wilcoxon(&differences(place)).unwrap_or(1.0)).collect();
    let pair = |(&place, p_value): (&(usize, usize), f64)| Pair {
        left: place.0,
        right: place.1,
        median_difference: crate::numbers::quantile(&differences(place), 0.5),
        p_value,
    };
    Some(places.iter().zip(holm(&raw)).map(pair).collect())
}

/// Wilcoxon's signed-rank test (1945), two-sided. Differences of 0 are left out; `None` when none
/// remain or one is not finite.
///
/// Counted out for up to 50 differences, with the mean ranks of those of equal size, otherwise by the
/// normal law with corrections for ties and for continuity.
pub fn wilcoxon(differences: &[f64]) -> Option<f64> {
    if differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    let kept: Vec<f64> = differences.iter().copied().filter(|own| *own != 0.0).collect();
    if kept.is_empty() {
        return None;
    }
    let sizes: Vec<f64> = kept.iter().map(|own| own.abs()).collect();
    let ranks = ranks(&sizes);
    let above: f64 =
        ranks.iter().zip(&kept).filter(|(_, own)| **own > 0.0).map(|(rank, _)| rank).sum();
    let least = above.min(ranks.iter().sum::<f64>() - above);
    let one_sided = match kept.len() <= EXACT {
        true => exact(&ranks, least),
        false => by_normal_law(&ranks, least),
    };
    Some((2.0 * one_sided).min(1.0))
}

/// Holm's adjustment (1979), in the order of the p-values given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut most = 0.0f64;
    for (place, &at) in order.iter().enumerate() {
        most = most.max((p_values[at] * (p_values.len() - place) as f64).min(1.0));
        adjusted[at] = most;
    }
    adjusted
}

/// Kendall's rank correlation with his correction for ties, tau-b (1945), in -1..=1.
///
/// `None` for lists of different lengths, a value that is not finite, or where all values of a list are
/// equal (so for fewer than two).
pub fn kendall(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.iter().chain(y).any(|value| !value.is_finite()) {
        return None;
    }
    let (mut agreeing, mut apart_x, mut apart_y) = (0i64, 0i64, 0i64);
    for i in 0..x.len() {
        for j in 0..i {
            let [a, b] = [(x[i], x[j]), (y[i], y[j])]
                .map(|(one, other)| i64::from(one > other) - i64::from(one < other));
            agreeing += a * b;
            apart_x += a.abs();
            apart_y += b.abs();
        }
    }
    // One root of the whole product: equal orders give exactly 1.
    let all = (apart_x as f64 * apart_y as f64).sqrt();
    (all > 0.0).then(|| (agreeing as f64 / all).clamp(-1.0, 1.0))
}

/// The share of the sign patterns of these ranks whose positive ranks sum to `most` or less.
///
/// Mean ranks of ties are whole or halves, so that twice of them are whole numbers and their sums can
/// be counted one rank after the other, without going through the patterns.
fn exact(ranks: &[f64], most: f64) -> f64 {
    let twice = |rank: f64| (2.0 * rank).round() as usize;
    let total: usize = ranks.iter().map(|rank| twice(*rank)).sum();
    let mut counts = vec![0.0f64; total + 1];
    counts[0] = 1.0;
    for rank in ranks.iter().map(|rank| twice(*rank)) {
        for sum in (rank..=total).rev() {
            counts[sum] += counts[sum - rank];
        }
    }
    counts[..=twice(most)].iter().sum::<f64>() / 2f64.powi(ranks.len() as i32)
}

/// The same by the normal law, corrected for ties and for continuity.
fn by_normal_law(ranks: &[f64], most: f64) -> f64 {
    let mean = ranks.iter().sum::<f64>() / 2.0;
    // The variance of the sum of ranks, each of which counts or does not: ties are in it.
    let variance = ranks.iter().map(|rank| rank * rank).sum::<f64>() / 4.0;
    Normal::standard().cdf((most - mean + 0.5).min(0.0) / variance.sqrt())
}

fn models(values: &[Vec<f64>]) -> Option<usize> {
    let models = values.first()?.len();
    let even = values.iter().all(|row| row.len() == models);
    let finite = values.iter().flatten().all(|value| value.is_finite());
    (models >= 2 && values.len() >= 2 && even && finite).then_some(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds to second base by three ways of rounding first base (Hollander and Wolfe 1973), the
    /// example of R's `friedman.test`.
    const ROUNDING: [[f64; 3]; 22] = [
        [5.40, 5.50, 5.55],
        [5.85, 5.70, 5.75],
        [5.20, 5.60, 5.50],
        [5.55, 5.50, 5.40],
        [5.90, 5.85, 5.70],
        [5.45, 5.55, 5.60],
        [5.40, 5.40, 5.35],
        [5.45, 5.50, 5.35],
        [5.25, 5.15, 5.00],
        [5.85, 5.80, 5.70],
        [5.25, 5.20, 5.10],
        [5.65, 5.55, 5.45],
        [5.60, 5.35, 5.45],
        [5.05, 5.00, 4.95],
        [5.50, 5.50, 5.40],
        [5.45, 5.55, 5.50],
        [5.55, 5.55, 5.35],
        [5.45, 5.50, 5.55],
        [5.50, 5.45, 5.25],
        [5.65, 5.60, 5.40],
        [5.70, 5.65, 5.55],
        [6.30, 6.30, 6.25],
    ];

    #[test]
    fn friedman_agrees_with_r() {
        let rows: Vec<Vec<f64>> = ROUNDING.iter().map(|row| row.to_vec()).collect();
        let found = friedman(&rows).unwrap();
        assert!((found.statistic.unwrap() - 11.1429).abs() < 5e-5, "{found:?}");
        assert!((found.p_value.unwrap() - 0.003_805).abs() < 5e-7, "{found:?}");
        // The slowest way has the highest values and with them the best ranks.
        assert!(found.mean_ranks[0] < found.mean_ranks[2]);
        assert_eq!(friedman(&[vec![1.0, f64::NAN], vec![2.0, 2.0]]), None);
        assert_eq!(friedman(&[]), None);
    }

    #[test]
    fn wilcoxon_agrees_with_r() {
        // The depression scale of Hollander and Wolfe (1973), the example of R's `wilcox.test`.
        let differences = [0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01];
        assert!((wilcoxon(&differences).unwrap() - 0.039_062_5).abs() < 1e-12);
        assert_eq!(wilcoxon(&[0.0, 0.0]), None);
        // The normal law comes near the counted one, with and without ties.
        let plain: Vec<f64> = (1..=30).map(f64::from).collect();
        let tied = ranks(&plain.iter().map(|own| (own / 3.0).ceil()).collect::<Vec<_>>());
        for own in [plain, tied] {
            for most in [100.0, 150.0, 200.0] {
                let apart = by_normal_law(&own, most) - exact(&own, most);
                assert!(apart.abs() < 0.01, "{most}: {apart}");
            }
        }
    }

    /// Every sign pattern, one by one.
    #[test]
    fn ties_are_counted_out() {
        let mut rng = meg_core::Seed(1).stream("differences");
        for count in 1..=10u32 {
            let own = |_| f64::from(rand::Rng::random_range(&mut rng, -3..=3));
            let differences: Vec<f64> = (0..count).map(own).filter(|own| *own != 0.0).collect();
            let ranks = ranks(&differences.iter().map(|own| own.abs()).collect::<Vec<_>>());
            let sum = |up: &dyn Fn(usize) -> bool| -> f64 {
                ranks.iter().enumerate().filter(|(at, _)| up(*at)).map(|(_, rank)| rank).sum()
            };
            let half = ranks.iter().sum::<f64>() / 2.0;
            let found = (sum(&|at| differences[at] > 0.0) - half).abs();
            let patterns = 1u32 << differences.len();
            let as_far =
                |pattern: &u32| (sum(&|at| (pattern >> at) & 1 == 1) - half).abs() >= found;
            let want = (0..patterns).filter(as_far).count() as f64 / f64::from(patterns);
            let got = wilcoxon(&differences);
            assert!(
                if differences.is_empty() {
                    got.is_none()
                } else {
                    (got.unwrap() - want).abs() < 1e-12
                },
                "{differences:?}: {got:?}, {want}"
            );
        }
    }

    #[test]
    fn models_that_are_all_equal_have_ranks_and_no_test() {
        let equal = friedman(&[vec![1.0; 3], vec![2.0; 3]]).unwrap();
        assert_eq!(equal.mean_ranks, [2.0; 3]);
        assert_eq!((equal.statistic, equal.p_value), (None, None));
        let pairs = pairwise(&[vec![1.0; 3], vec![2.0; 3]]).unwrap();
        assert!(pairs.iter().all(|pair| pair.p_value == 1.0));
    }

    #[test]
    fn kendall_agrees_with_scipy() {
        // The examples of scipy.stats.kendalltau: -0.47140452 (with ties) and a plain order.
        let tau = kendall(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]).unwrap();
        assert!((tau + 0.471_404_520_791_031_7).abs() < 1e-12, "{tau}");
        assert_eq!(kendall(&[1.0, 2.0, 3.0], &[0.1, 0.2, 0.9]), Some(1.0));
        assert_eq!(kendall(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(kendall(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(kendall(&[1.0], &[1.0]), None);
    }

    #[test]
    fn holm_keeps_order_and_ends_at_1() {
        let adjusted = holm(&[0.01, 0.04, 0.03]);
        for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06]) {
            assert!((got - want).abs() < 1e-12);
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn a_better_model_is_found() {
        let rows: Vec<Vec<f64>> = (0..12)
            .map(|row| {
                let base = f64::from(row);
                vec![base + 0.5 + 0.01 * base, base, base]
            })
            .collect();
        let pairs = pairwise(&rows).unwrap();
        assert_eq!(pairs.len(), 3);
        assert!(pairs[0].p_value < 0.01 && pairs[0].median_difference > 0.5);
        assert_eq!((pairs[2].p_value, pairs[2].median_difference), (1.0, 0.0));
    }

    #[test]
    fn summaries() {
        let one = summarise(&[2.0]).unwrap();
        assert_eq!((one.mean, one.sd, one.interval), (2.0, None, None));
        let three = summarise(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(three.sd, Some(1.0));
        // 4.302652730 / sqrt(3)
        assert!((three.interval.unwrap()[1] - 2.0 - 2.484_137_7).abs() < 1e-6);
        assert_eq!(summarise(&[1.0, f64::NAN]), None);
    }
}
