//! Indicators of copying: how near synthetic rows come to training rows, beside how near real rows
//! that were never seen come to them. They can show a leak; they cannot prove that there is none.

mod dcr;
mod distances;
mod euclid;
mod exchanged;
mod identical;
mod k_map;
mod new_rows;
mod nndr;
mod obfuscation;
mod tail;

use crate::{
    Comparison, Group, Metric, Score,
    numbers::{mean_and_sd, quantile},
    power::{Law, Sizes, least_share},
    score::{Gap, Goal, Kind, Reading},
    significance::{Cut, Z},
};
use distances::{Distances, Limits, Nearest};
pub(crate) use euclid::Euclid;
pub(crate) use k_map::KMap;
pub(crate) use new_rows::NewRows;
pub(crate) use obfuscation::Obfuscation;

/// All indicators that come from the distances to the nearest rows, which are computed once.
#[derive(Debug)]
pub(crate) struct NearestRows;

type Interval = fn(&Distances) -> Option<[f64; 2]>;
type Chance = fn(&Distances, &Nearest) -> Option<f64>;

/// An indicator: name and range, its value, the same for holdout rows, and what it could have seen.
struct Indicator {
    kind: Kind,
    value: fn(&Distances) -> Result<f64, Gap>,
    reference: fn(&Distances) -> Option<f64>,
    /// 95 % interval of the value, by the synthetic rows.
    interval: Option<Interval>,
    /// What it says of leaks; none where near rows may move the score either way.
    test: Option<Test>,
}

/// What an indicator says of leaks, beside the distances of holdout rows.
struct Test {
    /// How often synthetic rows would be as near by chance.
    p_value: Chance,
    /// The least share of copies that would show.
    least: Chance,
}

/// Unseen rows beside which something can be said of leaks, at least.
const LEAST_UNSEEN: usize = 20;

const INDICATORS: [Indicator; 10] = [
    dcr::MEDIAN,
    dcr::FIVE_PERCENT,
    dcr::MEAN,
    dcr::SD,
    dcr::SHARE,
    identical::IDENTICAL,
    identical::EXCESS,
    nndr::FIVE_PERCENT,
    nndr::MEDIAN,
    tail::LEAK,
];

impl Metric for NearestRows {
    fn name(&self) -> &'static str {
        INDICATORS[0].kind.name
    }

    fn names(&self) -> Vec<&'static str> {
        INDICATORS.iter().map(|indicator| indicator.kind.name).collect()
    }

    fn group(&self) -> Group {
        Group::Privacy
    }

    fn about(&self) -> &'static str {
        "How near synthetic rows come to training rows (Gower's distance), beside how near unseen real rows come to them."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let distances = Distances::new(comparison, Limits::USUAL);
        let score = |indicator: &Indicator| match &distances {
            Ok(distances) => {
                let rows = distances.synthetic.first.len();
                let note = distances.note();
                let reading =
                    Reading::new((indicator.value)(distances), comparison.train.rows(), rows);
                let interval = indicator.interval.and_then(|interval| interval(distances));
                let score = Score::new(&indicator.kind, &[], reading.note(note).interval(interval))
                    .with_reference((indicator.reference)(distances));
                let holdout = distances.holdout_sample();
                let holdout = holdout.filter(|holdout| holdout.first.len() >= LEAST_UNSEEN);
                match indicator.test.as_ref().zip(holdout) {
                    Some((test, holdout)) => score
                        .with_p_value((test.p_value)(distances, &holdout))
                        .with_least_leak((test.least)(distances, &holdout)),
                    None => score,
                }
            }
            Err(gap) => {
                let reading = Reading::new(Err(gap.clone()), comparison.train.rows(), 0);
                Score::new(&indicator.kind, &[], reading)
            }
        };
        INDICATORS.iter().map(score).collect()
    }
}

/// An indicator for which the holdout rows say what is right.
const fn kind(name: &'static str, least: f64, most: f64) -> Kind {
    Kind { name, goal: Goal::Reference, range: [Some(least), Some(most)] }
}

/// The share of the values for which it holds.
fn share(values: &[f64], holds: impl Fn(f64) -> bool) -> f64 {
    values.iter().filter(|&&value| holds(value)).count() as f64 / values.len() as f64
}

/// The least share of copies that would show as too many rows below the cut of this level: see
/// [`more_below_level`](crate::significance::more_below_level). `low` is the chance that a copy is at 0.
/// `None` where no cut parts the holdout rows.
fn least_below(holdout: &[f64], level: f64, low: f64, ours: usize) -> Option<f64> {
    let cut = Cut::of(holdout.to_vec(), level).filter(|cut| cut.is_low(0.0))?;
    let plain = cut.count(holdout) as f64 / holdout.len() as f64;
    let sizes = Sizes::new(ours, Some(holdout.len()));
    least_share(Law::share(plain), Law::share(low), sizes)
}

/// The 95 % interval of a quantile: the values between whose places it lies so often (a binomial law,
/// by the normal one).
fn interval_of_quantile(values: &[f64], level: f64) -> Option<[f64; 2]> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rows = sorted.len() as f64;
    let half = Z * (rows * level * (1.0 - level)).sqrt();
    let last = sorted.len().checked_sub(1)?;
    let at = |place: f64| sorted[(place.max(0.0) as usize).min(last)];
    Some([at((rows * level - half).floor() - 1.0), at((rows * level + half).ceil())])
}

/// The 95 % interval of a mean of distances by the normal law, none of one value.
fn interval_of_mean(values: &[f64]) -> Option<[f64; 2]> {
    let (mean, sd) = mean_and_sd(values);
    let half = Z * sd / (values.len() as f64).sqrt();
    (values.len() > 1).then_some([(mean - half).max(0.0), mean + half])
}

/// The same of the mean of distances, of which copies have 0.
fn least_in_mean(holdout: &[f64], ours: usize) -> Option<f64> {
    least_share(Law::of(holdout), Law::certain(0.0), Sizes::new(ours, Some(holdout.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::significance::more_below_level;
    use meg_core::Seed;
    use rand::Rng as _;

    /// Of distances apart and of those of a table of few categories.
    #[test]
    fn the_least_leak_below_a_quantile_shows_four_times_in_five() {
        const TABLES: usize = 300;
        for (steps, level) in [(1e9, 0.05), (1e9, 0.5), (8.0, 0.05), (8.0, 0.5)] {
            let mut rng = Seed(5).stream("leaks");
            let mut draw = |rows: usize| -> Vec<f64> {
                (0..rows).map(|_| (rng.random::<f64>() * steps).ceil() / steps).collect()
            };
            let least = least_below(&draw(1_000), level, 1.0, 1_000).unwrap();
            let copies = |share: f64| (share * 1_000.0).round() as usize;
            let found = (0..TABLES).filter(|_| {
                let (mut ours, theirs) = (draw(1_000), draw(1_000));
                ours[..copies(least)].fill(0.0);
                more_below_level(&ours, &theirs, level) <= 0.025
            });
            let found = found.count() as f64 / TABLES as f64;
            // Copies at 0 part tied rows where there was no place before: they may show earlier.
            let most = if steps > 8.0 { 0.96 } else { 1.0 };
            assert!((0.7..=most).contains(&found), "{steps}, {level}: {least} found {found}");
        }
    }

    #[test]
    fn intervals_hold_the_truth_nineteen_times_in_twenty() {
        const TABLES: usize = 1_000;
        let mut rng = Seed(1).stream("values");
        let mut held = [0; 3];
        for _ in 0..TABLES {
            let values: Vec<f64> = (0..200).map(|_| rng.random()).collect();
            let of = |level| interval_of_quantile(&values, level).unwrap();
            let all = [(of(0.05), 0.05), (of(0.5), 0.5), (interval_of_mean(&values).unwrap(), 0.5)];
            for (held, ([low, high], truth)) in held.iter_mut().zip(all) {
                *held += usize::from((low..=high).contains(&truth));
            }
        }
        // Places are whole numbers, so that a quantile's interval is a little wide.
        assert!(held.iter().all(|held| (930..990).contains(held)), "{held:?}");
        assert_eq!(interval_of_quantile(&[0.5], 0.5), Some([0.5, 0.5]));
        assert_eq!(interval_of_mean(&[0.5]), None);
    }
}
