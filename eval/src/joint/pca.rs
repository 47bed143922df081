use crate::{
    Comparison, Group, Metric, Score,
    learners::features::Features,
    score::{Gap, Kind, Reading},
    spectrum::Spectrum,
    tables::subsample,
};
use meg_core::Table;

const VARIANCE: Kind = Kind::distance("pca_variance_difference");
const ROTATION: Kind = Kind::distance("pca_rotation");

/// Components of variances that are nearer than this share of all turn freely into each other.
const GAP: f64 = 1e-6;

/// Rows of each table at most.
const MOST_ROWS: usize = 5_000;

/// Share of the training variance that the compared axes explain.
const EXPLAINED: f64 = 0.8;

/// The principal components of training and synthetic rows, compared.
///
/// Rows are numbers and indicators of levels in standard deviations of the training rows (see
/// `Features`; what is constant there is left out). `pca_variance_difference`: half of the sum of
/// absolute differences of the shares of variance along the components, in 0..=1. `pca_rotation`: the
/// mean squared sine of the principal angles between the spaces of the first components of either,
/// as many as explain 80 % of the training variance (more where the next has the same variance), in
/// 0..=1; a component along which no synthetic row moves counts as a right angle, and where all components
/// are needed the score is undefined. Lower is better; compare with the reference. Undefined
/// with fewer than two features or rows, or where no synthetic feature varies. Components of nearly
/// equal variance turn freely, so spaces are compared and not single axes.
#[derive(Debug)]
pub(crate) struct Components;

impl Metric for Components {
    fn name(&self) -> &'static str {
        VARIANCE.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![VARIANCE.name, ROTATION.name]
    }

    fn about(&self) -> &'static str {
        "How near the principal components of synthetic rows come to those of real rows."
    }

    fn group(&self) -> Group {
        Group::Joint
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, seed, .. } = *comparison;
        let features = Features::fit(train, None);
        let spectrum = |table: &Table, wanted: usize, purpose: &str| -> Result<Spectrum, Gap> {
            let design = features.design(table, &subsample(table.rows(), wanted, seed, purpose));
            if design.rows < 2 {
                return Err(Gap::undefined("two rows at least are needed"));
            }
            if design.width < 2 {
                return Err(Gap::undefined("two columns at least must vary in the training rows"));
            }
            let spectrum = Spectrum::fit(&design);
            match spectrum.variances[0] > 0.0 {
                true => Ok(spectrum),
                false => Err(Gap::undefined("nothing varies")),
            }
        };
        let no_row = || Gap::undefined("there is no synthetic row");
        let real = match synthetic.rows() {
            0 => Err(no_row()),
            _ => spectrum(train, MOST_ROWS, "components training rows"),
        };
        let against = |table: &Table, purpose: &str| -> Result<[Result<f64, Gap>; 2], Gap> {
            let real = real.as_ref().map_err(Clone::clone)?;
            let other = spectrum(table, MOST_ROWS.min(synthetic.rows()), purpose)?;
            Ok([Ok(variance_difference(real, &other)), rotation(real, &other)])
        };
        let ours = against(synthetic, "components synthetic rows");
        let holdout = comparison.holdout.filter(|table| table.rows() > 0);
        let theirs = holdout.and_then(|table| against(table, "components holdout rows").ok());
        [VARIANCE, ROTATION]
            .iter()
            .enumerate()
            .map(|(at, kind)| {
                let value = ours.clone().and_then(|values| values[at].clone());
                let reading = Reading::new(value, train.rows(), synthetic.rows());
                Score::new(kind, &[], reading)
                    .with_reference(theirs.as_ref().and_then(|values| values[at].clone().ok()))
            })
            .collect()
    }
}

fn variance_difference(a: &Spectrum, b: &Spectrum) -> f64 {
    let pairs = a.ratios().into_iter().zip(b.ratios());
    (pairs.map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0).min(1.0)
}

/// The squared cosines of the principal angles are the squared singular values of the matrix of
/// products of directions, whose sum is that of the squared products.
fn rotation(real: &Spectrum, other: &Spectrum) -> Result<f64, Gap> {
    let axes = axes(real)
        .ok_or_else(|| Gap::undefined("80 % of the training variance takes all components"))?;
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let within = |direction: &[f64]| {
        real.directions[..axes].iter().map(|own| dot(own, direction).powi(2)).sum::<f64>()
    };
    let weights = weights(other, axes);
    let squares: f64 = other
        .directions
        .iter()
        .zip(weights)
        .map(|(direction, weight)| if weight > 0.0 { weight * within(direction) } else { 0.0 })
        .sum();
    Ok((1.0 - squares / axes as f64).clamp(0.0, 1.0))
}

/// From those that explain enough, the first number of components after which the training
/// variance falls to something; `None` where nothing is left over to be confused with.
fn axes(real: &Spectrum) -> Option<usize> {
    let least = least(real);
    let variances = &real.variances;
    (real.axes_for(EXPLAINED)..variances.len())
        .find(|&at| variances[at] > least && variances[at - 1] - variances[at] > least)
}

/// How much of each direction belongs to the first components: 1 before the cut, 0 after it and
/// where no row moves; in a block of equal variances across the cut, what a random turn would put
/// before it.
fn weights(other: &Spectrum, axes: usize) -> Vec<f64> {
    let least = least(other);
    let cut = other.variances[axes - 1];
    let before = other.variances.iter().filter(|&&own| own > cut + least).count();
    let block = other.variances.iter().filter(|&&own| (own - cut).abs() <= least).count();
    let weight = |&own: &f64| match own {
        own if own <= least => 0.0,
        own if own > cut + least => 1.0,
        own if own >= cut - least => (axes - before) as f64 / block as f64,
        _ => 0.0,
    };
    other.variances.iter().map(weight).collect()
}

/// Variance that counts as none.
fn least(spectrum: &Spectrum) -> f64 {
    GAP * spectrum.variances.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Schema, Seed};
    use rand::Rng as _;
    use std::sync::Arc;

    /// Two numbers that move together (or against each other), and four that add little; all but
    /// the first `moving` stand still.
    fn table(seed: u64, sign: f64, moving: usize) -> Table {
        let mut rng = Seed(seed).stream("rows");
        let specs = (0..6).map(|at| ColumnSpec::number(format!("c{at}"), 3)).collect();
        let mut columns = vec![Vec::new(); 6];
        for _ in 0..400 {
            let common: f64 = rng.random_range(-100.0..100.0);
            let signs = [1.0, sign, 1.0, sign, 1.0, sign];
            for (at, (column, sign)) in columns.iter_mut().zip(signs).enumerate() {
                let own = sign * common + rng.random_range(-40.0..40.0);
                column.push(if at < moving { f64::round(own) } else { 0.0 });
            }
        }
        let columns = columns.into_iter().map(Column::Numbers).collect();
        Table::new(Arc::new(Schema::new(specs).unwrap()), columns).unwrap()
    }

    #[test]
    fn a_turned_and_a_collapsed_table_are_turned_away() {
        let train = table(1, 1.0, 6);
        let features = Features::fit(&train, None);
        let against = |table: &Table| {
            let rows: Vec<usize> = (0..400).collect();
            let real = Spectrum::fit(&features.design(&train, &rows));
            rotation(&real, &Spectrum::fit(&features.design(table, &rows))).unwrap()
        };
        assert!(against(&train) < 1e-12);
        let fresh = against(&table(2, 1.0, 6));
        let turned = against(&table(3, -1.0, 6));
        let collapsed = against(&table(4, 1.0, 1));
        assert!(fresh < 0.05 && turned > 0.9 && collapsed > 0.5, "{fresh} {turned} {collapsed}");
    }

    #[test]
    fn a_space_of_all_components_cannot_turn() {
        let spectrum = |variances: &[f64]| Spectrum {
            means: vec![0.0; 2],
            variances: variances.to_vec(),
            directions: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
        };
        assert!(rotation(&spectrum(&[1.5, 0.5]), &spectrum(&[1.0, 1.0])).is_err());
        assert!(
            (rotation(&spectrum(&[1.9, 0.1]), &spectrum(&[1.0, 1.0])).unwrap() - 0.5).abs() < 1e-12
        );
    }
}
