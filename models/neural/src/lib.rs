#![doc = include_str!("../README.md")]

mod device;
pub mod kernels;
mod parameter;
mod randomness;
mod threads;
pub mod training;

pub use device::tensor_device;
pub use parameter::{Adam, Parameter, step_all};
pub use randomness::Randomness;
pub use threads::Threads;
pub use training::{Losses, Trainee, TrainingLoop};
