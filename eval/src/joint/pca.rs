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
/// 0..=1. Lower is better; compare with the reference. Undefined
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
        let against = |table: &Table, purpose: &str| -> Result<[f64; 2], Gap> {
            let real = real.as_ref().map_err(Clone::clone)?;
            let other = spectrum(table, MOST_ROWS.min(synthetic.rows()), purpose)?;
            Ok([variance_difference(real, &other), rotation(real, &other)])
        };
        let ours = against(synthetic, "components synthetic rows");
        let holdout = comparison.holdout.filter(|table| table.rows() > 0);
        let theirs = holdout.and_then(|table| against(table, "components holdout rows").ok());
        [VARIANCE, ROTATION]
            .iter()
            .enumerate()
            .map(|(at, kind)| {
                let value = ours.clone().map(|values| values[at]);
                let reading = Reading::new(value, train.rows(), synthetic.rows());
                Score::new(kind, &[], reading).with_reference(theirs.map(|values| values[at]))
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
fn rotation(a: &Spectrum, b: &Spectrum) -> f64 {
    let axes = axes(a, b);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let squares = a.directions[..axes]
        .iter()
        .flat_map(|own| b.directions[..axes].iter().map(move |other| dot(own, other).powi(2)));
    (1.0 - squares.sum::<f64>() / axes as f64).clamp(0.0, 1.0)
}

/// The first number of components, from those that explain enough, after which both spectra fall.
fn axes(a: &Spectrum, b: &Spectrum) -> usize {
    let falls = |spectrum: &Spectrum, axes: usize| {
        let total: f64 = spectrum.variances.iter().sum();
        spectrum.variances[axes - 1] - spectrum.variances[axes] > GAP * total
    };
    let width = a.variances.len();
    (a.axes_for(EXPLAINED)..width).find(|&axes| falls(a, axes) && falls(b, axes)).unwrap_or(width)
}
