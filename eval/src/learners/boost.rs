use super::{
    bins::Binned,
    tree::{Growth, Tree},
};

/// Gradient-boosted histogram trees: additive trees, each fitted to the derivatives of the loss at
/// the sum of those before it.
///
/// Log loss for classes (one tree a round for two classes, one per class for more), squared error
/// for numbers. There is nothing random in it. Defaults as in scikit-learn's
/// `HistGradientBoosting*`: 100 rounds, rate 0.1, 31 leaves of at least 20 rows, no penalty; unlike
/// it, there is no early stopping, categories are split as sets (Ke et al. 2017, LightGBM), and a
/// leaf moves a class by at most one unit of log-odds a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boosting {
    pub(crate) rounds: usize,
    pub(crate) rate: f64,
    pub(crate) growth: Growth,
    pub(crate) threads: usize,
}

/// Log-odds that one tree may add or take.
const LARGEST_STEP: f64 = 1.0;

impl Boosting {
    pub(crate) const fn usual(threads: usize) -> Self {
        let growth = Growth { leaves: 31, least_rows: 20, most_value: f64::INFINITY };
        Self { rounds: 100, rate: 0.1, growth, threads }
    }

    /// Fits classes `0..classes`, each of which needs at least one row, and of which there are at
    /// least two.
    pub(crate) fn fit_classes(&self, data: &Binned, labels: &[usize], classes: usize) -> Boosted {
        let rows = data.rows;
        let mut shares = vec![0.0f64; classes];
        labels.iter().for_each(|&label| shares[label] += 1.0 / rows as f64);
        let start: Vec<f64> = match classes {
            2 => vec![(shares[1] / shares[0]).ln()],
            _ => shares.iter().map(|share| share.ln()).collect(),
        };
        let lines = start.len();
        let slopes = |scores: &[f64], line: usize, gradients: &mut [f64], hessians: &mut [f64]| {
            let mut shares = vec![0.0; classes];
            for row in 0..rows {
                probabilities(&scores[row * lines..][..lines], &mut shares);
                let class = if lines == 1 { 1 } else { line };
                let share = shares[class];
                gradients[row] = share - f64::from(u8::from(labels[row] == class));
                hessians[row] = (share * (1.0 - share)).max(1e-16);
            }
        };
        // A parabola follows the log loss only near by. Where two rows of twenty have a class that
        // is expected once in thousands, its minimum lies hundreds of units away, and one such leaf
        // turns all rows of a table over to a class that hardly occurs.
        let growth = Growth { most_value: LARGEST_STEP / self.rate, ..self.growth };
        Self { growth, ..*self }.fit(data, start, slopes)
    }

    /// Fits numbers; they should be of the order of 1.
    pub(crate) fn fit_numbers(&self, data: &Binned, targets: &[f64]) -> Boosted {
        let mean = targets.iter().sum::<f64>() / targets.len() as f64;
        let slopes = |scores: &[f64], _: usize, gradients: &mut [f64], hessians: &mut [f64]| {
            for ((gradient, score), target) in gradients.iter_mut().zip(scores).zip(targets) {
                *gradient = score - target;
            }
            hessians.fill(1.0);
        };
        self.fit(data, vec![mean], slopes)
    }

    fn fit(
        &self,
        data: &Binned,
        start: Vec<f64>,
        slopes: impl Fn(&[f64], usize, &mut [f64], &mut [f64]),
    ) -> Boosted {
        let (rows, lines) = (data.rows, start.len());
        let mut scores = start.repeat(rows);
        let (mut gradients, mut hessians) = (vec![0.0; rows], vec![0.0; rows]);
        let mut gains = vec![0.0; data.features.len()];
        let mut rounds = Vec::with_capacity(self.rounds);
        for _ in 0..self.rounds {
            let before = scores.clone();
            let mut trees = Vec::with_capacity(lines);
            for line in 0..lines {
                slopes(&before, line, &mut gradients, &mut hessians);
                let slopes = (&gradients[..], &hessians[..]);
                let tree = Tree::grow(data, slopes, self.growth, self.threads, &mut gains);
                for row in 0..rows {
                    scores[row * lines + line] += self.rate * tree.value(data, row);
                }
                trees.push(tree);
            }
            // The loss is flat to every feature: no later round can differ.
            if trees.iter().all(Tree::is_stump) {
                break;
            }
            rounds.push(trees);
        }
        Boosted { start, rounds, rate: self.rate, gains }
    }
}

/// A fitted sum of trees.
#[derive(Debug)]
pub(crate) struct Boosted {
    start: Vec<f64>,
    /// Per round a tree per line.
    rounds: Vec<Vec<Tree>>,
    rate: f64,
    /// What each feature gained, in units of the training loss.
    pub(crate) gains: Vec<f64>,
}

impl Boosted {
    /// Probabilities, row after row, as many as there are classes.
    pub(crate) fn probabilities(&self, data: &Binned) -> Vec<f64> {
        let lines = self.start.len();
        let classes = lines.max(2);
        let scores = self.scores(data);
        let mut shares = vec![0.0; data.rows * classes];
        for (scores, shares) in scores.chunks_exact(lines).zip(shares.chunks_exact_mut(classes)) {
            probabilities(scores, shares);
        }
        shares
    }

    /// The sums of the trees, row after row: predictions for numbers.
    pub(crate) fn scores(&self, data: &Binned) -> Vec<f64> {
        let lines = self.start.len();
        let mut scores = self.start.repeat(data.rows);
        for trees in &self.rounds {
            for (line, tree) in trees.iter().enumerate() {
                for row in 0..data.rows {
                    scores[row * lines + line] += self.rate * tree.value(data, row);
                }
            }
        }
        scores
    }
}

/// Log-odds of two classes, or logarithms of more up to a constant, as probabilities.
fn probabilities(scores: &[f64], shares: &mut [f64]) {
    if let [score] = scores {
        shares[1] = 1.0 / (1.0 + (-score).exp());
        shares[0] = 1.0 - shares[1];
        return;
    }
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    shares.iter_mut().zip(scores).for_each(|(share, score)| *share = (score - most).exp());
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
}

#[cfg(test)]
mod tests {
    use super::super::bins::BinnedFeature;
    use super::*;
    use meg_core::Seed;
    use rand::Rng as _;

    fn feature(cells: Vec<u8>, bins: usize, ordered: bool) -> BinnedFeature {
        BinnedFeature { bins, ordered, cells }
    }

    fn data(features: Vec<BinnedFeature>) -> Binned {
        Binned { rows: features[0].cells.len(), features }
    }

    fn accuracy(shares: &[f64], labels: &[usize], classes: usize) -> f64 {
        let hit = |(row, &label): (&[f64], &usize)| {
            row[label] > 1.0 / classes as f64 && { row.iter().all(|share| *share <= row[label]) }
        };
        let hits =
            shares.chunks_exact(classes).zip(labels).filter(|(row, label)| hit((row, label)));
        hits.count() as f64 / labels.len() as f64
    }

    /// Two ordered features that say nothing alone and everything together.
    fn exclusive_or(rows: usize) -> (Binned, Vec<usize>) {
        let mut rng = Seed(1).stream("xor");
        let mut column = || (0..rows).map(|_| rng.random_range(0..50u8)).collect::<Vec<_>>();
        let (a, b) = (column(), column());
        let labels = a.iter().zip(&b).map(|(a, b)| usize::from((*a < 25) != (*b < 30))).collect();
        (data(vec![feature(a, 51, true), feature(b, 51, true)]), labels)
    }

    #[test]
    fn learns_what_no_single_feature_shows() {
        let (data, labels) = exclusive_or(1_000);
        let model = Boosting::usual(1).fit_classes(&data, &labels, 2);
        assert!(accuracy(&model.probabilities(&data), &labels, 2) > 0.99);
        assert!(model.gains.iter().all(|gain| *gain > 1.0));
    }

    #[test]
    fn threads_change_nothing() {
        // Enough rows for the threads to be used.
        let (data, labels) = exclusive_or(60_000);
        let boosting = |threads| Boosting { rounds: 3, ..Boosting::usual(threads) };
        let one = boosting(1).fit_classes(&data, &labels, 2).probabilities(&data);
        assert_eq!(one, boosting(3).fit_classes(&data, &labels, 2).probabilities(&data));
    }

    #[test]
    fn missing_cells_are_an_answer() {
        // The label is whether the cell is missing; the last bin is that of missing cells.
        let cells: Vec<u8> =
            (0..400).map(|row| if row % 4 == 0 { 10 } else { row as u8 % 10 }).collect();
        let labels: Vec<usize> = cells.iter().map(|&cell| usize::from(cell == 10)).collect();
        let data = data(vec![feature(cells, 11, true)]);
        let model = Boosting::usual(1).fit_classes(&data, &labels, 2);
        let shares = model.probabilities(&data);
        assert!(shares.chunks_exact(2).zip(&labels).all(|(row, &label)| row[label] > 0.95));
    }

    #[test]
    fn levels_are_split_as_sets() {
        // Odd levels are one class, even levels the other: no order of the bins helps.
        let cells: Vec<u8> = (0..2_000).map(|row| (row % 10) as u8).collect();
        let labels: Vec<usize> = cells.iter().map(|&cell| usize::from(cell % 2 == 0)).collect();
        let data = data(vec![feature(cells, 11, false)]);
        let one = Boosting {
            growth: Growth { leaves: 2, ..Boosting::usual(1).growth },
            ..Boosting::usual(1)
        };
        let model = one.fit_classes(&data, &labels, 2);
        assert_eq!(accuracy(&model.probabilities(&data), &labels, 2), 1.0);
    }

    #[test]
    fn three_classes_and_numbers() {
        let cells: Vec<u8> = (0..900).map(|row| (row % 30) as u8).collect();
        let labels: Vec<usize> = cells.iter().map(|&cell| usize::from(cell) / 10).collect();
        let data = data(vec![feature(cells.clone(), 31, true)]);
        let model = Boosting::usual(1).fit_classes(&data, &labels, 3);
        let shares = model.probabilities(&data);
        assert_eq!(accuracy(&shares, &labels, 3), 1.0);
        assert!(shares.chunks_exact(3).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        let targets: Vec<f64> = cells.iter().map(|&cell| (f64::from(cell) / 5.0).sin()).collect();
        let fitted = Boosting::usual(1).fit_numbers(&data, &targets).scores(&data);
        let error: f64 = fitted.iter().zip(&targets).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(error / 900.0 < 1e-4, "{error}");
    }

    #[test]
    fn a_class_of_two_rows_leaves_the_others_alone() {
        // A grid of eight features of three levels; two neighbours on it are of the rare class.
        let cell = |row: usize, at: u32| (row / 3usize.pow(at) % 3) as u8;
        let features = (0..8)
            .map(|at| feature((0..6_561).map(|row| cell(row, at)).collect(), 4, false))
            .collect();
        let data = data(features);
        let class = |row| usize::from(cell(row, 0) + 2 * cell(row, 3) + cell(row, 5)) / 3;
        let mut labels: Vec<usize> = (0..6_561).map(class).collect();
        labels[0] = 3;
        labels[1] = 3;
        let model = Boosting::usual(1).fit_classes(&data, &labels, 4);
        let accuracy = accuracy(&model.probabilities(&data), &labels, 4);
        assert!(accuracy > 0.999, "{accuracy}");
    }

    #[test]
    fn noise_gives_even_odds_and_few_rows_give_the_mean() {
        let data = data(vec![feature(vec![0, 1, 0, 1, 0, 1], 3, true)]);
        let model = Boosting::usual(1).fit_classes(&data, &[0, 0, 0, 0, 1, 1], 2);
        assert!(
            model
                .probabilities(&data)
                .chunks_exact(2)
                .all(|row| (row[1] - 1.0 / 3.0).abs() < 1e-12)
        );
    }
}
