use super::{Initial, Linear, ParameterStore, activation::abs, minibatch_op, real};
use candle_core::{Result, Tensor};
use meg_core::Rng;

/// Minibatch discrimination (Salimans et al. 2016, section 3.2): how close each row's features
/// lie to those of the other rows, so that a discriminator sees a generator that repeats itself.
///
/// Time grows with the square of the batch: batch^2 x kernels x dimensions cells; on CUDA the
/// memory does too.
#[derive(Debug, Clone)]
pub struct MinibatchDiscrimination {
    projection: Linear,
    kernels: usize,
    dimensions: usize,
}

impl MinibatchDiscrimination {
    /// A layer over rows of `inputs` features. Parameter `name.weight` (kernels * dimensions x
    /// inputs) and, if it begins somehow (the paper has none, TGAN's code does), `name.bias`.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        (inputs, kernels, dimensions): (usize, usize, usize),
        weight: Initial,
        bias: Option<Initial>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let sides = (inputs, kernels * dimensions);
        let projection = Linear::with_initial(store, name, sides, weight, bias, rng)?;
        Ok(Self { projection, kernels, dimensions })
    }

    /// Rows of `inputs` features to rows of `kernels` closenesses: for kernel b and row i the sum
    /// over all rows j, i itself included, of `exp(-|M_ib - M_jb|_1)`; in `[1, batch]`.
    ///
    /// # Errors
    /// When the shapes disagree.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let sides = (rows, self.kernels, self.dimensions);
        closeness(&self.projection.forward(x)?.reshape(sides)?)
    }
}

/// The sums of closenesses of [`MinibatchDiscrimination`], rows x kernels, from projections of rows
/// x kernels x dimensions.
///
/// # Errors
/// When there are not three dimensions.
pub fn closeness(projected: &Tensor) -> Result<Tensor> {
    match real::fits(projected) {
        true => minibatch_op::closeness(projected),
        false => expression(projected),
    }
}

/// The form for every device.
fn expression(projected: &Tensor) -> Result<Tensor> {
    let pairs = projected.unsqueeze(0)?.broadcast_sub(&projected.unsqueeze(1)?)?;
    abs(&pairs)?.sum(3)?.neg()?.exp()?.sum(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, largest_difference, normal_var};
    use candle_core::{DType, Device};
    use meg_core::Seed;

    fn layer() -> (ParameterStore, MinibatchDiscrimination) {
        let mut store = ParameterStore::new(DType::F64, &Device::Cpu);
        let initial = Initial::Normal { mean: 0.0, deviation: 0.3 };
        let rng = &mut Seed(1).stream("init");
        let sides = (3, 2, 4);
        let layer =
            MinibatchDiscrimination::new(&mut store, "m", sides, initial, Some(initial), rng);
        (store, layer.unwrap())
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let (store, layer) = layer();
        let x = normal_var(&[5, 3], 1);
        let mut variables = vec![("x", &x)];
        variables.extend(store.trainable().map(|entry| (entry.name.as_str(), &entry.var)));
        gradient_check(&variables, 1e-7, || layer.forward(&x));
        let projected = normal_var(&[5, 2, 4], 2);
        let name = [("projected", &projected)];
        gradient_check(&name, 1e-7, || expression(&projected));
        let loop_over_pairs = minibatch_op::closeness(&projected).unwrap();
        let expression = expression(&projected).unwrap();
        assert!(largest_difference(&loop_over_pairs, &expression) < 1e-14);
    }

    #[test]
    fn closeness_is_the_sum_over_pairs() {
        let (_, layer) = layer();
        let x = normal_var(&[4, 3], 2);
        let projected = cells(&layer.projection.forward(&x).unwrap()).unwrap();
        let out = cells(&layer.forward(&x).unwrap()).unwrap();
        for (at, &seen) in out.iter().enumerate() {
            let (row, kernel) = (at / 2, at % 2);
            let place = |row: usize, dim: usize| projected[row * 8 + kernel * 4 + dim];
            let distance = |other: usize| -> f64 {
                (0..4).map(|dim| (place(row, dim) - place(other, dim)).abs()).sum()
            };
            let expected: f64 = (0..4).map(|other| (-distance(other)).exp()).sum();
            assert!((seen - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn rows_that_are_all_alike_are_as_close_as_can_be() {
        let (_, layer) = layer();
        let row = normal_var(&[1, 3], 3);
        let x = row.broadcast_as((6, 3)).unwrap().contiguous().unwrap();
        let projected = layer.projection.forward(&x).unwrap().reshape((6, 2, 4)).unwrap();
        let expression = expression(&projected);
        for out in [layer.forward(&x).unwrap(), expression.unwrap()] {
            assert_eq!(cells(&out).unwrap(), [6.0; 12]);
            // No direction draws them apart first: the gradient is 0, not that of a one-sided
            // kink.
            let gradients = out.sum_all().unwrap().backward().unwrap();
            assert_eq!(cells(gradients.get(&row).unwrap()).unwrap(), [0.0; 3]);
        }
    }
}
