use super::{
    density::{Density, axes},
    game::Game,
};
use crate::{
    Comparison, Group, Metric, Score,
    gower::{Best, Points, Space, nearest},
    learners::{area, features::Features},
    power::{Law, Sizes, least_share},
    score::{Gap, Kind, Reading},
    spectrum::Spectrum,
    tables::subsample,
};
use meg_core::Table;
use statrs::distribution::{Beta, ContinuousCDF};

/// Neighbours whose origin the last attack counts.
const NEIGHBOURS: usize = 5;

/// Synthetic rows that the density is fitted to at most.
const MOST_DENSITY_ROWS: usize = 10_000;

/// Rows of either side for a rate of 1 in 100 and of 1 in 1 000.
const LEAST_FOR_RATES: [usize; 2] = [200, 1_000];

/// Shares of the unseen rows above the limit.
const FALSE_SHARES: [f64; 2] = [0.01, 0.001];

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
///   components that explain 80 % of the training variance, 8 at most (DOMIAS, van Breugel et al.
///   2023);
/// - `neighbours`: the share of S among the 5 nearest rows of S and A.
///
/// Of each: `auc`, 0.5 when nothing leaks, with DeLong's interval; `tpr_at_1` and `tpr_at_01`, the
/// share of members above the score that 1 % or 0.1 % of the unseen rows exceed, at 200 and 1 000
/// rows of a side at least, about 0.01 and 0.001 when nothing leaks; `outlier_auc`, the area among
/// the tenth of the rows that is farthest from A, who leak first. Over all attacks: the largest area
/// and the largest rate (which chance lifts a little above those of one attack), and
/// `membership_epsilon`: the differential privacy that the attacks refute with 95 % confidence, by
/// Clopper and Pearson's limits of both rates at a threshold chosen on the other half of the rows.
/// 0 is best and proves nothing.
///
/// Each says what share of copies it would show at these numbers of rows (see [`least_share`]): what an
/// attack gives to a copied row is measured by putting a tenth of the attacked unseen rows in the place
/// of synthetic ones.
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
        let space = Space::fit(comparison.train);
        let game = match Game::new(comparison, &space) {
            Ok(game) => game,
            Err(gap) => {
                let reading = Reading::new(Err(gap), comparison.train.rows(), 0);
                return KINDS.iter().map(|kind| Score::new(kind, &[], reading.clone())).collect();
            }
        };
        let attacks = attack(&game, comparison, &space);
        let rows = (game.members.len() + game.others.len(), game.synthetic.rows());
        let mut readings = over_all(&attacks, rows);
        readings.extend(attacks.iter().flat_map(|attack| of_one(attack, rows)));
        let chance = |kind: &Kind| match kind.name {
            name if name.ends_with("auc") => Some(0.5),
            name if name.ends_with("at_1") => Some(0.01),
            name if name.ends_with("at_01") => Some(0.001),
            "membership_epsilon" => Some(0.0),
            _ => None,
        };
        let copies = game.train.rows() as f64 / game.synthetic.rows() as f64;
        let least = |kind: &Kind| least_leak(kind.name, &attacks).map(|share| share * copies);
        KINDS
            .iter()
            .zip(readings)
            .map(|(kind, reading)| {
                let reference = chance(kind).filter(|_| reading.value.is_ok());
                let score = Score::new(kind, &[], reading).with_reference(reference);
                // The rows that are planted to learn what a copy gets are ordinary ones; what a
                // copied outlier gets is not known.
                match kind.name.ends_with("outlier_auc") {
                    true => score,
                    false => score.with_least_leak(least(kind)),
                }
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
}

#[derive(Debug, Clone)]
struct Sides {
    members: Vec<f64>,
    others: Vec<f64>,
}

fn attack(game: &Game<'_>, comparison: &Comparison<'_>, space: &Space) -> Vec<Attack> {
    let both = |members: Vec<f64>, others: Vec<f64>| Sides { members, others };
    let all = Against::new(game, comparison, space, game.synthetic);
    let [members, others] = [(game.train, &game.members), (game.holdout, &game.others)]
        .map(|(table, rows)| all.scores(comparison, table, rows));
    // A tenth of the unseen rows, so that the synthetic rows are what they were but for those.
    let count = (game.others.len() / 10).max(LEAST_PLANTED);
    let count = count.min(game.others.len()).min(game.synthetic.rows());
    let planted = planted(game, comparison, count).map(|table| {
        let against = Against::new(game, comparison, space, &table);
        against.scores(comparison, game.holdout, &game.others[..count])
    });
    let far = both(members.far, others.far);
    let sides = members.scores.into_iter().zip(others.scores);
    let sides = sides.map(|(members, others)| Ok(both(members?, others?)));
    let attack = |(at, scores): (usize, Result<Sides, Gap>)| Attack {
        name: ATTACKS[at],
        outliers: scores.clone().and_then(|scores| outliers(&scores, &far)),
        planted: match &planted {
            Ok(planted) => planted.scores[at].clone(),
            Err(gap) => Err(gap.clone()),
        },
        scores,
    };
    sides.enumerate().map(attack).collect()
}

/// The synthetic rows, of which so many gave way to unseen rows.
fn planted(game: &Game<'_>, comparison: &Comparison<'_>, count: usize) -> Result<Table, Gap> {
    let rows = game.synthetic.rows();
    let kept = subsample(rows, rows - count, comparison.seed, "membership rows kept");
    let kept = if count == rows { Vec::new() } else { kept };
    let copies = game.holdout.select_rows(&game.others[..count]);
    let both = game.synthetic.select_rows(&kept).concat(copies);
    both.map_err(|error| Gap::failed(error.to_string()))
}

/// What all attacks on rows need of a table of synthetic rows.
struct Against<'a> {
    space: &'a Space,
    synthetic: Points,
    known: Points,
    densities: Result<Densities, Gap>,
}

/// The scores of rows by attack, and how far each row is from what the attacker knows.
struct Scored {
    scores: [Result<Vec<f64>, Gap>; 4],
    far: Vec<f64>,
}

impl<'a> Against<'a> {
    fn new(
        game: &Game<'_>,
        comparison: &Comparison<'_>,
        space: &'a Space,
        synthetic: &Table,
    ) -> Self {
        let all: Vec<usize> = (0..synthetic.rows()).collect();
        Self {
            space,
            synthetic: space.points(synthetic, &all),
            known: space.points(game.holdout, &game.known),
            densities: Densities::fit(game, comparison, synthetic),
        }
    }

    fn scores(&self, comparison: &Comparison<'_>, table: &Table, rows: &[usize]) -> Scored {
        let queries = self.space.points(table, rows);
        let [synthetic, known] = [&self.synthetic, &self.known]
            .map(|points| nearest(self.space, &queries, points, NEIGHBOURS, comparison.threads));
        let score = |of: &dyn Fn(&Best, &Best) -> f64| -> Vec<f64> {
            synthetic.iter().zip(&known).map(|(synthetic, known)| of(synthetic, known)).collect()
        };
        let (ours, theirs) = (self.synthetic.rows() as f64, self.known.rows() as f64);
        let share = ours / (ours + theirs);
        let densities = match &self.densities {
            Ok(densities) => Ok(densities.ratios(table, rows, comparison.threads)),
            Err(gap) => Err(gap.clone()),
        };
        Scored {
            scores: [
                Ok(score(&|synthetic, _| -synthetic.distance(0))),
                Ok(score(&|synthetic, known| known.distance(0) - synthetic.distance(0))),
                densities,
                Ok(score(&|synthetic, known| origin(synthetic, known, share))),
            ],
            far: score(&|_, known| known.distance(0)),
        }
    }
}

/// The share of synthetic rows among the nearest of both kinds; a tie counts as chance has it.
fn origin(synthetic: &Best, known: &Best, share: f64) -> f64 {
    let (mut i, mut j, mut own) = (0, 0, 0.0);
    for _ in 0..NEIGHBOURS {
        let (a, b) = (synthetic.distance(i), known.distance(j));
        match a.total_cmp(&b) {
            std::cmp::Ordering::Less => {
                own += 1.0;
                i += 1;
            }
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                own += share;
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    own / NEIGHBOURS as f64
}

/// Densities of synthetic rows and of those that the attacker knows.
struct Densities {
    features: Features,
    spectrum: Spectrum,
    axes: usize,
    synthetic: Density,
    known: Density,
}

impl Densities {
    fn fit(game: &Game<'_>, comparison: &Comparison<'_>, synthetic: &Table) -> Result<Self, Gap> {
        let features = Features::fit(game.train, None);
        let sample = |table: &Table, purpose| {
            subsample(table.rows(), MOST_DENSITY_ROWS, comparison.seed, purpose)
        };
        let train = features.design(game.train, &sample(game.train, "membership axes rows"));
        if train.width == 0 {
            return Err(Gap::undefined("no column varies in the training rows"));
        }
        let spectrum = Spectrum::fit(&train);
        let axes = axes(&spectrum);
        let of = |table, rows: &[usize]| {
            Density::fit(&spectrum.scores(&features.design(table, rows), axes), axes)
        };
        let synthetic = of(synthetic, &sample(synthetic, "membership density rows"));
        let known = of(game.holdout, &game.known);
        Ok(Self { features, spectrum, axes, synthetic, known })
    }

    /// The logarithm of the one over the other.
    fn ratios(&self, table: &Table, rows: &[usize], threads: usize) -> Vec<f64> {
        let points = self.spectrum.scores(&self.features.design(table, rows), self.axes);
        let above = self.synthetic.logarithms(&points, threads);
        let below = self.known.logarithms(&points, threads);
        above.iter().zip(below).map(|(above, below)| above - below).collect()
    }
}

/// The tenth of the rows that is farthest.
fn outliers(scores: &Sides, far: &Sides) -> Result<Sides, Gap> {
    let both = [&far.members[..], &far.others[..]].concat();
    let limit = crate::numbers::quantile(&both, 0.9);
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

fn of_one(attack: &Attack, rows: (usize, usize)) -> [Reading; 4] {
    let reading = |value| Reading::new(value, rows.0, rows.1);
    let areas = |sides: &Result<Sides, Gap>| match sides {
        Ok(sides) => {
            let area = area(&sides.members, &sides.others);
            reading(Ok(area.value)).interval(Some(area.interval()))
        }
        Err(gap) => reading(Err(gap.clone())),
    };
    let rate = |at: usize| {
        let rate = attack.scores.clone().and_then(|sides| sides.rate(at));
        reading(rate)
    };
    [areas(&attack.scores), rate(0), rate(1), areas(&attack.outliers)]
}

fn over_all(attacks: &[Attack], rows: (usize, usize)) -> Vec<Reading> {
    let best = |value: &dyn Fn(&Sides) -> Result<f64, Gap>| -> Reading {
        let mut gap = Gap::undefined("no attack could be made");
        let mut best: Option<(f64, &str)> = None;
        for attack in attacks {
            match attack.scores.clone().and_then(|sides| value(&sides)) {
                Ok(value) if best.is_none_or(|(most, _)| value > most) => {
                    best = Some((value, attack.name));
                }
                Ok(_) => {}
                Err(reason) => gap = reason,
            }
        }
        let reading = Reading::new(best.map(|(value, _)| value).ok_or(gap), rows.0, rows.1);
        reading.note(best.map(|(_, name)| format!("by {name}")))
    };
    vec![
        best(&|sides| Ok(area(&sides.members, &sides.others).value)),
        best(&|sides| sides.rate(0)),
        best(&|sides| sides.epsilon(attacks.len())),
    ]
}

/// The share of the members that must be copied for this score to show it, by what the attack gives
/// to planted rows: see [`least_share`].
///
/// An area is a mean over members of the share of others below each, which is even without a leak.
/// Over all attacks it is the least of theirs, at a level that they share.
fn least_leak(name: &str, attacks: &[Attack]) -> Option<f64> {
    let own: Vec<&Attack> = attacks
        .iter()
        .filter(|own| name.starts_with(&format!("membership_{}_", own.name)))
        .collect();
    let (own, tests) = match own.is_empty() {
        true => (attacks.iter().collect(), attacks.len()),
        false => (own, 1),
    };
    let of_one = |attack: &&Attack| {
        let (sides, planted) = (attack.scores.as_ref().ok()?, attack.planted.as_ref().ok()?);
        if name == "membership_epsilon" {
            return sides.least_for_epsilon(planted, attacks.len());
        }
        let sizes = Sizes { tests, ..Sizes::new(sides.members.len(), Some(sides.others.len())) };
        let (plain, copied) = match name.ends_with("auc") {
            true => {
                (Law { mean: 0.5, variance: 1.0 / 12.0 }, Law::of(&places(planted, &sides.others)))
            }
            false => {
                let chance = FALSE_SHARES[usize::from(name.ends_with("at_01"))];
                let limit = limit(&sides.others, chance);
                let told = planted.iter().filter(|&&score| score > limit).count();
                (Law::share(chance), Law::share(told as f64 / planted.len() as f64))
            }
        };
        // An attack that gives copies less than others does not see them.
        if copied.mean > plain.mean { least_share(plain, copied, sizes) } else { None }
    };
    own.iter().filter_map(of_one).min_by(f64::total_cmp)
}

/// The share of the others below each score, ties half.
fn places(scores: &[f64], others: &[f64]) -> Vec<f64> {
    let mut sorted = others.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = |&score: &f64| {
        let below = sorted.partition_point(|&other| other < score);
        let ties = sorted[below..].partition_point(|&other| other <= score);
        (below as f64 + ties as f64 / 2.0) / sorted.len() as f64
    };
    scores.iter().map(place).collect()
}

/// The score that this share of the others exceeds.
fn limit(others: &[f64], share: f64) -> f64 {
    let mut others = others.to_vec();
    others.sort_unstable_by(|a, b| b.total_cmp(a));
    others[(share * others.len() as f64).floor() as usize]
}

impl Sides {
    /// The share that must be copied for the limits of both rates to part, at the threshold that suits
    /// best. Hits are taken one tenth of the way down their law, false hits one tenth from its
    /// top: the threshold that looks best on the other half of the rows is not quite the best.
    fn least_for_epsilon(&self, planted: &[f64], attacks: usize) -> Option<f64> {
        let alpha = 0.05 / 4.0 / attacks as f64;
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
    fn rate(&self, at: usize) -> Result<f64, Gap> {
        let (least, false_share) = (LEAST_FOR_RATES[at], FALSE_SHARES[at]);
        let rows = self.members.len().min(self.others.len());
        if rows < least {
            return Err(Gap::undefined(format!("{rows} rows of a side; {least} are needed")));
        }
        let limit = limit(&self.others, false_share);
        let above = self.members.iter().filter(|&&score| score > limit).count();
        Ok(above as f64 / self.members.len() as f64)
    }

    /// `ln(TPR / FPR)` at the threshold that looks best on even rows, from Clopper and Pearson's
    /// limits on odd rows, or the same of the rates of being below; never below 0. The confidence
    /// is shared among the attacks, of which the largest is taken.
    fn epsilon(&self, attacks: usize) -> Result<f64, Gap> {
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
        let alpha = 0.05 / 2.0 / attacks as f64;
        let limit = limits
            .iter()
            .step_by(step)
            .map(|&limit| (bound(&chosen, limit, alpha), limit))
            .reduce(|best, other| if other.0 > best.0 { other } else { best })
            .ok_or_else(|| Gap::undefined("there are no rows"))?
            .1;
        // Which of the two directions is tested was not fixed before, so it costs half again.
        Ok(bound(&tested, limit, alpha / 2.0).ln().max(0.0))
    }
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
        assert_eq!(nothing.epsilon(4).unwrap(), 0.0);
        (0..100).for_each(|leaked| members[leaked * 20 + leaked % 2] = 2.0);
        let leak = Sides { members, others };
        let epsilon = leak.epsilon(4).unwrap();
        assert!(epsilon > 0.5 && epsilon < 4.0, "{epsilon}");
        assert!((leak.rate(0).unwrap() - 0.06).abs() < 0.005);
    }

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
            let planted = Ok(vec![2.0; 20]);
            vec![Attack {
                name: "distance",
                outliers: Ok(sides.clone()),
                scores: Ok(sides),
                planted,
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
            area(&sides.members, &sides.others).value - 0.5 > 1.645 * deviation
        });
        let seen = seen.count();
        assert!((370..=440).contains(&seen), "{seen}");
        // The threshold that looks best on the other half is not always as good as it looked.
        let seen = (0..200).filter(|_| play(epsilon_leak).epsilon(1).unwrap() > 0.0).count();
        assert!((150..=199).contains(&seen), "{seen} {epsilon_leak}");
    }

    #[test]
    fn few_rows_have_no_rates() {
        let sides = Sides { members: vec![1.0; 199], others: vec![0.0; 300] };
        assert!(sides.rate(0).is_err() && sides.rate(1).is_err());
    }
}
