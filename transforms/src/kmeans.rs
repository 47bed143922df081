use meg_core::Rng;
use rand::Rng as _;

/// One-dimensional k-means over sorted distinct values with weights: the start of the mixture.
///
/// Seeds by k-means++ and iterates Lloyd's step to a fixed point. Clusters of sorted values are
/// intervals, so prefix sums make a step cost `k log n`. Returns, for each value, its cluster;
/// every cluster below the returned maximum holds at least one value.
pub(crate) fn clusters(values: &[f64], weights: &[f64], k: usize, rng: &mut Rng) -> Vec<usize> {
    let mut centres = plus_plus(values, weights, k.min(values.len()), rng);
    let prefix = Prefix::new(values, weights);
    let mut cuts = vec![0; centres.len() + 1];
    for _ in 0..300 {
        centres.sort_by(f64::total_cmp);
        let next = boundaries(values, &centres);
        let settled = next == cuts;
        cuts = next;
        if settled {
            break;
        }
        for (at, centre) in centres.iter_mut().enumerate() {
            if let Some(mean) = prefix.mean(cuts[at], cuts[at + 1]) {
                *centre = mean;
            }
        }
    }
    let mut labels = vec![0; values.len()];
    let filled = cuts.windows(2).filter(|window| window[0] < window[1]);
    for (label, window) in filled.enumerate() {
        labels[window[0]..window[1]].fill(label);
    }
    labels
}

fn plus_plus(values: &[f64], weights: &[f64], k: usize, rng: &mut Rng) -> Vec<f64> {
    let mut distance = vec![f64::INFINITY; values.len()];
    let mut chance: Vec<f64> = weights.to_vec();
    let mut centres = Vec::with_capacity(k);
    while centres.len() < k {
        let total: f64 = chance.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut left = rng.random::<f64>() * total;
        let found = chance.iter().position(|&mass| {
            left -= mass;
            left < 0.0
        });
        let centre = values[found.unwrap_or(values.len() - 1)];
        centres.push(centre);
        for (((mass, nearest), &value), &weight) in
            chance.iter_mut().zip(&mut distance).zip(values).zip(weights)
        {
            *nearest = nearest.min((value - centre).powi(2));
            *mass = *nearest * weight;
        }
    }
    centres
}

/// First position of each cluster, and the end: values go to their nearest centre.
fn boundaries(values: &[f64], centres: &[f64]) -> Vec<usize> {
    let between = centres
        .windows(2)
        .map(|pair| values.partition_point(|&value| value <= 0.5 * (pair[0] + pair[1])));
    std::iter::once(0).chain(between).chain([values.len()]).collect()
}

struct Prefix {
    weight: Vec<f64>,
    moment: Vec<f64>,
}

impl Prefix {
    fn new(values: &[f64], weights: &[f64]) -> Self {
        let running = |terms: &mut dyn Iterator<Item = f64>| {
            let mut sum = 0.0;
            std::iter::once(0.0)
                .chain(terms.map(|term| {
                    sum += term;
                    sum
                }))
                .collect()
        };
        Self {
            weight: running(&mut weights.iter().copied()),
            moment: running(&mut values.iter().zip(weights).map(|(value, weight)| value * weight)),
        }
    }

    fn mean(&self, from: usize, to: usize) -> Option<f64> {
        let weight = self.weight[to] - self.weight[from];
        (weight > 0.0).then(|| (self.moment[to] - self.moment[from]) / weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    #[test]
    fn separated_groups_are_found() {
        let values = [0.0, 0.1, 0.2, 5.0, 5.1, 9.0, 9.1, 9.2];
        let labels = clusters(&values, &[1.0; 8], 3, &mut Seed(1).stream("kmeans"));
        assert_eq!(labels, [0, 0, 0, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn more_clusters_than_values_leave_no_empty_one() {
        let labels = clusters(&[1.0, 2.0], &[3.0, 1.0], 10, &mut Seed(1).stream("kmeans"));
        assert_eq!(labels, [0, 1]);
    }
}
