use crate::{Threads, kernels};
use meg_core::{Result, Rng, Tensor, TrainingState};
use rand::Rng as _;

/// A weight with its gradient and the moments of Adam.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// The weight, row-major.
    pub value: Vec<f32>,
    /// The gradient of the loss, of the same size.
    pub gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Parameter {
    /// A parameter with these values.
    pub fn new(shape: &[usize], value: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), value.len(), "shape and values disagree");
        let zeros = vec![0.0; value.len()];
        Self {
            shape: shape.to_vec(),
            gradient: zeros.clone(),
            first: zeros.clone(),
            second: zeros,
            value,
        }
    }

    /// The same value everywhere.
    pub fn constant(shape: &[usize], value: f32) -> Self {
        Self::new(shape, vec![value; shape.iter().product()])
    }

    /// Uniform in `±1/sqrt(fan_in)`, PyTorch's initial distribution of a linear layer's weight and
    /// bias.
    pub fn linear(shape: &[usize], fan_in: usize, rng: &mut Rng) -> Self {
        let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
        let count = shape.iter().product();
        Self::new(shape, (0..count).map(|_| rng.random_range(-bound..=bound)).collect())
    }

    /// One step of the optimiser.
    pub fn step(&mut self, adam: &Adam, step: u64) {
        let size = self.value.len().max(1);
        self.pieces(size).for_each(|piece| piece.step(&adam.at(step)));
    }

    fn pieces(&mut self, cells: usize) -> impl Iterator<Item = Piece<'_>> {
        let moments = self.first.chunks_mut(cells).zip(self.second.chunks_mut(cells));
        let weights = self.value.chunks_mut(cells).zip(self.gradient.chunks(cells));
        weights.zip(moments).map(|((value, gradient), (first, second))| Piece {
            value,
            gradient,
            first,
            second,
        })
    }

    /// Writes the weight and its moments into the state of a training. The gradient is not part of
    /// it: every update makes it anew.
    pub fn save(&self, name: &str, state: &mut TrainingState) {
        state.put_tensor(name, &self.shape, self.value.clone());
        state.put_tensor(format!("{name}.first"), &self.shape, self.first.clone());
        state.put_tensor(format!("{name}.second"), &self.shape, self.second.clone());
    }

    /// Reads what [`Parameter::save`] wrote.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when a tensor is missing, of another shape or not finite, and
    /// for a second moment below 0.
    pub fn restore(&mut self, name: &str, state: &TrainingState) -> Result<()> {
        let read =
            |name: &str| -> Result<Vec<f32>> { Ok(state.tensor(name, &self.shape)?.data.clone()) };
        let (value, first) = (read(name)?, read(&format!("{name}.first"))?);
        self.second = state.squares(&format!("{name}.second"), &self.shape)?.data.clone();
        (self.value, self.first) = (value, first);
        Ok(())
    }

    /// Everything that must stay finite, with what it is.
    pub fn finite_parts(&self) -> [(&'static str, &[f32]); 4] {
        [
            ("weight", &self.value),
            ("gradient", &self.gradient),
            ("first moment of the weight", &self.first),
            ("second moment of the weight", &self.second),
        ]
    }

    /// The weight as a tensor of an artifact.
    pub fn tensor(&self) -> Tensor {
        Tensor { shape: self.shape.clone(), data: self.value.clone() }
    }
}

/// Neighbouring cells of a parameter.
struct Piece<'a> {
    value: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Piece<'_> {
    fn step(self, step: &kernels::AdamStep) {
        kernels::adam(self.value, self.gradient, self.first, self.second, step);
    }
}

/// Cells of a weight that one thread moves at a time.
const PIECE: usize = 1 << 15;

/// One step of the optimiser for many parameters.
pub fn step_all(parameters: Vec<&mut Parameter>, adam: &Adam, step: u64, threads: &Threads) {
    let step = adam.at(step);
    let mut pieces: Vec<Piece<'_>> =
        parameters.into_iter().flat_map(|parameter| parameter.pieces(PIECE)).collect();
    let half = pieces.split_off(pieces.len() / 2);
    // Memory sets the pace here: more than two threads would not be faster.
    threads.join(
        || pieces.into_iter().for_each(|piece| piece.step(&step)),
        || half.into_iter().for_each(|piece| piece.step(&step)),
    );
}

/// Adam (Kingma and Ba 2015) with coupled weight decay: the decay is added to the gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Added to the gradient, times the weight.
    pub weight_decay: f32,
}

impl Adam {
    /// The constants of a one-based step.
    fn at(&self, step: u64) -> kernels::AdamStep {
        let (rate, root) = self.corrections(step);
        kernels::AdamStep {
            rate,
            root,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            decay: self.weight_decay,
        }
    }

    /// Rate over the first bias correction, and the inverse root of the second, at a one-based
    /// step.
    pub fn corrections(&self, step: u64) -> (f32, f32) {
        let power = |beta: f32| f64::from(beta).powf(step as f64);
        let rate = f64::from(self.rate) / (1.0 - power(self.beta1));
        (rate as f32, (1.0 / (1.0 - power(self.beta2)).sqrt()) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// Two steps of `torch.optim.Adam(lr=0.1, betas=(0.5, 0.9), weight_decay=0.1)` from weight 1
    /// under the gradients 1 and -2, by hand in double precision.
    #[test]
    fn adam_couples_its_weight_decay() {
        let adam = Adam { rate: 0.1, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, weight_decay: 0.1 };
        let mut parameter = Parameter::constant(&[1], 1.0);
        let (mut w, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
        for (step, gradient) in [(1, 1.0f64), (2, -2.0)] {
            parameter.gradient[0] = gradient as f32;
            parameter.step(&adam, step);
            let g = gradient + 0.1 * w;
            m = 0.5 * m + 0.5 * g;
            v = 0.9 * v + 0.1 * g * g;
            let (m_hat, v_hat) =
                (m / (1.0 - 0.5f64.powi(step as i32)), v / (1.0 - 0.9f64.powi(step as i32)));
            w -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
            assert!((f64::from(parameter.value[0]) - w).abs() < 1e-6, "step {step}");
        }
    }

    #[test]
    fn the_initial_distribution_is_uniform_within_its_bound() {
        let parameter = Parameter::linear(&[100, 64], 100, &mut Seed(1).stream("init"));
        let largest = parameter.value.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(largest <= 0.1 && largest > 0.0995);
        let square: f32 = parameter.value.iter().map(|x| x * x).sum::<f32>() / 6_400.0;
        assert!((square - 0.01 / 3.0).abs() < 2e-4);
    }
}
