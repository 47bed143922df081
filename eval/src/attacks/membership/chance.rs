use super::{Attack, Sides};
use crate::{
    numbers::{quantile, ranks},
    tables::shuffle_front,
};
use meg_core::Seed;

/// Random exchanges of members and others.
const EXCHANGES: usize = 400;

/// What the best of the attacks reaches where nothing leaks: members and others are then exchanged
/// at random, the same way for all attacks, whose scores go together.
#[derive(Debug)]
pub(super) struct Chance {
    areas: Vec<f64>,
    rates: Vec<f64>,
}

impl Chance {
    pub(super) fn of(attacks: &[Attack], seed: Seed) -> Self {
        let all: Vec<Pooled> = attacks
            .iter()
            .filter_map(|attack| Some(Pooled::new(attack.scores.as_ref().ok()?)))
            .collect();
        let mut rng = seed.stream("membership chance");
        let (mut areas, mut rates) = (Vec::new(), Vec::new());
        let Some(first) = all.first() else { return Self { areas, rates } };
        let mut order: Vec<usize> = (0..first.scores.len()).collect();
        for _ in 0..EXCHANGES {
            shuffle_front(&mut order, first.members, &mut rng);
            areas.extend(all.iter().map(|own| own.area(&order)).max_by(f64::total_cmp));
            let rates_of_all = all.iter().filter_map(|own| own.sides(&order).rate(0).ok());
            rates.extend(rates_of_all.max_by(f64::total_cmp));
        }
        Self { areas, rates }
    }

    /// What a score has on average where nothing leaks.
    pub(super) fn reference(&self, name: &str) -> Option<f64> {
        let mean = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        match name {
            "membership_auc" => mean(&self.areas),
            "membership_tpr_at_1" => mean(&self.rates),
            "membership_epsilon" => Some(0.0),
            name if name.ends_with("auc") => Some(0.5),
            name if name.ends_with("at_1") => Some(0.01),
            name if name.ends_with("at_01") => Some(0.001),
            _ => None,
        }
    }

    /// The largest area that 19 of 20 tables without a leak do not exceed.
    pub(super) fn area_limit(&self) -> Option<f64> {
        limit(&self.areas)
    }

    /// The same of the largest rate at 1 %.
    pub(super) fn rate_limit(&self) -> Option<f64> {
        limit(&self.rates)
    }
}

fn limit(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| quantile(values, 0.95))
}

/// The scores of members and others together.
struct Pooled {
    scores: Vec<f64>,
    ranks: Vec<f64>,
    members: usize,
}

impl Pooled {
    fn new(sides: &Sides) -> Self {
        let scores = [&sides.members[..], &sides.others[..]].concat();
        Self { ranks: ranks(&scores), scores, members: sides.members.len() }
    }

    /// The area if the first rows of this order were the members.
    fn area(&self, order: &[usize]) -> f64 {
        let (members, others) = (self.members as f64, (order.len() - self.members) as f64);
        let sum: f64 = order[..self.members].iter().map(|&row| self.ranks[row]).sum();
        (sum - members * (members + 1.0) / 2.0) / (members * others)
    }

    /// The scores if the first rows of this order were the members.
    fn sides(&self, order: &[usize]) -> Sides {
        let pick = |rows: &[usize]| rows.iter().map(|&row| self.scores[row]).collect();
        let (members, others) = order.split_at(self.members);
        Sides { members: pick(members), others: pick(others) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{learners::area, score::Gap};
    use rand::Rng as _;

    fn attacks(seed: u64, together: bool) -> Vec<Attack> {
        let mut rng = Seed(seed).stream("attacks");
        let mut scores = || (0..300).map(|_| rng.random()).collect::<Vec<f64>>();
        let shared = Sides { members: scores(), others: scores() };
        let gap = Gap::undefined("nothing was planted");
        (0..4)
            .map(|_| Attack {
                name: "distance",
                scores: Ok(match together {
                    true => shared.clone(),
                    false => Sides { members: scores(), others: scores() },
                }),
                outliers: Err(gap.clone()),
                planted: Err(gap.clone()),
                planted_outliers: Err(gap.clone()),
            })
            .collect()
    }

    #[test]
    fn the_best_of_four_attacks_is_better_than_one_by_chance() {
        // The mean of the largest of four normal numbers is 1.029 deviations, of an area here 0.0236.
        let mut order: Vec<usize> = (0..600).rev().collect();
        let own = attacks(1, true).remove(0).scores.unwrap();
        let pooled = Pooled::new(&own);
        let exchanged = pooled.sides(&order);
        let direct = area(&exchanged.members, &exchanged.others).value;
        assert!((pooled.area(&order) - direct).abs() < 1e-12);
        order.sort_unstable();
        assert!((pooled.area(&order) - area(&own.members, &own.others).value).abs() < 1e-12);
        let four = Chance::of(&attacks(1, false), Seed(1));
        let area = four.reference("membership_auc").unwrap();
        assert!((area - 0.5 - 1.029 * 0.0236).abs() < 0.004, "{area}");
        // Four times the same attack is one attack.
        let one = Chance::of(&attacks(1, true), Seed(1));
        let area = one.reference("membership_auc").unwrap();
        assert!((area - 0.5).abs() < 0.004, "{area}");
        assert!((one.area_limit().unwrap() - 0.5 - 1.645 * 0.0236).abs() < 0.01);
        assert!(four.rate_limit().unwrap() > four.reference("membership_tpr_at_1").unwrap());
    }

    #[test]
    fn the_limit_is_exceeded_once_in_twenty() {
        let above = (0..100).filter(|&seed| {
            let attacks = attacks(seed, false);
            let best = attacks.iter().map(|attack| {
                let sides = attack.scores.as_ref().unwrap();
                area(&sides.members, &sides.others).value
            });
            best.fold(0.0, f64::max) > Chance::of(&attacks, Seed(seed)).area_limit().unwrap()
        });
        let above = above.count();
        assert!((1..=10).contains(&above), "{above}");
    }
}
