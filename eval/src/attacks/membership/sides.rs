use crate::{
    learners::{area, chance_variance},
    score::Gap,
    significance::{above, more_below},
};
use statrs::distribution::{Beta, ContinuousCDF};

/// Rows of either side for a rate of 1 in 100 and of 1 in 1 000.
const LEAST_FOR_RATES: [usize; 2] = [200, 1_000];

/// Shares of the unseen rows above the limit.
pub(super) const FALSE_SHARES: [f64; 2] = [0.01, 0.001];

/// Scores of members and of unseen rows.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    pub(super) members: Vec<f64>,
    pub(super) others: Vec<f64>,
}

impl Sides {
    /// The share that must be copied for the limits of both rates to part, at the threshold that suits
    /// best. Hits are taken one tenth of the way down their law, false hits one tenth from its
    /// top: the threshold that looks best on the other half of the rows is not quite the best.
    pub(super) fn least_for_epsilon(&self, planted: &[f64], attacks: usize) -> Option<f64> {
        let alpha = ALPHA / 4.0 / attacks as f64;
        let (members, others) = (self.members.len() / 2, self.others.len() / 2);
        let told = |chance: f64| {
            let limit = limit(&self.others, chance);
            let told = planted.iter().filter(|&&score| score > limit).count();
            told as f64 / planted.len() as f64
        };
        let refutes = |share: f64, (chance, told): (f64, f64)| {
            let hit = chance + share * (told - chance);
            let expected = members as f64 * hit;
            let hits = (expected - 1.282 * (expected * (1.0 - hit)).sqrt()).max(0.0) as usize;
            let expected = others as f64 * chance;
            let false_hits = expected + 1.282 * (expected * (1.0 - chance)).sqrt();
            let false_hits = (false_hits.ceil() as usize).min(others);
            lower(hits, members, alpha) > upper(false_hits, others, alpha)
        };
        let shares = || (1..=1_000).map(|step| f64::from(step) / 1_000.0);
        let least = |chance: f64| {
            let told = told(chance);
            shares().find(|&share| refutes(share, (chance, told)))
        };
        [0.002, 0.01, 0.05].into_iter().filter_map(least).min_by(f64::total_cmp)
    }

    /// The share of members above the score that the given share of unseen rows exceeds.
    pub(super) fn rate(&self, at: usize) -> Result<f64, Gap> {
        let (least, false_share) = (LEAST_FOR_RATES[at], FALSE_SHARES[at]);
        let rows = self.members.len().min(self.others.len());
        if rows < least {
            return Err(Gap::undefined(format!("{rows} rows of a side; {least} are needed")));
        }
        let limit = limit(&self.others, false_share);
        let above = self.members.iter().filter(|&&score| score > limit).count();
        Ok(above as f64 / self.members.len() as f64)
    }

    /// How often chance gives the area as much.
    pub(super) fn area_p_value(&self) -> f64 {
        let apart = area(&self.members, &self.others).value - 0.5;
        let variance = chance_variance(&self.members, &self.others);
        if variance > 0.0 { above(apart / variance.sqrt()) } else { 1.0 }
    }

    /// How often chance puts as many members above the limit of [`Self::rate`].
    pub(super) fn rate_p_value(&self, at: usize) -> f64 {
        let turned = |scores: &[f64]| -> Vec<f64> { scores.iter().map(|score| -score).collect() };
        let place = place(self.others.len(), FALSE_SHARES[at]);
        more_below(&turned(&self.members), &turned(&self.others), place + 1)
    }

    /// `ln(TPR / FPR)` at the threshold that looks best on even rows, from Clopper and Pearson's
    /// limits on odd rows, or the same of the rates of being below; never below 0. The confidence
    /// is shared among the attacks, of which the largest is taken.
    pub(super) fn epsilon(&self, attacks: usize) -> Result<Refuted, Gap> {
        let half = |scores: &[f64], parity: usize| -> Vec<f64> {
            scores.iter().skip(parity).step_by(2).copied().collect()
        };
        let chosen = [half(&self.members, 0), half(&self.others, 0)];
        let tested = [half(&self.members, 1), half(&self.others, 1)];
        let above =
            |scores: &[f64], limit: f64| scores.iter().filter(|&&score| score > limit).count();
        let mut limits: Vec<f64> = chosen.concat();
        limits.sort_unstable_by(f64::total_cmp);
        // Every hundredth score is as good a threshold as any.
        let step = (limits.len() / 100).max(1);
        let bound = |scores: &[Vec<f64>; 2], limit: f64, alpha: f64| {
            let [hits, false_hits] = [0, 1].map(|side| above(&scores[side], limit));
            let [members, others] = [0, 1].map(|side| scores[side].len());
            let over = lower(hits, members, alpha) / upper(false_hits, others, alpha);
            let under =
                lower(others - false_hits, others, alpha) / upper(members - hits, members, alpha);
            over.max(under)
        };
        let alpha = ALPHA / 2.0 / attacks as f64;
        let limit = limits
            .iter()
            .step_by(step)
            .map(|&limit| (bound(&chosen, limit, alpha), limit))
            .reduce(|best, other| if other.0 > best.0 { other } else { best })
            .ok_or_else(|| Gap::undefined("there are no rows"))?
            .1;
        // Which of the two directions is tested was not fixed before, so it costs half again.
        let refuted = |alpha: f64| bound(&tested, limit, alpha / 4.0 / attacks as f64) > 1.0;
        let (mut low, mut high) = (LEAST_P.ln(), 0.0);
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if refuted(middle.exp()) { high = middle } else { low = middle }
        }
        Ok(Refuted {
            epsilon: bound(&tested, limit, alpha / 2.0).ln().max(0.0),
            p_value: high.exp(),
        })
    }
}

/// What the attacks refute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refuted {
    /// The differential privacy that is refuted with 95 % confidence.
    pub(super) epsilon: f64,
    /// The least level at which more than 0 is refuted.
    pub(super) p_value: f64,
}

/// The level of the limits.
const ALPHA: f64 = 0.05;

/// No level below is looked for.
const LEAST_P: f64 = 1e-12;

/// Steps of the bisection for the level.
const STEPS: usize = 30;

/// The score that this share of the others exceeds.
pub(super) fn limit(others: &[f64], share: f64) -> f64 {
    let mut others = others.to_vec();
    let place = place(others.len(), share);
    *others.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1
}

/// The share of members above [`limit`] on average where they are like so many others: each of them
/// falls into any of the gaps between these equally often.
pub(super) fn share_above_limit(others: usize, share: f64) -> f64 {
    (place(others, share) + 1) as f64 / (others + 1) as f64
}

/// How many of the others lie above the limit.
fn place(others: usize, share: f64) -> usize {
    (share * others as f64).floor() as usize
}

/// Clopper and Pearson's lower limit of a share.
fn lower(successes: usize, of: usize, alpha: f64) -> f64 {
    match successes {
        0 => 0.0,
        _ => beta(successes as f64, (of - successes) as f64 + 1.0, alpha),
    }
}

/// Clopper and Pearson's upper limit of a share.
fn upper(successes: usize, of: usize, alpha: f64) -> f64 {
    match successes == of {
        true => 1.0,
        false => beta(successes as f64 + 1.0, (of - successes) as f64, 1.0 - alpha),
    }
}

fn beta(a: f64, b: f64, share: f64) -> f64 {
    let law = Beta::new(a, b).expect("both parameters are counts of 1 at least");
    law.inverse_cdf(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members that are like the others exceed the limit a little more often than the share that
    /// names it, the more so the fewer rows there are.
    #[test]
    fn members_like_others_exceed_the_limit_as_often_as_expected() {
        use rand::Rng as _;
        let mut rng = meg_core::Seed(4).stream("sides");
        for (others, share, expected) in
            [(200, 0.01, 3.0 / 201.0), (1_000, 0.001, 2.0 / 1_001.0), (999, 0.001, 1.0 / 1_000.0)]
        {
            assert!((share_above_limit(others, share) - expected).abs() < 1e-12);
            // Of a uniform law the chance of one more is what lies above the limit.
            let games = 4_000;
            let above = (0..games).map(|_| {
                let others: Vec<f64> = (0..others).map(|_| rng.random()).collect();
                1.0 - limit(&others, share)
            });
            let mean = above.sum::<f64>() / f64::from(games);
            assert!((mean / expected - 1.0).abs() < 0.07, "{others}: {mean}, not {expected}");
        }
    }

    #[test]
    fn limits_of_shares() {
        // scipy.stats.binomtest(10, 100).proportion_ci(): 0.04900469, 0.17622260
        assert!((lower(10, 100, 0.025) - 0.049_004_69).abs() < 1e-7);
        assert!((upper(10, 100, 0.025) - 0.176_222_60).abs() < 1e-7);
        assert_eq!((lower(0, 9, 0.1), upper(9, 9, 0.1)), (0.0, 1.0));
    }

    #[test]
    fn a_leak_of_one_in_twenty_refutes_small_epsilons_only() {
        let others: Vec<f64> = (0..2_000).map(|row| f64::from(row) / 2_000.0).collect();
        let mut members = others.clone();
        let nothing = Sides { members: members.clone(), others: others.clone() };
        let found = nothing.epsilon(4).unwrap();
        assert!(found.epsilon == 0.0 && found.p_value > 0.05, "{found:?}");
        (0..100).for_each(|leaked| members[leaked * 20 + leaked % 2] = 2.0);
        let leak = Sides { members, others };
        let found = leak.epsilon(4).unwrap();
        assert!(found.epsilon > 0.5 && found.epsilon < 4.0 && found.p_value < 1e-3, "{found:?}");
        assert!(leak.area_p_value() < 0.01 && leak.rate_p_value(0) < 1e-6);
        assert!(nothing.area_p_value() == 0.5 && nothing.rate_p_value(0) > 0.3);
        assert!((leak.rate(0).unwrap() - 0.06).abs() < 0.005);
    }

    #[test]
    fn few_rows_have_no_rates() {
        let sides = Sides { members: vec![1.0; 199], others: vec![0.0; 300] };
        assert!(sides.rate(0).is_err() && sides.rate(1).is_err());
    }
}
