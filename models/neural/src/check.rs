//! Support for tests: automatic gradients against central differences, two ways against each other.
//!
//! A layer is right when the gradient that it sends to each input and each parameter is the one
//! that moving that cell a little shows. Everything runs in `f64`, where a central difference
//! with a step of 1e-5 is good to about ten digits.

use candle_core::{DType, Device, Result, Tensor, Var};
use meg_core::{Rng, Seed};
use rand::Rng as _;
use rand_distr::StandardNormal;

/// Half the distance between the two points of a central difference.
const STEP: f64 = 1e-5;

/// Asserts that two ways of the same computation agree: the length of the difference is at most
/// `relative` times that of the exact vector, and `least` more. Cell by cell rounding forbids such a
/// bound, because two ways add in another order.
///
/// # Panics
/// When it is more, or the vectors are not of the same length.
pub fn assert_close<A: Copy + Into<f64>, B: Copy + Into<f64>>(
    what: &str,
    ours: &[A],
    exact: &[B],
    relative: f64,
    least: f64,
) {
    assert_eq!(ours.len(), exact.len(), "{what}");
    let length = |cells: &mut dyn Iterator<Item = f64>| cells.map(|x| x * x).sum::<f64>().sqrt();
    let pairs = ours.iter().zip(exact);
    let away = length(&mut pairs.map(|(&ours, &exact)| ours.into() - exact.into()));
    let size = length(&mut exact.iter().map(|&exact| exact.into()));
    assert!(
        away <= relative * size + least,
        "{what}: {away:e} away from a vector of length {size:e}"
    );
}

/// Where a gradient and its central difference differ most.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// Name of the variable and number of the cell, row-major.
    pub cell: String,
    /// What automatic differentiation says; `None` when it sends this variable no gradient.
    pub automatic: Option<f64>,
    /// The central difference.
    pub difference: f64,
    /// Their distance, relative to the largest central difference of this variable (or to 1e-3,
    /// whichever is more).
    pub relative: f64,
}

/// Asserts that the gradient of every cell of every variable agrees with its central difference.
///
/// `output` may have any shape; a fixed combination of its cells with weights that differ from
/// each other stands for the loss. It must be the same function on every call, so random masks
/// and noise are drawn outside of it. The values of the variables are left as they were. Returns
/// the largest gap.
///
/// # Panics
/// When a gap is more than `tolerance`, or `output` fails.
pub fn gradient_check(
    variables: &[(&str, &Var)],
    tolerance: f64,
    output: impl Fn() -> Result<Tensor>,
) -> Gap {
    let gap = gradient_gap(variables, output).expect("the expression runs forwards and backwards");
    assert!(gap.relative <= tolerance, "more than {tolerance:e} apart: {gap:?}");
    gap
}

/// The largest gap between gradients and central differences.
///
/// # Errors
/// Those of `output`, of its backward pass, and variables that are not `f64`.
///
/// # Panics
/// When there is no variable with cells.
pub fn gradient_gap(
    variables: &[(&str, &Var)],
    output: impl Fn() -> Result<Tensor>,
) -> Result<Gap> {
    let gradients = weighted_sum(&output()?)?.backward()?;
    let loss = || weighted_sum(&output()?)?.to_scalar::<f64>();
    let mut worst: Option<Gap> = None;
    for (name, variable) in variables {
        let gradient = gradients.get(variable).map(cells).transpose()?;
        let differences = central_differences(variable, &loss)?;
        let scale = differences.iter().fold(1e-3f64, |most, x| most.max(x.abs()));
        for (at, &difference) in differences.iter().enumerate() {
            let automatic = gradient.as_ref().map(|cells| cells[at]);
            let distance = (automatic.unwrap_or(0.0) - difference).abs() / scale;
            // A NaN is the worst gap there is.
            let relative = if distance.is_nan() { f64::INFINITY } else { distance };
            if worst.as_ref().is_none_or(|worst| relative > worst.relative) {
                worst =
                    Some(Gap { cell: format!("{name}[{at}]"), automatic, difference, relative });
            }
        }
    }
    Ok(worst.expect("there is at least one cell to check"))
}

/// A variable of standard normals in `f64`, the same for the same salt.
///
/// # Panics
/// When the shape cannot be made.
pub fn normal_var(shape: &[usize], salt: u64) -> Var {
    Var::from_tensor(&normal_tensor(shape, salt)).expect("a variable from a tensor")
}

/// A tensor of standard normals in `f64`, the same for the same salt.
///
/// # Panics
/// When the shape cannot be made.
pub fn normal_tensor(shape: &[usize], salt: u64) -> Tensor {
    let mut rng: Rng = Seed(salt).stream("gradient check");
    let cells: Vec<f64> = (0..shape.iter().product()).map(|_| rng.sample(StandardNormal)).collect();
    Tensor::from_vec(cells, shape, &Device::Cpu).expect("as many cells as the shape says")
}

/// All cells in row-major order as `f64`.
///
/// # Errors
/// Those of the device.
pub fn cells(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The largest absolute difference between two tensors of one shape.
///
/// # Panics
/// When the shapes differ or a cell is not a number.
pub fn largest_difference(one: &Tensor, other: &Tensor) -> f64 {
    assert_eq!(one.dims(), other.dims(), "shapes");
    let (one, other) = (cells(one).expect("cells"), cells(other).expect("cells"));
    one.iter().zip(&other).fold(0.0f64, |most, (x, y)| {
        assert!(!(x - y).is_nan(), "{x} against {y}");
        most.max((x - y).abs())
    })
}

fn weighted_sum(output: &Tensor) -> Result<Tensor> {
    let weights: Vec<f64> =
        (0..output.elem_count()).map(|at| (0.7 * at as f64 + 0.3).cos() + 0.2).collect();
    let weights = Tensor::from_vec(weights, output.shape(), output.device())?;
    output.mul(&weights)?.sum_all()
}

fn central_differences(variable: &Var, loss: &impl Fn() -> Result<f64>) -> Result<Vec<f64>> {
    let values: Vec<f64> = variable.flatten_all()?.to_vec1()?;
    let set = |values: &[f64]| {
        variable.set(&Tensor::from_slice(values, variable.shape(), variable.device())?)
    };
    let mut differences = Vec::with_capacity(values.len());
    let mut moved = values.clone();
    for at in 0..values.len() {
        moved[at] = values[at] + STEP;
        set(&moved)?;
        let above = loss()?;
        moved[at] = values[at] - STEP;
        set(&moved)?;
        differences.push((above - loss()?) / (2.0 * STEP));
        moved[at] = values[at];
    }
    set(&values)?;
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_gradients_pass_and_values_are_left_alone() {
        let (x, y) = (normal_var(&[2, 3], 1), normal_var(&[3, 2], 2));
        let before = cells(&x).unwrap();
        let gap = gradient_check(&[("x", &x), ("y", &y)], 1e-9, || x.matmul(&y)?.tanh());
        assert!(gap.automatic.is_some());
        assert_eq!(cells(&x).unwrap(), before);
    }

    #[test]
    fn a_missing_share_of_a_gradient_is_found() {
        let x = normal_var(&[4], 3);
        let gap = gradient_gap(&[("x", &x)], || x.mul(&x.detach())).unwrap();
        assert!((0.1..1.0).contains(&gap.relative), "{gap:?}");
    }

    #[test]
    #[should_panic(expected = "automatic: None")]
    fn a_gradient_that_is_missing_altogether_is_found() {
        let x = normal_var(&[4], 4);
        gradient_check(&[("x", &x)], 1e-6, || x.detach().sqr());
    }
}
