//! What a trainer is put together from: programs, lengths, rates, devices, and stages with their optimizers and predictors.

mod bytes;
mod device;
mod length;
mod norms;
mod parts;
mod programs;
mod rate;
mod recipe;

pub use device::why_no_gpu;
pub use length::Length;
pub use programs::{parse_program, read_program};
pub use recipe::{OptimizerContext, OptimizerFactory};

pub(crate) use bytes::bytes_of_blocks;
pub(crate) use device::devices;
pub(crate) use norms::{Seen, check_norms};
pub(crate) use parts::{Parts, heads};
pub(crate) use programs::Programs;
pub(crate) use rate::learning_rate;
pub(crate) use recipe::Recipe;
