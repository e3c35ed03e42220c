//! The data sets, one file per format.

pub(crate) mod cifar;
pub(crate) mod digits;
pub(crate) mod folder;
pub(crate) mod idx;
pub(crate) mod synthetic;
