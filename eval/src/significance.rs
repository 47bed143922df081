//! How surprising a score would be if the synthetic rows told no more of the training rows than
//! unseen rows do: one-sided p-values. And how sure a share is.

use crate::tables::shuffle_front;
use meg_core::Seed;
use statrs::distribution::{ContinuousCDF, Discrete, DiscreteCDF, Hypergeometric, Normal};

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

/// The chance of at least as many of our values among the lowest of both sides, if all are of one law:
/// Fisher's exact test at the quantile of this level of both together (Mood 1954), ties and all.
pub(crate) fn more_below_level(ours: &[f64], theirs: &[f64], level: f64) -> f64 {
    let Some(cut) = Cut::of([ours, theirs].concat(), level) else { return 1.0 };
    let counts = |values: &[f64]| (cut.count(values), values.len());
    more_successes(counts(ours), counts(theirs))
}

/// Where values are cut into low ones and others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    limit: f64,
    /// Whether the limit itself is low.
    with: bool,
}

impl Cut {
    /// The cut that makes a share of the values low that is nearest to the level; `None` where any
    /// would make none or all of them low.
    pub(crate) fn of(mut values: Vec<f64>, level: f64) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let wanted = level * values.len() as f64;
        let limit = *values.get((wanted.ceil() as usize).max(1) - 1)?;
        let cuts = [false, true].map(|with| Self { limit, with });
        let counted = cuts.into_iter().map(|cut| (cut.count(&values), cut));
        let proper = counted.filter(|(count, _)| (1..values.len()).contains(count));
        let far = |count: usize| (count as f64 - wanted).abs();
        proper.min_by(|a, b| far(a.0).total_cmp(&far(b.0))).map(|(_, cut)| cut)
    }

    /// How many of these are low.
    pub(crate) fn count(&self, values: &[f64]) -> usize {
        values.iter().filter(|&&value| self.is_low(value)).count()
    }

    pub(crate) fn is_low(&self, value: f64) -> bool {
        value < self.limit || (self.with && value == self.limit)
    }
}

/// Rows of the smaller side up to which a mean is compared with exchanges: the normal law is wrong
/// where few rows are of a skewed law.
const MOST_EXCHANGED: usize = 400;

/// Random exchanges of rows of both sides.
const EXCHANGES: usize = 20_000;

/// The chance of a mean as small as ours if both sides are of one law: by random exchanges, or, with
/// more than 400 rows on either side, by the normal law of the difference with their common
/// variance. Neither side is empty.
pub(crate) fn smaller_mean(ours: &[f64], theirs: &[f64], seed: Seed) -> f64 {
    let rows = ours.len().min(theirs.len());
    let mut both = [ours, theirs].concat();
    if rows > MOST_EXCHANGED {
        return smaller_mean_of_many(ours, theirs, &both);
    }
    let sum = |values: &[f64]| values.iter().sum::<f64>();
    // Sums in another order end a rounding apart.
    let slack = 1e-9 * both.iter().map(|value| value.abs()).sum::<f64>() / both.len() as f64;
    let ours_drawn = ours.len() == rows;
    let found = if ours_drawn { sum(ours) } else { sum(theirs) };
    let mut rng = seed.stream("exchanges of a mean");
    let as_far = (0..EXCHANGES).filter(|_| {
        shuffle_front(&mut both, rows, &mut rng);
        let drawn = sum(&both[..rows]);
        if ours_drawn { drawn <= found + slack } else { drawn >= found - slack }
    });
    (as_far.count() + 1) as f64 / (EXCHANGES + 1) as f64
}

fn smaller_mean_of_many(ours: &[f64], theirs: &[f64], both: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let centre = mean(both);
    let squares: f64 = both.iter().map(|value| (value - centre).powi(2)).sum();
    let variance = squares / both.len() as f64;
    let rows = 1.0 / ours.len() as f64 + 1.0 / theirs.len() as f64;
    match variance > 0.0 {
        true => above((mean(theirs) - mean(ours)) / (variance * rows).sqrt()),
        false => 1.0,
    }
}

/// The chance of at least so many hits where each of these many draws hits or misses, `weights` at a
/// time: of all rows, of which `marked` are hits, one row for each weight is drawn, none twice.
pub(crate) fn more_hits(weights: &[usize], found: usize, (marked, all): (usize, usize)) -> f64 {
    let (rows, most) = (weights.len(), weights.iter().sum::<usize>());
    // By the number of rows that are hits, how many choices of them give each sum.
    let mut choices = vec![vec![0.0_f64; most + 1]; rows + 1];
    choices[0][0] = 1.0;
    let mut reached = 0;
    for (before, weight) in weights.iter().enumerate() {
        reached += weight;
        for hits in (0..=before).rev() {
            for sum in (*weight..=reached).rev() {
                choices[hits + 1][sum] += choices[hits][sum - weight];
            }
        }
    }
    let law = law(all, marked, rows);
    let chance = |hits: usize| {
        let every: f64 = choices[hits].iter().sum();
        let enough: f64 =
            choices[hits][found.min(most + 1).min(choices[hits].len())..].iter().sum();
        law.ln_pmf(hits as u64).exp() * enough / every
    };
    cut((0..=rows).map(chance).sum())
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
    use meg_core::Rng;
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
        assert_eq!(smaller_mean(&[0.5; 9], &[0.5; 5], Seed(1)), 1.0);
        assert_eq!(smaller_mean(&[0.5; 900], &[0.5; 500], Seed(1)), 1.0);
        assert_eq!(more_below_level(&[0.0; 9], &[0.0; 5], 0.05), 1.0);
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
                smaller_mean_of_many(&ours, &theirs, &[&ours[..], &theirs].concat()),
                fisher,
                more_below_level(&tied.0, &tied.1, 0.5),
            ];
            all.iter().zip(&mut found).for_each(|(p, found)| *found += usize::from(*p <= 0.025));
        }
        // 50 are expected of the mean, with a deviation of 7, and fewer of small counts, whose
        // p-values are few.
        let [below, mean, fisher, tied] = found;
        assert!((5..60).contains(&below) && (30..72).contains(&mean), "{found:?}");
        assert!((15..60).contains(&fisher) && (15..60).contains(&tied), "{found:?}");
    }

    /// One far row beside many equal ones: a normal law would be sure of a leak.
    #[test]
    fn few_rows_of_a_skewed_law_are_exchanged() {
        let p_value = smaller_mean(&[0.1; 99], &[0.9], Seed(1));
        assert!((p_value - 0.01).abs() < 0.003, "{p_value}");
        let p_value = smaller_mean(&[0.9], &[0.1; 99], Seed(1));
        assert!(p_value > 0.99, "{p_value}");
        let mut rng = Seed(3).stream("skewed");
        let found = (0..200).filter(|_| {
            let mut draw = |rows: usize| -> Vec<f64> {
                (0..rows).map(|_| (2.0 * rng.random::<f64>().ln().abs()).exp()).collect()
            };
            let (ours, theirs) = (draw(200), draw(20));
            smaller_mean(&ours, &theirs, Seed(1)) <= 0.05
        });
        let found = found.count();
        assert!((3..=19).contains(&found), "{found}");
    }

    #[test]
    fn half_of_the_rows_copied_shows_where_values_tie() {
        let mut rng = Seed(4).stream("ties");
        let mut draw = || -> Vec<f64> {
            (0..1_000).map(|_| (rng.random::<f64>() * 8.0).ceil() / 8.0).collect()
        };
        let (mut ours, mut theirs) = (draw(), draw());
        theirs[..20].fill(0.0);
        ours[..500].fill(0.0);
        for level in [0.02, 0.05, 0.5] {
            assert!(more_below_level(&ours, &theirs, level) < 1e-9, "{level}");
            assert!(more_below_level(&theirs, &ours, level) > 0.5, "{level}");
        }
    }

    #[test]
    fn hits_are_counted_out() {
        // Single hits are drawn as Fisher has it.
        let single = more_hits(&[1; 12], 9, (30, 50));
        let fisher = law(50, 30, 12).sf(8);
        assert!((single - fisher).abs() < 1e-12, "{single} {fisher}");
        // Of {2, 1}, of 4 rows 2 marked: both hit in 1 of 6 choices, the first alone in 2 of 6.
        assert!((more_hits(&[2, 1], 2, (2, 4)) - 0.5).abs() < 1e-12);
        assert!((more_hits(&[2, 1], 3, (2, 4)) - 1.0 / 6.0).abs() < 1e-12);
        assert!((more_hits(&[2, 1], 0, (2, 4)) - 1.0).abs() < 1e-12);
        // A copy: as unlikely as all rows being hits.
        assert!(more_hits(&[1; 200], 200, (1_000, 2_000)) < 1e-60);
        let middle = more_hits(&[1; 500], 250, (5_000, 10_000));
        assert!((0.45..0.55).contains(&middle), "{middle}");
        assert!(more_hits(&[3; 160], 240, (300_000, 1_000_000)) < 1e-6);
    }

    #[test]
    fn a_twentieth_of_copies_is_found() {
        let mut rng: Rng = Seed(2).stream("samples");
        let mut draw = |rows: usize| -> Vec<f64> { (0..rows).map(|_| rng.random()).collect() };
        let (mut ours, theirs) = (draw(1_000), draw(1_000));
        ours[..50].fill(0.0);
        assert!(more_below_level(&ours, &theirs, 0.05) < 0.01);
        assert!(smaller_mean(&ours, &theirs, Seed(1)) < 0.2);
    }
}
