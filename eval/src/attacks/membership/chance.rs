use super::{
    ATTACKS, Attack,
    sides::{FALSE_SHARES, Sides, share_above_limit},
};
use crate::{numbers::ranks, tables::shuffle_front};
use meg_core::Seed;

/// Random exchanges of members and others.
const EXCHANGES: usize = 10_000;

/// What the best of the attacks reaches where nothing leaks: members and others are then exchanged
/// at random, the same way for all attacks, whose scores go together.
#[derive(Debug)]
pub(super) struct Chance {
    areas: Vec<f64>,
    rates: Vec<f64>,
    /// Rows that are no members, as many for all attacks.
    others: usize,
}

impl Chance {
    pub(super) fn of(attacks: &[Attack], seed: Seed) -> Self {
        let all: Vec<Pooled> = attacks
            .iter()
            .filter_map(|attack| Some(Pooled::new(attack.scores.as_ref().ok()?)))
            .collect();
        let mut rng = seed.stream("membership chance");
        let (mut areas, mut rates) = (Vec::new(), Vec::new());
        let Some(first) = all.first() else {
            return Self { areas, rates, others: 0 };
        };
        let mut order: Vec<usize> = (0..first.scores.len()).collect();
        let mut is_member = vec![false; order.len()];
        for _ in 0..EXCHANGES {
            shuffle_front(&mut order, first.members, &mut rng);
            let members = &order[..first.members];
            members.iter().for_each(|&row| is_member[row] = true);
            areas.extend(all.iter().map(|own| own.area(members)).max_by(f64::total_cmp));
            rates.extend(all.iter().filter_map(|own| own.rate(&is_member)).max_by(f64::total_cmp));
            members.iter().for_each(|&row| is_member[row] = false);
        }
        Self { areas, rates, others: first.scores.len() - first.members }
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
            name if name.ends_with("at_1") => Some(share_above_limit(self.others, FALSE_SHARES[0])),
            name if name.ends_with("at_01") => {
                Some(share_above_limit(self.others, FALSE_SHARES[1]))
            }
            _ => None,
        }
    }

    /// How often chance gives the best of the attacks as much. Where no exchange did, the p-value of the
    /// best attack alone, as often as there are attacks, may be smaller than all exchanges can tell.
    pub(super) fn p_value(&self, name: &str, (value, alone): (f64, f64)) -> Option<f64> {
        let drawn = match name {
            "membership_auc" => &self.areas,
            "membership_tpr_at_1" => &self.rates,
            _ => return None,
        };
        let as_much = drawn.iter().filter(|&&drawn| drawn >= value).count();
        let exchanged =
            (!drawn.is_empty()).then(|| (as_much + 1) as f64 / (drawn.len() + 1) as f64)?;
        let shared = (ATTACKS.len() as f64 * alone).min(1.0);
        Some(if as_much == 0 { exchanged.min(shared) } else { exchanged })
    }
}

/// The scores of members and others together.
struct Pooled {
    scores: Vec<f64>,
    ranks: Vec<f64>,
    /// The rows from the highest score down.
    descending: Vec<usize>,
    members: usize,
    has_rates: bool,
}

impl Pooled {
    fn new(sides: &Sides) -> Self {
        let scores = [&sides.members[..], &sides.others[..]].concat();
        let mut descending: Vec<usize> = (0..scores.len()).collect();
        descending.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        Self {
            ranks: ranks(&scores),
            scores,
            descending,
            members: sides.members.len(),
            has_rates: sides.rate(0).is_ok(),
        }
    }

    /// The area if these rows were the members.
    fn area(&self, rows: &[usize]) -> f64 {
        let (members, others) = (self.members as f64, (self.scores.len() - self.members) as f64);
        let sum: f64 = rows.iter().map(|&row| self.ranks[row]).sum();
        (sum - members * (members + 1.0) / 2.0) / (members * others)
    }

    /// [`Sides::rate`] at 1 % if these rows were the members.
    fn rate(&self, is_member: &[bool]) -> Option<f64> {
        let others = self.scores.len() - self.members;
        let mut left = (FALSE_SHARES[0] * others as f64).floor() as usize + 1;
        let mut found = 0;
        let equal = |a: &usize, b: &usize| self.scores[*a] == self.scores[*b];
        for tie in self.descending.chunk_by(equal) {
            let members = tie.iter().filter(|&&row| is_member[row]).count();
            let others = tie.len() - members;
            if others >= left {
                break;
            }
            left -= others;
            found += members;
        }
        self.has_rates.then(|| found as f64 / self.members as f64)
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
        for _ in 0..2 {
            let pick = |rows: &[usize]| rows.iter().map(|&row| pooled.scores[row]).collect();
            let exchanged = Sides { members: pick(&order[..300]), others: pick(&order[300..]) };
            let direct = area(&exchanged.members, &exchanged.others).value;
            assert!((pooled.area(&order[..300]) - direct).abs() < 1e-12);
            let is_member: Vec<bool> = (0..600).map(|row| order[..300].contains(&row)).collect();
            assert_eq!(pooled.rate(&is_member), exchanged.rate(0).ok());
            order.sort_unstable();
        }
        let four = Chance::of(&attacks(1, false), Seed(1));
        let area = four.reference("membership_auc").unwrap();
        assert!((area - 0.5 - 1.029 * 0.0236).abs() < 0.004, "{area}");
        // Four times the same attack is one attack.
        let one = Chance::of(&attacks(1, true), Seed(1));
        let area = one.reference("membership_auc").unwrap();
        assert!((area - 0.5).abs() < 0.004, "{area}");
        let p_value = one.p_value("membership_auc", (0.5 + 1.96 * 0.0236, 1.0)).unwrap();
        assert!((0.015..0.035).contains(&p_value), "{p_value}");
        assert!(
            four.p_value("membership_auc", (0.5 + 1.96 * 0.0236, 1.0)).unwrap() > 2.0 * p_value
        );
        assert_eq!(four.p_value("membership_tpr_at_1", (1.0, 1.0)), Some(1.0 / 10_001.0));
        assert_eq!(four.p_value("membership_tpr_at_1", (1.0, 1e-9)), Some(4e-9));
    }

    #[test]
    fn chance_is_surprising_once_in_twenty() {
        let surprising = (0..100).filter(|&seed| {
            let attacks = attacks(seed, false);
            let best = attacks.iter().map(|attack| {
                let sides = attack.scores.as_ref().unwrap();
                area(&sides.members, &sides.others).value
            });
            let best = best.fold(0.0, f64::max);
            Chance::of(&attacks, Seed(seed)).p_value("membership_auc", (best, 1.0)).unwrap() <= 0.05
        });
        let surprising = surprising.count();
        assert!((1..=10).contains(&surprising), "{surprising}");
    }
}
