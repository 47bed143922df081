use crate::{Error, Result, Schema, Tensor, tensors};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// A fitted model as plain data: JSON and named `f32` tensors, no training rows, nothing executable.
///
/// On disk it is a folder of two files, [`Artifact::JSON_FILE`] and [`Artifact::TENSOR_FILE`].
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Name of the model that wrote it.
    pub model: String,
    /// Schema of the tables it makes.
    pub schema: Schema,
    /// Everything that is not a tensor: settings, transforms.
    pub state: serde_json::Value,
    /// Weights by name.
    pub tensors: BTreeMap<String, Tensor>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    model: String,
    schema: Schema,
    state: serde_json::Value,
}

impl Artifact {
    /// Name of the JSON file in a model folder.
    pub const JSON_FILE: &'static str = "model.json";
    /// Name of the tensor file in a model folder.
    pub const TENSOR_FILE: &'static str = "tensors.safetensors";

    const FORMAT: &'static str = "meg-model";
    const VERSION: u32 = 1;

    /// An artifact without tensors.
    ///
    /// # Errors
    /// When the state cannot be written as JSON.
    pub fn new(model: &str, schema: &Schema, state: &impl Serialize) -> Result<Self> {
        let state =
            serde_json::to_value(state).map_err(|error| Error::Artifact(error.to_string()))?;
        Ok(Self { model: model.into(), schema: schema.clone(), state, tensors: BTreeMap::new() })
    }

    /// The state as its own type.
    ///
    /// # Errors
    /// When the JSON is not that type's.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.state).map_err(|error| Error::Artifact(error.to_string()))
    }

    /// The tensor of this name and shape.
    ///
    /// # Errors
    /// When it is missing, has another shape or holds a value that is not finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        tensors::find(&self.tensors, name, shape).map_err(Error::Artifact)
    }

    /// The bytes of the JSON file and of the tensor file.
    ///
    /// # Errors
    /// When a tensor's shape and values disagree.
    pub fn to_bytes(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let failed = |error: &dyn std::fmt::Display| Error::Artifact(error.to_string());
        let header = Header {
            format: Self::FORMAT.into(),
            version: Self::VERSION,
            model: self.model.clone(),
            schema: self.schema.clone(),
            state: self.state.clone(),
        };
        let json = serde_json::to_vec_pretty(&header).map_err(|error| failed(&error))?;
        let tensors = tensors::write(&self.tensors, None).map_err(|error| failed(&error))?;
        Ok((json, tensors))
    }

    /// Reads what [`Artifact::to_bytes`] wrote. Sizes and types are checked; a model checks the
    /// rest with [`Artifact::tensor`].
    ///
    /// # Errors
    /// When a file is damaged or of another version.
    pub fn from_bytes(json: &[u8], tensors: &[u8]) -> Result<Self> {
        let header: Header = serde_json::from_slice(json)
            .map_err(|error| Error::Artifact(format!("{}: {error}", Self::JSON_FILE)))?;
        if header.format != Self::FORMAT || header.version != Self::VERSION {
            return Err(Error::Artifact(format!(
                "{} is of format {:?}, version {}; this program reads {:?}, version {}",
                Self::JSON_FILE,
                header.format,
                header.version,
                Self::FORMAT,
                Self::VERSION
            )));
        }
        header.schema.check()?;
        let named = tensors::read(tensors)
            .map_err(|error| Error::Artifact(format!("{}: {error}", Self::TENSOR_FILE)))?;
        Ok(Self { model: header.model, schema: header.schema, state: header.state, tensors: named })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnSpec;

    fn artifact() -> Artifact {
        let schema = Schema::new(vec![ColumnSpec::number("x", None)]).unwrap();
        let mut artifact = Artifact::new("test", &schema, &[0.1f64, f64::MIN_POSITIVE]).unwrap();
        let tensor = Tensor { shape: vec![2, 1], data: vec![1.5, -0.0] };
        artifact.tensors.insert("w".into(), tensor);
        artifact
    }

    #[test]
    fn bytes_round_trip() {
        let (json, tensors) = artifact().to_bytes().unwrap();
        let read = Artifact::from_bytes(&json, &tensors).unwrap();
        assert_eq!(read, artifact());
        assert_eq!(read.state::<Vec<f64>>().unwrap(), [0.1, f64::MIN_POSITIVE]);
    }

    #[test]
    fn damage_is_an_error_not_a_panic() {
        let (json, tensors) = artifact().to_bytes().unwrap();
        for cut in [0, 1, 8, tensors.len() / 2, tensors.len() - 1] {
            assert!(Artifact::from_bytes(&json, &tensors[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Artifact::from_bytes(&json[..json.len() / 2], &tensors).is_err());
        assert!(artifact().tensor("w", &[1, 2]).unwrap_err().to_string().contains("shape"));
        assert!(artifact().tensor("v", &[1]).unwrap_err().to_string().contains("missing"));
    }
}
