use super::{Initial, ParameterStore};
use candle_core::{Result, Tensor, Var, bail};
use meg_core::Rng;

/// Channels, kernel, stride and padding of a convolution over square images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Cells from one place of the kernel to the next.
    pub stride: usize,
    /// What stands around the image.
    pub padding: Padding,
}

/// Zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// So many rows and columns on each side (PyTorch).
    Each(usize),
    /// As many as make the output `ceil(side / stride)` large, the odd one at the end
    /// (TensorFlow's `SAME`); transposed, the output is `side * stride` large.
    Same,
}

impl Padding {
    /// Zeros before and behind an image of `side` cells.
    fn around(self, side: usize, kernel: usize, stride: usize) -> (usize, usize) {
        match self {
            Padding::Each(count) => (count, count),
            Padding::Same => {
                let reach = (side.div_ceil(stride) - 1) * stride + kernel;
                let total = reach.saturating_sub(side);
                (total / 2, total - total / 2)
            }
        }
    }
}

/// A convolution.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Var,
    bias: Option<Var>,
    shape: ConvShape,
}

impl Conv2d {
    /// Parameters `name.weight` (outputs x inputs x kernel x kernel) and, if it begins somehow,
    /// `name.bias` (outputs). PyTorch's default for both is
    /// `Initial::torch(inputs * kernel * kernel)`.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        shape: ConvShape,
        weight: Initial,
        bias: Option<Initial>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let sides = [shape.outputs, shape.inputs, shape.kernel, shape.kernel];
        let (weight, bias) = parameters(store, name, &sides, shape.outputs, weight, bias, rng)?;
        Ok(Self { weight, bias, shape })
    }

    /// Batch x inputs x side x side to batch x outputs x places x places.
    ///
    /// # Errors
    /// When the images are not square or smaller than the kernel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        add_bias(&convolved(x, &self.weight, &self.shape)?, self.bias.as_ref())
    }
}

/// A transposed convolution: what a convolution of the same shape does to gradients.
#[derive(Debug, Clone)]
pub struct ConvTranspose2d {
    weight: Var,
    bias: Option<Var>,
    shape: ConvShape,
}

impl ConvTranspose2d {
    /// Parameters `name.weight` (inputs x outputs x kernel x kernel) and, if it begins somehow,
    /// `name.bias` (outputs). PyTorch's default for both is
    /// `Initial::torch(outputs * kernel * kernel)`.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        shape: ConvShape,
        weight: Initial,
        bias: Option<Initial>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let sides = [shape.inputs, shape.outputs, shape.kernel, shape.kernel];
        let (weight, bias) = parameters(store, name, &sides, shape.outputs, weight, bias, rng)?;
        Ok(Self { weight, bias, shape })
    }

    /// Batch x inputs x places x places to batch x outputs x side x side, where side is
    /// `(places - 1) * stride + kernel - 2 * padding`, or `places * stride` for
    /// [`Padding::Same`].
    ///
    /// # Errors
    /// When the images are not square, nothing is left between the paddings, or the kernel is
    /// smaller than the stride under [`Padding::Same`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        add_bias(&transposed(x, &self.weight, &self.shape)?, self.bias.as_ref())
    }
}

impl ConvShape {
    /// Zeros before an image of `side` cells, and places of the kernel along a side.
    pub(super) fn places(&self, side: usize) -> Result<(usize, usize)> {
        let (before, behind) = self.padding.around(side, self.kernel, self.stride);
        match (side + before + behind).checked_sub(self.kernel) {
            Some(room) => Ok((before, room / self.stride + 1)),
            None => bail!("a kernel of {} does not fit an image of {side}", self.kernel),
        }
    }

    /// Cells that the transposed convolution of so many places cuts off before, and the side that
    /// is left.
    pub(super) fn transposed_side(&self, places: usize) -> Result<(usize, usize)> {
        let ConvShape { kernel, stride, padding, .. } = *self;
        let whole = (places - 1) * stride + kernel;
        let (before, side) = match padding {
            Padding::Each(count) => (count, whole.saturating_sub(2 * count)),
            Padding::Same => (padding.around(places * stride, kernel, stride).0, places * stride),
        };
        if side == 0 || before + side > whole {
            bail!("a kernel of {kernel} and stride {stride} make {whole} cells, not {side}");
        }
        Ok((before, side))
    }
}

/// The convolution without bias; the weight is outputs x inputs x kernel x kernel.
pub(super) fn convolved(x: &Tensor, weight: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let side = square_side(x)?;
    let (before, places) = shape.places(side)?;
    let reach = (places - 1) * shape.stride + shape.kernel;
    // What the last place of the kernel does not reach is cut off here, where the gradient of a
    // cut is right, instead of inside the convolution.
    let x = pad(x, before, reach.saturating_sub(before + side))?;
    crop(&x, 0, reach)?.conv2d(weight, 0, shape.stride, 1, 1)
}

/// The transposed convolution without bias; the weight is inputs x outputs x kernel x kernel.
pub(super) fn transposed(x: &Tensor, weight: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let (before, side) = shape.transposed_side(square_side(x)?)?;
    crop(&x.conv_transpose2d(weight, 0, 0, shape.stride, 1)?, before, side)
}

fn parameters(
    store: &mut ParameterStore,
    name: &str,
    sides: &[usize],
    outputs: usize,
    weight: Initial,
    bias: Option<Initial>,
    rng: &mut Rng,
) -> Result<(Var, Option<Var>)> {
    let weight = store.parameter(&format!("{name}.weight"), sides, weight, rng)?;
    let bias = bias
        .map(|bias| store.parameter(&format!("{name}.bias"), &[outputs], bias, rng))
        .transpose()?;
    Ok((weight, bias))
}

/// The side of square images. candle's backward pass of a convolution takes the height's padding
/// for the width too, so that others fail there.
fn square_side(x: &Tensor) -> Result<usize> {
    let (_, _, height, width) = x.dims4()?;
    if height != width || height == 0 {
        bail!("a convolution here takes square images, got {height} x {width}");
    }
    Ok(height)
}

fn pad(x: &Tensor, before: usize, behind: usize) -> Result<Tensor> {
    x.pad_with_zeros(2, before, behind)?.pad_with_zeros(3, before, behind)
}

/// `side` cells from `start` on in both directions.
fn crop(x: &Tensor, start: usize, side: usize) -> Result<Tensor> {
    x.narrow(2, start, side)?.narrow(3, start, side)?.contiguous()
}

fn add_bias(x: &Tensor, bias: Option<&Var>) -> Result<Tensor> {
    match bias {
        Some(bias) => x.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?),
        None => Ok(x.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, largest_difference, normal_tensor, normal_var};
    use candle_core::{DType, Device};
    use meg_core::Seed;

    fn shape(kernel: usize, stride: usize, padding: Padding) -> ConvShape {
        ConvShape { inputs: 2, outputs: 3, kernel, stride, padding }
    }

    fn both(shape: ConvShape) -> (ParameterStore, Conv2d, ConvTranspose2d) {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        let initial = Initial::Normal { mean: 0.0, deviation: 1.0 };
        let conv = Conv2d::new(&mut store, "c", shape, initial, Some(initial), rng).unwrap();
        let back = ConvTranspose2d::new(&mut store, "t", shape, initial, Some(initial), rng);
        (store, conv, back.unwrap())
    }

    /// Kernels of both implementations of table-GAN, sides that leave a remainder among them.
    const CASES: [(usize, usize, Padding, usize); 6] = [
        (4, 2, Padding::Each(1), 4),
        (2, 1, Padding::Each(0), 2),
        (3, 2, Padding::Each(0), 6),
        (5, 2, Padding::Same, 5),
        (5, 2, Padding::Same, 4),
        (2, 2, Padding::Same, 3),
    ];

    #[test]
    fn gradients_agree_with_central_differences() {
        for (kernel, stride, padding, side) in CASES {
            let (_, conv, back) = both(shape(kernel, stride, padding));
            let x = normal_var(&[2, 2, side, side], 1);
            let (weight, bias) = (&conv.weight, conv.bias.as_ref().unwrap());
            gradient_check(&[("x", &x), ("weight", weight), ("bias", bias)], 1e-8, || {
                conv.forward(&x)
            });
            let (weight, bias) = (&back.weight, back.bias.as_ref().unwrap());
            gradient_check(&[("x", &x), ("weight", weight), ("bias", bias)], 1e-8, || {
                back.forward(&x)
            });
        }
    }

    /// A convolution as five sums over the padded image.
    fn by_hand(conv: &Conv2d, x: &Tensor, before: usize, places: usize) -> Tensor {
        let side = x.dim(2).unwrap();
        let image: Vec<f64> = cells(x).unwrap();
        let weight: Vec<f64> = cells(&conv.weight).unwrap();
        let bias: Vec<f64> = cells(conv.bias.as_ref().unwrap()).unwrap();
        let ConvShape { inputs, outputs, kernel, stride, .. } = conv.shape;
        let batch = x.dim(0).unwrap();
        let mut out = Vec::new();
        for (row, to) in (0..batch).flat_map(|row| (0..outputs).map(move |to| (row, to))) {
            for (down, right) in (0..places).flat_map(|d| (0..places).map(move |r| (d, r))) {
                let mut sum = bias[to];
                for (from, i, j) in (0..inputs)
                    .flat_map(|c| (0..kernel * kernel).map(move |k| (c, k / kernel, k % kernel)))
                {
                    let (y, z) = (down * stride + i, right * stride + j);
                    if (before..before + side).contains(&y) && (before..before + side).contains(&z)
                    {
                        let cell = ((row * inputs + from) * side + y - before) * side + z - before;
                        sum +=
                            weight[((to * inputs + from) * kernel + i) * kernel + j] * image[cell];
                    }
                }
                out.push(sum);
            }
        }
        Tensor::from_vec(out, (batch, outputs, places, places), &Device::Cpu).unwrap()
    }

    #[test]
    fn a_convolution_is_its_five_sums() {
        // Zeros before, and places, worked out by hand for each case.
        let expected = [(1, 2), (0, 1), (0, 2), (2, 3), (1, 2), (0, 2)];
        for ((kernel, stride, padding, side), (before, places)) in CASES.into_iter().zip(expected) {
            let (_, conv, _) = both(shape(kernel, stride, padding));
            let x = normal_tensor(&[2, 2, side, side], 2);
            let sums = by_hand(&conv, &x, before, places);
            assert!(largest_difference(&conv.forward(&x).unwrap(), &sums) < 1e-12);
        }
    }

    /// `<conv(x), y> = <x, transposed(y)>` for the same weight and no bias: the definition of the
    /// transposed convolution, `SAME` included.
    #[test]
    fn the_transposed_convolution_is_the_adjoint() {
        for (kernel, stride, padding, places) in
            [(4, 2, Padding::Each(1), 3), (5, 2, Padding::Same, 2), (3, 1, Padding::Each(1), 4)]
        {
            let (_, mut conv, mut back) = both(shape(kernel, stride, padding));
            (conv.bias, back.bias) = (None, None);
            // A weight of outputs x inputs for one direction is one of inputs x outputs for the
            // other.
            back.weight = conv.weight.clone();
            let y = normal_tensor(&[2, 3, places, places], 3);
            let sent = back.forward(&y).unwrap();
            let x = normal_tensor(sent.dims(), 4);
            let dot = |a: &Tensor, b: &Tensor| {
                a.mul(b).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
            };
            let (one, other) = (dot(&conv.forward(&x).unwrap(), &y), dot(&x, &sent));
            assert!((one - other).abs() < 1e-9 * one.abs().max(1.0), "{one} {other}");
        }
    }

    #[test]
    fn images_that_are_not_square_are_refused() {
        let (_, conv, back) = both(shape(2, 2, Padding::Each(0)));
        let x = normal_tensor(&[1, 2, 4, 5], 1);
        assert!(conv.forward(&x).unwrap_err().to_string().contains("square images, got 4 x 5"));
        assert!(back.forward(&x).unwrap_err().to_string().contains("square images, got 4 x 5"));
        let small = normal_tensor(&[1, 2, 1, 1], 1);
        assert!(conv.forward(&small).unwrap_err().to_string().contains("does not fit"));
    }
}
