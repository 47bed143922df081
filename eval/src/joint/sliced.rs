use crate::{
    Comparison, Group, Metric, Score,
    fidelity::half_distance,
    learners::features::{Design, Features},
    parallel,
    score::{Gap, Kind, Reading},
    tables::subsample,
};
use meg_core::{Rng, Table};
use rand::Rng as _;

const KIND: Kind = Kind::unbounded("sliced_wasserstein");

/// Directions.
const SLICES: usize = 128;

/// Rows of each table at most.
const MOST_ROWS: usize = 10_000;

/// The mean over 128 random directions of Wasserstein's distance between training and synthetic
/// rows along the direction.
///
/// Rows are numbers and indicators of levels in standard deviations of the training rows (see
/// `Features`). From 0 up, lower is better, and never 0 for another sample of the same law: compare
/// with the reference. The directions come from the seed. Undefined without rows or where no column
/// varies in training. Source: Rabin et al. (2012).
#[derive(Debug)]
pub(crate) struct SlicedWasserstein;

impl Metric for SlicedWasserstein {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn about(&self) -> &'static str {
        "How far synthetic rows have to be moved along random directions to become the real ones."
    }

    fn group(&self) -> Group {
        Group::Joint
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, seed, .. } = *comparison;
        let gap = match (train.rows(), synthetic.rows()) {
            (0, _) => Some(Gap::undefined("there is no training row")),
            (_, 0) => Some(Gap::undefined("there is no synthetic row")),
            _ => None,
        };
        let features = Features::fit(train, None);
        let rows = |table: &Table, purpose: &str| {
            let wanted = MOST_ROWS.min(synthetic.rows());
            features.design(table, &subsample(table.rows(), wanted, seed, purpose))
        };
        let value = match gap {
            Some(gap) => Err(gap),
            None => {
                let all = subsample(train.rows(), MOST_ROWS, seed, "sliced training rows");
                let real = features.design(train, &all);
                let mut rng = seed.stream("slices");
                let slices: Vec<Vec<f64>> =
                    (0..SLICES).map(|_| direction(real.width, &mut rng)).collect();
                let distance = |other: &Design| sliced(&real, other, &slices, comparison.threads);
                match real.width {
                    0 => Err(Gap::undefined("no column varies in the training rows")),
                    _ => {
                        let holdout = comparison.holdout.filter(|table| table.rows() > 0);
                        let reference =
                            holdout.map(|table| distance(&rows(table, "sliced holdout rows")));
                        Ok((distance(&rows(synthetic, "sliced synthetic rows")), reference))
                    }
                }
            }
        };
        let reference = value.as_ref().ok().and_then(|(_, reference)| *reference);
        let reading = Reading::new(value.map(|(value, _)| value), train.rows(), synthetic.rows());
        vec![Score::new(&KIND, &[], reading).with_reference(reference)]
    }
}

fn sliced(real: &Design, other: &Design, slices: &[Vec<f64>], threads: usize) -> f64 {
    let distances = parallel::map(threads, slices.len(), |at| {
        let along = |design: &Design| {
            let mut places: Vec<f64> = design
                .values
                .chunks_exact(design.width)
                .map(|row| row.iter().zip(&slices[at]).map(|(a, b)| a * b).sum())
                .collect();
            places.sort_unstable_by(f64::total_cmp);
            places
        };
        2.0 * half_distance(&along(real), &along(other))
    });
    distances.iter().sum::<f64>() / slices.len() as f64
}

/// A direction of length 1, every one as likely.
fn direction(width: usize, rng: &mut Rng) -> Vec<f64> {
    let normal = |rng: &mut Rng| {
        // Box and Muller's transform; 1 - u is never 0.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    };
    let parts: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
    let length = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
    parts.into_iter().map(|part| part / length).collect()
}
