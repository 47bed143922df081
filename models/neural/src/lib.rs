#![doc = include_str!("../README.md")]

pub mod check;
mod device;
pub mod kernels;
pub mod layers;
mod parameter;
mod randomness;
mod training;

pub use device::{tensor_device, tensor_error};
pub use parameter::{Adam, Parameter};
pub use randomness::Randomness;
pub use training::{TrainingLoop, check_finite};
