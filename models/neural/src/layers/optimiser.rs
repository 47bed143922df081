use super::heads_op::slice;
use super::store::{first_not_finite, load_tensor, save_tensor};
use super::{Gradients, Named};
use crate::kernels::{self, AdamStep};
use crate::{Adam, tensor_error};
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Tensor, bail};
use meg_core::TrainingState;
use std::cell::RefCell;

/// Adam with coupled weight decay, as PyTorch's `Adam` has it, with settings per group of
/// parameters. Weights are updated in place.
#[derive(Debug, Default)]
pub struct Optimiser {
    groups: Vec<Group>,
    steps: u64,
}

/// Name of the part of a training state that counts the steps.
const STEPS: &str = "steps";

#[derive(Debug)]
struct Group {
    settings: Adam,
    trained: Vec<Trained>,
}

/// A parameter and its moments.
#[derive(Debug)]
struct Trained {
    parameter: Named,
    moments: Moments,
}

#[derive(Debug)]
enum Moments {
    /// `f32` on the CPU: one loop over all cells.
    Host { first: Vec<f32>, second: Vec<f32> },
    /// Elsewhere: tensor operations.
    Device { first: Tensor, second: Tensor },
}

impl Optimiser {
    /// An optimiser of nothing; add groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds parameters with their settings.
    ///
    /// # Errors
    /// When a parameter is a statistic or has been added before, or those of the device.
    pub fn group<'a>(
        mut self,
        parameters: impl IntoIterator<Item = &'a Named>,
        settings: Adam,
    ) -> Result<Self> {
        let mut trained: Vec<Trained> = Vec::new();
        for parameter in parameters {
            let old = self.groups.iter().flat_map(|group| &group.trained).chain(&trained);
            if old.into_iter().any(|old| old.parameter.var.id() == parameter.var.id()) {
                bail!("the parameter {:?} is in the optimiser twice", parameter.name);
            }
            if !parameter.trainable {
                bail!("{:?} is a statistic, not a parameter", parameter.name);
            }
            let moments = Moments::new(&parameter.var)?;
            trained.push(Trained { parameter: parameter.clone(), moments });
        }
        self.groups.push(Group { settings, trained });
        Ok(self)
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The settings of a group, to be changed between steps.
    pub fn settings_mut(&mut self, group: usize) -> Option<&mut Adam> {
        self.groups.get_mut(group).map(|group| &mut group.settings)
    }

    /// The gradients of a loss for all parameters, group by group.
    ///
    /// # Errors
    /// Those of [`Gradients::of`].
    pub fn gradients(&self, loss: &Tensor) -> Result<Gradients> {
        let all = self.groups.iter().flat_map(|group| &group.trained);
        Gradients::of(loss, all.map(|trained| &trained.parameter))
    }

    /// One step along gradients made by [`Optimiser::gradients`].
    ///
    /// # Errors
    /// When there are more or fewer gradients than parameters, or a shape differs; then nothing
    /// has changed.
    pub fn step(&mut self, gradients: &Gradients) -> Result<()> {
        self.check(gradients)?;
        self.steps += 1;
        let mut gradients = gradients.tensors();
        for group in &mut self.groups {
            let (rate, root) = group.settings.corrections(self.steps);
            let Adam { beta1, beta2, epsilon, weight_decay, .. } = group.settings;
            let step = AdamStep { rate, root, beta1, beta2, epsilon, decay: weight_decay };
            for (trained, gradient) in group.trained.iter_mut().zip(gradients.by_ref()) {
                trained.step(gradient, &step)?;
            }
        }
        Ok(())
    }

    /// Gradients and step in one.
    ///
    /// # Errors
    /// Those of both.
    pub fn minimise(&mut self, loss: &Tensor) -> Result<()> {
        let gradients = self.gradients(loss)?;
        self.step(&gradients)
    }

    /// Writes the moments, in `f32`, to a training state, as `prefix` + name + `.first` and
    /// `.second`, and the number of steps as the part `prefix` + `steps`.
    ///
    /// # Errors
    /// When there is a tensor of such a name already, or those of the device.
    pub fn save(&self, prefix: &str, state: &mut TrainingState) -> meg_core::Result<()> {
        state.put(&format!("{prefix}{STEPS}"), &self.steps)?;
        for trained in self.groups.iter().flat_map(|group| &group.trained) {
            let name = format!("{prefix}{}", trained.parameter.name);
            let (first, second) = trained.tensors().map_err(tensor_error)?;
            save_tensor(&format!("{name}.first"), &first, &mut state.tensors)?;
            save_tensor(&format!("{name}.second"), &second, &mut state.tensors)?;
        }
        Ok(())
    }

    /// Goes on from what [`Optimiser::save`] wrote. Nothing changes unless all of it is there.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when the steps or a moment are missing, of another shape or
    /// not finite, or a second moment is below 0.
    pub fn load(&mut self, prefix: &str, state: &TrainingState) -> meg_core::Result<()> {
        let steps = state.part(&format!("{prefix}{STEPS}"))?;
        let find = |name: &str, shape: &[usize]| state.tensor(name, shape);
        let squares = |name: &str, shape: &[usize]| state.squares(name, shape);
        let mut moments = Vec::new();
        for trained in self.groups.iter().flat_map(|group| &group.trained) {
            let Named { name, var, .. } = &trained.parameter;
            let first = load_tensor(&format!("{prefix}{name}.first"), var, find)?;
            moments.push((first, load_tensor(&format!("{prefix}{name}.second"), var, squares)?));
        }
        let all = self.groups.iter_mut().flat_map(|group| &mut group.trained);
        for (trained, (first, second)) in all.zip(moments) {
            trained.moments.set(first, second).map_err(tensor_error)?;
        }
        self.steps = steps;
        Ok(())
    }

    /// A phrase about the first moment with a cell that is not finite.
    ///
    /// # Errors
    /// Those of the device.
    pub fn not_finite(&self) -> meg_core::Result<Option<String>> {
        for trained in self.groups.iter().flat_map(|group| &group.trained) {
            let name = format!("a moment of {}", trained.parameter.name);
            let (first, second) = trained.tensors().map_err(tensor_error)?;
            let found = first_not_finite([(&*name, &first), (&*name, &second)]);
            if let Some(phrase) = found.map_err(tensor_error)? {
                return Ok(Some(phrase));
            }
        }
        Ok(None)
    }

    fn check(&self, gradients: &Gradients) -> Result<()> {
        let all: Vec<&Trained> = self.groups.iter().flat_map(|group| &group.trained).collect();
        if all.len() != gradients.tensors().len() {
            bail!("{} gradients for {} parameters", gradients.tensors().len(), all.len());
        }
        for (trained, gradient) in all.iter().zip(gradients.tensors()) {
            let Named { name, var, .. } = &trained.parameter;
            if var.dims() != gradient.dims() {
                bail!("{name:?} of {:?} gets a gradient of {:?}", var.dims(), gradient.dims());
            }
        }
        Ok(())
    }
}

impl Trained {
    fn step(&mut self, gradient: &Tensor, step: &AdamStep) -> Result<()> {
        let var = &self.parameter.var;
        match &mut self.moments {
            Moments::Host { first, second } => {
                let op = InPlaceAdam { moments: RefCell::new((first, second)), step };
                var.inplace_op2(&gradient.contiguous()?, &op)
            }
            Moments::Device { first, second } => {
                let blend = |old: &Tensor, new: &Tensor, beta: f32| {
                    let beta = f64::from(beta);
                    old.affine(beta, 0.0)? + new.affine(1.0 - beta, 0.0)?
                };
                let value = var.as_detached_tensor();
                let gradient = (gradient + value.affine(f64::from(step.decay), 0.0)?)?;
                *first = blend(first, &gradient, step.beta1)?;
                *second = blend(second, &gradient.sqr()?, step.beta2)?;
                let scale = second.sqrt()?.affine(f64::from(step.root), f64::from(step.epsilon))?;
                var.set(&value.sub(&first.div(&scale)?.affine(f64::from(step.rate), 0.0)?)?)
            }
        }
    }

    fn tensors(&self) -> Result<(Tensor, Tensor)> {
        let var = &self.parameter.var;
        let host = |cells: &[f32]| Tensor::from_slice(cells, var.shape(), var.device());
        Ok(match &self.moments {
            Moments::Host { first, second } => (host(first)?, host(second)?),
            Moments::Device { first, second } => (first.clone(), second.clone()),
        })
    }
}

impl Moments {
    fn new(var: &Tensor) -> Result<Self> {
        if var.device().is_cpu() && var.dtype() == DType::F32 {
            let zeros = vec![0.0; var.elem_count()];
            return Ok(Moments::Host { first: zeros.clone(), second: zeros });
        }
        Ok(Moments::Device { first: var.zeros_like()?, second: var.zeros_like()? })
    }

    fn set(&mut self, new_first: Tensor, new_second: Tensor) -> Result<()> {
        match self {
            Moments::Host { first, second } => {
                *first = new_first.flatten_all()?.to_vec1()?;
                *second = new_second.flatten_all()?.to_vec1()?;
            }
            Moments::Device { first, second } => (*first, *second) = (new_first, new_second),
        }
        Ok(())
    }
}

/// The step over the cells of a weight and its gradient.
struct InPlaceAdam<'a> {
    /// First and second moments. An operation of candle has no access of its own to anything but
    /// the two tensors, and gets itself by a shared reference.
    moments: RefCell<(&'a mut [f32], &'a mut [f32])>,
    step: &'a AdamStep,
}

impl InplaceOp2 for InPlaceAdam<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        weight_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let gradient = slice(gradient, gradient_layout)?;
        let (CpuStorage::F32(cells), Some((start, end))) =
            (weight, weight_layout.contiguous_offsets())
        else {
            bail!("a contiguous f32 weight is needed");
        };
        let (first, second) = &mut *self.moments.borrow_mut();
        kernels::adam(&mut cells[start..end], gradient, first, second, self.step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{cells, largest_difference, normal_tensor};
    use crate::layers::{Initial, Linear, ParameterStore};
    use candle_core::Device;
    use meg_core::Seed;

    const ADAM: Adam = Adam { rate: 0.1, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, weight_decay: 0.1 };
    const GENTLE: Adam =
        Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weight_decay: 0.0 };

    fn store(dtype: DType) -> ParameterStore {
        let mut store = ParameterStore::new(dtype, &Device::Cpu);
        let rng = &mut Seed(1).stream("init");
        for name in ["a", "b"] {
            store.parameter(name, &[2, 3], Initial::torch(1), rng).unwrap();
        }
        store
    }

    /// A loss whose gradient is not contiguous in `a` and changes with the weights.
    fn loss(store: &ParameterStore) -> Tensor {
        let [a, b] = store.entries() else { panic!("two parameters") };
        let other = normal_tensor(&[3, 2], 1).to_dtype(store.dtype()).unwrap();
        let part = a.var.t().unwrap().mul(&other).unwrap().sin().unwrap().sum_all().unwrap();
        (part + b.var.sqr().unwrap().sum_all().unwrap()).unwrap()
    }

    fn optimiser(store: &ParameterStore) -> Optimiser {
        let [a, b] = store.entries() else { panic!("two parameters") };
        Optimiser::new().group([a], ADAM).unwrap().group([b], GENTLE).unwrap()
    }

    #[test]
    fn steps_are_those_of_the_formula_in_each_group_on_both_paths() {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-7)] {
            let store = store(dtype);
            let mut optimiser = optimiser(&store);
            let entries = store.entries();
            let mut states: Vec<_> = entries
                .iter()
                .map(|entry| (cells(&entry.var).unwrap(), [0.0; 6], [0.0; 6]))
                .collect();
            for step in 1..=5 {
                let gradients = optimiser.gradients(&loss(&store)).unwrap();
                optimiser.step(&gradients).unwrap();
                for ((entry, adam), (w, m, v)) in
                    entries.iter().zip([ADAM, GENTLE]).zip(&mut states)
                {
                    let g = cells(gradients.get(&entry.name).unwrap()).unwrap();
                    let [rate, b1, b2, epsilon, decay] =
                        [adam.rate, adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay]
                            .map(f64::from);
                    for at in 0..6 {
                        let g = g[at] + decay * w[at];
                        m[at] = b1 * m[at] + (1.0 - b1) * g;
                        v[at] = b2 * v[at] + (1.0 - b2) * g * g;
                        let (m, v) = (m[at] / (1.0 - b1.powi(step)), v[at] / (1.0 - b2.powi(step)));
                        w[at] -= rate * m / (v.sqrt() + epsilon);
                    }
                    let seen = cells(&entry.var).unwrap();
                    for (seen, expected) in seen.iter().zip(w.iter()) {
                        assert!((seen - expected).abs() < tolerance, "{step}: {seen} {expected}");
                    }
                }
            }
            assert_eq!(optimiser.steps(), 5);
        }
    }

    #[test]
    fn a_checkpoint_goes_on_to_the_same_bits() {
        let (straight, resumed) = (store(DType::F32), store(DType::F32));
        let mut optimiser_straight = optimiser(&straight);
        for _ in 0..3 {
            optimiser_straight.minimise(&loss(&straight)).unwrap();
        }
        let mut checkpoint = TrainingState::at(3);
        straight.save("net.", &mut checkpoint.tensors).unwrap();
        optimiser_straight.save("adam.", &mut checkpoint).unwrap();
        let mut optimiser_resumed = optimiser(&resumed);
        let kept = checkpoint.clone();
        let find = |name: &str, shape: &[usize]| kept.tensor(name, shape);
        resumed.load("net.", find).unwrap();
        optimiser_resumed.load("adam.", &kept).unwrap();
        assert_eq!(optimiser_resumed.steps(), 3);
        for _ in 0..3 {
            optimiser_straight.minimise(&loss(&straight)).unwrap();
            optimiser_resumed.minimise(&loss(&resumed)).unwrap();
        }
        for (one, other) in straight.entries().iter().zip(resumed.entries()) {
            assert_eq!(cells(&one.var).unwrap(), cells(&other.var).unwrap());
        }
        let cells = &mut checkpoint.tensors.get_mut("adam.b.second").unwrap().data;
        let kept = std::mem::replace(&mut cells[0], -1e-9);
        let error = optimiser_resumed.load("adam.", &checkpoint).unwrap_err().to_string();
        assert!(error.contains("adam.b.second") && error.contains("below 0"), "{error}");
        checkpoint.tensors.get_mut("adam.b.second").unwrap().data[0] = kept;
        checkpoint.tensors.remove("adam.b.second");
        let error = optimiser_resumed.load("adam.", &checkpoint).unwrap_err().to_string();
        assert!(error.contains("adam.b.second"), "{error}");
        checkpoint.parts.remove("adam.steps");
        let error = optimiser_resumed.load("adam.", &checkpoint).unwrap_err().to_string();
        assert!(error.contains("adam.steps"), "{error}");
        assert_eq!(optimiser_resumed.steps(), 6, "nothing has changed");
    }

    #[test]
    fn a_moment_that_is_not_finite_is_named() {
        for dtype in [DType::F32, DType::F64] {
            let store = store(dtype);
            let mut optimiser = optimiser(&store);
            optimiser.minimise(&loss(&store)).unwrap();
            assert_eq!(optimiser.not_finite().unwrap(), None);
            optimiser.minimise(&loss(&store).affine(f64::INFINITY, 0.0).unwrap()).unwrap();
            let phrase = optimiser.not_finite().unwrap().unwrap();
            assert_eq!(phrase, "a moment of a holds a value that is not finite");
        }
    }

    #[test]
    fn a_linear_regression_finds_its_coefficients() {
        let mut store = ParameterStore::new(DType::F32, &Device::Cpu);
        let layer = Linear::new(&mut store, "l", 3, 1, &mut Seed(2).stream("init")).unwrap();
        let settings = Adam { rate: 0.02, weight_decay: 0.0, ..ADAM };
        let mut optimiser = Optimiser::new().group(store.trainable(), settings).unwrap();
        let x = normal_tensor(&[200, 3], 2).to_dtype(DType::F32).unwrap();
        let truth = Tensor::new(&[[1f32], [-2.0], [0.5]], &Device::Cpu).unwrap();
        let y = x.matmul(&truth).unwrap().affine(1.0, 3.0).unwrap();
        for _ in 0..1_000 {
            let loss = layer.forward(&x).unwrap().sub(&y).unwrap().sqr().unwrap();
            optimiser.minimise(&loss.mean_all().unwrap()).unwrap();
        }
        assert!(largest_difference(layer.weight(), &truth.t().unwrap()) < 1e-2);
        assert!((cells(layer.bias().unwrap()).unwrap()[0] - 3.0).abs() < 1e-2);
    }

    #[test]
    fn what_cannot_be_trained_is_refused() {
        let mut store = store(DType::F32);
        store.statistic("running", &[2], 0.0).unwrap();
        let [a, b, running] = store.entries() else { panic!("three entries") };
        assert!(Optimiser::new().group([running], ADAM).is_err());
        assert!(Optimiser::new().group([a, a], ADAM).is_err());
        assert!(Optimiser::new().group([a], ADAM).unwrap().group([a], ADAM).is_err());
        let mut optimiser = Optimiser::new().group([a], ADAM).unwrap();
        let loss = b.var.sum_all().unwrap();
        let error = optimiser.minimise(&loss).unwrap_err().to_string();
        assert!(error.contains("\"a\" gets no gradient"), "{error}");
        assert_eq!(optimiser.steps(), 0);
    }
}
