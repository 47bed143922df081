//! What a predicate would do among more unseen rows than there are.

use super::risk::{Rate, Z};

/// A share and how sure it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    pub(super) value: f64,
    /// Half-width of the 95 % interval.
    pub(super) half: f64,
}

/// How many of the predicates were fulfilled by none, and by exactly one, of the unseen rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) none: usize,
    pub(super) one: usize,
    pub(super) predicates: usize,
}

impl Counts {
    /// The share of the predicates that exactly one of `times` as many unseen rows would fulfil;
    /// `times` is 1 at least.
    ///
    /// Rows fulfil a predicate as a Poisson law has it, whose mean differs between predicates by a
    /// Gamma law: its two parameters are those that give the shares seen, and the mean grows with
    /// the number of rows. At `times` 1 it is Wilson's interval.
    pub(super) fn singled_out(self, times: f64) -> Estimate {
        if times == 1.0 {
            return Rate { successes: self.one, attacks: self.predicates }.wilson();
        }
        self.estimate(times, |law| law.one * times * law.decline(times) / law.spread(times))
    }

    /// The share of the predicates that none of `times` as many unseen rows would fulfil.
    pub(super) fn unmatched(self, times: f64) -> f64 {
        self.estimate(times, |law| law.none * law.decline(times)).value
    }

    /// By the law of the shares seen; the interval by first-order propagation of their multinomial
    /// covariance. Half a predicate is added to the counts, so that what was not seen is not
    /// impossible; more, as Wilson's centre has it, would count `times` as much.
    fn estimate(self, times: f64, of: impl Fn(Law) -> f64) -> Estimate {
        const STEP: f64 = 1e-4;
        let trials = self.predicates as f64 + 1.0;
        let share = |count: usize| (count as f64 + 0.5) / trials;
        let (none, one) = (share(self.none), share(self.one));
        let law = |none: f64, one: f64| Law::new(none, one, times);
        let value = of(law(none, one));
        // Towards the inside of the triangle of shares, where the law exists.
        let slope_none = (value - of(law(none - STEP, one))) / STEP;
        let slope_one = (value - of(law(none, one - STEP))) / STEP;
        let variance = slope_none * slope_none * none * (1.0 - none)
            + slope_one * slope_one * one * (1.0 - one)
            - 2.0 * slope_none * slope_one * none * one;
        Estimate { value, half: Z * (variance.max(0.0) / trials).sqrt() }
    }
}

/// A mixture of Poisson laws by a Gamma law, by its chances of 0 and 1.
#[derive(Debug, Clone, Copy)]
struct Law {
    none: f64,
    one: f64,
    /// Mean over shape of the Gamma law; 0 is a single Poisson law. Below it the formulas go on, as
    /// chance may have it of shares that were counted.
    scale: f64,
}

impl Law {
    /// For up to `times` as many rows.
    fn new(none: f64, one: f64, times: f64) -> Self {
        // one / none = shape scale / (1 + scale) and -ln none = shape ln(1 + scale); their quotient
        // falls as the scale grows.
        let wanted = one / none / -none.ln();
        let quotient = |logarithm: f64| match logarithm.abs() < 1e-9 {
            true => 1.0,
            false => -(-logarithm).exp_m1() / logarithm,
        };
        let (mut low, mut high) = ((-0.5 / times).ln_1p(), MOST_SCALE.ln_1p());
        if wanted >= quotient(low) {
            return Self { none, one, scale: low.exp_m1() };
        }
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if quotient(middle) > wanted { low = middle } else { high = middle }
        }
        Self { none, one, scale: high.exp_m1() }
    }

    /// What the chance of none is multiplied by where there are so many times as many rows.
    fn decline(self, times: f64) -> f64 {
        let growth = match self.scale.abs() < 1e-9 {
            true => times - 1.0,
            false => self.spread(times).ln() / self.scale.ln_1p(),
        };
        self.none.powf(growth)
    }

    fn spread(self, times: f64) -> f64 {
        (1.0 + self.scale * times) / (1.0 + self.scale)
    }
}

const MOST_SCALE: f64 = 1e9;

/// Steps of the bisection; the logarithm is then known to twelve digits.
const STEPS: usize = 45;

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    /// Chances of 0 and 1 of a Gamma-Poisson law.
    fn chances(shape: f64, mean: f64) -> (f64, f64) {
        let scale = mean / shape;
        let none = (1.0 + scale).powf(-shape);
        (none, mean / (1.0 + scale) * none)
    }

    #[test]
    fn the_law_is_found_again() {
        const MANY: usize = 1_000_000_000;
        for (shape, mean) in [(0.3, 0.5), (1.0, 0.2), (1.0, 2.0), (8.0, 0.7)] {
            let (none, one) = chances(shape, mean);
            let count = |chance: f64| (chance * MANY as f64).round() as usize;
            let counts = Counts { none: count(none), one: count(one), predicates: MANY };
            for times in [1.5, 4.0, 20.0] {
                let (none, one) = chances(shape, mean * times);
                let found = counts.singled_out(times);
                assert!((found.value - one).abs() < 1e-5, "{shape}, {mean}: {found:?} {one}");
                assert!((counts.unmatched(times) - none).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn one_time_as_many_rows_is_wilsons_interval() {
        let counts = Counts { none: 300, one: 40, predicates: 500 };
        let Estimate { value, half } = Rate { successes: 40, attacks: 500 }.wilson();
        let same = counts.singled_out(1.0);
        assert_eq!((same.value, same.half), (value, half));
        let near = counts.singled_out(1.000_001);
        assert!((near.value - value).abs() < 4e-3 && (near.half - half).abs() < 2e-3, "{near:?}");
    }

    #[test]
    fn the_interval_holds_the_chance_nineteen_times_in_twenty() {
        let mut rng = Seed(1).stream("counts");
        for (shape, mean) in [(0.5, 0.1), (1.0, 0.5), (4.0, 0.2)] {
            let ((none, one), (_, want)) = (chances(shape, mean), chances(shape, 4.0 * mean));
            let held = (0..400)
                .filter(|_| {
                    let mut counts = Counts { predicates: 500, ..Counts::default() };
                    for _ in 0..500 {
                        let drawn: f64 = rng.random();
                        counts.none += usize::from(drawn < none);
                        counts.one += usize::from((none..none + one).contains(&drawn));
                    }
                    let found = counts.singled_out(4.0);
                    (found.value - want).abs() < found.half
                })
                .count();
            assert!((370..396).contains(&held), "{shape}, {mean}: {held}");
        }
    }

    #[test]
    fn counts_at_the_edges_give_chances() {
        let all = [0, 1, 499, 500];
        for (none, one) in all.iter().flat_map(|&none| all.map(|one| (none, one))) {
            if none + one > 500 {
                continue;
            }
            let counts = Counts { none, one, predicates: 500 };
            for times in [1.0, 1.2, 4.0, 1e3] {
                let found = counts.singled_out(times);
                assert!((0.0..=1.0).contains(&found.value), "{counts:?} {times}: {found:?}");
                assert!(found.half.is_finite(), "{counts:?} {times}: {found:?}");
                assert!((0.0..=1.0).contains(&counts.unmatched(times)));
            }
        }
    }
}
