//! The data sets, one file per format.

pub(crate) mod cifar;
mod digits;
mod folder;
pub(crate) mod idx;
mod synthetic;
