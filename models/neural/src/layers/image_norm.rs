use super::heads_op::slice;
use super::images::{KernelThreads, kernels};
use super::{BatchNormSettings, Initial, Mode, ParameterStore, activation};
use crate::kernels::{LeakyNorm, Moments};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Storage, Tensor, Var, bail};
use meg_core::Rng;
use std::sync::{Arc, Mutex, PoisonError};

/// Batch normalisation of images whose channels lie side by side, with a leaky ReLU behind it.
///
/// A single row of one cell has no spread: it becomes the shift.
#[derive(Debug, Clone)]
pub struct ImageNorm {
    scale: Tensor,
    shift: Tensor,
    running: Option<Running>,
    settings: BatchNormSettings,
    leak: f64,
    threads: KernelThreads,
}

/// What sampling normalises by.
#[derive(Debug, Clone)]
struct Running {
    mean: Var,
    variance: Var,
}

impl ImageNorm {
    /// A layer for so many channels, followed by a leaky ReLU of this slope below 0. Parameters
    /// `name.weight` (scale, which must begin somehow) and `name.bias` (shift, 0 at first); with
    /// `running`, the statistics `name.running_mean` and `name.running_var`.
    ///
    /// # Errors
    /// When the name is taken, or the settings have no scale.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        channels: usize,
        (settings, leak, running): (BatchNormSettings, f64, bool),
        threads: KernelThreads,
        rng: &mut Rng,
    ) -> Result<Self> {
        let Some(initial) = settings.scale else { bail!("{name:?} needs a scale") };
        let shape = [channels];
        let scale = store.parameter(&format!("{name}.weight"), &shape, initial, rng)?;
        let shift =
            store.parameter(&format!("{name}.bias"), &shape, Initial::Constant(0.0), rng)?;
        let running = match running {
            false => None,
            true => Some(Running {
                mean: store.statistic(&format!("{name}.running_mean"), &shape, 0.0)?,
                variance: store.statistic(&format!("{name}.running_var"), &shape, 1.0)?,
            }),
        };
        let (scale, shift) = (scale.into_inner(), shift.into_inner());
        Ok(Self { scale, shift, running, settings, leak, threads })
    }

    /// The same layer, following its parameters, through which no gradient flows to them.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self { scale: self.scale.detach(), shift: self.shift.detach(), ..self.clone() }
    }

    /// Normalises, in training by the batch's own mean and variance (which also move the running
    /// ones, where there are any), in sampling by the running ones. The shape is that of `x`.
    ///
    /// # Errors
    /// When the channels are others, or sampling has no running statistics.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        match (mode, kernels(x, self.threads)) {
            (Mode::Sampling, _) => self.by_running(x),
            (Mode::Training, Some(_)) => self.by_kernels(x),
            (Mode::Training, None) => self.by_expression(x),
        }
    }

    fn by_kernels(&self, x: &Tensor) -> Result<Tensor> {
        let seen = Arc::new(Mutex::new(Moments::default()));
        let op = NormOp { seen: seen.clone(), epsilon: self.epsilon(), leak: self.leak as f32 };
        let out = x.contiguous()?.apply_op3(&self.scale, &self.shift, op)?;
        if self.running.is_some() {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let tensor = |cells: &[f32]| Tensor::from_slice(cells, self.shift.shape(), x.device());
            self.follow(x, &tensor(&seen.mean)?, &tensor(&seen.variance)?)?;
        }
        Ok(out)
    }

    fn by_expression(&self, x: &Tensor) -> Result<Tensor> {
        let rows = x.reshape(((), self.shift.elem_count()))?;
        let mean = rows.mean_keepdim(0)?;
        let centred = rows.broadcast_sub(&mean)?;
        let variance = centred.sqr()?.mean_keepdim(0)?;
        self.follow(x, &mean.detach().flatten_all()?, &variance.detach().flatten_all()?)?;
        self.affine(&centred, &variance, x)
    }

    fn by_running(&self, x: &Tensor) -> Result<Tensor> {
        let Some(Running { mean, variance }) = &self.running else {
            bail!("this layer keeps no running statistics to sample by");
        };
        let rows = x.reshape(((), self.shift.elem_count()))?;
        self.affine(&rows.broadcast_sub(&mean.detach())?, &variance.detach(), x)
    }

    fn affine(&self, centred: &Tensor, variance: &Tensor, like: &Tensor) -> Result<Tensor> {
        let deviation = variance.affine(1.0, self.settings.epsilon)?.sqrt()?;
        let normal = centred.broadcast_div(&deviation)?;
        let out = normal.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)?;
        activation::leaky_relu(&out, self.leak)?.reshape(like.shape())
    }

    /// Moves the running statistics as PyTorch does: the variance over `n - 1`.
    fn follow(&self, x: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        let rows = (x.elem_count() / self.shift.elem_count()) as f64;
        let share = self.settings.momentum;
        let blend = |running: &Var, new: &Tensor, factor: f64| {
            let new = new.affine(share * factor, 0.0)?;
            running.set(&running.as_detached_tensor().affine(1.0 - share, 0.0)?.add(&new)?)
        };
        blend(&running.mean, mean, 1.0)?;
        blend(&running.variance, variance, if rows > 1.0 { rows / (rows - 1.0) } else { 1.0 })
    }

    fn epsilon(&self) -> f32 {
        self.settings.epsilon as f32
    }
}

/// The loop over images, scale and shift; it leaves the batch's moments where the layer and the
/// backward pass find them.
struct NormOp {
    seen: Arc<Mutex<Moments>>,
    epsilon: f32,
    leak: f32,
}

impl CustomOp3 for NormOp {
    fn name(&self) -> &'static str {
        "image-norm"
    }

    fn cpu_fwd(
        &self,
        cells: &CpuStorage,
        layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let cells = slice(cells, layout)?;
        let (scale, shift) = (slice(scale, scale_layout)?, slice(shift, shift_layout)?);
        if layout.dims().last() != Some(&scale.len()) || scale.len() != shift.len() {
            bail!("images of {:?} for a norm of {} channels", layout.shape(), scale.len());
        }
        let moments = Moments::of(cells, scale.len(), self.epsilon);
        let mut out = vec![0.0; cells.len()];
        LeakyNorm { scale, shift, leak: self.leak }.forward(&moments, cells, &mut out);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = moments;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        cells: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let moments = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let units = shift.elem_count();
        let mut out = vec![0.0; cells.elem_count()];
        let (mut scales, mut shifts) = (vec![0.0; units], vec![0.0; units]);
        let all = [cells, scale, shift, &gradient.contiguous()?];
        lend(all, |[cells, scale, shift, gradient]| {
            let norm = LeakyNorm { scale, shift, leak: self.leak };
            norm.backward(&moments, cells, gradient, &mut out, (&mut scales, &mut shifts));
        })?;
        let tensor = |cells: Vec<f32>, like: &Tensor| {
            Tensor::from_vec(cells, like.shape(), like.device()).map(Some)
        };
        Ok((tensor(out, cells)?, tensor(scales, scale)?, tensor(shifts, shift)?))
    }
}

/// Lends the cells of contiguous `f32` tensors on the CPU.
fn lend<const N: usize>(tensors: [&Tensor; N], work: impl FnOnce([&[f32]; N])) -> Result<()> {
    let held = tensors.map(Tensor::storage_and_layout);
    let mut cells: [&[f32]; N] = [&[]; N];
    for (cells, (storage, layout)) in cells.iter_mut().zip(&held) {
        match &**storage {
            Storage::Cpu(storage) => *cells = slice(storage, layout)?,
            _ => bail!("the kernels of this layer run on the CPU"),
        }
    }
    work(cells);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, gradient_check, normal_tensor, normal_var};
    use crate::layers::BatchNorm;
    use candle_core::{DType, Device};
    use meg_core::Seed;

    const LEAK: f64 = 0.2;

    fn settings() -> BatchNormSettings {
        let scale = Some(Initial::Normal { mean: 1.0, deviation: 0.5 });
        BatchNormSettings { scale, ..BatchNormSettings::default() }
    }

    fn norm(dtype: DType, threads: KernelThreads) -> (ParameterStore, ImageNorm) {
        let mut store = ParameterStore::new(dtype, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        let layer = ImageNorm::new(&mut store, "n", 3, (settings(), LEAK, true), threads, rng);
        let shift = Tensor::new(&[0.3, -0.2, 0.1], &Device::Cpu).unwrap();
        store.entries()[1].var.set(&shift.to_dtype(dtype).unwrap()).unwrap();
        (store, layer.unwrap())
    }

    #[test]
    fn gradients_of_the_expression_agree_with_central_differences() {
        let (store, layer) = norm(DType::F64, None);
        let x = normal_var(&[4, 2, 2, 3], 1);
        let parameters = store.trainable().map(|one| (&*one.name, &one.var));
        let all: Vec<_> = parameters.chain([("x", &x)]).collect();
        gradient_check(&all, 1e-6, || layer.forward(&x, Mode::Training));
        gradient_check(&all, 1e-6, || layer.forward(&x, Mode::Sampling));
    }

    /// Output, gradients and running statistics, after one batch.
    fn run(dtype: DType, threads: KernelThreads) -> Vec<Vec<f64>> {
        let (store, layer) = norm(dtype, threads);
        let x = normal_tensor(&[9, 2, 2, 3], 2).affine(2.0, 0.7).unwrap().to_dtype(dtype).unwrap();
        let x = Var::from_tensor(&x).unwrap();
        let out = layer.forward(&x, Mode::Training).unwrap();
        let weights = normal_tensor(out.dims(), 9).to_dtype(dtype).unwrap();
        let gradients = out.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        let sampled = layer.forward(&x, Mode::Sampling).unwrap();
        let trained = store.trainable().map(|entry| gradients.get(&entry.var).unwrap());
        let running = store.entries()[2..].iter().map(|entry| entry.var.as_tensor());
        let sent = gradients.get(&x).unwrap();
        let all = [&out, &sampled, sent].into_iter().chain(trained).chain(running);
        all.map(|tensor| cells(tensor).unwrap()).collect()
    }

    #[test]
    fn kernels_agree_with_the_expression() {
        let exact = run(DType::F64, None);
        for threads in [None, Some(1)] {
            for (ours, exact) in run(DType::F32, threads).iter().zip(&exact) {
                for (one, other) in ours.iter().zip(exact) {
                    assert!((one - other).abs() < 2e-5, "{threads:?}: {one} {other}");
                }
            }
        }
    }

    /// The layer for rows of units, whose constants are those of PyTorch, then the slope.
    #[test]
    fn it_is_the_norm_of_rows_with_a_slope() {
        let (store, layer) = norm(DType::F64, None);
        let mut other = ParameterStore::new(DType::F64, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        let rows = BatchNorm::new(&mut other, "n", 3, settings(), rng).unwrap();
        for (one, other) in store.entries().iter().zip(other.entries()) {
            other.var.set(&one.var.as_detached_tensor()).unwrap();
        }
        let x = normal_tensor(&[5, 2, 2, 3], 3);
        for mode in [Mode::Training, Mode::Sampling] {
            let ours = cells(&layer.forward(&x, mode).unwrap()).unwrap();
            let theirs = rows.forward(&x.reshape(((), 3)).unwrap(), mode).unwrap();
            let theirs = cells(&activation::leaky_relu(&theirs, LEAK).unwrap()).unwrap();
            for (one, other) in ours.iter().zip(theirs) {
                assert!((one - other).abs() < 1e-12, "{mode:?}: {one} {other}");
            }
        }
    }

    #[test]
    fn a_single_cell_becomes_the_shift() {
        for (dtype, threads) in [(DType::F64, None), (DType::F32, Some(1))] {
            let (_, layer) = norm(dtype, threads);
            let x = normal_tensor(&[1, 1, 1, 3], 1).to_dtype(dtype).unwrap();
            let out = cells(&layer.forward(&x, Mode::Training).unwrap()).unwrap();
            for (cell, shift) in out.iter().zip([0.3, -0.2 * LEAK, 0.1]) {
                assert!((cell - shift).abs() < 1e-7, "{out:?}");
            }
        }
    }

    #[test]
    fn frozen_layers_send_gradients_to_their_input_alone() {
        let (store, layer) = norm(DType::F32, Some(1));
        let x = normal_tensor(&[2, 2, 2, 3], 1).to_dtype(DType::F32).unwrap();
        let x = Var::from_tensor(&x).unwrap();
        let out = layer.frozen().forward(&x, Mode::Training).unwrap();
        let gradients = out.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&x).is_some());
        assert!(store.trainable().all(|entry| gradients.get(&entry.var).is_none()));
    }
}
