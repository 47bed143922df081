use crate::kernels::{Matrix, MatrixMut, add_column_sums, fill_rows, multiply};
use crate::layers::Initial;
use crate::{Adam, Parameter, Threads, step_all};
use meg_core::{Artifact, Result, Rng, Tensor};

/// A linear layer with hand-written gradients, for the CPU.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Inputs x outputs.
    pub weight: Parameter,
    /// One per output.
    pub bias: Parameter,
}

impl Dense {
    /// A layer with these first values.
    pub fn new(
        (inputs, outputs): (usize, usize),
        weight: Initial,
        bias: Initial,
        rng: &mut Rng,
    ) -> Self {
        let weight = Parameter::new(&[inputs, outputs], weight.draw(inputs * outputs, rng));
        Self { weight, bias: Parameter::new(&[outputs], bias.draw(outputs, rng)) }
    }

    /// Reads `name.weight` and `name.bias` of a saved model.
    ///
    /// # Errors
    /// When one is missing, of another shape or not finite.
    pub fn read(
        artifact: &Artifact,
        name: &str,
        (inputs, outputs): (usize, usize),
    ) -> Result<Self> {
        let read = |part: &str, shape: &[usize]| -> Result<Parameter> {
            let tensor = artifact.tensor(&format!("{name}.{part}"), shape)?;
            Ok(Parameter::new(shape, tensor.data.clone()))
        };
        Ok(Self { weight: read("weight", &[inputs, outputs])?, bias: read("bias", &[outputs])? })
    }

    /// Units that go in.
    pub fn inputs(&self) -> usize {
        self.weight.shape[0]
    }

    /// Units that come out.
    pub fn outputs(&self) -> usize {
        self.weight.shape[1]
    }

    /// Both parameters by name: `name.weight`, `name.bias`.
    pub fn named_mut(&mut self, name: &str) -> [(String, &mut Parameter); 2] {
        [(format!("{name}.weight"), &mut self.weight), (format!("{name}.bias"), &mut self.bias)]
    }

    /// The same as tensors of an artifact.
    pub fn tensors(&self, name: &str) -> [(String, Tensor); 2] {
        [
            (format!("{name}.weight"), self.weight.tensor()),
            (format!("{name}.bias"), self.bias.tensor()),
        ]
    }

    /// `out = inputs * weight + bias`, row-major; `out` gets the size that it needs.
    pub fn forward(&self, inputs: &[f32], out: &mut Vec<f32>, rows: usize, threads: usize) {
        let (width, outputs) = (self.inputs(), self.outputs());
        out.resize(rows * outputs, 0.0);
        fill_rows(out, &self.bias.value, &[], &[]);
        multiply(
            &mut MatrixMut::new(out, rows, outputs),
            1.0,
            Matrix::new(inputs, rows, width),
            Matrix::new(&self.weight.value, width, outputs),
            threads,
        );
    }

    /// The gradients of both parameters, from the inputs and the gradient of the outputs.
    pub fn backward(&mut self, inputs: &[f32], gradient: &[f32], rows: usize, threads: usize) {
        let (width, outputs) = (self.inputs(), self.outputs());
        multiply(
            &mut MatrixMut::new(&mut self.weight.gradient, width, outputs),
            0.0,
            Matrix::new(inputs, rows, width).transposed(),
            Matrix::new(gradient, rows, outputs),
            threads,
        );
        self.bias.gradient.fill(0.0);
        add_column_sums(&mut self.bias.gradient, &gradient[..rows * outputs]);
    }

    /// The gradient of the inputs, from that of the outputs; `up` gets the size that it needs.
    pub fn input_gradient(&self, gradient: &[f32], up: &mut Vec<f32>, rows: usize, threads: usize) {
        let (width, outputs) = (self.inputs(), self.outputs());
        up.resize(rows * width, 0.0);
        multiply(
            &mut MatrixMut::new(up, rows, width),
            0.0,
            Matrix::new(gradient, rows, outputs),
            Matrix::new(&self.weight.value, width, outputs).transposed(),
            threads,
        );
    }

    /// One step of the optimiser for layers; `step` counts from 1.
    pub fn step_all(layers: &mut [Dense], adam: &Adam, step: u64, threads: &Threads) {
        let parameters = layers.iter_mut().flat_map(|layer| [&mut layer.weight, &mut layer.bias]);
        step_all(parameters.collect(), adam, step, threads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// `sum(forward(x) * direction)` is linear in each of its arguments: central differences are
    /// exact up to rounding.
    #[test]
    fn gradients_agree_with_central_differences() {
        let mut rng = Seed(1).stream("dense");
        let law = Initial::Uniform { bound: 1.0 };
        let mut layer = Dense::new((3, 2), law, law, &mut rng);
        let (rows, inputs, direction) = (4, law.draw(12, &mut rng), law.draw(8, &mut rng));
        let value = |layer: &Dense, inputs: &[f32]| -> f64 {
            let mut out = Vec::new();
            layer.forward(inputs, &mut out, rows, 1);
            out.iter().zip(&direction).map(|(&x, &d)| f64::from(x) * f64::from(d)).sum()
        };
        layer.backward(&inputs, &direction, rows, 1);
        let mut up = Vec::new();
        layer.input_gradient(&direction, &mut up, rows, 1);
        let check = |what: &str, gradient: f32, moved: &dyn Fn(f32) -> f64| {
            let slope = (moved(0.5) - moved(-0.5)) as f32;
            assert!((slope - gradient).abs() < 1e-5, "{what}: {slope} for {gradient}");
        };
        for (at, &gradient) in up.iter().enumerate() {
            check("inputs", gradient, &|by| {
                let mut inputs = inputs.clone();
                inputs[at] += by;
                value(&layer, &inputs)
            });
        }
        for (part, count) in [(0, 6), (1, 2)] {
            for at in 0..count {
                let mut copy = layer.clone();
                let gradient = copy.named_mut("l")[part].1.gradient[at];
                check("parameters", gradient, &|by| {
                    let mut copy = layer.clone();
                    copy.named_mut("l")[part].1.value[at] += by;
                    value(&copy, &inputs)
                });
            }
        }
    }
}
