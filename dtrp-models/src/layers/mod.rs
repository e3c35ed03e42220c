//! Layers that blocks are made of. Each declares its parameters under PyTorch's names.

mod activation;
mod conv;
mod dropout;
mod linear;
mod norm;
mod pool;
pub mod tally;

pub use activation::relu;
pub use conv::Conv2d;
pub(crate) use dropout::kept_mask;
pub use dropout::{Dropout, dropout_mask};
pub use linear::Linear;
pub use norm::BatchNorm2d;
pub use pool::{average_pool, max_pool};
