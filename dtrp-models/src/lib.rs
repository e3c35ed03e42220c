//! The model zoo: networks as lists of blocks that can be cut into modules.
//!
//! A family is a function from options and an input's shape to blocks, registered by name:
//!
//! ```
//! use dtrp_models::{ModelInput, build, option_values};
//!
//! # fn main() -> Result<(), dtrp_models::ModelError> {
//! let cifar = ModelInput { channels: 3, height: 32, width: 32, classes: 10 };
//! let network = build("resnet-cifar", &option_values([("depth", 20.into())]), &cifar)?;
//! assert_eq!(network.parameters(), 269_722);
//! # Ok(())
//! # }
//! ```
//!
//! Parameter names are the usual PyTorch ones, so weights move both ways as safetensors ([`weights`]).

pub mod auxiliary;
mod cuts;
mod describe;
mod error;
pub mod exported;
mod families;
mod fresh;
pub mod layers;
mod registry;
pub mod weights;

pub use cuts::{split_at, split_before, split_evenly};
pub use describe::{BlockInfo, NormInfo, OutputInfo};
pub use dtrp_text::{OptionError, OptionSpec, OptionValues, Options, UnknownName, option_values};
pub use error::ModelError;
pub use fresh::Fresh;
pub use registry::{Build, Family, ModelInput, Network, build, defaults, find, list};

pub use inventory;
