use super::real::Real;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Sums of closenesses, rows x kernels, from projections of rows x kernels x dimensions, as one
/// loop over pairs with its own gradient: the pairs are never stored.
pub(super) fn closeness(projected: &Tensor) -> Result<Tensor> {
    projected.contiguous()?.apply_op1(Closeness)
}

struct Closeness;

impl CustomOp1 for Closeness {
    fn name(&self) -> &'static str {
        "closeness"
    }

    fn cpu_fwd(&self, projected: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, kernels, _) = layout.shape().dims3()?;
        let out = match projected {
            CpuStorage::F32(_) => sums::<f32>((projected, layout)),
            CpuStorage::F64(_) => sums::<f64>((projected, layout)),
            _ => bail!("closeness is of f32 or f64"),
        };
        Ok((out?, Shape::from((rows, kernels))))
    }

    fn bwd(&self, projected: &Tensor, _sums: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        projected.apply_op2_no_bwd(&gradient.contiguous()?, &ClosenessBackward).map(Some)
    }
}

/// Arguments are the projections and the gradient of the sums.
struct ClosenessBackward;

impl CustomOp2 for ClosenessBackward {
    fn name(&self) -> &'static str {
        "closeness-backward"
    }

    fn cpu_fwd(
        &self,
        projected: &CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (one, other) = ((projected, layout), (gradient, gradient_layout));
        let out = match projected {
            CpuStorage::F32(_) => sums_backward::<f32>(one, other),
            CpuStorage::F64(_) => sums_backward::<f64>(one, other),
            _ => bail!("closeness is of f32 or f64"),
        };
        Ok((out?, layout.shape().clone()))
    }
}

fn sums<T: Real>(projected: (&CpuStorage, &Layout)) -> Result<CpuStorage> {
    let (rows, kernels, dimensions) = projected.1.shape().dims3()?;
    let cells = T::cells(projected)?;
    // Each row is as close to itself as can be.
    let mut out = vec![T::one(); rows * kernels];
    for row in 0..rows {
        for other in row + 1..rows {
            for kernel in 0..kernels {
                let place = |row: usize| row * kernels + kernel;
                let [one, two] = [row, other].map(|row| at(cells, place(row), dimensions));
                let close = pair(one, two);
                out[place(row)] += close;
                out[place(other)] += close;
            }
        }
    }
    Ok(T::to_cpu_storage_owned(out))
}

fn sums_backward<T: Real>(
    projected: (&CpuStorage, &Layout),
    gradient: (&CpuStorage, &Layout),
) -> Result<CpuStorage> {
    let (rows, kernels, dimensions) = projected.1.shape().dims3()?;
    let (cells, gradient) = (T::cells(projected)?, T::cells(gradient)?);
    let mut out = vec![T::zero(); cells.len()];
    for row in 0..rows {
        for other in row + 1..rows {
            for kernel in 0..kernels {
                let (first, second) = (row * kernels + kernel, other * kernels + kernel);
                let [one, two] = [first, second].map(|place| at(cells, place, dimensions));
                let sent = (gradient[first] + gradient[second]) * pair(one, two);
                let (before, behind) = out.split_at_mut(second * dimensions);
                let first = &mut before[first * dimensions..][..dimensions];
                let second = &mut behind[..dimensions];
                for dim in 0..dimensions {
                    // Away from each other they are less close; equal cells send nothing.
                    let sent = sent * sign(one[dim] - two[dim]);
                    first[dim] -= sent;
                    second[dim] += sent;
                }
            }
        }
    }
    Ok(T::to_cpu_storage_owned(out))
}

/// `exp(-|one - two|_1)`.
fn pair<T: Real>(one: &[T], two: &[T]) -> T {
    let mut distance = T::zero();
    for (&x, &y) in one.iter().zip(two) {
        distance += if x > y { x - y } else { y - x };
    }
    (T::zero() - distance).exp()
}

fn sign<T: Real>(cell: T) -> T {
    if cell > T::zero() {
        T::one()
    } else if cell < T::zero() {
        T::zero() - T::one()
    } else {
        T::zero()
    }
}

fn at<T>(cells: &[T], place: usize, dimensions: usize) -> &[T] {
    &cells[place * dimensions..(place + 1) * dimensions]
}
