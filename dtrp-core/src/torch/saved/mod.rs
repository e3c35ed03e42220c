//! Tensors and numbers in the form in which they are kept in files: tensors by name, in host memory, and beside them facts
//! that `serde` writes.

mod exact;
mod lying;
mod tensor;

pub use exact::Exact;
pub use tensor::{SavedTensor, Tensors};

pub(super) use lying::{Lying, flat, once};
pub(super) use tensor::{find, host, take};
