use super::{
    Attack,
    sides::{FALSE_SHARES, limit, share_above_limit},
};
use crate::{
    learners::area_places,
    power::{Law, Sizes, least_share},
};

/// The share of the members that must be copied for this score to show it, by what the attack gives
/// to planted rows: see [`least_share`].
///
/// An area is a mean over members of the share of others below each, which is even without a leak.
/// Over all attacks it is the least of theirs, at a level that they share.
pub(super) fn least_leak(name: &str, attacks: &[Attack]) -> Option<f64> {
    let own: Vec<&Attack> = attacks
        .iter()
        .filter(|own| name.starts_with(&format!("membership_{}_", own.name)))
        .collect();
    let (own, tests) = match own.is_empty() {
        true => (attacks.iter().collect(), attacks.len()),
        false => (own, 1),
    };
    let of_one = |attack: &&Attack| {
        let (sides, planted) = match name.ends_with("outlier_auc") {
            true => (&attack.outliers, &attack.planted_outliers),
            false => (&attack.scores, &attack.planted),
        };
        let (sides, planted) = (sides.as_ref().ok()?, planted.as_ref().ok()?);
        if name == "membership_epsilon" {
            return sides.least_for_epsilon(planted, attacks.len());
        }
        let sizes = Sizes { tests, ..Sizes::new(sides.members.len(), Some(sides.others.len())) };
        let (plain, copied) = match name.ends_with("auc") {
            true => (
                Law { mean: 0.5, variance: 1.0 / 12.0 },
                Law::of(&area_places(planted, &sides.others)),
            ),
            false => {
                let share = FALSE_SHARES[usize::from(name.ends_with("at_01"))];
                let chance = share_above_limit(sides.others.len(), share);
                let limit = limit(&sides.others, share);
                let told = planted.iter().filter(|&&score| score > limit).count();
                (Law::share(chance), Law::share(told as f64 / planted.len() as f64))
            }
        };
        // An attack that gives copies less than others does not see them.
        if copied.mean > plain.mean { least_share(plain, copied, sizes) } else { None }
    };
    own.iter().filter_map(of_one).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::super::Sides;
    use super::*;
    use crate::{learners::area, score::Gap};

    /// Rows of a leak of this size at random places: told for sure, the others alike.
    #[test]
    fn the_least_leak_shows_four_times_in_five() {
        use meg_core::Seed;
        use rand::Rng as _;
        let mut rng = Seed(1).stream("leaks");
        let sizes = 400;
        let mut play = |leak: f64| {
            let others: Vec<f64> = (0..sizes).map(|_| rng.random()).collect();
            let mut member = || if rng.random::<f64>() < leak { 2.0 } else { rng.random() };
            let members: Vec<f64> = (0..sizes).map(|_| member()).collect();
            Sides { members, others }
        };
        let attack = |sides: Sides| {
            let planted: Result<Vec<f64>, Gap> = Ok(vec![2.0; 20]);
            vec![Attack {
                name: "distance",
                outliers: Ok(sides.clone()),
                scores: Ok(sides),
                planted: planted.clone(),
                planted_outliers: planted,
            }]
        };
        let least = |name| {
            least_leak(name, &attack(Sides { members: vec![0.0; sizes], others: vec![0.0; sizes] }))
        };
        let [area_leak, epsilon_leak] =
            ["membership_distance_auc", "membership_epsilon"].map(|name| least(name).unwrap());
        let deviation = (2.0 / 12.0 / sizes as f64).sqrt();
        let seen = (0..500).filter(|_| {
            let sides = play(area_leak);
            area(&sides.members, &sides.others).value - 0.5 > 1.96 * deviation
        });
        let seen = seen.count();
        assert!((370..=440).contains(&seen), "{seen}");
        // The threshold that looks best on the other half is not always as good as it looked.
        let seen =
            (0..200).filter(|_| play(epsilon_leak).epsilon(1).unwrap().epsilon > 0.0).count();
        assert!((150..=199).contains(&seen), "{seen} {epsilon_leak}");
    }
}
