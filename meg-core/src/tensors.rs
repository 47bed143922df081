//! Named tensors as safetensors bytes, for models and for checkpoints.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

/// A dense row-major `f32` tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// The values; as many as the product of the shape.
    pub data: Vec<f32>,
}

/// Tensors by name.
pub(crate) type Named = BTreeMap<String, Tensor>;

/// The tensor of this name and shape, or what is wrong with it.
pub(crate) fn find<'a>(
    tensors: &'a Named,
    name: &str,
    shape: &[usize],
) -> Result<&'a Tensor, String> {
    let tensor = tensors.get(name).ok_or_else(|| format!("the tensor {name:?} is missing"))?;
    if tensor.shape != shape {
        return Err(format!("the tensor {name:?} has the shape {:?}, not {shape:?}", tensor.shape));
    }
    if tensor.data.iter().any(|value| !value.is_finite()) {
        return Err(format!("the tensor {name:?} holds a value that is not finite"));
    }
    Ok(tensor)
}

/// The bytes of a safetensors file with these remarks in its header.
pub(crate) fn write(
    tensors: &Named,
    remarks: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, String> {
    let bytes: Vec<(&String, &Tensor, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            (name, tensor, tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (name, tensor, data) in &bytes {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), data)
            .map_err(|error| error.to_string())?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, remarks).map_err(|error| error.to_string())
}

/// Reads what [`write`] wrote; sizes and types are checked.
pub(crate) fn read(bytes: &[u8]) -> Result<Named, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut named = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("the tensor {name:?} is not of 32-bit floats"));
        }
        let data = view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("a chunk has four bytes")))
            .collect();
        named.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), data });
    }
    Ok(named)
}

/// The remarks in the header of a safetensors file.
pub(crate) fn remarks(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    Ok(metadata.metadata().clone().unwrap_or_default())
}
