//! Options: what something declares, and how it reads what it was given.

mod error;
mod read;
mod spec;

pub use error::{OptionError, OptionProblem};
pub use read::Options;
pub use spec::{OptionKind, OptionSpec, OptionValues, defaults, option_values, schema};
