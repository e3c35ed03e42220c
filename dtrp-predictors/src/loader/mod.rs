//! Loads plug-ins: finds the exported symbol, shakes hands, and turns instances into [`Predictor`](crate::Predictor)s.
//!
//! The host defends itself against mistakes, not against malice: a plug-in is code in this process, and a wild write or a
//! call of `abort` cannot be survived. What can be noticed is noticed when a predictor is made, before training, on
//! arrays of the host's own ([`Library::create`]); and at every later call the status and that the output is finite.
//! A call that hangs in the middle of training is left to the engine's watchdog.

mod adapter;
mod descriptor;
mod elf;
mod handshake;
mod host;
pub(crate) mod instance;
mod library;
pub(crate) mod limit;
pub(crate) mod trial;

pub use descriptor::Descriptor;
pub use host::{LogLevel, set_logger};
pub use library::{DEFAULT_LIMIT, Library, touched};
