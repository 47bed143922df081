//! How surprising a score would be if the synthetic rows told no more of the training rows than
//! unseen rows do: one-sided p-values. And how sure a share is.

use statrs::distribution::{ContinuousCDF, DiscreteCDF, Hypergeometric, Normal};

/// Half-width of a 95 % interval in standard deviations.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval of a share; both numbers may be broken, and the second is above 0.
pub(crate) fn wilson(successes: f64, attempts: f64) -> [f64; 2] {
    let (k, n) = (successes, attempts);
    let centre = (k + Z * Z / 2.0) / (n + Z * Z);
    let half = Z / (n + Z * Z) * (k * (n - k) / n + Z * Z / 4.0).max(0.0).sqrt();
    // Rounding may not put the share itself outside.
    [(centre - half).clamp(0.0, k / n), (centre + half).clamp(k / n, 1.0)]
}

/// The chance of a standard normal number above this one.
pub(crate) fn above(deviations: f64) -> f64 {
    Normal::standard().sf(deviations)
}

/// Fisher's exact test: the chance of at least so many successes on our side, if the successes of
/// both sides are spread over them at random. Each side is (successes, attempts).
pub(crate) fn more_successes(ours: (usize, usize), theirs: (usize, usize)) -> f64 {
    let (successes, attempts) = (ours.0 + theirs.0, ours.1 + theirs.1);
    match ours.0 {
        0 => 1.0,
        least => cut(law(attempts, successes, ours.1).sf(least as u64 - 1)),
    }
}

/// The chance of at least as many of our values below the one at this place (1 is the least) of
/// theirs, if all are of one law: exact without ties, and cautious with them.
pub(crate) fn more_below(ours: &[f64], theirs: &[f64], place: usize) -> f64 {
    let mut sorted = theirs.to_vec();
    let limit = *sorted.select_nth_unstable_by(place - 1, f64::total_cmp).1;
    match ours.iter().filter(|&&value| value < limit).count() {
        0 => 1.0,
        // So many of ours are below if at most `place - 1` of theirs are among as many first values.
        below => {
            let first = below + place - 1;
            cut(law(ours.len() + theirs.len(), theirs.len(), first).cdf(place as u64 - 1))
        }
    }
}

/// The same of the quantile at this level of theirs.
pub(crate) fn more_below_level(ours: &[f64], theirs: &[f64], level: f64) -> f64 {
    let place = (level * theirs.len() as f64).ceil() as usize;
    more_below(ours, theirs, place.clamp(1, theirs.len()))
}

/// The chance of a mean as small as ours if both sides are of one law, by the normal law of the
/// difference with their common variance. Neither side is empty.
pub(crate) fn smaller_mean(ours: &[f64], theirs: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let apart = mean(theirs) - mean(ours);
    let both = ours.iter().chain(theirs);
    let centre = both.clone().sum::<f64>() / (ours.len() + theirs.len()) as f64;
    let squares: f64 = both.map(|value| (value - centre).powi(2)).sum();
    let variance = squares / (ours.len() + theirs.len()) as f64;
    let rows = 1.0 / ours.len() as f64 + 1.0 / theirs.len() as f64;
    match variance > 0.0 {
        true => above(apart / (variance * rows).sqrt()),
        false => 1.0,
    }
}

/// Sums of chances end a rounding beside 1.
fn cut(chance: f64) -> f64 {
    chance.clamp(0.0, 1.0)
}

fn law(all: usize, marked: usize, drawn: usize) -> Hypergeometric {
    Hypergeometric::new(all as u64, marked as u64, drawn as u64)
        .expect("no more are marked or drawn than there are")
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Rng, Seed};
    use rand::Rng as _;

    #[test]
    fn values_of_scipy() {
        // scipy.stats.fisher_exact([[8, 2], [1, 5]], alternative="greater"): 0.024475524475524483
        assert!((more_successes((8, 10), (1, 6)) - 0.024_475_524_475_524_48).abs() < 1e-12);
        // All orders of two of ours and one of theirs: both of ours come first in one of three.
        assert!((more_below(&[1.0, 2.0], &[3.0], 1) - 1.0 / 3.0).abs() < 1e-12);
        assert!((more_below(&[1.0, 4.0], &[3.0], 1) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(more_below(&[4.0], &[3.0], 1), 1.0);
        let (many, far): (Vec<f64>, Vec<f64>) =
            ((0..5_000).map(f64::from).collect(), vec![1.5; 5_000]);
        let p_value = more_below_level(&many, &far, 0.5);
        assert!(p_value <= 1.0 && p_value > 0.999_999, "{p_value}");
        assert!((above(Z) - 0.025).abs() < 1e-9);
    }

    #[test]
    fn ties_and_constants_are_no_leak() {
        assert_eq!(more_below(&[0.0; 9], &[0.0; 5], 3), 1.0);
        assert_eq!(smaller_mean(&[0.5; 9], &[0.5; 5]), 1.0);
        assert_eq!(more_successes((0, 9), (0, 5)), 1.0);
        assert_eq!(more_successes((9, 9), (5, 5)), 1.0);
    }

    /// Samples of one law are surprising as often as the level says, and not those of many ties.
    #[test]
    fn chance_is_surprising_once_in_forty() {
        const TABLES: usize = 2_000;
        let mut rng = Seed(1).stream("samples");
        let mut found = [0; 4];
        for _ in 0..TABLES {
            let mut draw = |rows: usize, steps: f64| -> Vec<f64> {
                (0..rows).map(|_| (rng.random::<f64>() * steps).floor() / steps).collect()
            };
            let (ours, theirs) = (draw(300, 1e9), draw(150, 1e9));
            let tied = (draw(300, 4.0), draw(150, 4.0));
            let successes = |values: &[f64]| values.iter().filter(|own| **own < 0.3).count();
            let fisher = more_successes((successes(&ours), 300), (successes(&theirs), 150));
            let all = [
                more_below_level(&ours, &theirs, 0.05),
                smaller_mean(&ours, &theirs),
                fisher,
                more_below_level(&tied.0, &tied.1, 0.5),
            ];
            all.iter().zip(&mut found).for_each(|(p, found)| *found += usize::from(*p <= 0.025));
        }
        // 50 are expected, with a deviation of 7; counts are discrete.
        let [below, mean, fisher, tied] = found;
        assert!((25..72).contains(&below) && (30..72).contains(&mean), "{found:?}");
        assert!((18..72).contains(&fisher) && tied < 60, "{found:?}");
    }

    #[test]
    fn a_twentieth_of_copies_is_found() {
        let mut rng: Rng = Seed(2).stream("samples");
        let mut draw = |rows: usize| -> Vec<f64> { (0..rows).map(|_| rng.random()).collect() };
        let (mut ours, theirs) = (draw(1_000), draw(1_000));
        ours[..50].fill(0.0);
        assert!(more_below_level(&ours, &theirs, 0.05) < 0.01);
        assert!(smaller_mean(&ours, &theirs) < 0.2);
    }
}
