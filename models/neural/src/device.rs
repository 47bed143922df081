use meg_core::{Device, Error, Result};

/// The candle device for a device of the contract.
///
/// # Errors
/// When the program was built without CUDA or the device does not answer.
pub fn tensor_device(device: Device) -> Result<candle_core::Device> {
    match device {
        Device::Cpu => Ok(candle_core::Device::Cpu),
        Device::Cuda(_) if !cfg!(feature = "cuda") => Err(Error::Request(
            "this program was built without CUDA; build it with `--features cuda`".into(),
        )),
        Device::Cuda(ordinal) => candle_core::Device::new_cuda(ordinal)
            .map_err(|error| Error::Request(format!("the device cuda:{ordinal}: {error}"))),
    }
}

/// The error of this workspace for one of the tensor library.
pub fn tensor_error(error: candle_core::Error) -> Error {
    Error::Tensor(error.to_string())
}
