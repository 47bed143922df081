mod against;
mod chance;
mod least;
mod sides;

use super::game::Game;
use crate::{
    Comparison, Group, Metric, Score,
    learners::area,
    numbers::quantile,
    score::{Gap, Kind, Reading},
    tables::subsample,
};
use against::Against;
use chance::Chance;
use least::least_leak;
use meg_core::Table;
use sides::Sides;

/// Unseen rows that are put among the synthetic ones at least, to see what a copy gives.
const LEAST_PLANTED: usize = 20;

/// Rows of either side among the outliers: an interval needs two, and two say next to nothing.
const LEAST_OUTLIERS: usize = 5;

const ATTACKS: [&str; 4] = ["distance", "calibrated", "density", "neighbours"];

/// Scores over all attacks, then those of each.
const KINDS: [Kind; 19] = [
    Kind::like_holdout("membership_auc"),
    Kind::like_holdout("membership_tpr_at_1"),
    Kind::unbounded("membership_epsilon"),
    Kind::like_holdout("membership_distance_auc"),
    Kind::like_holdout("membership_distance_tpr_at_1"),
    Kind::like_holdout("membership_distance_tpr_at_01"),
    Kind::like_holdout("membership_distance_outlier_auc"),
    Kind::like_holdout("membership_calibrated_auc"),
    Kind::like_holdout("membership_calibrated_tpr_at_1"),
    Kind::like_holdout("membership_calibrated_tpr_at_01"),
    Kind::like_holdout("membership_calibrated_outlier_auc"),
    Kind::like_holdout("membership_density_auc"),
    Kind::like_holdout("membership_density_tpr_at_1"),
    Kind::like_holdout("membership_density_tpr_at_01"),
    Kind::like_holdout("membership_density_outlier_auc"),
    Kind::like_holdout("membership_neighbours_auc"),
    Kind::like_holdout("membership_neighbours_tpr_at_1"),
    Kind::like_holdout("membership_neighbours_tpr_at_01"),
    Kind::like_holdout("membership_neighbours_outlier_auc"),
];

/// Was this row among those that the generator learned from? The attacker has the synthetic rows S
/// and half of the holdout rows A, and scores training rows (members) and as many of the other
/// holdout rows:
///
/// - `distance`: minus the distance to the nearest row of S (Gower's);
/// - `calibrated`: the distance to the nearest row of A minus that to S;
/// - `density`: the logarithm of the density of S over that of A, by normal kernels on the principal
///   components that explain 80 % of the variance of S and A, 8 at most (DOMIAS, van Breugel et al.
///   2023);
/// - `neighbours`: the share of S among the 5 nearest rows of S and A.
///
/// Of each: `auc`, 0.5 when nothing leaks, with DeLong's interval; `tpr_at_1` and `tpr_at_01`, the
/// share of members above the score that 1 % or 0.1 % of the unseen rows exceed, at 200 and 1 000
/// rows of a side at least, about 0.01 and 0.001 when nothing leaks; `outlier_auc`, the area among
/// the tenth of the rows that is farthest from A, who leak first. Over all attacks: the largest area
/// and the largest rate, beside those that chance gives to the best of four (members and others
/// exchanged at random), and `membership_epsilon`: the differential privacy that the attacks refute
/// with 95 % confidence, by Clopper and Pearson's limits of both rates at a threshold chosen on the
/// other half of the rows. 0 is best and proves nothing.
///
/// Each says what share of copies it would show at these numbers of rows (see [`least_share`]): what an
/// attack gives to a copied row is measured by putting a tenth of the attacked unseen rows in the place
/// of synthetic ones, for the areas among outliers that tenth which is farthest.
/// Skipped without holdout rows.
#[derive(Debug)]
pub(crate) struct Membership;

impl Metric for Membership {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How well four attacks tell rows that the generator learned from from rows that it never saw."
    }

    fn group(&self) -> Group {
        Group::Attacks
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let game = match Game::new(comparison) {
            Ok(game) => game,
            Err(gap) => {
                let reading = Reading::new(Err(gap), comparison.train.rows(), 0);
                return KINDS.iter().map(|kind| Score::new(kind, &[], reading.clone())).collect();
            }
        };
        let attacks = attack(&game, comparison);
        let rows = (game.members.len() + game.others.len(), game.synthetic.rows());
        let chance = Chance::of(&attacks, comparison.seed);
        let mut readings = over_all(&attacks, &chance, rows);
        readings.extend(attacks.iter().flat_map(|attack| of_one(attack, rows)));
        let copies = game.train.rows() as f64 / game.synthetic.rows() as f64;
        let least = |kind: &Kind| least_leak(kind.name, &attacks).map(|share| share * copies);
        KINDS
            .iter()
            .zip(readings)
            .map(|(kind, (reading, p_value))| {
                let reference = reading.value.is_ok().then(|| chance.reference(kind.name));
                Score::new(kind, &[], reading)
                    .with_reference(reference.flatten())
                    .with_p_value(p_value)
                    .with_least_leak(least(kind))
            })
            .collect()
    }
}

/// The scores of one attack, higher for likely members.
struct Attack {
    name: &'static str,
    scores: Result<Sides, Gap>,
    /// The same rows, only those farthest from what the attacker knows.
    outliers: Result<Sides, Gap>,
    /// Scores of some unseen rows that took the place of synthetic ones: what a copied row gets.
    planted: Result<Vec<f64>, Gap>,
    /// The same of unseen rows that are outliers.
    planted_outliers: Result<Vec<f64>, Gap>,
}

fn attack(game: &Game<'_>, comparison: &Comparison<'_>) -> Vec<Attack> {
    let both = |members: Vec<f64>, others: Vec<f64>| Sides { members, others };
    let all = Against::new(game, comparison, game.synthetic);
    let [members, others] = [(game.train, &game.members), (game.holdout, &game.others)]
        .map(|(table, rows)| all.scores(comparison, table, rows));
    let far = both(members.far, others.far);
    let limit = far_limit(&far);
    let planted = |rows: &[usize]| -> Result<[Result<Vec<f64>, Gap>; 4], Gap> {
        let table = with_planted(game, comparison, rows)?;
        let against = Against::new(game, comparison, &table);
        Ok(against.scores(comparison, game.holdout, rows).scores)
    };
    // A tenth of the unseen rows, so that the synthetic rows are what they were but for those.
    let count = (game.others.len() / 10).max(LEAST_PLANTED).min(game.synthetic.rows());
    let ordinary = planted(&game.others[..count.min(game.others.len())]);
    let outlying = game.others.iter().zip(&far.others).filter(|(_, far)| **far >= limit);
    let outlying: Vec<usize> = outlying.map(|(row, _)| *row).take(count).collect();
    let outlying = planted(&outlying);
    let of = |planted: &Result<[Result<Vec<f64>, Gap>; 4], Gap>, at: usize| {
        planted.as_ref().map_err(Clone::clone).and_then(|scores| scores[at].clone())
    };
    let sides = members.scores.into_iter().zip(others.scores);
    let sides = sides.map(|(members, others)| Ok(both(members?, others?)));
    let attack = |(at, scores): (usize, Result<Sides, Gap>)| Attack {
        name: ATTACKS[at],
        outliers: scores.clone().and_then(|scores| outliers(&scores, &far, limit)),
        planted: of(&ordinary, at),
        planted_outliers: of(&outlying, at),
        scores,
    };
    sides.enumerate().map(attack).collect()
}

/// The synthetic rows, of which as many gave way to these unseen rows.
fn with_planted(
    game: &Game<'_>,
    comparison: &Comparison<'_>,
    unseen: &[usize],
) -> Result<Table, Gap> {
    let rows = game.synthetic.rows();
    let kept = subsample(rows, rows - unseen.len(), comparison.seed, "membership rows kept");
    let kept = if unseen.len() == rows { Vec::new() } else { kept };
    let copies = game.holdout.select_rows(unseen);
    let both = game.synthetic.select_rows(&kept).concat(copies);
    both.map_err(|error| Gap::failed(error.to_string()))
}

/// How far the tenth of the rows is that is farthest.
fn far_limit(far: &Sides) -> f64 {
    quantile(&[&far.members[..], &far.others[..]].concat(), 0.9)
}

/// The rows that are at least so far.
fn outliers(scores: &Sides, far: &Sides, limit: f64) -> Result<Sides, Gap> {
    let pick = |scores: &[f64], far: &[f64]| -> Vec<f64> {
        let pairs = scores.iter().zip(far);
        pairs.filter(|(_, far)| **far >= limit).map(|(score, _)| *score).collect()
    };
    let chosen = Sides {
        members: pick(&scores.members, &far.members),
        others: pick(&scores.others, &far.others),
    };
    let least = chosen.members.len().min(chosen.others.len());
    match least < LEAST_OUTLIERS {
        true => Err(Gap::undefined(format!(
            "one side has {least} rows among those farthest from known ones; {LEAST_OUTLIERS} are needed"
        ))),
        false => Ok(chosen),
    }
}

/// A reading, and its p-value.
type Judged = (Reading, Option<f64>);

/// A value and a p-value of one attack.
type OfSides<'a> = &'a dyn Fn(&Sides) -> Result<(f64, f64), Gap>;

fn of_one(attack: &Attack, rows: (usize, usize)) -> [Judged; 4] {
    let reading = |value| Reading::new(value, rows.0, rows.1);
    let areas = |sides: &Result<Sides, Gap>| match sides {
        Ok(sides) => {
            let area = area(&sides.members, &sides.others);
            let judged = reading(Ok(area.value)).interval(Some(area.interval()));
            (judged, Some(sides.area_p_value()))
        }
        Err(gap) => (reading(Err(gap.clone())), None),
    };
    let rate = |at: usize| {
        let p_value = attack.scores.as_ref().ok().map(|sides| sides.rate_p_value(at));
        (reading(attack.scores.clone().and_then(|sides| sides.rate(at))), p_value)
    };
    [areas(&attack.scores), rate(0), rate(1), areas(&attack.outliers)]
}

fn over_all(attacks: &[Attack], chance: &Chance, rows: (usize, usize)) -> Vec<Judged> {
    // Chance's p-value, or that of the attack.
    let best = |name: &str, value: OfSides<'_>| -> Judged {
        let mut gap = Gap::undefined("no attack could be made");
        let mut best: Option<(f64, f64, &str)> = None;
        for attack in attacks {
            match attack.scores.as_ref().map_err(Clone::clone).and_then(value) {
                Ok((value, p))
                    if best.is_none_or(|(most, least, _)| (most, -least) < (value, -p)) =>
                {
                    best = Some((value, p, attack.name));
                }
                Ok(_) => {}
                Err(reason) => gap = reason,
            }
        }
        let reading = Reading::new(best.map(|(value, ..)| value).ok_or(gap), rows.0, rows.1);
        let p_value = best.map(|(value, own, _)| chance.p_value(name, (value, own)).unwrap_or(own));
        (reading.note(best.map(|(.., attack)| format!("by {attack}"))), p_value)
    };
    vec![
        best("membership_auc", &|sides| {
            Ok((area(&sides.members, &sides.others).value, sides.area_p_value()))
        }),
        best("membership_tpr_at_1", &|sides| Ok((sides.rate(0)?, sides.rate_p_value(0)))),
        best("membership_epsilon", &|sides| {
            let found = sides.epsilon(attacks.len())?;
            Ok((found.epsilon, found.p_value))
        }),
    ]
}
