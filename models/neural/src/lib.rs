#![doc = include_str!("../README.md")]

pub mod check;
mod dense;
mod device;
pub mod kernels;
pub mod layers;
pub mod learning;
mod parameter;
mod randomness;
mod threads;
pub mod training;

pub use dense::Dense;
pub use device::{tensor_device, tensor_error};
pub use parameter::{Adam, Parameter, step_all};
pub use randomness::Randomness;
pub use threads::Threads;
pub use training::{Losses, Trainee, TrainingLoop};
