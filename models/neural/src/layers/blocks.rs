use super::{
    BatchNorm, BatchNormSettings, Conv2d, ConvShape, ConvTranspose2d, Initial, Mode,
    ParameterStore, activation,
};
use candle_core::{Result, Tensor};
use meg_core::Rng;

/// What follows a convolution (and its batch norm).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nonlinearity {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// Leaky ReLU with this slope below 0.
    Leaky(f64),
    /// tanh.
    Tanh,
}

impl Nonlinearity {
    /// The function, cell by cell.
    ///
    /// # Errors
    /// Those of the device.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Nonlinearity::None => Ok(x.clone()),
            Nonlinearity::Relu => activation::relu(x),
            Nonlinearity::Leaky(leak) => activation::leaky_relu(x, leak),
            Nonlinearity::Tanh => x.tanh(),
        }
    }
}

/// DCGAN's start of a convolution's weight (Radford et al. 2016, section 4).
const WEIGHT: Initial = Initial::Normal { mean: 0.0, deviation: 0.02 };

/// DCGAN's batch norm: scales begin around 1 with a standard deviation of 0.02.
fn settings() -> BatchNormSettings {
    BatchNormSettings {
        scale: Some(Initial::Normal { mean: 1.0, deviation: 0.02 }),
        ..BatchNormSettings::default()
    }
}

macro_rules! block {
    ($(#[$meta:meta])* $name:ident, $layer:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $name {
            layer: $layer,
            norm: Option<BatchNorm>,
            nonlinearity: Nonlinearity,
        }

        impl $name {
            /// A block without bias in the convolution; parameters under `name.conv` and, with a
            /// batch norm, `name.bn`.
            ///
            /// # Errors
            /// When the name is taken.
            pub fn new(
                store: &mut ParameterStore,
                name: &str,
                shape: ConvShape,
                norm: bool,
                nonlinearity: Nonlinearity,
                rng: &mut Rng,
            ) -> Result<Self> {
                let layer = $layer::new(store, &format!("{name}.conv"), shape, WEIGHT, None, rng)?;
                let norm = match norm {
                    false => None,
                    true => {
                        let name = format!("{name}.bn");
                        Some(BatchNorm::new(store, &name, shape.outputs, settings(), rng)?)
                    }
                };
                Ok(Self { layer, norm, nonlinearity })
            }

            /// Batch x inputs x side x side to batch x outputs x new side x new side.
            ///
            /// # Errors
            /// Those of the layers.
            pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
                let x = self.layer.forward(x)?;
                let x = match &self.norm {
                    Some(norm) => norm.forward(&x, mode)?,
                    None => x,
                };
                self.nonlinearity.forward(&x)
            }
        }
    };
}

block! {
    /// Convolution, batch norm if wanted, nonlinearity: a step of DCGAN's discriminator.
    ConvBlock, Conv2d
}

block! {
    /// Transposed convolution, batch norm if wanted, nonlinearity: a step of DCGAN's generator.
    ConvTransposeBlock, ConvTranspose2d
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradient_check, normal_var};
    use crate::layers::Padding;
    use candle_core::{DType, Device};
    use meg_core::Seed;

    #[test]
    fn gradients_through_a_small_dcgan_agree_with_central_differences() {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        let shape = |inputs, outputs| ConvShape {
            inputs,
            outputs,
            kernel: 4,
            stride: 2,
            padding: Padding::Each(1),
        };
        let (leaky, relu) = (Nonlinearity::Leaky(0.2), Nonlinearity::Relu);
        let down = ConvBlock::new(&mut store, "down", shape(1, 2), true, leaky, rng).unwrap();
        let up = ConvTransposeBlock::new(&mut store, "up", shape(2, 2), true, relu, rng).unwrap();
        let tanh = Nonlinearity::Tanh;
        let last = ConvBlock::new(&mut store, "last", shape(2, 1), false, tanh, rng).unwrap();
        // Weights of 0.02 would hide mistakes.
        for entry in store.trainable() {
            entry.var.set(&normal_var(entry.var.dims(), entry.name.len() as u64)).unwrap();
        }
        let x = normal_var(&[3, 1, 4, 4], 1);
        for mode in [Mode::Training, Mode::Sampling] {
            let mut variables = vec![("x", &x)];
            variables.extend(store.trainable().map(|entry| (entry.name.as_str(), &entry.var)));
            gradient_check(&variables, 1e-6, || {
                let small = down.forward(&x, mode)?;
                let large = up.forward(&small, mode)?;
                last.forward(&large, mode)
            });
        }
    }
}
