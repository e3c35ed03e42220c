//! Weight predictors for decoupled training.
//!
//! A module that runs forward on batch *b* now will run backward on it *s* updates later. A predictor forecasts the
//! weights it will have then, Ŵ, so that the forward pass already uses them. This crate holds the [`Predictor`] trait,
//! the built-in rules ([`builtin`]), and what lets anyone write another one: the registry for rules linked into the
//! program, and a plain-C interface for rules loaded from a shared library.
//!
//! There is no tensor library here: most predictors are *linear rules*, four scalar [`Coefficients`] that the host
//! applies on any device; the others see plain slices.
//!
//! ```
//! use dtrp_predictors::{Context, OptimizerState, Spec, Views, create};
//!
//! # fn main() -> Result<(), dtrp_predictors::PredictorError> {
//! let mut predictor = create(&Spec::named("decayed"))?;
//! let context = Context {
//!     module: 1,
//!     modules: 4,
//!     update: 100,
//!     learning_rates: &[0.1, 0.1, 0.01], // three updates ahead, a milestone inside the horizon
//!     optimizer: OptimizerState::Sgd { momentum: 0.9, nesterov: false, weight_decay: 5e-4 },
//! };
//! let (weights, velocity) = ([0.5_f32; 8], [0.2_f32; 8]);
//! let mut forecast = [0.0_f32; 8];
//! let views = Views { direction: Some(&velocity), ..Views::of(&weights) };
//! predictor.forecast(&context, views, &mut forecast)?;
//! assert!((forecast[0] - 0.464_3).abs() < 1e-4);
//! # Ok(())
//! # }
//! ```

pub mod abi;
mod arrays;
pub mod builtin;
mod coefficients;
#[cfg(feature = "host")]
pub mod conformance;
mod context;
mod error;
#[cfg(feature = "host")]
pub mod loader;
mod plugin_error;
mod predictor;
mod probe;
mod provenance;
mod registry;
pub mod sdk;
mod spec;

pub use arrays::{Arrays, GpuArrays, GpuOutput, GpuPointers, Output, Real, Views};
pub use coefficients::Coefficients;
pub use context::{Context, OptimizerState};
pub use error::{PluginError, PredictorError};
pub use predictor::{Inputs, Predictor, Rule};
pub use probe::Probe;
pub use provenance::{PluginFile, Provenance, provenance};
pub use registry::{Definition, Description, Kind, Registration, create, describe, list};
pub use spec::Spec;
// What a plug-in declares its options with, so that its author depends on this crate alone.
pub use dtrp_text::{OptionError, OptionKind, OptionProblem, OptionSpec, Options, UnknownName, schema};

#[doc(hidden)]
pub use inventory;
