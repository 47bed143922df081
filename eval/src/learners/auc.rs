use crate::{numbers::ranks, significance::Z};

/// An area under the ROC curve and the variance of its estimate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    /// The chance that a positive scores higher than a negative, ties counting half.
    pub(crate) value: f64,
    /// Variance by DeLong, DeLong and Clarke-Pearson (1988); 0 with fewer than two rows of a kind.
    pub(crate) variance: f64,
}

impl Area {
    /// The mean of independent areas.
    pub(crate) fn mean(areas: &[Self]) -> Self {
        let count = areas.len() as f64;
        Self {
            value: areas.iter().map(|area| area.value).sum::<f64>() / count,
            variance: areas.iter().map(|area| area.variance).sum::<f64>() / (count * count),
        }
    }

    /// The 95 % interval, cut at 0 and 1.
    pub(crate) fn interval(&self) -> [f64; 2] {
        let half = Z * self.variance.sqrt();
        [(self.value - half).max(0.0), (self.value + half).min(1.0)]
    }
}

/// The area of these scores, none of which is NaN; neither slice is empty.
pub(crate) fn area(positive: &[f64], negative: &[f64]) -> Area {
    let own = sorted(positive);
    let others = sorted(negative);
    let of_positive = places(positive, &others);
    let of_negative = places(negative, &own);
    let value = of_positive.iter().sum::<f64>() / positive.len() as f64;
    let variance = |places: &[f64]| match places.len() {
        0 | 1 => 0.0,
        count => {
            let mean = places.iter().sum::<f64>() / count as f64;
            let squares: f64 = places.iter().map(|place| (place - mean).powi(2)).sum();
            squares / ((count - 1) as f64 * count as f64)
        }
    };
    Area { value, variance: variance(&of_positive) + variance(&of_negative) }
}

/// Variance of the area where chance alone makes a score positive: that of all exchanges, ties
/// allowed for (Lehmann 1975). Neither slice is empty.
pub(crate) fn chance_variance(positive: &[f64], negative: &[f64]) -> f64 {
    let ranks = ranks(&[positive, negative].concat());
    let (m, n, all) = (positive.len() as f64, negative.len() as f64, ranks.len() as f64);
    let centre = (all + 1.0) / 2.0;
    let squares: f64 = ranks.iter().map(|rank| (rank - centre).powi(2)).sum();
    squares / (all * (all - 1.0)) / (m * n)
}

/// The share of the other scores below each, ties half: what a row gives to the area.
pub(crate) fn area_places(scores: &[f64], others: &[f64]) -> Vec<f64> {
    places(scores, &sorted(others))
}

fn places(scores: &[f64], sorted: &[f64]) -> Vec<f64> {
    let place = |&score: &f64| {
        let below = sorted.partition_point(|&other| other < score);
        let ties = sorted[below..].partition_point(|&other| other <= score);
        (below as f64 + ties as f64 / 2.0) / sorted.len() as f64
    };
    scores.iter().map(place).collect()
}

fn sorted(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_by_chance_is_that_of_all_exchanges() {
        // Without ties (m + n + 1) / (12 m n).
        let apart = chance_variance(&[1.0, 4.0, 6.0], &[2.0, 3.0]);
        assert!((apart - 6.0 / 72.0).abs() < 1e-12, "{apart}");
        // The areas of {1, 1, 2} with one positive are 1/4, 1/4 and 1.
        let tied = chance_variance(&[1.0], &[1.0, 2.0]);
        assert!((tied - 0.125).abs() < 1e-12, "{tied}");
        assert_eq!(chance_variance(&[1.0], &[1.0]), 0.0);
    }
    use meg_core::Seed;
    use rand::Rng as _;

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(area(&[2.0, 3.0], &[0.0, 1.0]).value, 1.0);
        assert_eq!(area(&[1.0, 1.0], &[1.0]).value, 0.5);
        assert_eq!(area(&[0.4, 0.8], &[0.1, 0.4]).value, 0.875);
        assert_eq!(area(&[0.0], &[1.0]).interval(), [0.0, 0.0]);
    }

    #[test]
    fn the_interval_holds_the_truth_19_times_in_20() {
        // Uniform scores: the truth is 0.5.
        let mut rng = Seed(1).stream("scores");
        let mut draw = |count: usize| (0..count).map(|_| rng.random::<f64>()).collect::<Vec<_>>();
        let held = (0..1_000).filter(|_| {
            let [low, high] = area(&draw(60), &draw(90)).interval();
            low <= 0.5 && 0.5 <= high
        });
        let held = held.count();
        assert!((930..=965).contains(&held), "{held}");
    }
}
