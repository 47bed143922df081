//! What a score could have seen: the least share of copied rows that would show at its numbers of
//! rows. A score that sees nothing says little where nothing small could have been seen.

use crate::{numbers::mean_and_sd, significance::Z};
use statrs::distribution::{ContinuousCDF, Normal};

/// The level of the test, one-sided: that of a 95 % interval.
pub(crate) const LEVEL: f64 = 0.025;

/// A leak is to show four times in five: so many deviations.
pub(crate) const POWER: f64 = 0.841_621_233_572_914_3;

/// Steps of the bisection; the share is then known to 1e-9.
const STEPS: usize = 30;

/// Mean and variance of what one row gives to a score that is a mean over rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Law {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Law {
    /// Rows that all give the same.
    pub(crate) const fn certain(value: f64) -> Self {
        Self { mean: value, variance: 0.0 }
    }

    /// Rows of which this share gives 1 and the others 0.
    pub(crate) fn share(share: f64) -> Self {
        Self { mean: share, variance: share * (1.0 - share) }
    }

    /// The same, by Wilson's centre of so many successes: that none of some rows succeeded does not
    /// mean that none can.
    pub(crate) fn successes(successes: f64, rows: usize) -> Self {
        const Z2: f64 = Z * Z;
        Self::share((successes + Z2 / 2.0) / (rows as f64 + Z2))
    }

    /// The law that these values show. They are not empty.
    pub(crate) fn of(values: &[f64]) -> Self {
        let (mean, sd) = mean_and_sd(values);
        Self { mean, variance: sd * sd }
    }

    /// Rows of this law with a share of rows of the other among them.
    fn mixed(self, other: Self, share: f64) -> Self {
        let apart = other.mean - self.mean;
        let variance = (1.0 - share) * self.variance + share * other.variance;
        Self {
            mean: self.mean + share * apart,
            variance: variance + share * (1.0 - share) * apart * apart,
        }
    }
}

/// How many rows are compared, and how often somebody looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Rows among which copies may be, or that copies may be of.
    pub(crate) ours: usize,
    /// Rows that say what is right; `None` where that is known exactly.
    pub(crate) theirs: Option<usize>,
    /// Of how many scores the best is taken: they share the level.
    pub(crate) tests: usize,
}

impl Sizes {
    /// Sizes of one test.
    pub(crate) const fn new(ours: usize, theirs: Option<usize>) -> Self {
        Self { ours, theirs, tests: 1 }
    }
}

/// The least share of our rows that must give what copies give, the others what they give without a
/// leak, for the means of our rows and of theirs to differ visibly: a one-sided test at 2.5 % sees
/// it four times in five. `None` where even all of them would not be enough.
pub(crate) fn least_share(plain: Law, copied: Law, sizes: Sizes) -> Option<f64> {
    let ours = sizes.ours as f64;
    let level = -Normal::standard().inverse_cdf(LEVEL / sizes.tests as f64);
    let shows = |share: f64| {
        let mixed = plain.mixed(copied, share);
        // The test knows the rows of both sides together, as if they were of one law.
        let (without, with) = match sizes.theirs.map(|rows| rows as f64) {
            None => (plain.variance / ours, mixed.variance / ours),
            Some(theirs) => {
                let both = plain.mixed(copied, share * ours / (ours + theirs)).variance;
                let apart = mixed.variance / ours + plain.variance / theirs;
                (both * (1.0 / ours + 1.0 / theirs), apart)
            }
        };
        (mixed.mean - plain.mean).abs() > level * without.sqrt() + POWER * with.sqrt()
    };
    if !shows(1.0) {
        return None;
    }
    let (mut below, mut above) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = (below + above) / 2.0;
        if shows(middle) { above = middle } else { below = middle }
    }
    Some(above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Rng, Seed};
    use rand::Rng as _;

    /// How often the test finds a leak of this share among rows that succeed with this chance.
    fn seen(chance: f64, leak: f64, rows: usize, rng: &mut Rng) -> f64 {
        const TRIES: usize = 2_000;
        let mut successes = |leak: f64| {
            (0..rows).filter(|_| rng.random::<f64>() < leak || rng.random::<f64>() < chance).count()
                as f64
        };
        let found = |_: &usize| {
            let (with, without) = (successes(leak), successes(0.0));
            let share = (with + without) / (2 * rows) as f64;
            let deviation = (share * (1.0 - share) * 2.0 / rows as f64).sqrt();
            (with - without) / rows as f64 > 1.96 * deviation
        };
        (0..TRIES).filter(found).count() as f64 / TRIES as f64
    }

    #[test]
    fn a_leak_of_the_least_size_shows_four_times_in_five() {
        let mut rng = Seed(1).stream("leaks");
        for (chance, rows) in [(0.02, 1_000), (0.3, 400), (0.5, 200)] {
            let sizes = Sizes::new(rows, Some(rows));
            let least = least_share(Law::share(chance), Law::certain(1.0), sizes).unwrap();
            let found = seen(chance, least, rows, &mut rng);
            assert!((0.75..0.87).contains(&found), "{chance}, {rows}: {least} found {found}");
            let none = seen(chance, 0.0, rows, &mut rng);
            assert!((0.015..0.035).contains(&none), "{chance}, {rows}: {none} without a leak");
        }
    }

    #[test]
    fn small_cases_by_hand() {
        // 0.5 against a known half, 2 000 rows of variance 1/4: (1.960 + 0.842) * 0.0112 = 0.0313,
        // and a copy is half a unit away.
        let sizes = Sizes::new(2_000, None);
        let least = least_share(Law::share(0.5), Law::certain(1.0), sizes).unwrap();
        assert!((least - 0.0626).abs() < 2e-4, "{least}");
        // Copies that look like any other row never show.
        assert_eq!(least_share(Law::share(0.5), Law::share(0.5), sizes), None);
        assert_eq!(least_share(Law::certain(0.0), Law::certain(0.0), sizes), None);
        // More rows see less.
        let more = Sizes::new(20_000, None);
        assert!(least_share(Law::share(0.5), Law::certain(1.0), more).unwrap() < least / 3.0);
        // The best of several scores has to be better.
        let several = Sizes { tests: 4, ..sizes };
        let of_several = least_share(Law::share(0.5), Law::certain(1.0), several).unwrap();
        assert!((of_several / least - (2.498 + 0.842) / (1.960 + 0.842)).abs() < 0.01);
    }
}
