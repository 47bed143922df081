use super::{Initial, host_cells, host_tensor};
use crate::{Parameter, tensor_error};
use candle_core::{DType, Device, Result, Tensor, Var, bail};
use meg_core::{Error, Rng, Tensor as HostTensor};
use std::collections::BTreeMap;

/// The parameters and statistics of a network, by name, in the order in which its layers were
/// made. Layers keep handles to the same variables, so that a change here is a change there.
#[derive(Debug)]
pub struct ParameterStore {
    entries: Vec<Named>,
    dtype: DType,
    device: Device,
}

/// A variable and its name.
#[derive(Debug, Clone)]
pub struct Named {
    /// The name, unique in its store: `generator.0.weight`.
    pub name: String,
    /// The variable; clones share its cells.
    pub var: Var,
    /// Whether an optimiser moves it. Running statistics are saved but not trained.
    pub trainable: bool,
}

impl ParameterStore {
    /// An empty store for variables of this type on this device.
    pub fn new(dtype: DType, device: &Device) -> Self {
        Self { entries: Vec::new(), dtype, device: device.clone() }
    }

    /// The parameters of a network with hand-written gradients, by the same names and with the same
    /// values.
    ///
    /// # Errors
    /// When a name occurs twice, or those of the device.
    pub fn of_parameters(
        named: Vec<(String, &mut Parameter)>,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut store = Self::new(dtype, device);
        for (name, parameter) in named {
            store.add(&name, &parameter.shape, parameter.value.clone(), true)?;
        }
        Ok(store)
    }

    /// Reads variables back into parameters: into all that [`ParameterStore::of_parameters`] was
    /// given, or the first of them.
    ///
    /// # Errors
    /// Those of the device.
    ///
    /// # Panics
    /// When the names are others.
    pub fn read_back(&self, named: Vec<(String, &mut Parameter)>) -> meg_core::Result<()> {
        for ((name, parameter), entry) in named.into_iter().zip(&self.entries) {
            assert_eq!(name, entry.name, "the parameters of another network");
            parameter.value = host_cells(&entry.var).map_err(tensor_error)?;
        }
        Ok(())
    }

    /// Type of the variables.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Device of the variables.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Adds a parameter. Its first values depend on the generator alone: the same seed and the
    /// same order of layers give the same bytes on every device.
    ///
    /// # Errors
    /// When the name is taken, or those of the device.
    pub fn parameter(
        &mut self,
        name: &str,
        shape: &[usize],
        initial: Initial,
        rng: &mut Rng,
    ) -> Result<Var> {
        let values = initial.draw(shape.iter().product(), rng);
        self.add(name, shape, values, true)
    }

    /// Adds a statistic that is saved with the parameters and never trained.
    ///
    /// # Errors
    /// When the name is taken, or those of the device.
    pub fn statistic(&mut self, name: &str, shape: &[usize], value: f32) -> Result<Var> {
        self.add(name, shape, vec![value; shape.iter().product()], false)
    }

    /// Everything, in order.
    pub fn entries(&self) -> &[Named] {
        &self.entries
    }

    /// What an optimiser moves, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Named> {
        self.entries.iter().filter(|entry| entry.trainable)
    }

    /// Number of trainable cells.
    pub fn count(&self) -> usize {
        self.trainable().map(|entry| entry.var.elem_count()).sum()
    }

    /// Writes every variable, in `f32`, among the tensors of an artifact or a training state, as
    /// `prefix` + name.
    ///
    /// # Errors
    /// When there is a tensor of such a name already, or those of the device.
    pub fn save(
        &self,
        prefix: &str,
        tensors: &mut BTreeMap<String, HostTensor>,
    ) -> meg_core::Result<()> {
        for entry in &self.entries {
            save_tensor(&format!("{prefix}{}", entry.name), &entry.var, tensors)?;
        }
        Ok(())
    }

    /// Reads every variable through a function from name and shape to a tensor, such as
    /// [`meg_core::Artifact::tensor`]. Nothing changes unless all of them are there.
    ///
    /// # Errors
    /// Those of `find`, which checks names, shapes and values.
    pub fn load<'a>(
        &self,
        prefix: &str,
        find: impl Fn(&str, &[usize]) -> meg_core::Result<&'a HostTensor>,
    ) -> meg_core::Result<()> {
        let read =
            |entry: &Named| load_tensor(&format!("{prefix}{}", entry.name), &entry.var, &find);
        let values = self.entries.iter().map(read).collect::<meg_core::Result<Vec<_>>>()?;
        for (entry, value) in self.entries.iter().zip(&values) {
            entry.var.set(value).map_err(tensor_error)?;
        }
        Ok(())
    }

    /// A phrase about the first parameter or statistic with a cell that is not finite.
    ///
    /// # Errors
    /// Those of the device.
    pub fn not_finite(&self) -> meg_core::Result<Option<String>> {
        first_not_finite(self.entries.iter().map(|entry| (&*entry.name, entry.var.as_tensor())))
            .map_err(tensor_error)
    }

    fn add(
        &mut self,
        name: &str,
        shape: &[usize],
        values: Vec<f32>,
        trainable: bool,
    ) -> Result<Var> {
        if self.entries.iter().any(|entry| entry.name == name) {
            bail!("the parameter name {name:?} occurs twice");
        }
        let value = host_tensor(values, shape, self.dtype, &self.device)?;
        let var = Var::from_tensor(&value)?;
        self.entries.push(Named { name: name.to_owned(), var: var.clone(), trainable });
        Ok(var)
    }
}

/// Writes a tensor in `f32` under a new name.
pub(super) fn save_tensor(
    name: &str,
    tensor: &Tensor,
    tensors: &mut BTreeMap<String, HostTensor>,
) -> meg_core::Result<()> {
    let cells = host_cells(tensor).map_err(tensor_error)?;
    let tensor = HostTensor { shape: tensor.dims().to_vec(), data: cells };
    match tensors.insert(name.to_owned(), tensor) {
        None => Ok(()),
        Some(_) => Err(Error::Artifact(format!("the tensor name {name:?} occurs twice"))),
    }
}

/// Reads a tensor with the shape, type and device of another.
pub(super) fn load_tensor<'a>(
    name: &str,
    like: &Tensor,
    find: impl Fn(&str, &[usize]) -> meg_core::Result<&'a HostTensor>,
) -> meg_core::Result<Tensor> {
    let tensor = find(name, like.dims())?;
    host_tensor(tensor.data.clone(), like.shape(), like.dtype(), like.device())
        .map_err(tensor_error)
}

/// A phrase about the first tensor with a cell that is not finite: its sum of `0 * cell` is not 0.
pub(super) fn first_not_finite<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<Option<String>> {
    for (name, tensor) in tensors {
        let sum = tensor.detach().affine(0.0, 0.0)?.sum_all()?;
        if sum.to_dtype(DType::F64)?.to_scalar::<f64>()? != 0.0 {
            return Ok(Some(format!("{name} holds a value that is not finite")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dense;
    use crate::check::cells;
    use meg_core::{Artifact, ColumnSpec, Schema, Seed};

    fn store(seed: u64) -> ParameterStore {
        let mut store = ParameterStore::new(DType::F32, &Device::Cpu);
        let mut rng = Seed(seed).stream("init");
        store.parameter("b.weight", &[2, 3], Initial::torch(3), &mut rng).unwrap();
        store.parameter("a.weight", &[4], Initial::torch(4), &mut rng).unwrap();
        store.statistic("a.running", &[4], 1.0).unwrap();
        store
    }

    fn artifact() -> Artifact {
        let schema = Schema::new(vec![ColumnSpec::number("x", None)]).unwrap();
        Artifact::new("test", &schema, &()).unwrap()
    }

    fn all_cells(store: &ParameterStore) -> Vec<Vec<f64>> {
        store.entries().iter().map(|entry| cells(&entry.var).unwrap()).collect()
    }

    #[test]
    fn order_count_and_values_are_fixed() {
        let one = store(1);
        let names: Vec<&str> = one.entries().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["b.weight", "a.weight", "a.running"]);
        assert_eq!(one.count(), 10);
        assert_eq!(all_cells(&one), all_cells(&store(1)));
        assert_ne!(all_cells(&one), all_cells(&store(2)));
    }

    #[test]
    fn parameters_become_variables_and_come_back() {
        let mut rng = Seed(1).stream("init");
        let mut layer = Dense::new((2, 3), Initial::torch(2), Initial::torch(2), &mut rng);
        let exact = layer.clone();
        let named = layer.named_mut("layer").into();
        let store = ParameterStore::of_parameters(named, DType::F64, &Device::Cpu).unwrap();
        layer.weight.value.fill(9.0);
        layer.bias.value.fill(9.0);
        store.read_back(layer.named_mut("layer").into()).unwrap();
        assert_eq!(layer.weight.value, exact.weight.value);
        assert_eq!(layer.bias.value, exact.bias.value);
    }

    #[test]
    fn a_name_serves_once() {
        let mut store = store(1);
        let error = store.statistic("a.weight", &[1], 0.0).unwrap_err();
        assert!(error.to_string().contains("\"a.weight\" occurs twice"));
    }

    #[test]
    fn an_artifact_brings_every_cell_back_through_its_bytes() {
        let (one, other) = (store(1), store(2));
        let mut artifact = artifact();
        one.save("net.", &mut artifact.tensors).unwrap();
        assert!(
            one.save("net.", &mut artifact.tensors).is_err(),
            "a second tensor of the same name"
        );
        let (json, tensors) = artifact.to_bytes().unwrap();
        let read = Artifact::from_bytes(&json, &tensors).unwrap();
        other.load("net.", |name, shape| read.tensor(name, shape)).unwrap();
        assert_eq!(all_cells(&one), all_cells(&other));
    }

    #[test]
    fn a_wrong_artifact_is_refused_and_changes_nothing() {
        let one = store(1);
        let before = all_cells(&one);
        let mut artifact = artifact();
        store(2).save("", &mut artifact.tensors).unwrap();
        artifact.tensors.get_mut("a.running").unwrap().shape = vec![2, 2];
        let error =
            one.load("", |name, shape| artifact.tensor(name, shape)).unwrap_err().to_string();
        assert!(error.contains("\"a.running\"") && error.contains("shape"), "{error}");
        artifact.tensors.remove("a.running");
        assert!(
            one.load("", |name, shape| artifact.tensor(name, shape))
                .unwrap_err()
                .to_string()
                .contains("missing")
        );
        assert_eq!(all_cells(&one), before);
    }

    #[test]
    fn a_cell_that_is_not_finite_is_named() {
        let store = store(1);
        assert_eq!(store.not_finite().unwrap(), None);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let cells = Tensor::new(&[1.0, 2.0, value, 3.0], &Device::Cpu).unwrap();
            store.entries()[1].var.set(&cells).unwrap();
            let phrase = store.not_finite().unwrap().unwrap();
            assert_eq!(phrase, "a.weight holds a value that is not finite");
        }
    }
}
