use super::{
    Indicator, Law, Sizes, Test,
    distances::{Distances, Nearest, Pair, Sides},
    interval_of_mean, interval_of_quantile, kind, least_below, least_in_mean, least_share,
    quantile, share,
};
use crate::{
    numbers::mean_and_sd,
    score::Gap,
    significance::{Z, above, more_below_level, smaller_mean},
};

/// `dcr_median`: the median over synthetic rows of the distance to the closest training row, in
/// 0..=1. Neither a large nor a small value is good in itself (noise is far away, a copy is at 0):
/// best is the value of the holdout rows. Source: "distance to closest record" of the table-GAN
/// (Park et al. 2018) and CTAB-GAN (Zhao et al. 2021) papers.
pub(super) const MEDIAN: Indicator = Indicator {
    kind: kind("dcr_median", 0.0, 1.0),
    value: |distances| Ok(quantile(&distances.synthetic.first, 0.5)),
    reference: |distances| Some(quantile(&distances.holdout_sample()?.first, 0.5)),
    interval: Some(|distances| interval_of_quantile(&distances.synthetic.first, 0.5)),
    test: Some(Test {
        p_value: |distances, holdout| {
            Some(more_below_level(&distances.synthetic.first, &holdout.first, 0.5))
        },
        least: |distances, holdout| least_below(&holdout.first, 0.5, 1.0, distances.rows()),
    }),
};

/// `dcr_p05`: the 5 % quantile of the same distances. Copies among honest rows show here first.
pub(super) const FIVE_PERCENT: Indicator = Indicator {
    kind: kind("dcr_p05", 0.0, 1.0),
    value: |distances| Ok(quantile(&distances.synthetic.first, 0.05)),
    reference: |distances| Some(quantile(&distances.holdout_sample()?.first, 0.05)),
    interval: Some(|distances| interval_of_quantile(&distances.synthetic.first, 0.05)),
    test: Some(Test {
        p_value: |distances, holdout| {
            Some(more_below_level(&distances.synthetic.first, &holdout.first, 0.05))
        },
        least: |distances, holdout| least_below(&holdout.first, 0.05, 1.0, distances.rows()),
    }),
};

/// `dcr_mean`: the mean of the same distances, as table-GAN gives it.
pub(super) const MEAN: Indicator = Indicator {
    kind: kind("dcr_mean", 0.0, 1.0),
    value: |distances| Ok(mean_and_sd(&distances.synthetic.first).0),
    reference: |distances| Some(mean_and_sd(&distances.holdout_sample()?.first).0),
    interval: Some(|distances| interval_of_mean(&distances.synthetic.first)),
    test: Some(Test {
        p_value: |distances, holdout| {
            Some(smaller_mean(&distances.synthetic.first, &holdout.first, distances.seed))
        },
        least: |distances, holdout| least_in_mean(&holdout.first, distances.rows()),
    }),
};

/// `dcr_sd`: their standard deviation. table-GAN's paper wants it small beside a large mean.
pub(super) const SD: Indicator = Indicator {
    kind: kind("dcr_sd", 0.0, 1.0),
    value: |distances| Ok(mean_and_sd(&distances.synthetic.first).1),
    reference: |distances| Some(mean_and_sd(&distances.holdout_sample()?.first).1),
    interval: None,
    test: None,
};

/// `dcr_share`: the share of synthetic rows that are closer to a training row than to any holdout
/// row, ties counting half, in 0..=1.
///
/// The larger side is cut to a seeded sample of the smaller one's size, so that 0.5 is expected of
/// rows that know neither; that is the reference. Its interval allows for another choice of real rows,
/// see [`design_effect`]. Half credit for ties is what keeps it at 0.5 on
/// tables of few categories. It moves little where few rows leak: see `tail_leak`. Source: the TabSyn
/// paper (Zhang et al. 2024), whose strict comparison is replaced by half credit.
pub(super) const SHARE: Indicator = Indicator {
    kind: kind("dcr_share", 0.0, 1.0),
    value: share_closer,
    reference: |distances| distances.sides.is_some().then_some(0.5),
    interval: Some(interval),
    test: Some(Test { p_value: |distances, _| p_value(distances), least }),
};

fn share_closer(distances: &Distances) -> Result<f64, Gap> {
    credits(distances)
        .map(|credits| mean_and_sd(&credits).0)
        .ok_or_else(|| Gap::skipped("there are no holdout rows"))
}

/// 1 for a row that is closer to training rows, half for a tie.
fn credits(distances: &Distances) -> Option<Vec<f64>> {
    let sides = distances.sides.as_ref()?;
    let credit = |(train, holdout): (&Pair, &Pair)| match train.distances[0]
        .total_cmp(&holdout.distances[0])
    {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Greater => 0.0,
    };
    Some(sides.train.iter().zip(&sides.holdout).map(credit).collect())
}

/// By the normal law, of the credits as they spread about their mean.
fn interval(distances: &Distances) -> Option<[f64; 2]> {
    let credits = credits(distances)?;
    let (mean, sd) = mean_and_sd(&credits);
    let rows = credits.len() as f64 / design_effect(distances.sides.as_ref()?);
    let half = Z * sd / rows.sqrt();
    Some([(mean - half).max(0.0), (mean + half).min(1.0)])
}

/// By the normal law about a half, with the variance that chance gives to the share.
fn p_value(distances: &Distances) -> Option<f64> {
    let credits = credits(distances)?;
    let ties = share(&credits, |credit| credit == 0.5);
    let rows = credits.len() as f64 / design_effect(distances.sides.as_ref()?);
    let variance = (1.0 - ties) / 4.0 / rows;
    let apart = mean_and_sd(&credits).0 - 0.5;
    Some(if variance > 0.0 { above(apart / variance.sqrt()) } else { 1.0 })
}

/// How many times the variance of the share is that of so many credits drawn on their own, at least
/// 1: synthetic rows with the same nearest row are credited together, and which real rows were held
/// out was chance.
///
/// If nothing leaks, each of the real rows of both samples could have been in the other one. A credit
/// moves with a row among the `k` nearest by `2^(1 - k)`, exactly so for `k` up to 2, so that the share
/// is a weighted sum over rows, of which a random half is chosen. A synthetic row with two nearest rows
/// on either side counts as a tie whatever is chosen.
fn design_effect(sides: &Sides) -> f64 {
    let mut weights = [vec![0.0; sides.rows], vec![0.0; sides.rows]];
    let mut alone = 0.0;
    for pairs in sides.train.iter().zip(&sides.holdout) {
        let pairs = [pairs.0, pairs.1];
        let least = pairs[0].distances[0].min(pairs[1].distances[0]);
        let equal = pairs.map(|pair| pair.distances.iter().filter(|&&own| own == least).count());
        if equal == [2, 2] {
            continue;
        }
        let chance = 0.5_f64.powi((equal[0] + equal[1]) as i32);
        alone += chance / 2.0;
        for (side, pair) in pairs.iter().enumerate() {
            pair.rows[..equal[side]].iter().for_each(|&row| weights[side][row] += 2.0 * chance);
        }
    }
    if alone == 0.0 {
        return 1.0;
    }
    let (_, sd) = mean_and_sd(&weights.concat());
    let rows = sides.rows as f64;
    let together = rows * rows / (2.0 * rows - 1.0) * sd * sd;
    (together / alone).max(1.0)
}

/// A copy is closer for sure if its row faces the holdout rows and none of them equals it; else it is
/// any row. Against a half that is known the synthetic rows alone vary.
fn least(distances: &Distances, holdout: &Nearest) -> Option<f64> {
    let ties = share(&credits(distances)?, |credit| credit == 0.5);
    let plain = Law { mean: 0.5, variance: (1.0 - ties) / 4.0 };
    let met = distances.facing_share * (1.0 - share(&holdout.first, |distance| distance == 0.0));
    let copied = Law::share(met + (1.0 - met) / 2.0);
    let rows = distances.rows() as f64 / design_effect(distances.sides.as_ref()?);
    least_share(plain, copied, Sizes::new(rows.max(1.0) as usize, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(distances: [f64; 2], rows: [usize; 2]) -> Pair {
        Pair { distances, rows }
    }

    /// The variance of the share over all choices of a half, counted out.
    #[test]
    fn the_design_effect_is_that_of_all_choices() {
        // Places of six real rows on a line, the first three in training, and of synthetic rows.
        let real: [f64; 6] = [0.0, 2.0, 5.0, 1.0, 7.0, 8.0];
        let synthetic = [-0.2, 0.1, 0.2, 0.3, 0.4, 0.5, 6.0, 7.1, 2.1, 5.2];
        let nearest = |from: f64, rows: &[usize]| {
            let mut found: Vec<(f64, usize)> =
                rows.iter().enumerate().map(|(at, &row)| ((real[row] - from).abs(), at)).collect();
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            pair([found[0].0, found[1].0], [found[0].1, found[1].1])
        };
        let sides = |train: &[usize], holdout: &[usize]| Sides {
            train: synthetic.iter().map(|&from| nearest(from, train)).collect(),
            holdout: synthetic.iter().map(|&from| nearest(from, holdout)).collect(),
            rows: 3,
        };
        let share = |sides: &Sides| {
            let credit = |(train, holdout): (&Pair, &Pair)| match train.distances[0]
                .total_cmp(&holdout.distances[0])
            {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 0.0,
            };
            let credits: Vec<f64> = sides.train.iter().zip(&sides.holdout).map(credit).collect();
            mean_and_sd(&credits).0
        };
        let halves: Vec<Vec<usize>> = (0..64_u32)
            .filter(|chosen| chosen.count_ones() == 3)
            .map(|chosen| (0..6).filter(|row| chosen >> row & 1 == 1).collect())
            .collect();
        let shares: Vec<f64> = halves
            .iter()
            .map(|train| {
                let holdout: Vec<usize> = (0..6).filter(|row| !train.contains(row)).collect();
                share(&sides(train, &holdout))
            })
            .collect();
        let (mean, _) = mean_and_sd(&shares);
        let variance =
            shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
        assert!((mean - 0.5).abs() < 1e-12);
        // Two ties of 10 rows: 8 vary by a quarter, two by an eighth.
        let alone = (8.0 / 4.0 + 2.0 / 8.0) / 100.0;
        let found = design_effect(&sides(&[0, 1, 2], &[3, 4, 5]));
        assert!((found - variance / alone).abs() < 1e-9, "{found} {}", variance / alone);
    }

    #[test]
    fn rows_apart_have_no_effect_and_certain_ties_none() {
        // Each synthetic row has a real row of its own.
        let own = |side: usize| -> Vec<Pair> {
            let distance = |row: usize| if row % 2 == side { 0.0 } else { 0.5 };
            (0..8).map(|row| pair([distance(row), 1.0], [row / 2, 0])).collect()
        };
        assert_eq!(design_effect(&Sides { train: own(0), holdout: own(1), rows: 4 }), 1.0);
        let tied = vec![pair([0.0, 0.0], [0, 1]); 100];
        assert_eq!(design_effect(&Sides { train: tied.clone(), holdout: tied, rows: 50 }), 1.0);
    }
}
