use crate::tensors::{self, Named};
use crate::{Device, Error, Instructions, Kernels, Result, Tensor};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::HashMap;

/// The whole state of a training between two updates, as plain data: weights, moments of the
/// optimiser, running statistics, counters, positions of the random streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainingState {
    /// Updates done.
    pub step: u64,
    /// Everything that is not a tensor, by name.
    pub parts: serde_json::Map<String, Value>,
    /// Tensors by name.
    pub tensors: Named,
}

impl TrainingState {
    /// The state after so many updates, still empty.
    pub fn at(step: u64) -> Self {
        Self { step, ..Self::default() }
    }

    /// Adds a part that is not a tensor.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it cannot be written as JSON.
    pub fn put(&mut self, name: &str, part: &impl Serialize) -> Result<()> {
        let value = serde_json::to_value(part).map_err(|error| wrong(name, &error))?;
        self.parts.insert(name.to_owned(), value);
        Ok(())
    }

    /// Reads a part that is not a tensor.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is missing or of another form.
    pub fn part<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let part = self.parts.get(name).ok_or_else(|| wrong(name, &"it is missing"))?;
        T::deserialize(part).map_err(|error| wrong(name, &error))
    }

    /// Adds a tensor.
    pub fn put_tensor(&mut self, name: impl Into<String>, shape: &[usize], data: Vec<f32>) {
        self.tensors.insert(name.into(), Tensor { shape: shape.to_vec(), data });
    }

    /// The tensor of this name and shape.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is missing, has another shape or holds a value that is not
    /// finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        tensors::find(&self.tensors, name, shape).map_err(Error::Checkpoint)
    }

    /// The tensor of this name and shape that holds variances or other means of squares.
    ///
    /// # Errors
    /// Those of [`TrainingState::tensor`], and for a value below 0: its root would be no number many
    /// updates later, where nobody could tell from which tensor it came.
    pub fn squares(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let tensor = self.tensor(name, shape)?;
        match tensor.data.iter().find(|value| **value < 0.0) {
            None => Ok(tensor),
            Some(value) => Err(Error::Checkpoint(format!(
                "the tensor {name:?} holds {value}, where nothing can be below 0"
            ))),
        }
    }
}

fn wrong(name: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::Checkpoint(format!("the part {name:?}: {problem}"))
}

/// Everything that decides the result of a training beside the number of updates. A checkpoint
/// belongs to one identity; going on with another would give a model of neither.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Version of the program.
    pub version: String,
    /// Name of the model's entry.
    pub model: String,
    /// Every setting, resolved.
    pub recipe: Value,
    /// Hash of the training table, schema included.
    pub table: String,
    /// The seed.
    pub seed: u64,
    /// Device of the tensors, as [`Device`] is written.
    pub device: String,
    /// The way of computing, as [`Identity::kernels`] names it.
    pub kernels: String,
    /// Hash of the saved model that the training went on from, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

impl Identity {
    /// The name of a way of computing on this machine. On the processor it holds the instructions,
    /// which round differently: a training that went on with others would give a model of neither.
    pub fn kernels(device: Device, kernels: Kernels) -> String {
        match device {
            Device::Cpu => format!("{}/{}", kernels.name(), Instructions::detected().name()),
            Device::Cuda(_) => kernels.name().into(),
        }
    }

    /// Refuses another training than this one.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] that names what differs, with both values.
    pub fn check(&self, asked: &Identity) -> Result<()> {
        let mut differs = Vec::new();
        let mut compare = |what: &str, kept: &str, asked: &str| {
            if kept != asked {
                differs.push(format!("{what} is {kept} there and {asked} here"));
            }
        };
        compare("the version of the program", &self.version, &asked.version);
        compare("the model", &self.model, &asked.model);
        compare("the seed", &self.seed.to_string(), &asked.seed.to_string());
        compare("the device", &self.device, &asked.device);
        compare("the way of computing", &self.kernels, &asked.kernels);
        if self.model == asked.model {
            for (key, kept) in settings(&self.recipe) {
                let here = asked.recipe.get(key).unwrap_or(&Value::Null);
                compare(&format!("the setting `{key}`"), &kept.to_string(), &here.to_string());
            }
        }
        if self.table != asked.table {
            differs.push("the training table (its rows or its schema) is another".into());
        }
        if self.base != asked.base {
            let problem = match (&self.base, &asked.base) {
                (Some(_), None) => "it went on from a saved model, and this training begins anew",
                (None, _) => "it began anew, and this training goes on from a saved model",
                _ => "it went on from another saved model",
            };
            differs.push(problem.into());
        }
        if differs.is_empty() && self != asked {
            differs.push("the recipe has other settings".into());
        }
        if differs.is_empty() {
            return Ok(());
        }
        Err(Error::Checkpoint(format!(
            "it belongs to another training: {}\n  help: give the command of the interrupted training, or begin anew without resuming",
            differs.join("; ")
        )))
    }
}

fn settings(recipe: &Value) -> impl Iterator<Item = (&String, &Value)> {
    recipe.as_object().into_iter().flatten()
}

/// A training state with its identity, as one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What it belongs to.
    pub identity: Identity,
    /// Where the training stands.
    pub state: TrainingState,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    identity: Identity,
    step: u64,
    parts: serde_json::Map<String, Value>,
}

impl Checkpoint {
    const FORMAT: &'static str = "meg-checkpoint";
    const VERSION: u32 = 1;

    /// The bytes of a safetensors file whose header holds all that is not a tensor.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when a tensor's shape and values disagree.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = Header {
            format: Self::FORMAT.into(),
            version: Self::VERSION,
            identity: self.identity.clone(),
            step: self.state.step,
            parts: self.state.parts.clone(),
        };
        let header =
            serde_json::to_string(&header).map_err(|error| Error::Checkpoint(error.to_string()))?;
        let remarks = HashMap::from([(Self::FORMAT.to_owned(), header)]);
        tensors::write(&self.state.tensors, Some(remarks)).map_err(Error::Checkpoint)
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote. Sizes and types are checked; a model checks the
    /// rest with [`TrainingState::tensor`] and [`TrainingState::part`].
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the bytes are damaged, something else or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let remarks = tensors::remarks(bytes)
            .map_err(|error| Error::Checkpoint(format!("not a whole checkpoint: {error}")))?;
        let header = remarks
            .get(Self::FORMAT)
            .ok_or_else(|| Error::Checkpoint("a tensor file of another kind".into()))?;
        let header: Header =
            serde_json::from_str(header).map_err(|error| Error::Checkpoint(error.to_string()))?;
        if header.format != Self::FORMAT || header.version != Self::VERSION {
            return Err(Error::Checkpoint(format!(
                "it is of format {:?}, version {}; this program reads {:?}, version {}",
                header.format,
                header.version,
                Self::FORMAT,
                Self::VERSION
            )));
        }
        let tensors = tensors::read(bytes).map_err(Error::Checkpoint)?;
        let state = TrainingState { step: header.step, parts: header.parts, tensors };
        Ok(Self { identity: header.identity, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checkpoint() -> Checkpoint {
        let mut state = TrainingState::at(7);
        state.put("best", &(f64::MIN_POSITIVE, 3u64)).unwrap();
        state.put_tensor("w", &[2, 1], vec![1.5, -0.0]);
        state.put_tensor("none", &[0, 3], Vec::new());
        let identity = Identity {
            version: "1".into(),
            model: "m".into(),
            recipe: json!({"epochs": 3, "rate": 0.1}),
            table: "t".into(),
            seed: 1,
            device: "cpu".into(),
            kernels: "fused/avx512".into(),
            base: None,
        };
        Checkpoint { identity, state }
    }

    #[test]
    fn bytes_round_trip_and_damage_is_an_error() {
        let bytes = checkpoint().to_bytes().unwrap();
        let read = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(read, checkpoint());
        assert_eq!(read.state.part::<(f64, u64)>("best").unwrap(), (f64::MIN_POSITIVE, 3));
        assert!(read.state.part::<u64>("best").is_err() && read.state.part::<u64>("x").is_err());
        assert!(read.state.tensor("w", &[1, 2]).is_err() && read.state.tensor("v", &[1]).is_err());
        for cut in [0, 1, 8, bytes.len() / 2, bytes.len() - 1] {
            let error = Checkpoint::from_bytes(&bytes[..cut]).unwrap_err();
            assert!(matches!(error, Error::Checkpoint(_)), "cut at {cut}: {error}");
        }
    }

    #[test]
    fn the_way_of_computing_names_what_decides_the_last_bit() {
        let here = Instructions::detected().name();
        assert_eq!(Identity::kernels(Device::Cpu, Kernels::Plain), format!("plain/{here}"));
        assert_eq!(Identity::kernels(Device::Cuda(0), Kernels::Fused), "fused");
        assert_eq!(
            (Device::Cpu.to_string(), Device::Cuda(2).to_string()),
            ("cpu".into(), "cuda:2".into())
        );
    }

    #[test]
    fn another_training_is_refused_with_what_differs() {
        let kept = checkpoint().identity;
        kept.check(&kept).unwrap();
        let refused = |change: &dyn Fn(&mut Identity), part: &str| {
            let mut asked = kept.clone();
            change(&mut asked);
            let message = kept.check(&asked).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("help:"), "{message}");
        };
        refused(
            &|asked| asked.version = "2".into(),
            "version of the program is 1 there and 2 here",
        );
        refused(&|asked| asked.model = "n".into(), "the model is m");
        refused(&|asked| asked.seed = 2, "the seed is 1 there and 2 here");
        refused(&|asked| asked.table = "u".into(), "training table");
        refused(&|asked| asked.device = "cuda:0".into(), "device");
        refused(&|asked| asked.kernels = "fused/avx2".into(), "fused/avx512 there and fused/avx2");
        refused(&|asked| asked.recipe["epochs"] = json!(4), "`epochs` is 3 there and 4 here");
        refused(&|asked| asked.recipe["more"] = json!(4), "other settings");
        refused(&|asked| asked.base = Some("b".into()), "goes on from a saved model");
    }
}
