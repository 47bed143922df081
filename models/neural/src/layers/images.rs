//! Convolutions over images whose channels lie side by side (batch x side x side x channels): on
//! the CPU as matrix products of the crate's own kernels, elsewhere as candle expressions.

use super::conv::{convolved, transposed};
use super::{ConvShape, Initial, ParameterStore, images_op};
use crate::kernels::ImageGeometry;
use candle_core::{DType, Result, Tensor, bail};
use meg_core::Rng;

/// Threads of the kernels on the CPU, or `None` for plain expressions there too.
pub type KernelThreads = Option<usize>;

/// A convolution of images with channels side by side. A kernel of 1 over an image of one cell is a
/// linear layer.
#[derive(Debug, Clone)]
pub struct ImageConv(Layer);

/// Its transpose.
#[derive(Debug, Clone)]
pub struct ImageDeconv(Layer);

#[derive(Debug, Clone)]
struct Layer {
    /// (kernel * kernel * channels of the larger image) x channels of the places.
    weight: Tensor,
    /// One cell per channel that goes out.
    bias: Option<Tensor>,
    shape: ConvShape,
    threads: KernelThreads,
}

impl ImageConv {
    /// Parameters `name.weight` (kernel * kernel * inputs x outputs) and, if it begins somehow,
    /// `name.bias` (outputs).
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        shape: ConvShape,
        (weight, bias): (Initial, Option<Initial>),
        threads: KernelThreads,
        rng: &mut Rng,
    ) -> Result<Self> {
        let sides = [shape.kernel * shape.kernel * shape.inputs, shape.outputs];
        Ok(Self(Layer::new(store, name, shape, sides, (weight, bias), threads, rng)?))
    }

    /// The same layer, following its weights, through which no gradient flows to them.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self(self.0.frozen())
    }

    /// Batch x side x side x inputs to batch x places x places x outputs.
    ///
    /// # Errors
    /// When the images are not square or smaller than the kernel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Layer { weight, shape, threads, .. } = &self.0;
        let out = match kernels(x, *threads) {
            None => {
                let sides = (shape.kernel, shape.kernel, shape.inputs, shape.outputs);
                let weight = weight.reshape(sides)?.permute((3, 2, 0, 1))?.contiguous()?;
                channels_last(&convolved(&channels_first(x)?, &weight, shape)?)?
            }
            Some(threads) => {
                let side = square_side(x)?;
                let (before, places) = shape.places(side)?;
                images_op::convolve(x, weight, geometry(shape, side, places, before), threads)?
            }
        };
        self.0.add_bias(out)
    }
}

impl ImageDeconv {
    /// Parameters `name.weight` (kernel * kernel * outputs x inputs) and, if it begins somehow,
    /// `name.bias` (outputs).
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        shape: ConvShape,
        (weight, bias): (Initial, Option<Initial>),
        threads: KernelThreads,
        rng: &mut Rng,
    ) -> Result<Self> {
        let sides = [shape.kernel * shape.kernel * shape.outputs, shape.inputs];
        Ok(Self(Layer::new(store, name, shape, sides, (weight, bias), threads, rng)?))
    }

    /// The same layer, following its weights, through which no gradient flows to them.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self(self.0.frozen())
    }

    /// Batch x places x places x inputs to batch x side x side x outputs, the side as
    /// [`super::ConvTranspose2d::forward`] has it.
    ///
    /// # Errors
    /// When the images are not square or nothing is left between the paddings.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Layer { weight, shape, threads, .. } = &self.0;
        let out = match kernels(x, *threads) {
            None => {
                let sides = (shape.kernel, shape.kernel, shape.outputs, shape.inputs);
                let weight = weight.reshape(sides)?.permute((3, 2, 0, 1))?.contiguous()?;
                channels_last(&transposed(&channels_first(x)?, &weight, shape)?)?
            }
            Some(threads) => {
                let places = square_side(x)?;
                let (before, side) = shape.transposed_side(places)?;
                // Seen from the larger image, what comes in are the places.
                let seen = ConvShape { inputs: shape.outputs, outputs: shape.inputs, ..*shape };
                let geometry = geometry(&seen, side, places, before);
                images_op::convolve_back(x, weight, geometry, threads)?
            }
        };
        self.0.add_bias(out)
    }
}

impl Layer {
    fn new(
        store: &mut ParameterStore,
        name: &str,
        shape: ConvShape,
        sides: [usize; 2],
        (weight, bias): (Initial, Option<Initial>),
        threads: KernelThreads,
        rng: &mut Rng,
    ) -> Result<Self> {
        let weight = store.parameter(&format!("{name}.weight"), &sides, weight, rng)?;
        let bias = bias
            .map(|bias| store.parameter(&format!("{name}.bias"), &[shape.outputs], bias, rng))
            .transpose()?;
        let (weight, bias) = (weight.into_inner(), bias.map(candle_core::Var::into_inner));
        Ok(Self { weight, bias, shape, threads })
    }

    fn frozen(&self) -> Self {
        let bias = self.bias.as_ref().map(Tensor::detach);
        Self { weight: self.weight.detach(), bias, ..self.clone() }
    }

    fn add_bias(&self, out: Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => out.broadcast_add(bias),
            None => Ok(out),
        }
    }
}

/// The threads of the kernels, where they take this tensor.
pub(super) fn kernels(x: &Tensor, threads: KernelThreads) -> Option<usize> {
    threads.filter(|_| x.device().is_cpu() && x.dtype() == DType::F32)
}

fn geometry(shape: &ConvShape, side: usize, places: usize, before: usize) -> ImageGeometry {
    let ConvShape { inputs: channels, outputs, kernel, stride, .. } = *shape;
    ImageGeometry { side, channels, places, outputs, kernel, stride, before }
}

fn square_side(x: &Tensor) -> Result<usize> {
    let (_, height, width, _) = x.dims4()?;
    if height != width || height == 0 {
        bail!("a convolution here takes square images, got {height} x {width}");
    }
    Ok(height)
}

fn channels_first(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 3, 1, 2))?.contiguous()
}

fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_tensor, normal_var};
    use crate::layers::Padding;
    use candle_core::{Device, Var};
    use meg_core::Seed;

    const CASES: [(usize, usize, Padding, usize); 5] = [
        (4, 2, Padding::Each(1), 8),
        (5, 2, Padding::Same, 5),
        (5, 2, Padding::Same, 4),
        (2, 1, Padding::Each(0), 2),
        (1, 1, Padding::Each(0), 1),
    ];

    fn both(
        (kernel, stride, padding, _): (usize, usize, Padding, usize),
        dtype: DType,
        threads: KernelThreads,
    ) -> (ParameterStore, ImageConv, ImageDeconv) {
        let shape = ConvShape { inputs: 3, outputs: 5, kernel, stride, padding };
        let mut store = ParameterStore::new(dtype, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        let normal = Initial::Normal { mean: 0.0, deviation: 1.0 };
        let initial = (normal, Some(normal));
        let conv = ImageConv::new(&mut store, "c", shape, initial, threads, rng).unwrap();
        let back = ImageDeconv::new(&mut store, "t", shape, initial, threads, rng).unwrap();
        (store, conv, back)
    }

    #[test]
    fn gradients_of_the_expressions_agree_with_central_differences() {
        for case in CASES {
            let (store, conv, back) = both(case, DType::F64, None);
            let x = normal_var(&[2, case.3, case.3, 3], 1);
            let vars: Vec<_> = store.entries().iter().map(|one| (&*one.name, &one.var)).collect();
            let input = ("x", &x);
            let of_conv = [input, vars[0], vars[1]];
            gradient_check(&of_conv, 1e-8, || conv.forward(&x));
            let of_back = [input, vars[2], vars[3]];
            gradient_check(&of_back, 1e-8, || back.forward(&x));
        }
    }

    /// Output, and the gradients of a weighted sum of its cells with respect to the input and every
    /// parameter.
    fn run(
        store: &ParameterStore,
        x: &Tensor,
        forward: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Vec<Vec<f64>> {
        let x = Var::from_tensor(&x.to_dtype(store.dtype()).unwrap()).unwrap();
        let out = forward(&x).unwrap();
        let weights = normal_tensor(out.dims(), 9).to_dtype(store.dtype()).unwrap();
        let loss = out.mul(&weights).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let vars = store.entries().iter().map(|entry| &entry.var).chain([&x]);
        let sent = vars.filter_map(|var| gradients.get(var)).map(|sent| cells(sent).unwrap());
        std::iter::once(cells(&out).unwrap()).chain(sent).collect()
    }

    #[test]
    fn kernels_agree_with_the_expressions() {
        for case in CASES {
            let x = normal_tensor(&[7, case.3, case.3, 3], 2);
            let (exact_store, exact_conv, exact_back) = both(case, DType::F64, None);
            let exact = [
                run(&exact_store, &x, |x| exact_conv.forward(x)),
                run(&exact_store, &x, |x| exact_back.forward(x)),
            ];
            for threads in [1, 2] {
                let (store, conv, back) = both(case, DType::F32, Some(threads));
                let ours =
                    [run(&store, &x, |x| conv.forward(x)), run(&store, &x, |x| back.forward(x))];
                for (ours, exact) in ours.iter().flatten().zip(exact.iter().flatten()) {
                    assert_eq!(ours.len(), exact.len(), "{case:?}");
                    let size = exact.iter().fold(1.0f64, |most, x| most.max(x.abs()));
                    for (one, other) in ours.iter().zip(exact) {
                        assert!((one - other).abs() < 1e-5 * size, "{case:?}: {one} {other}");
                    }
                }
            }
        }
    }

    /// Frozen layers send gradients to their input alone, and follow the weights.
    #[test]
    fn frozen_layers_follow_and_learn_nothing() {
        let (store, conv, back) = both(CASES[0], DType::F32, Some(1));
        let (conv_frozen, back_frozen) = (conv.frozen(), back.frozen());
        let x = normal_tensor(&[2, 8, 8, 3], 3).to_dtype(DType::F32).unwrap();
        for entry in store.entries() {
            entry.var.set(&entry.var.affine(2.0, 0.5).unwrap()).unwrap();
        }
        let pairs = [
            (conv.forward(&x).unwrap(), run(&store, &x, |x| conv_frozen.forward(x))),
            (back.forward(&x).unwrap(), run(&store, &x, |x| back_frozen.forward(x))),
        ];
        for (learning, frozen) in pairs {
            assert_eq!(cells(&learning).unwrap(), frozen[0]);
            assert_eq!(frozen.len(), 2, "the output and the gradient of the input alone");
        }
    }

    #[test]
    fn images_that_do_not_fit_are_refused() {
        for threads in [None, Some(1)] {
            let (_, conv, back) = both(CASES[0], DType::F32, threads);
            let x = normal_tensor(&[1, 4, 5, 3], 1).to_dtype(DType::F32).unwrap();
            for error in [conv.forward(&x).unwrap_err(), back.forward(&x).unwrap_err()] {
                assert!(error.to_string().contains("square images, got 4 x 5"), "{error}");
            }
            let small = normal_tensor(&[1, 1, 1, 3], 1).to_dtype(DType::F32).unwrap();
            let error = conv.forward(&small).unwrap_err().to_string();
            assert!(error.contains("does not fit"), "{error}");
        }
    }
}
