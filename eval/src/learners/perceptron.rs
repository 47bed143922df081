use super::{
    classify::{Predictions, Present},
    features::Design,
};
use crate::tables::shuffle_front;
use meg_core::{Rng, Seed};
use ndarray::{Array2, ArrayView2, Axis, linalg::general_mat_mul};
use rand::Rng as _;

/// Rows of a batch.
const BATCH: usize = 200;

/// Weight of the squared weights, which is divided by the rows of a batch.
const PENALTY: f32 = 1e-4;

/// Adam's (Kingma and Ba 2015) rate and its two memories.
const RATE: f64 = 1e-3;
const MEMORIES: [f64; 2] = [0.9, 0.999];

/// Epochs that lower the loss by less than this do not count, and after more than so many of them
/// in a row the training ends.
const LEAST_GAIN: f64 = 1e-4;
const PATIENCE: usize = 10;

/// A network with one hidden layer of rectified units, trained by Adam on shuffled batches: the
/// defaults of scikit-learn's `MLPClassifier` and `MLPRegressor`, first weights, penalty and early
/// end included; in single precision.
///
/// One thread trains one network, so the number of threads changes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Perceptron {
    pub(crate) hidden: usize,
    pub(crate) epochs: usize,
}

impl Perceptron {
    /// scikit-learn's defaults.
    pub(crate) const USUAL: Self = Self { hidden: 100, epochs: 200 };

    /// One unit for two classes, one per class for more; log loss.
    pub(crate) fn predict(
        self,
        train: &Design,
        labels: &[usize],
        test: &Design,
        classes: usize,
        seed: Seed,
    ) -> Result<Predictions, String> {
        let present = Present::of(labels, classes);
        let kinds = present.classes.len();
        let units = if kinds == 2 { 1 } else { kinds };
        let wanted = Array2::from_shape_fn((train.rows, units), |(row, unit)| {
            let class = if kinds == 2 { 1 } else { unit };
            f32::from(u8::from(present.labels[row] == class))
        });
        let answer = if kinds == 2 { Answer::Chance } else { Answer::Shares };
        let answers = self.fit(train, &wanted, answer, seed)?.answers(test, answer)?;
        let shares: Vec<f64> = match answer {
            Answer::Chance => {
                answers.into_iter().flat_map(|chance| [1.0 - chance, chance]).collect()
            }
            _ => answers,
        };
        Ok(present.spread(&shares))
    }

    /// Squared error; the numbers should be of the order of 1.
    pub(crate) fn predict_numbers(
        self,
        train: &Design,
        numbers: &[f64],
        test: &Design,
        seed: Seed,
    ) -> Result<Vec<f64>, String> {
        let wanted = Array2::from_shape_fn((train.rows, 1), |(row, _)| numbers[row] as f32);
        self.fit(train, &wanted, Answer::Number, seed)?.answers(test, Answer::Number)
    }

    fn fit(
        self,
        train: &Design,
        wanted: &Array2<f32>,
        answer: Answer,
        seed: Seed,
    ) -> Result<Network, String> {
        let mut rng = seed.stream("perceptron");
        let mut network = Network::new([train.width, self.hidden, wanted.ncols()], &mut rng);
        let mut order: Vec<usize> = (0..train.rows).collect();
        let (mut best, mut in_vain) = (f64::INFINITY, 0);
        for epoch in 0..self.epochs {
            let rows = order.len();
            shuffle_front(&mut order, rows, &mut rng);
            let mut loss = 0.0;
            for batch in order.chunks(BATCH) {
                let wanted = wanted.select(Axis(0), batch);
                loss += network.step(&gathered(train, batch), &wanted, answer);
            }
            loss /= rows as f64;
            if !loss.is_finite() {
                return Err(format!("the perceptron's loss became {loss} in epoch {}", epoch + 1));
            }
            in_vain = if loss > best - LEAST_GAIN { in_vain + 1 } else { 0 };
            best = best.min(loss);
            if in_vain > PATIENCE {
                break;
            }
        }
        Ok(network)
    }
}

/// What the last layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// One probability.
    Chance,
    /// Probabilities that add up to 1.
    Shares,
    Number,
}

impl Answer {
    /// Turns sums into answers.
    fn apply(self, sums: &mut Array2<f32>) {
        match self {
            Self::Chance => sums.mapv_inplace(|sum| 1.0 / (1.0 + (-sum).exp())),
            Self::Shares => {
                for mut row in sums.rows_mut() {
                    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    row.mapv_inplace(|sum| (sum - most).exp());
                    let total = row.sum();
                    row.mapv_inplace(|share| share / total);
                }
            }
            Self::Number => {}
        }
    }

    /// The loss of a batch, summed over its rows. Its slope by the sums before [`Answer::apply`] is
    /// the answers minus what was wanted, in all three cases.
    fn loss(self, answers: &Array2<f32>, wanted: &Array2<f32>) -> f64 {
        let log = |share: f32| f64::from(share).max(1e-15).ln();
        let own = |(&answer, &wanted): (&f32, &f32)| match self {
            Self::Chance if wanted > 0.5 => -log(answer),
            Self::Chance => -log(1.0 - answer),
            Self::Shares if wanted > 0.5 => -log(answer),
            Self::Shares => 0.0,
            Self::Number => f64::from(answer - wanted).powi(2) / 2.0,
        };
        answers.iter().zip(wanted).map(own).sum()
    }
}

/// Weights and intercepts of both layers, and Adam's memories of each.
#[derive(Debug)]
struct Network {
    layers: [[Parameter; 2]; 2],
    steps: i32,
}

impl Network {
    /// Evenly drawn first weights and intercepts (Glorot and Bengio 2010).
    fn new([inputs, hidden, outputs]: [usize; 3], rng: &mut Rng) -> Self {
        let mut layer = |from: usize, to: usize| {
            let bound = (6.0 / (from + to) as f64).sqrt() as f32;
            let mut draw = |rows| {
                Parameter::new(Array2::from_shape_fn((rows, to), |_| {
                    rng.random_range(-bound..bound)
                }))
            };
            [draw(from), draw(1)]
        };
        Self { layers: [layer(inputs, hidden), layer(hidden, outputs)], steps: 0 }
    }

    fn sums(&self, layer: usize, inputs: &Array2<f32>) -> Array2<f32> {
        let [weights, intercepts] = &self.layers[layer];
        let shape = (inputs.nrows(), weights.value.ncols());
        let mut sums = Array2::zeros(shape);
        sums.assign(&intercepts.value);
        general_mat_mul(1.0, inputs, &weights.value, 1.0, &mut sums);
        sums
    }

    fn forward(&self, inputs: &Array2<f32>, answer: Answer) -> [Array2<f32>; 2] {
        let mut hidden = self.sums(0, inputs);
        // Not `max`, which would turn NaN into 0 and hide it.
        hidden.mapv_inplace(|sum| if sum < 0.0 { 0.0 } else { sum });
        let mut answers = self.sums(1, &hidden);
        answer.apply(&mut answers);
        [hidden, answers]
    }

    /// One step on a batch; its loss before the step, summed over its rows, with the penalty.
    fn step(&mut self, inputs: &Array2<f32>, wanted: &Array2<f32>, answer: Answer) -> f64 {
        let [hidden, answers] = self.forward(inputs, answer);
        let loss = answer.loss(&answers, wanted);
        let penalty: f64 = self
            .layers
            .iter()
            .map(|[weights, _]| weights.value.iter().map(|own| f64::from(own * own)).sum::<f64>())
            .sum();
        let slopes = self.slopes(inputs, &hidden, answers - wanted);
        self.steps += 1;
        let own = self.layers.as_flattened_mut().iter_mut();
        own.zip(&slopes).for_each(|(parameter, slope)| parameter.step(slope, self.steps));
        loss + 0.5 * f64::from(PENALTY) * penalty
    }

    /// The slopes of the mean loss by both layers' weights and intercepts, given those of the sum by
    /// the last layer's sums.
    fn slopes(
        &self,
        inputs: &Array2<f32>,
        hidden: &Array2<f32>,
        outer: Array2<f32>,
    ) -> [Array2<f32>; 4] {
        let mut inner = Array2::zeros(hidden.raw_dim());
        general_mat_mul(1.0, &outer, &self.layers[1][0].value.t(), 0.0, &mut inner);
        inner.zip_mut_with(hidden, |slope, &unit| {
            if unit <= 0.0 {
                *slope = 0.0;
            }
        });
        let rows = inputs.nrows() as f32;
        let of = |layer: usize, inputs: ArrayView2<'_, f32>, sums: &Array2<f32>| {
            let mut weights = self.layers[layer][0].value.clone();
            general_mat_mul(1.0 / rows, &inputs.t(), sums, PENALTY / rows, &mut weights);
            [weights, sums.sum_axis(Axis(0)).insert_axis(Axis(0)) / rows]
        };
        let [first, first_intercepts] = of(0, inputs.view(), &inner);
        let [second, second_intercepts] = of(1, hidden.view(), &outer);
        [first, first_intercepts, second, second_intercepts]
    }

    /// Answers for all rows, one after the other.
    fn answers(&self, test: &Design, answer: Answer) -> Result<Vec<f64>, String> {
        let rows: Vec<usize> = (0..test.rows).collect();
        let answers = |rows: &[usize]| {
            let [_, answers] = self.forward(&gathered(test, rows), answer);
            answers.into_iter().map(f64::from).collect::<Vec<_>>()
        };
        let answers: Vec<f64> = rows.chunks(BATCH).flat_map(answers).collect();
        match answers.iter().all(|answer| answer.is_finite()) {
            true => Ok(answers),
            false => Err("the perceptron diverged".into()),
        }
    }
}

#[derive(Debug)]
struct Parameter {
    value: Array2<f32>,
    mean: Array2<f32>,
    square: Array2<f32>,
}

impl Parameter {
    fn new(value: Array2<f32>) -> Self {
        let zeros = || Array2::zeros(value.raw_dim());
        Self { mean: zeros(), square: zeros(), value }
    }

    fn step(&mut self, slope: &Array2<f32>, steps: i32) {
        let [first, second] = MEMORIES;
        let rate = RATE * (1.0 - second.powi(steps)).sqrt() / (1.0 - first.powi(steps));
        let (rate, first, second) = (rate as f32, first as f32, second as f32);
        ndarray::Zip::from(&mut self.value)
            .and(&mut self.mean)
            .and(&mut self.square)
            .and(slope)
            .for_each(|value, mean, square, &slope| {
                *mean = first * *mean + (1.0 - first) * slope;
                *square = second * *square + (1.0 - second) * slope * slope;
                *value -= rate * *mean / (square.sqrt() + 1e-8);
            });
    }
}

fn gathered(design: &Design, rows: &[usize]) -> Array2<f32> {
    Array2::from_shape_fn((rows.len(), design.width), |(at, column)| {
        design.values[rows[at] * design.width + column] as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(rows: usize, purpose: &str) -> Design {
        let mut rng = Seed(8).stream(purpose);
        let values = (0..rows * 3).map(|_| rng.random_range(-1.5..1.5)).collect();
        Design { rows, width: 3, values }
    }

    fn labels(design: &Design, law: fn(&[f64]) -> usize) -> Vec<usize> {
        design.values.chunks_exact(3).map(law).collect()
    }

    const SMALL: Perceptron = Perceptron { hidden: 30, epochs: 300 };

    fn accuracy(law: fn(&[f64]) -> usize, classes: usize) -> f64 {
        let (train, test) = (design(1_000, "train"), design(500, "test"));
        let own = labels(&train, law);
        let predictions = SMALL.predict(&train, &own, &test, classes, Seed(1)).unwrap();
        predictions.accuracy(&labels(&test, law)).unwrap()
    }

    #[test]
    fn learns_lines_circles_and_an_exclusive_or() {
        assert!(accuracy(|row| usize::from(row[0] + row[1] > row[2]), 2) > 0.97);
        assert!(accuracy(|row| usize::from(row[0] * row[0] + row[1] * row[1] < 1.2), 2) > 0.95);
        assert!(accuracy(|row| usize::from((row[0] > 0.0) != (row[1] > 0.0)), 2) > 0.95);
        assert!(accuracy(|row| (row[0] + 1.5) as usize, 3) > 0.95);
    }

    #[test]
    fn numbers_are_learned_and_noise_is_not() {
        let (train, test) = (design(1_000, "train"), design(500, "test"));
        let law = |row: &[f64]| row[0] * row[1] + row[2].abs();
        let of = |design: &Design| design.values.chunks_exact(3).map(law).collect::<Vec<_>>();
        let truth = of(&test);
        let guesses = SMALL.predict_numbers(&train, &of(&train), &test, Seed(1)).unwrap();
        let error: f64 = guesses.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum();
        let mean = truth.iter().sum::<f64>() / 500.0;
        let variance: f64 = truth.iter().map(|b| (b - mean).powi(2)).sum();
        assert!(error < 0.05 * variance, "{error} of {variance}");
        let mut rng = Seed(9).stream("coins");
        let coins: Vec<usize> = (0..1_000).map(|_| rng.random_range(0..2)).collect();
        let guesses = SMALL.predict(&train, &coins, &test, 2, Seed(1)).unwrap();
        let auc = guesses.auc(&labels(&test, |row| usize::from(row[0] > 0.0))).unwrap();
        assert!((auc - 0.5).abs() < 0.25, "{auc}");
    }

    #[test]
    fn the_same_seed_gives_the_same_network() {
        let (train, test) = (design(300, "train"), design(100, "test"));
        let numbers: Vec<f64> = train.values.chunks_exact(3).map(|row| row[0]).collect();
        let of = |seed| SMALL.predict_numbers(&train, &numbers, &test, Seed(seed)).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn slopes_are_derivatives() {
        for (answer, units) in [(Answer::Chance, 1), (Answer::Shares, 3), (Answer::Number, 2)] {
            let mut rng = Seed(1).stream("network");
            let mut network = Network::new([3, 4, units], &mut rng);
            let inputs = gathered(&design(7, "train"), &[0, 1, 2, 3, 4, 5, 6]);
            let wanted = Array2::from_shape_fn((7, units), |(row, unit)| {
                f32::from(u8::from(row % units.max(2) == unit))
            });
            let [hidden, answers] = network.forward(&inputs, answer);
            let slopes = network.slopes(&inputs, &hidden, answers - &wanted);
            for (at, slope) in slopes.iter().enumerate() {
                for place in 0..slope.len() {
                    let mut moved = |by: f32| {
                        let cells = &mut network.layers.as_flattened_mut()[at].value;
                        cells.as_slice_mut().unwrap()[place] += by;
                        let [_, answers] = network.forward(&inputs, answer);
                        let weights = network.layers.iter().map(|[weights, _]| &weights.value);
                        let squares: f32 = weights.map(|own| own.mapv(|own| own * own).sum()).sum();
                        let penalty = 0.5 * f64::from(PENALTY) * f64::from(squares);
                        let cells = &mut network.layers.as_flattened_mut()[at].value;
                        cells.as_slice_mut().unwrap()[place] -= by;
                        (answer.loss(&answers, &wanted) + penalty) / 7.0
                    };
                    let want = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                    let got = f64::from(slope.as_slice().unwrap()[place]);
                    assert!((got - want).abs() < 2e-3, "{answer:?} {at} {place}: {got}, {want}");
                }
            }
        }
    }
}
