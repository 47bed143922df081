//! Generators and discriminator, with gradients written out.

use super::MegClassic;
use meg_core::{Rng, Seed};
use neural::kernels::{Matrix, MatrixMut, add_column_sums, fill_rows, multiply, relu};
use neural::{Parameter, Randomness};

/// A hidden layer of ReLU and an output layer.
#[derive(Debug, Clone)]
pub(super) struct Perceptron {
    first: Parameter,
    first_bias: Parameter,
    second: Parameter,
    second_bias: Parameter,
}

/// What a pass through a perceptron leaves for the way back.
#[derive(Debug, Clone, Default)]
pub(super) struct Pass {
    hidden: Vec<f32>,
    /// 0 or the scale of each hidden unit under dropout; empty without.
    kept: Vec<f32>,
    pub out: Vec<f32>,
}

impl Perceptron {
    pub(super) fn new(inputs: usize, hidden: usize, outputs: usize, rng: &mut Rng) -> Self {
        Self {
            first: Parameter::linear(&[inputs, hidden], inputs, rng),
            first_bias: Parameter::linear(&[hidden], inputs, rng),
            second: Parameter::linear(&[hidden, outputs], hidden, rng),
            second_bias: Parameter::linear(&[outputs], hidden, rng),
        }
    }

    /// All parameters by name.
    pub(super) fn named_mut(&mut self, prefix: &str) -> [(String, &mut Parameter); 4] {
        [
            (format!("{prefix}.first"), &mut self.first),
            (format!("{prefix}.first_bias"), &mut self.first_bias),
            (format!("{prefix}.second"), &mut self.second),
            (format!("{prefix}.second_bias"), &mut self.second_bias),
        ]
    }

    fn sizes(&self) -> (usize, usize, usize) {
        (self.first.shape[0], self.first.shape[1], self.second.shape[1])
    }

    /// Outputs for rows of inputs; `kept` scales the hidden units.
    pub(super) fn forward(&self, inputs: &[f32], rows: usize, kept: Vec<f32>) -> Pass {
        let (width, units, outputs) = self.sizes();
        let mut hidden = vec![0.0; rows * units];
        fill_rows(&mut hidden, &self.first_bias.value, &[], &[]);
        product(&mut hidden, 1.0, inputs, &self.first.value, [rows, width, units]);
        relu(&mut hidden);
        hidden.iter_mut().zip(&kept).for_each(|(cell, kept)| *cell *= kept);
        let mut out = vec![0.0; rows * outputs];
        fill_rows(&mut out, &self.second_bias.value, &[], &[]);
        product(&mut out, 1.0, &hidden, &self.second.value, [rows, units, outputs]);
        Pass { hidden, kept, out }
    }

    /// Adds the gradients of a loss to those of all parameters; returns the gradient of the inputs.
    /// `gradient` is that of the outputs.
    pub(super) fn backward(&mut self, inputs: &[f32], pass: &Pass, gradient: &[f32]) -> Vec<f32> {
        let (width, units, outputs) = self.sizes();
        let rows = gradient.len() / outputs;
        let sizes = [rows, units, outputs];
        transposed(&mut self.second.gradient, &pass.hidden, gradient, sizes);
        add_column_sums(&mut self.second_bias.gradient, gradient);
        let mut hidden = vec![0.0; rows * units];
        let second = Matrix::new(&self.second.value, units, outputs).transposed();
        let gradient = Matrix::new(gradient, rows, outputs);
        multiply(&mut MatrixMut::new(&mut hidden, rows, units), 0.0, gradient, second, 1);
        for (cell, &active) in hidden.iter_mut().zip(&pass.hidden) {
            *cell = if active > 0.0 { *cell } else { 0.0 };
        }
        hidden.iter_mut().zip(&pass.kept).for_each(|(cell, kept)| *cell *= kept);
        transposed(&mut self.first.gradient, inputs, &hidden, [rows, width, units]);
        add_column_sums(&mut self.first_bias.gradient, &hidden);
        let mut back = vec![0.0; rows * width];
        let first = Matrix::new(&self.first.value, width, units).transposed();
        let hidden = Matrix::new(&hidden, rows, units);
        multiply(&mut MatrixMut::new(&mut back, rows, width), 0.0, hidden, first, 1);
        back
    }

    pub(super) fn clear(&mut self) {
        self.named_mut("").into_iter().for_each(|(_, parameter)| parameter.gradient.fill(0.0));
    }
}

fn product(out: &mut [f32], keep: f32, left: &[f32], right: &[f32], [m, k, n]: [usize; 3]) {
    let out = &mut MatrixMut::new(out, m, n);
    multiply(out, keep, Matrix::new(left, m, k), Matrix::new(right, k, n), 1);
}

fn transposed(out: &mut [f32], left: &[f32], right: &[f32], [rows, m, n]: [usize; 3]) {
    let left = Matrix::new(left, rows, m).transposed();
    multiply(&mut MatrixMut::new(out, m, n), 1.0, left, Matrix::new(right, rows, n), 1);
}

/// The masked generators: each makes whole rows, of which its mask keeps one unit; the row is the
/// sum.
#[derive(Debug, Clone)]
pub(super) struct Generators {
    pub networks: Vec<Perceptron>,
    noise: usize,
    shared: bool,
}

/// Drawn rows and what the way back needs.
#[derive(Debug)]
pub(super) struct Fakes {
    /// rows x units, within (-1, 1).
    pub rows: Vec<f32>,
    noise: Vec<Vec<f32>>,
    passes: Vec<Pass>,
}

impl Generators {
    /// One generator per unit.
    pub(super) fn new(recipe: &MegClassic, width: usize, seed: Seed) -> Self {
        let mut rng = seed.stream("meg-classic/generators");
        let mut network = |_| Perceptron::new(recipe.input_dim, recipe.hidden, width, &mut rng);
        let networks = (0..width).map(&mut network).collect();
        Self { networks, noise: recipe.input_dim, shared: recipe.shared_noise }
    }

    /// The one function that makes rows: for both sides of the game, and for sampling.
    pub(super) fn draw(&self, rows: usize, randomness: &mut Randomness) -> Fakes {
        let width = self.networks.len();
        let mut fakes = Fakes { rows: vec![0.0; rows * width], noise: vec![], passes: vec![] };
        for (unit, network) in self.networks.iter().enumerate() {
            if unit == 0 || !self.shared {
                let mut noise = vec![0.0; rows * self.noise];
                randomness.normals(&mut noise);
                fakes.noise.push(noise);
            }
            let noise = fakes.noise.last().expect("there is noise");
            let mut pass = network.forward(noise, rows, Vec::new());
            // Tanh times the mask: every unit but its own is 0.
            for (cells, row) in
                pass.out.chunks_exact_mut(width).zip(fakes.rows.chunks_exact_mut(width))
            {
                row[unit] = cells[unit].tanh();
                cells.fill(0.0);
                cells[unit] = row[unit];
            }
            fakes.passes.push(pass);
        }
        fakes
    }

    /// Sets the gradients of all generators from that of the rows.
    pub(super) fn backward(&mut self, fakes: &Fakes, gradient: &[f32]) {
        let width = self.networks.len();
        for (unit, network) in self.networks.iter_mut().enumerate() {
            network.clear();
            let pass = &fakes.passes[unit];
            let mut masked = vec![0.0; gradient.len()];
            for (at, cell) in masked.iter_mut().enumerate().skip(unit).step_by(width) {
                *cell = gradient[at] * (1.0 - pass.out[at] * pass.out[at]);
            }
            let noise = &fakes.noise[if self.shared { 0 } else { unit }];
            network.backward(noise, pass, &masked);
        }
    }
}

/// Mean binary cross-entropy of logits against one target for all, and its gradient.
pub(super) fn cross_entropy(logits: &[f32], target: f32) -> (f64, Vec<f32>) {
    let count = logits.len() as f32;
    let softplus = |x: f32| f64::from(x.max(0.0)) + f64::from((-x.abs()).exp()).ln_1p();
    let loss = logits.iter().map(|&x| softplus(x) - f64::from(target * x)).sum::<f64>();
    let gradient = logits.iter().map(|&x| (1.0 / (1.0 + (-x).exp()) - target) / count).collect();
    (loss / f64::from(count), gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every gradient of the generators' loss against differences of the loss itself.
    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let recipe = MegClassic { input_dim: 3, hidden: 5, ..MegClassic::default() };
        let mut rng = Seed(4).stream("test");
        let mut generators = Generators::new(&recipe, 2, Seed(2));
        let mut critic = Perceptron::new(2, 4, 1, &mut rng);
        let loss = |generators: &Generators, critic: &Perceptron| {
            let fakes = generators.draw(6, &mut Randomness::new(Seed(3).stream("noise")));
            let pass = critic.forward(&fakes.rows, 6, Vec::new());
            let (loss, gradient) = cross_entropy(&pass.out, 1.0);
            (loss, gradient, fakes, pass)
        };
        let (_, gradient, fakes, pass) = loss(&generators, &critic);
        critic.clear();
        let back = critic.backward(&fakes.rows, &pass, &gradient);
        generators.backward(&fakes, &back);
        const STEP: f32 = 1e-3;
        let mut checked = 0;
        for part in 0..4 {
            for at in 0..3 {
                let value = |network: &mut Perceptron, by: f32| {
                    network.named_mut("")[part].1.value[at] += by;
                };
                if critic.named_mut("")[part].1.value.len() > at {
                    let exact = critic.named_mut("")[part].1.gradient[at];
                    let (mut up, mut down) = (critic.clone(), critic.clone());
                    value(&mut up, STEP);
                    value(&mut down, -STEP);
                    let slope = (loss(&generators, &up).0 - loss(&generators, &down).0) / 2e-3;
                    assert!(
                        (slope - f64::from(exact)).abs() < 1e-3,
                        "critic {part} {slope} {exact}"
                    );
                    checked += 1;
                }
                if generators.networks[1].named_mut("")[part].1.value.len() > at {
                    let exact = generators.networks[1].named_mut("")[part].1.gradient[at];
                    let (mut up, mut down) = (generators.clone(), generators.clone());
                    value(&mut up.networks[1], STEP);
                    value(&mut down.networks[1], -STEP);
                    let slope = (loss(&up, &critic).0 - loss(&down, &critic).0) / 2e-3;
                    assert!((slope - f64::from(exact)).abs() < 1e-3, "{part} {slope} {exact}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 18);
    }

    #[test]
    fn a_masked_output_gets_no_gradient() {
        let recipe = MegClassic { input_dim: 3, hidden: 5, ..MegClassic::default() };
        let mut generators = Generators::new(&recipe, 3, Seed(2));
        let fakes = generators.draw(4, &mut Randomness::new(Seed(3).stream("noise")));
        generators.backward(&fakes, &[1.0; 12]);
        let parts = generators.networks[1].named_mut("");
        let bias = &parts[3].1.gradient;
        assert!(bias[0] == 0.0 && bias[1] != 0.0 && bias[2] == 0.0, "{bias:?}");
    }
}
