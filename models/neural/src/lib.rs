#![doc = include_str!("../README.md")]

mod device;
pub mod kernels;
mod parameter;
mod randomness;
pub mod training;

pub use device::tensor_device;
pub use parameter::{Adam, Parameter};
pub use randomness::Randomness;
pub use training::{Losses, Trainee, TrainingLoop};
