//! Layers that blocks are made of. Each declares its parameters under PyTorch's names.

mod conv;
mod linear;
mod norm;

pub use conv::Conv2d;
pub use linear::Linear;
pub use norm::BatchNorm2d;
